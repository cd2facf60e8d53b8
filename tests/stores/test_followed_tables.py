"""A feed that follows a table of a lake: each version's new rows are a batch, once."""

from __future__ import annotations

import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import rows
from kept_feeds import keys_of_rows
from killed_process import follow_and_die, score_and_die

from signature_gate.expectations.errors import GateError, Misuse
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores.followed import deliver_versions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from growing_tables import Growing

    MakeFeed = Callable[..., Feed]


def test_each_version_is_a_batch(make_feed: MakeFeed, line: str, growing: Growing) -> None:
    """What is appended between two runs is scored by the second, and nothing twice."""
    feed = make_feed(follow=growing.follow)
    growing.append("a", "b")
    growing.append("c")

    first = score_feed(feed)
    growing.append("d")
    second, third = score_feed(feed), score_feed(feed)

    names = [receipt.batch.name for receipt in (*first.receipts, *second.receipts)]
    assert names == growing.batches()
    assert third.receipts == ()
    assert keys_of_rows(feed)[0] == Counter("abcd")


def test_what_was_there_before_can_be_left_out(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """``@VERSION`` begins after one."""
    growing.append("a")
    first = growing.version()
    growing.append("b")

    score_feed(feed := make_feed(follow=f"{growing.follow}@{first}"))

    assert keys_of_rows(feed)[0] == Counter("b")


def test_files_that_were_put_together_are_no_new_rows(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """A compaction changes no row, and is passed over without a word."""
    feed = make_feed(follow=growing.follow)
    growing.append("a")
    growing.append("b")
    growing.compact()
    growing.append("c")

    summary = score_feed(feed)

    assert summary.left == ()
    assert keys_of_rows(feed)[0] == Counter("abc")


def test_rows_that_were_rewritten_are_told_and_not_scored_again(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """Deleted and updated rows: the version is named, and later ones go on."""
    feed = make_feed(follow=growing.follow)
    growing.append("a", "b")
    score_feed(feed)
    growing.delete("a")
    growing.append("c")

    summary = score_feed(feed)

    assert [(left.batch, left.why) for left in summary.left] == [(growing.batches()[1], "skipped")]
    assert "deleted or rewrote rows" in summary.left[0].detail
    assert keys_of_rows(feed)[0] == Counter("abc")


@pytest.mark.parametrize("point", ["claimed", "staged", "committed"])
def test_a_worker_that_dies_over_a_version_doubles_nothing(
    make_feed: MakeFeed, line: str, growing: Growing, point: str
) -> None:
    """Whoever comes next finishes it, and follows on."""
    feed = make_feed(follow=growing.follow, archive=True)
    growing.append("a")
    growing.append("b")

    assert score_and_die(feed, point) == -9
    growing.append("c")
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("abc")


def test_of_many_that_follow_at_once_each_version_comes_once_and_whole(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """None writes into a file that another has published."""
    feed, together = make_feed(follow=growing.follow), Barrier(8)
    for n in range(4):
        growing.append(*(f"{n}-{row}" for row in range(500)))

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
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """Whose worker died before it noted how far it had come."""
    feed = make_feed(follow=growing.follow, archive=True)
    growing.append("a", "b")
    score_feed(feed)
    (feed.receipts / ".followed.json").unlink()

    again = score_feed(feed)

    assert (again.receipts, again.done) == ((), 1)
    assert keys_of_rows(feed)[0] == Counter("ab")


def test_a_version_whose_files_are_gone_is_an_error(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """As after a vacuum: nothing is delivered in part, and nothing is followed past it."""
    feed = make_feed(follow=growing.follow)
    growing.append(*"abcd", n=[1, 1, 2, 2])
    gone = growing.files()[0]
    content = gone.read_bytes()
    gone.unlink()

    with pytest.raises(GateError, match="lists and that is gone"):
        score_feed(feed)
    gone.write_bytes(content)
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("abcd")


def test_killed_before_it_is_noted_a_version_comes_once(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """It lies in the inbox already: the next one writes the same bytes, and follows on."""
    feed = make_feed(follow=growing.follow, archive=True)
    growing.append("a", "b")
    growing.append("c")

    assert follow_and_die(feed) == -9
    assert [path.name for path in feed.inbox.glob("*.parquet")] == growing.batches()[:1]
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("abc")


def test_partitioned_rows_have_all_columns(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """Values that only the log has are written into the batch too."""
    feed = make_feed(follow=growing.follow)
    growing.append(*"abcd", n=[1, 1, 2, 2])

    [receipt] = score_feed(feed).receipts

    assert receipt.disposition == "passed"
    assert receipt.rows_in == 4


@pytest.mark.parametrize("follow", ["s3://bucket/table", "iceberg://lake", "iceberg://lake/t"])
def test_what_cannot_be_followed_is_refused_by_name(
    make_feed: MakeFeed, line: str, follow: str
) -> None:
    """The error says how a table is named."""
    with pytest.raises(Misuse, match="is no delta://PATH"):
        score_feed(make_feed(follow=follow))


def test_a_file_of_the_same_name_is_not_overwritten(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """It may be somebody's batch: the error names it, and nothing is followed past it."""
    feed = make_feed(follow=growing.follow)
    growing.append("a")
    theirs = feed.inbox / growing.batches()[0]
    rows(2).write_parquet(theirs)

    with pytest.raises(Misuse, match="with other rows"):
        score_feed(feed)
    theirs.unlink()
    score_feed(feed)

    assert keys_of_rows(feed)[0] == Counter("a")


def test_a_table_that_is_not_there_or_another_one_is_told(
    make_feed: MakeFeed, line: str, growing: Growing
) -> None:
    """No traceback of the client's, and no silence where a table was made anew."""
    feed = make_feed(follow=growing.follow)
    with pytest.raises(Misuse, match=r"no (Delta )?table"):
        score_feed(feed)
    growing.append("a")
    growing.append("b")
    score_feed(feed)
    growing.make_anew()
    growing.append("c")

    with pytest.raises(Misuse, match="is another table"):
        score_feed(feed)


@pytest.mark.parametrize("name", ["lake/t@3", "s3://lake/t@3", "s3://lake/t?by=n"])
def test_a_relative_table_counts_from_the_file_of_the_feed(tmp_path: Path, name: str) -> None:
    """As all relative places of a feed's file do; one in a bucket stays where it is."""
    fields = {"name": "f", "model": "models:/m/1", "root": "f", "follow": f"delta://{name}"}
    (tmp_path / "f.yaml").write_text(json.dumps(fields))

    place = name if name.startswith("s3") else f"{tmp_path}/{name}"
    assert Feed.load(tmp_path / "f.yaml").follow == f"delta://{place}"
