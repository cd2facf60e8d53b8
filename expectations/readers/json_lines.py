"""JSON lines: one object in each line, read in pieces, judged by the contract as Python objects.

Numbers are decimal text: a float type rounds them as any reader does, an integer must fit exactly.
JSON has no datetimes, so that text is parsed where the contract asks for one. A key that a line
lacks is null; a column is missing if no line has it. To know that, the whole file is read once
before any row is judged; that reading also counts the lines, and finds the columns whose values are
all of one kind, which are typed from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from ..batch.arrow_types import type_name
from ..batch.batch import Batch, UnreadableError, file_facts
from ..batch.columns import FAULT, RESERVED, ROW, exact_col, scan_names, unused_prefix
from ..batch.streaming import lazy_stream
from ..conform.objects.column import ColumnProbe, ObjectColumn, arrow_type, target_columns
from ..conform.objects.scalars import ParseOptions
from ..contract.types import Anything, Scalar
from .json_parser import records_in

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from .json_parser import Records

_MOST_KEYS = 100_000
_EXACT_IN_DOUBLE = 2**53
# JSON has no such values: their text is judged cell by cell.
_AS_TEXT = (Scalar("datetime"), Scalar("binary"))
_IN_JSON = {
    "bool": "true or false",
    "dict": "object",
    "list": "array",
    "string": "text",
}


def open_json_lines(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open a file of JSON lines by one reading of it."""
    survey = _Survey(contract, policy)
    rows = malformed = 0
    for records in records_in(path):
        survey.look(records)
        rows += len(records.values)
        malformed += len(records.faults)
    if rows == malformed:
        # No line could have had a key, so none is missing.
        survey.add([column.name for column in contract.columns])
    fields = [seen.field() for name, seen in survey.seen.items() if name not in RESERVED]
    schema = pa.schema([pa.field(field.key, field.arrow) for field in fields])
    said = tuple((field.key, field.said) for field in fields)
    fault = unused_prefix(schema.names, FAULT)
    return Batch(
        info=file_facts(path, "json lines", schema).model_copy(update={"columns": said}),
        schema=schema,
        sources=scan_names(schema),
        scan=_Lines(path, tuple(fields), fault).scan,
        rows=rows,
        faults=fault,
        objects={f.key: f.outlook.cells for f in fields if f.dtype is None},
    )


class _Survey:
    """The keys of a file, and of what kind their values are."""

    def __init__(self, contract: Contract, policy: Policy) -> None:
        self._contract, self._policy = contract, policy
        self.seen: dict[str, _Seen] = {}

    def look(self, records: Records) -> None:
        keys = dict.fromkeys(key for shape in records.shapes for key in shape)
        new = [key for key in keys if key not in self.seen]
        if new:
            self.add(new)
        for key in keys:
            self.seen[key].look(records.column(key))

    def add(self, keys: list[str]) -> None:
        names = [*self.seen, *keys]
        if len(names) > _MOST_KEYS:
            observed = f"more than {_MOST_KEYS:,} different keys"
            raise UnreadableError(observed, "Write what differs from line to line as a value.")
        # Columns of an earlier split serve nobody, whatever their position.
        free = [name for name in names if name not in RESERVED]
        served = dict(zip(free, target_columns(free, self._contract, self._policy), strict=True))
        for key in keys:
            column = served.get(key)
            reading = ParseOptions(self._policy, json=True)
            self.seen[key] = _Seen(ObjectColumn(key, column and column.type, reading))


class _Seen:
    """What was seen of one key's values."""

    def __init__(self, column: ObjectColumn) -> None:
        self._column, self._outlook = column, ColumnProbe(column)
        self._low = self._high = 0

    def look(self, values: list[Any]) -> None:
        self._outlook.look(values)
        if "int" in self._outlook.kinds:
            whole = [value for value in values if type(value) is int]
            self._low = min(self._low, *whole, 0)
            self._high = max(self._high, *whole, 0)

    def field(self) -> _Field:
        dtype = self._dtype()
        if dtype is None:
            kinds = {_IN_JSON.get(kind, "number") for kind in self._outlook.kinds - {"null"}}
            arrow = arrow_type(self._column.dtypes[self._column.source])
            return _Field(self._column, self._outlook, f"JSON: {', '.join(sorted(kinds))}", arrow)
        arrow = pa.string() if dtype == pl.String else arrow_type(dtype)
        return _Field(self._column, self._outlook, type_name(arrow), arrow, dtype)

    def _dtype(self) -> pl.DataType | None:
        """Name the type of a column of one kind; None if it must be judged cell by cell."""
        kinds, target = self._outlook.kinds - {"null"}, self._column.target
        if not kinds:
            return pl.Null()
        if isinstance(target, Anything):
            return None
        if kinds == {"string"}:
            return None if target in _AS_TEXT else pl.String()
        if kinds == {"bool"}:
            return pl.Boolean()
        if kinds == {"int"} and self._low >= -(2**63) and self._high < 2**63:
            return pl.Int64()
        exact = self._low >= -_EXACT_IN_DOUBLE and self._high <= _EXACT_IN_DOUBLE
        rounded = target == Scalar("float")
        return pl.Float64() if kinds <= {"int", "float64"} and exact and not rounded else None


@dataclass(frozen=True)
class _Field:
    """One column of the file.

    Attributes:
        column: How its values are judged cell by cell.
        outlook: What was seen of them.
        said: What they are, for a reader of a report.
        arrow: Arrow type of the cells that stand under its name.
        dtype: Polars type of a column of one kind; None if it is judged cell by cell.
    """

    column: ObjectColumn
    outlook: ColumnProbe
    said: str
    arrow: pa.DataType
    dtype: pl.DataType | None = None

    @property
    def key(self) -> str:
        return self.column.source

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        return self.column.dtypes if self.dtype is None else {self.key: self.dtype}

    def series(self, records: Records, wanted: Container[str]) -> list[pl.Series]:
        if not any(name in wanted for name in self.dtypes):
            return []
        cells = records.column(self.key)
        if self.dtype is None:
            return self.column.series(cells, wanted)
        return [pl.Series(self.key, cells, self.dtype, strict=self.dtype != pl.Float64)]


@dataclass(frozen=True)
class _Lines:
    path: Path
    fields: tuple[_Field, ...]
    fault: str

    def scan(self) -> pl.LazyFrame:
        dtypes = {name: dtype for field in self.fields for name, dtype in field.dtypes.items()}
        schema = pl.Schema({ROW: pl.Int64(), **dtypes, self.fault: pl.String()})
        return lazy_stream(self._frames, schema)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        first, wanted = 0, frozenset(columns)
        for records in records_in(self.path):
            rows = np.arange(first, first + len(records.values))
            first += len(rows)
            made = [pl.Series(ROW, rows, pl.Int64), *self._series(records, wanted)]
            faults = [records.faults.get(i) for i in range(len(rows))]
            made.append(pl.Series(self.fault, faults, pl.String))
            yield pl.DataFrame(made).select(map(exact_col, columns))

    def _series(self, records: Records, wanted: Container[str]) -> Iterable[pl.Series]:
        try:
            return [one for field in self.fields for one in field.series(records, wanted)]
        except (TypeError, OverflowError) as error:
            observed = "values of another kind than when it was opened"
            remedy = "Deliver the file by rename once complete."
            raise UnreadableError(observed, remedy, quoted=str(error)) from error
