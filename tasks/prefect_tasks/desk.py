"""The quarantine desk as Prefect tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from ..quarantine.discard import discard_batch
from ..quarantine.release import AS_THE_FEED_SAYS, ReleaseOptions, release_batch
from .options import TASK
from .run_artifacts import announce

if TYPE_CHECKING:
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt


@task(**TASK)
def release_entry(feed: Feed, batch: str, terms: ReleaseOptions = AS_THE_FEED_SAYS) -> Receipt:
    """Judge again what lies in quarantine, and score what fits.

    Args:
        feed: The feed.
        batch: The entry, as ``quarantine list`` shows it, or the batch's name as it arrived.
        terms: Another version or policy than the feed's, or a repaired file.

    Returns:
        The receipt.

    Raises:
        GateError: As ``release_batch`` does; what lies in quarantine stays there.
        OSError: A file or disk failed, retries included.
    """
    receipt = release_batch(feed, batch, terms)
    announce(feed, receipt)
    get_run_logger().info("%s: released, %s", receipt.batch.id, receipt.disposition)
    return receipt


@task(**TASK)
def discard_entry(feed: Feed, batch: str, reason: str = "") -> Receipt:
    """Move what lies in quarantine to the archive.

    Args:
        feed: The feed.
        batch: The entry, as ``quarantine list`` shows it, or the batch's name as it arrived.
        reason: Why, for the record.

    Returns:
        The receipt.

    Raises:
        GateError: As ``discard_batch`` does.
        OSError: A file or disk failed, retries included.
    """
    receipt = discard_batch(feed, batch, reason)
    announce(feed, receipt)
    get_run_logger().info("%s: discarded", receipt.batch.id)
    return receipt
