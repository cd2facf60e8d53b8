"""Why a column differs: another unit, another sign, a neighbour's values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from ...values.column_values import LEVELS
from ...values.measures import as_cells

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from ...contract.policy import Policy
    from ...values.column_values import ColumnValues
    from ...values.profile import ValueProfile

    _Values = np.ndarray[Any, np.dtype[np.float64]]

# What may have happened to numbers, and how it is undone.
CONVERSIONS: dict[str, Callable[[_Values], _Values]] = {
    "multiplied by 1,000": lambda v: v / 1_000,
    "divided by 1,000": lambda v: v * 1_000,
    "multiplied by 100, as cents are": lambda v: v / 100,
    "divided by 100, as shares of percents are": lambda v: v * 100,
    "multiplied by 10": lambda v: v / 10,
    "divided by 10": lambda v: v * 10,
    "in degrees Fahrenheit where Celsius was learned": lambda v: (v - 32) / 1.8,
    "in degrees Celsius where Fahrenheit was learned": lambda v: v * 1.8 + 32,
    "in Kelvin where Celsius was learned": lambda v: v - 273.15,
    "of the opposite sign": lambda v: -v,
}
# Mean difference of shares below the learned quantiles: what fits, and what does not.
_FITS, _DIFFERS = 0.1, 0.2


def diagnose(column: str, sample: pl.DataFrame, profile: ValueProfile, policy: Policy) -> str:
    """Say what to do about a column, and what may have happened to it."""
    otherwise = (
        "look for what changed where the batch is made; if it is right, learn anew, or set policy "
        f"values_of: {{{json.dumps(column, ensure_ascii=False)}: ignore}}."
    )
    if reason := _reason(column, sample, profile, redact=policy.redact):
        return f"{reason}; {otherwise}"
    return otherwise[0].upper() + otherwise[1:]


def _reason(column: str, sample: pl.DataFrame, profile: ValueProfile, *, redact: bool) -> str:
    values, learned = _values(sample, column, profile), profile.columns[column]
    if values is None or not len(values):
        return ""
    if values.min() == values.max() and learned.width:
        return "All values are the same" + ("" if redact else f", {values[0]:g}")
    if _misfit(values, learned) < _DIFFERS:
        return ""
    for name, undo in CONVERSIONS.items():
        if _misfit(undo(values), learned) < _FITS:
            return f"The values look as if they were {name}".replace("were in", "were given in")
    others = {
        name: _misfit(values, profile.columns[name])
        for name in sample.columns
        if name != column
        and profile.columns[name].quantiles
        and profile.columns[name].width
        and profile.columns[name].kind == learned.kind
    }
    best = min(others, key=lambda name: others[name], default=None)
    if best is not None and others[best] < _FITS:
        return f"The values look like those of {best!r}: the columns may be swapped"
    return ""


def _values(sample: pl.DataFrame, column: str, profile: ValueProfile) -> _Values | None:
    learned = profile.columns[column]
    if learned.kind not in ("number", "time") or not learned.quantiles:
        return None
    cells = as_cells(sample[column], learned.kind).drop_nulls().to_numpy()
    return cells[cells != learned.sentinel] if learned.sentinel is not None else cells


def _misfit(values: _Values, learned: ColumnValues) -> float:
    """Average by how much the shares up to the learned quantiles differ from those learned."""
    ordered = np.sort(values)
    shares = np.searchsorted(ordered, learned.quantiles, "right") / len(ordered)
    known = [
        max(level, learned.share_up_to(v))
        for level, v in zip(LEVELS, learned.quantiles, strict=True)
    ]
    return float(np.abs(shares - known).mean())
