from __future__ import annotations

import errno
import os
import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fault_injection import at_point, disk_maker, unprivileged  # noqa: F401 - a fixture among them
from feeds import (
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
)

from signature_gate.expectations.verdict.verdict import Violation
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring import attempt as attempts
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.scoring.selection import select_candidates

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from fault_injection import Disk

    from signature_gate.expectations.judge.result import CheckResult
    from signature_gate.tasks.storage.transaction import Attempt

    MakeDisk = Callable[..., Disk]
    MakeFeed = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


def fared(feed: Feed) -> dict[str, str]:
    """Run a feed, and list what happened to each batch that was attempted."""
    return {name: r.disposition for name, r in by_batch(score_feed(feed)).items()}


def on_record(feed: Feed) -> list[tuple[str, str, int]]:
    """List name, disposition and number of each attempt that has a receipt."""
    ledger = ReceiptStore(feed)
    found = [receipt for batch in ledger.batches() for receipt in ledger.for_batch(batch)]
    return [(r.batch.name, r.disposition, r.attempt) for r in found]


# ----- no room -----


def test_a_disk_that_fills_up_while_a_batch_is_scored_loses_nothing(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str
) -> None:
    """The batch stays, errored with the system's message; others pass, and later it does too."""
    disk = make_disk("disk", megabytes=8)
    feed = make_feed(root=str(disk.path), policy=SPLIT)
    feed.inbox.mkdir()
    path = deliver(feed, "large.parquet", rows(60_000))
    deliver(feed, "small.parquet", rows(5))
    disk.fill(leave=200_000)

    first = by_batch(score_feed(feed))
    published = everything_below(disk.path / "scored")
    disk.clear()

    assert first["large.parquet"].disposition == "errored"
    assert "No space left on device" in first["large.parquet"].reason
    assert "The batch is tried again: look after the disk" in first["large.parquet"].reason
    assert first["small.parquet"].disposition == "passed"
    assert len(published) == 1
    assert path.exists()
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []
    later = by_batch(score_feed(feed))["large.parquet"]
    assert (later.disposition, later.outputs.scored) == ("passed", 60_000)


def test_a_disk_without_any_room_leaves_every_batch_where_it_is(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str
) -> None:
    """Not even a receipt can be written: the run reports it, and the next one scores all."""
    disk = make_disk("disk")
    feed = make_feed(root=str(disk.path), policy=SPLIT)
    feed.inbox.mkdir()
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    disk.fill()

    summary = score_feed(feed)
    disk.clear()

    assert {r.disposition for r in summary.receipts} == {"errored"}
    assert all("No space left on device" in r.reason for r in summary.receipts)
    assert on_record(feed) == []
    assert everything_below(feed.inbox) == {"good.parquet", "bad.parquet"}
    assert fared(feed) == {"good.parquet": "passed", "bad.parquet": "quarantined"}


@pytest.mark.parametrize("full", ["receipts", "quarantine"])
def test_a_disk_that_is_full_after_the_plan_stops_nothing_for_good(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str, full: str
) -> None:
    """A batch that was scored is not scored again: the next run commits it."""
    disk = make_disk(full)
    feed = make_feed(folders={full: str(disk.path)}, policy=SPLIT)
    deliver(feed, "gaps.parquet", gaps(10, 3))
    with at_point("planned", disk.fill):
        (first,) = score_feed(feed).receipts
    half_done = select_candidates(feed)
    scored = {p: p.stat() for p in (Path(feed.root) / "scored").rglob("*.parquet")}
    disk.clear()

    (later,) = score_feed(feed).receipts

    assert first.disposition == "errored"
    assert "No space left on device" in first.reason
    (left,) = half_done.left
    assert left.why == "unfinished"
    assert "cannot be finished" in left.detail
    assert "No space left on device" in left.detail
    assert len(scored) == 1
    assert {p: p.stat().st_mtime_ns for p in scored} == {
        p: s.st_mtime_ns for p, s in scored.items()
    }
    assert on_record(feed) == [("gaps.parquet", "split", 1)]
    assert (later.outputs.scored, later.outputs.rejected) == (7, 3)
    hidden = {p.name for p in disk.path.iterdir() if p.name.startswith(".")}
    assert hidden <= {".contents", ".published", ".untold"}
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []


def test_a_removal_that_breaks_off_leaves_no_second_batch(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Remains in the inbox of a folder that was archived on another disk are not scored."""
    disk = make_disk("archive")
    feed = make_feed(folders={"archive": str(disk.path)}, archive=True)
    (feed.inbox / "a").mkdir()
    for part in range(3):
        rows(part + 1).write_parquet(feed.inbox / "a" / f"{part}.parquet")

    really_remove = shutil.rmtree

    def broken(folder: Path, **options: bool) -> None:
        if folder != feed.inbox / "a":
            really_remove(folder, **options)
            return
        next(iter(folder.iterdir())).unlink()
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", broken)
        score_feed(feed)
    left = everything_below(feed.inbox)
    (receipt,) = score_feed(feed).receipts

    assert len(left) == 2
    assert (receipt.disposition, receipt.rows_in) == ("passed", 6)
    assert on_record(feed) == [("a", "passed", 1)]
    assert list(feed.inbox.iterdir()) == []
    assert len(everything_below(feed.resolve(receipt.outputs.batch or ""))) == 3


# ----- no permission -----


def test_a_folder_of_predictions_that_is_read_only_stops_only_what_is_scored(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str
) -> None:
    """Nothing is published, the batch stays, and a batch that does not fit is quarantined."""
    disk = make_disk("scored")
    feed = make_feed(folders={"scored": str(disk.path)})
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    disk.forbid_writing()

    first = by_batch(score_feed(feed))
    disk.allow_writing()

    assert first["good.parquet"].disposition == "errored"
    assert "Read-only file system" in first["good.parquet"].reason
    assert "its permissions" in first["good.parquet"].reason
    assert first["bad.parquet"].disposition == "quarantined"
    assert everything_below(feed.inbox) == {"good.parquet"}
    assert fared(feed) == {"good.parquet": "passed"}


def test_an_inbox_that_is_read_only_keeps_its_batches_and_is_scored(
    make_disk: MakeDisk, make_feed: MakeFeed, line: str
) -> None:
    """A batch that fits is scored in place; one that does not is judged once and moved later."""
    disk = make_disk("inbox")
    feed = make_feed(folders={"inbox": str(disk.path)})
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    disk.forbid_writing()

    first = fared(feed)
    second = score_feed(feed)
    disk.allow_writing()
    third = fared(feed)

    assert first == {"good.parquet": "passed", "bad.parquet": "errored"}
    assert "Read-only file system" in second.unfinished[0].detail
    assert third == {"bad.parquet": "quarantined"}
    assert everything_below(feed.inbox) == {"good.parquet"}
    assert sorted(on_record(feed)) == [
        ("bad.parquet", "quarantined", 1),
        ("good.parquet", "passed", 1),
    ]


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that any account may enter, unlike pytest's own."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.parametrize("kind", ["file", "folder", "folder in a folder"])
def test_a_batch_that_may_not_be_read_stops_no_other_and_is_not_passed_over(
    anybodys: Path, kind: str
) -> None:
    """It is reported with the cause, the run counts as broken, and the other batch is scored."""
    feed = Feed.parse({"name": "x", "model": "m", "root": str(anybodys), "settle_seconds": 0})
    closed = feed.inbox / {"file": "a.csv", "folder": "a", "folder in a folder": "a/b"}[kind]
    closed.parent.mkdir(parents=True)
    closed.write_text("x") if kind == "file" else closed.mkdir()
    (feed.inbox / "b.csv").write_text("x")
    for folder in (feed.root, feed.inbox, *feed.inbox.glob("a")):
        Path(folder).chmod(0o777)
    closed.chmod(0)

    with unprivileged():
        found = select_candidates(feed)
    closed.chmod(0o777)

    assert [candidate.batch.path for candidate in found.candidates] == ["b.csv"]
    (left,) = found.left
    assert (left.batch, left.why) == (closed.relative_to(feed.inbox).parts[0], "inaccessible")
    assert "cannot be read: Permission denied. Look after its permissions" in left.detail
    assert found.summary(feed).unfinished == (left,)


def test_a_disk_that_breaks_off_is_not_taken_for_a_bad_batch(
    make_feed: MakeFeed, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk error while the inbox is listed is reported, and no batch is quarantined."""
    feed = make_feed()
    deliver(feed, "good.parquet", rows(5))
    real = os.stat

    def broken(path: object, *rest: object, **more: object) -> os.stat_result:
        if str(path).endswith("good.parquet"):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(path, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", broken)
        summary = score_feed(feed)

    assert [left.why for left in summary.left] == ["inaccessible"]
    assert "Input/output error" in summary.left[0].detail
    assert fared(feed) == {"good.parquet": "passed"}


@pytest.mark.parametrize("lasts", [False, True])
def test_one_failed_read_does_not_condemn_a_batch(
    make_feed: MakeFeed, line: str, monkeypatch: pytest.MonkeyPatch, lasts: bool
) -> None:
    """A reader that takes an error of the disk for broken content is asked twice, the disk once."""
    feed = make_feed()
    deliver(feed, "good.parquet", rows(5))
    really_judge, really_open = attempts.judge_batch, Path.open
    looks = list[int]()

    def judge(attempt: Attempt, batch: object) -> CheckResult:
        looks.append(1)
        result = really_judge(attempt, batch)
        return unread(result) if len(looks) == 1 else result

    def failing(path: Path, *rest: object, **more: object) -> object:
        if lasts and looks and path.name == "good.parquet":
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return really_open(path, *rest, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(attempts, "judge_batch", judge)
        patch.setattr(Path, "open", failing)
        first = fared(feed)

    assert first == {"good.parquet": "errored" if lasts else "passed"}
    assert (feed.inbox / "good.parquet").exists()
    assert [d for _, d, _ in on_record(feed) if d == "quarantined"] == []


def unread(result: CheckResult) -> CheckResult:
    """Say of a batch that it could not be read."""
    violation = Violation(kind="unreadable", expected="x", observed="y", remedy="z")
    verdict = result.verdict.model_copy(update={"violations": (violation,), "rows": None})
    return replace(result, verdict=verdict)
