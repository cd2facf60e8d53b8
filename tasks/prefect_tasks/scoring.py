"""A feed's batches as Prefect tasks: pin the model, list the batches, score one of them.

The scoring of a large batch shows its progress as an artifact of its task run. Prefect keeps every
update in its database, so there are few: none for a short batch, one every few seconds for others.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from prefect import get_run_logger, task
from prefect.artifacts import create_progress_artifact, update_progress_artifact
from prefect.runtime import task_run
from prefect.states import Completed

from ...expectations.credentials import mask_uri
from ..feed.inbox import SkippedBatch
from ..feed.receipt import Receipt
from ..scoring.evidence import RUN_PAGE
from ..scoring.feed_run import current_intent, score_at_once
from ..scoring.one_batch import score_one
from ..scoring.selection import Candidate, Selection, select_candidates
from .events import announce
from .options import TASK
from .run_names import run_page

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from ...expectations.fan_out.workers import Workers
    from ..feed.feed import Feed
    from ..storage.intent import Intent

SECONDS_APART = 5.0

_log = logging.getLogger("signature_gate.progress")


@task(**TASK)
def fetch_intent(feed: Feed) -> Intent:
    """Pin the model version, signature, policy and params that the feed means now."""
    intent = current_intent(feed)
    get_run_logger().info("%s is %s", mask_uri(feed.model), intent.model)
    return intent


@task(**TASK)
def list_batches(feed: Feed, again: bool = False) -> Selection:
    """Finish what dead workers have begun, then list the batches to score and those skipped."""
    found = select_candidates(feed, again=again)
    for receipt in found.recovered:
        announce(feed, receipt)
    get_run_logger().info("batches to score: %d", len(found.candidates))
    return found


def _run_name() -> str:
    parameters: dict[str, Any] = task_run.parameters
    candidate: Candidate = parameters["candidate"]
    return f"score {candidate.batch.id}"


@task(**TASK, task_run_name=_run_name)
def score_batch(feed: Feed, intent: Intent, candidate: Candidate, again: bool = False) -> Any:
    """Take one batch from its claim to its receipt, or skip it: judge, score, publish, quarantine.

    The result is the ``Receipt`` or the ``SkippedBatch``; the state's message says how it fared.

    Raises:
        OSError: A file or disk failed, retries included.
        RegistryUnavailable: The model cannot be fetched, retries included.
    """
    RUN_PAGE.set(run_page())
    updates = ProgressUpdates(ProgressArtifact(f"Scoring {candidate.batch.id}").show, SECONDS_APART)
    outcome = score_one(feed, intent, candidate, again=again, watch=updates.report)
    what = _tell(feed, candidate, outcome)
    # The list of task runs shows the message of each.
    return Completed(message=what, data=outcome)


@task(**TASK)
def score_sweep(
    feed: Feed, intent: Intent, candidates: Sequence[Candidate], workers: Workers, again: bool
) -> list[Receipt | SkippedBatch]:
    """Have workers score many batches at a time, each from its claim to its receipt.

    The result lists what became of each; an error of one is a receipt.
    """
    RUN_PAGE.set(run_page())
    updates = ProgressUpdates(ProgressArtifact(f"Scoring {feed.name}").show, SECONDS_APART)
    found = dict[int, Receipt | SkippedBatch]()
    for number, outcome in score_at_once(feed, intent, candidates, workers, again=again):
        found[number] = outcome
        _tell(feed, candidates[number], outcome)
        updates.report(len(found), len(candidates))
    return [found[number] for number in range(len(candidates))]


def _tell(feed: Feed, candidate: Candidate, outcome: Receipt | SkippedBatch) -> str:
    if isinstance(outcome, Receipt):
        announce(feed, outcome)
    what = outcome.detail if isinstance(outcome, SkippedBatch) else outcome.disposition
    get_run_logger().info("%s: %s", candidate.batch.id, what)
    return what


@dataclass
class ProgressUpdates:
    """Throttles progress updates; an update that fails ends the updates, not the scoring.

    Attributes:
        show: Shows the progress in percent.
        seconds: Time between two updates, and before the first one.
        clock: Seconds, from any start.
    """

    show: Callable[[float], None]
    seconds: float = SECONDS_APART
    clock: Callable[[], float] = time.monotonic
    _shown: bool = field(default=False, init=False)
    _failed: bool = field(default=False, init=False)
    _last: float = field(init=False)

    def __post_init__(self) -> None:
        """Start the clock."""
        self._last = self.clock()

    def report(self, scored: int, rows: int) -> None:
        """Show how many of the rows are scored, if an update is due or ends a shown progress."""
        finished = scored >= rows
        due = not finished and self.clock() - self._last >= self.seconds
        if self._failed or not (due or (finished and self._shown)):
            return
        try:
            self.show(100.0 if finished else 100.0 * scored / rows)
        except Exception as error:  # noqa: BLE001 - no batch fails because its progress is not shown
            self._failed = True
            _log.warning("progress is not shown any more: %s", type(error).__name__)
        self._shown, self._last = True, self.clock()


@dataclass
class ProgressArtifact:
    """A progress artifact without a key, so that it stays with the current task run."""

    description: str
    _id: UUID | None = field(default=None, init=False)

    def show(self, percent: float) -> None:
        """Create the artifact, or update it."""
        if self._id is None:
            created = create_progress_artifact(percent, description=self.description)
            # Prefect types what a sync caller receives as if it might be awaited.
            self._id = cast("UUID", created)
        else:
            update_progress_artifact(self._id, progress=percent)
