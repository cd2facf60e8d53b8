"""Rows appended to a table once, however often the append is repeated.

The rows and a note of them are one transaction: a line of the table ``signature_gate_ledger`` in a
database, an application transaction in Delta, a snapshot's summary in Iceberg. Whoever finds the
note appends nothing.
"""

from __future__ import annotations

import json
import os
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq

from ...expectations.errors import GateError, TableUnavailable, needs_extra
from ...expectations.escaping import visible
from ...expectations.stores.objects import in_one_line, is_object_url
from ...expectations.stores.scored_table import ScoredTable, parse_table
from .atomic import flush
from .iceberg_append import to_iceberg

if TYPE_CHECKING:
    from collections.abc import Callable

    from .appended import Appended

# Point reached -> why it is safe to die right after it.
TABLE_CHECKPOINTS: dict[str, str] = {
    "rows written": "nothing is committed, and the database rolls back; recovery appends",
    "rows committed": "the note was committed with them; recovery appends nothing",
}
_RACES = 20
_CLIENTS = {
    "delta": ("deltalake", "delta"),
    "duckdb": ("duckdb", "sql"),
    "iceberg": ("pyiceberg", "iceberg"),
}
_MAKE = """create table signature_gate_ledger (
    batch text primary key, rows bigint not null, noted timestamptz default current_timestamp
)"""
_NOTE = """insert into signature_gate_ledger (batch, rows) values ($1, $2)
on conflict do nothing returning rows"""


def reach(url: str) -> None:
    """Refuse a table whose driver is missing or whose server does not answer, before any work."""
    table = parse_table(url)
    if table.scheme == "postgresql":
        _told(table, lambda: _connected(table).close(), redact=False)
    else:
        driver, extra = _CLIENTS[table.scheme]
        with needs_extra(extra):
            import_module(driver)


def append_once(url: str, appended: Appended) -> bool:
    """Append rows, unless that has been done.

    Returns:
        Whether they were appended now.

    Raises:
        TableUnavailable: Nothing was appended, or that is not known; repeat it.
    """
    table = parse_table(url)
    return _told(table, lambda: _WRITERS[table.scheme](table, appended), redact=appended.redact)


def _told(table: ScoredTable, act: Callable[[], Any], *, redact: bool) -> Any:
    failed: Exception | None = None
    try:
        return act()
    except GateError:
        raise
    except Exception as error:  # noqa: BLE001 - each driver has its own
        failed = error
    words = (
        "its words are withheld by policy redact"
        if redact
        else in_one_line(str(failed)).partition("\n")[0]
    )
    named = f"table {table.name} of {table.place}" if table.name else f"table {table.place}"
    msg = f"{named} takes no rows: {words}. Mend it; the next run appends them."
    raise TableUnavailable(msg) from (None if redact else failed)


def _connected(table: ScoredTable) -> Any:
    with needs_extra("sql"):
        from adbc_driver_postgresql import dbapi
    return dbapi.connect(table.place)


def _to_postgresql(table: ScoredTable, appended: Appended) -> bool:
    schema, _, name = table.name.rpartition(".")
    with _connected(table) as connection, connection.cursor() as cursor:

        def is_there(quoted: str) -> bool:
            cursor.execute("select to_regclass($1) is not null", (quoted,))
            return cursor.fetchone()[0]

        if not is_there("signature_gate_ledger"):
            cursor.execute(_MAKE)
            connection.commit()
        cursor.execute(_NOTE, _noted(table, appended))
        if cursor.fetchone() is None:
            return False
        known = is_there(table.quoted)
        like = (
            connection.adbc_get_table_schema(name, db_schema_filter=schema or None)
            if known
            else None
        )
        with appended.rows(like, nul=visible("\0")) as rows:
            mode = "append" if known else "create"
            cursor.adbc_ingest(name, rows, mode=mode, db_schema_name=schema or None)
        appended.passed("rows written")
        connection.commit()
    appended.passed("rows committed")
    return True


def _noted(table: ScoredTable, appended: Appended) -> tuple[str, int]:
    return f"{table.name}: {appended.key}", pq.read_metadata(appended.file).num_rows


def _to_duckdb(table: ScoredTable, appended: Appended) -> bool:
    with needs_extra("sql"):
        import duckdb
    quoted = table.quoted
    with duckdb.connect(table.place) as connection, appended.rows() as rows:
        connection.begin()
        connection.execute(_MAKE.replace("table", "table if not exists", 1))
        if not connection.execute(_NOTE, _noted(table, appended)).fetchall():
            return False
        connection.register("no_rows", pa.Table.from_batches([], rows.schema))
        connection.register("new_rows", rows)
        connection.execute(f"create table if not exists {quoted} as from no_rows")
        connection.execute(f"insert into {quoted} by name from new_rows")
        appended.passed("rows written")
        connection.commit()
    appended.passed("rows committed")
    return True


def _to_delta(table: ScoredTable, appended: Appended) -> bool:
    with needs_extra("delta"):
        from deltalake import CommitProperties, DeltaTable, Transaction, write_deltalake
        from deltalake.exceptions import CommitFailedError
    with appended.rows() as rows:
        DeltaTable.create(table.place, rows.schema, mode="ignore")
    note = CommitProperties(app_transactions=[Transaction(appended.key, 1)])
    on_disk = None if is_object_url(table.place) else Path(table.place)
    for _ in range(_RACES):
        delta = DeltaTable(table.place)
        if delta.transaction_version(appended.key) is not None:
            if on_disk:
                os.sync()  # its worker may have died before it flushed
            return False
        like: Any = pa.schema(cast("Any", delta.schema().to_arrow()))
        with appended.rows(like) as rows:
            appended.passed("rows written")
            try:
                # By the object that had no note: a fresh one would take the same note twice.
                write_deltalake(
                    delta, rows, mode="append", schema_mode="merge", commit_properties=note
                )
            except CommitFailedError:
                continue
        if on_disk:
            _flush_commit(on_disk, delta.version())
        appended.passed("rows committed")
        return True
    msg = f"{_RACES} others wrote first"
    raise TimeoutError(msg)


def _flush_commit(folder: Path, version: int) -> None:
    """Let a commit outlast a power cut, which its own writer does not."""
    log = folder / "_delta_log" / f"{version:020}.json"
    for line in log.read_text("utf-8").splitlines() if log.exists() else ():
        if added := json.loads(line).get("add"):
            flush(folder / unquote(added["path"]))
    for place in (log, log.parent, folder):
        if place.exists():
            flush(place)


_WRITERS = {
    "postgresql": _to_postgresql,
    "duckdb": _to_duckdb,
    "delta": _to_delta,
    "iceberg": to_iceberg,
}
