"""A feed that follows a Delta table: each version's new rows are a batch, once."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import polars as pl
import pytest
from deltalake import DeltaTable, write_deltalake
from feeds import rows
from kept_feeds import keys_of_rows
from killed_process import score_and_die

from signature_gate.expectations.errors import GateError, Misuse
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores.followed import deliver_versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    MakeFeed = Callable[..., Feed]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table to which rows are appended."""
    return tmp_path / "flights"


def append(table: Path, *keys: str) -> None:
    """Add rows with these keys."""
    write_deltalake(table, rows(len(keys), key=list(keys)).to_arrow(), mode="append")


def test_each_version_is_a_batch(make_feed: MakeFeed, line: str, table: Path) -> None:
    """What is appended between two runs is scored by the second, and nothing twice."""
    feed = make_feed(follow=f"delta://{table}")
    append(table, "a", "b")
    append(table, "c")

    first = score_feed(feed)
    append(table, "d")
    second, third = score_feed(feed), score_feed(feed)

    names = [receipt.batch.name for receipt in (*first.receipts, *second.receipts)]
    assert names == [f"flights-v{n:08d}.parquet" for n in range(3)]
    assert third.receipts == ()
    assert keys_of_rows(feed)[0] == Counter("abcd")


def test_what_was_there_before_can_be_left_out(make_feed: MakeFeed, line: str, table: Path) -> None:
    """``@0`` begins after the first version."""
    append(table, "a")
    append(table, "b")

    score_feed(feed := make_feed(follow=f"delta://{table}@0"))

    assert keys_of_rows(feed)[0] == Counter("b")


def test_files_that_were_put_together_are_no_new_rows(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """A compaction changes no row, and is passed over without a word."""
    feed = make_feed(follow=f"delta://{table}")
    append(table, "a")
    append(table, "b")
    DeltaTable(table).optimize.compact()
    append(table, "c")

    summary = score_feed(feed)

    assert summary.left == ()
    assert keys_of_rows(feed)[0] == Counter("abc")


def test_rows_that_were_rewritten_are_told_and_not_scored_again(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """Deleted and updated rows: the version is named, and later ones go on."""
    feed = make_feed(follow=f"delta://{table}")
    append(table, "a", "b")
    score_feed(feed)
    DeltaTable(table).delete("key = 'a'")
    append(table, "c")

    summary = score_feed(feed)

    assert [(left.batch, left.why) for left in summary.left] == [
        ("flights-v00000001.parquet", "skipped")
    ]
    assert "deleted or rewrote rows" in summary.left[0].detail
    assert keys_of_rows(feed)[0] == Counter("abc")


@pytest.mark.parametrize("point", ["claimed", "staged", "committed"])
def test_a_worker_that_dies_over_a_version_doubles_nothing(
    make_feed: MakeFeed, line: str, table: Path, point: str
) -> None:
    """Whoever comes next finishes it, and follows on."""
    feed = make_feed(follow=f"delta://{table}", archive=True)
    append(table, "a")
    append(table, "b")

    assert score_and_die(feed, point) == -9
    append(table, "c")
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("abc")


def test_of_many_that_follow_at_once_each_version_comes_once_and_whole(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """None writes into a file that another has published."""
    feed, together = make_feed(follow=f"delta://{table}"), Barrier(8)
    for n in range(4):
        append(table, *(f"{n}-{row}" for row in range(500)))

    def follow(_: int) -> None:
        together.wait()
        deliver_versions(feed)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(follow, range(8)))

    files = sorted(feed.inbox.glob("*.parquet"))
    keys = [key for file in files for key in pl.read_parquet(file)["key"]]
    assert len(files) == 4
    assert sorted(keys) == sorted(f"{n}-{row}" for n in range(4) for row in range(500))


def test_a_version_that_is_delivered_again_is_the_same_batch(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """Whose worker died before it noted how far it had come."""
    feed = make_feed(follow=f"delta://{table}", archive=True)
    append(table, "a", "b")
    score_feed(feed)
    (feed.receipts / ".followed.json").unlink()

    again = score_feed(feed)

    assert (again.receipts, again.done) == ((), 1)
    assert keys_of_rows(feed)[0] == Counter("ab")


def test_a_version_whose_files_are_gone_is_an_error(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """As after a vacuum: nothing is delivered in part, and nothing is followed past it."""
    feed = make_feed(follow=f"delta://{table}")
    write_deltalake(table, rows(4, n=[1, 1, 2, 2]).to_arrow(), partition_by=["n"])
    gone = next(table.glob("n=1/*.parquet"))
    content = gone.read_bytes()
    gone.unlink()

    with pytest.raises(GateError, match="lists and that is gone"):
        score_feed(feed)
    gone.write_bytes(content)
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter(["k0", "k1", "k2", "k3"])


def test_partitioned_rows_have_all_columns(make_feed: MakeFeed, line: str, table: Path) -> None:
    """Values that only the log has are written into the batch too."""
    feed = make_feed(follow=f"delta://{table}")
    write_deltalake(table, rows(4, n=[1, 1, 2, 2]).to_arrow(), partition_by=["n"])

    [receipt] = score_feed(feed).receipts

    assert receipt.disposition == "passed"
    assert receipt.rows_in == 4


def test_what_cannot_be_followed_is_refused_by_name(make_feed: MakeFeed, line: str) -> None:
    """The error says how a table is named."""
    with pytest.raises(Misuse, match="is no delta://PATH"):
        score_feed(make_feed(follow="s3://bucket/table"))


def test_a_file_of_the_same_name_is_not_overwritten(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """It may be somebody's batch: the error names it, and nothing is followed past it."""
    feed = make_feed(follow=f"delta://{table}")
    append(table, "a")
    theirs = feed.inbox / "flights-v00000000.parquet"
    rows(2).write_parquet(theirs)

    with pytest.raises(Misuse, match="with other rows"):
        score_feed(feed)
    theirs.unlink()
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("a")


def test_a_table_that_is_not_there_or_another_one_is_told(
    make_feed: MakeFeed, line: str, table: Path
) -> None:
    """No traceback of the client's, and no silence where a table was made anew."""
    feed = make_feed(follow=f"delta://{table}")
    with pytest.raises(Misuse, match="no Delta table at"):
        score_feed(feed)
    append(table, "a")
    append(table, "b")
    score_feed(feed)
    shutil.rmtree(table)
    append(table, "c")

    with pytest.raises(Misuse, match="at version 0, and was followed to 1"):
        score_feed(feed)


def test_a_relative_table_counts_from_the_file_of_the_feed(tmp_path: Path) -> None:
    """As all relative places of a feed's file do."""
    fields = {"name": "f", "model": "models:/m/1", "root": "f", "follow": "delta://lake/t@3"}
    (tmp_path / "f.yaml").write_text(json.dumps(fields))

    assert Feed.load(tmp_path / "f.yaml").follow == f"delta://{tmp_path}/lake/t@3"
