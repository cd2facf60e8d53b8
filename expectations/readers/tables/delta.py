"""Delta tables: the log of one version says which files and rows live, and what is in them."""

from __future__ import annotations

import re
from functools import partial
from posixpath import join
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake.exceptions import DeltaError

from ...batch.batch import UnreadableError
from ...batch.statistics import stated
from ...escaping import visible
from ...verdict.verdict import BatchInfo
from ...wording import listed
from .columns import table_columns
from .live_file import LiveFile, open_live

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from deltalake import DeltaTable

    from ...batch.batch import OpenedBatch
    from ...batch.statistics import ColumnStatistics
    from .columns import TableColumns
    from .delta_folder import DeltaFolder
    from .live_file import Stored

# Features of a reader that are honoured below; all others are refused by their names.
_HONOURED = {
    *("columnMapping", "deletionVectors", "timestampNtz", "typeWidening", "typeWidening-preview"),
    *("v2Checkpoint", "vacuumProtocolCheck"),
}
_UNKNOWN = re.compile(r"Feature '([^']+)' is not supported")
_PURGE = "Rewrite its files: REORG TABLE ... APPLY (PURGE)."
_REPAIR = "Repair the table, or hand in another version of it."
_PLAIN = "Hand in the table as written without it."
_ROWS = 65_536


def open_delta(folder: DeltaFolder, version: int | None) -> OpenedBatch:
    """Open one version of a table, the newest if none is named."""
    table = load_delta(folder, version)
    _refuse(set(table.protocol().reader_features or ()) - _HONOURED)
    columns, at = _columns(table), f"@{table.version()}"
    name, uri = visible(folder.name) + at, f"delta://{folder.place}{at}"
    info = BatchInfo(name=name, format="delta", uri=uri)
    return open_live(_files(folder, table, columns), columns, info)


def load_delta(folder: DeltaFolder, version: int | None = None) -> DeltaTable:
    """Load the log up to a version, the newest if none is named."""
    try:
        return folder.table(version)
    except DeltaError as error:
        _refuse(set(_UNKNOWN.findall(str(error))))
        observed = "a Delta table whose log cannot be read"
        raise UnreadableError(observed, _REPAIR, quoted=str(error).splitlines()[0]) from error


def _refuse(features: Iterable[str]) -> None:
    if names := sorted(features):
        remedy = f"Rewrite the table without: ALTER TABLE ... DROP FEATURE {names[0]}."
        observed = f"a Delta table with {listed(names)}, which the gate does not read"
        raise UnreadableError(observed, remedy)


def _columns(table: DeltaTable) -> TableColumns:
    arrow: Any = table.schema().to_arrow()
    schema, metadata = pa.schema(arrow), table.metadata()
    mode = metadata.configuration.get("delta.columnMapping.mode", "none")
    refused = {
        "partitions by bytes, which its log has as text": any(
            pa.types.is_binary(schema.field(name).type) for name in metadata.partition_columns
        ),
        f"columnMapping by {mode}": mode not in ("none", "name"),
        "columnMapping within nested columns": mode == "name"
        and any(_is_renamed_within(field.type) for field in schema),
    }
    for what in (what for what, is_so in refused.items() if is_so):
        observed = f"a Delta table with {what}"
        raise UnreadableError(observed, _PLAIN)
    stored = (field.with_name(_stored_name(field)) for field in schema)
    return table_columns(schema, stored if mode == "name" else schema)


def _stored_name(field: pa.Field[Any]) -> str:
    metadata = field.metadata or {}
    return metadata.get(b"delta.columnMapping.physicalName", field.name.encode()).decode()


def _is_renamed_within(kind: Any) -> bool:
    parts = [kind.field(i) for i in range(kind.num_fields)]
    return any(_stored_name(part) != part.name or _is_renamed_within(part.type) for part in parts)


def _files(folder: DeltaFolder, table: DeltaTable, columns: TableColumns) -> Iterator[LiveFile]:
    """List the files of the version, the oldest first, however the log has them."""
    with folder.asked():
        kept = _rows_kept(table)
        actions: list[dict[str, Any]] = pa.table(table.get_add_actions()).to_pylist()
    stored = folder.files([_name(table, action["path"]) for action in actions])
    for action in sorted(actions, key=lambda a: (a["modification_time"], a["path"])):
        name, constants = _name(table, action["path"]), action.get("partition") or {}
        file, keep = stored[name], kept.pop(name, None)
        yield LiveFile(
            columns,
            name=visible(unquote(action["path"])),
            place=join(folder.place, name),
            size=action["size_bytes"],
            client=partial(_live_rows, file, columns, constants, keep),
            file=file,
            rows=_rows(action),
            deleted=keep is not None,
            known=dict(_statistics(action, columns, constants)),
            constants=constants,
        )
    if kept:
        observed = "a Delta table with deletionVectors of files that it does not list"
        raise UnreadableError(observed, _PURGE)


def _name(table: DeltaTable, path: str) -> str:
    """Name a file by its path within the folder, or as the log has it where it lies elsewhere."""
    return unquote(path.removeprefix(table.table_uri).removeprefix("file://"))


def _rows(action: dict[str, Any]) -> int | None:
    rows: int | None = action["num_records"]
    return rows if rows is not None and rows >= 0 else None


def _rows_kept(table: DeltaTable) -> dict[str, Any]:
    """Say for each file of which rows were deleted which ones were not."""
    if "deletionVectors" not in (table.protocol().reader_features or ()):
        return {}
    try:
        vectors = pa.RecordBatchReader.from_stream(table.deletion_vectors()).read_all()
    except DeltaError as error:
        observed = "a Delta table with deletionVectors that cannot be read"
        raise UnreadableError(observed, _PURGE, quoted=str(error).splitlines()[0]) from error
    pairs: Any = zip(vectors["filepath"], vectors["selection_vector"], strict=True)
    return {_name(table, path.as_py()): kept.values for path, kept in pairs}


def _live_rows(
    file: Stored, columns: TableColumns, constants: Mapping[str, Any], keep: Any
) -> Iterator[pa.RecordBatch]:
    first, arguments = 0, dict[str, Any](coerce_int96_timestamp_unit="us")
    with pq.ParquetFile(file.whole(), **arguments) as parquet:
        places = columns.places_in(parquet.schema_arrow)
        for rows in parquet.iter_batches(_ROWS):
            live = rows if keep is None else rows.filter(keep.slice(first, rows.num_rows))
            yield columns.rows_of(live, places, constants)
            first += rows.num_rows


def _statistics(
    action: dict[str, Any], columns: TableColumns, constants: Mapping[str, Any]
) -> Iterator[tuple[str, ColumnStatistics]]:
    nulls, lows, highs = (action.get(key) or {} for key in ("null_count", "min", "max"))
    rows = _rows(action)
    for name, field in zip(columns.sources, columns.stored, strict=True):
        if rows is not None and name in constants:
            yield name, stated(rows, rows if constants[name] is None else 0)
        elif rows is not None and isinstance(count := nulls.get(field.name), int):
            yield name, stated(rows, count, lows.get(field.name), highs.get(field.name))
