"""Tables of a lake for tests: Delta logs written by hand, Iceberg tables in a catalog of SQLite."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyroaring import BitMap

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

    from signature_gate.expectations.judge.result import CheckResult

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
_DELETED_ROWS_MAGIC, _POSITIONS, _PATHS = 1681511377, b"2147483545", b"2147483546"


def rows_in(result: CheckResult) -> pl.DataFrame:
    """List the rows of both sides of a split, without their numbers."""
    assert result.accepted is not None
    assert result.rejected is not None
    both = (result.accepted.collect(), result.rejected.collect().drop("_violations"))
    return pl.concat(both, how="diagonal_relaxed").drop("_row")


# ----- Delta -----


def delta_field(name: str, kind: Any = "long", **mapping: Any) -> dict[str, Any]:
    """Describe a column in a log; ``id`` and ``physicalName`` are those of a column mapping."""
    metadata = {f"delta.columnMapping.{key}": value for key, value in mapping.items()}
    return {"name": name, "type": kind, "nullable": True, "metadata": metadata}


def write_delta(
    folder: Path,
    fields: Sequence[dict[str, Any]],
    files: Mapping[str, tuple[pa.Table, dict[str, Any]]],
    features: Sequence[str] = (),
    mapping: str = "none",
    **writing: Any,
) -> str:
    """Write data files, and a log of one version that lists each with what its action says more.

    Returns:
        The table's URI.
    """
    (folder / "_delta_log").mkdir(parents=True)
    reader = {"minReaderVersion": 3, "readerFeatures": list(features)} if features else {}
    writer = {"minWriterVersion": 7, "writerFeatures": list(features)} if features else {}
    protocol = {"minReaderVersion": 2, "minWriterVersion": 5} | reader | writer
    metadata = {
        "id": "hand-written",
        "format": {"provider": "parquet", "options": {}},
        "schemaString": json.dumps({"type": "struct", "fields": list(fields)}),
        "partitionColumns": [],
        "configuration": {"delta.columnMapping.mode": mapping},
        "createdTime": 0,
    }
    actions: list[dict[str, Any]] = [{"protocol": protocol}, {"metaData": metadata}]
    for place, (name, (rows, more)) in enumerate(files.items()):
        pq.write_table(rows, folder / name, **writing)
        add = {"path": name, "partitionValues": {}, "size": (folder / name).stat().st_size}
        actions.append({"add": add | {"modificationTime": place, "dataChange": True} | more})
    log = folder / "_delta_log" / "00000000000000000000.json"
    log.write_text("\n".join(map(json.dumps, actions)))
    return f"delta://{folder}"


def stated(rows: int, **nulls: int) -> dict[str, Any]:
    """State the statistics of a file, true or not."""
    return {"stats": json.dumps({"numRecords": rows, "nullCount": nulls})}


def deletion_vector(rows: Sequence[int]) -> dict[str, Any]:
    """Mark rows of a file as deleted, by a vector within the log."""
    head = struct.pack("<iqi", _DELETED_ROWS_MAGIC, 1, 0)
    body = head + BitMap(rows).serialize()
    whole = body + b"\0" * (-len(body) % 4)
    text = "".join(_digits(whole[i : i + 4]) for i in range(0, len(whole), 4))
    inline = {"storageType": "i", "pathOrInlineDv": text, "sizeInBytes": len(body)}
    return {"deletionVector": inline | {"cardinality": len(rows)}}


def _digits(four: bytes) -> str:
    number, text = int.from_bytes(four, "big"), ""
    for _ in range(5):
        number, digit = divmod(number, 85)
        text = _DIGITS[digit] + text
    return text


# ----- Iceberg -----


def delete_rows(
    table: Table,
    folder: Path,
    rows: Mapping[str, Sequence[int]],
    content: str = "POSITION_DELETES",
) -> None:
    """Commit a file of positional deletes, as other engines write them and pyiceberg reads them."""
    pairs = [(path, row) for path, deleted in rows.items() for row in sorted(deleted)]
    schema = pa.schema(
        [
            pa.field("file_path", pa.string(), nullable=False).with_metadata(_id(_PATHS)),
            pa.field("pos", pa.int64(), nullable=False).with_metadata(_id(_POSITIONS)),
        ]
    )
    paths, positions = zip(*pairs, strict=True)
    path = folder / f"deletes-{len(table.snapshots())}.parquet"
    commit_file(
        table, path, pa.table({"file_path": list(paths), "pos": list(positions)}, schema), content
    )


def compact(table: Table, path: Path) -> None:
    """Write the rows of all files into one instead, as other engines do and pyiceberg does not."""
    from pyiceberg.io.pyarrow import schema_to_pyarrow

    files = [task.file for task in table.refresh().scan().plan_files()]
    rows = table.scan().to_arrow().cast(schema_to_pyarrow(table.schema()))
    commit_file(table, path, rows, instead_of=files)
    place = table.metadata_location.removeprefix("file://")
    metadata = json.loads(Path(place).read_text())
    metadata["snapshots"][-1]["summary"]["operation"] = "replace"
    Path(place).write_text(json.dumps(metadata))
    table.refresh()


def commit_file(
    table: Table,
    path: Path,
    rows: pa.Table,
    content: str = "DATA",
    instead_of: Sequence[DataFile] | None = None,
) -> None:
    """Write a file, and commit it to the partition of the first file that the table has.

    With a list of others, even an empty one, the snapshot overwrites these.
    """
    from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

    pq.write_table(rows, path)
    committed = DataFile.from_args(
        content=DataFileContent[content],
        file_path=path.as_uri(),
        file_format=FileFormat.PARQUET,
        partition=next(iter(table.scan().plan_files())).file.partition,
        record_count=rows.num_rows,
        file_size_in_bytes=path.stat().st_size,
        column_sizes={},
        value_counts={},
        null_value_counts={},
        nan_value_counts={},
        lower_bounds={},
        upper_bounds={},
        split_offsets=[],
        equality_ids=None,
        sort_order_id=None,
    )
    committed.spec_id = table.spec().spec_id
    with table.transaction() as transaction:
        kinds = transaction.update_snapshot()
        with kinds.fast_append() if instead_of is None else kinds.overwrite() as update:
            update.append_data_file(committed)
            for file in instead_of or ():
                update.delete_data_file(file)


def _id(number: bytes) -> dict[bytes, bytes]:
    return {b"PARQUET:field_id": number}
