"""All batches of a feed, each from the inbox to its receipt; no Prefect needed."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from ...expectations.errors import BatchChanged, GateError
from ..feed.feed import Feed
from ..feed.identity import is_same
from ..feed.inbox import SkippedBatch
from ..feed.receipt import Receipt
from ..feed.receipt_store import ReceiptStore
from ..storage.claims import claimed
from ..storage.intent import Intent, read_intent
from ..storage.journal import is_planned
from ..storage.transaction import Attempt, abort, begin_attempt
from ..stores.workspace import OvertakenError, workspace
from .attempt import TRANSIENT, run_attempt
from .mlflow_runs import track_run
from .model_calls import ENDS_RUN
from .outcome import errored
from .past_values import baseline_of, remembered
from .selection import (
    Candidate,
    Selection,
    duplicate_of,
    keep_due,
    record_death,
    select_candidates,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..feed.run_summary import RunSummary

_log = logging.getLogger("signature_gate.lifecycle")
_Why = Literal["claimed", "changed", "unfinished"]


@dataclass(frozen=True)
class Progress:
    """How far a run has come: when a batch begins, after each scored piece, and at its end.

    Attributes:
        batch: The batch's path from the inbox.
        position: Its number in this run, from 1.
        batches: How many batches this run attempts.
        scored: Rows of it that are scored so far.
        rows: Rows of it that are to be scored; None where that is not known yet, or no more.
        outcome: What became of it; None while it is under way.
    """

    batch: str
    position: int
    batches: int
    scored: int = 0
    rows: int | None = None
    outcome: Receipt | SkippedBatch | None = None


def score_feed(
    feed: Feed | str | Path,
    *,
    again: bool = False,
    timeout: float | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> RunSummary:
    """Judge and score every batch of a feed that is ready, one after the other.

    The model's alias is resolved once. One batch's error never stops the others.

    Args:
        feed: The feed, or the path of its YAML file.
        again: Whether to score, under the current version, batches that are done under another,
            and to try parked and waiting batches now.
        timeout: Seconds to go on trying while the registry does not answer.
        on_progress: Called at each step of the run.

    Returns:
        What became of each batch.

    Raises:
        InvalidFeed: The feed file, or one of its folders, is not as it should be.
        ModelNotFound: The registry knows no such model, version or alias.
        NoContract: The model's signature decides nothing; no batch is touched.
        RegistryUnavailable: No answer within the timeout; no batch is touched.
        OSError: The feed's folders cannot be read or written.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    found = select_candidates(feed, again=again)
    if not found.candidates:
        return found.summary(feed)
    intent = current_intent(feed, timeout)
    due = keep_due(feed, found, intent.version, again=again)
    outcomes = _score_all(feed, intent, due, again, on_progress)
    summary = due.summary(feed, intent.model, outcomes)
    track_run(feed, summary, timeout)
    return summary


def _score_all(
    feed: Feed,
    intent: Intent,
    due: Selection,
    again: bool,
    on_progress: Callable[[Progress], None] | None,
) -> list[Receipt | SkippedBatch]:
    outcomes = list[Receipt | SkippedBatch]()
    for position, candidate in enumerate(due.candidates, 1):
        reporter = _Reporter(candidate.batch.path, position, len(due.candidates), on_progress)
        reporter.report()
        outcome = _score_in_any_case(feed, intent, candidate, again, reporter)
        rows = outcome.outputs.scored if isinstance(outcome, Receipt) else 0
        reporter.report(rows, outcome=outcome)
        outcomes.append(outcome)
    return outcomes


def current_intent(feed: Feed, timeout: float | None = None) -> Intent:
    """Resolve the feed's model, once for a whole run, into what each fresh attempt is bound to.

    Raises:
        Misuse: The URI names a contract without a model, or the params are not the model's.
        ModelNotFound: The registry knows no such model, version or alias.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout.
    """
    from ...expectations.registry.client import load_contract

    intent = Intent.to_score(feed, load_contract(feed.model, timeout))
    return intent.model_copy(update={"past": baseline_of(feed, intent)})


def score_one(
    feed: Feed,
    intent: Intent,
    candidate: Candidate,
    *,
    again: bool = False,
    watch: Callable[[int, int], None] | None = None,
) -> Receipt | SkippedBatch:
    """Take one batch from its claim to its receipt; or say why it was left alone after all.

    Args:
        feed: The feed.
        intent: What to do, unless a crashed attempt is bound to something else.
        candidate: The batch.
        again: Whether a receipt of another version leaves it undone.
        watch: Called after each piece with the rows that are scored, and those to be scored.

    Raises:
        OSError: A file or disk failed. Another try, or the next run, takes it up again.
        RegistryUnavailable: The model cannot be fetched; likewise.
        GateError: The feed's own records cannot be read.
    """
    score = _score_in_store if feed.url else _score_on_disk
    return score(feed, intent, candidate, again, watch)


def _score_on_disk(
    feed: Feed,
    intent: Intent,
    candidate: Candidate,
    again: bool,
    watch: Callable[[int, int], None] | None,
) -> Receipt | SkippedBatch:
    with claimed(feed, candidate.batch.id) as won:
        store = ReceiptStore(feed).indexed(anew=False)
        left = _overtaken(store, intent, candidate, again) if won else "claimed"
        if left:
            return _left_alone(candidate, left)
        same = store.same_content(candidate.batch)
        if same and feed.on_duplicate == "skip" and not again:
            return duplicate_of(candidate.batch, same)
        path = feed.resolve(candidate.place)
        attempt = begin_attempt(store, candidate.batch, path, intent, datetime.now(UTC))
        try:
            return remembered(intent, run_attempt(attempt, watch))
        except (*TRANSIENT, *ENDS_RUN):
            raise
        except BaseException as error:  # noqa: BLE001 - a batch must never stop the others
            _note(attempt, error)
            return abort(attempt, errored(attempt, error))


def _score_in_store(
    feed: Feed,
    intent: Intent,
    candidate: Candidate,
    again: bool,
    watch: Callable[[int, int], None] | None,
) -> Receipt | SkippedBatch:
    with workspace(feed, candidate.batch.id) as work:
        if work is None:
            return _left_alone(candidate, "claimed")
        try:
            batch = work.fetch_batch(candidate.batch, candidate.place)
        except BatchChanged:
            return _left_alone(candidate, "changed")
        here = candidate.model_copy(update={"batch": batch})
        try:
            died = None if again else record_death(work.feed, batch)
            return died or score_one(work.feed, intent, here, again=again, watch=watch)
        except OvertakenError:
            return _left_alone(candidate, "claimed")


def record_failure(
    feed: Feed, intent: Intent, candidate: Candidate, error: BaseException
) -> Receipt:
    """Record that a batch could not be scored for want of a registry, a disk or a worker.

    Where no receipt can be written, the run's summary and the next attempt must do.
    """
    path = feed.resolve(candidate.place)
    attempt = Attempt(feed, candidate.batch, path, intent, 0, None, datetime.now(UTC))
    _note(attempt, error)
    try:
        if feed.url:
            with workspace(feed, candidate.batch.id) as work:
                # What is missing after a commit the next run makes.
                done = work and ReceiptStore(work.feed).is_settled(candidate.batch.id)
                here = work and not done and record_failure(work.feed, intent, candidate, error)
                return here or errored(attempt, error)
        with claimed(feed, candidate.batch.id) as won:
            if won and not is_planned(feed, candidate.batch.id):
                store = ReceiptStore(feed).indexed(anew=False)
                attempt = begin_attempt(store, candidate.batch, path, intent, attempt.started)
                return abort(attempt, errored(attempt, error))
    except (OSError, GateError) as further:
        _log.warning("no receipt for %s: %s", candidate.batch.id, type(further).__name__)
    return errored(attempt, error)


def _score_in_any_case(
    feed: Feed, intent: Intent, candidate: Candidate, again: bool, progress: _Reporter
) -> Receipt | SkippedBatch:
    try:
        return score_one(feed, intent, candidate, again=again, watch=progress.report)
    except ENDS_RUN:
        raise
    except BaseException as error:  # noqa: BLE001 - a batch must never stop the others
        return record_failure(feed, intent, candidate, error)


def _overtaken(
    store: ReceiptStore, intent: Intent, candidate: Candidate, again: bool
) -> _Why | None:
    """Look once more, now that nobody else may: other workers, and producers, were not idle."""
    feed, batch = store.feed, candidate.batch
    path = feed.resolve(candidate.place)
    if is_planned(feed, batch.id):
        return "unfinished"
    begun = read_intent(feed, batch.id)
    version = (begun or intent).version
    receipts = store.for_batch(batch.id)
    finals = [receipt for receipt in receipts if receipt.is_final_for_batch]
    if any(r.version == version for r in finals) or (finals and not again and not begun):
        return "claimed"
    if not path.exists() or not is_same(path, batch):
        return "changed"
    return None


_DETAILS: dict[_Why, str] = {
    "claimed": "another worker has it",
    "changed": "was altered or taken away after it was listed; the next run looks again",
    "unfinished": "was left half done, and cannot be finished yet; the next run tries again",
}


def _left_alone(candidate: Candidate, why: _Why) -> SkippedBatch:
    return SkippedBatch(batch=candidate.batch.path, why=why, detail=_DETAILS[why])


def _note(attempt: Attempt, error: BaseException) -> None:
    redact = attempt.intent.policy.redact
    _log.debug("%s: %s", attempt.batch.id, type(error).__name__, exc_info=not redact and error)


@dataclass
class _Reporter:
    batch: str
    position: int
    batches: int
    listener: Callable[[Progress], None] | None

    def report(
        self,
        scored: int = 0,
        rows: int | None = None,
        outcome: Receipt | SkippedBatch | None = None,
    ) -> None:
        if self.listener:
            self.listener(Progress(self.batch, self.position, self.batches, scored, rows, outcome))
