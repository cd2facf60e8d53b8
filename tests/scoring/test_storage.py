from __future__ import annotations

import errno
import os
import resource
import shutil
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from feeds import (
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
)
from killed_process import hold_claim, score_and_die, score_side_by_side

from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.errors import BatchChanged, GateError
from signature_gate.expectations.verdict.verdict import BatchInfo, Verdict
from signature_gate.tasks.feed.identity import identify
from signature_gate.tasks.feed.inbox import SkippedBatch
from signature_gate.tasks.feed.receipt import Outputs, Receipt
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.quarantine.standalone import quarantine
from signature_gate.tasks.scoring.attempt import run_attempt
from signature_gate.tasks.scoring.feed_run import current_intent, score_feed
from signature_gate.tasks.scoring.one_batch import score_one
from signature_gate.tasks.scoring.selection import select_candidates
from signature_gate.tasks.storage.atomic import atomic_write, is_moved, move, publish_new
from signature_gate.tasks.storage.claims import claimed
from signature_gate.tasks.storage.intent import Intent, read_intent
from signature_gate.tasks.storage.journal import CHECKPOINTS, CommitPlan, Rename, write_plan
from signature_gate.tasks.storage.transaction import abort, begin_attempt, prepare, recover

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from signature_gate.tasks.feed.feed import Feed

SIGNATURE = {"inputs": '[{"type": "double", "name": "a"}]', "outputs": None, "params": None}
OTHER_DISK = Path("/dev/shm")  # noqa: S108 - what matters is that it is another file system


@pytest.fixture
def feed(make_feed: Callable[..., Feed]) -> Feed:
    """A feed that keeps what it scored in an archive, and splits what does not fit."""
    return make_feed(archive=True, policy={"on_mismatch": "split", "max_rejected": 0.5})


@pytest.fixture
def intent() -> Intent:
    """The intent to score with some version."""
    model = ModelVersion(uri="models:/m@x", pinned="models:/m/1", name="m", version="1")
    return Intent(model=model, signature=SIGNATURE)


def started(feed: Feed, intent: Intent, name: str = "a.parquet") -> Any:
    """Deliver a batch and begin an attempt on it."""
    prepare(feed)
    path = feed.inbox / name
    if not path.exists():
        deliver(feed, name, rows(2))
    return begin_attempt(ReceiptStore(feed), identify(path, name), path, intent, datetime.now(UTC))


def receipt_of(attempt: Any, *, final: bool = True) -> Receipt:
    """Make a receipt for an attempt."""
    now = datetime.now(UTC)
    facts = {"name": attempt.batch.path, "format": "parquet"}
    return Receipt(
        feed="line",
        batch={**facts, "id": attempt.batch.id, "identity": attempt.batch},  # pyright: ignore[reportArgumentType]
        model=attempt.intent.model,
        contract="0",
        policy="0",
        disposition="quarantined" if final else "errored",
        final=final,
        attempt=attempt.number,
        started=now,
        finished=now,
        gate_version="0",
    )


# ----- files -----


@pytest.mark.parametrize("taken_by", ["file", "folder", "dangling link"])
def test_a_move_never_overwrites(tmp_path: Path, taken_by: str) -> None:
    """Whatever stands at the destination stays as it is, and so does the source."""
    source, destination = tmp_path / "source", tmp_path / "destination"
    source.write_text("new")
    if taken_by == "file":
        destination.write_text("old")
    elif taken_by == "folder":
        destination.mkdir()
    else:
        destination.symlink_to(tmp_path / "nowhere")

    with pytest.raises(FileExistsError, match="nothing is overwritten"):
        move(source, destination)

    assert source.read_text() == "new"
    assert not destination.is_file() or destination.read_text() == "old"


def test_a_move_that_was_made_can_be_made_again(tmp_path: Path) -> None:
    """Recovery repeats a step without harm; a step with neither end is an error."""
    (tmp_path / "source").write_text("x")

    move(tmp_path / "source", tmp_path / "new" / "folder" / "destination")
    move(tmp_path / "source", tmp_path / "new" / "folder" / "destination")

    assert everything_below(tmp_path) == {"new/folder/destination"}
    with pytest.raises(FileNotFoundError):
        move(tmp_path / "source", tmp_path / "elsewhere")


@pytest.mark.skipif(
    not OTHER_DISK.is_dir() or OTHER_DISK.stat().st_dev == Path("/tmp").stat().st_dev,  # noqa: S108
    reason="there is no second file system",
)
@pytest.mark.parametrize("kind", ["file", "folder"])
def test_a_move_between_disks_is_whole_or_not_there(tmp_path: Path, kind: str) -> None:
    """Between file systems the public name appears at once; a crash in between is made good."""
    destination = OTHER_DISK / f"signature-gate-{os.getpid()}-{kind}" / "moved"
    source = tmp_path / "source"
    inner = source / "x" if kind == "folder" else source
    inner.parent.mkdir(exist_ok=True)
    inner.write_text("content")
    try:
        move(source, destination)
        crashed_before_removal = tmp_path / "copy"
        crashed_before_removal.mkdir() if kind == "folder" else None
        again = crashed_before_removal / "x" if kind == "folder" else crashed_before_removal
        again.write_text("content")
        move(crashed_before_removal, destination)

        assert is_moved(source, destination)
        assert is_moved(crashed_before_removal, destination)
        again.parent.mkdir(exist_ok=True)
        again.write_text("something else")
        with pytest.raises(FileExistsError):
            move(crashed_before_removal, destination)
    finally:
        shutil.rmtree(destination.parent)


def test_a_receipt_is_created_once(tmp_path: Path) -> None:
    """The second to give a file its public name is told so, and the first one's content stays."""
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)

    publish_new(tmp_path / "receipt", tmp_path / "first")

    with pytest.raises(FileExistsError):
        publish_new(tmp_path / "receipt", tmp_path / "second")
    assert (tmp_path / "receipt").read_text() == "first"


def test_a_disk_without_hard_links_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where links are not to be had, a rename under the claim keeps the promise."""

    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", no_links)
    for name in ("first", "second"):
        (tmp_path / name).write_text(name)

    publish_new(tmp_path / "receipt", tmp_path / "first")

    with pytest.raises(FileExistsError):
        publish_new(tmp_path / "receipt", tmp_path / "second")
    assert (tmp_path / "receipt").read_text() == "first"


def test_a_reader_never_sees_half_a_file(tmp_path: Path) -> None:
    """A file that is written again and again is whole at each moment that somebody looks."""
    path, stop, seen = tmp_path / "file", threading.Event(), set[str]()

    def read() -> None:
        while not stop.is_set():
            if path.exists():
                seen.add(path.read_text())

    reader = threading.Thread(target=read)
    reader.start()
    for letter in "abcdefgh" * 5:
        atomic_write(path, letter * 200_000)
    stop.set()
    reader.join()

    assert seen <= {letter * 200_000 for letter in "abcdefgh"}


# ----- claims -----


def test_a_claim_excludes_everybody_else(feed: Feed) -> None:
    """Of eight workers that want one batch again and again, there are never two at work."""
    prepare(feed)
    at_work, most, wins = [0], [0], [0]

    def work() -> None:
        for _ in range(100):
            with claimed(feed, "batch") as won:
                if won:
                    at_work[0] += 1
                    most[0] = max(most[0], at_work[0])
                    wins[0] += 1
                    time.sleep(0.0005)
                    at_work[0] -= 1

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert most == [1]
    assert wins[0] > 8
    assert everything_below(feed.claims) == set()


def test_the_kernel_frees_the_claim_of_a_dead_worker(feed: Feed, tmp_path: Path) -> None:
    """A worker that is killed leaves nothing that anybody has to clean up."""
    prepare(feed)
    worker = hold_claim(feed, "batch", tmp_path / "holding")
    while not (tmp_path / "holding").exists():
        time.sleep(0.01)

    with claimed(feed, "batch") as while_it_lives:
        pass
    worker.kill()
    worker.join()
    with claimed(feed, "batch") as when_it_is_dead:
        pass

    assert (while_it_lives, when_it_is_dead) == (False, True)


def test_a_crashed_attempt_binds_the_next_one(feed: Feed, intent: Intent) -> None:
    """Pinned version and policy outlast a crash, even if the alias has moved meanwhile."""
    started(feed, intent)
    newer = intent.model_copy(
        update={"model": intent.model.model_copy(update={"pinned": "models:/m/2", "version": "2"})}
    )

    attempt = started(feed, newer)

    assert attempt.intent.model.version == "1"
    assert attempt.intent.starts == 2


def test_an_intent_that_nobody_understands_stops_only_its_batch(feed: Feed, intent: Intent) -> None:
    """What cannot be read is neither guessed nor removed; the message names the file."""
    attempt = started(feed, intent)
    path = feed.intent(attempt.batch.id)
    path.write_text("{}")

    (left,) = recover(feed, {attempt.batch.id})

    assert isinstance(left, SkippedBatch)
    assert str(path) in left.detail
    assert path.exists()


def test_the_intent_of_a_batch_that_is_gone_is_swept(feed: Feed, intent: Intent) -> None:
    """A producer who takes a batch back after a crash leaves no litter behind."""
    attempt = started(feed, intent)
    attempt.path.unlink()

    assert list(recover(feed, set())) == []
    assert everything_below(feed.claims) == set()
    assert list(feed.staging.iterdir()) == []


# ----- receipts -----


def test_attempts_are_numbered_by_version(feed: Feed, intent: Intent) -> None:
    """Each attempt has a receipt of its own, which points to the one before."""
    first = started(feed, intent)
    abort(first, receipt_of(first, final=False))
    second = started(feed, intent)

    assert (first.number, second.number) == (1, 2)
    assert second.previous == f"{first.batch.id}@1.1.json"
    assert ReceiptStore(feed).next_attempt(first.batch.id, "2") == 1


def test_a_receipt_that_cannot_be_read_is_named(feed: Feed, intent: Intent) -> None:
    """A damaged record is no licence to score a batch once more."""
    attempt = started(feed, intent)
    abort(attempt, receipt_of(attempt))
    (file,) = feed.receipts.glob("*.json")
    file.write_text("{")

    with pytest.raises(GateError, match=str(file)):
        ReceiptStore(feed).for_batch(attempt.batch.id)


# ----- the turning point -----


def test_a_batch_that_was_altered_meanwhile_is_not_published(
    feed: Feed,
    line: str,
) -> None:
    """Identity is taken once more before anything is published; nothing shows outside staging."""
    attempt = started(feed, current_intent(feed))

    with pytest.raises(BatchChanged):
        run_attempt(attempt, watch=lambda *_: deliver(feed, "a.parquet", rows(3)) and None)

    assert everything_below(Path(feed.root)) - {f"inbox/{attempt.batch.path}"} == {
        f"claims/{attempt.batch.id}.intent",
        f".staging/{attempt.batch.id}/predictions.parquet",
    }


def test_a_taken_name_stops_the_batch_before_anything_is_published(
    feed: Feed,
    line: str,
) -> None:
    """Predictions that no receipt knows of are neither overwritten nor taken for the batch's."""
    path = deliver(feed, "a.parquet", rows(2))
    batch = identify(path, "a.parquet")
    taken = feed.predictions(batch.id, "line", "1")
    taken.parent.mkdir(parents=True)
    taken.write_text("somebody else's")

    (receipt,) = score_feed(feed).receipts

    assert receipt.disposition == "errored"
    assert "Move it away" in receipt.reason
    assert path.exists()
    assert taken.read_text() == "somebody else's"


@pytest.mark.parametrize("meanwhile", ["replaced", "taken away"])
def test_recovery_does_not_quarantine_what_came_after(
    feed: Feed, intent: Intent, meanwhile: str
) -> None:
    """A new file under the old name stays in the inbox; the record says the old one is gone."""
    attempt = started(feed, intent)
    staged = attempt.staging / "quarantine"
    staged.mkdir()
    (staged / "verdict.json").write_text(Verdict(batch=BatchInfo(name="a", format="x")).to_json())
    place = feed.quarantined(attempt.batch.id)
    moves = (
        Rename(source="inbox/a.parquet", destination=feed.relative(staged / attempt.batch.file)),
        Rename(source=feed.relative(staged), destination=feed.relative(place)),
    )
    outputs = Outputs(batch=feed.relative(place / attempt.batch.file))
    told = receipt_of(attempt).model_copy(update={"outputs": outputs})
    write_plan(feed, CommitPlan(moves=moves, receipt=told))
    attempt.path.unlink()
    if meanwhile == "replaced":
        deliver(feed, "a.parquet", rows(7))

    (receipt,) = recover(feed, set())

    assert isinstance(receipt, Receipt)
    assert receipt.outputs.batch is None
    assert attempt.path.exists() == (meanwhile == "replaced")
    assert everything_below(place) == {"verdict.json"}
    assert list(feed.staging.iterdir()) == []


@pytest.mark.parametrize(
    ("point", "times"),
    [
        ("bound", 2),
        ("staged", 2),
        ("planned", 1),
        *(("moved", step) for step in (1, 2, 3, 4)),
        ("committed", 2),
    ],
)
def test_a_worker_that_is_killed_loses_nothing_and_doubles_nothing(
    feed: Feed,
    line: str,
    point: str,
    times: int,
) -> None:
    """Killed at a write point and started again, each batch ends in one place with one receipt."""
    deliver(feed, "1-bad.parquet", rows(2, a=["x", "y"]))
    deliver(feed, "2-gaps.parquet", gaps(10, 3))
    deliver(feed, "3-good.parquet", rows(5))

    assert score_and_die(feed, point, times) == -9
    published = everything_below(Path(feed.root) / "scored")
    score_feed(feed)

    ledger = ReceiptStore(feed)
    receipts = [receipt for batch in ledger.batches() for receipt in ledger.for_batch(batch)]
    assert [r.disposition for r in receipts] == ["quarantined", "split", "passed"]
    assert all(r.final and r.attempt == 1 for r in receipts)
    assert sum(r.rows_in or 0 for r in receipts) == 2 + 10 + 5
    assert sum(r.outputs.scored + (r.outputs.rejected or 0) for r in receipts) == 2 + 10 + 5
    assert published <= everything_below(Path(feed.root) / "scored")
    assert len(everything_below(Path(feed.root) / "scored")) == 2
    assert everything_below(feed.inbox) == set()
    assert everything_below(feed.claims) == set()
    assert list(feed.staging.iterdir()) == []
    assert all(feed.resolve(r.outputs.batch or "").is_file() for r in receipts)
    assert point in CHECKPOINTS


@pytest.mark.parametrize("point", ["planned", "committed"])
def test_the_next_worker_finishes_what_the_one_that_died_had_planned(
    feed: Feed, line: str, point: str
) -> None:
    """It need not wait for the next run: the receipt is the dead worker's, and nothing is left."""
    deliver(feed, "gaps.parquet", gaps(10, 3))
    [candidate], intent = select_candidates(feed).candidates, current_intent(feed)
    assert score_and_die(feed, point, 1) == -9

    receipt = score_one(feed, intent, candidate)

    assert isinstance(receipt, Receipt)
    assert ReceiptStore(feed).for_batch(candidate.batch.id) == [receipt]
    assert list(feed.staging.iterdir()) == []
    assert everything_below(feed.claims) == set()


def test_the_next_worker_clears_what_the_one_that_died_had_not(feed: Feed, line: str) -> None:
    """Killed while it removed its staging folder, of which the plan went first."""
    deliver(feed, "gaps.parquet", gaps(10, 3))
    [candidate], intent = select_candidates(feed).candidates, current_intent(feed)
    assert score_and_die(feed, "committed", 1) == -9
    (feed.staged(candidate.batch.id) / "plan.json").unlink()

    left = score_one(feed, intent, candidate)

    assert isinstance(left, SkippedBatch)
    assert len(ReceiptStore(feed).for_batch(candidate.batch.id)) == 1
    assert list(feed.staging.iterdir()) == []
    assert everything_below(feed.claims) == set()


def test_two_workers_share_a_feed(feed: Feed, line: str) -> None:
    """Two processes score one feed at a time, and each batch is scored by one of them."""
    for number in range(30):
        deliver(feed, f"{number}.parquet", rows(5) if number % 3 else rows(2, a=["x", "y"]))

    assert score_side_by_side(feed, 2) == [0, 0]
    score_feed(feed)

    ledger = ReceiptStore(feed)
    attempts = [len(ledger.for_batch(batch)) for batch in ledger.batches()]
    assert attempts == [1] * 30
    assert everything_below(feed.inbox) == everything_below(feed.claims) == set()


@pytest.fixture
def limit_files() -> Iterator[Callable[[int], None]]:
    """Let the kernel refuse files of more than so many bytes; no limit in the end."""
    before, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    yield lambda size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    resource.setrlimit(resource.RLIMIT_FSIZE, (before, hard))


def test_a_disk_that_takes_no_more_loses_nothing(
    make_feed: Callable[..., Feed],
    line: str,
    limit_files: Callable[[int], None],
) -> None:
    """What cannot be written is errored and leaves no trace; with more room it is scored."""
    feed = make_feed(policy={"on_mismatch": "split", "max_rejected": 0.9})
    deliver(feed, "large.parquet", rows(60_000))
    deliver(feed, "large split.parquet", gaps(60_000, 50_000))
    deliver(feed, "small.parquet", rows(5))
    limit_files(100_000)

    fared = {name: r.disposition for name, r in by_batch(score_feed(feed)).items()}
    published = everything_below(Path(feed.root) / "scored")
    limit_files(resource.RLIM_INFINITY)
    later = {name: r.disposition for name, r in by_batch(score_feed(feed)).items()}

    errored = {"large.parquet": "errored", "large split.parquet": "errored"}
    assert fared == {**errored, "small.parquet": "passed"}
    assert len(published) == 1
    assert later == {"large.parquet": "passed", "large split.parquet": "split"}
    assert list(feed.staging.iterdir()) == []


def test_recovery_keeps_to_the_version_that_judged(
    feed: Feed,
    line: str,
) -> None:
    """The alias moves between crash and restart; the batch is scored by the version that began."""
    import mlflow

    deliver(feed, "a.parquet", rows(3))
    assert score_and_die(feed, "staged") == -9
    client = mlflow.MlflowClient()
    client.set_registered_model_alias("line", "champion", "2")
    try:
        summary = score_feed(feed)
    finally:
        client.set_registered_model_alias("line", "champion", "1")

    receipt = by_batch(summary)["a.parquet"]
    assert summary.model
    assert summary.model.version == "2"
    assert receipt.model.version == "1"
    assert "version=1" in (receipt.outputs.predictions or "")


def test_the_batch_of_a_worker_that_keeps_dying_is_taken_last(
    feed: Feed,
    line: str,
) -> None:
    """A batch that brings workers down does not keep the others from being scored."""
    deliver(feed, "1.parquet", rows(3))
    deliver(feed, "2.parquet", rows(4))
    assert score_and_die(feed, "bound") == -9

    summary = score_feed(feed)

    assert [receipt.batch.name for receipt in summary.receipts] == ["2.parquet", "1.parquet"]


# ----- quarantine for anybody's flow -----


def test_a_quarantine_that_was_interrupted_is_completed(feed: Feed) -> None:
    """The batch moves last, so that it is never out of sight; the same call goes on from there."""
    path = deliver(feed, "a.parquet", rows(2))
    verdict = Verdict(batch=BatchInfo(name="a.parquet", format="parquet", uri=str(path)), rows=2)
    place = quarantine(path, verdict, feed.quarantined("x").parent)
    (file,) = place.glob("*.parquet")
    file.rename(path)

    again = quarantine(path, verdict, place.parent)

    assert again == place
    assert everything_below(place) == {file.name, "verdict.json", "report.html"}
    assert not path.exists()
    assert read_intent(feed, "a") is None
