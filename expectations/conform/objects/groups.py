"""Python objects sorted into groups of one kind, and each group as a typed column.

A column of objects may hold anything. Typed groups are judged by the conversion table, as typed
columns are. Objects of other kinds (dictionaries, complex numbers, periods) form untyped groups.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import polars as pl

from .kinds import NULL, kind_of, kinds_of

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

    Positions = NDArray[np.int64]

_WIDEST_DECIMAL = 38
BEYOND_CALENDAR = "instant beyond the calendar"
FINER_THAN_NANOSECONDS = "instant finer than a nanosecond"
_YEARS_IN_MICROSECONDS = 200_000
_FINE = ("ps", "fs", "as")
_ARROW_NAMES = {"halffloat": "float16", "float": "float32", "double": "float64"}


@dataclass(frozen=True)
class UntypedGroup:
    """Objects of a kind that only Python names, with their positions in the column."""

    kind: str
    positions: Positions
    values: Sequence[Any]


@dataclass(frozen=True)
class TypedGroup:
    """Objects of one kind as a typed column.

    Attributes:
        kind: What they are, as the conversion table names it.
        positions: Their positions in the column.
        cells: The objects as typed cells.
        arrow: The Arrow type of the cells.
    """

    kind: str
    positions: Positions
    cells: pl.Series
    arrow: pa.DataType

    @classmethod
    def of(cls, cells: pl.Series, positions: Positions, kind: str | None = None) -> Self:
        """Make a group of typed cells; ``kind`` where their Arrow type has another name."""
        arrow = cells.to_arrow().type
        return cls(kind or _ARROW_NAMES.get(str(arrow), str(arrow)), positions, cells, arrow)


Group = TypedGroup | UntypedGroup


def groups_of(values: Sequence[Any] | NDArray[Any]) -> list[Group]:
    """Sort cells by kind, in a fixed order; nulls of every kind belong to no group."""
    if isinstance(values, np.ndarray):
        whole = TypedGroup.of(pl.Series(values), np.arange(len(values)))
        return [whole] if len(values) else []
    kinds = kinds_of(values)
    present = sorted(kinds - {NULL})
    if len(kinds) == 1:
        return _split(present[0], np.arange(len(values)), values) if present else []
    by_kind = defaultdict[str, list[int]](list)
    for position, value in enumerate(values):
        by_kind[kind_of(value)].append(position)
    return [
        group
        for kind in present
        for group in _split(kind, np.array(by_kind[kind]), [values[i] for i in by_kind[kind]])
    ]


def to_typed(values: Sequence[Any]) -> pl.Series | None:
    """Make a typed column of cells of one kind, NaN beside others as null; None of mixed ones."""
    groups = groups_of(values)
    others = [group for group in groups if not _is_only_nan(group)] or groups[:1]
    if not others:
        return pl.Series([None] * len(values), dtype=pl.Null)
    group = others[0]
    if len(others) > 1 or not isinstance(group, TypedGroup):
        return None
    cells = group.cells
    if len(cells) == len(values):
        return cells
    places = np.zeros(len(values), np.int64)
    places[group.positions] = np.arange(1, len(cells) + 1)
    # The null in front is what all other places take.
    return pl.concat([pl.Series(cells.name, [None], dtype=cells.dtype), cells]).gather(places)


def _is_only_nan(group: Group) -> bool:
    if not isinstance(group, TypedGroup):
        return False
    return group.cells.dtype.is_float() and bool(group.cells.is_nan().all())


# ----- one function for each kind -----


def _split(kind: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    return _SPLITTERS.get(kind, _unknown)(kind, positions, values)


def _unknown(kind: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    return [UntypedGroup(kind, positions, values)]


def _plain(kind: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    dtype, convert = _PLAIN[kind]
    return [
        TypedGroup.of(pl.Series([convert(value) for value in values], dtype=dtype), positions, kind)
    ]


_PLAIN: dict[str, tuple[pl.DataType, Callable[[Any], Any]]] = {
    "bool": (pl.Boolean(), bool),
    "float64": (pl.Float64(), float),
    "float32": (pl.Float32(), float),
    "float16": (pl.Float16(), float),
    "binary": (pl.Binary(), bytes),
    "date": (pl.Date(), lambda value: value),
}


def _integers(_: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    whole = [int(value) for value in values]
    low, high = min(whole), max(whole)
    if low >= -(2**63) and high < 2**63:
        return [TypedGroup.of(pl.Series(whole, dtype=pl.Int64), positions)]
    if low >= 0 and high < 2**64:
        return [TypedGroup.of(pl.Series(whole, dtype=pl.UInt64), positions)]
    inside = [i for i, value in enumerate(whole) if -(2**63) <= value < 2**63]
    above = [i for i, value in enumerate(whole) if 2**63 <= value < 2**64]
    taken = {*inside, *above}
    beyond = [i for i in range(len(whole)) if i not in taken]
    parts = ((inside, _integers), (above, _integers), (beyond, _decimals))
    return [
        group
        for part, split in parts
        if part
        for group in split("int", positions[part], [whole[i] for i in part])
    ]


def _decimals(_: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    by_scale = defaultdict[int | None, list[int]](list)
    decimals = [Decimal(value) for value in values]
    for i, value in enumerate(decimals):
        by_scale[_scale(value)].append(i)
    groups = list[Group]()
    for scale, part in by_scale.items():
        if scale is None:
            groups += _without_scale(positions[part], [decimals[i] for i in part])
        else:
            dtype = pl.Decimal(_WIDEST_DECIMAL, scale)
            cells = pl.Series([decimals[i] for i in part], dtype=dtype)
            groups.append(TypedGroup.of(cells, positions[part], "decimal"))
    return groups


def _without_scale(positions: Positions, decimals: list[Decimal]) -> list[Group]:
    """Group infinity and NaN as floats, and numbers of more than 38 digits by themselves."""
    finite = np.array([value.is_finite() for value in decimals])
    wide = [value for value in decimals if value.is_finite()]
    rest = [float("nan") if v.is_nan() else float(v) for v in decimals if not v.is_finite()]
    groups: list[Group] = [UntypedGroup("wide decimal", positions[finite], wide)] if wide else []
    return groups + (_plain("float64", positions[~finite], rest) if rest else [])


def _scale(value: Decimal) -> int | None:
    """Count a decimal's places; None if it needs more than 38 digits."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return None
    places = max(-exponent, 0)
    whole = max(len(digits) + exponent, 0)
    return places if places + whole <= _WIDEST_DECIMAL else None


def _texts(kind: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    try:
        cells = pl.Series([str.__str__(value) for value in values], dtype=pl.String)
        return [TypedGroup.of(cells, positions, kind)]
    except UnicodeEncodeError:
        fits = np.array([_is_encodable(value) for value in values])
        whole = [value for value, fit in zip(values, fits, strict=True) if fit]
        broken = [value for value, fit in zip(values, fits, strict=True) if not fit]
        halves: list[Group] = [
            UntypedGroup("text with half a surrogate pair", positions[~fits], broken)
        ]
        return halves + (_texts(kind, positions[fits], whole) if whole else [])


def _is_encodable(text: str) -> bool:
    try:
        str.__str__(text).encode()
    except UnicodeEncodeError:
        return False
    return True


# ----- instants -----


def _datetimes(_: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    """Sort ``datetime`` objects, pandas' timestamps among them, by zone and precision."""
    naive = [value.tzinfo is None for value in values]
    plain = all(type(value) is dt.datetime for value in values)
    if plain and all(naive):
        cells = pl.Series(list(values), dtype=pl.Datetime("us"))
        return [TypedGroup.of(cells, positions, "timestamp")]
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


def _numpy_datetimes(_: str, positions: Positions, values: Sequence[Any]) -> list[Group]:
    """Sort ``datetime64`` scalars by precision; ``NaT`` belongs to no group."""
    there = [i for i, value in enumerate(values) if not np.isnat(value)]
    known = [values[i] for i in there]
    return _instants(positions[there], known, known, None)


def _instants(
    positions: Positions,
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
            groups.append(UntypedGroup(unit, positions[part], [values[i] for i in part]))
            continue
        counts = np.array([instants[i] for i in part], f"datetime64[{unit}]").astype(np.int64)
        cells = pl.Series(counts).cast(pl.Datetime("ns" if unit == "ns" else "us", zone))
        groups.append(TypedGroup.of(cells, positions[part], kind))
    return groups


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


_Splitter = Callable[[str, "Positions", Sequence[Any]], list[Group]]
_SPLITTERS: dict[str, _Splitter] = {
    **dict.fromkeys(_PLAIN, _plain),
    "int": _integers,
    "decimal": _decimals,
    "string": _texts,
    "datetime": _datetimes,
    "datetime64": _numpy_datetimes,
}
