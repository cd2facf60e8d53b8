"""JSON lines: one object in each line, read in pieces, judged by the contract as Python objects.

Numbers are decimal text: a float type rounds them as any reader does, an integer must fit exactly.
JSON has no datetimes, so that text is parsed where the contract asks for one. A key that a line
lacks is null; a column is missing if no line has it. To know that, the whole file is read once
before any row is judged; that reading also counts the lines, and finds the columns whose values are
all of one kind, which are typed from then on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    """Open a file of JSON lines by one reading of it; columns in the order of their first line."""
    survey = _Survey(contract, policy)
    rows = malformed = 0
    for records in records_in(path):
        survey.look(records)
        rows += len(records.values)
        malformed += len(records.faults)
    if rows == malformed:
        # No line could have had a key, so none is missing.
        survey.add([column.name for column in contract.columns])
    keys = [name for name in survey.keys if name not in RESERVED]
    sources = scan_names(pa.schema([(name, pa.null()) for name in keys]))
    fields = [survey.keys[key].field(key, name) for key, name in zip(keys, sources, strict=True)]
    schema = pa.schema([pa.field(field.key, field.arrow) for field in fields])
    types = tuple((field.key, field.type_name) for field in fields)
    fault = unused_prefix(schema.names, FAULT)
    return Batch(
        info=file_facts(path, "json lines", schema).model_copy(update={"columns": types}),
        schema=schema,
        sources=sources,
        scan=_Lines(path, tuple(fields), fault).scan,
        rows=rows,
        faults=fault,
        objects={f.column.source: f.probe.cells for f in fields if f.dtype is None},
    )


class _Survey:
    """The keys of a file, and of what kind their values are."""

    def __init__(self, contract: Contract, policy: Policy) -> None:
        self._contract, self._policy = contract, policy
        self.keys: dict[str, _Key] = {}

    def look(self, records: Records) -> None:
        keys = dict.fromkeys(key for shape in records.shapes for key in shape)
        new = [key for key in keys if key not in self.keys]
        if new:
            self.add(new)
        for key in keys:
            self.keys[key].look(records.column(key))

    def add(self, keys: list[str]) -> None:
        names = [*self.keys, *keys]
        if len(names) > _MOST_KEYS:
            observed = f"more than {_MOST_KEYS:,} different keys"
            raise UnreadableError(observed, "Write what differs from line to line as a value.")
        # Columns of an earlier split have no target, whatever their position.
        free = [name for name in names if name not in RESERVED]
        targets = dict(zip(free, target_columns(free, self._contract, self._policy), strict=True))
        for key in keys:
            target = targets.get(key)
            options = ParseOptions(self._policy, json=True)
            self.keys[key] = _Key(ObjectColumn(key, target and target.type, options))


class _Key:
    """One key, and of what kind the values are that were seen of it."""

    def __init__(self, column: ObjectColumn) -> None:
        self._column, self._probe = column, ColumnProbe(column)
        self._low = self._high = 0

    def look(self, values: list[Any]) -> None:
        self._probe.look(values)
        if "int" in self._probe.kinds:
            whole = [value for value in values if type(value) is int]
            self._low = min(self._low, *whole, 0)
            self._high = max(self._high, *whole, 0)

    def field(self, key: str, source: str) -> _Field:
        dtype, column = self._dtype(), replace(self._column, source=source)
        probe = replace(self._probe, column=column)
        if dtype is None:
            kinds = {_IN_JSON.get(kind, "number") for kind in probe.kinds - {"null"}}
            arrow = arrow_type(column.dtypes[source])
            return _Field(key, column, probe, f"JSON: {', '.join(sorted(kinds))}", arrow)
        arrow = pa.string() if dtype == pl.String else arrow_type(dtype)
        return _Field(key, column, probe, type_name(arrow), arrow, dtype)

    def _dtype(self) -> pl.DataType | None:
        """Name the type of a column of one kind; None if it must be judged cell by cell."""
        kinds, target = self._probe.kinds - {"null"}, self._column.target
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
        key: Its name in the file; that in the scan is the column's.
        column: How its values are judged cell by cell.
        probe: What was seen of them.
        type_name: What they are, for a reader of a report.
        arrow: Arrow type of the cells that stand under its name.
        dtype: Polars type of a column of one kind; None if it is judged cell by cell.
    """

    key: str
    column: ObjectColumn
    probe: ColumnProbe
    type_name: str
    arrow: pa.DataType
    dtype: pl.DataType | None = None

    @cached_property
    def dtypes(self) -> dict[str, pl.DataType]:
        source = self.column.source
        return self.column.dtypes if self.dtype is None else {source: self.dtype}

    def series(self, records: Records, wanted: Container[str]) -> list[pl.Series]:
        if not any(name in wanted for name in self.dtypes):
            return []
        cells = records.column(self.key)
        if self.dtype is None:
            return self.column.series(cells, wanted)
        return [pl.Series(self.column.source, cells, self.dtype, strict=self.dtype != pl.Float64)]


@dataclass(frozen=True)
class _Lines:
    path: Path
    fields: tuple[_Field, ...]
    fault: str

    def scan(self) -> pl.LazyFrame:
        dtypes = {name: dtype for field in self.fields for name, dtype in field.dtypes.items()}
        schema = pl.Schema({ROW: pl.Int64(), **dtypes, self.fault: pl.String()})
        return lazy_stream(self._frames, schema, self.path)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        first, wanted = 0, frozenset(columns)
        for records in records_in(self.path):
            rows = np.arange(first, first + len(records.values))
            first += len(rows)
            series = [pl.Series(ROW, rows, pl.Int64), *self._series(records, wanted)]
            faults = [records.faults.get(i) for i in range(len(rows))]
            series.append(pl.Series(self.fault, faults, pl.String))
            yield pl.DataFrame(series).select(map(exact_col, columns))

    def _series(self, records: Records, wanted: Container[str]) -> Iterable[pl.Series]:
        try:
            return [one for field in self.fields for one in field.series(records, wanted)]
        except (TypeError, OverflowError) as error:
            observed = "values of another kind than when it was opened"
            remedy = "Deliver the file by rename once complete."
            raise UnreadableError(observed, remedy, quoted=str(error)) from error
