"""Rules about the quantiles of a column, at the positions at which numpy takes them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from .metrics import Measured, as_float
from .operands import NUMBERS, is_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from .operands import RuleOperands

_METHODS = (False, "nearest", "lower", "higher")
_PAIR = 2
_NEAR = 1e-4  # GX accepts a quantile that is this close to a limit, relative to it


def has_quantiles(terms: RuleOperands) -> bool:
    """Tell whether shares and ranges are such that pandas would measure alike."""
    ranges = terms.kwargs.get("quantile_ranges")
    if terms.kind not in NUMBERS or not isinstance(ranges, dict):
        return False
    stated = cast("dict[str, Any]", ranges)
    shares, pairs = stated.get("quantiles"), stated.get("value_ranges")
    if not (isinstance(shares, list) and isinstance(pairs, list) and len(shares) == len(pairs)):
        return False
    return (
        all(is_number(share) and 0 <= share <= 1 for share in shares)
        and all(map(_is_range, pairs))
        and terms.kwargs.get("allow_relative_error", False) in _METHODS
    )


def _is_range(pair: Any) -> bool:
    if not isinstance(pair, list) or len(cast("list[Any]", pair)) != _PAIR:
        return False
    limits = [limit for limit in cast("list[Any]", pair) if limit is not None]
    return all(map(is_number, limits)) and limits == sorted(limits)


def quantiles(terms: RuleOperands) -> list[pl.Expr]:
    """Find the values on both sides of each quantile's position."""
    shares: list[float] = terms.kwargs["quantile_ranges"]["quantiles"]
    lower = [as_float(terms).quantile(share, "lower") for share in shares]
    higher = [as_float(terms).quantile(share, "higher") for share in shares]
    return [terms.value.count(), *lower, *higher]


def quantiles_between(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from these values and their number."""
    count, *found = values
    ranges = terms.kwargs["quantile_ranges"]
    shares, pairs = ranges["quantiles"], ranges["value_ranges"]
    sides = zip(shares, found[: len(shares)], found[len(shares) :], strict=True)
    method = terms.kwargs.get("allow_relative_error") or "nearest"
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


def quantiles_in_words(terms: RuleOperands) -> str:
    """Say which quantiles are to be where."""
    ranges = terms.kwargs["quantile_ranges"]
    return f"quantiles {ranges['quantiles']} within {ranges['value_ranges']}"
