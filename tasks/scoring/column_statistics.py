"""What a batch's own footer says of its columns: the history that drift is read from."""

from __future__ import annotations

from datetime import date, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    from ..feed.receipt import Cell

_LONGEST_TEXT = 100


class Profile(NamedTuple):
    """Null cells, and smallest and largest value, by column; only what costs no reading."""

    null_counts: dict[str, int]
    ranges: dict[str, tuple[Cell, Cell]]


def profile(path: Path, written_as: str, *, redact: bool) -> Profile:
    """Read the statistics of a Parquet footer.

    Args:
        path: The batch.
        written_as: Its format; any other than ``parquet`` knows nothing without being read.
        redact: Whether to leave out the ranges, which are values of the batch.

    Returns:
        Flat columns whose statistics are complete; empty if there are none.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    from ...expectations.readers.parquet_footer import contradiction

    known = Profile({}, {})
    if written_as != "parquet" or not path.is_file():
        return known
    try:
        # PyArrow would end the process over some footers, instead of raising.
        if contradiction(path):
            return known
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError, UnicodeDecodeError):
        return known
    for position in range(metadata.num_columns):
        name = metadata.schema.column(position).path
        groups = [
            metadata.row_group(group).column(position).statistics
            for group in range(metadata.num_row_groups)
        ]
        if groups and all(groups):
            _note(known, name, groups, redact=redact)
    return known


def _note(known: Profile, name: str, groups: list[Any], *, redact: bool) -> None:
    if all(group.has_null_count for group in groups):
        known.null_counts[name] = sum(group.null_count for group in groups)
    filled = [group for group in groups if group.num_values]
    if filled and not redact and all(group.has_min_max for group in filled):
        try:
            low, high = min(g.min for g in filled), max(g.max for g in filled)
        except (ValueError, OverflowError):
            return  # instants for which Python has no date
        if isinstance(low, bool | int | float | str | date | datetime):
            known.ranges[name] = (_cell(low), _cell(high))


def _cell(value: Any) -> Cell:
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value[:_LONGEST_TEXT] if isinstance(value, str) else value
