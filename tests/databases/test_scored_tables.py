"""Predictions appended to tables: each row once, whenever a worker is killed and starts again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from unittest.mock import patch

import polars as pl
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from deltalake import DeltaTable
from faulty_proxy import faulty
from feeds import deliver, gaps, rows
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from killed_process import score_and_die
from lakes import lake  # noqa: F401 - a fixture
from live_object_store import SECRET
from live_postgres import postgres
from psycopg.rows import dict_row
from pyiceberg.utils.config import Config

from signature_gate.expectations.errors import GateError, InvalidFeed, Misuse, TableUnavailable
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.appended import Appended
from signature_gate.tasks.storage.journal import CHECKPOINTS
from signature_gate.tasks.storage.table_appends import TABLE_CHECKPOINTS, append_once

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    MakeFeed = Callable[..., Feed]

KINDS = ("delta", "delta in a bucket", "duckdb", "iceberg", "postgresql")
SPLIT = {"on_mismatch": "split", "max_rejected": 0.9}
_EACH = settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])


@dataclass(frozen=True)
class Table:
    """A table that rows are appended to."""

    url: str
    name: str = "scores"

    @property
    def keys(self) -> list[tuple[str, str]]:
        """The batch and the key of each of its rows, in order; none while it is not there."""
        return sorted((row["_batch"], row["key"]) for row in self.rows)

    @property
    def rejects(self) -> Table:
        """Another one in the same place."""
        before, _, after = self.url.rpartition(self.name)
        return Table(f"{before}rejects{after}", "rejects")

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All that is in it."""
        sql = f"select * from {self.name}"  # noqa: S608 - a name of ours
        if self.url.startswith("delta"):
            place = self.url.removeprefix("delta://")
            if not DeltaTable.is_deltatable(place):
                return []
            return pl.DataFrame(pa.table(DeltaTable(place).to_pyarrow_table())).to_dicts()
        if self.url.startswith("iceberg"):
            from pyiceberg.catalog import load_catalog

            place = load_catalog("lake", **(Config().get_catalog_config("lake") or {}))
            if not place.table_exists(f"sales.{self.name}"):
                return []
            return place.load_table(f"sales.{self.name}").scan().to_arrow().to_pylist()
        if self.url.startswith("duckdb"):
            import duckdb

            place = self.url.removeprefix("duckdb:///").partition("?")[0]
            with duckdb.connect(place) as connection:
                known = (self.name,) in connection.sql(
                    "select table_name from duckdb_tables()"
                ).fetchall()
                return connection.sql(sql).to_arrow_table().to_pylist() if known else []
        with psycopg.connect("dbname=postgres", row_factory=dict_row) as connection:
            found = connection.execute(f"select to_regclass('{self.name}') as there").fetchone()
            there = found and found["there"]
            return connection.execute(cast("Any", sql)).fetchall() if there else []


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
            connection.execute("drop table if exists scores, rejects, signature_gate_ledger")
        return Table("postgresql:///postgres?table=scores")
    if request.param == "iceberg":
        request.getfixturevalue("lake")
        return Table("iceberg://lake/sales.scores")
    if request.param == "delta in a bucket":
        return Table(f"delta://{request.getfixturevalue('bucket')}/lake/scores")
    if request.param == "delta":
        return Table(f"delta://{tmp_path}/scores")
    return Table(f"duckdb:///{tmp_path}/scores.duckdb?table=scores")


def published(feed: Feed) -> list[tuple[str, str]]:
    """List the batch and the key of each row below ``scored``, in order."""
    files = (Path(feed.root) / "scored").rglob("*.parquet")
    return sorted((file.stem, key) for file in files for key in pl.read_parquet(file)["key"])


def rejected(feed: Feed) -> list[dict[str, Any]]:
    """Read the rejected rows below ``quarantine``, in the form of a table."""
    found = list[dict[str, Any]]()
    for file in (Path(feed.root) / "quarantine").rglob("rejected.parquet"):
        for row in pl.read_parquet(file).to_dicts():
            own = {name: row.pop(name) for name in ("_row", "_violations")}
            found.append({"_batch": file.parent.name, "_values": row, **own})
    return sorted(found, key=_position)


def logged(table: Table) -> list[dict[str, Any]]:
    """Read what was appended to a table of rejected rows."""
    rows = table.rejects.rows
    assert all(row.pop("_model").startswith("models:/") for row in rows)
    return sorted(({**row, "_values": json.loads(row["_values"])} for row in rows), key=_position)


def _position(row: dict[str, Any]) -> tuple[str, int]:
    return row["_batch"], row["_row"]


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


def test_rejected_rows_are_in_a_table_as_in_the_files(
    make_feed: MakeFeed, line: str, table: Table
) -> None:
    """Whatever columns a batch has, and whole under redact too: it is about reports."""
    feed = make_feed(rejected_table=table.rejects.url, policy={**SPLIT, "redact": True})
    deliver(feed, "a.parquet", gaps(6, nulls=2))
    deliver(feed, "b.csv", gaps(3, nulls=1).with_columns(pl.lit("x").alias("*")))
    deliver(feed, "c.parquet", rows(2))

    score_feed(feed)
    once = logged(table)
    score_feed(feed)

    assert once == logged(table) == rejected(feed)
    assert [row["_row"] for row in once] == [0, 1, 0]
    assert once[2]["_values"]["*"] == "x"
    assert table.rows == []


def test_any_text_is_in_the_tables(make_feed: MakeFeed, line: str, table: Table) -> None:
    """PostgreSQL, whose text holds no NUL, gets the mark by which reports show it."""
    mark = "⟨U+0000⟩" if table.url.startswith("postgresql") else "\0"
    feed = make_feed(
        scored_table=table.url,
        rejected_table=table.rejects.url,
        policy={**SPLIT, "parse_text": "allow"},
    )
    batch = rows(4, n=["1", "x\0y", "2", None], key=["\0a\0", "\0", "\ud7ff\uffff", "é"])
    deliver(feed, "x.parquet", batch)

    score_feed(feed)

    assert [key for _, key in table.keys] == sorted([f"{mark}a{mark}", "\ud7ff\uffff"])
    (wrong, null) = logged(table)
    assert wrong["_values"] == {"a": 1.0, "n": "x\0y", "key": "\0"}
    assert (wrong["_row"], null["_row"]) == (1, 3)


@pytest.mark.parametrize("point", [*CHECKPOINTS, *TABLE_CHECKPOINTS])
def test_killed_at_any_write_each_row_is_there_once(
    make_feed: MakeFeed, line: str, table: Table, point: str
) -> None:
    """A worker is killed at a checkpoint of the first batch; the next one finishes both."""
    tables = {"scored_table": table.url, "rejected_table": table.rejects.url}
    feed = make_feed(**tables, policy=SPLIT)
    deliver(feed, "a.parquet", gaps(5, nulls=1))
    deliver(feed, "b.parquet", rows(3))

    assert score_and_die(feed, point) == -9
    score_feed(feed)

    assert table.keys == published(feed)
    assert len(table.keys) == 7
    assert logged(table) == rejected(feed)
    assert len(logged(table)) == 1
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []


@pytest.mark.parametrize("table", ["delta", "delta in a bucket", "duckdb"], indirect=True)
@pytest.mark.parametrize("point", TABLE_CHECKPOINTS)
def test_killed_between_two_tables_each_row_is_there_once(
    make_feed: MakeFeed, line: str, table: Table, point: str
) -> None:
    """A worker has appended what fits, and dies over the rejected rows of the same batch."""
    tables = {"scored_table": table.url, "rejected_table": table.rejects.url}
    feed = make_feed(**tables, policy=SPLIT)
    deliver(feed, "a.parquet", gaps(5, nulls=2))

    assert score_and_die(feed, point, times=2) == -9
    before = len(logged(table))
    score_feed(feed)

    assert before == (2 if point == "rows committed" else 0)
    assert table.keys == published(feed)
    assert logged(table) == rejected(feed)
    assert (len(table.keys), len(logged(table))) == (3, 2)


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


@pytest.mark.parametrize("table", ["delta"], indirect=True)
def test_a_release_logs_what_it_rejects_first_and_leaves_the_log_alone(
    make_feed: MakeFeed, line: str, table: Table
) -> None:
    """Rows of a batch that was not split before come in; those that are judged again do not."""
    tables = {"scored_table": table.url, "rejected_table": table.rejects.url}
    feed = make_feed(**tables)
    deliver(feed, "a.parquet", gaps(4, nulls=2))
    (receipt,) = score_feed(feed).receipts
    assert (receipt.disposition, table.rejects.rows) == ("quarantined", [])

    split, repaired = ReleaseOptions(policy=feed.policy.model_copy(update=SPLIT)), feed.root + "/r"
    release_batch(feed, "a", split)
    once = logged(table)
    (entry,) = (Path(feed.root) / "quarantine").iterdir()
    held = pl.read_parquet(entry / "rejected.parquet")
    held.with_columns(a=pl.Series([1.0, None])).write_parquet(f"{repaired}.parquet")
    release_batch(feed, entry.name, split._replace(file=f"{repaired}.parquet"))

    assert [(row["_batch"], row["_row"]) for row in once] == [(receipt.batch.id, n) for n in (0, 1)]
    assert logged(table) == once
    assert sorted(row["_row"] for row in table.rows) == [0, 2, 3]


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
    missing = make_feed("other", rejected_table="delta:///scores")
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


@pytest.mark.parametrize("kind", ["lost", "reset"])
def test_a_spoilt_answer_of_a_store_doubles_and_loses_nothing(
    bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """Around the commit, which may be done though its answer says that it is not."""
    file = _file(tmp_path, "x", "y")
    for first in range(20, 24):
        table = Table(f"delta://{bucket}/{first}/scores")
        with monkeypatch.context() as patch, faulty(s3, kind, first, first) as (address, faults):
            patch.setenv("AWS_ENDPOINT_URL", address)
            with suppress(TableUnavailable):
                append_once(table.url, _appended(file, "k"))
        append_once(table.url, _appended(file, "k"))

        assert faults.seen >= first
        assert table.keys == [("k", "x"), ("k", "y")]


def test_a_store_that_denies_access_holds_the_rows_back_without_a_secret(
    bucket: str, s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is a line of the client's own words, none of its colours, and no key."""
    with faulty(s3, "denied", 1, 10**6) as (address, _):
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        with pytest.raises(TableUnavailable, match="403 Forbidden") as error:
            append_once(f"delta://{bucket}/scores", _appended(_file(tmp_path, "x"), "k"))

    assert SECRET not in str(error.value)
    assert "\x1b" not in str(error.value)


def test_rows_are_never_committed_without_a_condition(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the environment forbids conditional puts, and allows unsafe renames."""
    table = Table(f"delta://{bucket}/scores")
    append_once(table.url, _appended(_file(tmp_path, "x"), "before"))
    monkeypatch.setenv("AWS_CONDITIONAL_PUT", "disabled")
    monkeypatch.setenv("AWS_S3_ALLOW_UNSAFE_RENAME", "true")

    with pytest.raises(TableUnavailable, match="conditional put is disabled"):
        append_once(table.url, _appended(_file(tmp_path, "y"), "k"))
    assert table.keys == [("before", "x")]


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


_CELL = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.text()
_NAMES = st.lists(st.text(), min_size=0, max_size=4, unique=True)


@given(names=_NAMES, data=st.data())
def test_rows_of_any_columns_are_json(names: list[str], data: st.DataObject) -> None:
    """What is read back is what was there, but for what JSON has no number for."""
    columns = [data.draw(st.lists(_CELL, min_size=2, max_size=2)) for _ in names]
    cells = [
        column if len({*map(type, column)} - {type(None)}) < 2 else [None, 1] for column in columns
    ]
    rows = pa.table([[0, 1], *cells, [["x"], []]], ["_row", *names, "_violations"])
    file = BytesIO()
    pq.write_table(rows, file)

    with Appended("k", cast("Any", file), {}, False, print, in_json=True).rows() as found:
        values = [json.loads(text) for text in found.read_all()["_values"].to_pylist()]

    plain = [{n: c[row] for n, c in zip(names, cells, strict=True)} for row in (0, 1)]
    assert values == json.loads(json.dumps(plain), parse_constant=str)


def test_nul_is_replaced_in_text_of_any_form(tmp_path: Path) -> None:
    """In categories and lists as in cells; nulls and numbers stay."""
    texts = ["\0a", None]
    columns = {
        "cells": pa.array(texts),
        "categories": pa.array(texts).dictionary_encode(),
        "lists": pa.array([texts, None], pa.list_(pa.string())),
        "numbers": [1, None],
    }
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")

    with Appended("k", tmp_path / "r.parquet", {}, False, print).rows(nul="?") as found:
        first, second = found.read_all().to_pylist()

    assert first == {"cells": "?a", "categories": "?a", "lists": ["?a", None], "numbers": 1}
    assert second == dict.fromkeys(columns)


def test_what_python_cannot_hold_is_still_json(tmp_path: Path) -> None:
    """An instant beyond all calendars, a zone that nobody knows, bytes: none holds a batch back."""
    columns = {
        "_row": [0, 1],
        "far": pa.array([2**30, None], pa.int32()).cast(pa.date32()),
        "where": pa.array([0, None], pa.timestamp("us", "Mars/Base")),
        "raw": [b"\xff\x00", None],
        "_violations": [["x"], ["y"]],
    }
    pq.write_table(pa.table(columns), tmp_path / "r.parquet")
    appended = Appended("k", tmp_path / "r.parquet", {}, False, print, in_json=True)

    with appended.rows() as found:
        first, second = (json.loads(text) for text in found.read_all()["_values"].to_pylist())

    assert first == {
        "far": "<value out of range: 1073741824>",
        "where": "1970-01-01 00:00:00.000000Z",
        "raw": "ff00",
    }
    assert second == dict.fromkeys(first)


# ----- the feed's file -----


def test_a_relative_path_counts_from_the_file(tmp_path: Path) -> None:
    """As those of folders do; an absolute path and a server stay."""
    urls = {
        "delta://scores": f"delta://{tmp_path}/scores",
        "duckdb:///s.duckdb?table=t": f"duckdb:///{tmp_path}/s.duckdb?table=t",
        "delta:///data/scores": "delta:///data/scores",
        "delta://s3://lake/scores": "delta://s3://lake/scores",
        "postgresql:///x?sslmode=require&table=a.b": "postgresql:///x?sslmode=require&table=a.b",
    }
    for url, resolved in urls.items():
        for field in ("scored_table", "rejected_table"):
            text = f"name: f\nmodel: models:/m/1\n{field}: '{url}'\n"
            (tmp_path / "feed.yaml").write_text(text)
            assert getattr(Feed.load(tmp_path / "feed.yaml"), field) == resolved


def test_one_table_for_both_is_refused() -> None:
    """Their columns differ; the error names the table."""
    both = dict.fromkeys(("scored_table", "rejected_table"), "delta:///t")

    with pytest.raises(InvalidFeed, match=r"are the same table, delta:///t"):
        Feed.parse({"name": "f", "model": "models:/m/1", **both})


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("iceberg://catalog/scores", "NAMESPACE.TABLE"),
        ("sqlite:///s.db?table=t", "other databases"),
        ("postgresql:///x", "table=NAME"),
        ("duckdb:///?table=t", "duckdb:///FILE"),
        ("delta://", "delta://FOLDER"),
        ("scores", "delta://FOLDER"),
        ("delta://hdfs://host/scores", "delta://s3://BUCKET/FOLDER"),
        ("delta://s3://key:s3cret@bucket/scores", "keys of a store to the environment"),
        ("delta://s3://bucket/scores?X-Amz-Signature=s3cret", "keys of a store"),
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
