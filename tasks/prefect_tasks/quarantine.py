"""Quarantine as Prefect tasks: put a batch there, release or discard what lies there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from ..quarantine.discard import discard_batch
from ..quarantine.release import AS_THE_FEED_SAYS, ReleaseOptions, release_batch
from ..quarantine.standalone import quarantine
from ..scoring.evidence import RUN_PAGE
from .events import announce
from .options import TASK
from .run_names import run_page

if TYPE_CHECKING:
    from pathlib import Path

    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt


@task(**TASK)
def quarantine_batch(batch: str | Path, verdict: Verdict, folder: str | Path) -> Path:
    """Move a batch that does not fit into quarantine; after a crash the same call completes it.

    Args:
        batch: The file or folder.
        verdict: Why it may not be scored.
        folder: The quarantine.

    Returns:
        The batch's own folder there, with ``verdict.json`` and ``report.html``.

    Raises:
        OSError: There is no such batch, or it cannot be moved; then it stays where it is.
    """
    place = quarantine(batch, verdict, folder)
    get_run_logger().warning("%s is quarantined in %s", batch, place)
    return place


@task(**TASK)
def release_entry(feed: Feed, batch: str, options: ReleaseOptions = AS_THE_FEED_SAYS) -> Receipt:
    """Judge a quarantined batch again and score what fits; the rest stays in quarantine."""
    RUN_PAGE.set(run_page())
    receipt = release_batch(feed, batch, options)
    announce(feed, receipt)
    get_run_logger().info("%s: released, %s", receipt.batch.id, receipt.disposition)
    return receipt


@task(**TASK)
def discard_entry(feed: Feed, batch: str, reason: str = "") -> Receipt:
    """Move a quarantined batch to the archive."""
    receipt = discard_batch(feed, batch, reason)
    announce(feed, receipt)
    get_run_logger().info("%s: discarded", receipt.batch.id)
    return receipt
