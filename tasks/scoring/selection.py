"""Which batches of a feed a run takes, and why it leaves the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ...expectations.contract.model_version import ModelVersion  # noqa: TC001 - pydantic resolves it
from ...expectations.errors import GateError, WorkerDied
from ..feed.identity import Identity
from ..feed.inbox import Inbox, SkippedBatch, look_into
from ..feed.receipt import Receipt
from ..feed.receipt_store import ReceiptStore, last_final
from ..feed.run_summary import RunSummary
from ..feed.safe_folders import refuse_unsafe_folders
from ..feed.telemetry import measure_waiting
from ..storage.atomic import lexists
from ..storage.claims import claimed
from ..storage.intent import read_intent
from ..storage.journal import is_planned
from ..storage.transaction import Attempt, abort, prepare, recover
from ..stores.feed_runs import ready_batches
from ..stores.followed import deliver_versions
from .outcome import errored
from .silence import silent_since

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..feed.feed import Feed


class Candidate(BaseModel):
    """A batch that may be scored.

    Attributes:
        batch: The batch.
        place: Where it lies, as ``Feed.relative`` writes it.
    """

    model_config = ConfigDict(frozen=True)

    batch: Identity
    place: str


class Selection(BaseModel):
    """What a run found before it began to score.

    Attributes:
        candidates: Batches that may be scored.
        recovered: Receipts of batches that a dead worker had begun, and that are done by now.
        left: What is left alone, with the reason.
        done: How many batches had been settled before.
    """

    model_config = ConfigDict(frozen=True)

    candidates: tuple[Candidate, ...] = ()
    recovered: tuple[Receipt, ...] = ()
    left: tuple[SkippedBatch, ...] = ()
    done: int = 0

    def summary(
        self,
        feed: Feed,
        model: ModelVersion | None = None,
        outcomes: Iterable[Receipt | SkippedBatch] = (),
    ) -> RunSummary:
        """Close the run, under the version that was current, with what became of the candidates."""
        ended = list(outcomes)
        left = (*self.left, *(o for o in ended if isinstance(o, SkippedBatch)))
        return RunSummary(
            feed=feed.name,
            model=model,
            receipts=(*self.recovered, *(o for o in ended if isinstance(o, Receipt))),
            left=left,
            done=self.done,
            silent_since=silent_since(feed, left),
        )


def select_candidates(feed: Feed, *, again: bool = False) -> Selection:
    """Finish what dead workers have begun, then look what there is to do, in the order of paths.

    Under ``again`` what is done may be scored under another version. No inbox is InvalidFeed.
    """
    left_by_table = deliver_versions(feed)
    store, inbox = _inbox(feed)
    inbox.left.extend(left_by_table)
    prepare(feed)
    ready = {batch.id: batch for batch in inbox.ready}
    resumed = list(recover(feed, ready))
    if not again:
        resumed += _record_deaths(feed, ready)
    receipts = tuple(r for r in resumed if isinstance(r, Receipt))
    left = [*inbox.left, *(r for r in resumed if isinstance(r, SkippedBatch))]
    found, skipped, done = _unsettled(store.indexed(anew=False), inbox.ready, receipts, again=again)
    measure_waiting(feed, (candidate.batch for candidate in found))
    return Selection(candidates=tuple(found), recovered=receipts, left=(*left, *skipped), done=done)


def preview(feed: Feed, *, again: bool = False) -> Selection:
    """Tell what a run would take and leave; nothing is made, moved or completed."""
    store, inbox = _inbox(feed, tidy=False)
    found, skipped, done = _unsettled(store, inbox.ready, (), again=again)
    return Selection(candidates=tuple(found), left=(*inbox.left, *skipped), done=done)


def _inbox(feed: Feed, *, tidy: bool = True) -> tuple[ReceiptStore, Inbox]:
    refuse_unsafe_folders(feed.name, feed.folder_paths())
    if feed.url:
        inbox = ready_batches(feed, tidy=tidy)
        return ReceiptStore(feed).indexed(), inbox
    store = ReceiptStore(feed).indexed()
    return store, look_into(feed, store)


def _unsettled(
    store: ReceiptStore, ready: Iterable[Identity], recovered: tuple[Receipt, ...], *, again: bool
) -> tuple[list[Candidate], list[SkippedBatch], int]:
    """Divide ready batches into candidates, those that are left alone, and the number done."""
    found, left, done = list[Candidate](), list[SkippedBatch](), 0
    just_done = {receipt.batch.id for receipt in recovered if receipt.final}
    feed, begun = store.feed, _begun(store.feed)
    for batch in ready:
        try:
            if again or batch.id in begun or not store.is_settled(batch.id):
                twin = _skipped_duplicate(feed, store, batch)
                place = feed.relative(feed.inbox / batch.path)
                left.append(twin) if twin else found.append(Candidate(batch=batch, place=place))
            elif batch.id not in just_done:
                done += 1
        except (GateError, OSError) as error:
            left.append(SkippedBatch(batch=batch.path, why="unfinished", detail=str(error)))
    for other in _elsewhere(feed, store, {batch.id for batch in ready}, again):
        found.append(other) if isinstance(other, Candidate) else left.append(other)
    return found, left, done


def _skipped_duplicate(feed: Feed, store: ReceiptStore, batch: Identity) -> SkippedBatch | None:
    same = store.same_content(batch) if feed.on_duplicate == "skip" else None
    return duplicate_of(batch, same) if same else None


def duplicate_of(batch: Identity, same: str) -> SkippedBatch:
    """Say that a batch is left alone because its content was scored under another name."""
    detail = f"has the same content as {same}, which is done; `on_duplicate: score` scores it"
    return SkippedBatch(batch=batch.path, why="duplicate", detail=detail)


def keep_due(feed: Feed, found: Selection, version: str, *, again: bool = False) -> Selection:
    """Keep the candidates that are due under a version, those that no worker has died over first.

    Under ``again`` waiting and parked batches are due now.
    """
    store = ReceiptStore(feed).indexed(anew=False)
    taken: list[tuple[int, Candidate]] = []
    left, done = list(found.left), found.done
    for candidate in found.candidates:
        match _deaths_if_due(feed, store, candidate, version, again):
            case int(deaths):
                taken.append((deaths, candidate))
            case SkippedBatch() as entry:
                left.append(entry)
            case None:
                done += 1
    taken.sort(key=lambda entry: (entry[0], entry[1].batch.path))
    return found.model_copy(
        update={"candidates": tuple(c for _, c in taken), "left": tuple(left), "done": done}
    )


def _deaths_if_due(
    feed: Feed, store: ReceiptStore, candidate: Candidate, version: str, again: bool
) -> int | SkippedBatch | None:
    """Count the workers that died over a due batch; else say why it waits; None if it is done."""
    try:
        begun = read_intent(feed, candidate.batch.id)
        receipts = [r for r in store.for_batch(candidate.batch.id) if r.version == version]
    except (GateError, OSError) as error:
        return SkippedBatch(batch=candidate.batch.path, why="unfinished", detail=str(error))
    if begun:
        return begun.starts
    if last_final(receipts):
        return None
    return 0 if again else _not_yet(feed, candidate, receipts) or 0


def _record_deaths(feed: Feed, ready: dict[str, Identity]) -> Iterator[Receipt | SkippedBatch]:
    """Record the batches that have brought so many workers down that they are parked."""
    for batch in sorted(_begun(feed) & set(ready)):
        try:
            with claimed(feed, batch) as won:
                receipt = record_death(feed, ready[batch]) if won else None
        except (GateError, OSError) as error:
            yield SkippedBatch(batch=ready[batch].path, why="unfinished", detail=str(error))
        else:
            if receipt:
                yield receipt


def record_death(feed: Feed, batch: Identity) -> Receipt | None:
    """Record that a batch has brought so many workers down that it is parked, if it has."""
    intent = read_intent(feed, batch.id)
    if intent is None or intent.starts < feed.max_attempts or is_planned(feed, batch.id):
        return None
    store = ReceiptStore(feed)
    number = store.next_attempt(batch.id, intent.version)
    receipts = store.for_batch(batch.id)
    previous = receipts[-1].file if receipts else None
    path = feed.inbox / batch.path
    attempt = Attempt(feed, batch, path, intent, number, previous, datetime.now(UTC))
    error = WorkerDied(
        f"{intent.starts} workers ended without a word while they judged or scored it, as a crash "
        "in a library or a lack of memory has it. Look into the batch, and into the system's log."
    )
    receipt = errored(attempt, error)
    failure = receipt.error and receipt.error.model_copy(update={"times": intent.starts})
    return abort(attempt, receipt.model_copy(update={"error": failure}))


def _begun(feed: Feed) -> set[str]:
    return {path.stem for path in feed.claims.glob("*.intent")}


def _elsewhere(
    feed: Feed, store: ReceiptStore, in_inbox: set[str], again: bool
) -> Iterator[Candidate | SkippedBatch]:
    """Find batches that left the inbox and are to be scored once more."""
    for batch in sorted((set(store.batches()) if again else _begun(feed)) - in_inbox):
        try:
            done = last_final(store.for_batch(batch))
        except (GateError, OSError) as error:
            yield SkippedBatch(batch=batch, why="unfinished", detail=str(error))
            continue
        if done is None or done.disposition not in ("passed", "split"):
            continue
        if done.release and done.release.file:
            # What was repaired is scored; what arrived lies in the archive as unfit as it was.
            continue
        place = done.outputs.batch
        if place is not None and (feed.url or lexists(feed.resolve(place))):
            yield Candidate(batch=done.batch.identity, place=place)


def _not_yet(feed: Feed, candidate: Candidate, receipts: list[Receipt]) -> SkippedBatch | None:
    failures = [r.error for r in receipts if r.error and r.error.counts]
    times = sum(failure.times for failure in failures)
    path = candidate.batch.path
    if times >= feed.max_attempts:
        detail = (
            f"failed {times} times, last with {failures[-1].kind}: "
            f"{failures[-1].message} Score it `again` once that is mended."
        )
        return SkippedBatch(batch=path, why="parked", detail=detail)
    later = receipts[-1].try_again if receipts else None
    # After a clock was set back an hour may seem years away: no pause is longer than the longest.
    longest = timedelta(seconds=feed.max_backoff_seconds)
    if later and timedelta() < later - datetime.now(UTC) <= longest:
        detail = f"failed, and is tried again after {later:%Y-%m-%d %H:%M:%S} UTC"
        return SkippedBatch(batch=path, why="waiting", detail=detail)
    return None
