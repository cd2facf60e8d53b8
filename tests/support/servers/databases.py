"""One database of each kind that the gate reads and writes, and tables in them."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import duckdb
import psycopg
import pytest
from live_postgres import postgres

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

ENGINES = ("sqlite", "duckdb", "postgresql")
# The columns of every table here: their names, and their types in SQL.
COLUMNS = {"a": "double precision", "b": "bigint", "c": "text"}


@dataclass(frozen=True)
class Database:
    """A database that runs."""

    engine: str
    url: str
    place: str

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """Run statements; return what the last one gives."""
        rows = list[tuple[Any, ...]]()
        with closing(self._connect()) as connection:
            for statement in statements:
                cursor = connection.execute(statement)
                rows = cursor.fetchall() if cursor.description else []
            connection.commit()
        return rows

    def fill(self, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Make a table of ``COLUMNS`` anew, with these rows."""
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        sign = "%s" if self.engine == "postgresql" else "?"
        insert = f"insert into {table} values ({sign}, {sign}, {sign})"  # noqa: S608 - our own
        with closing(self._connect()) as connection:
            connection.execute(f"drop table if exists {table}")
            connection.execute(f"create table {table} ({columns})")
            if rows:
                # A cursor of DuckDB is another connection, in a transaction of its own.
                by = connection if self.engine == "duckdb" else connection.cursor()
                by.executemany(insert, rows)
            connection.commit()

    def _connect(self) -> Any:
        if self.engine == "sqlite":
            return sqlite3.connect(self.place)
        if self.engine == "duckdb":
            connection = duckdb.connect(self.place)
            connection.begin()
            return connection
        return psycopg.connect(self.place)


@contextmanager
def running(engine: str, folder: Path) -> Iterator[Database]:
    """Have a database of a kind, empty; a server is started, or the test skipped."""
    if engine != "postgresql":
        place = folder / f"data.{engine}"
        database = Database(engine, f"{engine}:///{place}", str(place))
        if engine == "duckdb":
            duckdb.connect(str(place)).close()
        else:
            database.run("pragma user_version")
        yield database
        return
    with postgres() as variables, patch.dict(os.environ, variables):
        yield Database(engine, "postgresql:///postgres", "dbname=postgres")


@pytest.fixture(params=ENGINES, scope="module", name="database")
def each_database(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Database]:
    """A database of each kind, one after the other."""
    with running(request.param, tmp_path_factory.mktemp(request.param)) as database:
        yield database


@pytest.fixture(scope="module", name="server")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    """A PostgreSQL database."""
    with running("postgresql", tmp_path_factory.mktemp("server")) as database:
        yield database
