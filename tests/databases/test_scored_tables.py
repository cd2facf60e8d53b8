"""Predictions appended to tables: each row once, whenever a worker is killed and starts again."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from unittest.mock import patch

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from feeds import deliver, gaps, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_process import score_and_die
from lakes import lake  # noqa: F401 - a fixture
from live_postgres import postgres
from pyiceberg.utils.config import Config

from signature_gate.expectations.errors import GateError, InvalidFeed, Misuse, TableUnavailable
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.quarantine.release import release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.appended import Appended
from signature_gate.tasks.storage.journal import CHECKPOINTS
from signature_gate.tasks.storage.table_appends import TABLE_CHECKPOINTS, append_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeFeed = Callable[..., Feed]

KINDS = ("delta", "duckdb", "iceberg", "postgresql")
SPLIT = {"on_mismatch": "split", "max_rejected": 0.9}
_EACH = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Table:
    """A table that rows are appended to."""

    url: str

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The batch and the key of each of its rows, in order; none while it is not there."""
        return sorted(self._keys())

    def _keys(self) -> list[tuple[str, str]]:
        sql = 'select _batch, key from "scores"'
        if self.url.startswith("delta"):
            place = self.url.removeprefix("delta://")
            if not DeltaTable.is_deltatable(place):
                return []
            frame = pl.DataFrame(pa.table(DeltaTable(place).to_pyarrow_table()))
            return [(str(batch), str(key)) for batch, key in frame.select("_batch", "key").rows()]
        if self.url.startswith("iceberg"):
            from pyiceberg.catalog import load_catalog

            place = load_catalog("lake", **(Config().get_catalog_config("lake") or {}))
            if not place.table_exists("sales.scores"):
                return []
            cells = place.load_table("sales.scores").scan().to_arrow().select(["_batch", "key"])
            return [(str(row["_batch"]), str(row["key"])) for row in cells.to_pylist()]
        if self.url.startswith("duckdb"):
            import duckdb

            place = self.url.removeprefix("duckdb:///").partition("?")[0]
            with duckdb.connect(place) as connection:
                there = connection.execute("select * from information_schema.tables").fetchall()
                known = any("scores" in row for row in there)
                return connection.execute(sql).fetchall() if known else []
        with psycopg.connect("dbname=postgres") as connection:
            (there,) = connection.execute("select to_regclass('scores')").fetchone() or (None,)
            return connection.execute(sql).fetchall() if there else []


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A PostgreSQL server."""
    with postgres() as variables, patch.dict(os.environ, variables):
        yield


@pytest.fixture(params=KINDS)
def table(request: pytest.FixtureRequest, tmp_path: Path) -> Table:
    """A table of each kind, which is not there yet."""
    if request.param == "postgresql":
        request.getfixturevalue("server")
        with psycopg.connect("dbname=postgres") as connection:
            connection.execute("drop table if exists scores, signature_gate_ledger")
        return Table("postgresql:///postgres?table=scores")
    if request.param == "iceberg":
        request.getfixturevalue("lake")
        return Table("iceberg://lake/sales.scores")
    if request.param == "delta":
        return Table(f"delta://{tmp_path}/scores")
    return Table(f"duckdb:///{tmp_path}/scores.duckdb?table=scores")


def published(feed: Feed) -> list[tuple[str, str]]:
    """List the batch and the key of each row below ``scored``, in order."""
    files = (Path(feed.root) / "scored").rglob("*.parquet")
    return sorted((file.stem, key) for file in files for key in pl.read_parquet(file)["key"])


# ----- a feed -----


def test_predictions_are_in_the_table_as_in_the_files(
    make_feed: MakeFeed, line: str, table: Table
) -> None:
    """Rows that fit are appended with their batch and model; a second run appends nothing."""
    feed = make_feed(scored_table=table.url, policy=SPLIT)
    deliver(feed, "a.parquet", rows(5))
    deliver(feed, "b.parquet", gaps(6, nulls=2))

    score_feed(feed)
    once = table.keys
    score_feed(feed)

    assert once == table.keys == published(feed)
    assert len(once) == 9


@pytest.mark.parametrize("point", [*CHECKPOINTS, *TABLE_CHECKPOINTS])
def test_killed_at_any_write_each_row_is_there_once(
    make_feed: MakeFeed, line: str, table: Table, point: str
) -> None:
    """A worker is killed at a checkpoint of the first batch; the next one finishes both."""
    feed = make_feed(scored_table=table.url, policy=SPLIT)
    deliver(feed, "a.parquet", gaps(5, nulls=1))
    deliver(feed, "b.parquet", rows(3))

    assert score_and_die(feed, point) == -9
    score_feed(feed)

    assert table.keys == published(feed)
    assert len(table.keys) == 7
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []


def test_killed_again_and_again_each_row_is_there_once(
    make_feed: MakeFeed, line: str, table: Table
) -> None:
    """One worker after the other dies just before, and just after, the rows are committed."""
    feed = make_feed(scored_table=table.url)
    for name in "abc":
        deliver(feed, f"{name}.parquet", rows(3))

    for point in ("rows written", "rows written", "rows committed", "planned", "rows written"):
        assert score_and_die(feed, point) == -9
    score_feed(feed)

    assert table.keys == published(feed)
    assert len(table.keys) == 9


def test_released_rows_are_appended_too(make_feed: MakeFeed, line: str, table: Table) -> None:
    """What a release scores comes into the table, and once."""
    feed = make_feed(scored_table=table.url)
    deliver(feed, "a.parquet", gaps(4, nulls=1))
    (receipt,) = score_feed(feed).receipts
    assert (receipt.disposition, table.keys) == ("quarantined", [])

    lenient = feed.model_copy(update={"policy": feed.policy.model_copy(update=SPLIT)})
    release_batch(lenient, "a")

    assert table.keys == published(feed)
    assert len(table.keys) == 3


def test_a_table_that_takes_no_rows_holds_the_batch_back(
    make_feed: MakeFeed, line: str, tmp_path: Path
) -> None:
    """Nothing is published before the rows are in; once it is mended the next run finishes."""
    import duckdb

    with duckdb.connect(f"{tmp_path}/s.duckdb") as connection:
        connection.execute("create table scores (key text)")
    table = Table(f"duckdb:///{tmp_path}/s.duckdb?table=scores")
    feed = make_feed(scored_table=table.url, max_attempts=1)
    deliver(feed, "a.parquet", rows(3))

    for _ in range(3):
        said = score_feed(feed)
        assert "scores" in f"{said.receipts} {said.left}"
        assert published(feed) == list(feed.receipts.glob("*.json")) == []
    with duckdb.connect(f"{tmp_path}/s.duckdb") as connection:
        connection.execute("drop table scores")
    (receipt,) = score_feed(feed).receipts

    assert (receipt.disposition, receipt.attempt) == ("passed", 1)
    assert table.keys == published(feed)
    assert len(table.keys) == 3


def test_no_batch_is_touched_while_the_table_does_not_answer(
    make_feed: MakeFeed, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is down, and a driver that is missing, end the run before it begins."""
    down = make_feed(scored_table="postgresql://127.0.0.1:1/x?table=scores")
    missing = make_feed("other", scored_table="delta:///scores")
    for feed in (down, missing):
        deliver(feed, "a.parquet", rows(3))

    with pytest.raises(TableUnavailable, match="Connection refused"):
        score_feed(down)
    monkeypatch.setitem(sys.modules, "deltalake", None)
    with pytest.raises(Misuse, match=r"pip install 'signature-gate\[delta\]'"):
        score_feed(missing)

    for feed in (down, missing):
        assert list(feed.receipts.iterdir()) == list(feed.staging.iterdir()) == []


# ----- one append -----


def _appended(file: Path, key: str, *, redact: bool = False) -> Appended:
    return Appended(key, file, {"_batch": key, "_model": "m"}, redact, lambda _: None)


def _file(folder: Path, *keys: str) -> Path:
    path = folder / "rows.parquet"
    pq.write_table(pa.table({"_row": range(len(keys)), "key": keys}), path)
    return path


@_EACH
@given(order=st.lists(st.sampled_from("abcd"), min_size=1, max_size=8))
def test_whatever_is_repeated_in_whatever_order_is_there_once(
    table: Table, tmp_path: Path, order: list[str]
) -> None:
    """Only the first append of a key appends, and it says so."""
    before = table.keys
    run = f"{len(before)}:"
    done = [
        append_once(table.url, _appended(_file(tmp_path, "x", "y"), run + key)) for key in order
    ]

    assert done == [key not in order[:n] for n, key in enumerate(order)]
    new = sorted((run + key, row) for key in set(order) for row in "xy")
    assert sorted([*before, *new]) == table.keys


def test_of_many_at_once_one_appends(table: Table, tmp_path: Path) -> None:
    """Threads that append the same at the same time: the others find it, or fail."""
    file = _file(tmp_path, "x", "y")

    def attempt(_: int) -> bool | None:
        try:
            return append_once(table.url, _appended(file, "k"))
        except TableUnavailable:
            return None

    append_once(table.url, _appended(file, "first"))
    with ThreadPoolExecutor(8) as pool:
        done = list(pool.map(attempt, range(16)))

    assert done.count(True) == 1
    assert [row for row in table.keys if row[0] == "k"] == [("k", "x"), ("k", "y")]


def test_killed_while_rows_are_sent_nothing_of_them_is_there(table: Table, tmp_path: Path) -> None:
    """A worker dies when half of the rows are sent; the next one appends them all."""
    append_once(table.url, _appended(_file(tmp_path, "z"), "before"))
    file = _file(tmp_path, *"abcdef")
    program = f"""
import os, signal, types
from pathlib import Path
import pyarrow.parquet as pq
from signature_gate.tasks.storage import appended, table_appends

class Dying(pq.ParquetFile):
    def iter_batches(self, *_):
        yield from list(super().iter_batches(1))[:3]
        os.kill(os.getpid(), signal.SIGKILL)

appended.pq = types.SimpleNamespace(ParquetFile=Dying)
stamps = {{"_batch": "k", "_model": "m"}}
rows = appended.Appended("k", Path({str(file)!r}), stamps, False, lambda _: None)
table_appends.append_once({table.url!r}, rows)
"""
    died = subprocess.run([sys.executable, "-c", program], check=False).returncode
    left = table.keys

    assert (died, left) == (-9, [("before", "z")])
    assert append_once(table.url, _appended(file, "k"))
    assert not append_once(table.url, _appended(file, "k"))
    assert table.keys == [("before", "z"), *(("k", key) for key in "abcdef")]


def test_two_tables_of_a_database_have_notes_of_their_own(tmp_path: Path) -> None:
    """The same batch of two feeds of one name goes into both tables."""
    file = _file(tmp_path, "x")
    urls = [f"duckdb:///{tmp_path}/s.duckdb?table={name}" for name in ("one", "two")]

    assert [append_once(url, _appended(file, "k")) for url in (*urls, *urls)] == [
        True,
        True,
        False,
        False,
    ]


def test_errors_keep_values_to_themselves_under_redact(tmp_path: Path) -> None:
    """What a database says of a value is quoted, but not under redact."""
    url = f"duckdb:///{tmp_path}/s.duckdb?table=t"
    pq.write_table(pa.table({"key": [1]}), tmp_path / "n.parquet")
    append_once(url, _appended(tmp_path / "n.parquet", "numbers"))
    append = partial(append_once, url)
    file = _file(tmp_path, "xyzzy")

    with pytest.raises(TableUnavailable, match="takes no rows: "):
        append(_appended(file, "words"))
    with pytest.raises(TableUnavailable) as error:
        append(_appended(file, "words", redact=True))

    assert "xyzzy" not in str(error.value)
    assert error.value.__cause__ is error.value.__context__ is None


def test_columns_of_other_types_are_cast_to_those_of_the_table(
    table: Table, tmp_path: Path
) -> None:
    """Integers go into a column of doubles, instants of nanoseconds into one of microseconds."""
    first = pa.table({"key": ["x"], "score": [1.5], "at": pa.array([1], pa.timestamp("us"))})
    then = pa.table({"key": ["y"], "score": [2], "at": pa.array([1000], pa.timestamp("ns"))})
    for number, content in enumerate((first, then)):
        pq.write_table(content, tmp_path / "rows.parquet")
        assert append_once(table.url, _appended(tmp_path / "rows.parquet", f"k{number}"))

    assert table.keys == [("k0", "x"), ("k1", "y")]


# ----- the feed's file -----


def test_a_relative_path_counts_from_the_file(tmp_path: Path) -> None:
    """As those of folders do; an absolute path and a server stay."""
    urls = {
        "delta://scores": f"delta://{tmp_path}/scores",
        "duckdb:///s.duckdb?table=t": f"duckdb:///{tmp_path}/s.duckdb?table=t",
        "delta:///data/scores": "delta:///data/scores",
        "postgresql:///x?sslmode=require&table=a.b": "postgresql:///x?sslmode=require&table=a.b",
    }
    for url, resolved in urls.items():
        (tmp_path / "feed.yaml").write_text(f"name: f\nmodel: models:/m/1\nscored_table: '{url}'\n")
        assert Feed.load(tmp_path / "feed.yaml").scored_table == resolved


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("iceberg://catalog/scores", "NAMESPACE.TABLE"),
        ("sqlite:///s.db?table=t", "other databases"),
        ("postgresql:///x", "table=NAME"),
        ("duckdb:///?table=t", "duckdb:///FILE"),
        ("delta://", "delta://FOLDER"),
        ("scores", "delta://FOLDER"),
        ("postgresql://me:s3cret@host/x?table=t", "leave the password to PGPASSWORD"),
        ("postgresql://host/x?password=s3cret&table=t", "leave the password to PGPASSWORD"),
    ],
)
def test_other_tables_and_passwords_are_refused(url: str, said: str) -> None:
    """A feed's file names a table that can be written to once, and no password."""
    with pytest.raises(InvalidFeed, match=said) as error:
        Feed.parse({"name": "f", "model": "models:/m/1", "scored_table": url})

    assert "s3cret" not in str(error.value)
    assert isinstance(error.value, GateError)
