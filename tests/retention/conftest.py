"""A feed that has something of each kind that ``prune`` may free, and its YAML file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from feeds import deliver, gaps, rows

from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


@pytest.fixture
def old_feed(make_feed: FeedMaker, line: str) -> Feed:
    """Batches that passed, a split, two quarantined, one of them discarded, and staged remains."""
    feed = make_feed(policy={"on_mismatch": "split", "max_rejected": 0.5}, archive=True)
    deliver(feed, "good.parquet", rows(4))
    deliver(feed, "split.parquet", gaps(10, 2))
    deliver(feed, "half.parquet", gaps(10, 8))
    deliver(feed, "most.parquet", gaps(10, 9))
    score_feed(feed)
    discard_batch(feed, "half.parquet", "of no use")
    dead = feed.staged("dead-000000000000")
    dead.mkdir()
    (dead / "predictions.parquet").write_text("half")
    return feed
