"""docs/how-to/object-stores.md: what it tells its readers to write and run works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import polars as pl
import yaml
from deltalake import write_deltalake
from live_object_store import keys
from page_commands import blocks_in, follow

from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = "how-to/object-stores.md"
pytest_plugins = ["page_commands", "page_workplace"]


def test_the_page_scores_a_batch_in_a_bucket(
    workplace: Path, execute: Callable[..., str], s3: str, bucket: str
) -> None:
    """how-to/object-stores.md: batch and table are judged, and the batch leaves the inbox."""
    httpx.put(f"{s3}/deliveries").raise_for_status()
    batch = (workplace / "2013-07-12.csv").read_bytes()
    ObjectStore("s3://deliveries/flights").write("inbox/2013-07-12.csv", batch)
    rows = pl.read_csv("2013-07-12.csv", try_parse_dates=True).to_arrow()
    write_deltalake("s3://deliveries/lake/flights", rows)

    printed = follow(PAGE, execute)

    assert "passed  flights@0" in printed

    [block] = [block for block in blocks_in(PAGE) if block.language == "yaml"]
    feed = Feed.parse(yaml.safe_load(block.text))
    folders = {key.partition("/")[0] for key in keys(feed)}
    assert folders == {"archive", "receipts", "scored"}
