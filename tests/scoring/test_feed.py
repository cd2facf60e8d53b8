from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from feeds import deliver, feed_maker, rows  # noqa: F401 - feed_maker is a fixture

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.identity import identify
from signature_gate.tasks.feed.inbox import look_into
from signature_gate.tasks.scoring.outcome import next_try

if TYPE_CHECKING:
    from collections.abc import Callable

AN_HOUR_AGO = time.time() - 3600
SAFE = set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-")


def test_a_yaml_file_names_folders_from_its_own_place(tmp_path: Path) -> None:
    """Relative folders and rules count from the YAML file, wherever the command is run."""
    file = tmp_path / "feeds" / "flights.yaml"
    file.parent.mkdir()
    file.write_text(
        "name: flights\nmodel: models:/flights@champion\nroot: ../data\n"
        "folders: {inbox: ../landing}\npolicy: {on_mismatch: split, rules: rules.json}\n"
    )

    feed = Feed.load(file)

    assert feed.inbox.resolve() == tmp_path / "landing"
    assert feed.receipts.resolve() == tmp_path / "data" / "receipts"
    assert feed.staging.resolve() == tmp_path / "data" / ".staging"
    assert Path(feed.policy.rules or "").resolve() == tmp_path / "feeds" / "rules.json"


def test_every_fault_of_a_feed_file_is_listed_at_once(tmp_path: Path) -> None:
    """A wrong feed file is mended in one go: all faults are named, and the fields there are."""
    file = tmp_path / "feed.yaml"
    file.write_text("name: a feed\nsettle: 3\nchunk_rows: 0\npolicy: {on_mismatch: drop}\n")

    with pytest.raises(InvalidFeed) as caught:
        Feed.load(file)

    text = str(caught.value)
    for fault in ("name", "settle", "chunk_rows", "policy.on_mismatch", "model"):
        assert f" - {fault}: " in text
    assert "settle_seconds" in text


@pytest.mark.parametrize("content", [b"", b"- a list", b"a: [", b"\xff\xfe", None])
def test_a_file_that_is_no_feed_is_told_by_name(tmp_path: Path, content: bytes | None) -> None:
    """Empty, listed, broken, binary and missing files end in one message that names the file."""
    file = tmp_path / "feed.yaml"
    if content is not None:
        file.write_bytes(content)

    with pytest.raises(InvalidFeed, match=str(file)):
        Feed.load(file)


@pytest.mark.parametrize(
    "fields", [{"root": "ftp://host/feed"}, {"folders": {"inbox": "x", "archive": "./x"}}]
)
def test_folders_that_cannot_serve_are_refused(fields: dict[str, object]) -> None:
    """No known store, and one folder for two purposes, are refused before anything is moved."""
    with pytest.raises(InvalidFeed):
        Feed.parse({"name": "f", "model": "models:/m/1", **fields})


def test_predictions_lie_where_hive_style_readers_look() -> None:
    """Model and version become slugs in the path, whatever their names are."""
    feed = Feed(name="f", model="models:/m/1", root="/data")

    assert feed.predictions("b-1", "../pr/ic\ne", "3") == Path(
        "/data/scored/model=pr-ic-e/version=3/b-1.parquet"
    )


def test_pauses_double_up_to_their_limit() -> None:
    """The pause after a failed attempt doubles with each further one and stays bounded."""
    feed = Feed(name="f", model="m", backoff_seconds=60, max_backoff_seconds=600)
    now = datetime.now(UTC)

    pauses = [next_try(feed, attempts, now) - now for attempts in (1, 2, 3, 9, 10_000)]

    assert pauses == [timedelta(seconds=s) for s in (60, 120, 240, 600, 600)]


# ----- identity -----


@pytest.mark.parametrize(
    "name",
    ["a.parquet", "..", "x y\n.csv", "Ünï.csv.gz", "-rf", "a" * 200, "con:|<b>.parquet", "日本"],
)
def test_an_id_is_safe_in_any_path(tmp_path: Path, name: str) -> None:
    """Whatever a producer calls a batch, its id is 14 to 80 plain characters, hidden nowhere."""
    file = tmp_path / "batch"
    file.write_bytes(b"x")

    batch = identify(file, name)

    assert set(batch.id) <= SAFE
    assert set(batch.file) <= SAFE
    assert 14 <= len(batch.id) <= 80
    assert batch.id[0] not in ".-"
    assert batch.file.startswith(batch.id)


@pytest.mark.parametrize(
    ("name", "ending"),
    [("a.parquet", ".parquet"), ("a.b.CSV.gz", ".CSV.gz"), ("a", ""), (".gz", ""), ("a.gz", ".gz")],
)
def test_a_moved_batch_keeps_the_ending_that_tells_its_format(
    tmp_path: Path, name: str, ending: str
) -> None:
    """A quarantined file can be judged again: its format still shows in its name."""
    file = tmp_path / "batch"
    file.write_bytes(b"x")

    batch = identify(file, name)

    assert batch.file == f"{batch.id}{ending}"


def test_another_name_or_content_is_another_batch(tmp_path: Path) -> None:
    """A changed file under the same name is a new batch; one with a new stamp only is the same."""
    file = tmp_path / "a"
    file.write_bytes(b"1" * 200_000)
    os.utime(file, ns=(1, 1))
    first = identify(file, "a").id

    ids = {identify(file, "a").id, identify(file, "b").id}
    os.utime(file, ns=(1, 2))
    touched = identify(file, "a").id
    middle = b"1" * 100_000 + b"2" + b"1" * 99_999
    for content in (b"1" * 200_001, b"2" + b"1" * 199_999, b"1" * 199_999 + b"2", middle):
        file.write_bytes(content)
        os.utime(file, ns=(1, 1))
        ids.add(identify(file, "a").id)

    assert first == touched
    assert first in ids
    assert len(ids) == 6


def test_a_folder_is_one_batch_made_of_its_files(tmp_path: Path) -> None:
    """A file added to, or renamed in, a folder makes it another batch; a marker does not."""
    folder = tmp_path / "day"
    folder.mkdir()
    (folder / "1.csv").write_bytes(b"x")
    os.utime(folder / "1.csv", ns=(1, 1))
    first = identify(folder, "day").id

    (folder / "_SUCCESS").touch()
    same = identify(folder, "day").id
    (folder / "1.csv").rename(folder / "2.csv")
    other = identify(folder, "day").id

    assert first == same != other


# ----- readiness -----


@pytest.fixture
def feed(make_feed: Callable[..., Feed]) -> Feed:
    """A feed whose batches are ready after a minute."""
    return make_feed(settle_seconds=60)


def ready(feed: Feed) -> list[str]:
    """The paths of the batches that are ready."""
    return [batch.path for batch in look_into(feed).ready]


def left(feed: Feed) -> dict[str, str]:
    """Why each other path is left alone."""
    return {entry.batch: entry.why for entry in look_into(feed).left}


def age(path: Path, stamp: float = AN_HOUR_AGO) -> None:
    """Let a file have been written at another time."""
    os.utime(path, (stamp, stamp))


def test_a_file_that_stood_still_is_ready_and_a_fresh_one_is_not(feed: Feed) -> None:
    """Without a marker only age tells a whole file from one that is still being written."""
    age(deliver(feed, "old.parquet", rows(1)))
    deliver(feed, "new.parquet", rows(1))

    assert ready(feed) == ["old.parquet"]
    assert left(feed) == {"new.parquet": "unsettled"}


def test_a_marker_makes_a_file_ready_at_once(feed: Feed) -> None:
    """A producer who marks a batch as complete need not wait."""
    deliver(feed, "new.parquet", rows(1))
    (feed.inbox / "new.parquet.ready").touch()

    assert ready(feed) == ["new.parquet"]


def test_the_marker_of_an_earlier_file_says_nothing_about_a_later_one(feed: Feed) -> None:
    """A stale marker does not let a growing file of the same name through."""
    (feed.inbox / "a.parquet.ready").touch()
    age(feed.inbox / "a.parquet.ready")
    deliver(feed, "a.parquet", rows(1))

    assert left(feed) == {"a.parquet": "unsettled"}


@pytest.mark.parametrize("marker", ["_SUCCESS", ".ready"])
def test_a_folder_is_ready_once_it_holds_a_marker(feed: Feed, marker: str) -> None:
    """Spark's way to say that all parts of a batch are there."""
    folder = feed.inbox / "day=1"
    folder.mkdir()
    (folder / "part-0.parquet").write_bytes(b"x")
    before = ready(feed)
    (folder / marker).touch()

    assert (before, ready(feed)) == ([], ["day=1"])


def test_a_stamp_in_the_future_is_reported_not_trusted(feed: Feed) -> None:
    """A clock that was set back is named, for by age such a file would never be ready."""
    age(deliver(feed, "a.parquet", rows(1)), time.time() + 3600)

    (entry,) = look_into(feed).left

    assert "in the future" in entry.detail


def test_what_is_no_batch_is_passed_over(feed: Feed, tmp_path: Path) -> None:
    """Hidden and unfinished files, markers, folders of feeds: nothing of it is judged."""
    outside = tmp_path / "outside.csv"
    outside.write_text("a,n\n1,2\n")
    for name in (".hidden", "_temporary", "a.tmp", "a.part", "gone.parquet.ready", "_SUCCESS"):
        age(deliver(feed, name, b"x"))
    (feed.inbox / "other" / "inbox").mkdir(parents=True)
    (feed.inbox / "link.csv").symlink_to(outside)
    (feed.inbox / "dangling.csv").symlink_to(tmp_path / "nowhere")
    os.mkfifo(feed.inbox / "pipe")
    (feed.inbox / os.fsdecode(b"latin-\xe9.csv")).write_bytes(b"x")
    (feed.inbox / "empty").mkdir()

    assert ready(feed) == []
    assert sorted(left(feed).values()) == ["skipped"] * 4 + ["unsettled"]


def test_an_inbox_may_be_the_feeds_own_root(tmp_path: Path) -> None:
    """The feed's other folders are no batches, even where they lie in the inbox."""
    feed = Feed(
        name="f",
        model="m",
        root=str(tmp_path),
        folders={"inbox": str(tmp_path)},  # pyright: ignore[reportArgumentType]
        settle_seconds=0,
    )
    for folder in feed.folder_paths().values():
        folder.mkdir(exist_ok=True)
        (folder / "x.csv").write_text("a\n1\n")

    assert ready(feed) == ["x.csv"]


def test_a_missing_inbox_is_no_empty_one(tmp_path: Path) -> None:
    """A misspelt path must not look like a feed in which nothing ever arrives."""
    with pytest.raises(InvalidFeed, match="inbox of feed f is no folder"):
        look_into(Feed(name="f", model="m", root=str(tmp_path / "nowhere")))
