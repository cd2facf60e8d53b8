"""Feeds on a disk and in a store, by the same words: deliver, and account for each row."""

from __future__ import annotations

from collections import Counter
from io import BytesIO
from typing import TYPE_CHECKING

import polars as pl
from feeds import deliver
from live_object_store import keys, put

from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.feed.receipt import Receipt
from signature_gate.tasks.feed.receipt_files import own_files, read_receipt

if TYPE_CHECKING:
    from signature_gate.tasks.feed.feed import Feed


def deliver_to(feed: Feed, name: str, batch: pl.DataFrame | bytes) -> None:
    """Deliver a batch into the inbox, wherever that is."""
    put(feed, name, batch) if feed.url else deliver(feed, name, batch)


def receipts_of(feed: Feed) -> list[Receipt]:
    """Read all receipts of a feed."""
    if feed.url:
        store = ObjectStore(feed.root)
        found = [key for key in keys(feed, "receipts") if key.endswith(".json")]
        return [Receipt.model_validate_json(store.read(key)[0]) for key in sorted(found)]
    return [read_receipt(feed.receipts / name) for name in own_files(feed.receipts)]


def content(feed: Feed, place: str) -> bytes:
    """Read what lies at a place that a receipt names."""
    if feed.url:
        return ObjectStore(feed.root).read(place)[0]
    return feed.resolve(place).read_bytes()


def keys_of_rows(feed: Feed) -> tuple[Counter[str], Counter[str]]:
    """Count each row by its key: those that are scored, and those that lie in quarantine."""
    scored, held = Counter[str](), Counter[str]()
    for receipt in receipts_of(feed):
        out = receipt.outputs
        if out.predictions:
            scored.update(_keys(content(feed, out.predictions)))
        if out.quarantine and receipt.disposition == "split":
            held.update(_keys(content(feed, f"{out.quarantine}/rejected.parquet")))
        elif out.quarantine and out.batch and out.batch.endswith("parquet"):
            held.update(_keys(content(feed, out.batch)))
    return scored, held


def _keys(parquet: bytes) -> list[str]:
    if not parquet.endswith(b"PAR1"):
        return []
    return pl.read_parquet(BytesIO(parquet), use_statistics=False)["key"].to_list()


def unnamed(feed: Feed) -> set[str]:
    """List published files that no receipt names, and leftovers of claims."""
    named = [
        place
        for receipt in receipts_of(feed)
        for place in (
            receipt.outputs.predictions,
            receipt.outputs.quarantine,
            receipt.outputs.batch,
            receipt.review.archive if receipt.review else None,
        )
        if place
    ]
    folders = ("scored", "quarantine", "archive", "claims", ".staging")
    if feed.url:
        found = {key for folder in folders for key in keys(feed, folder)} - {"claims/.clock"}
    else:
        files = (p for f in folders for p in feed.resolve(f).rglob("*") if p.is_file())
        found = {feed.relative(path) for path in files}
    return {key for key in found if not any(key == n or key.startswith(f"{n}/") for n in named)}
