"""A feed's batches as Prefect tasks: list them, and score one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.runtime import task_run

from ..feed.inbox import SkippedBatch
from ..feed.receipt import Receipt
from ..scoring.feed_run import score_one
from ..scoring.selection import Candidate, Selection, select_candidates
from .options import TASK
from .progress import SECONDS_APART, Pace, ProgressArtifact
from .run_artifacts import announce

if TYPE_CHECKING:
    from ..feed.feed import Feed
    from ..storage.intent import Intent


@task(**TASK)
def list_batches(feed: Feed, again: bool = False) -> Selection:
    """Finish what dead workers have begun, then list the batches that may be scored.

    Args:
        feed: The feed.
        again: Whether batches that are done under another version count too.

    Returns:
        The candidates, and what is left alone with the reason.
    """
    found = select_candidates(feed, again=again)
    for receipt in found.recovered:
        announce(feed, receipt)
    get_run_logger().info("%d batches may be scored", len(found.candidates))
    return found


def _named_after_its_batch() -> str:
    parameters: dict[str, Any] = task_run.parameters
    candidate: Candidate = parameters["candidate"]
    return f"score {candidate.batch.id}"


@task(**TASK, task_run_name=_named_after_its_batch)
def score_batch(
    feed: Feed, intent: Intent, candidate: Candidate, again: bool = False
) -> Receipt | SkippedBatch:
    """Take one batch from its claim to its receipt: judge, score, publish or quarantine.

    Args:
        feed: The feed.
        intent: The pinned version and policy.
        candidate: The batch.
        again: Whether a receipt of another version leaves it undone.

    Returns:
        The receipt; or why the batch was left alone after all.

    Raises:
        OSError: A file or disk failed, retries included.
        RegistryUnavailable: The model cannot be fetched, retries included.
    """
    pace = Pace(ProgressArtifact(f"Scoring {candidate.batch.id}").show, SECONDS_APART)
    outcome = score_one(feed, intent, candidate, again=again, watch=pace.tell)
    if isinstance(outcome, Receipt):
        announce(feed, outcome)
    get_run_logger().info("%s: %s", candidate.batch.id, _told(outcome))
    return outcome


def _told(outcome: Receipt | SkippedBatch) -> str:
    return outcome.detail if isinstance(outcome, SkippedBatch) else outcome.disposition
