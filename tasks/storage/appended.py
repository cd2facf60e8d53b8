"""Rows on their way into a table, in types that every table can hold."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from pathlib import Path

_WIDER = {"null": pa.string(), "halffloat": pa.float32()}
_ROWS, _CELLS = 65_536, 1 << 20  # of a piece, at most


class Appended(NamedTuple):
    """What is to be appended.

    Attributes:
        key: Names it among all that is ever appended to the table; the same in each attempt.
        file: A Parquet file with the rows.
        stamps: Text by the name of a further column.
        redact: Whether errors may not quote what a library says.
        passed: Called with each checkpoint that is reached.
        in_json: Whether all columns but the first and the last become one, of JSON objects.
    """

    key: str
    file: Path
    stamps: Mapping[str, str]
    redact: bool
    passed: Callable[[str], None]
    in_json: bool = False

    @contextmanager
    def rows(
        self, like: pa.Schema | None = None, nul: str = "\0"
    ) -> Generator[pa.RecordBatchReader]:
        """Read the rows piece by piece, in the types of ``like`` where it has a column.

        ``nul`` stands for NUL in text, where a database can hold none.
        """
        with pq.ParquetFile(self.file) as file:
            arrived = self._stamped(file.schema_arrow.empty_table()).schema
            wanted = pa.schema([_field(field, like) for field in arrived.remove_metadata()])

            def pieces() -> Iterator[pa.RecordBatch]:
                columns = file.metadata.num_columns
                for batch in file.iter_batches(min(_ROWS, _CELLS // columns + 1)):
                    table = self._stamped(pa.Table.from_batches([batch])).cast(wanted)
                    yield from _without_nul(table, nul).cast(wanted).to_batches()

            yield pa.RecordBatchReader.from_batches(wanted, pieces())

    def _stamped(self, table: pa.Table) -> pa.Table:
        table = _in_json(table) if self.in_json else table
        for name, value in self.stamps.items():
            if name not in table.column_names:
                table = table.append_column(name, pa.repeat(value, table.num_rows))
        return table


def _without_nul(table: pa.Table, nul: str) -> pa.Table:
    for n, name in enumerate(table.column_names) if nul != "\0" else ():
        cells = cast("pl.Series", pl.from_arrow(table.column(n)))
        if cells.dtype == pl.String:
            cells = cells.str.replace_all("\0", nul, literal=True)
        elif cells.dtype == pl.List(pl.String):
            cells = cells.list.eval(pl.element().str.replace_all("\0", nul, literal=True))
        else:
            continue
        table = table.set_column(n, name, cells.to_arrow())
    return table


def _in_json(table: pa.Table) -> pa.Table:
    names = table.column_names[1:-1]
    cells = [_cells(table.column(n + 1)) for n in range(len(names))]
    rows = zip(*cells, strict=True) if names else [()] * table.num_rows
    objects = [_json(dict(zip(names, row, strict=True))) for row in rows]
    whole: Any = [table.column(0), pa.array(objects, pa.string()), table.column(len(names) + 1)]
    return pa.table(whole, [table.column_names[0], "_values", table.column_names[-1]])


def _cells(column: pa.ChunkedArray[Any]) -> list[Any]:
    try:
        return column.to_pylist()
    except Exception:  # noqa: BLE001 - an instant of no calendar, a time zone of no atlas
        texts = (column.slice(n, 1).combine_chunks().to_string() for n in range(len(column)))
        printed = (" ".join(text.split())[2:-2] for text in texts)
        return [None if text == "null" else text for text in printed]


def _json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, default=_text)
    except ValueError:  # JSON has neither NaN nor infinity
        return _json(json.loads(json.dumps(value, default=_text), parse_constant=str))


def _text(value: Any) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _field(field: pa.Field[Any], like: pa.Schema | None) -> pa.Field[Any]:
    if like is not None and field.name in like.names:
        return field.with_type(like.field(field.name).type)
    kind: Any = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    kind = _WIDER.get(str(kind), kind)
    if pa.types.is_timestamp(kind):  # what every table can hold
        kind = pa.timestamp("us", "UTC") if kind.tz else pa.timestamp("us")
    return field.with_type(kind)
