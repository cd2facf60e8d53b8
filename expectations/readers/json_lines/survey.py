"""What a first reading of JSON lines finds: their keys, of what kind each one's values are.

It also finds how the pieces are best read again: by Arrow where they are as those before led to
expect, else by the slow parser.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from ...batch.arrow_types import type_name
from ...batch.batch import UnreadableError
from ...batch.columns import RESERVED
from ...conform.objects.column import ColumnProbe, ObjectColumn, arrow_type, target_columns
from ...conform.objects.kinds import kind_of, kinds_of
from ...conform.objects.scalars import ParseOptions
from ...contract.types import Anything, Scalar
from .columns import EXACT_IN_DOUBLE, EXPECTED, parts_of, typed_records
from .parser import parsed

if TYPE_CHECKING:
    from collections.abc import Container

    from ...contract.contract import Contract
    from ...contract.policy import Policy
    from .columns import TypedRecords
    from .kept import Kept
    from .parser import Records

    # The types in which each part of some lines can be read; None where only the slow parser can.
    Plan = tuple[pa.Schema | None, ...]

_MOST_KEYS = 100_000
# Lines that are not as expected are tried once more in so many parts, none of them tiny.
_PARTS, _SMALLEST_PART = 16, 1 << 16
# JSON has no such values: their text is judged cell by cell.
_AS_TEXT = (Scalar("datetime"), Scalar("binary"))
_KINDS: dict[pl.DataType, str] = {
    pl.Int64(): "int",
    pl.Float64(): "float64",
    pl.String(): "string",
    pl.Boolean(): "bool",
}
_IN_JSON = {
    "bool": "true or false",
    "dict": "object",
    "list": "array",
    "string": "text",
}


class Survey:
    """The keys of a file, of what kind their values are, and how its pieces are best read."""

    def __init__(self, contract: Contract, policy: Policy, kept: Kept) -> None:
        """Survey for this contract, whose types say what becomes of a column."""
        self.kept = kept
        self._contract, self._policy = contract, policy
        self.keys: dict[str, _Key] = {}
        self.rows = self.malformed = 0
        self.plans: list[Plan] = []
        self._expected: pa.Schema | None = None

    def read(self, lines: bytes) -> None:
        """Look at some lines; where they are not as those before, at each part of them."""
        if self._are_typed(lines):
            self.plans.append((self._expected,))
            return
        count = min(_PARTS, max(1, len(lines) // _SMALLEST_PART))
        self.plans.append(tuple(map(self._read_part, parts_of(lines, count))))

    def _read_part(self, lines: bytes) -> pa.Schema | None:
        if self._are_typed(lines):
            return self._expected
        before, records = self._expected, parsed(lines)
        self._look(records)
        self._expect(records, lines)
        # What they teach may hold for themselves.
        typed = typed_records(lines, self._expected) if self._expected is not before else None
        self.kept.add(typed or lines)
        return self._expected if typed else None

    def _expect(self, records: Records, lines: bytes) -> None:
        # Of many keys that few lines have no table is made; nor are they gone through each time.
        keys = self.keys.items() if len(self.keys) * len(records) <= len(lines) else ()
        types = {name: key.expected for name, key in keys if key.expected}
        expected = pa.schema(types) if len(types) == len(self.keys) else None
        if expected != self._expected:
            self._expected = expected

    def _are_typed(self, lines: bytes) -> bool:
        records = typed_records(lines, self._expected)
        if records is None:
            return False
        self.rows += len(records)
        self.kept.add(records)
        nulls, whole = records.frame.null_count().row(0), records.frame.select(pl.col(pl.Int64))
        low, high = whole.min().row(0, named=True), whole.max().row(0, named=True)
        for number, name in enumerate(records.table.column_names):
            if nulls[number] < len(records):
                bounds = low.get(str(number), 0), high.get(str(number), 0)
                self.keys[name].look_typed(records.cells(name), *bounds)
        return True

    def _look(self, records: Records) -> None:
        self.rows += len(records)
        self.malformed += len(records.faults)
        keys = dict.fromkeys(key for shape in records.shapes for key in shape)
        new = [key for key in keys if key not in self.keys]
        if new:
            self.add(new)
        for key in keys:
            self.keys[key].look(records.column(key))

    def add(self, keys: list[str]) -> None:
        """Make columns of keys that are new."""
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
        self.expected: pa.DataType | None = pa.null()

    def look_typed(self, cells: pl.Series, low: int, high: int) -> None:
        if not self._probe.any_convertible:
            self._probe.look(cells.to_list())
        self._probe.kinds.add(_KINDS[cells.dtype])
        self._low, self._high = min(self._low, low), max(self._high, high)

    def look(self, values: list[Any]) -> None:
        self._probe.look(values)
        self._expect(values)
        if "int" in self._probe.kinds:
            whole = [value for value in values if type(value) is int]
            self._low = min(self._low, *whole, 0)
            self._high = max(self._high, *whole, 0)

    def _expect(self, values: list[Any]) -> None:
        """Expect of the next lines what most of these have."""
        kinds = Counter(kinds_of(values))
        if len(kinds) > 1:
            kinds = Counter(map(kind_of, values))
        del kinds["null"]
        # Not each float of a column has a fraction.
        if kinds["float64"] or self.expected == pa.float64():
            kinds["float64"] += kinds.pop("int", 0)
        if kinds:
            self.expected = EXPECTED.get(max(kinds, key=kinds.__getitem__))

    def field(self, key: str, source: str) -> Field:
        dtype, column = self._dtype(), replace(self._column, source=source)
        probe = replace(self._probe, column=column)
        if dtype is None:
            kinds = {_IN_JSON.get(kind, "number") for kind in probe.kinds - {"null"}}
            arrow = arrow_type(column.dtypes[source])
            return Field(key, column, probe, f"JSON: {', '.join(sorted(kinds))}", arrow)
        arrow = pa.string() if dtype == pl.String else arrow_type(dtype)
        return Field(key, column, probe, type_name(arrow), arrow, dtype)

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
        exact = self._low >= -EXACT_IN_DOUBLE and self._high <= EXACT_IN_DOUBLE
        rounded = target == Scalar("float")
        return pl.Float64() if kinds <= {"int", "float64"} and exact and not rounded else None


@dataclass(frozen=True)
class Field:
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
        """Its columns in the scan, with their types."""
        source = self.column.source
        return self.column.dtypes if self.dtype is None else {source: self.dtype}

    def is_in(self, wanted: Container[str]) -> bool:
        """Tell whether one of its columns in the scan is wanted."""
        return any(name in wanted for name in self.dtypes)

    def series(self, records: Records | TypedRecords, wanted: Container[str]) -> list[pl.Series]:
        """Make its columns in the scan for some lines."""
        if self.dtype is None:
            return self.column.series(records.column(self.key), wanted)
        return [records.series(self.key, self.column.source, self.dtype)]
