"""Moves of a feed's columns that no schema shows: more nulls, other numbers.

Two rules, each held against the earlier batches of which the same is known, at least three:

- a **null share** is told if it lies more than ten points of a hundred outside of theirs;
- a **range** of numbers is told if it reaches further beyond theirs than theirs is wide.

Numbers that grow steadily, such as keys and stamps, stay within the second.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.escaping import visible
from .drift_report import Observation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..feed.receipt import Cell, Receipt, ScoredBatch

_EARLIER = 3
_POINTS = 0.1
_LONGEST = 80


class _Range(NamedTuple):
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


def data_drift(receipts: Sequence[Receipt], *, redact: bool) -> Iterator[Observation]:
    """Hold the newest batch against the earlier ones.

    Args:
        receipts: One for each batch, the oldest first.
        redact: Whether to leave ranges out, which are values of the batch.

    Yields:
        What is worth telling, by column.
    """
    if not receipts:
        return
    *earlier, newest = (receipt.batch for receipt in receipts)
    for column in newest.null_counts:
        yield from _of_nulls(column, newest, earlier)
    for column in () if redact else newest.ranges:
        yield from _of_range(column, newest, earlier)


def _of_nulls(
    column: str, newest: ScoredBatch, earlier: list[ScoredBatch]
) -> Iterator[Observation]:
    share = _null_share(newest, column)
    known = [s for batch in earlier if (s := _null_share(batch, column)) is not None]
    if share is None or len(known) < _EARLIER:
        return
    low, high = min(known), max(known)
    if share > high + _POINTS or share < low - _POINTS:
        usual = f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"
        moved = "rose" if share > high else "fell"
        yield Observation(
            kind="null_share",
            column=column,
            message=f"the null share of {_named(column)} {moved} to {share:.0%}; it was {usual} in "
            f"{len(known)} earlier batches",
        )


def _of_range(
    column: str, newest: ScoredBatch, earlier: list[ScoredBatch]
) -> Iterator[Observation]:
    reach = _range(newest, column)
    known = [r for batch in earlier if (r := _range(batch, column)) is not None]
    if reach is None or len(known) < _EARLIER:
        return
    usual = _Range(min(r.low for r in known), max(r.high for r in known))
    width = usual.high - usual.low or max(abs(usual.high), 1)
    if reach.low < usual.low - width or reach.high > usual.high + width:
        yield Observation(
            kind="range",
            column=column,
            message=f"{_named(column)} ranges from {reach}; it was {usual} in {len(known)} earlier "
            "batches",
        )


def _null_share(batch: ScoredBatch, column: str) -> float | None:
    nulls = batch.null_counts.get(column)
    return None if nulls is None or not batch.rows else nulls / batch.rows


def _range(batch: ScoredBatch, column: str) -> _Range | None:
    ends = batch.ranges.get(column, (None, None))
    low, high = (_number(end) for end in ends)
    return None if low is None or high is None else _Range(low, high)


def _number(end: Cell) -> float | None:
    if not isinstance(end, int | float) or isinstance(end, bool):
        return None
    return float(end) if math.isfinite(end) else None


def _named(column: str) -> str:
    return repr(visible(column, limit=_LONGEST))
