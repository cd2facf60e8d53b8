"""Check an entry out of quarantine: one worker at a time."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...expectations.errors import BatchNotFound, GateError
from ..feed.receipt import Receipt
from ..feed.receipt_store import last_final
from ..storage.atomic import lexists
from ..storage.claims import claimed
from ..storage.intent import read_intent
from ..storage.journal import apply_plan, is_planned, read_plan
from ..storage.transaction import prepare
from ..stores.feed_runs import at_hand, tidy_batch
from ..stores.workspace import workspace
from .entries import (
    QuarantineEntry,
    batch_of,
    entry_names,
    find_entry,
    history,
    read_entry,
    receipts_about,
)

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ..feed.feed import Feed


@dataclass(frozen=True)
class CheckedOut:
    """A quarantine entry that one worker has claimed.

    Attributes:
        receipts: Those of its batch, the oldest first.
        origin: The one that put the entry into quarantine.
        latest: The newest one about the entry.
    """

    feed: Feed
    entry: QuarantineEntry
    receipts: tuple[Receipt, ...]
    origin: Receipt
    latest: Receipt

    @property
    def number(self) -> int:
        """How often the batch was checked out, this time included."""
        return 1 + sum(receipt.review is not None for receipt in self.receipts)

    @property
    def batch_place(self) -> str | None:
        """Where the batch itself lies, as receipts write it."""
        whole = last_final(list(self.receipts))
        return whole.outputs.batch if whole else None

    def archived(self, why: str) -> Path:
        """Name a free place in the archive; the underscore keeps it apart from scored batches."""
        home = self.feed.archived(f"_{why}")
        place = home / self.entry.name
        return home / f"{self.entry.name}.{self.number}" if lexists(place) else place


def resolve_entry(feed: Feed, text: str) -> str | Receipt:
    """Finish what dead workers began, then find the entry that ``text`` names.

    Returns:
        The entry's name; or its receipt, if the work of a dead worker was only to be completed.

    Raises:
        BatchNotFound: There is no such entry.
        Misuse: There are several.
    """
    finished = {r.review.entry: r for r in finish(feed) if r.review}
    gone = [name for name in finished if name not in entry_names(feed)]
    if gone:
        try:
            return finished[find_entry(feed, text, gone)]
        except BatchNotFound:
            pass
    return find_entry(feed, text)


def finish(feed: Feed) -> list[Receipt]:
    """Complete the planned releases and discards of dead workers; return their receipts."""
    receipts = list[Receipt]()
    for folder in sorted(feed.staging.iterdir()) if feed.staging.is_dir() else ():
        try:
            plan = read_plan(feed, folder.name)
            if plan is None or plan.receipt.review is None:
                continue
            with claimed(feed, folder.name) as won:
                if won and is_planned(feed, folder.name):
                    receipts.append(apply_plan(feed, plan))
        except (OSError, GateError):
            continue
    return receipts


@contextmanager
def fetched(feed: Feed, text: str) -> Generator[tuple[Feed, str]]:
    """Bring an entry that ``text`` names, and the receipts of its batch, out of a store.

    Raises:
        GateError: Another worker has its batch; or as for ``resolve_entry``.
    """
    name = find_entry(at_hand(feed), text)
    batch = batch_of(name)
    with workspace(feed, batch) as work:
        if work is None:
            msg = f"another worker works on {name}. Try again when it is done."
            raise GateError(msg)
        if work.feed.intent(batch).exists() and not read_intent(work.feed, batch):
            tidy_batch(work)  # whose release died, perhaps after its commit
        work.fetch(work.store.list(f"quarantine/{name}"))
        yield work.feed, name


@contextmanager
def checkout(feed: Feed, name: str) -> Generator[CheckedOut]:
    """Claim the batch of an entry against every other worker.

    Raises:
        BatchNotFound: Somebody else was quicker, and it is gone.
        GateError: Another worker has it, or died over it; or its receipts cannot be read.
    """
    prepare(feed)
    batch = batch_of(name)
    with claimed(feed, batch) as won:
        if not won:
            msg = f"another worker works on {name}. Try again when it is done."
            raise GateError(msg)
        if is_planned(feed, batch) or read_intent(feed, batch):
            msg = f"an earlier run left {name} unfinished. Score the feed first, then try again."
            raise GateError(msg)
        if name not in entry_names(feed):
            msg = (
                f"{name} is no longer in the quarantine of feed {feed.name}: somebody was quicker."
            )
            raise BatchNotFound(msg)
        entry = read_entry(feed, name)
        receipts = history(feed, entry)
        about = receipts_about(feed, entry, receipts)
        yield CheckedOut(feed, entry, tuple(receipts), about[0], about[-1])
