"""A year of flights in days, resampled many times without a fault: how often is one told?"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from data_sets import SEED, flights
from trials import contract_of, told

from signature_gate import Policy
from signature_gate.expectations.report.value_shifts import QUIET
from signature_gate.expectations.values.limits import (
    A_YEAR,
    FEWEST,
    RECENT,
    Known,
    find,
    reach_of_recent,
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
LEARNED_FROM = {"half a year": HALF, "a year": 2 * HALF}
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


class Alarms(NamedTuple):
    """What was told in a year without a fault.

    Attributes:
        alerts: Alerts.
        days: Days of which the whole was told (`shift`).
        by_rows: Days of which single rows were told (`value`).
    """

    alerts: int
    days: int
    by_rows: int


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
        self._reach = self._each(
            lambda known, found: reach_of_recent(known, found.rows, self._level)[0]
        )
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

    def alarms(self, drawn: Sequence[int]) -> Alarms:
        """Count the days of a year that are told, each judged by the days before it too."""
        days_told = alerts = 0
        before = np.full((RECENT, len(self._known)), np.nan)
        quiet = np.full(self._column.max() + 1, QUIET)
        for day in drawn:
            columns = np.bincount(self._column, self._told(day, before)) > 0
            days_told += bool(columns.any())
            # A column is told once, and again after so many days without.
            alerts += bool((columns & (quiet >= QUIET)).any())
            quiet = np.where(columns, 0, quiet + 1)
            # One that was told is left out of what the next days are compared with.
            new = np.where(columns[self._column], np.nan, self._scaled[day])
            pushed = np.concatenate([before[1:], new[None]])
            before = np.where(np.isnan(new), before, pushed)
        return Alarms(alerts, days_told, int(self._by_rows[list(drawn)].sum()))

    def _told(self, day: int, before: _Array) -> _Array:
        """Say of each statistic whether it is told, by what was learned or by the days before."""
        is_told = self._by_learned[day].copy()
        for place in self._far(day, before):
            known = self._known[place]
            past = [scale_of(known.name).back(v) for v in before[:, place] if v == v]  # noqa: PLR0124
            found = self._found[day][place]
            if found is not None and not is_told[place]:
                is_told[place] = self._is_told(known._replace(before=past), found)
        return is_told

    def _far(self, day: int, before: _Array) -> _Array:
        """Choose the statistics that may be told by the days before: the product decides."""
        enough = (~np.isnan(before)).sum(axis=0) >= FEWEST
        with warnings.catch_warnings(action="ignore"):
            apart = np.abs(self._scaled[day] - np.nanmedian(before, axis=0))
        return np.flatnonzero(enough & (apart > 0.999 * self._reach[day]))


def year_of_flights(learning: int, years: int) -> dict[str, list[Alarms]]:
    """Judge resampled years by what was learned from a resampled half-year, and from a year."""
    all_days, found = days(), dict[str, list[Alarms]]()
    for name, length in LEARNED_FROM.items():
        rng = np.random.default_rng([SEED, learning])
        with warnings.catch_warnings(action="ignore"):
            judge = Judge(contract_of(*[all_days[day] for day in draw(rng)[:length]]), all_days)
        found[name] = [judge.alarms(draw(rng)) for _ in range(years)]
    return found


def told_of_years(found: Sequence[dict[str, list[Alarms]]]) -> list[str]:
    """Write the table of the years that were judged by each learning."""
    years = sum(len(of["a year"]) for of in found)
    told = (
        f"{years:,} years of 364 days, in weeks drawn with replacement from 2013, judged by "
        f"{len(found)} learnings, of weeks drawn likewise, a block a day. Each day is judged by "
        "that and by the days before it. Promised: 1 alert a year. A shift is told by one alert, "
        "however many days it has.\n"
    )
    lines = [
        "\n### A year of flights without a fault\n",
        told,
        "| learned from | alerts a year | years without | most | days told | by single rows |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name in LEARNED_FROM:
        alerts, shifted, rows = np.array([year for of in found for year in of[name]]).T
        lines.append(
            f"| {name} | **{alerts.mean():.2f}** | {(alerts == 0).mean():.0%} | {alerts.max()} | "
            f"{shifted.mean():.2f} | {rows.mean():.2f} |".replace("%", " %")
        )
    return lines
