"""Lines of JSON as typed columns, read by Arrow: the fast twin of ``parser``.

Arrow refuses what that parser has a fault for, and what is not of the expected keys and types. What
it would read as something else is looked for here. Such lines are left to the slow parser, so that
nothing of the verdict depends on which of the two read a line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Of doubles below it, those that were integers in the file are these very integers.
EXACT_IN_DOUBLE = 2**53
_BLANK = b" \t\r\n"
_NEWLINE, _RETURN, _OPENING, _CLOSING = b"\n\r{}"
_LONG_INTEGER = re.compile(rb"[:\s-]\d{16,}[\s,}]")
_INTEGER_MINUS_ZERO = re.compile(rb"-0[\s,}]")
# What the values of a column are, as ``kinds_of`` names them -> its type in a table.
EXPECTED: dict[str, pa.DataType] = {
    "int": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "bool": pa.bool_(),
}


@dataclass(frozen=True)
class TypedRecords:
    """Some lines of a file as columns; stands where ``Records`` of the slow parser could.

    Attributes:
        table: A row for each line, a column for each key that was expected.
        faults: None of the lines is malformed.
    """

    table: pa.Table
    faults: Mapping[int, str] = field(default_factory=dict[int, str])

    def __len__(self) -> int:
        """Count the lines."""
        return self.table.num_rows

    def column(self, key: str) -> list[Any]:
        """Return the values of one key, None where a line lacks it."""
        return self.cells(key).to_list()

    @cached_property
    def frame(self) -> pl.DataFrame:
        """The values of all keys, by number: Polars takes some names for patterns, or cuts them."""
        names = list(map(str, range(self.table.num_columns)))
        return cast("pl.DataFrame", pl.from_arrow(self.table.rename_columns(names), rechunk=False))

    def cells(self, key: str) -> pl.Series:
        """Return the values of one key in the type in which they were read."""
        number = self._numbers.get(key)
        if number is None:
            return pl.repeat(None, len(self), dtype=pl.Null, eager=True)
        return self.frame.to_series(number)

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {name: number for number, name in enumerate(self.table.column_names)}

    def series(self, key: str, name: str, dtype: pl.DataType) -> pl.Series:
        """Return the values of one key in the type that they have in the whole file."""
        cells = self.cells(key).alias(name)
        if cells.dtype == dtype:
            return cells
        is_number = cells.dtype == pl.Int64 and dtype == pl.Float64
        if not is_number and cells.dtype != pl.Null:
            raise TypeError(str(cells.dtype))
        return cells.cast(dtype)


def typed_records(lines: bytes, expected: pa.Schema | None) -> TypedRecords | None:
    """Read lines of expected keys and types; None if the slow parser may read anything else."""
    lines = lines.strip(_BLANK)
    if not expected or not (rows := _objects(lines)) or rows * len(expected) > len(lines):
        return None
    read = json.ReadOptions(use_threads=False, block_size=len(lines) + 1)
    parse = json.ParseOptions(explicit_schema=expected, unexpected_field_behavior="error")
    source: Any = pa.BufferReader(lines)
    try:
        table = json.read_json(source, read, parse)
        table.validate(full=True)
    except pa.ArrowException:
        return None
    records = TypedRecords(table)
    return records if len(records) == rows and _are_said(records, lines) else None


def floats_of(schema: pa.Schema) -> set[str]:
    """Name the columns in which integers and floats can no longer be told apart."""
    return {field.name for field in schema if pa.types.is_floating(field.type)}


def _objects(lines: bytes) -> int:
    """Count the lines if none is blank and, provided that Arrow can read them, no value spans two.

    Of what may follow ``}``, only a new object begins with ``{``.
    """
    text = np.frombuffer(lines, np.uint8)
    ends = np.flatnonzero(text == _NEWLINE)
    last = text[ends - 1]
    last = np.where(last == _RETURN, text[ends - 2], last)
    is_object = (last == _CLOSING) & (text[ends + 1] == _OPENING)
    is_whole = lines.startswith(b"{") and lines.endswith(b"}") and bool(is_object.all())
    return len(ends) + 1 if is_whole else 0


def _are_said(records: TypedRecords, lines: bytes) -> bool:
    """Tell that the text has these very floats, or integers that are equal to them."""
    # All columns at once: of wide lines a piece holds few. What is null in one is NaN here.
    numbers = records.frame.select(pl.col(pl.Float64)).to_numpy()
    size = np.abs(numbers)
    return not (
        # Digits beyond any float, and words that Python does not know.
        np.isinf(size).any()
        or (np.isnan(size).any() and b"-NaN" in lines)
        or ((size >= EXACT_IN_DOUBLE).any() and _LONG_INTEGER.search(lines))
        or (np.signbit(numbers[size == 0]).any() and _INTEGER_MINUS_ZERO.search(lines))
    )


def parts_of(lines: bytes, count: int) -> Iterator[bytes]:
    """Cut lines into so many parts at most, of about the same size."""
    start = 0
    for part in range(1, count):
        end = lines.find(b"\n", max(start, len(lines) * part // count))
        if end < 0:
            break
        yield lines[start:end]
        start = end + 1
    yield lines[start:]
