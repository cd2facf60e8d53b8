"""Conditions on the cells of a column: found in a few rows, and stated over all of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from math import log
from typing import Any

import polars as pl

from ..wording import cut

_CATEGORIES, _NO_CELLS = (pl.Categorical, pl.Enum), pl.Null()
_MOSTLY, _HALF, _FEW = 0.9, 0.5, 0.1
# Of so many values one at each end may lie apart.
_TRIMMED = 100
_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Condition:
    """Cells that lie between two values, or have the one value; rows in a run, or in a file.

    Attributes:
        column: The column that it is about; None for rows as such.
        source: What a frame calls the cells; empty for a file.
        dtype: Their type.
        low: The smallest value, as it is stored; None for null.
        high: The largest value.
        file: The file's name.
        is_parsed: Whether the cells are text that stands for values.
    """

    column: str | None = None
    source: str = ""
    dtype: pl.DataType = _NO_CELLS
    low: Any = None
    high: Any = None
    file: str = ""
    is_parsed: bool = False

    @property
    def is_range(self) -> bool:
        """Whether more than one value meets it."""
        return self.low != self.high

    @property
    def is_run(self) -> bool:
        """Whether it is about the positions of rows."""
        return self.column is None and not self.file

    @property
    def cells(self) -> pl.Expr:
        """The cells as they are stored: instants as numbers."""
        return pl.col(self.source).cast(self.dtype, strict=False).to_physical()

    def holds(self, *, in_file: bool) -> pl.Expr:
        """True in the rows that meet it, of a part of the batch that is the file or is not."""
        if self.file:
            return pl.lit(value=in_file)
        if self.low is None:
            return self.cells.is_null()
        stored = pl.Series(dtype=self.dtype).to_physical().dtype
        low, high = (pl.lit(value, dtype=stored) for value in (self.low, self.high))
        # Not ``is_between``: a single NaN equals itself.
        met = self.cells.is_between(low, high) if self.is_range else self.cells == low
        return met.fill_null(value=False)

    def words(self, *, redact: bool) -> str:
        """State it; under ``redact`` without values."""
        if self.file or self.column is None:
            return self.file or f"rows {self.low:,} to {self.high:,}"
        name = self.column if self.column.isidentifier() else repr(self.column)
        if self.low is None:
            return f"{name} null"
        if redact:
            return f"{'values in one range' if self.is_range else 'one value'} of {self.column!r}"
        low, high = map(self._shown, (self.low, self.high))
        return f"{name} from {low} to {high}" if self.is_range else f"{name} = {low}"

    def _shown(self, value: Any) -> str:
        if not self.dtype.is_temporal():
            written = repr(value)[1:-1] if self.is_parsed else repr(value)
            return cut(written, _LONGEST_VALUE)
        stored = pl.Series([value]).cast(pl.Series(dtype=self.dtype).to_physical().dtype)
        text = str(stored.cast(self.dtype).cast(pl.String)[0])
        return text.rstrip("0").rstrip(".") if "." in text else text


def suggested(
    name: str, number: int, cells: tuple[pl.Series, pl.Series], parsed: pl.DataType | None
) -> tuple[float, Condition] | None:
    """Suggest what most of some cells have in common, and few others have.

    Args:
        name: The column's name.
        number: Its number: a frame has its cells as ``cell 1``, what they stand for as ``value 1``.
        cells: Some of the rows in question, and some of the others.
        parsed: The type of the values that text stands for.

    Returns:
        The share of the others that meets it, and the condition; None where there is none.
    """
    ours, others = cells
    if isinstance(ours.dtype, _CATEGORIES):
        ours, others = ours.cast(pl.String), others.cast(pl.String)
    if ours.dtype.is_nested() or isinstance(ours.dtype, pl.Binary | pl.Object | pl.Null):
        return None
    value, times = ours.to_physical().value_counts(sort=True).row(0)
    if times >= _MOSTLY * len(ours):
        same = Condition(name, f"cell {number}", ours.dtype, value, value)
        return _shared_by(others, replace(same, is_parsed=parsed is not None))
    if parsed is not None:
        ours, others = _parsed(ours, parsed), _parsed(others, parsed)
    if not (ours.dtype.is_numeric() or ours.dtype.is_temporal()):
        return None
    ordered = ours.drop_nans() if ours.dtype.is_float() else ours
    ordered = ordered.drop_nulls().to_physical().sort()
    if len(ordered) < _MOSTLY * len(ours):
        return None
    trim = len(ordered) // _TRIMMED
    ends = ((0, -1), (trim, -1 - trim))
    ranges = [
        _shared_by(others, Condition(name, f"value {number}", ours.dtype, ordered[a], ordered[b]))
        for a, b in ends
    ]
    whole, most = ranges
    return whole if whole and whole[0] <= _FEW else most


def _parsed(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    with suppress(pl.exceptions.PolarsError):
        if isinstance(dtype, pl.Datetime):
            return texts.str.to_datetime(time_unit=dtype.time_unit, strict=False)
        return texts.str.strip_chars().cast(dtype, strict=False)
    return pl.Series([None] * len(texts), dtype=dtype)


def _shared_by(others: pl.Series, condition: Condition) -> tuple[float, Condition] | None:
    met = others.alias(condition.source).to_frame().select(condition.holds(in_file=False))
    share = int(met.to_series().sum()) / max(len(others), 1)
    return (share, condition) if share <= _HALF else None


def is_beyond_chance(met: int, of: int, share: float, tests: int, chance: float) -> bool:
    """Tell that random rows would not meet any of so many conditions as often, with any bounds.

    By the bound of Chernoff on the binomial distribution, times the bounds that could be chosen.
    """
    hit = met / of
    if share >= hit:
        return False
    apart = hit * log(hit / share) + ((1 - hit) * log((1 - hit) / (1 - share)) if hit < 1 else 0)
    return (of - 1) * apart > log(tests * of**2 / chance)
