"""Watch a feed: what changed in its batches, in its model, and between the two."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Prefect resolves it when the flow runs
from typing import Any

from prefect import flow
from prefect.states import Completed

from ..tasks.feed.feed import Feed
from ..tasks.monitoring.watch import watch_feed
from ..tasks.prefect_tasks.drift import announce_drift, find_drift, publish_drift
from ..tasks.prefect_tasks.run_names import run_name

__all__ = ["watch_feed", "watch_schema"]


@flow(name="watch-schema", flow_run_name=run_name)
def watch_schema(feed: Feed | Path, last: int = 60, model: str | None = None) -> Any:
    """Report what has changed around a feed, once for each change of state.

    Emits ``signature-gate.schema.drifted`` and ``schema.recovered``, ``values.shifted`` and
    ``values.recovered``, and ``contract.changed``. With a named model it is a trial, and no event
    is emitted.

    Args:
        feed: The feed, or the path of its YAML file.
        last: How many of the last batches to compare.
        model: A version to forecast for, such as ``models:/flights@challenger``, in place of the
            one that the feed's model URI means now.

    Returns:
        A ``Drift``. The run's state is ``Completed``, or ``Drifted`` if a change could be noticed
        or a batch would not pass, which is of type completed too.

    Raises:
        GateError: Machinery broke: no such feed or model, or no answer from the registry.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    found = find_drift(feed, last, model)
    if found.found:
        publish_drift(found)
    if not found.named:
        announce_drift(feed, found)
    name = "Drifted" if found.drifted else "Completed"
    return Completed(name=name, message=found.message().partition("\n")[0], data=found)
