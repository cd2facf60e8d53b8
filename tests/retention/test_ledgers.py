"""Old receipts are compacted into ledgers, and everything reads them as before."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import sample_histories
from feeds import deliver, gaps, rows
from killed_process import start_command

from signature_gate.expectations.errors import GateError
from signature_gate.tasks.feed.history import look_back
from signature_gate.tasks.feed.identity import Identity
from signature_gate.tasks.feed.inbox import look_into
from signature_gate.tasks.feed.receipt_files import read_receipt, receipt_place
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.feed.untold import untold
from signature_gate.tasks.monitoring.pages import write_overview
from signature_gate.tasks.quarantine.entries import entries, find_entry, history
from signature_gate.tasks.scoring.feed_history import past_of
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage import compaction
from signature_gate.tasks.storage.compaction import LEDGER_CHECKPOINTS, compact

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


def later() -> datetime:
    """Return an instant that all receipts are older than."""
    return datetime.now(UTC) + timedelta(seconds=1)


def files_of_receipts(feed: Feed) -> dict[str, bytes]:
    """Read all receipts that are files of their own."""
    return {path.name: path.read_bytes() for path in feed.receipts.glob("*.json")}


def texts(feed: Feed) -> dict[str, str]:
    """Read the names and texts in all ledgers, with Polars alone."""
    frame = pl.read_parquet(feed.receipts / "ledgers" / "*.parquet", columns=["file", "text"])
    return dict(frame.rows())


def everything_about(feed: Feed) -> dict[str, Any]:
    """Ask all that the gate asks its receipts."""
    store = ReceiptStore(feed)
    identities = look_into(feed).ready
    seen = look_back(feed, 3)
    return {
        "batches": store.batches(),
        "receipts": {batch: store.for_batch(batch) for batch in store.batches()},
        "settled": {batch: store.is_settled(batch) for batch in store.batches()},
        "attempts": {batch: store.next_attempt(batch, "1") for batch in store.batches()},
        "identities": identities,
        "superseded": [store.superseded(identity) for identity in identities],
        "twins": [store.same_content(identity) for identity in identities],
        "history": (seen.receipts, [(t.batch, t.file, t.written, t.version) for t in seen.traces]),
        "pages": past_of(feed),
        "untold": untold(feed),
        "quarantine": [(e.name, history(feed, e)) for e in entries(feed)],
        "found": [find_entry(feed, "gaps.parquet")],
    }


@pytest.fixture
def feed(make_feed: FeedMaker, line: str) -> Feed:
    """A feed with batches that passed, split, are quarantined, supersede one, and are a twin."""
    made = make_feed(policy=SPLIT)
    deliver(made, "good.parquet", rows(4))
    deliver(made, "gaps.parquet", gaps(10, 2))
    deliver(made, "half.parquet", gaps(10, 8))
    deliver(made, "again.parquet", rows(5))
    score_feed(made)
    deliver(made, "again.parquet", rows(6))
    deliver(made, "twin.parquet", rows(4))
    deliver(made, "late.parquet", rows(3))
    score_feed(made)
    return made


def test_everything_reads_a_ledger_as_it_read_files(feed: Feed) -> None:
    """Lookups, duplicates, history, pages and quarantine answer the same; no run scores again."""
    before, files = everything_about(feed), files_of_receipts(feed)

    done = compact(feed, later())

    assert (done.receipts, done.kept) == (len(files), ())
    assert files_of_receipts(feed) == {}
    assert everything_about(feed) == before
    assert any(before["twins"])
    assert any(before["superseded"])
    assert score_feed(feed).receipts == ()
    assert write_overview([feed], feed.inbox.parent / "pages").is_file()


def test_the_exact_text_of_a_receipt_is_recoverable(feed: Feed) -> None:
    """The ledger's ``text`` holds the bytes of the files, and its columns say which is which."""
    files = files_of_receipts(feed)

    (ledger,) = compact(feed, later()).ledgers

    assert {name: text.encode() for name, text in texts(feed).items()} == files
    found = pl.read_parquet(ledger)
    assert set(found["disposition"]) == {"passed", "split", "quarantined"}
    assert found["identity"].struct.field("digest").null_count() == 0
    assert found["finished"].dt.strftime("%Y-%m").unique().to_list() == [ledger.stem]


def test_a_compacted_batch_is_known_by_its_content(feed: Feed) -> None:
    """What arrives under another name a year later is a duplicate, and is left alone if asked."""
    compact(feed, later())
    assert not any((feed.receipts / ".contents").iterdir())
    deliver(feed, "yet-another.parquet", rows(5))

    skipping = feed.model_copy(update={"on_duplicate": "skip"})
    (left,) = score_feed(skipping).left

    assert left.why == "duplicate"
    assert "again-" in left.detail


def test_receipts_join_the_ledger_of_their_month(tmp_path: Path) -> None:
    """One ledger a month, which grows; younger receipts stay files; nothing is lost on the way."""
    feed = sample_histories.feed_at(tmp_path)
    days = [sample_histories.BEGIN + timedelta(days=n) for n in range(90)]
    made = [sample_histories.receipt(n, started=day, finished=day) for n, day in enumerate(days)]
    sample_histories.keep(feed, *made)
    written = files_of_receipts(feed)
    traces = look_back(feed, 90).traces

    for day in (10, 20, 50, 50):
        compact(feed, days[day])
        stored = texts(feed)
        assert len(stored) == day
        assert {**files_of_receipts(feed), **{n: t.encode() for n, t in stored.items()}} == written

    assert [ledger.name for ledger in sorted((feed.receipts / "ledgers").iterdir())] == [
        "2026-01.parquet",
        "2026-02.parquet",
    ]
    assert look_back(feed, 90).receipts == tuple(made)
    assert [trace[:4] for trace in look_back(feed, 90).traces] == [trace[:4] for trace in traces]
    compacted = feed.receipts / made[0].file
    assert receipt_place(compacted) == feed.receipts / "ledgers" / "2026-01.parquet"
    assert read_receipt(compacted) == made[0]


def test_many_receipts_of_a_month_are_each_found(tmp_path: Path) -> None:
    """Also beyond the first group of rows, and in the last, which is shorter."""
    feed = sample_histories.feed_at(tmp_path)
    made = [sample_histories.receipt(number) for number in range(600)]
    sample_histories.keep(feed, *made[:300])
    compact(feed, later())
    sample_histories.keep(feed, *made[300:])
    compact(feed, later())

    for number in (0, 255, 256, 299, 300, 511, 512, 599):
        assert read_receipt(feed.receipts / made[number].file) == made[number]


def test_a_receipt_that_differs_from_its_ledger_stays(tmp_path: Path) -> None:
    """So does what is no receipt; both are named, and nothing is overwritten."""
    feed = sample_histories.feed_at(tmp_path)
    sample_histories.keep(feed, sample_histories.receipt(1), sample_histories.receipt(2))
    compact(feed, later())
    edited = sample_histories.receipt(1).model_copy(update={"policy": "another"})
    sample_histories.keep(feed, edited)
    (feed.receipts / "stray.json").write_text("{")

    done = compact(feed, later())

    assert done.kept == (edited.file, "stray.json")
    assert set(files_of_receipts(feed)) == {edited.file, "stray.json"}
    assert '"policy":"p"' in texts(feed)[edited.file]
    # A file of its own is what was written last.
    assert read_receipt(feed.receipts / edited.file).policy == "another"


def test_young_receipts_are_not_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A nightly call reads what has become old since the night before, and no more."""
    feed = sample_histories.feed_at(tmp_path)
    made = [sample_histories.receipt(number) for number in range(5)]
    sample_histories.keep(feed, *made)
    opened: list[str] = []
    monkeypatch.setattr(
        compaction, "read_receipt", lambda path: opened.append(path.name) or read_receipt(path)
    )

    compact(feed, made[2].finished)

    assert opened == sorted(receipt.file for receipt in made[:2])


def test_who_looked_before_a_compaction_reads_after_it(tmp_path: Path) -> None:
    """A run that listed the files finds their receipts in the ledger that took them."""
    feed = sample_histories.feed_at(tmp_path)
    made = sample_histories.receipt(1)
    sample_histories.keep(feed, made)
    store = ReceiptStore(feed).indexed()

    compact(feed, later())

    assert store.for_batch(made.batch.id) == [made]
    assert store.is_settled(made.batch.id)


def test_a_content_is_noted_though_its_folder_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compaction removes the empty folder of a content just when a run puts a mark into it."""
    feed = sample_histories.feed_at(tmp_path)
    batch = Identity(path="a.parquet", bytes=1, stamp=1, digest="blake2b:abc")
    touch, removed = Path.touch, list[Path]()

    def remove_first(path: Path, *arguments: Any) -> None:
        if not removed:
            path.parent.rmdir()
            removed.append(path.parent)
        touch(path, *arguments)

    monkeypatch.setattr(Path, "touch", remove_first)
    ReceiptStore(feed).note_content(batch)

    assert removed
    assert (feed.receipts / ".contents" / "abc" / batch.id).exists()


def test_a_damaged_ledger_stops_the_feed(feed: Feed) -> None:
    """No batch is scored twice for want of its receipt; the error names the ledger."""
    (ledger,) = compact(feed, later()).ledgers
    whole = ledger.read_bytes()
    ledger.write_bytes(whole[: len(whole) // 2])
    deliver(feed, "new.parquet", rows(7))

    with pytest.raises(GateError, match="Restore it from a backup"):
        score_feed(feed)

    ledger.write_bytes(whole)
    assert [receipt.batch.name for receipt in score_feed(feed).receipts] == ["new.parquet"]


def test_nothing_is_compacted_in_a_rehearsal(tmp_path: Path) -> None:
    """It counts, and writes nothing."""
    feed = sample_histories.feed_at(tmp_path)
    sample_histories.keep(feed, sample_histories.receipt(1))

    planned = compact(feed, later(), dry_run=True)

    assert planned.receipts == 1
    assert [p.name for p in feed.receipts.iterdir()] == [sample_histories.receipt(1).file]


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize(
    ("point", "times"),
    [(p, n) for p in LEDGER_CHECKPOINTS for n in (1, 2, 4) if n == 1 or p == "receipt removed"],
)
def test_a_killed_compaction_loses_no_receipt(
    tmp_path: Path, written: Callable[[Feed], str], point: str, times: int, grown: bool
) -> None:
    """After a kill at any write each receipt reads as before, and the next call ends the work."""
    feed = sample_histories.feed_at(tmp_path / "feed")
    made = [sample_histories.receipt(number) for number in range(8)]
    if grown:
        sample_histories.keep(feed, *made[:4])
        compact(feed, later())
    sample_histories.keep(feed, *made[4 if grown else 0 :])
    texts_before = {**files_of_receipts(feed), **(texts(feed) if grown else {})}

    worker = start_command(
        ["prune", written(feed), "--older-than", "0m"], tmp_path / "log", point, times
    )
    worker.join(60)

    assert worker.exitcode == -9
    assert look_back(feed, 8).receipts == tuple(made)
    assert len(look_back(feed, 8).traces) == 8
    assert compact(feed, later()).kept == ()
    assert look_back(feed, 8).receipts == tuple(made)
    assert set(texts(feed)) == set(texts_before)
    assert files_of_receipts(feed) == {}
    assert list(feed.receipts.rglob("*.partial")) == []


def test_a_run_goes_on_while_receipts_are_compacted(make_feed: FeedMaker, line: str) -> None:
    """Receipts that move into a ledger at any moment make no run score twice, or miss a twin."""
    feed = make_feed()
    for number in range(16):
        deliver(feed, f"{number:02}.parquet", rows(1 + number % 4))
    scored = Event()

    def go_on_compacting() -> int:
        moved = 0
        while not scored.is_set():
            moved += compact(feed, later()).receipts
        return moved

    with ThreadPoolExecutor(1) as pool:
        moved = pool.submit(go_on_compacting)
        summaries = [score_feed(feed) for _ in range(3)]
        scored.set()

    (whole, *quiet) = summaries
    assert moved.result() > 0
    assert [receipt.disposition for receipt in whole.receipts] == ["passed"] * 16
    assert [bool(receipt.same_as) for receipt in whole.receipts] == [False] * 4 + [True] * 12
    assert [(summary.receipts, summary.done) for summary in quiet] == [((), 16)] * 2
    compact(feed, later())
    assert len(texts(feed)) == 16
