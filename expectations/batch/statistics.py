"""What is known of a column's values: from a table's log, a Parquet footer, or a scan."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from math import isfinite
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import pyarrow.parquet as pq

_LONGEST_TEXT = 100


@dataclass(frozen=True)
class ColumnStatistics:
    """What the statistics of all row groups together say of one column.

    Attributes:
        groups: The statistics of each row group.
    """

    groups: tuple[Any, ...]

    @cached_property
    def nulls(self) -> int | None:
        """How many cells are null; None where a row group does not say."""
        counted = all(group.has_null_count for group in self.groups)
        return sum(group.null_count for group in self.groups) if counted else None

    @cached_property
    def bounds(self) -> tuple[Any, Any] | None:
        """Smallest and largest value; None where a row group with values does not say."""
        filled = [group for group in self.groups if group.num_values]
        if not filled or not all(group.has_min_max for group in filled):
            return None
        try:
            return min(group.min for group in filled), max(group.max for group in filled)
        except (ValueError, OverflowError):
            # Instants for which Python has no date.
            return None


class Statistics(Protocol):
    """What is known of the columns of one file without reading its rows."""

    def statistics(self, name: str) -> ColumnStatistics | None:
        """Say what is known of a column."""
        ...


@dataclass(frozen=True)
class Footer:
    """The footer of one Parquet file."""

    metadata: pq.FileMetaData

    def __reduce__(self) -> tuple[type[Footer], tuple[pq.FileMetaData]]:
        # Arrow cannot pickle the parts of it that are kept here.
        return type(self), (self.metadata,)

    @cached_property
    def _leaves(self) -> dict[str, list[int]]:
        places = dict[str, list[int]]()
        for place in range(self.metadata.num_columns):
            places.setdefault(self.metadata.schema.column(place).path, []).append(place)
        return places

    @cached_property
    def _row_groups(self) -> list[Any]:
        return [self.metadata.row_group(g) for g in range(self.metadata.num_row_groups)]

    def statistics(self, name: str) -> ColumnStatistics | None:
        """Merge a flat column's statistics over the row groups."""
        leaves = self._leaves.get(name, [])
        if len(leaves) != 1:
            return None
        groups = tuple(group.column(leaves[0]).statistics for group in self._row_groups)
        return None if any(group is None for group in groups) else ColumnStatistics(groups)


class _Stated(NamedTuple):
    null_count: int
    num_values: int
    has_min_max: bool
    min: Any
    max: Any
    has_null_count: bool = True


def stated(rows: int, nulls: int, low: Any = None, high: Any = None) -> ColumnStatistics:
    """Say what the log of a table states of a column in a file; bounds only where they are exact.

    Like those of footers they leave NaN out. Those of text and instants may be cut.
    """
    is_exact = all(isinstance(end, int | float) and isfinite(end) for end in (low, high))
    return ColumnStatistics((_Stated(nulls, rows - nulls, is_exact, low, high),))


# ----- what reports and receipts tell -----


class ColumnValues(NamedTuple):
    """What is known of a column's values; None where it is not.

    Attributes:
        nulls: Null cells.
        range: Smallest and largest value, as JSON has them; of scanned numbers the finite ones.
        nans: Cells that are NaN.
        infinities: Cells that are infinite.
    """

    nulls: int | None = None
    range: tuple[Any, Any] | None = None
    nans: int | None = None
    infinities: int | None = None


def values_in(known: ColumnStatistics) -> ColumnValues:
    """Say what a footer knows of a column."""
    return ColumnValues(known.nulls, _as_range(*known.bounds) if known.bounds else None)


def merged_values(files: Sequence[ColumnValues]) -> ColumnValues:
    """Merge what is known of a column in each file of a batch."""
    if len(files) == 1:
        return files[0]
    ranges: list[Any] = [values.range for values in files]
    whole = None
    # Files of other types have no order among each other.
    if all(ranges) and len({_order_of(value) for pair in ranges for value in pair}) == 1:
        lows, highs = zip(*ranges, strict=True)
        whole = (min(lows), max(highs))
    counts = ([getattr(v, name) for v in files] for name in ("nulls", "nans", "infinities"))
    nulls, nans, infinities = (None if None in c else sum(c) for c in counts)
    return ColumnValues(nulls, whole, nans, infinities)


def _order_of(value: Any) -> type:
    return str if isinstance(value, str) else float


@dataclass(frozen=True)
class ScannedColumn:
    """A column that a scan parses anyway, which costs far more than to look at its values.

    Attributes:
        name: Its arriving name.
        cells: Its cells.
        values: What they stand for.
        dtype: The type of these values.
    """

    name: str
    cells: pl.Expr
    values: pl.Expr
    dtype: pl.DataType

    def columns(self) -> Iterator[pl.Expr]:
        """Select what the aggregates are made of."""
        yield self.cells.is_null().alias(f"null {self.name}")
        yield self.values.alias(f"value {self.name}")

    def aggregates(self) -> Iterator[pl.Expr]:
        """Aggregate it."""
        value = finite = pl.col(f"value {self.name}")
        yield pl.col(f"null {self.name}").sum()
        if self.dtype.is_float():
            finite = pl.when(value.is_finite()).then(value)
            yield value.is_nan().sum().alias(f"nan {self.name}")
            yield value.is_infinite().sum().alias(f"infinite {self.name}")
        if self.dtype.is_numeric() or self.dtype == pl.Datetime("ns"):
            yield finite.min().alias(f"low {self.name}")
            yield finite.max().alias(f"high {self.name}")

    def read(self, row: Mapping[str, Any]) -> ColumnValues:
        """Read its aggregates."""
        names = ("null", "low", "high", "nan", "infinite")
        nulls, low, high, nans, infinities = (row.get(f"{name} {self.name}") for name in names)
        return ColumnValues(nulls, _as_range(low, high), nans, infinities)


def _as_range(low: Any, high: Any) -> tuple[Any, Any] | None:
    known = isinstance(low, bool | int | float | str | date | datetime)
    return (_as_cell(low), _as_cell(high)) if known else None


def _as_cell(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value
