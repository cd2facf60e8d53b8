"""What a Parquet footer proves about a column without reading it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow.parquet as pq


@dataclass(frozen=True)
class ColumnStatistics:
    """What the statistics of all row groups together say of one column.

    Attributes:
        nulls: How many cells are null; None where a row group does not say.
        bounds: Smallest and largest value; None where a row group with values does not say.
    """

    nulls: int | None
    bounds: tuple[Any, Any] | None


@dataclass(frozen=True)
class Footer:
    """The footer of one Parquet file."""

    metadata: pq.FileMetaData

    @cached_property
    def _leaves(self) -> dict[str, list[int]]:
        places = dict[str, list[int]]()
        for place in range(self.metadata.num_columns):
            places.setdefault(self.metadata.schema.column(place).path, []).append(place)
        return places

    def statistics(self, name: str) -> ColumnStatistics | None:
        """Merge a flat column's statistics over the row groups."""
        leaves = self._leaves.get(name, [])
        if len(leaves) != 1:
            return None
        groups = [
            self.metadata.row_group(g).column(leaves[0]).statistics
            for g in range(self.metadata.num_row_groups)
        ]
        return None if any(group is None for group in groups) else _merged(groups)


def _merged(groups: list[Any]) -> ColumnStatistics:
    counted = all(group.has_null_count for group in groups)
    return ColumnStatistics(
        nulls=sum(group.null_count for group in groups) if counted else None,
        bounds=_bounds([group for group in groups if group.num_values]),
    )


def _bounds(filled: list[Any]) -> tuple[Any, Any] | None:
    if not filled or not all(group.has_min_max for group in filled):
        return None
    try:
        return min(group.min for group in filled), max(group.max for group in filled)
    except (ValueError, OverflowError):
        # Instants for which Python has no date.
        return None
