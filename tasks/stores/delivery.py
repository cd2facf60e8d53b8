"""Rows that become a batch of an inbox, on a disk or in a store; repeated they change nothing."""

from __future__ import annotations

from contextlib import suppress
from filecmp import cmp
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from ...expectations.errors import Misuse
from ...expectations.stores.objects import ObjectStore
from ..feed.identity import lexists, stem_of
from ..feed.receipt_store import ReceiptStore
from ..storage.atomic import flush, partial_of, publish_new
from .batches import INBOX
from .receipts import fetch_receipts

if TYPE_CHECKING:
    import polars as pl

    from ..feed.feed import Feed


def is_delivered(feed: Feed, name: str) -> bool:
    """Tell whether a batch lies in the inbox, or was there before."""
    if not feed.url:
        if lexists(feed.inbox / name):
            return True
    else:
        store = ObjectStore(feed.root)
        with suppress(FileNotFoundError):
            store.head(f"{INBOX}/{name}")
            return True
        fetch_receipts(feed, store, f"{stem_of(name)}-")
    return bool(ReceiptStore(feed).indexed().deliveries(name).heads)


def publish_rows(feed: Feed, name: str, rows: pl.LazyFrame) -> None:
    """Write rows into the inbox; Misuse if other rows have the name."""
    publish = _into_store if feed.url else _onto_disk
    publish(feed, name, rows)


def _onto_disk(feed: Feed, name: str, rows: pl.LazyFrame) -> None:
    path = feed.inbox / name
    partial = partial_of(path)
    try:
        rows.sink_parquet(partial, engine="streaming")
        flush(partial)
        publish_new(path, partial)
    except FileExistsError:
        _refuse_others(str(path), path, partial)
    finally:
        partial.unlink(missing_ok=True)


def _into_store(feed: Feed, name: str, rows: pl.LazyFrame) -> None:
    store, key = ObjectStore(feed.root), f"{INBOX}/{name}"
    with TemporaryDirectory() as folder:
        made, there = Path(folder, "made"), Path(folder, "there")
        rows.sink_parquet(made, engine="streaming")
        try:
            store.download(store.head(key), there)
        except FileNotFoundError:
            store.upload(made, key)
        else:
            _refuse_others(f"{store.url}/{key}", there, made)


def _refuse_others(place: str, there: Path, made: Path) -> None:
    if not cmp(there, made, shallow=False):
        msg = f"{place} is there already, with other rows. Move it away, and run again."
        raise Misuse(msg) from None
