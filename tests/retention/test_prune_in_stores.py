"""``prune`` of a feed in a store frees what its owner names, unchanged, and never a receipt."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from fault_injection import at_point
from feeds import gaps, rows
from kept_feeds import receipts_of, unnamed
from killed_process import start_command
from live_object_store import keys, put

from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.release import release_batch
from signature_gate.tasks.retention.in_store import DELETED
from signature_gate.tasks.retention.prune import KINDS, Kind, PrunePolicy, PruneSummary, prune_feed
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores.lease import leased
from signature_gate.tasks.stores.workspace import intent_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed


_STORES = pytest.mark.parametrize("old_feed", ["s3", "az"], indirect=True)


@pytest.fixture
def old_feed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Batches that passed, a split, two quarantined, one of them discarded."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "1")
    place = getattr(request, "param", "s3")
    make = request.getfixturevalue({"s3": "store_feed", "az": "azure_feed"}[place])
    feed = make(policy={"on_mismatch": "split", "max_rejected": 0.5}, archive=True)
    put(feed, "good.parquet", rows(4))
    put(feed, "split.parquet", gaps(10, 2))
    put(feed, "half.parquet", gaps(10, 8))
    put(feed, "most.parquet", gaps(10, 9))
    score_feed(feed)
    discard_batch(feed, "half.parquet", "of no use")
    return feed


def pruned(feed: Feed, *kinds: Kind, **options: Any) -> PruneSummary:
    """Prune a feed of all that is older than this instant."""
    return prune_feed(feed, PrunePolicy(timedelta(), kinds, options.pop("to", None)), **options)


def batch_of_split(feed: Feed) -> str:
    """Look up the id of the batch that was split."""
    return next(r.batch.id for r in receipts_of(feed) if r.batch.name == "split.parquet")


def test_without_names_all_stays_and_is_counted(old_feed: Feed) -> None:
    """Receipts are objects of their own, whose numbers count: none is compacted."""
    before = keys(old_feed)

    done = pruned(old_feed)

    assert (done.freed, done.left, done.receipts.count) == ({}, (), 0)
    counts = {kind: amount.count for kind, amount in done.kept.items()}
    assert counts == {"predictions": 2, "quarantine": 1, "undecided": 2}
    assert all(amount.bytes for amount in done.kept.values())
    assert keys(old_feed) == before


@_STORES
@pytest.mark.parametrize(
    ("kind", "gone"),
    [("predictions", "scored/"), ("quarantine", "archive/"), ("undecided", "quarantine/")],
)
def test_only_what_is_named_is_removed(
    old_feed: Feed, kind: Kind, gone: str, move: Callable[[], None]
) -> None:
    """On a machine too that has seen no receipt yet; scored batches in the archive stay."""
    before, known = keys(old_feed), receipts_of(old_feed)
    scored = {r.outputs.batch for r in known if r.disposition in ("passed", "split")}
    move()

    done = pruned(old_feed, kind)

    lost = before - keys(old_feed)
    assert (list(done.freed), done.left) == ([kind], ())
    assert lost
    assert all(key.startswith(gone) for key in lost)
    assert not lost & scored
    assert receipts_of(old_feed) == known
    assert score_feed(old_feed).receipts == ()


def test_what_is_young_stays(old_feed: Feed) -> None:
    """Age is counted from when a batch was finished."""
    done = prune_feed(old_feed, PrunePolicy(timedelta(days=90), KINDS))

    assert (done.freed, done.kept) == ({}, {})


def test_a_rehearsal_changes_nothing(
    old_feed: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Its summary is that of the real one."""
    before, file = keys(old_feed), written(old_feed)
    flags = ["--predictions", "--quarantine", "--undecided", "--staging"]

    code, out, _ = run(capsys, "prune", file, "--older-than", "0m", *flags, "--dry-run", "--json")

    assert (code, keys(old_feed)) == (0, before)
    assert json.loads(out)["freed"] == pruned(old_feed, *KINDS).model_dump()["freed"]


def test_moving_keeps_bytes_and_places(old_feed: Feed, tmp_path: Path) -> None:
    """With a folder nothing need be named, and what waits for somebody stays."""
    store, home = ObjectStore(old_feed.root), tmp_path / "cold"
    before = {key: store.read(key)[0] for key in keys(old_feed) if not key.startswith("claims/")}

    done = pruned(old_feed, to=home)

    moved = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    assert list(done.freed) == ["predictions", "quarantine"]
    assert moved
    assert {**moved, **{key: store.read(key)[0] for key in before.keys() - moved.keys()}} == before
    assert not moved.keys() & keys(old_feed)


def test_a_name_that_is_taken_is_not_overwritten(old_feed: Feed, tmp_path: Path) -> None:
    """The object stays where it is, unless the file is the same: its mover died in between."""
    [key] = [key for key in keys(old_feed, "scored") if "/good-" in key]
    [same] = [key for key in keys(old_feed, "scored") if "/split-" in key]
    for name, content in ((key, b"mine"), (same, ObjectStore(old_feed.root).read(same)[0])):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)

    done = pruned(old_feed, "predictions", to=tmp_path)

    assert [line.partition(":")[0] for line in done.left] == [key]
    assert keys(old_feed, "scored") == {key}
    assert (tmp_path / key).read_bytes() == b"mine"


@pytest.mark.parametrize("why", ["at work", "unfinished"])
def test_what_somebody_works_on_stays(old_feed: Feed, why: str) -> None:
    """A batch that has a lease, or rows that may not be in the feed's table yet."""
    store, batch = ObjectStore(old_feed.root), batch_of_split(old_feed)
    if why == "at work":
        with leased(store, batch):
            done = pruned(old_feed, "predictions")
    else:
        store.write(intent_key(batch), b"{}")
        done = pruned(old_feed, "predictions")

    assert done.freed["predictions"].count == 1
    assert [why in line for line in done.left] == [True]
    assert [batch in key for key in keys(old_feed, "scored")] == [True]


@_STORES
def test_what_changed_meanwhile_stays(old_feed: Feed) -> None:
    """Somebody writes an object anew after it was listed: it is not what was old."""
    store, kept = ObjectStore(old_feed.root), list[str]()

    def replace() -> None:
        kept.extend(keys(old_feed, "scored"))
        store.write(kept[0], b"mine")

    with at_point(DELETED, replace):
        done = pruned(old_feed, "predictions")

    assert done.freed["predictions"].count == 1
    assert "was replaced meanwhile" in "".join(done.left)
    assert keys(old_feed, "scored") == {kept[0]}
    assert store.read(kept[0])[0] == b"mine"


def test_nothing_that_no_receipt_names_is_touched(old_feed: Feed) -> None:
    """Strangers' objects, and those of a batch whose receipts somebody took away."""
    store, batch = ObjectStore(old_feed.root), batch_of_split(old_feed)
    strangers = {"scored/mine.parquet", "quarantine/mine/x.parquet", "archive/mine.parquet"}
    for key in strangers:
        store.write(key, b"mine")
    for found in list(store.list("receipts")):
        if f"/{batch}/" in found.key:
            store.delete(found.key)

    done = pruned(old_feed, *KINDS)

    assert all("its receipts are gone" in line for line in done.left)
    left = {key for folder in ("scored", "quarantine") for key in keys(old_feed, folder)}
    assert left - strangers
    assert all(batch in key for key in left - strangers)
    assert strangers <= keys(old_feed)


def test_what_was_pruned_can_still_be_released(old_feed: Feed) -> None:
    """Predictions and discarded entries that are gone leave quarantine as it was."""
    pruned(old_feed, "predictions", "quarantine")

    released = release_batch(old_feed, "split.parquet")

    assert released.release
    assert released.attempt == 2


def test_a_receipt_that_names_other_places_frees_nothing(old_feed: Feed) -> None:
    """Whole folders, the inbox and receipts are no places of predictions."""
    store, batch = ObjectStore(old_feed.root), batch_of_split(old_feed)
    put(old_feed, "new.parquet", rows(1))
    [key] = [key for key in keys(old_feed, "receipts") if f"/{batch}/" in key]
    forged = json.loads(store.read(key)[0])
    for number, place in enumerate(("scored", "inbox/new.parquet", "receipts", key), 2):
        forged["attempt"], forged["outputs"]["predictions"] = number, place
        text = json.dumps(forged).encode()
        store.write(key.replace("000001", f"{number:06d}"), text)
    store.write("scored/mine.parquet", b"mine")
    before = keys(old_feed)

    done = pruned(old_feed, "predictions")

    assert (done.freed["predictions"].count, done.left) == (2, ())
    assert {key.partition("/")[0] for key in before - keys(old_feed)} == {"scored"}
    assert keys(old_feed, "scored") == {"scored/mine.parquet"}


@pytest.mark.parametrize(
    ("old_feed", "times"), [("s3", 1), ("s3", 2), ("s3", 4), ("az", 4)], indirect=["old_feed"]
)
def test_after_a_kill_another_prune_ends_the_same(
    old_feed: Feed, written: Callable[[Feed], str], tmp_path: Path, times: int
) -> None:
    """Part of an entry is gone: the rest is found by the receipts that it had."""
    known, flags = receipts_of(old_feed), [f"--{kind}" for kind in KINDS]
    command = ["prune", written(old_feed), "--older-than", "0m", *flags]

    worker = start_command(command, tmp_path / "log", DELETED, times)
    worker.join(60)
    half = keys(old_feed)
    time.sleep(3)  # its lease ends; the clock of the store counts whole seconds
    done = pruned(old_feed, *KINDS)

    assert worker.exitcode == -9
    assert half - keys(old_feed)
    assert done.left == ()
    assert keys(old_feed, "scored") == keys(old_feed, "quarantine") == set()
    assert receipts_of(old_feed) == known
    assert score_feed(old_feed).receipts == ()
    assert unnamed(old_feed) == set()


def test_a_store_that_cannot_delete_what_is_unchanged_is_refused(
    store_feed: Callable[..., Feed],
) -> None:
    """By name, before anything is asked of it."""
    feed = store_feed(root="gs://bucket/feed")

    with pytest.raises(Misuse, match=r"gs://bucket/feed, where no object can be deleted"):
        pruned(feed, "predictions")
