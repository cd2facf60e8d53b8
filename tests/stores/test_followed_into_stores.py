"""A feed in a store that follows a table: batches are objects, delivered once by any machine."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from feeds import rows
from growing_tables import DeltaFlights
from kept_feeds import keys_of_rows, receipts_of
from killed_process import follow_and_die
from live_object_store import keys, put

from signature_gate.expectations.errors import Misuse, StoreUnavailable
from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores.documents import current, written_alone
from signature_gate.tasks.stores.followed import deliver_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    MakeFeed = Callable[..., Feed]


@pytest.fixture
def flights(bucket: str) -> DeltaFlights:
    """A table in the bucket of the feed."""
    return DeltaFlights(f"{bucket}/lake/flights")


@pytest.fixture(params=["", "?by=key"], ids=["versions", "column"])
def feed(request: pytest.FixtureRequest, store_feed: MakeFeed, flights: DeltaFlights) -> Feed:
    """A feed that follows it, by its versions or by a column."""
    return store_feed(follow=flights.follow + request.param, archive=True, settle_seconds=0)


def test_what_is_new_is_scored_once_by_whichever_machine(
    feed: Feed, flights: DeltaFlights, move: Callable[[], None]
) -> None:
    """How far the table was followed lies in the store, for a machine that is new to the feed."""
    flights.append("a", "b")
    score_feed(feed)
    flights.append("c")
    move()
    score_feed(feed)
    third = score_feed(feed)

    assert third.receipts == ()
    assert keys_of_rows(feed)[0] == Counter("abc")
    assert not keys(feed, "inbox")


def test_what_a_dead_worker_had_delivered_is_not_delivered_anew(
    store_feed: MakeFeed, flights: DeltaFlights, move: Callable[[], None]
) -> None:
    """It died before it noted how far it had come; another machine finds the same object."""
    feed = store_feed(follow=flights.follow, archive=True, settle_seconds=0)
    flights.append("a", "b")

    assert follow_and_die(feed) == -9
    assert keys(feed, "inbox") == {f"inbox/{flights.batches()[0]}"}
    move()
    score_feed(feed)
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("ab")


def test_a_batch_of_a_range_that_was_scored_is_not_made_again(
    store_feed: MakeFeed, flights: DeltaFlights, move: Callable[[], None]
) -> None:
    """Though its worker died before it noted that it was made, and the object left the inbox."""
    feed = store_feed(follow=f"{flights.follow}?by=key", archive=True, settle_seconds=0)
    flights.append("a", "b")
    score_feed(feed)
    with written_alone(feed, ".watermark.json") as note:
        note.write(note.read().decode().replace('"made":true', '"made":false'))
    flights.append("b")
    move()

    told = deliver_versions(feed)

    assert told == []
    assert not keys(feed, "inbox")
    assert keys_of_rows(feed)[0] == Counter("ab")


def test_other_rows_under_the_name_of_a_batch_are_refused(
    store_feed: MakeFeed, flights: DeltaFlights
) -> None:
    """What somebody else delivered is not written over."""
    feed = store_feed(follow=flights.follow, settle_seconds=0)
    flights.append("a")
    put(feed, flights.batches()[0], rows(1))

    with pytest.raises(Misuse, match="is there already, with other rows"):
        deliver_versions(feed)


def test_who_stood_still_writes_over_nothing(store_feed: MakeFeed) -> None:
    """A document that another process went on with since it was read stays as that left it."""
    feed = store_feed()
    with written_alone(feed, ".followed.json") as note:
        assert note.read() == b""
        ObjectStore(feed.root).write("state/.followed.json", b"another")

        with pytest.raises(StoreUnavailable, match="another process went on with"):
            note.write("mine")

    assert current(feed, ".followed.json") == b"another"
    assert receipts_of(feed) == []
