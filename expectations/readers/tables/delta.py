"""Delta tables: the log of one version says which files and rows live, and what is in them."""

from __future__ import annotations

import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from ...batch.batch import UnreadableError
from ...batch.statistics import StatedValues, TableStatistics
from ...errors import BatchNotFound
from ...escaping import visible
from ...wording import listed
from .columns import FIELD_ID, TableColumns
from .live_file import LiveFile, open_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ...batch.batch import OpenedBatch

# Features of a reader that are honoured below; all others are refused by their names.
_HONOURED = {
    *("columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview"),
    *("v2Checkpoint", "vacuumProtocolCheck"),
}
_UNKNOWN = re.compile(r"Feature '([^']+)' is not supported")
_MAPPING = "delta.columnMapping."
_PURGE = "Rewrite its files: REORG TABLE ... APPLY (PURGE)."
_REPAIR = "Repair the table, or hand in another version of it."
_ROWS = 65_536


def open_delta(folder: Path, version: int | None) -> OpenedBatch:
    """Open one version of a table, the newest if none is named.

    Raises:
        BatchNotFound: No such table or version.
        UnreadableError: Its log cannot be read, or it needs a feature that is not honoured.
    """
    table = _table(folder, version)
    _refuse(set(table.protocol().reader_features or ()) - _HONOURED)
    columns = _columns(table)
    files = _files(table, columns)
    name = f"{visible(folder.resolve().name)}@{table.version()}"
    uri = f"delta://{folder.absolute()}@{table.version()}"
    return open_live(files, columns, name, "delta", uri)


def _table(folder: Path, version: int | None) -> DeltaTable:
    if not (folder / "_delta_log").is_dir():
        msg = f"no Delta table at {folder}: it has no _delta_log. Check the path."
        raise BatchNotFound(msg)
    try:
        return DeltaTable(str(folder.absolute()), version=version)
    except DeltaError as error:
        if version is not None:
            newest = _table(folder, None).version()
            msg = f"no version {version} of {folder}: its newest is {newest}, and old ones expire."
            raise BatchNotFound(msg) from error
        _refuse(set(_UNKNOWN.findall(str(error))))
        observed = "a Delta table whose log cannot be read"
        raise UnreadableError(observed, _REPAIR, quoted=_first_line(error)) from error


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _refuse(features: Iterable[str]) -> None:
    if names := sorted(features):
        remedy = f"Rewrite the table without: ALTER TABLE ... DROP FEATURE {names[0]}."
        observed = f"a Delta table with {listed(names)}, which the gate does not read"
        raise UnreadableError(observed, remedy)


def _columns(table: DeltaTable) -> TableColumns:
    arrow: Any = table.schema().to_arrow()
    schema = pa.schema(arrow)
    if any(pa.types.is_binary(schema.field(c).type) for c in table.metadata().partition_columns):
        observed = "a Delta table with partitions by bytes, which its log has as text"
        raise UnreadableError(observed, "Partition the table by other columns.")
    mode = table.metadata().configuration.get(f"{_MAPPING}mode", "none")
    if mode == "none":
        return TableColumns(schema, tuple(schema))
    if renamed := [field.name for field in schema if _is_renamed_within(field.type)]:
        observed = f"a Delta table with columnMapping within the nested column {renamed[0]!r}"
        raise UnreadableError(observed, "Hand in the table as written without column mapping.")
    stored = (
        pa.field(
            _mapped(field, "physicalName"), field.type, metadata={FIELD_ID: _mapped(field, "id")}
        )
        for field in schema
    )
    return TableColumns(schema, tuple(stored), by_id=mode == "id")


def _mapped(field: pa.Field[Any], what: str) -> str:
    metadata = field.metadata or {}
    return metadata.get(f"{_MAPPING}{what}".encode(), field.name.encode()).decode()


def _is_renamed_within(kind: Any) -> bool:
    parts = [kind.field(i) for i in range(kind.num_fields)]
    return any(
        _mapped(part, "physicalName") != part.name or _is_renamed_within(part.type)
        for part in parts
    )


def _files(table: DeltaTable, columns: TableColumns) -> Iterator[LiveFile]:
    """List the files of the version, the oldest first, however the log has them."""
    root, kept = _local(table.table_uri), _rows_kept(table)
    actions: list[dict[str, Any]] = pa.table(table.get_add_actions()).to_pylist()
    for action in sorted(actions, key=lambda a: (a["modification_time"], a["path"])):
        path = root / _local(action["path"])
        keep, constants = kept.pop(path, None), action.get("partition") or {}
        yield LiveFile(
            columns,
            name=visible(unquote(action["path"])),
            place=str(path),
            size=action["size_bytes"],
            client=partial(_live_rows, path, columns, constants, keep),
            path=path,
            rows=action["num_records"],
            deleted=keep is not None,
            table=_statistics(action, columns, constants),
            constants=constants,
        )
    if kept:
        observed = "a Delta table with deletionVectors of files that it does not list"
        raise UnreadableError(observed, _PURGE)


def _local(uri: str) -> Path:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        observed = f"a Delta table with a file on {parts.scheme}://"
        raise UnreadableError(observed, "Copy the table to a local disk as a whole.")
    return Path(unquote(parts.path if parts.scheme else uri))


def _rows_kept(table: DeltaTable) -> dict[Path, Any]:
    """Say for each file of which rows were deleted which ones are not."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    try:
        vectors = pa.RecordBatchReader.from_stream(table.deletion_vectors()).read_all()
    except DeltaError as error:
        observed = "a Delta table with deletionVectors that cannot be read"
        raise UnreadableError(observed, _PURGE, quoted=_first_line(error)) from error
    pairs: Any = zip(vectors["filepath"], vectors["selection_vector"], strict=True)
    return {_local(path.as_py()): kept.values for path, kept in pairs}


def _live_rows(
    path: Path, columns: TableColumns, constants: Mapping[str, Any], keep: Any
) -> Iterator[pa.RecordBatch]:
    first, arguments = 0, dict[str, Any](coerce_int96_timestamp_unit="us")
    with pq.ParquetFile(path, **arguments) as file:
        places = columns.places_in(file.schema_arrow)
        for rows in file.iter_batches(_ROWS):
            live = rows if keep is None else rows.filter(keep.slice(first, rows.num_rows))
            yield columns.picked(live, places, constants)
            first += rows.num_rows


def _statistics(
    action: dict[str, Any], columns: TableColumns, constants: Mapping[str, Any]
) -> TableStatistics | None:
    rows: int | None = action["num_records"]
    if rows is None:
        return None
    nulls, lows, highs = (action.get(key) or {} for key in ("null_count", "min", "max"))
    stated = dict[str, StatedValues]()
    for name, stored in columns.wanted:
        if name in constants:
            value = constants[name]
            stated[name] = StatedValues(rows * (value is None), rows * (value is not None))
        elif isinstance(count := nulls.get(stored.name), int):
            bounds = lows.get(stored.name), highs.get(stored.name)
            stated[name] = StatedValues(count, rows - count, *bounds)
    return TableStatistics(stated)
