"""What was learned, as expectations of Great Expectations: plain data in GX's words.

About single rows, and about a batch as a whole as far as stock GX can state it: that at least, or
at most, such a share of rows has something is GX's ``mostly``.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from .scales import family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .column_values import ColumnValues
    from .limits import Band
    from .profile import ValueProfile

    Expectation = dict[str, Any]

META = "signature_gate"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Beyond the largest value there is room for what one row in ten million has, if the tail goes on as
# it did from a quantile to the largest, and at least a quarter of the range, or of fewer than 256
# rows, which have no tail, 64 times the range over the rows. Points in time may go on for ten
# years, or for three times their range; numbers that grow to ten times the largest.
_RAREST, _ROOM, _FEW = math.log(1e7), 0.25, 64
# For so many rows: the share of them in the tail, and by how much it may be carried on at most.
_TAILS = ((1_000, 0.01, 4.0), (200, 0.05, 4.0), (0, 0.25, 2.0))
_YEARS, _RANGES, _TIMES = 10 * 365.25 * 86_400, 3.0, 9.0
_LARGEST = 2**53


def row_expectations(profile: ValueProfile) -> Iterator[tuple[str, str, Expectation]]:
    """State what each row is to keep: the column, what was learned, and the expectation."""
    for name, column in profile.columns.items():
        for statistic, expectation, seen in _of_rows(name, column):
            # Whoever reads the suite, or a violation, sees what it rests on.
            told = f"{seen} in {column.rows - column.nulls:,} values"
            yield name, statistic, _named(expectation, statistic, told=told)


def _of_rows(name: str, column: ColumnValues) -> Iterator[tuple[str, Expectation, str]]:
    if (limits := bounds(column)) is not None:
        yield "bounds", _between(name, column, limits), _seen(column)
    if column.kind == "text" and column.closed:
        stated = _learned("be_in_set", name, value_set=list(column.codes))
        yield "domain", stated, f"these {len(column.codes)}"
    if column.kind == "text" and column.pattern:
        yield "pattern", _learned("match_regex", name, regex=column.pattern), "no other text"


def _seen(column: ColumnValues) -> str:
    low, high = column.low or 0.0, column.high or 0.0
    if column.kind == "time":
        return f"{_written(low)} to {_written(high)}"
    return f"{low:,.6g} to {high:,.6g}"


def bounds(column: ColumnValues) -> tuple[float, float] | None:
    """Return the limits that no value of the column is expected to pass.

    Tails are carried on as far as they reach: values are compared as ``asinh`` of their distance
    from the median in units of the middle half, on which thin and heavy tails are alike.
    """
    if column.low is None or column.high is None or not column.quantiles:
        return None
    low, high = column.low, column.high
    span = high - low or abs(high)
    if column.kind == "time":
        return low - max(span, _YEARS), high + max(_RANGES * span, _YEARS)
    middle, unit = column.quantile(0.5), column.width or span
    if not unit:
        return None

    rows = column.rows - column.nulls
    room = max(_ROOM, _FEW / rows) * span
    share, most_tail = next(tail for fewest, *tail in _TAILS if rows >= fewest)
    seen = math.log(max(rows * share, math.e))
    tail = min(max((_RAREST + math.log(share)) / seen - 1, _ROOM), most_tail)

    def beyond(end: float, near: float) -> float:
        far, before = (math.asinh((value - middle) / unit) for value in (end, near))
        return middle + unit * math.sinh(far + tail * (far - before))

    least = min(beyond(low, column.quantile(share)), low - room)
    ahead = max(_RANGES * span, _TIMES * high) if column.grows else room
    most = max(beyond(high, column.quantile(1 - share)), high + ahead)
    # What was never negative may only be so by a fault.
    return (max(least, 0.0) if low >= 0 else least), (min(most, 0.0) if high <= 0 else most)


def _between(name: str, column: ColumnValues, limits: tuple[float, float]) -> Expectation:
    low, high = limits
    if column.kind == "time":
        limits_ = {"min_value": _written(low), "max_value": _written(high)}
        return _learned("be_between", name, **limits_)
    if column.whole and max(abs(low), abs(high)) < _LARGEST:
        low, high = math.floor(low), math.ceil(high)
    else:
        low, high = float(f"{low:.6g}"), float(f"{high:.6g}")
    expectation = _learned("be_between", name, min_value=low, max_value=high)
    if column.sentinel is not None and not low <= column.sentinel <= high:
        expectation["kwargs"]["row_condition"] = {
            "type": "comparison",
            "column": {"name": name},
            "operator": "!=",
            "parameter": column.sentinel,
        }
    return expectation


def _written(seconds: float) -> str:
    moment = _EPOCH + timedelta(seconds=max(min(seconds, 9e9), -9e9))
    return moment.replace(tzinfo=None, microsecond=0).isoformat()


def _learned(what: str, column: str, **kwargs: Any) -> Expectation:
    kind = f"expect_column_values_to_{what}"
    return {"type": kind, "kwargs": {"column": column, **kwargs}, "meta": {}}


def _named(expectation: Expectation, statistic: str, **more: str) -> Expectation:
    return {**expectation, "meta": {META: {"learned": statistic, **more}}}


def told_of(expectation: Expectation) -> str:
    """Say on what an expectation about rows rests."""
    return f"{learned_statistic(expectation)} learned: {expectation['meta'][META].get('told', '')}"


def learned_statistic(expectation: Expectation) -> str:
    """Name the statistic from which an expectation was made; empty for one of a user's."""
    own = expectation.get("meta", {}).get(META)
    return str(own.get("learned", "")) if isinstance(own, dict) else ""  # pyright: ignore[reportUnknownMemberType, reportUnknownArgumentType]


# ----- about a batch as a whole -----

_Pair = tuple["Expectation", "Expectation"]


def _below(statistic: str, name: str, column: ColumnValues) -> _Pair:
    cut = column.cuts[statistic]
    below = _learned("be_between", name, max_value=cut)
    return below, _learned("be_between", name, min_value=cut, strict_min=True)


def _shorter(statistic: str, name: str, column: ColumnValues) -> _Pair:
    length = int(column.cuts[statistic.removeprefix("length_")])
    kind = "expect_column_value_lengths_to_be_between"
    shorter, longer = _learned("", name, max_value=length), _learned("", name, min_value=length + 1)
    return {**shorter, "type": kind}, {**longer, "type": kind}


def _code(statistic: str, name: str, _: ColumnValues) -> _Pair:
    values = [statistic.removeprefix("code ")]
    return _learned("be_in_set", name, value_set=values), _learned(
        "not_be_in_set", name, value_set=values
    )


def _unseen(_: str, name: str, column: ColumnValues) -> _Pair:
    values = list(column.codes)
    return _learned("not_be_in_set", name, value_set=values), _learned(
        "be_in_set", name, value_set=values
    )


def _true(_: str, name: str, __: ColumnValues) -> _Pair:
    return _learned("be_in_set", name, value_set=[True]), _learned(
        "be_in_set", name, value_set=[False]
    )


def _number(statistic: str, name: str, column: ColumnValues) -> _Pair:
    values = [column.sentinel if statistic == "sentinel" else 0]
    return _learned("be_in_set", name, value_set=values), _learned(
        "not_be_in_set", name, value_set=values
    )


# Family of a statistic -> the expectations that rows which it counts keep, and that the others do.
_STATED: dict[str, Callable[[str, str, ColumnValues], _Pair]] = {
    "below": _below,
    "length_below": _shorter,
    "code": _code,
    "unseen": _unseen,
    "true": _true,
    "sentinel": _number,
    "zero": _number,
}


# A statistic -> the values of which GX states the share that is left.
_OPPOSITES = {"null": "non_null", "repeated": "unique"}


def batch_expectations(
    statistic: str, name: str, column: ColumnValues, band: Band
) -> list[Expectation]:
    """State that a share is within its band; nothing where stock GX has no such expectation."""
    if what := _OPPOSITES.get(statistic):
        kind = f"expect_column_proportion_of_{what}_values_to_be_between"
        stated = _learned("", name, min_value=max(1 - band.high, 0), max_value=min(1 - band.low, 1))
        return [_named({**stated, "type": kind}, statistic)]
    if family(statistic) not in _STATED:
        return []
    counted, others = _STATED[family(statistic)](statistic, name, column)
    pairs = ((counted, band.low), (others, 1 - band.high))
    return [
        _named({**stated, "kwargs": {**stated["kwargs"], "mostly": share}}, statistic)
        for stated, share in pairs
        if share > 0
    ]
