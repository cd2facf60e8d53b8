"""What a run on a new machine knows of a feed in a store: as much as one on the old machine."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from feeds import rows
from learned_feeds import day, shifts
from live_object_store import put

from signature_gate import Contract, learn
from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.feed.history import recent_receipts
from signature_gate.tasks.monitoring.accepted_batches import accepted_batches
from signature_gate.tasks.monitoring.metrics import figures_of
from signature_gate.tasks.monitoring.value_drift import accept_drift
from signature_gate.tasks.monitoring.watch import watch_feed
from signature_gate.tasks.scoring import silence
from signature_gate.tasks.scoring.feed_run import current_intent, score_feed
from signature_gate.tasks.stores.feed_runs import at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from signature_gate.expectations.stores.objects import Found
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt

    MakeFeed = Callable[..., Feed]


def test_the_next_batch_is_compared_with_those_that_others_scored(
    store_feed: MakeFeed, weather: str, move: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the order in which they were scored, though the store tells one second of all."""
    feed = store_feed(model=weather, archive=True, policy={"nulls": "allow"})
    receipt = None
    for name in ("c", "a", "b"):
        put(feed, f"{name}.parquet", day(ord(name)))
        receipt = score_feed(feed).receipts[0]
    before = current_intent(feed).past
    assert receipt
    second, listed = receipt.finished.replace(microsecond=0), ObjectStore.list

    def to_the_second(store: ObjectStore, folder: str = "") -> Iterator[Found]:
        return (found._replace(written=second) for found in listed(store, folder))

    monkeypatch.setattr(ObjectStore, "list", to_the_second)
    move()

    (last,) = recent_receipts(at_hand(feed), 1)
    assert last.batch.name == "b.parquet"
    past = current_intent(feed).past
    assert past
    assert before
    assert past.so_far() == before.so_far()
    assert len(past.so_far().batches) == 3


def test_a_level_that_is_accepted_on_one_machine_counts_on_another(
    store_feed: MakeFeed, weather: str, move: Callable[[], None]
) -> None:
    """Its document lies in the store, under the next free number."""
    feed = store_feed(model=weather, archive=True, policy={"nulls": "allow"})

    def scored(number: int) -> Receipt:
        put(feed, f"{number}.parquet", day(number, nulls=0.3))
        return score_feed(feed).receipts[0]

    assert {"wind"} == dict(shifts(scored(1))).keys() == dict(shifts(scored(2))).keys()

    _, document = accept_drift(feed, why="new sensor")
    move()

    assert document == f"{feed.root}/accepted/0001.json"
    assert shifts(scored(3)) == []


@pytest.mark.parametrize("archive", [True, False])
def test_its_batches_are_learned_from_and_judged_again_where_they_lie(
    store_feed: MakeFeed, weather: str, line: str, archive: bool
) -> None:
    """By the URLs of their objects; one that was replaced in the inbox is another batch."""
    feed = store_feed(model=weather, archive=archive, policy={"nulls": "allow"})
    for number in (1, 2):
        put(feed, f"{number}.parquet", day(number))
    score_feed(feed)
    put(feed, "1.parquet", day(3))

    batches = accepted_batches(feed, Contract.load(weather), feed.policy, 9)
    (*_, judged) = watch_feed(feed, model=line).forecast

    kept = "12" if archive else "2"
    home = feed.root + ("/archive/" if archive else "/inbox/")
    assert dict(batches.left_out) == ({} if archive else {"is no longer there, or was changed": 1})
    assert "".join(str(url).rpartition("/")[2][0] for url in batches.paths) == kept
    assert all(str(url).startswith(home) for url in batches.paths)
    assert learn(*batches.paths, contract=weather, policy=feed.policy).rows == 1_000 * len(kept)
    assert (judged.would_be, judged.gone) == ("quarantined", False)


def test_a_batch_that_waits_in_the_inbox_is_counted_and_ends_the_silence(
    store_feed: MakeFeed,
) -> None:
    """A folder without its marker has arrived, as on a disk; what is done waits no more."""
    feed = store_feed(expect_every="1m")
    put(feed, "done.parquet", rows(2))
    receipt = score_feed(feed).receipts[0]
    os.utime(feed.receipts / receipt.file, (1, 1))
    assert score_feed(feed).silent_since
    assert figures_of(feed).waiting == 0

    put(feed, "late/part.parquet", rows(2))

    assert score_feed(feed).silent_since is None
    found = figures_of(feed)
    assert (found.batches, found.waiting) == ({"passed": 1}, 1)
    assert 0 < found.oldest_waiting < 60 * 60


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
