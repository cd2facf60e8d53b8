"""Instants among Python objects: those of datetime, pandas and numpy, exact to nanoseconds."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .kinds import Group, typed_group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_YEARS_IN_MICROSECONDS = 200_000
_FINE = ("ps", "fs", "as")


def datetimes(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    """Sort ``datetime`` objects, pandas' timestamps among them, by zone and precision."""
    naive = [value.tzinfo is None for value in values]
    plain = all(type(value) is dt.datetime for value in values)
    if plain and all(naive):
        cells = pl.Series(list(values), dtype=pl.Datetime("us"))
        return [typed_group(cells, positions, "timestamp")]
    groups = list[Group]()
    for is_naive, zone in ((True, None), (False, "UTC")):
        part = [i for i, n in enumerate(naive) if n is is_naive]
        if part:
            instants = [_instant(values[i]) for i in part]
            groups += _instants(positions[part], instants, [values[i] for i in part], zone)
    return groups


def _instant(value: dt.datetime) -> np.datetime64 | None:
    """Count from 1970, in UTC where there is a zone; None where the calendar ends before."""
    exact: Any = getattr(value, "asm8", None)  # pandas keeps nanoseconds there, in UTC
    if exact is not None:
        return exact
    try:
        utc = value if value.tzinfo is None else value.astimezone(dt.UTC).replace(tzinfo=None)
    except OverflowError:
        return None
    return np.datetime64(utc, "us")


def numpy_datetimes(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    """Sort ``datetime64`` scalars by precision; ``NaT`` belongs to no group."""
    there = [i for i, value in enumerate(values) if not np.isnat(value)]
    known = [values[i] for i in there]
    return _instants(positions[there], known, known, None)


def _instants(
    positions: NDArray[np.int64],
    instants: Sequence[np.datetime64 | None],
    values: Sequence[Any],
    zone: str | None,
) -> list[Group]:
    by_unit = defaultdict[str, list[int]](list)
    for i, instant in enumerate(instants):
        by_unit[_unit(instant)].append(i)
    kind, groups = "timestamp_tz" if zone else "timestamp", list[Group]()
    for unit, part in by_unit.items():
        if unit not in ("us", "ns"):
            groups.append(Group(unit, positions[part], [values[i] for i in part]))
            continue
        counts = np.array([instants[i] for i in part], f"datetime64[{unit}]").astype(np.int64)
        cells = pl.Series(counts).cast(pl.Datetime("ns" if unit == "ns" else "us", zone))
        groups.append(typed_group(cells, positions[part], kind))
    return groups


BEYOND_CALENDAR = "instant beyond the calendar"
FINER_THAN_NANOSECONDS = "instant finer than a nanosecond"


def _unit(instant: np.datetime64 | None) -> str:
    if instant is None:
        return BEYOND_CALENDAR
    if np.datetime_data(instant.dtype)[0] not in _FINE:
        year = int(instant.astype("datetime64[Y]").astype(int))
        if abs(year) > _YEARS_IN_MICROSECONDS:
            return BEYOND_CALENDAR
        if instant.astype("datetime64[us]") == instant:
            return "us"
    return "ns" if instant.astype("datetime64[ns]") == instant else FINER_THAN_NANOSECONDS
