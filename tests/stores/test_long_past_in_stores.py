"""What a run on a new machine knows of a feed in a store: as much as one on the old machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feeds import rows
from learned_feeds import day
from live_object_store import put

from signature_gate.tasks.scoring import silence
from signature_gate.tasks.scoring.feed_run import current_intent, score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    MakeFeed = Callable[..., Feed]


def test_the_next_batch_is_compared_with_those_that_others_scored(
    store_feed: MakeFeed, weather: str, move: Callable[[], None]
) -> None:
    """In the order in which they were scored, though their names have another."""
    feed = store_feed(model=weather, archive=True, policy={"nulls": "allow"})
    for name in ("c", "a", "b"):
        put(feed, f"{name}.parquet", day(ord(name)))
        score_feed(feed)
    before = current_intent(feed).past

    move()

    past = current_intent(feed).past
    assert past
    assert before
    assert past.so_far() == before.so_far()
    assert len(past.so_far().batches) == 3


@pytest.mark.parametrize("arrived", [1, 0])
def test_silence_counts_from_the_last_arrival_or_the_first_run(
    store_feed: MakeFeed, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch, arrived: int
) -> None:
    """Not from when the machine first looked."""
    feed = store_feed(expect_every="1m", archive=True)
    for number in range(arrived):
        put(feed, f"{number}.parquet", rows(2))
    assert score_feed(feed).silent_since is None
    until = datetime.now(UTC)
    time.sleep(1.1)  # silence is told in whole seconds

    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + timedelta(minutes=2)

    monkeypatch.setattr(silence, "datetime", Clock)
    move()

    since = score_feed(feed).silent_since
    assert since
    assert since <= until
