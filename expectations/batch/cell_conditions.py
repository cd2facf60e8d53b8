"""Conditions on the cells of a column: found in a few rows, and stated over all of them."""

from __future__ import annotations

from dataclasses import dataclass
from math import log
from typing import Any

import polars as pl

from ..wording import cut

_CATEGORIES = (pl.Categorical, pl.Enum)
_MOSTLY, _MANY, _FEW = 0.9, 0.6, 0.1
# Of so many values one at each end may lie apart.
_TRIMMED = 100
_LONGEST_VALUE = 80


@dataclass(frozen=True)
class Condition:
    """Cells that lie between two values, or have the one value.

    Attributes:
        source: What a frame calls the cells.
        dtype: Their type.
        low: The smallest value, as it is stored; None for null.
        high: The largest value.
        column: The column that it is about.
        place: A run of rows or a file, in words, if it is about where rows lie.
    """

    source: str
    dtype: pl.DataType
    low: Any
    high: Any
    column: str = ""
    place: str = ""

    @property
    def is_range(self) -> bool:
        """Whether more than one value meets it."""
        return self.low != self.high

    @property
    def cells(self) -> pl.Expr:
        """The cells as they are stored: instants as numbers."""
        return pl.col(self.source).cast(self.dtype, strict=False).to_physical()

    def holds(self) -> pl.Expr:
        """True in the rows that meet it."""
        if self.low is None:
            return self.cells.is_null()
        low, high = (pl.lit(value, dtype=self._stored) for value in (self.low, self.high))
        # Not ``is_between``: a single NaN equals itself.
        met = self.cells.is_between(low, high) if self.is_range else self.cells == low
        return met.fill_null(value=False)

    def words(self, *, redact: bool) -> str:
        """State it; under ``redact`` without values."""
        name = self.column if self.column.isidentifier() else repr(self.column)
        if self.low is None:
            return f"{name} null"
        if redact:
            return f"{'values in one range' if self.is_range else 'one value'} of {self.column!r}"
        low, high = map(self._shown, (self.low, self.high))
        return f"{name} from {low} to {high}" if self.is_range else f"{name} = {low}"

    @property
    def _stored(self) -> pl.DataType:
        return pl.Series(dtype=self.dtype).to_physical().dtype

    def _shown(self, value: Any) -> str:
        if not self.dtype.is_temporal():
            return cut(repr(value), _LONGEST_VALUE)
        instant = pl.Series([value], dtype=self._stored).cast(self.dtype)
        text = str(instant.cast(pl.String)[0])
        return text.rstrip("0").rstrip(".") if "." in text else text


def suggested(column: str, ours: pl.Series, others: pl.Series) -> tuple[float, Condition] | None:
    """Suggest what most cells of some rows have in common, and few of other rows have.

    Returns:
        The share of the others that meets it, and the condition; None where there is none.
    """
    if isinstance(ours.dtype, _CATEGORIES):
        ours, others = ours.cast(pl.String), others.cast(pl.String)
    if ours.dtype.is_nested() or isinstance(ours.dtype, pl.Binary | pl.Object | pl.Null):
        return None
    value, times = ours.to_physical().value_counts(sort=True).row(0)
    if times >= _MOSTLY * len(ours):
        return _shared_by(others, Condition(ours.name, ours.dtype, value, value, column))
    if not (ours.dtype.is_numeric() or ours.dtype.is_temporal()):
        return None
    ordered = ours.drop_nans() if ours.dtype.is_float() else ours
    ordered = ordered.drop_nulls().to_physical().sort()
    if len(ordered) < _MOSTLY * len(ours):
        return None
    trim = len(ordered) // _TRIMMED
    whole, most = (
        _shared_by(others, Condition(ours.name, ours.dtype, ordered[a], ordered[-1 - a], column))
        for a in (0, trim)
    )
    return whole if whole and whole[0] <= _FEW else most


def _shared_by(others: pl.Series, condition: Condition) -> tuple[float, Condition] | None:
    met = int(others.to_frame().select(condition.holds().sum()).item())
    share = met / max(len(others), 1)
    return (share, condition) if share <= _MANY else None


def is_beyond_chance(met: int, of: int, share: float, tests: int, chance: float) -> bool:
    """Tell that random rows would not meet any of so many conditions as often, with any bounds.

    By the bound of Chernoff on the binomial distribution, times the bounds that could be chosen.
    """
    hit = met / of
    if share >= hit:
        return False
    apart = hit * log(hit / share) + ((1 - hit) * log((1 - hit) / (1 - share)) if hit < 1 else 0)
    return (of - 1) * apart > log(tests * of**2 / chance)
