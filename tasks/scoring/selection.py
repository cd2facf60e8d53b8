"""Which batches of a feed a run takes, and why it leaves the others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ...expectations.contract.model_version import ModelVersion  # noqa: TC001 - pydantic resolves it
from ...expectations.errors import GateError
from ..feed.inbox import Identity, SkippedBatch, look_into
from ..feed.receipt import Receipt
from ..feed.receipt_store import ReceiptStore, last_final
from ..feed.run_summary import RunSummary
from ..storage.atomic import lexists
from ..storage.intent import read_intent
from ..storage.transaction import prepare, recover

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
        """Close the run.

        Args:
            feed: The feed.
            model: The version that was current, if one was needed.
            outcomes: What became of the candidates.

        Returns:
            What the run did, recovery included.
        """
        ended = list(outcomes)
        return RunSummary(
            feed=feed.name,
            model=model,
            receipts=(*self.recovered, *(o for o in ended if isinstance(o, Receipt))),
            left=(*self.left, *(o for o in ended if isinstance(o, SkippedBatch))),
            done=self.done,
        )


def select_candidates(feed: Feed, *, again: bool = False) -> Selection:
    """Finish what dead workers have begun, then look what there is to do.

    Args:
        feed: The feed.
        again: Whether batches that are done may be scored once more, under another version.

    Returns:
        Candidates, in the order of their paths.

    Raises:
        InvalidFeed: There is no inbox.
        OSError: The feed's folders cannot be read or written.
    """
    inbox = look_into(feed)
    prepare(feed)
    ready = {batch.id: batch for batch in inbox.ready}
    resumed = list(recover(feed, ready))
    recovered = tuple(r for r in resumed if isinstance(r, Receipt))
    left = [*inbox.left, *(r for r in resumed if isinstance(r, SkippedBatch))]
    found, done = list[Candidate](), 0
    settled = {receipt.batch.id for receipt in recovered}
    ledger, begun = ReceiptStore(feed).indexed(), _begun(feed)
    for batch in inbox.ready:
        try:
            if again or batch.id in begun or not ledger.is_settled(batch.id):
                found.append(Candidate(batch=batch, place=feed.relative(feed.inbox / batch.path)))
            elif batch.id not in settled:
                done += 1
        except GateError as error:
            left.append(SkippedBatch(batch=batch.path, why="unfinished", detail=str(error)))
    found.extend(_elsewhere(feed, ledger, set(ready), again))
    return Selection(candidates=tuple(found), recovered=recovered, left=tuple(left), done=done)


def keep_due(feed: Feed, found: Selection, version: str, *, again: bool = False) -> Selection:
    """Keep the candidates whose turn it is under a version.

    Args:
        feed: Says how often and after which pause a failed batch is tried again.
        found: The survey.
        version: The version that is to score.
        again: Whether to try waiting and parked batches now.

    Returns:
        The survey with these candidates: those that no worker has died over first.
    """
    ledger = ReceiptStore(feed).indexed()
    taken: list[tuple[int, Candidate]] = []
    left, done = list(found.left), found.done
    for candidate in found.candidates:
        match _turn(feed, ledger, candidate, version, again):
            case int(starts):
                taken.append((starts, candidate))
            case SkippedBatch() as entry:
                left.append(entry)
            case None:
                done += 1
    taken.sort(key=lambda entry: (entry[0], entry[1].batch.path))
    return found.model_copy(
        update={"candidates": tuple(c for _, c in taken), "left": tuple(left), "done": done}
    )


def _turn(
    feed: Feed, ledger: ReceiptStore, candidate: Candidate, version: str, again: bool
) -> int | SkippedBatch | None:
    """Tell how many workers died over a batch that is due; or why it is not; None if it is done."""
    try:
        begun = read_intent(feed, candidate.batch.id)
        receipts = [r for r in ledger.for_batch(candidate.batch.id) if r.version == version]
    except GateError as error:
        return SkippedBatch(batch=candidate.batch.path, why="unfinished", detail=str(error))
    if begun:
        return begun.starts
    if last_final(receipts):
        return None
    return 0 if again else _not_yet(feed, candidate, receipts) or 0


def _begun(feed: Feed) -> set[str]:
    return {path.stem for path in feed.claims.glob("*.intent")}


def _elsewhere(
    feed: Feed, ledger: ReceiptStore, in_inbox: set[str], again: bool
) -> Iterator[Candidate]:
    """Find batches that left the inbox and are to be scored once more."""
    for batch in sorted((set(ledger.batches()) if again else _begun(feed)) - in_inbox):
        done = last_final(ledger.for_batch(batch))
        if done is None or done.disposition not in ("passed", "split"):
            continue
        if done.release and done.release.file:
            # What was repaired is scored; what arrived lies in the archive as unfit as it was.
            continue
        place = done.outputs.batch
        if place is not None and lexists(feed.resolve(place)):
            yield Candidate(batch=done.batch.identity, place=place)


def _not_yet(feed: Feed, candidate: Candidate, receipts: list[Receipt]) -> SkippedBatch | None:
    failures = [r.error for r in receipts if r.error and r.error.counts]
    path = candidate.batch.path
    if len(failures) >= feed.max_attempts:
        detail = (
            f"failed {len(failures)} times, last with {failures[-1].kind}: "
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
