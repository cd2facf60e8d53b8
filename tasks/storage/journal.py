"""The write-ahead plan of a batch, and the order of writes that makes a crash harmless.

Each batch passes the ``CHECKPOINTS`` in order, under its claim. Every write is flushed, file and
folder, before the next one begins. The plan is the turning point: before it nothing outside
``.staging`` has changed, and the attempt is begun anew; after it every step is written down and can
be repeated, so recovery goes forward, and judges and scores nothing twice. The receipt is the
commit: with it the batch is done. Nothing is overwritten: each public name must be free. Where a
feed has a table, staged rows are appended to it before they are moved: once, however often the
plan is repeated.
"""

from __future__ import annotations

import logging
from functools import partial
from pathlib import PurePath
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ..feed.identity import identify, is_same
from ..feed.inbox import marker_of
from ..feed.receipt import Receipt
from ..feed.receipt_files import is_filed
from ..feed.receipt_store import ReceiptStore, note_published
from ..feed.records import read_record
from ..feed.telemetry import measure_receipt
from ..feed.untold import mark_untold
from .atomic import (
    atomic_write,
    flush,
    is_remnant,
    lexists,
    move,
    partial_of,
    publish_new,
    remove,
    restore,
)
from .lineage import tell_lineage

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..feed.feed import Feed
    from ..feed.identity import Identity

_PLAN = "plan.json"
_RECEIPT = "receipt.json"
_log = logging.getLogger("signature_gate.storage")

# Point reached -> why it is safe to die right after it.
CHECKPOINTS: dict[str, str] = {
    "claimed": "the kernel frees the lock; the batch lies in the inbox as before",
    "bound": "the intent names the pinned version; the next attempt keeps to it",
    "staged": "outputs lie in .staging, which nobody reads; the next attempt clears it",
    "planned": "all outputs are whole and all steps written down; recovery makes them",
    "moved": "a step that is made shows in the folders; recovery makes those after it",
    "committed": "the receipt is there; recovery only cleans up",
    "swept": "nothing is left but the results",
}


def log_checkpoint(batch: str, point: str) -> None:
    """Log at debug level that a batch has passed one of the ``CHECKPOINTS``."""
    _log.debug("%s: %s", batch, point)


class Rename(BaseModel):
    """One step of a plan; paths as ``Feed.relative`` writes them."""

    model_config = ConfigDict(frozen=True)

    source: str
    destination: str


class CommitPlan(BaseModel):
    """What remains to be done for a batch that is judged and scored.

    Attributes:
        moves: The steps, in order.
        receipt: The commit that follows them.
    """

    model_config = ConfigDict(frozen=True)

    moves: tuple[Rename, ...]
    receipt: Receipt


def write_plan(feed: Feed, plan: CommitPlan) -> None:
    """Write a plan down: from here on recovery goes forward. OSError: nothing has happened."""
    batch = plan.receipt.batch.id
    _stage_receipt(feed, plan.receipt)
    # Now, because a full disk must not stop the commit.
    _note(feed, plan.receipt)
    atomic_write(feed.staged(batch) / _PLAN, plan.model_dump_json(indent=2))
    log_checkpoint(batch, "planned")


def read_plan(feed: Feed, batch: str) -> CommitPlan | None:
    """Read the plan of a batch that is past the turning point; GateError if it is none."""
    return read_record(feed.staged(batch) / _PLAN, CommitPlan, "plan")


def is_planned(feed: Feed, batch: str) -> bool:
    """Whether a batch is past the turning point: only recovery may touch it."""
    return lexists(feed.staged(batch) / _PLAN)


def apply_plan(feed: Feed, plan: CommitPlan) -> Receipt:
    """Make the steps of a plan that are not made yet, and commit; return the receipt.

    OSError: a step failed; the next recovery makes it.
    """
    append_rows(feed, plan.receipt, partial(_staged, feed, plan))
    _return_later_delivery(feed, plan)
    batch, todo = plan.receipt.batch.id, _without_what_is_gone(feed, plan)
    made = _count_made(feed, todo.moves)
    for step in todo.moves[:made]:
        _flush_folders(feed, step)
    for step in todo.moves[made:]:
        source = feed.resolve(step.source)
        # What is staged was flushed before the plan was written.
        flushed = source.is_relative_to(feed.staging)
        move(source, feed.resolve(step.destination), flushed=flushed)
        log_checkpoint(batch, "moved")
        if _return_later_delivery(feed, todo):
            return apply_plan(feed, plan)
    receipt = _without_missing_batch(feed, plan.receipt)
    if is_filed(feed.receipts / receipt.file):
        note_published(feed.receipts / receipt.file)  # its worker may have died before it did
    else:
        publish_receipt(feed, receipt)
    _drop_marker(feed.inbox / receipt.batch.identity.path)
    clean_up(feed, batch)
    return receipt


def _staged(feed: Feed, plan: CommitPlan, place: str) -> Path:
    sources = {step.destination: step.source for step in plan.moves}
    folder, _, name = place.rpartition("/")
    return feed.resolve(sources.get(place) or f"{sources.get(folder)}/{name}")


def tabled(feed: Feed, receipt: Receipt) -> dict[str, str]:
    """Name the files of a receipt whose rows go into tables, by the table's URL."""
    files = {feed.scored_table: receipt.outputs.predictions}
    if receipt.is_final_for_batch:  # what a release rejects once more is in the table
        files[feed.rejected_table] = receipt.outputs.rejected_rows
    return {table: file for table, file in files.items() if table and file}


def append_rows(feed: Feed, receipt: Receipt, found: Callable[[str], Path]) -> None:
    """Append rows to the feed's tables from where their files are; TableUnavailable: repeat it."""
    for table, place in tabled(feed, receipt).items():
        file = found(place)
        if not lexists(file):  # what has been moved was appended before
            continue
        from .appended import Appended
        from .table_appends import append_once

        is_log = table == feed.rejected_table
        published = PurePath(receipt.outputs.predictions or "").parts[-3:]
        appended = Appended(
            key="/".join([feed.name, *published, *(["rejected"] if is_log else [])]),
            file=file,
            stamps={"_batch": receipt.batch.id, "_model": receipt.model.pinned},
            redact=receipt.verdict is None or receipt.verdict.policy.redact,
            passed=partial(log_checkpoint, receipt.batch.id),
            in_json=is_log,
        )
        append_once(table, appended)


def _count_made(feed: Feed, moves: tuple[Rename, ...]) -> int:
    # What is gone from its source has been moved, wherever a reader took it since. A later step
    # may move what an earlier one has put there, so the last finished one counts.
    positions = reversed(range(len(moves)))
    return next((n + 1 for n in positions if not lexists(feed.resolve(moves[n].source))), 0)


def _flush_folders(feed: Feed, step: Rename) -> None:
    # The worker that made this move may have died before it flushed.
    for folder in (feed.resolve(step.destination).parent, feed.resolve(step.source).parent):
        if folder.is_dir():
            flush(folder)


def _without_what_is_gone(feed: Feed, plan: CommitPlan) -> CommitPlan:
    """Leave out what a producer took back, or put something else in its place."""
    known = plan.receipt.batch.identity
    moves = tuple(step for step in plan.moves if not _is_gone(feed, step, known))
    return plan.model_copy(update={"moves": moves})


def _is_gone(feed: Feed, step: Rename, known: Identity) -> bool:
    source, destination = feed.resolve(step.source), feed.resolve(step.destination)
    # What is staged only the gate touches: where it is gone it has been moved.
    if source.is_relative_to(feed.staging):
        return False
    if not lexists(source):
        return not lexists(destination)
    if source != feed.inbox / known.path or is_same(source, known):
        return False
    return not (source.is_dir() and lexists(destination) and is_remnant(source, destination))


def _return_later_delivery(feed: Feed, plan: CommitPlan) -> bool:
    """Return to the inbox what a producer put in the batch's place an instant before the move."""
    known = plan.receipt.batch.identity
    place = feed.inbox / known.path
    taken = next(
        (feed.resolve(m.destination) for m in plan.moves if feed.resolve(m.source) == place), place
    )
    if taken == place or not lexists(taken) or is_same(taken, known, moved=True):
        return False
    try:
        restore(taken, place)
    except FileExistsError:
        restore(taken, feed.inbox / identify(taken, known.path).file)
    return True


def _without_missing_batch(feed: Feed, receipt: Receipt) -> Receipt:
    """Record that a producer took the batch away, or replaced it, before it could be moved."""
    place = receipt.outputs.batch
    if place is None or lexists(feed.resolve(place)):
        return receipt
    outputs = receipt.outputs.model_copy(update={"batch": None})
    return receipt.model_copy(update={"outputs": outputs})


def _drop_marker(path: Path) -> None:
    # Of a batch that has left, an empty marker would only litter the inbox.
    marker = None if lexists(path) else marker_of(path)
    if marker and marker.stat().st_size == 0:
        marker.unlink(missing_ok=True)


def publish_receipt(feed: Feed, receipt: Receipt) -> None:
    """Give a receipt its public name, whole and flushed; OSError if the name is taken."""
    staged = _stage_receipt(feed, receipt)
    _note(feed, receipt)
    publish_new(feed.receipts / receipt.file, staged)
    note_published(feed.receipts / receipt.file)
    log_checkpoint(receipt.batch.id, "committed")
    announce(feed, receipt)


def announce(feed: Feed, receipt: Receipt) -> None:
    """Have those who measure and follow data hear of a receipt that is published."""
    measure_receipt(feed, receipt)
    tell_lineage(feed, receipt)


def _note(feed: Feed, receipt: Receipt) -> None:
    mark_untold(feed, receipt)
    if receipt.final:
        ReceiptStore(feed).note_content(receipt.batch.identity)


def _stage_receipt(feed: Feed, receipt: Receipt) -> Path:
    """Write a receipt into staging, unless it stands there: a full disk must not stop a commit."""
    staged = feed.staged(receipt.batch.id) / _RECEIPT
    text = receipt.model_dump_json(indent=2)
    if not staged.exists() or staged.read_text("utf-8") != text:
        # Its name lasts with the plan's, beside it, or with its public one.
        atomic_write(staged, text, outlasts=False)
    return staged


def clean_up(feed: Feed, batch: str) -> None:
    """Remove what an attempt needed only while it lasted."""
    remove(feed.staged(batch))
    for leftover in (feed.intent(batch), partial_of(feed.intent(batch))):
        leftover.unlink(missing_ok=True)
    log_checkpoint(batch, "swept")
