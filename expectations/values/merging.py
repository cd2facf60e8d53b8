"""Two profiles of a column joined into one, and one without the values themselves."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from .column_values import LEVELS, MOST_CODES, ColumnValues, Spread
from .scales import angle

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = 2


def merged(one: ColumnValues, other: ColumnValues, blocks: int, others: int) -> ColumnValues:
    """Join what was learned of a column in so many blocks, and in others that follow."""
    codes = _codes(one, other)
    quantiles = _quantiles(one, other)
    joined = one.model_copy(
        update={
            "rows": one.rows + other.rows,
            "nulls": one.nulls + other.nulls,
            "low": _either(min, one.low, other.low),
            "high": _either(max, one.high, other.high),
            "whole": one.whole and other.whole,
            "grows": one.grows or other.grows,
            "quantiles": quantiles,
            "codes": codes,
            "pattern": one.pattern if one.pattern == other.pattern else None,
            "sentinel": one.sentinel if one.sentinel == other.sentinel else None,
            "link": one.link if one.link == other.link else None,
        }
    )
    spreads = {
        name: _spread(_at(one, name, joined), _at(other, name, joined), blocks, others)
        for name in one.spreads
        if name in other.spreads and (name != "goes_with" or joined.link)
    }
    return joined.model_copy(update={"spreads": spreads})


def _either(choose: object, one: float | None, other: float | None) -> float | None:
    known = [value for value in (one, other) if value is not None]
    return choose(known) if known else None  # type: ignore[operator]


def _codes(one: ColumnValues, other: ColumnValues) -> dict[str, int]:
    if not (one.codes or one.nulls == one.rows) or not (other.codes or other.nulls == other.rows):
        return {}
    counts = dict(one.codes)
    for code, count in other.codes.items():
        counts[code] = counts.get(code, 0) + count
    return counts if len(counts) <= MOST_CODES else {}


def _quantiles(one: ColumnValues, other: ColumnValues) -> tuple[float, ...]:
    if not (one.quantiles and other.quantiles):
        return one.quantiles or other.quantiles
    known = sorted({*one.quantiles, *other.quantiles, *_bounds(one), *_bounds(other)})
    weights = [column.rows - column.nulls for column in (one, other)]
    shares = [
        np.average([one.share_up_to(v), other.share_up_to(v)], weights=weights) for v in known
    ]
    found = [float(np.interp(level, shares, known)) for level in LEVELS]
    return tuple(round(value) if one.whole and other.whole else value for value in found)


def _bounds(column: ColumnValues) -> Iterable[float]:
    return (value for value in (column.low, column.high) if value is not None)


def _at(column: ColumnValues, name: str, joined: ColumnValues) -> Spread:
    """Move a statistic to where the quantile is now by which it is measured."""
    spread, by = column.spreads[name], 0.0
    if name in joined.cuts and name in column.cuts:
        now, before = joined.cuts[name], column.cuts[name]
        by = angle(column.share_up_to(now)) - angle(column.share_up_to(before))
    elif name == "median" and column.width and joined.width:
        times = column.width / joined.width
        by = (column.quantile(0.5) - joined.quantile(0.5)) / joined.width
        spread = Spread(*(value * times for value in spread))
    elif name == "width" and column.width and joined.width:
        by = math.log(column.width / joined.width)
    return spread._replace(mean=spread.mean + by, low=spread.low + by, high=spread.high + by)


def _spread(one: Spread, other: Spread, blocks: int, others: int) -> Spread:
    """Join mean and variance: T. F. Chan and others, "Updating formulae", COMPSTAT 1982."""
    total = blocks + others
    mean = (blocks * one.mean + others * other.mean) / total
    apart = blocks * others / total * (one.mean - other.mean) ** 2
    squares = (blocks - 1) * one.between**2 + (others - 1) * other.between**2 + apart
    between = math.sqrt(squares / max(total - 1, 1))
    step = math.sqrt((blocks * one.step**2 + others * other.step**2) / total)
    low, high = min(one.low, other.low), max(one.high, other.high)
    return Spread(mean, between, low, high, step, max(one.leap, other.leap))


# ----- without values -----


def redacted(column: ColumnValues) -> ColumnValues:
    """Leave out what shows values, and round numbers outwards."""
    rounded = tuple(_rounded(value, math.floor) for value in column.quantiles)
    return column.model_copy(
        update={
            "low": None if column.low is None else _rounded(column.low, math.floor),
            "high": None if column.high is None else _rounded(column.high, math.ceil),
            "quantiles": rounded,
            "codes": {},
            "pattern": None,
            "sentinel": None,
            "link": None if column.kind == "text" else column.link,
            "spreads": {n: s for n, s in column.spreads.items() if not n.startswith("code ")},
        }
    )


def _rounded(value: float, towards: object) -> float:
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - _DIGITS + 1)
    return float(towards(value / unit) * unit)  # type: ignore[operator]
