"""Queries of databases as batches: judged as the same rows in memory, read once, named safely."""

from __future__ import annotations

import gc
import json
import logging
import os
import pickle
import sqlite3
import subprocess
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from databases import COLUMNS, Database
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from small_checks import SPLIT, contract, kinds, left_in, violations_in

from signature_gate import GateError, Policy, Query, check, learn
from signature_gate.expectations.errors import (
    BatchNotFound,
    BatchUnavailable,
    Misuse,
    UnsupportedBatch,
)
from signature_gate.expectations.suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest_plugins = ["databases"]
ABC = contract(a="double", b="long", c="string")
_EACH = settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
_TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
_ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(allow_nan=False),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | _TEXT,
    ),
    max_size=30,
)


@pytest.fixture(autouse=True)
def spools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Temporary files of a test lie in a folder of its own; none may be left."""
    folder = tmp_path / "spools"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    yield folder
    assert left_in(folder) == []


# ----- the same verdict -----


@_EACH
@given(rows=_ROWS, policy=st.sampled_from([SPLIT, Policy(), Policy(nulls="allow", nan="value")]))
def test_a_query_is_judged_as_its_rows_are(
    database: Database, rows: list[tuple[Any, ...]], policy: Policy
) -> None:
    """Verdict and rows on either side are those of the same rows in an Arrow table."""
    database.fill("same", rows)
    typed = {} if database.engine == "sqlite" else {"a": pa.float64(), "b": pa.int64()}
    typed |= {} if database.engine == "sqlite" else {"c": pa.string()}
    columns = dict(zip(COLUMNS, zip(*rows, strict=True) if rows else [()] * 3, strict=True))
    table = pa.table({name: pa.array(cells, typed.get(name)) for name, cells in columns.items()})

    asked = check(Query(database.url, "select * from same"), ABC, policy)
    known = check(table, ABC, policy)

    assert asked.violations == known.violations
    assert asked.verdict.conversions == known.verdict.conversions
    assert [len(rows), asked.verdict.rejected] == [asked.verdict.rows, known.verdict.rejected]
    assert asked.verdict.batch.columns == known.verdict.batch.columns
    if asked.accepted is not None:
        assert known.accepted is not None
        assert asked.accepted.collect().equals(known.accepted.collect())


def test_what_is_read_once_answers_the_same_each_time(database: Database, tmp_path: Path) -> None:
    """A query that gives other rows each time is run once: verdict, rows and files agree."""
    database.fill("once", [(0.5, n, "x") for n in range(50)])
    sql = "select CASE WHEN b % 2 = 0 THEN a END a, b, c from once order by random()"
    result = check(Query(database.url, sql), ABC, SPLIT)
    assert result.accepted is not None
    assert result.rejected is not None

    order = result.accepted.collect()["b"].to_list()
    result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")

    assert pl.read_parquet(tmp_path / "good.parquet")["b"].to_list() == order
    assert sorted(order) == list(range(0, 50, 2))
    assert result.rejected.collect()["b"].sum() == sum(range(1, 50, 2))
    assert result.model_input()["b"].tolist() == order


def test_footers_of_what_was_read_prove_that_nothing_is_null(database: Database) -> None:
    """Evidence is that of a Parquet file: columns without null are not scanned."""
    database.fill("whole", [(0.5, 1, "x")])

    result = check(Query(database.url, "select * from whole"), ABC)

    assert result.verdict.evidence["c"] == "footer"


def test_values_are_learned_from_a_query(database: Database) -> None:
    """A query is data to learn from, as any batch is."""
    database.fill("learned", [(float(n), n, "x") for n in range(100)])

    profile = learn(Query(database.url, "select * from learned"), contract=ABC)

    assert profile.rows == 100


# ----- what a database refuses -----


@pytest.mark.parametrize(
    "sql",
    [
        "delete from kept returning *",
        "create table made (a int)",
        "select 1; select 2",
        "selec",
        "select nothing from kept",
        "",
    ],
)
def test_only_a_query_is_run(database: Database, sql: str) -> None:
    """A statement that writes, that gives no rows, or that is none: nothing is written."""
    database.fill("kept", [(0.5, 1, "x")])

    with pytest.raises(Misuse, match=r"refuses the query|gives no rows"):
        check(Query(database.url, sql), ABC)

    assert database.run("select count(*) from kept") == [(1,)]
    with pytest.raises(Exception, match="made"):
        database.run("select * from made")


def test_the_words_of_the_database_are_quoted_but_not_under_redact(database: Database) -> None:
    """Bad SQL is an error with the database's message, which may hold values."""
    query = Query(database.url, "select a from not_there")

    with pytest.raises(Misuse, match="not_there"):
        check(query, ABC)
    with pytest.raises(Misuse) as refused:
        check(query, ABC, Policy(redact=True))

    assert "not_there" not in str(refused.value)
    assert refused.value.__cause__ is refused.value.__context__ is None


def test_a_url_without_a_query_is_refused_with_what_to_do(database: Database) -> None:
    """The URL of a database alone is no batch."""
    with pytest.raises(UnsupportedBatch, match="needs a query"):
        check(database.url, ABC)


@pytest.mark.parametrize("url", ["mysql://host/x", "sqlite://", "duckdb:///", "batch.csv"])
def test_other_databases_are_refused(url: str) -> None:
    """A URL that names no database is refused where the query is made."""
    with pytest.raises(UnsupportedBatch, match="Name the database as"):
        Query(url, "select 1")


@pytest.mark.parametrize("scheme", ["sqlite", "duckdb"])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, scheme: str) -> None:
    """A wrong path is an error, and leaves no empty database."""
    with pytest.raises(BatchNotFound, match="no file"):
        check(Query(f"{scheme}:///{tmp_path}/none", "select 1"), ABC)

    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("module", "url"),
    [
        ("adbc_driver_postgresql", "postgresql:///postgres"),
        ("duckdb", "duckdb:///data.duckdb"),
    ],
)
def test_a_driver_that_is_not_installed_is_named(
    module: str, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the extra, the error says how to install it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.duckdb").touch()
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(Misuse, match=r"pip install 'signature-gate\[sql\]'"):
        check(Query(url, "select 1"), ABC)


# ----- columns of SQLite, which have no types -----


@pytest.fixture
def lite(tmp_path: Path) -> Database:
    """An SQLite database."""
    path = tmp_path / "lite.db"
    sqlite3.connect(path).close()
    return Database("sqlite", f"sqlite:///{path}", str(path))


def test_a_column_has_the_type_of_all_its_values(lite: Database) -> None:
    """Neither 70,000 nulls nor 70,000 integers before the first real make a column of another."""
    lite.fill("late", [(None, 1, "x")] * 70_000 + [(1.5, 1, "x")])
    sql = "select a, b, c from late union all select 2, 1, 'x'"

    result = check(Query(lite.url, sql), ABC, SPLIT)
    whole = (
        "with recursive n(a) as (select 1 union all select a + 1 from n where a < 70000) "
        "select a from n union all select 0.5"
    )
    grown = check(Query(lite.url, whole), _double())

    assert violations_in(result) == [("null", "a", 70_000)]
    assert result.verdict.batch.columns[0] == ("a", "double")
    assert (grown.passed, grown.verdict.rows) == (True, 70_001)


def _double() -> Any:
    return contract(a="double")


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize(
    "values",
    ["select 'x'", "select x'ff'", "select 1.5 union all select 9007199254740993"],
)
def test_mixed_values_are_a_verdict_that_names_the_cast(
    lite: Database, values: str, late: bool
) -> None:
    """Values that no one type holds make the batch unreadable; the cast of the remedy mends it."""
    lite.fill("mixed", [(0.5, n, "x") for n in range(70_000 if late else 1)])
    sql = f"select b as a from mixed union all {values}"  # noqa: S608 - our own

    result = check(Query(lite.url, sql), _double())
    cast = f"select CAST(a AS REAL) a from ({sql})"  # noqa: S608 - our own
    mended = check(Query(lite.url, cast), _double())

    assert kinds(result) == ["unreadable"]
    assert "CAST(column AS REAL)" in result.violations[0].remedy
    assert mended.passed


def test_text_that_is_none_is_a_verdict(lite: Database) -> None:
    """Bytes in a text column that are no UTF-8 make the batch unreadable."""
    result = check(Query(lite.url, "select cast(x'ff' as text) a"), contract(a="string"))

    assert kinds(result) == ["unreadable"]


# ----- types of PostgreSQL and DuckDB -----

_UUID = "'6f5902ac-237c-4d9e-a8a0-0f4b0f0c1b2a'::uuid"
# An expression, the type that it is said to have, and what becomes of it for a type of a model.
_POSTGRES: list[tuple[str, str, dict[str, str]]] = [
    ("1.5::numeric", "numeric", {"double": "type_mismatch", "string": "type_mismatch"}),
    ("1.5::numeric(10, 2)", "decimal128(10, 2)", {"double": "passed", "string": "type_mismatch"}),
    ("1e60::numeric(70, 2)", "numeric", {"double": "type_mismatch"}),
    ("'12.50'::money", "money", {"double": "type_mismatch", "long": "type_mismatch"}),
    ("4294967295::oid", "oid", {"long": "type_mismatch"}),
    (_UUID, "uuid", {"string": "type_mismatch"}),
    ("'{}'::json", "json", {"string": "type_mismatch"}),
    ("'{}'::jsonb", "json", {"string": "type_mismatch"}),
    ("interval '1 day'", "interval", {"string": "type_mismatch", "double": "type_mismatch"}),
    ("'\\xff'::bytea", "binary", {"binary": "passed"}),
    ("time '12:00'", "time64[us]", {"string": "type_mismatch"}),
    ("timestamp '2020-01-01'", "timestamp[us]", {"datetime": "passed"}),
    ("timestamptz '2020-01-01'", "timestamp[us, tz=UTC]", {"datetime": "type_mismatch"}),
    ("timestamp 'infinity'", "timestamp[us]", {"datetime": "out_of_range"}),
    ("date '-infinity'", "date32[day]", {"datetime": "out_of_range"}),
    ("date '2020-01-01'", "date32[day]", {"datetime": "passed"}),
    ("1::int2", "int16", {"long": "passed", "integer": "passed"}),
    ("1.5::float4", "float", {"float": "passed"}),
    ("true", "bool", {"boolean": "passed"}),
    ("'x'::varchar", "string", {"string": "passed"}),
    ("array[1.5]", "list<element: numeric>", {"double": "type_mismatch"}),
    ("inet '::1'", "inet", {"string": "type_mismatch"}),
    ("row(1)", "record", {"string": "type_mismatch"}),
]
_DUCK: list[tuple[str, str, dict[str, str]]] = [
    ("1.5::decimal(10, 2)", "decimal128(10, 2)", {"double": "passed"}),
    ("sum(5)", "decimal128(38, 0)", {"long": "passed"}),
    ("340282366920938463463374607431768211455::uhugeint", "uhugeint", {"double": "type_mismatch"}),
    (_UUID, "string", {"string": "passed"}),
    ("interval '1 day'", "interval", {"string": "type_mismatch"}),
    ("'101'::bit", "bit", {"binary": "type_mismatch"}),
    ("'\\xff'::blob", "binary", {"binary": "passed"}),
    ("union_value(x := 1)", "union(x integer)", {"long": "type_mismatch"}),
    ("time '12:00'", "time64[us]", {"string": "type_mismatch"}),
    ("'infinity'::timestamp", "timestamp[us]", {"datetime": "out_of_range"}),
    ("'a'::enum('a')", "dictionary<values=string, indices=uint8, ordered=0>", {"string": "passed"}),
]


def _becomes(url: str, expression: str, target: str) -> tuple[str, str, str]:
    result = check(Query(url, f"select {expression} as a"), contract(a=target))
    ((_, arrived),) = result.verdict.batch.columns
    violation = result.violations[0] if result.violations else None
    return arrived, violation.kind if violation else "passed", violation.remedy if violation else ""


def _judge_types(url: str, expression: str, arrives: str, fates: dict[str, str]) -> None:
    for target, fate in fates.items():
        arrived, became, remedy = _becomes(url, expression, target)
        assert (arrived, became) == (arrives, fate)
        if " in a query as a::" in remedy:
            cast = remedy.partition(" in a query as a::")[2].removesuffix(".")
            assert _becomes(url, f"({expression})::{cast}", target)[1] == "passed"


@pytest.mark.parametrize(
    ("expression", "arrives", "fates"), _POSTGRES, ids=[r[0] for r in _POSTGRES]
)
def test_types_of_postgresql(
    server: Database, expression: str, arrives: str, fates: dict[str, str]
) -> None:
    """What Arrow has no type for keeps its name, and conforms to none until the query casts it."""
    _judge_types(server.url, expression, arrives, fates)


@pytest.mark.parametrize(("expression", "arrives", "fates"), _DUCK, ids=[r[0] for r in _DUCK])
def test_types_of_duckdb(
    tmp_path: Path, expression: str, arrives: str, fates: dict[str, str]
) -> None:
    """Likewise; a uhugeint is never taken for the signed number of the same bits."""
    import duckdb

    duckdb.connect(str(tmp_path / "d.duckdb")).close()
    _judge_types(f"duckdb:///{tmp_path}/d.duckdb", expression, arrives, fates)


@pytest.mark.parametrize("target", ["double", "long", "string"])
@pytest.mark.parametrize("expression", ["1.5::numeric", "12::numeric", "'12.50'::money", "5::oid"])
def test_the_cast_that_a_remedy_names_is_one_that_passes(
    server: Database, expression: str, target: str
) -> None:
    """Following the remedy lets the batch pass, wherever it names a cast."""
    _, became, remedy = _becomes(server.url, expression, target)
    cast = remedy.partition(" in a query as a::")[2].removesuffix(".")

    assert became == "type_mismatch"
    assert bool(cast) is not (expression == "5::oid" and target == "string")
    if cast:
        assert _becomes(server.url, f"({expression})::{cast}", target)[1] == "passed"


def test_a_numeric_that_is_no_number_is_a_verdict(server: Database) -> None:
    """NaN in a numeric of known digits makes the batch unreadable, and is never a number."""
    result = check(Query(server.url, "select 'NaN'::numeric(10, 2) a"), _double())

    assert kinds(result) == ["unreadable"]
    assert "column::float8" in result.violations[0].remedy


# ----- machinery -----


def test_a_server_that_cannot_be_reached_is_machinery() -> None:
    """No connection is an error to try again after, and no verdict."""
    with pytest.raises(BatchUnavailable, match="Connection refused"):
        check(Query("postgresql://127.0.0.1:1/postgres", "select 1 a"), _double())


def test_a_connection_that_is_lost_in_the_middle_is_machinery(server: Database) -> None:
    """Rows that arrived before do not make half a batch."""
    sql = (
        "select case when n = 150000 "
        "then pg_terminate_backend(pg_backend_pid())::int end::float8 a "
        "from generate_series(1, 200000) n"
    )

    with pytest.raises(BatchUnavailable, match="terminating connection"):
        check(Query(server.url, sql), _double())


def test_nothing_is_written_to_the_server(server: Database) -> None:
    """The transaction only reads, whatever functions a query calls."""
    server.run("create sequence counted")

    with pytest.raises(GateError, match="read-only transaction"):
        check(Query(server.url, "select nextval('counted')::float8 a"), _double())


# ----- no password anywhere -----

_SECRET = "s3cr;t%21word"  # noqa: S105 - a made-up one


@pytest.fixture
def with_password(server: Database) -> Query:
    """A query whose URL has a password."""
    place = f"{os.environ['PGHOST']}:{os.environ['PGPORT']}/postgres"
    return Query(f"postgresql://postgres:{_SECRET}@{place}", "select 1.5::float8 a")


def test_a_password_in_the_url_works_and_is_never_shown(
    with_password: Query, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither verdict, report, repr, pickle nor log has it."""
    caplog.set_level(logging.DEBUG)
    result = check(with_password, _double())
    result.report(tmp_path / "report.html")
    shown = [
        repr(with_password),
        result.verdict.to_json(),
        (tmp_path / "report.html").read_text("utf-8"),
        pickle.dumps(with_password).decode("latin-1"),
        caplog.text,
    ]

    assert result.passed
    assert not any(_SECRET in text or "s3cr;t!word" in text for text in shown)
    assert check(pickle.loads(pickle.dumps(with_password)), _double()).passed  # noqa: S301
    assert result.verdict.batch.uri is not None
    assert result.verdict.batch.uri.endswith(f"/postgres#query={with_password.digest}")


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://me:{_SECRET}@127.0.0.1:1/x",
        f"postgresql://127.0.0.1:1/x?user=me&password={_SECRET}",
        f"postgresql:///x?host=127.0.0.1&port=1&password={_SECRET}&user=me",
        f"postgresql://me:{_SECRET}/@#?@127.0.0.1:1/x",
    ],
)
def test_no_error_shows_a_password(url: str) -> None:
    """Errors of connecting, and of using a URL without a query, hide it."""
    query = Query(url, "select 1 a")
    for ask in (partial(check, query, _double()), partial(check, url, _double())):
        with pytest.raises(GateError) as error:
            ask()
        assert _SECRET not in str(error.value)

    assert _SECRET not in repr(query)
    assert _SECRET.encode() not in pickle.dumps(query)


# ----- the file of what was read -----


def test_what_was_read_lies_on_the_disk_as_long_as_it_can_be_read(
    lite: Database, spools: Path
) -> None:
    """The file goes with the last object that reads from it, and at once after an error."""
    lite.fill("kept", [(0.5, 1, "x")])
    result = check(Query(lite.url, "select * from kept"), ABC)
    rows = result.accepted
    assert rows is not None

    del result
    gc.collect()
    assert rows.collect().height == len(list(spools.iterdir())) == 1

    del rows
    assert left_in(spools) == []
    check(Query(lite.url, "select 1 a union all select 'x'"), _double())
    assert list(spools.iterdir()) == []


def test_a_process_that_ends_leaves_no_file(lite: Database, spools: Path) -> None:
    """What a process still holds at its end is removed."""
    program = (
        "from signature_gate import *\n"
        f"kept = check(Query({lite.url!r}, 'select 0.5 a'), "
        'Contract.from_signature({\'inputs\': \'[{"type": "double", "name": "a"}]\'}))\n'
        f"import os; print(len(os.listdir({str(spools)!r})))"
    )
    environment = {"TMPDIR": str(spools)}

    done = subprocess.run(
        [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "1"
    assert list(spools.iterdir()) == []


# ----- the command -----


def test_the_command_judges_a_query(database: Database, tmp_path: Path) -> None:
    """check --query says what the call says, in its exit code too, and prints nothing else."""
    database.fill("asked", [(0.5, 1, "x"), (None, 2, "y")])
    suite = tmp_path / "suite.json"
    suite.write_text(json.dumps(to_suite(ABC)))
    command = [sys.executable, "-m", "signature_gate", "check", str(suite), database.url]

    def ask(*more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*command, *more], capture_output=True, text=True, check=False)

    good = ask("--query", "select * from asked where b = 1", "--json")
    bad = ask("--query", "select * from asked", "--json")
    wrong = [ask(), ask("--query", "selec")]

    assert (good.returncode, json.loads(good.stdout)["rows"]) == (0, 1)
    assert (bad.returncode, json.loads(bad.stdout)["rejected"]) == (1, 1)
    assert [(one.returncode, one.stdout) for one in wrong] == [(2, ""), (2, "")]
    assert all(one.stderr.startswith("signature-gate: ") for one in wrong)
