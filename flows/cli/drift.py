"""``signature-gate drift``: what has changed around a feed; no Prefect is needed."""

from __future__ import annotations

from typing import Annotated

import typer

from ..terminal import console as terminal
from ..terminal.changes import show_drift
from .alerts import Notify, notify_of_drift_in, recipients
from .options import NOT_PASSED, PASSED, AsJson, FeedFile, Timeout


def drift(
    feed: FeedFile,
    last: Annotated[int, typer.Option(min=1, help="Batches to look back on.")] = 60,
    model: Annotated[
        str | None,
        typer.Option(help="Forecast for this version, such as models:/flights@challenger."),
    ] = None,
    notify: Notify = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Report what has changed around a feed.

    That is its batches, its model, and the match of the two. Compares the last batches with each
    other and with the contract, detects whether the model's alias has moved, and forecasts which of
    the last batches the new version would reject. Nothing is moved. With --notify, each change of
    state is reported once; with --model nobody is notified. Exits with 1 if a change is breaking or
    the forecast rejects a batch.
    """
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.watch import watch_feed

    loaded, notified = Feed.load(feed), recipients(notify)
    with terminal.spinner(f"comparing the batches of {feed}"):
        report = watch_feed(loaded, last=last, model=model, timeout=timeout)
    if as_json:
        terminal.print_json(report.model_dump_json(indent=2))
    else:
        show_drift(report)
    notify_of_drift_in(loaded, report, notified)
    raise typer.Exit(NOT_PASSED if report.breaking or report.rejecting else PASSED)
