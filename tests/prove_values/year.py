"""A year of flights in days, resampled many times without a fault: how often is one told?"""

from __future__ import annotations

import math
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
from data_sets import SEED, flights
from trials import contract_of, told

from signature_gate import Policy
from signature_gate.expectations.values.limits import (
    A_YEAR,
    FEWEST,
    RECENT,
    Known,
    find,
    recent_band,
    student,
)
from signature_gate.expectations.values.measures import measure
from signature_gate.expectations.values.scales import scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

    from signature_gate import Contract
    from signature_gate.expectations.values.measures import Measured

    _Array = np.ndarray[Any, np.dtype[np.float64]]

# Days that stay together when the year is drawn anew.
_BLOCK, _WEEKS = 7, 52
HALF = 26 * _BLOCK
# What a day's number tells is no value of a flight.
_LEFT_OUT = ("year", "month", "day", "time_hour")


def days() -> list[pl.DataFrame]:
    """Split the flights of 2013 into days."""
    parts = flights().partition_by("month", "day", maintain_order=True)
    return [part.drop(_LEFT_OUT) for part in parts]


def draw(rng: np.random.Generator) -> list[int]:
    """Draw a year of weeks with replacement; the days of each keep their order."""
    weeks = rng.integers(0, _WEEKS, _WEEKS)
    return [int(week) * _BLOCK + day for week in weeks for day in range(_BLOCK)]


class Judge:
    """Days of 2013 by one contract; what needs no days before is measured and judged once."""

    def __init__(self, contract: Contract, all_days: Sequence[pl.DataFrame]) -> None:
        """Measure each day, and compare it with what was learned."""
        profile = contract.values
        assert profile is not None
        keys = [(c, n) for c, column in profile.columns.items() for n in column.spreads]
        self._known = [Known(n, profile.columns[c].spreads[n], profile) for c, n in keys]
        self._level = Policy().false_alarm_share(A_YEAR) / len(keys) / 2
        measured = [measure(day, profile.columns) for day in all_days]
        self._found = [[day.get(c, {}).get(n) for c, n in keys] for day in measured]
        self._scaled = self._each(lambda known, found: scale_of(known.name).to(found.value))
        self._reach = self._each(self._recent_reach)
        is_told = self._each(lambda known, found: float(self._is_told(known, found)))
        self._by_learned = np.nan_to_num(is_told) > 0
        rows = [any(kind == "value" for kind, *_ in told(day, contract)) for day in all_days]
        self._by_rows = np.array(rows)
        self._column = np.unique([column for column, _ in keys], return_inverse=True)[1]

    def _each(self, tell: Any) -> _Array:
        pairs = [list(zip(self._known, day, strict=True)) for day in self._found]
        told_ = [[np.nan if f is None else tell(known, f) for known, f in day] for day in pairs]
        return np.array(told_)

    def _is_told(self, known: Known, found: Measured) -> bool:
        return find(known, found, self._level) is not None

    def _recent_reach(self, known: Known, found: Measured) -> float:
        """How far from the days before one may be at least, on the scale of the statistic."""
        band = recent_band(known._replace(before=[found.value]), found.rows, self._level)
        clustered = max(1.0, known.profile.block_rows / max(found.rows, 1))
        farthest = 1.5 * math.sqrt(clustered) * known.spread.leap
        return max(student(self._level, band.freedom) * band.deviation, farthest)

    def alarms(self, drawn: Sequence[int]) -> tuple[int, int]:
        """Count the days of a year that are told, as a whole and by rows, each after the others."""
        by_rows = int(self._by_rows[list(drawn)].sum())
        count, before = 0, np.full((RECENT, len(self._known)), np.nan)
        for day in drawn:
            is_told = self._by_learned[day].copy()
            for place in self._far(day, before):
                known = self._known[place]
                past = [scale_of(known.name).back(v) for v in before[:, place] if v == v]  # noqa: PLR0124
                found = self._found[day][place]
                if found is not None and not is_told[place]:
                    is_told[place] = self._is_told(known._replace(before=past), found)
            count += bool(is_told.any())
            # A column that was told is left out of what the next days are compared with.
            columns = np.bincount(self._column, is_told) > 0
            new = np.where(columns[self._column], np.nan, self._scaled[day])
            pushed = np.concatenate([before[1:], new[None]])
            before = np.where(np.isnan(new), before, pushed)
        return count, by_rows

    def _far(self, day: int, before: _Array) -> _Array:
        """Choose the statistics that may be told by the days before: the product decides."""
        enough = (~np.isnan(before)).sum(axis=0) >= FEWEST
        with warnings.catch_warnings(action="ignore"):
            apart = np.abs(self._scaled[day] - np.nanmedian(before, axis=0))
        return np.flatnonzero(enough & (apart > 0.999 * self._reach[day]))


def year_of_flights(years: int, learnings: int = 4) -> list[str]:
    """Judge resampled years by what was learned from resampled half-years, and tell."""
    all_days, rng = days(), np.random.default_rng(SEED)
    counts = list[tuple[int, int]]()
    for _ in range(learnings):
        with warnings.catch_warnings(action="ignore"):
            judge = Judge(contract_of(*[all_days[day] for day in draw(rng)[:HALF]]), all_days)
        counts += [judge.alarms(draw(rng)) for _ in range(years // learnings)]
    shifts, rows = np.array(counts).T
    return [
        "\n### A year of flights without a fault\n",
        f"{len(counts):,} years of 364 days, in weeks drawn with replacement from 2013; learned "
        f"from {learnings} half-years drawn likewise, a block a day. Each is judged by that and "
        f"by the days before it. Promised: 1 alarm a year. Told as a whole (`shift`): "
        f"**{shifts.mean():.2f} days a year** on average, none in {(shifts == 0).mean():.0%} of "
        f"the years, at most {shifts.max()}; with single rows out of bounds (`value`): "
        f"{rows.mean():.2f} days a year.".replace("%", " %"),
    ]
