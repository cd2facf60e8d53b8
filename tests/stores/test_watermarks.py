"""A feed that follows rows by a column that grows: each row above the last mark is there once."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import psycopg
import pytest
from deltalake import DeltaTable, write_deltalake
from feeds import rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kept_feeds import keys_of_rows
from live_postgres import postgres

from signature_gate.expectations.errors import GateError, Misuse
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores import watermark
from signature_gate.tasks.stores.documents import Document
from signature_gate.tasks.stores.followed import deliver_versions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.catalog.sql import SqlCatalog

    MakeFeed = Callable[..., Feed]

START = datetime(2026, 1, 1, tzinfo=UTC)
COLUMN = 'loaded "at"'  # as SQL must quote it
_EACH = settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])


class Source:
    """A table with a column that grows, by hours from the start."""

    def __init__(self, kind: str, folder: Path | str, lake: SqlCatalog | None = None) -> None:
        """Lie in a folder or bucket, on the server or in the lake; nothing is there yet."""
        self.kind, self.folder, self.lake = kind, folder, lake
        self.name = "sales.t" if lake else "t"
        self.place = {
            "delta": f"delta://{folder}/t?by=",
            "iceberg": "iceberg://lake/sales.t?by=",
            "duckdb": f"duckdb:///{folder}/t.duckdb?table=t&by=",
            "postgresql": "postgresql:///postgres?table=t&by=",
            "sqlite": f"sqlite:///{folder}/t.db?table=t&by=",
        }[kind] + "loaded+%22at%22"

    def add(self, **hours: int | None) -> None:
        """Append a row for each key."""
        self.append(rows(len(hours), key=list(hours)).with_columns(hour(*hours.values())))

    def append(self, frame: pl.DataFrame) -> None:
        """Append rows that have the column."""
        if self.kind == "delta":
            write_deltalake(f"{self.folder}/t", frame.to_arrow(), mode="append")
        elif self.lake:
            typed = frame.cast({pl.Null: pl.Int64}).to_arrow()
            self.lake.create_table_if_not_exists("sales.t", typed.schema).append(typed)
        elif self.kind == "duckdb":
            with duckdb.connect(f"{self.folder}/t.duckdb") as database:
                database.register("new", frame.to_arrow())
                database.execute("create table if not exists t as from new limit 0")
                database.execute("insert into t from new")
        else:
            self._insert([tuple(row.values()) for row in frame.to_dicts()])

    def _insert(self, found: list[tuple[Any, ...]]) -> None:
        made = f"""create table if not exists t (
            a double precision, n bigint, key text, "{COLUMN.replace('"', '""')}" timestamptz)"""
        if self.kind == "sqlite":
            with closing(sqlite3.connect(f"{self.folder}/t.db")) as database, database:
                database.execute(made)
                texts = [(*row[:3], row[3] and row[3].isoformat()) for row in found]
                database.executemany("insert into t values (?, ?, ?, ?)", texts)
            return
        with psycopg.connect("dbname=postgres") as server, server.cursor() as cursor:
            cursor.execute(made.encode())
            cursor.executemany("insert into t values (%s, %s, %s, %s)", found)


def hour(*hours: int | None) -> pl.Series:
    """Make the column, of rows so many hours from the start."""
    at = [None if hour is None else START + timedelta(hours=hour) for hour in hours]
    return pl.Series(COLUMN, at, pl.Datetime("us", "UTC"))


@pytest.fixture(scope="module")
def pg_server() -> Iterator[None]:
    """A PostgreSQL server."""
    with postgres() as variables, pytest.MonkeyPatch.context() as environment:
        for name, value in variables.items():
            environment.setenv(name, value)
        yield


@pytest.fixture(params=["delta", "bucket", "iceberg", "duckdb", "postgresql", "sqlite"])
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Source:
    """A table of each kind."""
    if request.param == "postgresql":
        request.getfixturevalue("pg_server")
        with psycopg.connect("dbname=postgres") as server:
            server.execute("drop table if exists t")
    lake = request.getfixturevalue("lake") if request.param == "iceberg" else None
    if request.param == "bucket":
        return Source("delta", request.getfixturevalue("bucket"))
    return Source(request.param, tmp_path, lake)


def delivered(feed: Feed) -> list[str]:
    """List the keys of each batch in the inbox, batch by batch."""
    files = sorted(feed.inbox.glob("*.parquet"))
    return ["".join(sorted(pl.read_parquet(file)["key"])) for file in files]


def names(feed: Feed) -> list[str]:
    """List the batches in the inbox."""
    return sorted(path.name for path in feed.inbox.glob("*.parquet"))


def test_rows_above_the_last_mark_are_a_batch(make_feed: MakeFeed, source: Source) -> None:
    """Of rows with equal marks too; a look that finds nothing new delivers nothing."""
    feed = make_feed(follow=source.place)
    source.add(a=1, b=2)
    first = deliver_versions(feed)
    source.add(c=3, d=3)
    source.add(e=4)
    again = [*deliver_versions(feed), *deliver_versions(feed)]

    assert first == again == []
    assert delivered(feed) == ["ab", "cde"]
    numbers = [name.partition("_to_")[0].split("-") for name in names(feed)]
    assert [number[:2] for number in numbers] == [
        [source.name, "00000000"],
        [source.name, "00000001"],
    ]
    assert "2026-01-01" in names(feed)[1]


def test_what_is_followed_is_scored_once(make_feed: MakeFeed, line: str, tmp_path: Path) -> None:
    """A run delivers and scores; archived batches do not come again."""
    source = Source("sqlite", tmp_path)
    feed = make_feed(follow=source.place, archive=True)
    source.add(a=1, b=2)
    score_feed(feed)
    source.add(c=3)
    score_feed(feed)
    score_feed(feed)

    assert keys_of_rows(feed)[0] == {"a": 1, "b": 1, "c": 1}


def test_late_rows_and_those_without_a_mark_are_told(make_feed: MakeFeed, source: Source) -> None:
    """They are in no batch; what was told once is not told again."""
    feed = make_feed(follow=source.place)
    source.add(a=1, b=4)
    deliver_versions(feed)
    source.add(late=2, equal=4, none=None, c=5)
    told = [left.detail for left in deliver_versions(feed)]
    source.add(d=6)
    then = [left.detail for left in deliver_versions(feed)]

    assert delivered(feed) == ["ab", "c", "d"]
    assert [text[:35] for text in told] == [
        "2 rows of the table came late: the ",
        "1 rows of the table have no value i",
    ]
    assert [text[:28] for text in then] == ["1 rows of the table have no "]


def test_a_range_that_was_written_down_stays(
    make_feed: MakeFeed, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker breaks off before the batch is there: the next one makes it, no larger."""
    feed = make_feed(follow=source.place)
    source.add(a=1)
    with monkeypatch.context() as broken:
        broken.setattr(watermark, "publish_rows", _raise)
        with pytest.raises(OSError, match="disk"):
            deliver_versions(feed)
    source.add(b=2)
    deliver_versions(feed)
    deliver_versions(feed)

    assert delivered(feed) == ["a", "b"]


@pytest.mark.parametrize("scored", [False, True])
def test_a_batch_that_was_made_is_not_made_again(
    make_feed: MakeFeed, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scored: bool
) -> None:
    """A worker breaks off before it notes so; rows come late, and the batch may have left."""
    source = Source("sqlite", tmp_path)
    feed = make_feed(follow=source.place, archive=True)
    source.add(a=1, b=3)
    write = Document.write
    with monkeypatch.context() as broken:
        broken.setattr(Document, "write", lambda d, t: _raise() if names(feed) else write(d, t))
        with pytest.raises(OSError, match="disk"):
            deliver_versions(feed)
    if scored:
        score_feed(feed.model_copy(update={"follow": None}))
        assert names(feed) == []
    source.add(late=2)
    score_feed(feed)
    score_feed(feed)

    assert keys_of_rows(feed)[0] == {"a": 1, "b": 1}


def _raise(*_: object) -> None:
    message = "disk full"
    raise OSError(message)


def test_a_table_that_shrank_delivers_nothing_twice(make_feed: MakeFeed, tmp_path: Path) -> None:
    """Its highest rows are deleted: the mark stays where it was."""
    source = Source("delta", tmp_path)
    feed = make_feed(follow=source.place)
    source.add(a=1, b=2, c=3)
    deliver_versions(feed)
    DeltaTable(tmp_path / "t").delete("key = 'c'")
    assert deliver_versions(feed) == []
    source.add(d=4)
    deliver_versions(feed)

    assert delivered(feed) == ["abc", "d"]


def test_no_mark_passes_over_a_file_that_is_gone(make_feed: MakeFeed, tmp_path: Path) -> None:
    """As after a vacuum: its rows would be below the mark for ever."""
    source = Source("delta", tmp_path)
    feed = make_feed(follow=source.place)
    source.add(a=1)
    gone = next((tmp_path / "t").glob("*.parquet"))
    content = gone.read_bytes()
    source.add(b=2)
    gone.unlink()

    with pytest.raises(GateError, match="lists and that is gone"):
        deliver_versions(feed)
    gone.write_bytes(content)
    deliver_versions(feed)

    assert delivered(feed) == ["ab"]


@_EACH
@given(steps=st.lists(st.lists(st.none() | st.integers(0, 30), max_size=4), max_size=6))
def test_each_row_is_delivered_or_told(
    tmp_path_factory: pytest.TempPathFactory, steps: list[list[int | None]]
) -> None:
    """Whatever comes between two looks: a row above the mark once, any other never."""
    folder = tmp_path_factory.mktemp("rows")
    (folder / "inbox").mkdir()
    source, mark, late, taken = Source("sqlite", folder), 0, 0, ["first"]
    feed = Feed.parse({"name": "f", "model": "m", "root": str(folder), "follow": source.place})
    source.add(first=0)
    deliver_versions(feed)
    for number, step in enumerate(steps):
        keys = {f"k{number}.{n}": hour for n, hour in enumerate(step)}
        source.add(**keys)
        told = [left.detail for left in deliver_versions(feed) if "came late" in left.detail]
        known = {key: hour for key, hour in keys.items() if hour is not None}
        new = [key for key, hour in known.items() if hour > mark]
        late += len(known) - len(new)
        assert [int(text.split()[0]) for text in told] == ([late] if new and late else [])
        taken += new
        mark, late = max([mark, *known.values()]), 0 if new else late
    files = feed.inbox.glob("*.parquet")
    found = sorted(key for file in files for key in pl.read_parquet(file)["key"])

    assert found == sorted(taken)


def test_a_value_after_which_nothing_comes_is_refused(make_feed: MakeFeed, source: Source) -> None:
    """Each row that follows would be late for ever."""
    feed = make_feed(follow=source.place.rpartition("=")[0] + "=a")
    source.append(rows(2, key=["a", "b"]).with_columns(hour(1, 2)))
    deliver_versions(feed)
    last = float("inf" if source.kind in ("duckdb", "sqlite") else "nan")
    source.append(rows(1, a=[last], key=["c"]).with_columns(hour(3)))

    with pytest.raises(Misuse, match=r"no row comes after (?i:nan|inf|9.0e\+999) in a\. Mend"):
        deliver_versions(feed)

    assert delivered(feed) == ["ab"]


def test_text_that_looks_like_a_large_number_is_a_mark(make_feed: MakeFeed, source: Source) -> None:
    """Such as a number in hexadecimal digits: ``018e1000`` would be infinity."""
    feed = make_feed(follow=source.place.rpartition("=")[0] + "=key")
    source.append(rows(1, key=["018e1000"]).with_columns(hour(1)))

    deliver_versions(feed)

    assert delivered(feed) == ["018e1000"]


def test_an_empty_table_has_no_batch(make_feed: MakeFeed, source: Source) -> None:
    """Its columns are known all the same."""
    source.add()

    assert deliver_versions(feed := make_feed(follow=source.place)) == []
    assert names(feed) == []


def test_no_value_is_in_a_name_under_redact(make_feed: MakeFeed, source: Source) -> None:
    """Batches are numbered."""
    feed = make_feed(follow=source.place, policy={"redact": True})
    source.add(a=1)
    deliver_versions(feed)

    assert names(feed) == [f"{source.name}-00000000.parquet"]


def test_a_column_that_is_not_there_is_refused(make_feed: MakeFeed, source: Source) -> None:
    """SQLite would take its name for text, and Polars one such as this for a pattern."""
    source.add(a=1)
    feed = make_feed(follow=source.place.partition("by=")[0] + "by=^loaded.*$")

    with pytest.raises(GateError, match="loaded"):
        deliver_versions(feed)


@pytest.mark.parametrize(
    "follow",
    ["iceberg://c/t?by=at", "sqlite:///t.db?by=at", "postgresql://u:s3@h/d?table=t&by=a"],
)
def test_what_cannot_be_followed_by_a_column_is_refused(make_feed: MakeFeed, follow: str) -> None:
    """The error has the forms, and no password."""
    with pytest.raises(Misuse, match="delta://PATH") as error:
        deliver_versions(make_feed(follow=follow))

    assert "s3" not in str(error.value)


def test_a_relative_file_counts_from_the_feed(tmp_path: Path) -> None:
    """As all places of a feed's file do."""
    (tmp_path / "f.yaml").write_text(
        "name: f\nmodel: models:/m/1\nfollow: sqlite:///t.db?table=t&by=a+b\n"
    )

    assert Feed.load(tmp_path / "f.yaml").follow == f"sqlite:///{tmp_path}/t.db?table=t&by=a+b"
