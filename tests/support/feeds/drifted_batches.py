"""Batches whose schema drifted, and a feed with a hundred of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import PLANTED, deliver, rows

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from signature_gate.tasks.feed.run_summary import RunSummary

DRIFTED = rows(3).rename({"n": "N"}).with_columns(a=pl.lit(PLANTED))
OTHERWISE = rows(3).drop("a")


@pytest.fixture(name="hundred", scope="module")
def hundred_batches(line: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Feed, RunSummary]:
    """Score a hundred batches with one and the same fault, under policy redact."""
    root = tmp_path_factory.mktemp("hundred")
    (root / "inbox").mkdir()
    fields = {"name": "hundred", "model": line, "root": str(root), "settle_seconds": 0}
    feed = Feed.parse({**fields, "policy": {"keep": ["key"], "redact": True}})
    for number in range(100):
        deliver(feed, f"{number:03}.parquet", DRIFTED)
    return feed, score_feed(feed)
