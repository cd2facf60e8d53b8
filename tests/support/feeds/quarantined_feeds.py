"""Feeds with batches in quarantine, and what their receipts and folders hold."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
from feeds import by_batch, deliver, rows

from signature_gate.expectations.contract.policy import Policy
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.quarantine.entries import entries
from signature_gate.tasks.quarantine.row_counts import count_rows
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt
    from signature_gate.tasks.quarantine.entries import QuarantineEntry


SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}
# Without the user's rule that the feeds have.
FORGIVING = Policy(keep=("key",))


def low(count: int, bad: int) -> pl.DataFrame:
    """Make rows; the first few break the user's rule."""
    return rows(count, a=[-1.0] * bad + [float(i) for i in range(count - bad)])


def two_faults() -> pl.DataFrame:
    """Make ten rows: the first breaks the user's rule, the last has a null in a required column."""
    return rows(10, a=[-1.0, *[float(i) for i in range(1, 10)]], n=[*range(9), None])


def scored(feed: Feed, name: str, batch: pl.DataFrame | bytes) -> Receipt:
    """Deliver one batch and score the feed."""
    deliver(feed, name, batch)
    return by_batch(score_feed(feed))[name]


def apart(feed: Feed) -> QuarantineEntry:
    """Return the only entry of a quarantine."""
    (entry,) = entries(feed)
    return entry


def predictions(feed: Feed, receipt: Receipt) -> pl.DataFrame:
    """Read the published predictions."""
    return pl.read_parquet(feed.resolve(receipt.outputs.predictions or ""), hive_partitioning=False)


def past(feed: Feed, receipt: Receipt) -> list[Receipt]:
    """Read all receipts of a batch."""
    return ReceiptStore(feed).for_batch(receipt.batch.id)


def balanced(feed: Feed, receipt: Receipt) -> tuple[int | None, int, int | None]:
    """Count a batch's rows; assert that rows in are rows scored plus rows rejected."""
    state = count_rows(past(feed, receipt))
    if state.rows_in is not None:
        assert state.rows_in == state.scored + (state.rejected or 0)
    return state.rows_in, state.scored, state.rejected


def contents(feed: Feed) -> dict[str, bytes]:
    """Read every file of a feed except receipts, their marks and claims."""
    files = (p for p in Path(feed.root).rglob("*") if p.is_file())
    return {
        str(p.relative_to(feed.root)): p.read_bytes()
        for p in files
        if p.parent not in (feed.receipts, feed.claims) and ".untold" not in p.parts
    }
