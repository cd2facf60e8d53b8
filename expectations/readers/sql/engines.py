"""Run a query once, in one transaction that only reads, and give its rows as Arrow tables."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pyarrow as pa

from ...batch.batch import UnreadableError
from ...errors import BatchNotFound, BatchUnavailable, GateError, Misuse, needs_extra
from .column_types import as_stored, stored_types

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .query import Query

_ROWS = 65_536
_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"
_CAST = "Cast it in the query to the one type that it is meant to have, as in CAST(column AS REAL)."
_REFUSALS = ("SQLITE_ERROR", "SQLITE_READONLY")
_NUMBERS = {"integer", "real"}
_KINDS = {"int64": "integer", "double": "real", "string": "text", "binary": "blob", "null": ""}


def rows_of(query: Query, *, redact: bool) -> Iterator[pa.Table]:
    """Give the rows piece by piece; the first piece has all columns, and no rows.

    Raises:
        BatchNotFound: No such file of a database.
        Misuse: The database refuses the statement, or it gives no rows; or a driver is missing.
        BatchUnavailable: The database cannot be reached, or broke off.
        UnreadableError: Values that no column can hold.
    """
    if not (query.is_served or Path(query.file).is_file()):
        msg = f"there is no file {query.file}. Check the path; sqlite:////data/a.db is /data/a.db."
        raise BatchNotFound(msg)
    failed = None
    try:
        yield from _ENGINES[query.scheme](query)
    except (GateError, UnreadableError):
        raise
    except Exception as error:  # noqa: BLE001 - each driver has its own
        failed = error
    if failed:
        raise _told(query, failed, redact) from (None if redact else failed)


def _of_postgresql(query: Query) -> Iterator[pa.Table]:
    with needs_extra("sql"):
        from adbc_driver_postgresql import dbapi
    with dbapi.connect(query.url) as connection, connection.cursor() as cursor:
        cursor.execute(_SNAPSHOT)
        cursor.execute(query.sql)
        with cursor.fetch_record_batch() as reader:
            said = [(field.metadata or {}).get(b"POSTGRESQL:type", b"") for field in reader.schema]
            yield from _stored(query, reader, [name.decode() for name in said], "PostgreSQL")


def _of_duckdb(query: Query) -> Iterator[pa.Table]:
    with needs_extra("sql"):
        import duckdb
    with duckdb.connect(query.file, read_only=True) as connection:
        connection.execute("SET enable_progress_bar = false")
        statements = connection.extract_statements(query.sql)
        if [str(one.type) for one in statements] != ["StatementType.SELECT"]:
            raise _no_rows(query)
        relation = connection.sql(query.sql)
        with relation.to_arrow_reader(_ROWS) as reader:
            yield from _stored(query, reader, [str(kind) for kind in relation.types], "DuckDB")


def _stored(query: Query, reader: Any, names: list[str], vendor: str) -> Iterator[pa.Table]:
    if not names:
        raise _no_rows(query)
    types = stored_types(reader.schema, names, vendor)
    yield as_stored(pa.Table.from_batches([], reader.schema), types)
    for batch in reader:
        yield as_stored(pa.Table.from_batches([batch]), types)


def _of_sqlite(query: Query) -> Iterator[pa.Table]:
    """Type columns by all their values: SQLite has none of its own, and ADBC looks at 1,024."""
    place = f"file:{quote(str(Path(query.file).absolute()))}?mode=ro"
    with closing(sqlite3.connect(place, uri=True)) as connection:
        cursor = connection.execute(query.sql)
        if cursor.description is None:
            raise _no_rows(query)
        names = [column[0] for column in cursor.description]
        yield pa.table([pa.nulls(0)] * len(names), names=names)
        kinds = [set[str]() for _ in names]
        while rows := cursor.fetchmany(_ROWS):
            columns = list(map(_array, names, zip(*rows, strict=True), kinds))
            yield pa.Table.from_arrays(columns, names=names)


def _array(name: str, values: Sequence[Any], kinds: set[str]) -> pa.Array[Any]:
    try:
        column: Any = pa.array(values)
    except pa.ArrowException:
        kinds |= {"number", "word"}
    else:
        # Arrow takes text among bytes for bytes.
        text = {"text"} if pa.types.is_binary(column.type) and str in map(type, values) else set()
        kinds |= {_KINDS[str(column.type)], *text} - {""}
        if len(kinds) <= 1 or kinds == _NUMBERS:
            return column
    observed = "values of several types in one column"
    raise UnreadableError(observed, _CAST, quoted=repr(name))


def _no_rows(query: Query) -> Misuse:
    return Misuse(f"the query of {query.place} gives no rows. Write one SELECT.")


_ENGINES = {"postgresql": _of_postgresql, "duckdb": _of_duckdb, "sqlite": _of_sqlite}


def _told(query: Query, error: Exception, redact: bool) -> BaseException:
    """Say in the gate's words what a driver raised."""
    said = str(error).strip()
    words = "its words are withheld by policy redact" if redact else said
    is_of_driver = isinstance(error, pa.ArrowInvalid) and "PGRES_" not in said
    if is_of_driver or "Could not decode" in said:
        observed = "values for which its driver has no type"
        return UnreadableError(observed, "Cast them in the query.", quoted=words)
    names = {kind.__name__ for kind in type(error).__mro__}
    is_refused = (
        isinstance(error, pa.ArrowInvalid) or getattr(error, "sqlite_errorname", "") in _REFUSALS
    )
    if is_refused or ("DatabaseError" in names and "OperationalError" not in names):
        return Misuse(f"{query.place} refuses the query: {words}")
    then = "Mend the query, or look after the database."
    return BatchUnavailable(f"cannot read {query.place}: {words}. {then}")
