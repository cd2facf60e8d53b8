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
from pyiceberg.manifest import FileFormat
from pyiceberg.types import IntegerType, LongType
from pyiceberg.utils.config import Config

from ...batch.batch import UnreadableError
from ...batch.statistics import StatedValues, TableStatistics
from ...errors import BatchNotFound, BatchUnavailable
from ...escaping import visible
from .columns import TableColumns
from .live_file import LiveFile, open_live

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa
    from pyiceberg.table import DataScan, FileScanTask, Table

    from ...batch.batch import OpenedBatch

_COMPACT = "Rewrite the table's files without it: CALL system.rewrite_data_files."


def open_iceberg(catalog: str, name: str, snapshot: int | None) -> OpenedBatch:
    """Open one snapshot of a table, the current one if none is named.

    Raises:
        BatchNotFound: No such catalog, table or snapshot.
        BatchUnavailable: The catalog does not answer.
        UnreadableError: The table needs a feature that pyiceberg does not know.
    """
    table = _table(catalog, name)
    if snapshot is not None and table.snapshot_by_id(snapshot) is None:
        msg = f"no snapshot {snapshot} of {name} in {catalog}: it never was, or has expired."
        raise BatchNotFound(msg)
    current = table.current_snapshot()
    pinned = snapshot if snapshot is not None or current is None else current.snapshot_id
    # Without a snapshot the columns are those of now, to which no row need have been written yet.
    scan = table.scan(snapshot_id=snapshot)
    columns = _columns(table, scan)
    at = "" if pinned is None else f"@{pinned}"
    files = [_live(task, table, scan, columns) for task in _planned(scan)]
    return open_live(files, columns, f"{name}{at}", "iceberg", f"iceberg://{catalog}/{name}{at}")


def _table(catalog: str, name: str) -> Table:
    try:
        # What pyiceberg itself read when it was imported may be older.
        properties: Any = Config().get_catalog_config(catalog) or {}
        return load_catalog(catalog, **properties).load_table(name)
    except (NoSuchTableError, NoSuchNamespaceError) as error:
        msg = f"no table {name} in the catalog {catalog}. Check its name: namespace.table."
        raise BatchNotFound(msg) from error
    except Exception as error:
        # Whatever the catalog's own client raises: its libraries have no error in common.
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        msg = (
            f"cannot open {name} of the catalog {catalog}: {first}. See pyiceberg's configuration."
        )
        raise BatchUnavailable(msg) from error


def _planned(scan: DataScan) -> list[FileScanTask]:
    try:
        return list(scan.plan_files())
    except (ValueError, NotImplementedError) as error:
        raise _beyond_client(error) from error


def _beyond_client(error: Exception) -> UnreadableError:
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    observed = f"an Iceberg table that pyiceberg cannot read: {first}"
    return UnreadableError(observed, _COMPACT)


def _columns(table: Table, scan: DataScan) -> TableColumns:
    schema = scan.projection()
    partitioned = {part.source_id for spec in table.specs().values() for part in spec.fields}
    filled = frozenset(
        column.name
        for column in schema.fields
        if column.field_id in partitioned or column.initial_default is not None
    )
    plain = schema_to_pyarrow(schema, include_field_ids=False)
    stored = tuple(schema_to_pyarrow(schema))
    return TableColumns(plain, stored, by_id=True, filled=filled)


def _live(task: FileScanTask, table: Table, scan: DataScan, columns: TableColumns) -> LiveFile:
    file = task.file
    parts = urlsplit(file.file_path)
    is_plain = parts.scheme in ("", "file") and file.file_format == FileFormat.PARQUET
    path = Path(file.file_path.removeprefix("file://").removeprefix("file:")) if is_plain else None
    return LiveFile(
        columns,
        name=visible(file.file_path.removeprefix(f"{table.location()}/")),
        place=str(path or file.file_path),
        size=file.file_size_in_bytes,
        client=partial(_live_rows, task, table, scan),
        path=path,
        rows=file.record_count,
        deleted=bool(task.delete_files),
        table=_statistics(task, scan),
    )


def _live_rows(task: FileScanTask, table: Table, scan: DataScan) -> Iterator[pa.RecordBatch]:
    reader = ArrowScan(table.metadata, table.io, scan.projection(), AlwaysTrue())
    try:
        yield from reader.to_record_batches([task])
    except (ValueError, NotImplementedError, ResolveError) as error:
        raise _beyond_client(error) from error


def _statistics(task: FileScanTask, scan: DataScan) -> TableStatistics:
    file, stated = task.file, dict[str, StatedValues]()
    for column in scan.projection().fields:
        nulls = (file.null_value_counts or {}).get(column.field_id)
        if nulls is not None:
            ends = (file.lower_bounds, file.upper_bounds)
            known = isinstance(column.field_type, IntegerType | LongType)
            found = ((end or {}).get(column.field_id) if known else None for end in ends)
            bounds = (None if end is None else _integer(end) for end in found)
            stated[column.name] = StatedValues(nulls, file.record_count - nulls, *bounds)
    return TableStatistics(stated)


def _integer(stored: bytes) -> int:
    # As long as it was written, though the column may have grown since.
    return int.from_bytes(stored, "little", signed=True)
