"""What rules about the whole batch measure, and how pandas would compare it with their limits."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

from .operands import NUMBERS, in_order, instant, is_number
from .rule_words import limits_in_words, limits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from .operands import RuleOperands

# In which precision pandas compares an extreme of a column of this type.
_EXTREMES = {"integer": np.int32, "long": np.int64, "float": np.float32, "double": np.float64}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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


def has_numeric_limits(terms: RuleOperands) -> bool:
    """Tell whether the limits are numbers."""
    return all(map(is_number, limits_of(terms.kwargs)))


def is_numeric(terms: RuleOperands) -> bool:
    """Tell whether column and limits are numbers."""
    return terms.kind in NUMBERS and has_numeric_limits(terms)


def is_ordered(terms: RuleOperands) -> bool:
    """Tell whether column and limits are both numbers, or both points in time."""
    limits = limits_of(terms.kwargs)
    ordered = terms.kind in (*NUMBERS, "datetime")
    return ordered and all(in_order(terms.columns[0], limit) for limit in limits)


# ----- what is measured -----


def physical(terms: RuleOperands) -> pl.Expr:
    """Take points in time as the integers that they are stored as."""
    return terms.value.to_physical() if terms.kind == "datetime" else terms.value


def as_float(terms: RuleOperands) -> pl.Expr:
    """Take numbers as doubles."""
    return terms.value.cast(pl.Float64)


def total(terms: RuleOperands) -> list[pl.Expr]:
    """Add up, integers as integers."""
    wide = pl.Float64 if terms.kind in ("float", "double") else pl.Int64
    return [terms.value.cast(wide).sum()]


def middles(terms: RuleOperands) -> list[pl.Expr]:
    """Find the two values in the middle; they are one if their number is odd."""
    return [as_float(terms).quantile(0.5, "lower"), as_float(terms).quantile(0.5, "higher")]


# ----- what follows from it -----


def against_limits(value: Any, kwargs: dict[str, Any], *, reveals: bool = False) -> Measured:
    """Compare what was measured with the limits of a rule; what is missing meets none.

    Args:
        value: In the precision in which pandas would compare it.
        kwargs: The rule's arguments.
        reveals: Whether it is a value of the batch.

    Returns:
        The outcome.
    """
    plain = value.item() if isinstance(value, np.generic) else value
    if plain is None or (isinstance(plain, float) and math.isnan(plain)):
        return Measured(success=False, observed=None)
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = low is None or (value > low if kwargs.get("strict_min") else value >= low)
    below = high is None or (value < high if kwargs.get("strict_max") else value <= high)
    return Measured(bool(above and below), plain, reveals)


def number(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a mean, a sum, or the like."""
    value = values[0]
    if isinstance(value, int):
        value = np.int64(value)
    elif value is not None:
        value = np.float32(value) if terms.kind == "float" else np.float64(value)
    return against_limits(value, _with_floats(terms.kwargs))


def middle(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the values in the middle."""
    low, high = values
    return number(terms, [None if low is None else (low + high) / 2])


def count(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a number of rows or values."""
    return against_limits(int(values[0]), terms.kwargs)


def share(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a part and the whole; the share of nothing is 0."""
    part, whole = values
    return against_limits(part / whole if whole else 0, terms.kwargs)


def extreme(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from a minimum or maximum."""
    value = values[0]
    if terms.kind == "datetime":
        limits = {key: instant(terms.kwargs.get(key)) for key in ("min_value", "max_value")}
        found = against_limits(value, {**terms.kwargs, **limits}, reveals=True)
        return found._replace(observed=value if value is None else _written(value))
    typed = None if value is None else _EXTREMES[terms.kind](value)
    return against_limits(typed, _with_floats(terms.kwargs), reveals=True)


def _written(nanoseconds: int) -> str:
    return (_EPOCH + timedelta(microseconds=nanoseconds // 1000)).replace(tzinfo=None).isoformat()


def _with_floats(kwargs: dict[str, Any]) -> dict[str, Any]:
    # GX reads every numeric limit as a float.
    keys = [key for key in ("min_value", "max_value") if kwargs.get(key) is not None]
    return {**kwargs, **{key: float(kwargs[key]) for key in keys}}


def limited(noun: str) -> Callable[[RuleOperands], str]:
    """Say what is measured, with its limits."""
    return lambda terms: f"{noun} {limits_in_words(terms.kwargs)}"
