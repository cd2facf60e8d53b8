"""What a commit leaves to be deleted, by its worker, or by who finds it after that one's death."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..feed.inbox import BESIDE, MARKERS
from ..feed.receipt_store import ReceiptStore
from .batches import INBOX, etag_of, objects_at

if TYPE_CHECKING:
    from ...expectations.stores.objects import ObjectStore
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt


def remove_leftovers(store: ObjectStore, receipt: Receipt) -> None:
    """Delete what has another place now: a batch that is what was judged, a reviewed entry."""
    if receipt.review:
        if receipt.review.archive:
            _remove_entry(store, f"quarantine/{receipt.review.entry}", receipt.review.archive)
        return
    place = receipt.outputs.batch
    if receipt.final and place and not place.startswith(f"{INBOX}/"):
        _remove_batch(store, receipt)


def _remove_batch(store: ObjectStore, receipt: Receipt) -> None:
    known = receipt.batch.identity
    found = objects_at(store, f"{INBOX}/{known.path}")
    if etag_of(found) != known.etag:
        return  # a later delivery, which is a batch of its own
    gone = [store.delete_unchanged(one) for one in found]
    if all(gone):
        marks = [f"{INBOX}/{known.path}{end}" for end in BESIDE]
        for key in (*marks, *(f"{INBOX}/{known.path}/{name}" for name in MARKERS)):
            _remove_marker(store, key)


def _remove_marker(store: ObjectStore, key: str) -> None:
    try:
        marker = store.head(key)
    except FileNotFoundError:
        return
    if not marker.size:
        store.delete_unchanged(marker)


def _remove_entry(store: ObjectStore, entry: str, archive: str) -> None:
    """Delete the objects of an entry that lie in the archive too; the names are the gate's own."""
    kept = {one.key.removeprefix(f"{archive}/"): one.size for one in store.list(archive)}
    for one in store.list(entry):
        if kept.get(one.key.removeprefix(f"{entry}/")) == one.size:
            store.delete(one.key)


def sweep(feed: Feed, store: ObjectStore, attempt: str | None, batch: str) -> None:
    """Delete what an attempt uploaded that seems dead; only after another one's receipt.

    Until then it may wake and commit what would be gone.
    """
    if attempt is None or any(_names(r, attempt) for r in ReceiptStore(feed).for_batch(batch)):
        return
    for folder in (f"archive/{attempt}", "quarantine", "scored"):
        for one in store.list(folder):
            if any(mark in one.key for mark in (f"/{attempt}/", f"@{attempt}/", f".{attempt}.")):
                store.delete(one.key)


def _names(receipt: Receipt, attempt: str) -> bool:
    outputs, archived = receipt.outputs, receipt.review and receipt.review.archive
    places = (outputs.batch, outputs.predictions, outputs.quarantine, archived)
    return any(attempt in place for place in places if place)
