"""The Prefect flows over a feed in a bucket, on a real server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import rows
from live_object_store import keys, put
from prefect_records import events

from signature_gate.flows import release_quarantined, score_batches, watch_schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

pytestmark = pytest.mark.usefixtures("prefect_server")


def test_a_bucket_is_scored_released_and_watched(
    store_feed: Callable[..., Feed], tmp_path: Path
) -> None:
    """One flow scores and quarantines, one releases a repaired file, one reports drift."""
    feed = store_feed(archive=True)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    put(feed, "good.parquet", rows(3))

    state = score_batches(feed, return_state=True)
    rows(1).write_parquet(tmp_path / "repaired.parquet")
    released = release_quarantined(feed, "bad.parquet", file=tmp_path / "repaired.parquet")
    report = watch_schema(feed, return_state=True)

    assert state.name == "Quarantined"
    (made, *_) = events(f"{feed.root}/scored", 1, "prefect.asset.materialization")
    assert f"{feed.root}/inbox" in {one["prefect.resource.id"] for one in made["related"]}
    assert released.receipts[0].disposition == "passed"
    assert report.is_completed()
    homes = {"archive", "receipts", "scored", "state"}
    assert {key.partition("/")[0] for key in keys(feed)} == homes
