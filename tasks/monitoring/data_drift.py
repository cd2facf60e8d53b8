"""Changes of a feed's columns that no schema shows: more nulls, other numbers.

Each column is compared with the earlier batches whose statistics are known, at least three:

- a **null share** is reported if it lies more than ten percentage points outside of theirs;
- a **range** of numbers is reported if it exceeds theirs by more than the width of theirs.

Numbers that grow steadily, such as keys and timestamps, stay within the second bound.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.escaping import visible
from .drift_report import Observation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..feed.receipt import Cell, Receipt, ScoredBatch

_FEWEST_EARLIER = 3
_SHARE_MARGIN = 0.1
_LONGEST = 80


class _Range(NamedTuple):
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


def data_drift(receipts: Sequence[Receipt], *, redact: bool) -> Iterator[Observation]:
    """Compare the newest batch, the last of the receipts, with the earlier ones.

    Ranges are values of the batch, so ``redact`` leaves them out.
    """
    if not receipts:
        return
    *earlier, newest = (receipt.batch for receipt in receipts)
    for column in newest.null_counts:
        yield from _null_note(column, newest, earlier)
    for column in () if redact else newest.ranges:
        yield from _range_note(column, newest, earlier)


def _null_note(
    column: str, newest: ScoredBatch, earlier: list[ScoredBatch]
) -> Iterator[Observation]:
    share = _null_share(newest, column)
    known = [s for batch in earlier if (s := _null_share(batch, column)) is not None]
    if share is None or len(known) < _FEWEST_EARLIER:
        return
    low, high = min(known), max(known)
    if share > high + _SHARE_MARGIN or share < low - _SHARE_MARGIN:
        usual = f"{low:.0%}" if f"{low:.0%}" == f"{high:.0%}" else f"{low:.0%} to {high:.0%}"
        direction = "rose" if share > high else "fell"
        message = (
            f"the null share of {_quoted(column)} {direction} to {share:.0%}; it was {usual} in "
            f"{len(known)} earlier batches"
        )
        yield Observation(kind="null_share", column=column, message=message)


def _range_note(
    column: str, newest: ScoredBatch, earlier: list[ScoredBatch]
) -> Iterator[Observation]:
    now = _range(newest, column)
    known = [r for batch in earlier if (r := _range(batch, column)) is not None]
    if now is None or len(known) < _FEWEST_EARLIER:
        return
    usual = _Range(min(r.low for r in known), max(r.high for r in known))
    width = usual.high - usual.low or max(abs(usual.high), 1)
    if now.low < usual.low - width or now.high > usual.high + width:
        message = (
            f"{_quoted(column)} ranges from {now}; it was {usual} in {len(known)} earlier batches"
        )
        yield Observation(kind="range", column=column, message=message)


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


def _quoted(column: str) -> str:
    return repr(visible(column, limit=_LONGEST))
