"""One attempt on one batch of a feed in a store: in a folder of its own, then in the store.

The batch and its receipts are fetched into an empty folder, where everything happens as on a disk.
What it leaves is uploaded under names that no other attempt has; then the receipt is created under
the batch's next number. That is the only commit: of two attempts on a batch, whoever holds the
lease, one finds the number taken, and removes what it uploaded. Only after the commit is anything
deleted that was there before: the batch in the inbox while it is what was judged, and an entry of
the quarantine that lies in the archive. A worker that dies before the commit leaves objects that
no receipt names; the heir of its lease removes them once its own receipt is there.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import BatchChanged, StoreUnavailable
from ...expectations.stores.downloads import brief_download
from ...expectations.stores.objects import ObjectStore
from ..feed.identity import Identity, identify
from ..feed.untold import mark_untold
from ..storage.atomic import make_folder, move
from ..storage.journal import announce, append_rows, log_checkpoint
from .batches import INBOX, etag_of, objects_at
from .lease import CLAIMS, leased
from .leftovers import remove_leftovers, sweep
from .receipts import fetch_receipts, fetch_same_content, note_content, note_receipt, receipt_key

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt

# Point reached, beside the first ones of a disk -> why it is safe to die right after it.
CHECKPOINTS: dict[str, str] = {
    "claimed": "the lease ends by itself; the batch lies in the inbox as before",
    "bound": "the intent names the pinned version; the heir keeps to it",
    "staged": "everything lies on the worker's disk; the heir begins anew",
    "uploaded": "no receipt names what was uploaded; the heir removes it after its own commit",
    "committed": "the receipt is there; whoever comes appends its rows to the feed's table",
    "appended": "what has another place now is deleted by whoever comes",
    "tidied": "nothing is left but an intent and a lease; whoever comes removes them",
}
_PUBLISHED = ("scored", "quarantine", "archive")


class OvertakenError(StoreUnavailable):
    """Another attempt on the batch has ended first; this one leaves nothing."""


@dataclass
class StoreWorkspace:
    """Implements ``Workspace`` for one attempt on a batch.

    Attributes:
        store: Where the feed lies.
        url: Its address.
        attempt: A name that no other attempt has.
        feed: The feed in the attempt's own folder.
        number: Of the next receipt of the batch.
        before: The attempt whose lease this one took over.
    """

    store: ObjectStore
    batch: str
    attempt: str
    before: str | None
    url: str = ""
    feed: Feed = field(init=False)
    number: int = field(init=False)
    _fetched: set[Path] = field(default_factory=set["Path"])

    def bind(self, batch: str, intent: str) -> None:
        """Write down what is to be done; whoever takes over does the same."""
        self.store.write(intent_key(batch), intent.encode())

    def fetch_batch(self, known: Identity, place: str) -> Identity:
        """Bring a batch to its place here; BatchChanged if it is no longer what was listed."""
        found = objects_at(self.store, place)
        in_inbox = place == f"{INBOX}/{known.path}"
        if not found or (in_inbox and etag_of(found) != known.etag):
            msg = f"{self.url}/{place} was altered or taken away after it was listed."
            raise BatchChanged(msg)
        self.fetch(found)
        arrived = identify(self.feed.resolve(place), known.path)
        if self.feed.on_duplicate == "skip":
            fetch_same_content(self.feed, self.store, arrived)
        return arrived.model_copy(update={"etag": known.etag, "stamp": known.stamp})

    def fetch(self, found: Iterable[Found]) -> None:
        """Bring objects to the place that they have below the feed's address."""
        for one in found:
            path = self.feed.resolve(one.key)
            make_folder(path.parent)
            self.store.download(one, path)
            self._fetched.add(path)

    def publish(self, moves: list[tuple[Path, Path]], receipt: Receipt) -> Receipt:
        """Upload what an attempt leaves, create the receipt, and tidy up after it."""
        for source, destination in moves:
            move(source, destination, flushed=True)
        uploaded = list[str]()
        for path in self._left():
            key = self.feed.relative(path)
            uploaded.append(key)
            self.store.upload(path, key)
            log_checkpoint(self.batch, "uploaded")
        if receipt.final and self.feed.on_duplicate == "skip":
            note_content(self.store, receipt.batch.identity)
        mark_untold(self.feed, receipt)
        body = receipt.model_dump_json(indent=2).encode()
        if self.store.create(receipt_key(self.batch, self.number), body) is None:
            self._remove(uploaded)
            msg = f"another worker has ended {self.batch} first"
            raise OvertakenError(msg)
        log_checkpoint(self.batch, "committed")
        note_receipt(self.feed, receipt_key(self.batch, self.number), receipt, body)
        announce(self.feed, receipt)
        append_rows(self.feed, receipt, self.feed.resolve)
        log_checkpoint(self.batch, "appended")
        remove_leftovers(self.store, receipt)
        sweep(self.feed, self.store, self.before, self.batch)
        log_checkpoint(self.batch, "tidied")
        self.store.delete(intent_key(self.batch))
        return receipt

    def _left(self) -> Iterator[Path]:
        """List the files to publish that were not there before."""
        for name in _PUBLISHED:
            home = self.feed.folder_paths()[name]
            yield from sorted(p for p in home.rglob("*") if p.is_file() and p not in self._fetched)

    def _remove(self, uploaded: Iterable[str]) -> None:
        for key in uploaded:
            if self.attempt in key:
                self.store.delete(key)


@contextmanager
def workspace(feed: Feed, batch: str) -> Generator[StoreWorkspace | None]:
    """Lease a batch, and make a folder for one attempt on it; None if another worker has it."""
    store = ObjectStore(feed.root)
    with leased(store, batch) as lease:
        if lease is None:
            yield None
            return
        with brief_download() as home:
            work = StoreWorkspace(store, batch, lease.attempt, lease.before, store.url)
            work.feed = feed.worked_on(Path(home), work)
            for folder in (work.feed.inbox, work.feed.claims, work.feed.staging):
                folder.mkdir()
            work.number = fetch_receipts(feed, store, batch)
            with suppress(FileNotFoundError):
                body, _ = store.read(intent_key(batch))
                work.feed.intent(batch).write_bytes(body)
            yield work


def intent_key(batch: str) -> str:
    """The object that says what is to be done with a batch."""
    return f"{CLAIMS}/{batch}.intent"
