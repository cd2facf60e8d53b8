from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from feeds import by_batch, deliver, rows

from signature_gate.tasks.feed.identity import identify
from signature_gate.tasks.feed.untold import mark_told, untold
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.transaction import prepare

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

    MakeFeed = Callable[..., Feed]


def bytes_of_another_encoding(path: Path) -> None:
    """Put text that is no UTF-8 into a record's place."""
    path.write_bytes(b'{"feed": "\xff\xfe"}')


def a_folder(path: Path) -> None:
    """Put a folder with something in it into a record's place."""
    path.mkdir()
    (path / "x").touch()


def a_pipe(path: Path) -> None:
    """Put a pipe, whose reader would wait for ever, into a record's place."""
    os.mkfifo(path)


def a_dangling_link(path: Path) -> None:
    """Put a link that leads nowhere into a record's place."""
    path.symlink_to(path.with_name("nowhere"))


@pytest.mark.parametrize("record", ["plan", "intent", "receipt"])
@pytest.mark.parametrize("thing", [bytes_of_another_encoding, a_folder, a_pipe, a_dangling_link])
def test_one_record_that_cannot_be_read_stops_its_batch_only(
    make_feed: MakeFeed, line: str, thing: Callable[[Path], None], record: str
) -> None:
    """That batch is unfinished with a reason that names the record; the others are scored."""
    feed = make_feed()
    batch = identify(deliver(feed, "a.parquet", rows(2)), "a.parquet").id
    deliver(feed, "b.parquet", rows(3))
    prepare(feed)
    feed.staged(batch).mkdir()
    place = {
        "plan": feed.staged(batch) / "plan.json",
        "intent": feed.intent(batch),
        "receipt": feed.receipts / f"{batch}@1.1.json",
    }[record]
    if record != "plan":
        feed.staged(batch).rmdir()
    thing(place)

    summary = score_feed(feed)

    assert {name: r.disposition for name, r in by_batch(summary).items()} == {"b.parquet": "passed"}
    assert {entry.batch for entry in summary.unfinished} <= {"a.parquet", batch}
    assert any(str(place) in entry.detail for entry in summary.unfinished)
    assert os.path.lexists(place)
    assert (feed.inbox / "a.parquet").exists()


def test_what_is_to_be_told_outlives_the_worker(make_feed: MakeFeed, line: str) -> None:
    """Receipts of batches that did not pass are untold until somebody notes that they are told."""
    feed = make_feed()
    deliver(feed, "good.parquet", rows(2))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    deliver(feed, "worse.parquet", rows(2, n=["x", "y"]))
    score_feed(feed)

    first = untold(feed)
    mark_told(feed, first[:1])
    second = untold(feed)

    assert sorted(receipt.batch.name for receipt in first) == ["bad.parquet", "worse.parquet"]
    assert second == first[1:]
