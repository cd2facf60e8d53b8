"""Release a batch from quarantine, or discard it."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Prefect resolves it when the flow runs
from typing import TYPE_CHECKING, Any

from prefect import flow

from ..expectations.contract.policy import Policy  # noqa: TC001 - Prefect resolves it when the flow runs
from ..tasks.feed.feed import Feed
from ..tasks.feed.run_summary import RunSummary
from ..tasks.feed.untold import mark_told
from ..tasks.prefect_tasks.assets import record_asset
from ..tasks.prefect_tasks.quarantine import discard_entry, release_entry
from ..tasks.prefect_tasks.run_artifacts import publish_run
from ..tasks.prefect_tasks.run_names import review_name
from ..tasks.quarantine.release import ReleaseOptions
from .scoring import final_state

if TYPE_CHECKING:
    from ..tasks.feed.receipt import Receipt


@flow(name="release-quarantined", flow_run_name=review_name)
def release_quarantined(
    feed: Feed | Path,
    batch: str,
    model: str | None = None,
    policy: Policy | Path | None = None,
    file: Path | None = None,
) -> Any:
    """Judge a quarantined batch again, and score what fits.

    Args:
        feed: The feed, or the path of its YAML file.
        batch: The entry, as ``quarantine list`` shows it, or the batch's name as it arrived.
        model: MLflow URI of the version to judge and score by; by default the feed's.
        policy: The policy, or the path of its YAML file; by default the feed's.
        file: A repaired file to judge instead of the quarantined one; it is copied.

    Returns:
        A ``RunSummary`` with one receipt. The run's state is ``Completed``, or ``Quarantined`` if
        the batch stays there, which is of type completed too.

    Raises:
        BatchRejected: The policy is ``on_mismatch: fail`` and the batch still does not fit.
        GateError: There is no such batch, another worker has it, or machinery broke.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    return _publish(feed, release_entry(feed, batch, ReleaseOptions(model, policy, file)))


@flow(name="discard-quarantined", flow_run_name=review_name)
def discard_quarantined(feed: Feed | Path, batch: str, reason: str = "") -> Any:
    """Move a quarantined batch to the archive; nothing is deleted.

    Args:
        feed: The feed, or the path of its YAML file.
        batch: The entry, as ``quarantine list`` shows it, or the batch's name as it arrived.
        reason: Why, for the record.

    Returns:
        A ``RunSummary`` with one receipt; the run's state is ``Completed``.

    Raises:
        GateError: There is no such batch, or another worker has it.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    return _publish(feed, discard_entry(feed, batch, reason))


def _publish(feed: Feed, receipt: Receipt) -> Any:
    summary = RunSummary(feed=receipt.feed, model=receipt.model, receipts=(receipt,))
    publish_run(summary)
    record_asset(feed, summary)
    mark_told(feed, [receipt])
    return final_state(summary, feed)
