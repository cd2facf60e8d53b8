"""What every place of a feed promises: one winner, each row once, nothing left by the dead."""

from __future__ import annotations

import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event
from typing import TYPE_CHECKING

import httpx
import polars as pl
import pytest
from fault_injection import at_point
from feeds import gaps, rows
from kept_feeds import deliver_to, keys_of_rows, receipts_of, unnamed
from killed_process import score_and_die
from live_object_store import credentials, put, s3_server

from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.claims import claimed
from signature_gate.tasks.storage.journal import CHECKPOINTS as ON_DISK
from signature_gate.tasks.storage.transaction import prepare
from signature_gate.tasks.stores.batches import look_into_store
from signature_gate.tasks.stores.lease import leased
from signature_gate.tasks.stores.workspace import CHECKPOINTS as IN_STORE

if TYPE_CHECKING:
    from signature_gate.tasks.feed.feed import Feed

_STORES = ("s3", "az")
_SPLIT = {"on_mismatch": "split", "max_rejected": 0.5, "keep": ["key"]}


@pytest.fixture(params=["disk", "s3", "az"])
def feed(request: pytest.FixtureRequest, line: str, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """A feed in each place where one may lie; a lease lasts a second."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "1")
    made = {"disk": "make_feed", "s3": "store_feed", "az": "azure_feed"}[request.param]
    return request.getfixturevalue(made)(policy=_SPLIT)


def _wait_for_lease(feed: Feed) -> None:
    if feed.url:
        time.sleep(3)  # the clock of the store counts whole seconds


def test_of_sixteen_claimers_one_wins(feed: Feed) -> None:
    """Whoever comes while a batch is claimed is turned away, and learns so at once."""
    together, over = Barrier(16), Event()
    if not feed.url:
        prepare(feed)

    def claim(_: int) -> bool:
        together.wait()
        held = leased(ObjectStore(feed.root), "b-1") if feed.url else claimed(feed, "b-1")
        with held as won:
            if won:
                over.wait(10)
            else:
                lost.append(1)
                if len(lost) == 15:
                    over.set()
            return bool(won)

    for _ in range(3):
        lost = list[int]()
        over.clear()
        with ThreadPoolExecutor(16) as pool:
            assert sum(pool.map(claim, range(16))) == 1


_POINTS = [
    *(("disk", point, 1) for point in ON_DISK),
    *((store, point, 1) for store in _STORES for point in IN_STORE),
    *((store, "uploaded", 5) for store in _STORES),
    *((store, "committed", 2) for store in _STORES),
]


@pytest.mark.parametrize(("feed", "point", "times"), _POINTS, indirect=["feed"])
def test_after_a_death_at_any_point_each_row_is_there_once(
    feed: Feed, point: str, times: int
) -> None:
    """Killed in the first batch, or in the second, and run again: nothing lost, doubled or left."""
    deliver_to(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    deliver_to(feed, "some.parquet", gaps(6, nulls=2))

    died = score_and_die(feed, point, times)
    _wait_for_lease(feed)
    score_feed(feed)

    assert died == -9
    scored, held = keys_of_rows(feed)
    assert scored == Counter(["k2", "k3", "k4", "k5"])
    assert held == Counter(["k0", "k1", "z"])
    assert unnamed(feed) == set()


def test_a_batch_that_is_replaced_while_it_is_judged_is_a_batch_of_its_own(feed: Feed) -> None:
    """What was judged is not what lies there: nothing is published, and the next run takes it."""
    deliver_to(feed, "a.parquet", rows(3))
    replace = lambda: deliver_to(feed, "a.parquet", rows(3, key=["x", "y", "z"]))  # noqa: E731

    with at_point("bound", replace):
        score_feed(feed)
    score_feed(feed)

    scored, held = keys_of_rows(feed)
    assert scored["x"] == scored["y"] == scored["z"] == 1
    assert not held
    assert unnamed(feed) == set()


@pytest.mark.parametrize("feed", _STORES, indirect=True)
@pytest.mark.parametrize("point", ["bound", "staged", "uploaded"])
def test_a_worker_that_wakes_after_its_lease_publishes_nothing(feed: Feed, point: str) -> None:
    """Another has taken over and ended the batch: of the late one not an object is left."""
    deliver_to(feed, "some.parquet", gaps(6, nulls=2))
    summaries = list[object]()

    def another() -> None:
        store = ObjectStore(feed.root)
        [lease] = [found for found in store.list("claims") if not found.key.endswith(".intent")]
        store.delete(lease.key)  # as if it had lapsed
        summaries.append(score_feed(feed))

    with at_point(point, another):
        late = score_feed(feed)

    assert [(entry.batch, entry.why) for entry in late.left] == [("some.parquet", "claimed")]
    assert [receipt.disposition for receipt in receipts_of(feed)] == ["split"]
    scored, held = keys_of_rows(feed)
    assert (scored.total(), held.total()) == (4, 2)
    assert unnamed(feed) == set()


@pytest.mark.parametrize("feed", _STORES, indirect=True)
def test_an_inbox_of_more_than_a_page_is_listed_whole(feed: Feed) -> None:
    """A store answers a thousand names at a time."""
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: put(feed, f"{n:04}.parquet", b"x"), range(1_050)))

    inbox = look_into_store(feed, ObjectStore(feed.root))

    assert [batch.path for batch in inbox.ready] == [f"{n:04}.parquet" for n in range(1_050)]


@pytest.mark.parametrize("feed", _STORES, indirect=True)
def test_an_upload_that_was_cut_off_is_no_object(feed: Feed) -> None:
    """Parts of a large file that were never put together are seen by nobody."""
    import obstore
    from obstore.store import from_url

    store = from_url(f"{feed.root}/inbox")
    writer = obstore.open_writer(store, "large.parquet", buffer_size=5 << 20)
    writer.write(b"x" * (6 << 20))
    del writer

    assert look_into_store(feed, ObjectStore(feed.root)).ready == []


@pytest.mark.parametrize("body", [b"", b"by hand", b"[]", b'{"attempt": "."}'])
def test_a_lease_of_foreign_content_ends_as_any_does(
    bucket: str, monkeypatch: pytest.MonkeyPatch, body: bytes
) -> None:
    """Nobody knows whose attempt it was; whoever finds it too old takes it over."""
    store = ObjectStore(f"{bucket}/feed")
    store.write("claims/b-1", body)

    with leased(store, "b-1") as early:
        assert early is None
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "-1")
    with leased(store, "b-1") as heir:
        assert heir
        assert heir.before is None

    assert [found.key for found in store.list("claims")] == ["claims/.clock"]


@pytest.mark.parametrize("hours", [-1, 1])
def test_leases_go_by_the_clock_of_the_store(monkeypatch: pytest.MonkeyPatch, hours: int) -> None:
    """Of a worker whose clock differs by an hour nothing is taken, and it takes nothing early."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "30")
    with s3_server(hours) as address, monkeypatch.context() as patch:
        for name, value in credentials(address).items():
            patch.setenv(name, value)
        httpx.put(f"{address}/gate").raise_for_status()
        store = ObjectStore("s3://gate/feed")
        with leased(store, "b-1") as first, leased(store, "b-1") as second:
            assert first
            assert second is None
        store.write("claims/b-1", b'{"attempt": "0123456789ab"}')
        with leased(store, "b-1") as early:
            assert early is None
        patch.setenv("SIGNATURE_GATE_LEASE", "-1")
        with leased(store, "b-1") as heir:
            assert heir
            assert heir.before == "0123456789ab"
