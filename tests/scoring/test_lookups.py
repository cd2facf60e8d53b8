"""What a batch costs beside the scoring, however long the feed's past is: counted, not timed."""

from __future__ import annotations

import os
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from feeds import deliver, rows
from killed_process import score_side_by_side
from sample_histories import feed_at

from signature_gate.expectations.registry import client
from signature_gate.expectations.registry.connection import ask_registry
from signature_gate.tasks.feed import receipt_files, receipt_store
from signature_gate.tasks.feed.ledger import NameIndex
from signature_gate.tasks.feed.receipt_files import own_files
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import Progress, score_feed
from signature_gate.tasks.scoring.selection import preview

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

# What is flushed of a batch that passes, and why.
FLUSHED = {
    ".staging": 1,  # the name of the batch's folder, before a plan stands in it
    ".BATCH.intent.partial": 1,  # torn, it would stop the batch
    "predictions.parquet": 1,  # whole before a plan names them
    ".receipt.json.partial": 1,  # now, because a full disk must not stop the commit
    ".plan.json.partial": 1,  # the turning point
    "BATCH": 2,  # the plan's own name; then, that the predictions have left
    "version=1": 1,  # the public name of the predictions, before a receipt speaks of it
    "receipts": 1,  # the commit
}


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Count the listings of folders, and what is flushed, by name."""
    counted = Counter[str]()
    listdir, fsync = os.listdir, os.fsync

    def listing(path: str = ".") -> list[str]:
        counted[f"list {Path(path).name}"] += 1
        return listdir(path)

    def flushing(handle: int) -> None:
        counted[f"flush {Path(f'/proc/self/fd/{handle}').readlink().name}"] += 1
        fsync(handle)

    monkeypatch.setattr(os, "listdir", listing)
    monkeypatch.setattr(os, "fsync", flushing)
    return counted


def test_receipts_are_listed_and_the_registry_asked_once_a_run(
    line: str,
    make_feed: Callable[..., Feed],
    counts: Counter[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many batches a run has, receipts are listed once, and the registry asked once."""

    def asking(*arguments: Any) -> Any:
        counts["ask"] += 1
        return ask_registry(*arguments)

    monkeypatch.setattr(client, "ask_registry", asking)
    feed = make_feed()
    for run, batches in enumerate((1, 1, 4)):
        for number in range(batches):
            deliver(feed, f"{run}-{number}.parquet", rows(3 + 10 * run + number))
        counts.clear()
        summary = score_feed(feed)
        assert len(summary.receipts) == batches
        assert run == 0 or (counts["list receipts"], counts["ask"]) == (1, 1)


def test_a_batch_is_flushed_no_more_often_than_a_power_cut_demands(
    line: str, make_feed: Callable[..., Feed], counts: Counter[str]
) -> None:
    """Nine flushes bring a batch from its claim to its receipt, each for a reason of its own."""
    feed = make_feed()
    deliver(feed, "0.parquet", rows(3))
    score_feed(feed)
    deliver(feed, "1.parquet", rows(4))
    counts.clear()
    (receipt,) = score_feed(feed).receipts

    flushed = {k.removeprefix("flush "): n for k, n in counts.items() if k.startswith("flush ")}
    assert {name.replace(receipt.batch.id, "BATCH"): n for name, n in flushed.items()} == FLUSHED


def test_what_another_worker_published_meanwhile_is_seen(
    line: str, make_feed: Callable[..., Feed], counts: Counter[str]
) -> None:
    """Another process scores the rest of a run's batches meanwhile: none is scored twice."""
    feed = make_feed()
    for number in range(3):
        deliver(feed, f"{number}.parquet", rows(3 + number))

    def interfere(progress: Progress) -> None:
        if progress.position == 1 and progress.outcome:
            assert score_side_by_side(feed, 1) == [0]

    summary = score_feed(feed, on_progress=interfere)
    assert [receipt.batch.name for receipt in summary.receipts] == ["0.parquet"]
    assert [left.why for left in summary.left] == ["claimed", "claimed"]
    assert counts["list receipts"] == 1
    store = ReceiptStore(feed)
    assert [len(store.for_batch(batch)) for batch in store.batches()] == [1, 1, 1]


def test_names_that_are_added_are_found_like_those_that_were_listed(
    line: str, make_feed: Callable[..., Feed]
) -> None:
    """An index that grew with each receipt equals one that is made of all names at once."""
    feed = make_feed()
    for number, name in enumerate(("one.parquet", "two.parquet", "one-two.parquet")):
        deliver(feed, name, rows(3 + number))
    score_feed(feed)
    names = own_files(feed.receipts)
    grown, whole = NameIndex([]), NameIndex(names)
    for name in [*names, *names]:
        grown.add(name)
    assert (grown.of_batch, grown.of_stem) == (whole.of_batch, whole.of_stem)
    current = ReceiptStore(feed).indexed(anew=False)
    assert current.batches() == ReceiptStore(feed).batches() == sorted(whole.of_batch)
    heads = current.deliveries("two.parquet").heads
    assert [facts.identity.path for facts in heads.values()] == ["two.parquet"]


def test_a_survey_reads_each_receipt_once(
    line: str, make_feed: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An inbox may hold a hundred thousand batches that are done, with a receipt each."""
    feed = make_feed()
    for number in range(3):
        deliver(feed, f"{number}.parquet", rows(3 + number))
    score_feed(feed)
    read, read_record = list[str](), receipt_files.read_record

    def reading(path: Path, *form: Any) -> Any:
        read.append(path.name)
        return read_record(path, *form)

    monkeypatch.setattr(receipt_files, "read_record", reading)
    assert preview(feed).done == 3
    assert sorted(read) == sorted(own_files(feed.receipts))


def test_a_survey_looks_at_a_batch_that_is_done_five_times(
    line: str, make_feed: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each look costs more than what is done with it: one opens the receipt, four ask of the file.

    Markers that the listing of the inbox does not show are not looked for.
    """
    feed, looks = make_feed(), Counter[str]()
    deliver(feed, "0.parquet", rows(3))
    time.sleep(0.2)  # a change in the same instant would leave an identity without proof
    score_feed(feed)
    stat, system_open = os.stat, os.open

    def watching(path: Any, *how: Any, **named: Any) -> os.stat_result:
        looks[Path(path).name] += isinstance(path, Path)
        return stat(path, *how, **named)

    def opening(path: Any, *how: Any, **named: Any) -> int:
        looks["receipt"] += str(path).endswith(".json")
        return system_open(path, *how, **named)

    monkeypatch.setattr(os, "stat", watching)
    monkeypatch.setattr(os, "open", opening)
    assert preview(feed).done == 1
    assert (looks["0.parquet"], looks["receipt"]) == (4, 1)
    assert not {name for name in looks if name.endswith((".ready", "_SUCCESS", ".json"))}


def test_the_names_of_few_feeds_stay_in_memory(tmp_path: Path) -> None:
    """A process that scores hundreds of feeds keeps the names of those that it looked at last."""
    feeds = [feed_at(tmp_path / f"{number}") for number in range(12)]
    for feed in feeds:
        ReceiptStore(feed).indexed()

    kept = receipt_store._known.keys()  # noqa: SLF001 - nothing public tells
    assert len(kept) <= receipt_store._MOST_KNOWN  # noqa: SLF001
    assert feeds[-1].receipts in kept
