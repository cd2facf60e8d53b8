"""Receipts of a feed in a store: ``receipts/<stem>/<batch>/<number>.json``.

The numbers of a batch's receipts have no gap, so whoever creates the next one knows of all before.
What was read is kept on this machine, where it is looked up as the receipts of any feed: a receipt
never changes.
"""

from __future__ import annotations

import os
import uuid
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from ...expectations.documents import staged
from ...expectations.errors import GateError
from ...expectations.stores.objects import ObjectStore
from ..feed.receipt import Receipt
from ..feed.receipt_store import ReceiptStore, note_published
from ..storage.atomic import atomic_write, locked, make_folder, remove

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed
    from ..feed.identity import Identity

RECEIPTS = "receipts"
STATE = ".feed"  # tells a feed that was wiped from the one before
_STATE = f"{RECEIPTS}/{STATE}"
_KEPT = ".kept"
ACCEPTED = "accepted"
# Requests at a time of a machine that is new to a feed, and receipts that it holds meanwhile.
_AT_A_TIME, _READ_AHEAD = 16, 256


def receipt_key(batch: str, number: int) -> str:
    """Name the object of a batch's receipt."""
    return f"{_of_batch(batch)}/{number:06d}.json"


def open_mirror(feed: Feed, store: ObjectStore) -> None:
    """Have what is kept of a feed's receipts on this machine be those of the feed as it is."""
    try:
        state, _ = store.read(_STATE)
    except FileNotFoundError:
        own = uuid.uuid4().hex.encode()
        state = own if store.create(_STATE, own) else store.read(_STATE)[0]
    if _is_mirrored(feed, state):
        return
    with locked(feed.receipts):
        if not _is_mirrored(feed, state):
            remove(feed.receipts)
            make_folder(feed.receipts / _KEPT)
            atomic_write(feed.receipts / STATE, state.decode())
            _stamp(feed.receipts / STATE, store.head(_STATE).written)


def fetch_receipts(feed: Feed, store: ObjectStore, batch: str = "") -> int:
    """Read what is new of the receipts of a batch and of its namesakes, or of all batches.

    Returns:
        The number of the batch's next receipt.
    """
    folder = _of_batch(batch).rpartition("/")[0] if batch else RECEIPTS
    found = [one for one in store.list(folder) if one.key.endswith(".json")]
    unread = [one for one in found if not _mark(feed, one.key).exists()]
    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        for start in range(0, len(unread), _READ_AHEAD):
            some = unread[start : start + _READ_AHEAD]
            for one, body in zip(some, pool.map(partial(_body, store), some), strict=True):
                if body is not None:
                    _keep(feed, store, one, body)
    own = [one for one in found if one.key.startswith(f"{_of_batch(batch)}/")] if batch else found
    return len(own) + 1


def fetch_recent(feed: Feed, last: int) -> None:
    """Read what is new of the newest receipts, and of accepted levels; others write them too."""
    store = ObjectStore(feed.root)
    open_mirror(feed, store)
    fetch_accepted(feed, store)
    listed = (one for one in store.list(RECEIPTS) if one.key.endswith(".json"))
    for one in sorted(listed, key=lambda one: one.written)[-last:]:
        if not _mark(feed, one.key).exists():
            fetch_receipts(feed, store, one.key.split("/")[-2])


def create_accepted(feed: Feed, text: str) -> str:
    """Keep a document about an accepted level under the next free number; return its URL."""
    store = ObjectStore(feed.root)
    number = 1 + len(list(store.list(ACCEPTED)))
    while store.create(key := f"{ACCEPTED}/{number:04}.json", text.encode()) is None:
        number += 1
    return f"{store.url}/{key}"


def fetch_accepted(feed: Feed, store: ObjectStore) -> None:
    """Read what is new of the levels that people have accepted."""
    for found in store.list(ACCEPTED):
        path = feed.receipts / f".{found.key}"
        if not path.exists():
            make_folder(path.parent)
            with staged(path) as partial:
                partial.write_bytes(store.read(found.key)[0])


def note_content(store: ObjectStore, batch: Identity) -> None:
    """Tell other machines which content a batch has, before its receipt is created."""
    if not batch.is_by_edges:
        store.write(f"{_of_content(batch)}/{batch.id}", b"")


def fetch_same_content(feed: Feed, store: ObjectStore, batch: Identity) -> None:
    """Read what is new of the receipts of other batches with the same content."""
    for found in store.list(_of_content(batch)):
        fetch_receipts(feed, store, found.key.rpartition("/")[2])


def note_receipt(feed: Feed, key: str, receipt: Receipt, body: bytes) -> None:
    """Keep a receipt on this machine, whose processes all read the feed."""
    path = feed.receipts / receipt.file
    if receipt.final:
        ReceiptStore(feed).note_content(receipt.batch.identity)
    with staged(path) as partial:
        partial.write_bytes(body)
    note_published(path)
    _mark(feed, key).touch()


def _is_mirrored(feed: Feed, state: bytes) -> bool:
    with suppress(FileNotFoundError):
        return (feed.receipts / STATE).read_bytes() == state
    return False


def _body(store: ObjectStore, found: Found) -> bytes | None:
    with suppress(FileNotFoundError):  # the feed is being wiped
        return store.read(found.key)[0]
    return None


def _keep(feed: Feed, store: ObjectStore, found: Found, body: bytes) -> None:
    try:
        receipt = Receipt.model_validate_json(body)
    except ValueError as error:
        msg = f"{store.url}/{found.key} is no receipt that this version can read: {error}"
        raise GateError(msg) from error
    note_receipt(feed, found.key, receipt, body)
    # Many stores keep a time to the second: within it, the receipt's own tells which was first.
    until = found.written + timedelta(microseconds=999_999)
    _stamp(feed.receipts / receipt.file, max(found.written, min(receipt.finished, until)))


def _stamp(path: Path, written: datetime) -> None:
    # Which receipts are the last is told by the stamps of their files.
    when = written.timestamp()
    os.utime(path, (when, when))


def _of_batch(batch: str) -> str:
    return f"{RECEIPTS}/{batch.rpartition('-')[0]}/{batch}"


def _of_content(batch: Identity) -> str:
    return f"{RECEIPTS}/.contents/{batch.digest.rpartition(':')[2]}"


def _mark(feed: Feed, key: str) -> Path:
    return feed.receipts / _KEPT / key.removeprefix(f"{RECEIPTS}/").replace("/", ":")
