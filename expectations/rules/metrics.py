"""What rules about the whole batch measure, and how pandas would compare it with their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import polars as pl

from ..wording import listed
from .operands import (
    NUMBERS,
    RuleOperands,
    in_order,
    instant,
    is_number,
    limits_in_words,
    limits_of,
    members,
    values_in_words,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .operands import RuleOperands

# In which precision pandas compares an extreme of a column of this type.
_EXTREMES = {"integer": np.int32, "long": np.int64, "float": np.float32, "double": np.float64}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SAMPLES = 5
_QUANTILE_METHODS = (False, "nearest", "lower", "higher")
_PAIR = 2
_NEAR = 1e-4  # GX accepts a quantile that is this close to a limit, relative to it


class Measured(NamedTuple):
    """What a rule about the whole batch found.

    Attributes:
        success: Whether the rule is kept.
        observed: What was measured, as JSON can hold it.
        reveals: Whether it shows values of the batch.
    """

    success: bool
    observed: Any
    reveals: bool = False


# ----- whether pandas would measure it alike -----


def has_numeric_limits(operands: RuleOperands) -> bool:
    """Tell whether the limits are numbers."""
    return all(map(is_number, limits_of(operands.kwargs)))


def is_numeric(operands: RuleOperands) -> bool:
    """Tell whether column and limits are numbers."""
    return operands.kind in NUMBERS and has_numeric_limits(operands)


def is_ordered(operands: RuleOperands) -> bool:
    """Tell whether column and limits are both numbers, or both points in time."""
    limits = limits_of(operands.kwargs)
    ordered = operands.kind in (*NUMBERS, "datetime")
    return ordered and all(in_order(operands.columns[0], limit) for limit in limits)


# ----- what is measured -----


def physical(operands: RuleOperands) -> pl.Expr:
    """Take points in time as the integers that they are stored as."""
    return operands.value.to_physical() if operands.kind == "datetime" else operands.value


def as_float(operands: RuleOperands) -> pl.Expr:
    """Take numbers as doubles."""
    return operands.value.cast(pl.Float64)


def total(operands: RuleOperands) -> list[pl.Expr]:
    """Add up, integers as integers."""
    wide = pl.Float64 if operands.kind in ("float", "double") else pl.Int64
    return [operands.value.cast(wide).sum()]


def middles(operands: RuleOperands) -> list[pl.Expr]:
    """Find the two values in the middle; they are one if their number is odd."""
    return [as_float(operands).quantile(0.5, "lower"), as_float(operands).quantile(0.5, "higher")]


# ----- what follows from it -----


def against_limits(value: Any, kwargs: dict[str, Any], *, reveals: bool = False) -> Measured:
    """Compare what was measured with the limits of a rule; what is missing meets none."""
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or (isinstance(plain, float) and math.isnan(plain)):
        return Measured(success=False, observed=None)
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
    below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
    return Measured(bool(above and below), plain, reveals)


def number(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a mean, a sum, or the like."""
    value = values[0]
    if isinstance(value, int):
        value = np.int64(value)
    elif value is not None:
        value = np.float32(value) if operands.kind == "float" else np.float64(value)
    return against_limits(value, _with_floats(operands.kwargs))


def middle(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the values in the middle."""
    low, high = values
    return number(operands, [None if low is None else (low + high) / 2])


def count(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a number of rows or values."""
    return against_limits(int(values[0]), operands.kwargs)


def share(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a part and the whole; the share of nothing is 0."""
    part, whole = values
    return against_limits(part / whole if whole else 0, operands.kwargs)


def extreme(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a minimum or maximum."""
    value = values[0]
    if operands.kind == "datetime":
        limits = {key: instant(operands.kwargs.get(key)) for key in ("min_value", "max_value")}
        extreme_value = against_limits(value, {**operands.kwargs, **limits}, reveals=True)
        return extreme_value._replace(observed=value if value is None else _written(value))
    typed = None if value is None else _EXTREMES[operands.kind](value)
    return against_limits(typed, _with_floats(operands.kwargs), reveals=True)


def _written(nanoseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).replace(tzinfo=None).isoformat()


def _with_floats(kwargs: dict[str, Any]) -> dict[str, Any]:
    # GX reads every numeric limit as a float.
    keys = [key for key in ("min_value", "max_value") if kwargs.get(key) is not None]
    return {**kwargs, **{key: float(kwargs[key]) for key in keys}}


def limited(noun: str) -> Callable[[RuleOperands], str]:
    """Say what is measured, with its limits."""
    return lambda operands: f"{noun} {limits_in_words(operands.kwargs)}"


# ----- distinct values -----


def has_values(operands: RuleOperands) -> bool:
    """Tell whether pandas would look the column's values up in the set as Polars does."""
    given = members(operands.kwargs.get("value_set"), operands.kind)
    return given is not None and len(given) > 0


def distinct(operands: RuleOperands) -> pl.Expr:
    """Count the values, each once."""
    return operands.value.drop_nulls().n_unique()


def outside(operands: RuleOperands) -> list[pl.Expr]:
    """Count the values that are not in the set, and show some of them."""
    others = operands.value.filter(~within(operands.columns[0], _set(operands))).unique()
    return [others.len(), others.sort().head(_SAMPLES).implode()]


def inside(operands: RuleOperands) -> list[pl.Expr]:
    """Count the values of the set that are there."""
    return [operands.value.filter(within(operands.columns[0], _set(operands))).n_unique()]


def no_others(_: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the values that are not in the set."""
    number, shown = values
    if not number:
        return Measured(success=True, observed="no others")
    others = listed(map(repr, shown), total=number)
    return Measured(success=False, observed=f"also {others}", reveals=True)


def all_there(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the number of values of the set that are there."""
    # A null among what is asked for is never there, since GX looks at values alone.
    absent = len(_set(operands)) - values[0] + (None in operands.kwargs["value_set"])
    return Measured(not absent, f"{absent:,} of them absent" if absent else "all of them")


def just_these(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from both."""
    others, absent = no_others(operands, values[:2]), all_there(operands, values[2:])
    faults = [str(part.observed) for part in (others, absent) if not part.success]
    return Measured(not faults, " and ".join(faults) or "all of them", others.reveals)


def valued(phrase: str) -> Callable[[RuleOperands], str]:
    """Say what is asked for, with the set."""
    return lambda operands: f"{phrase} {values_in_words(operands.kwargs['value_set'])}"


def _set(operands: RuleOperands) -> pl.Series:
    values = members(operands.kwargs["value_set"], operands.kind)
    return pl.Series([]) if values is None else values


# ----- quantiles, at the positions at which numpy takes them -----


def has_quantiles(operands: RuleOperands) -> bool:
    """Tell whether shares and ranges are such that pandas would measure alike."""
    ranges = operands.kwargs.get("quantile_ranges")
    if operands.kind not in NUMBERS or not isinstance(ranges, dict):
        return False
    stated = cast("dict[str, Any]", ranges)
    shares, pairs = stated.get("quantiles"), stated.get("value_ranges")
    if not (isinstance(shares, list) and isinstance(pairs, list) and len(shares) == len(pairs)):
        return False
    return (
        all(is_number(share) and 0 <= share <= 1 for share in shares)
        and all(map(_is_range, pairs))
        and operands.kwargs.get("allow_relative_error", False) in _QUANTILE_METHODS
    )


def _is_range(pair: Any) -> bool:
    if not isinstance(pair, list) or len(cast("list[Any]", pair)) != _PAIR:
        return False
    limits = [limit for limit in cast("list[Any]", pair) if limit is not None]
    return all(map(is_number, limits)) and limits == sorted(limits)


def quantiles(operands: RuleOperands) -> list[pl.Expr]:
    """Find the values on both sides of each quantile's position."""
    shares: list[float] = operands.kwargs["quantile_ranges"]["quantiles"]
    lower = [as_float(operands).quantile(share, "lower") for share in shares]
    higher = [as_float(operands).quantile(share, "higher") for share in shares]
    return [operands.value.count(), *lower, *higher]


def quantiles_between(operands: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from these values and their number."""
    count, *neighbours = values
    ranges = operands.kwargs["quantile_ranges"]
    shares, pairs = ranges["quantiles"], ranges["value_ranges"]
    sides = zip(shares, neighbours[: len(shares)], neighbours[len(shares) :], strict=True)
    method = operands.kwargs.get("allow_relative_error") or "nearest"
    chosen = [_chosen(method, (count - 1) * share, low, high) for share, low, high in sides]
    holds = all(map(_is_within, chosen, pairs))
    return Measured(holds, {"quantiles": shares, "values": chosen}, reveals=True)


def _chosen(method: str, position: float, low: Any, high: Any) -> Any:
    if method == "nearest":  # halfway, numpy takes the even position
        return low if round(position) == math.floor(position) else high
    return low if method == "lower" else high


def _is_within(value: Any, pair: Sequence[Any]) -> bool:
    if value is None:
        return False
    low = -math.inf if pair[0] is None else float(pair[0])
    high = math.inf if pair[1] is None else float(pair[1])
    near = any(np.isclose(value, limit, rtol=_NEAR) for limit in (low, high))
    return near or low <= value <= high


def quantiles_in_words(operands: RuleOperands) -> str:
    """Say which quantiles are to be where."""
    ranges = operands.kwargs["quantile_ranges"]
    return f"quantiles {ranges['quantiles']} within {ranges['value_ranges']}"
