"""One batch from its claim to its commit, in the order of writes that ``journal`` explains."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...expectations.errors import BatchChanged, GateError
from ..feed.identity import Identity, is_same
from ..feed.inbox import SkippedBatch
from ..feed.receipt_store import ReceiptStore, last_final
from ..feed.untold import mark_untold
from .atomic import lexists, make_folder, remove
from .claims import claimed
from .intent import Intent, bind_intent, read_intent
from .journal import (
    CommitPlan,
    Rename,
    apply_plan,
    clean_up,
    log_checkpoint,
    publish_receipt,
    read_plan,
    write_plan,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from datetime import datetime
    from pathlib import Path

    from ..feed.feed import Feed
    from ..feed.receipt import Receipt

# Outputs by the name under which they are staged.
PREDICTIONS = "predictions.parquet"
QUARANTINE = "quarantine"


@dataclass(frozen=True)
class Attempt:
    """A claimed batch on its way through the order of writes.

    Attributes:
        feed: The feed.
        batch: The batch.
        path: Where it lies.
        intent: What is to be done with it.
        number: Which attempt it is under the intent's version, from 1.
        previous: File name of the batch's latest receipt.
        started: When it began, in UTC.
        supersedes: Id of the batch that arrived under the same path before, if that is done.
        same_as: Id of another batch with the same content that is done.
        judged: Identity of what is judged, where that is not the batch as it arrived.
    """

    feed: Feed
    batch: Identity
    path: Path
    intent: Intent
    number: int
    previous: str | None
    started: datetime
    supersedes: str | None = None
    same_as: str | None = None
    judged: Identity | None = None

    @property
    def staging(self) -> Path:
        """The folder for its unfinished outputs."""
        return self.feed.staged(self.batch.id)

    def is_altered(self) -> bool:
        """Whether what is judged is no longer what it was; OSError if it is gone."""
        return not is_same(self.path, self.judged or self.batch)


def prepare(feed: Feed) -> None:
    """Make the folders that every attempt needs."""
    for folder in (feed.receipts, feed.claims, feed.staging):
        make_folder(folder)


def begin_attempt(
    store: ReceiptStore, batch: Identity, path: Path, intent: Intent, started: datetime
) -> Attempt:
    """Clear what an earlier attempt left in staging, and bind a claimed batch to an intent.

    ``store`` is the feed's, and listed its names after the claim.
    """
    feed = store.feed
    log_checkpoint(batch.id, "claimed")
    # First of all: what fills the disk may be the batch's own leftovers.
    remove(feed.staged(batch.id))
    binding = bind_intent(feed, batch.id, intent)
    log_checkpoint(batch.id, "bound")
    make_folder(feed.staged(batch.id))
    receipts = store.for_batch(batch.id)
    return Attempt(
        feed=feed,
        batch=batch,
        path=path,
        intent=binding,
        number=store.next_attempt(batch.id, binding.version),
        previous=receipts[-1].file if receipts else None,
        started=started,
        supersedes=store.superseded(batch),
        same_as=store.same_content(batch),
    )


def commit(attempt: Attempt, moves: list[tuple[Path, Path]], receipt: Receipt) -> Receipt:
    """Publish what an attempt has staged; BatchChanged if the batch is not what was judged.

    Args:
        attempt: The attempt; its outputs lie whole and flushed in staging.
        moves: Each staged output, and the batch itself if it is to move, with its free new place.
        receipt: What became of the batch.
    """
    log_checkpoint(attempt.batch.id, "staged")
    if attempt.is_altered():
        raise changed(attempt.batch)
    return publish(attempt.feed, moves, receipt)


def publish(feed: Feed, moves: list[tuple[Path, Path]], receipt: Receipt) -> Receipt:
    """Write down what is to be moved and recorded for a claimed batch, and do it.

    FileExistsError: a new place is taken, and nothing is published. OSError: a write failed; once
    the plan is written, recovery makes what is missing.
    """
    if feed.workspace:
        return feed.workspace.publish(moves, receipt)
    for _, destination in moves:
        _make_way(destination)
    steps = tuple(
        Rename(source=feed.relative(source), destination=feed.relative(destination))
        for source, destination in moves
    )
    plan = CommitPlan(moves=steps, receipt=receipt)
    write_plan(feed, plan)
    return apply_plan(feed, plan)


def abort(attempt: Attempt, receipt: Receipt) -> Receipt:
    """Record an attempt that failed; the batch stays where it is."""
    if attempt.feed.workspace:
        return attempt.feed.workspace.publish([], receipt)
    remove(attempt.staging)
    make_folder(attempt.staging)
    mark_untold(attempt.feed, receipt)
    publish_receipt(attempt.feed, receipt)
    clean_up(attempt.feed, attempt.batch.id)
    return receipt


def recover(feed: Feed, in_inbox: Collection[str]) -> Iterator[Receipt | SkippedBatch]:
    """Finish or clear what dead workers have begun, wherever the claim is free.

    Args:
        feed: The feed.
        in_inbox: Ids of the batches that are ready, and whose intents still mean something.

    Yields:
        The receipt of each batch that was finished, and each batch that could not be.
    """
    for batch in sorted(_begun(feed)):
        try:
            with claimed(feed, batch) as won:
                ended = finish(feed, batch) if won else None
                if won and not ended:
                    _clear(feed, batch, batch in in_inbox)
        except (OSError, GateError) as error:
            ended = _unfinished(batch, error)
        if ended:
            yield ended


def finish(feed: Feed, batch: str) -> Receipt | SkippedBatch | None:
    """Finish a claimed batch that its worker died over past the turning point, or say why not."""
    try:
        plan = read_plan(feed, batch)
        return apply_plan(feed, plan) if plan else None
    except (OSError, GateError) as error:
        return _unfinished(batch, error)


def _unfinished(batch: str, error: Exception) -> SkippedBatch:
    detail = f"was left half done, and cannot be finished: {error}"
    return SkippedBatch(batch=batch, why="unfinished", detail=detail)


def _make_way(destination: Path) -> None:
    # What can fail shall fail before the plan: after it only renames are left.
    if lexists(destination):
        text = f"{destination} is there already, though no receipt knows of it. Move it away."
        raise FileExistsError(text)
    make_folder(destination.parent)


def changed(batch: Identity) -> BatchChanged:
    """Make the error for a batch that was altered while somebody was at work on it."""
    msg = f"{batch.path} was altered while it was judged. The next run takes it as a new batch."
    return BatchChanged(msg)


def _begun(feed: Feed) -> set[str]:
    staged = {path.name for path in feed.staging.iterdir()}
    claims = {path.name.removesuffix(".partial").lstrip(".") for path in feed.claims.iterdir()}
    return staged | {name.removesuffix(".intent") for name in claims}


def _clear(feed: Feed, batch: str, in_inbox: bool) -> None:
    remove(feed.staged(batch))
    if not _is_wanted(feed, batch, in_inbox):
        clean_up(feed, batch)


def _is_wanted(feed: Feed, batch: str, in_inbox: bool) -> bool:
    """Whether an intent is still to be carried out: not yet done, and the batch is there."""
    intent = read_intent(feed, batch)
    receipts = ReceiptStore(feed).for_batch(batch)
    if intent is None or any(
        r.is_final_for_batch and r.version == intent.version for r in receipts
    ):
        return False
    done = last_final(receipts)
    place = done.outputs.batch if done else None
    return in_inbox or (place is not None and lexists(feed.resolve(place)))
