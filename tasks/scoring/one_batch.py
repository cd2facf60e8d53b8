"""One batch of a feed, from its claim to its receipt."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from ...expectations.errors import BatchChanged, GateError
from ..feed.identity import is_same
from ..feed.inbox import SkippedBatch
from ..feed.receipt_store import ReceiptStore
from ..storage.claims import claimed
from ..storage.intent import read_intent
from ..storage.journal import clean_up, is_planned
from ..storage.transaction import Attempt, abort, begin_attempt, finish
from ..stores.workspace import OvertakenError, workspace
from .attempt import TRANSIENT, run_attempt
from .model_calls import ENDS_RUN
from .outcome import errored
from .past_values import remembered
from .selection import duplicate_of, record_death

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..storage.intent import Intent
    from .selection import Candidate

_log = logging.getLogger("signature_gate.lifecycle")
_Why = Literal["claimed", "changed"]


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
        if won and (ended := finish(feed, candidate.batch.id)):
            return ended
        store = ReceiptStore(feed).indexed(anew=False)
        left = _overtaken(store, intent, candidate, again) if won else "claimed"
        if left:
            if won and left == "claimed":
                clean_up(feed, candidate.batch.id)  # its worker may have died before it did
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


def score_in_any_case(
    feed: Feed,
    intent: Intent,
    candidate: Candidate,
    *,
    again: bool = False,
    watch: Callable[[int, int], None] | None = None,
) -> Receipt | SkippedBatch:
    """Do as ``score_one``; what that raises, but for the end of the run, becomes a receipt."""
    try:
        return score_one(feed, intent, candidate, again=again, watch=watch)
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
}


def _left_alone(candidate: Candidate, why: _Why) -> SkippedBatch:
    return SkippedBatch(batch=candidate.batch.path, why=why, detail=_DETAILS[why])


def _note(attempt: Attempt, error: BaseException) -> None:
    redact = attempt.intent.policy.redact
    _log.debug("%s: %s", attempt.batch.id, type(error).__name__, exc_info=not redact and error)
