"""Take up what lies in quarantine: one worker at a time, on what is really there."""

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
    """An entry of the quarantine in the hands of one worker.

    Attributes:
        feed: The feed.
        entry: What lies there.
        receipts: Those of its batch, the oldest first.
        origin: The one that tells how the entry came to lie there.
        told: The newest one that is about the entry.
    """

    feed: Feed
    entry: QuarantineEntry
    receipts: tuple[Receipt, ...]
    origin: Receipt
    told: Receipt

    @property
    def number(self) -> int:
        """The how manieth time somebody takes the batch up."""
        return 1 + sum(receipt.review is not None for receipt in self.receipts)

    @property
    def batch_place(self) -> str | None:
        """Where the batch itself lies, as receipts write it."""
        whole = last_final(list(self.receipts))
        return whole.outputs.batch if whole else None

    def archived(self, fate: str) -> Path:
        """Name a free place in the archive; the underscore keeps it apart from scored batches."""
        home = self.feed.archived(f"_{fate}")
        place = home / self.entry.name
        return home / f"{self.entry.name}.{self.number}" if lexists(place) else place


def resolve_entry(feed: Feed, text: str) -> str | Receipt:
    """Finish what dead workers have begun at the desk, then find the entry that somebody means.

    Args:
        feed: The feed.
        text: As ``quarantined.find_entry`` takes it.

    Returns:
        The entry's name; or, if a dead worker had all but done with it, its receipt.

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
    """Finish what dead workers have begun at the desk and written down, where the claim is free.

    Returns:
        The receipts; what cannot be finished stays for the next run.
    """
    done = list[Receipt]()
    for folder in sorted(feed.staging.iterdir()) if feed.staging.is_dir() else ():
        try:
            plan = read_plan(feed, folder.name)
            if plan is None or plan.receipt.review is None:
                continue
            with claimed(feed, folder.name) as won:
                if won and is_planned(feed, folder.name):
                    done.append(apply_plan(feed, plan))
        except (OSError, GateError):
            continue
    return done


@contextmanager
def checkout(feed: Feed, name: str) -> Generator[CheckedOut]:
    """Hold the batch of an entry against every other worker.

    Args:
        feed: The feed.
        name: The entry's name.

    Yields:
        The entry as it is now that nobody else may touch it.

    Raises:
        BatchNotFound: Somebody else was quicker, and it is gone.
        GateError: Another worker has it, or one has died over it; or its papers cannot be read.
    """
    prepare(feed)
    batch = batch_of(name)
    with claimed(feed, batch) as won:
        if not won:
            msg = f"another worker is at work on {name}. Look again when it is done."
            raise GateError(msg)
        if is_planned(feed, batch) or read_intent(feed, batch):
            msg = f"{name} was left half done by an earlier run. Score the feed first, then return."
            raise GateError(msg)
        if name not in entry_names(feed):
            msg = (
                f"{name} lies in the quarantine of feed {feed.name} no more: somebody was quicker."
            )
            raise BatchNotFound(msg)
        entry = read_entry(feed, name)
        receipts = history(feed, entry)
        about = receipts_about(feed, entry, receipts)
        yield CheckedOut(feed, entry, tuple(receipts), about[0], about[-1])
