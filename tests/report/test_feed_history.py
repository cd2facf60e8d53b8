from __future__ import annotations

import os
import re
import shlex
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
import sample_histories
import sample_verdicts
import yaml
from commands import run
from feeds import (
    PLANTED,
    deliver,
    gaps,
    rows,
)

from signature_gate.tasks.feed import history
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.history import look_back, recent_receipts
from signature_gate.tasks.feed.receipt import Discard, Release
from signature_gate.tasks.scoring import feed_history as timelines
from signature_gate.tasks.scoring.feed_history import past_of
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def feed(tmp_path: Path) -> Feed:
    """A feed that has folders and no batches."""
    return sample_histories.feed_at(tmp_path / "flights")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The receipts that are opened, by file name."""
    names: list[str] = []
    genuine = history.read_receipt

    def noting(path: Path) -> Any:
        names.append(path.name)
        return genuine(path)

    monkeypatch.setattr(history, "read_receipt", noting)
    monkeypatch.setattr(timelines, "read_receipt", noting)
    return names


# ----- which receipts -----


def test_a_feed_that_never_ran_has_no_past(tmp_path: Path) -> None:
    """Its history is empty, without an error."""
    feed = sample_histories.feed_at(tmp_path / "flights")
    feed.receipts.rmdir()

    assert recent_receipts(feed) == ()
    assert look_back(feed).traces == ()


def test_the_newest_receipt_of_each_batch_counts(feed: Feed) -> None:
    """The oldest batch comes first; of several attempts on one the latest stands for it."""
    first = sample_histories.errored(1)
    late = sample_histories.receipt(
        1, attempt=2, finished=sample_histories.BEGIN + timedelta(minutes=9)
    )
    sample_histories.keep(
        feed, late, sample_histories.receipt(3), first, sample_histories.receipt(2)
    )

    found = recent_receipts(feed)

    assert [(r.batch.name, r.attempt) for r in found] == [
        ("day-00002.parquet", 1),
        ("day-00003.parquet", 1),
        ("day-00001.parquet", 2),
    ]


def test_no_more_than_the_last_are_given(feed: Feed) -> None:
    """Two of five, the newest ones; the others are known by name."""
    sample_histories.keep(feed, *(sample_histories.receipt(n) for n in range(5)))

    found = look_back(feed, last=2)

    assert [r.batch.name for r in found.receipts] == ["day-00003.parquet", "day-00004.parquet"]
    assert [trace.version for trace in found.traces] == ["3"] * 5
    assert found.traces[0].when == sample_histories.receipt(0).finished
    assert look_back(feed, last=0).receipts == ()


def test_old_receipts_are_asked_for_their_stamps_and_nothing_else(
    feed: Feed, opened: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One look at each, by a plain name: tens of thousands come with years."""
    sample_histories.keep(feed, *(sample_histories.receipt(n) for n in range(9)))
    stat, looks = os.stat, list[object]()

    def watching(path: Any, *how: Any, **named: Any) -> os.stat_result:
        looks.extend([path] if str(path).endswith(".json") else [])
        return stat(path, *how, **named)

    monkeypatch.setattr(os, "stat", watching)
    found = look_back(feed, last=2)
    assert len(found.traces) == len(looks) == 9
    assert all(isinstance(path, str) for path in looks)
    assert len(opened) == 2


def test_of_two_equally_old_receipts_the_later_attempt_is_the_newer(feed: Feed) -> None:
    """Some disks keep file times to the second only."""
    sample_histories.keep(feed, *(sample_histories.receipt(1, attempt=n) for n in (2, 10, 9)))

    assert [r.attempt for r in recent_receipts(feed)] == [10]


def test_what_cannot_be_read_is_left_out_and_named(feed: Feed) -> None:
    """Half a receipt, and one of a later version, cost the others nothing."""
    sample_histories.keep(feed, *(sample_histories.receipt(n) for n in range(4)))
    broken = [feed.receipts / sample_histories.receipt(n).file for n in (1, 2)]
    broken[0].write_text('{"feed": "fli')
    broken[1].write_bytes(b"\xff\xfe")

    found = look_back(feed)

    assert [r.batch.name for r in found.receipts] == ["day-00000.parquet", "day-00003.parquet"]
    assert set(found.unreadable) == {path.name for path in broken}
    assert set(past_of(feed).unreadable) == {path.name for path in broken}


def test_only_receipts_count(feed: Feed) -> None:
    """Hidden files, other files and folders among them are passed over."""
    sample_histories.keep(feed, sample_histories.receipt(1))
    for name in (".hidden@1.1.json", "notes.txt", "notes.json", "x@1.y.json"):
        (feed.receipts / name).write_text("{}")

    assert len(look_back(feed).traces) == 1


def test_ten_thousand_receipts_cost_sixty(feed: Feed, opened: list[str]) -> None:
    """All are listed, and no more are opened than are shown."""
    sample_histories.keep_unread(feed, 9_950)
    sample_histories.keep(feed, *(sample_histories.receipt(n) for n in range(60)))

    found = look_back(feed)

    assert len(found.traces) == 10_010
    assert len(found.receipts) == len(opened) == 60
    assert found.unreadable == ()


# ----- what a history holds -----


def test_a_past_holds_what_pictures_show(feed: Feed) -> None:
    """Rows, bad rows, the contract's names, shares of null, and what was found."""
    verdict = sample_verdicts.split()
    receipt = sample_histories.receipt(1, verdict)
    counted = receipt.batch.model_copy(update={"null_counts": {"Air Time": 97, "deep.x": 9}})
    sample_histories.keep(feed, receipt.model_copy(update={"batch": counted}))

    (batch,) = past_of(feed).batches
    known = batch.known

    assert (batch.fare, batch.version, batch.when) == ("split", "3", receipt.finished)
    assert (known.rows, known.bad, known.allowed) == (971, 32, 0.1)
    assert known.columns["air_time"] == "double"
    assert "Air Time" not in known.columns
    assert known.null_shares == {"dep_time": 32 / 971, "air_time": 97 / 971}
    assert known.marks == {"dep_time": "critical", "note": "warning"}
    assert known.faults == ("null in 'dep_time'", "extra_column in 'note'")


def test_a_column_that_may_not_be_null_and_passed_had_no_null(feed: Feed) -> None:
    """A CSV file has no footer; the verdict implies it."""
    inputs = '[{"type": "long", "name": "year", "required": true}, '
    inputs += '{"type": "double", "name": "arr_time", "required": false}]'
    sample_histories.keep(
        feed, sample_histories.receipt(1, sample_verdicts.flights(signature={"inputs": inputs}))
    )

    (batch,) = past_of(feed).batches

    assert batch.known.null_shares == {"year": 0}


def test_an_attempt_that_broke_off_is_told_by_its_error(feed: Feed) -> None:
    """Nothing is known of the batch; the error's name is in place of the violations."""
    sample_histories.keep(feed, sample_histories.errored(1))

    (batch,) = past_of(feed).batches

    assert (batch.fare, batch.known.faults) == ("errored", ("RegistryUnavailable",))
    assert (batch.known.rows, batch.known.columns) == (None, {})


@pytest.mark.parametrize("after", ["released", "discarded"])
def test_a_feed_looks_no_better_for_being_looked_after(feed: Feed, after: str) -> None:
    """A batch that was released is shown with its disposition on arrival."""
    arrival = sample_histories.receipt(1, sample_verdicts.quarantined())
    desk = {"entry": "day", "holds": "batch", "number": 1, "receipt": arrival.file}
    made = {"released": {"release": Release(**desk)}, "discarded": {"discard": Discard(**desk)}}
    fare = {"released": "passed", "discarded": "discarded"}[after]
    late = sample_histories.BEGIN + timedelta(days=1)
    taken = sample_histories.receipt(1, attempt=2, disposition=fare, finished=late, **made[after])
    sample_histories.keep(feed, arrival, sample_histories.receipt(2), taken)

    first, second = past_of(feed).batches

    assert (first.name, first.fare, first.after) == ("day-00001.parquet", "quarantined", after)
    assert (second.name, second.after) == ("day-00002.parquet", "")


def test_a_lost_receipt_of_arrival_leaves_the_newest_one(feed: Feed) -> None:
    """The batch is not lost from sight."""
    desk = Release(entry="day", holds="batch", number=1, receipt="gone.json")
    sample_histories.keep(feed, sample_histories.receipt(1, attempt=2, release=desk))

    assert [(b.fare, b.after) for b in past_of(feed).batches] == [("passed", "released")]


# ----- in the reports of a feed -----


def test_every_report_of_a_feed_tells_its_history(
    make_feed: Callable[..., Feed], line: str, opened: list[str]
) -> None:
    """From real batches: each report looks back on those before it, and ends with its own."""
    feed = make_feed(policy={"on_mismatch": "split", "max_rejected": 0.5, "redact": True})
    deliver(feed, "a.parquet", rows(10))
    deliver(feed, "b.parquet", gaps(10, 2))
    deliver(feed, "c.parquet", rows(4, n=["x", PLANTED, "y", "z"]))

    summary = score_feed(feed)
    reports = [
        (feed.resolve(r.outputs.quarantine) / "report.html").read_text("utf-8")
        for r in summary.receipts
        if r.outputs.quarantine
    ]

    assert "All 2 batches: 1 passed and 1 split. The newest was split." in reports[0]
    assert "All 3 batches: 1 passed, 1 split and 1 quarantined." in reports[1]
    assert "1 column changed type" in reports[1]
    assert not any(PLANTED in page for page in reports)
    assert [r.batch.name for r in recent_receipts(feed)] == ["a.parquet", "b.parquet", "c.parquet"]


@pytest.mark.parametrize("on_mismatch", ["split", "quarantine"])
def test_a_report_tells_which_violations_share_rows(
    make_feed: Callable[..., Feed], line: str, on_mismatch: str
) -> None:
    """Split or held back whole, the same counts: two rows have both reasons."""
    feed = make_feed(policy={"on_mismatch": on_mismatch, "max_rejected": 0.9})
    bad = rows(10, a=[None, None, None, *range(7)], n=[0, None, None, None, *range(6)])
    deliver(feed, "a.parquet", bad)

    (receipt,) = score_feed(feed).receipts
    page = (feed.resolve(receipt.outputs.quarantine or "") / "report.html").read_text("utf-8")

    assert "2 of 4 rejected rows have more than one reason." in page
    assert "reasons 1 and 2, in 2 rows" in page


def _command(page: str, verb: str) -> list[str]:
    """Take a command out of a page, and split it as a shell does."""
    found = re.search(rf"<code>(signature-gate quarantine {verb} .*?)</code>", page)
    return shlex.split(unescape(found[1]))[1:] if found else []


def test_the_commands_of_a_report_do_what_they_say_when_they_are_pasted(
    make_feed: Callable[..., Feed], line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From another folder, with blanks in the path: released rows stay, or are put away."""
    file = tmp_path / "feeds of ours" / "line.yaml"
    file.parent.mkdir()
    made = make_feed(policy={"on_mismatch": "split", "max_rejected": 0.5})
    file.write_text(yaml.safe_dump(made.model_dump(mode="json")))
    feed = Feed.load(file)
    deliver(feed, "a.parquet", gaps(10, 2))
    (receipt,) = score_feed(feed).receipts
    folder = feed.resolve(receipt.outputs.quarantine or "")
    page = (folder / "report.html").read_text("utf-8")

    released = run(capsys, *_command(page, "release"))
    again = (folder / "report.release-1.html").read_text("utf-8")
    discarded = run(capsys, *_command(again, "discard"))

    assert released[0] == 1
    assert discarded[0] == 0, discarded
    assert not folder.exists()
    assert f'Judged</dt> <dd><time datetime="{datetime.now(UTC):%Y-%m-%d}' in page
    assert "Feed</dt> <dd><bdi>line</bdi>" in page


def test_a_feed_made_in_python_has_commands_with_a_file_to_name(
    make_feed: Callable[..., Feed], line: str
) -> None:
    """Nobody knows its file: the command says so instead of naming another."""
    feed = make_feed()
    deliver(feed, "a.parquet", gaps(10, 2))

    (receipt,) = score_feed(feed).receipts
    page = (feed.resolve(receipt.outputs.quarantine or "") / "report.html").read_text("utf-8")

    assert _command(page, "release")[2:] == ["FEED.yaml", receipt.batch.id]
