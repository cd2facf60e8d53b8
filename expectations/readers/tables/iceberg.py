"""Iceberg tables: the manifests of one snapshot say which files live, and what is known of them."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pyiceberg.catalog import load_catalog
from pyiceberg.exceptions import NoSuchNamespaceError, NoSuchTableError, ResolveError
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, schema_to_pyarrow
from pyiceberg.manifest import DataFileContent, FileFormat
from pyiceberg.manifest import ManifestEntryStatus as Status
from pyiceberg.table import FileScanTask
from pyiceberg.table.snapshots import Operation, ancestors_of
from pyiceberg.types import IntegerType, LongType
from pyiceberg.utils.config import Config

from ...batch.batch import UnreadableError
from ...batch.statistics import stated
from ...errors import BatchNotFound, BatchUnavailable
from ...escaping import visible
from ...verdict.verdict import BatchInfo
from .columns import table_columns
from .live_file import LiveFile, OnDisk, open_live

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    import pyarrow as pa
    from pyiceberg.table import DataScan, Table
    from pyiceberg.table.snapshots import Snapshot

    from ...batch.batch import OpenedBatch
    from ...batch.statistics import ColumnStatistics
    from .columns import TableColumns

_COMPACT = "Rewrite the table's files without it: CALL system.rewrite_data_files."


def open_iceberg(catalog: str, name: str, snapshot: int | None) -> OpenedBatch:
    """Open one snapshot of a table, the current one if none is named."""
    table = load_iceberg(catalog, name)
    current = table.current_snapshot() if snapshot is None else table.snapshot_by_id(snapshot)
    if snapshot is not None and current is None:
        msg = f"no snapshot {snapshot} of {name} in {catalog}: it never was, or has expired."
        raise BatchNotFound(msg)
    # Without a snapshot the columns are those of now, to which no row need have been written yet.
    scan = table.scan(snapshot_id=snapshot)
    pinned = f"{name}@{current.snapshot_id}" if current else name
    info = BatchInfo(name=pinned, format="iceberg", uri=f"iceberg://{catalog}/{pinned}")
    try:
        tasks = list(scan.plan_files())
    except (ValueError, NotImplementedError) as error:
        raise _beyond_client(error) from error
    return _opened(tasks, table, scan, info)


def snapshots_after(
    table: Table, last: int | None, order: tuple[int, int] | None
) -> list[Snapshot] | None:
    """List those that led to the current one, the oldest first; None if the last did not.

    Ids are random, and branches and rollbacks part: the order is that of parents. A last one that
    has expired is known by its child, or by its order.
    """
    chain = [*ancestors_of(table.current_snapshot(), table.metadata)][::-1]
    numbers = [snapshot.snapshot_id for snapshot in chain]
    if last is None or last in numbers:
        return chain[numbers.index(last) + 1 :] if last else chain
    if chain and chain[0].parent_snapshot_id == last:
        return chain
    came_before = order is not None and chain and order < order_of(chain[0])
    return chain if came_before and table.snapshot_by_id(last) is None else None


def is_next(snapshot: Snapshot, last: int | None, order: tuple[int, int] | None) -> bool:
    """Whether no snapshot came between; one whose parent expired may have none any more."""
    if snapshot.parent_snapshot_id is not None:
        return snapshot.parent_snapshot_id == last
    return snapshot.sequence_number in ((0, 1) if order is None else (order[0] + 1,))


def order_of(snapshot: Snapshot) -> tuple[int, int]:
    """Say what grows along a branch: tables of format version 1 have no sequence numbers."""
    return snapshot.sequence_number or 0, snapshot.timestamp_ms


def added_by(table: Table, snapshot: Snapshot) -> tuple[Callable[[], OpenedBatch] | None, int]:
    """Find the files that a snapshot added, and count those from which it took rows.

    One that only wrote the same rows in other files changed nothing. The columns are those of then.
    """
    number, io = snapshot.snapshot_id, table.io
    if snapshot.summary and snapshot.summary.operation == Operation.REPLACE:
        return None, 0
    manifests = [m for m in snapshot.manifests(io) if m.added_snapshot_id == number]
    entries = [e for m in manifests for e in m.fetch_manifest_entry(io, discard_deleted=False)]
    own = [e for e in entries if e.status != Status.EXISTING]
    added = [e.data_file for e in own if e.status == Status.ADDED]
    tasks = [FileScanTask(file) for file in added if file.content == DataFileContent.DATA]
    scan = table.scan(snapshot_id=number)
    info = BatchInfo(name=str(number), format="iceberg", uri=table.location())
    opened = partial(_opened, tasks, table, scan, info) if tasks else None
    return opened, len(own) - len(tasks)


def load_iceberg(catalog: str, name: str) -> Table:
    """Have the catalog say what the table is now."""
    try:
        # What pyiceberg itself read when it was imported may be older.
        properties: Any = Config().get_catalog_config(catalog) or {}
        return load_catalog(catalog, **properties).load_table(name)
    except (NoSuchTableError, NoSuchNamespaceError) as error:
        msg = f"no table {name} in the catalog {catalog}. Check its name: namespace.table."
        raise BatchNotFound(msg) from error
    except Exception as error:  # the clients of catalogs have no error in common
        words = _words(error)
        msg = (
            f"cannot open {name} of the catalog {catalog}: {words}. See pyiceberg's configuration."
        )
        raise BatchUnavailable(msg) from error


def _opened(
    tasks: Iterable[FileScanTask], table: Table, scan: DataScan, info: BatchInfo
) -> OpenedBatch:
    columns = _columns(table, scan)
    return open_live([_live(task, table, scan, columns) for task in tasks], columns, info)


def _words(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__


def _beyond_client(error: Exception) -> UnreadableError:
    return UnreadableError(
        f"an Iceberg table that pyiceberg cannot read: {_words(error)}", _COMPACT
    )


def _columns(table: Table, scan: DataScan) -> TableColumns:
    schema = scan.projection()
    partitioned = {part.source_id for spec in table.specs().values() for part in spec.fields}
    filled = frozenset(
        column.name
        for column in schema.fields
        if column.field_id in partitioned or column.initial_default is not None
    )
    fields = schema_to_pyarrow(schema, include_field_ids=False)
    return table_columns(fields, schema_to_pyarrow(schema), by_id=True, filled=filled)


def _live(task: FileScanTask, table: Table, scan: DataScan, columns: TableColumns) -> LiveFile:
    file, scheme = task.file, urlsplit(task.file.file_path).scheme
    is_plain = scheme in ("", "file") and file.file_format == FileFormat.PARQUET
    path = Path(file.file_path.removeprefix("file:")) if is_plain else None
    return LiveFile(
        columns,
        name=visible(file.file_path.removeprefix(f"{table.location()}/")),
        place=str(path or file.file_path),
        size=file.file_size_in_bytes,
        client=partial(_live_rows, task, table, scan, columns),
        file=OnDisk(path) if path else None,
        rows=file.record_count,
        deleted=bool(task.delete_files),
        known=dict(_statistics(task, scan)),
    )


def _live_rows(
    task: FileScanTask, table: Table, scan: DataScan, columns: TableColumns
) -> Iterator[pa.RecordBatch]:
    reader = ArrowScan(table.metadata, table.io, scan.projection(), AlwaysTrue())
    try:
        for rows in reader.to_record_batches([task]):
            yield columns.rows_of(
                rows, [rows.schema.names.index(n) for n in columns.schema.names], {}
            )
    except (ValueError, NotImplementedError, ResolveError) as error:
        raise _beyond_client(error) from error


def _statistics(task: FileScanTask, scan: DataScan) -> Iterator[tuple[str, ColumnStatistics]]:
    file = task.file
    nulls, lows, highs = file.null_value_counts, file.lower_bounds, file.upper_bounds
    for column in scan.projection().fields:
        number, is_integer = column.field_id, isinstance(column.field_type, IntegerType | LongType)
        # Bounds are as long as they were written, though the column may have grown since.
        bounds = (
            int.from_bytes(ends[number], "little", signed=True)
            if is_integer and ends and number in ends
            else None
            for ends in (lows, highs)
        )
        if nulls and number in nulls:
            yield column.name, stated(file.record_count, nulls[number], *bounds)
