"""Python objects as cells, sorted by what each is in the words of the conversion table.

A column of objects may hold anything. Here its cells fall into groups of one kind, and each group
becomes a typed column, so that the one table of conversions judges objects too. What that table
does not know (dictionaries, complex numbers, periods) forms groups without a typed column.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow as pa
    from numpy.typing import NDArray

NULL = "null"
_WIDEST_DECIMAL = 38

# Class, or a class it derives from -> what it is. The first base that is listed decides.
_KINDS: dict[type, str] = {
    type(None): NULL,
    bool: "bool",
    np.bool_: "bool",
    int: "int",
    np.integer: "int",
    float: "float64",
    np.float32: "float32",
    np.float16: "float16",
    str: "string",
    bytes: "binary",
    bytearray: "binary",
    memoryview: "binary",
    Decimal: "decimal",
    dt.datetime: "datetime",
    dt.date: "date",
    np.datetime64: "datetime64",
    np.timedelta64: "duration",
    dict: "dict",
    list: "list",
    tuple: "list",
    np.ndarray: "ndarray",
}
_MISSING_IN_PANDAS = ("NaTType", "NAType")
_known: dict[type, str] = {}


def kind_of(value: Any) -> str:
    """Name what an object is.

    Args:
        value: Any object.

    Returns:
        A word such as ``int``, ``string`` or ``dict``; the class's name where none fits.
    """
    kind = type(value)
    return _known.get(kind) or _known.setdefault(kind, _kind_of_class(kind))


def kinds_of(values: Iterable[Any]) -> set[str]:
    """Name the kinds that occur among objects."""
    return {_known.get(kind) or _kind_of_class(kind) for kind in set(map(type, values))}


def _kind_of_class(kind: type) -> str:
    # pandas' NaT derives from datetime; naming it spares an import of pandas.
    if kind.__name__ in _MISSING_IN_PANDAS and kind.__module__.startswith("pandas"):
        return NULL
    return next((_KINDS[base] for base in kind.__mro__ if base in _KINDS), kind.__name__)


@dataclass(frozen=True)
class Group:
    """Cells of one kind.

    Attributes:
        kind: What they are, in the words of the conversion table or, if it has none, Python's.
        positions: Where they stand in the column.
        values: The objects; empty where ``cells`` holds them.
        cells: The same as a typed column; None where the table knows no such type.
        arrow: Their Arrow type; None where ``cells`` is.
    """

    kind: str
    positions: NDArray[np.int64]
    values: Sequence[Any] = ()
    cells: pl.Series | None = None
    arrow: pa.DataType | None = None


def groups_of(values: Sequence[Any] | NDArray[Any]) -> list[Group]:
    """Sort cells by what they are; nulls of every flavour belong to no group.

    Args:
        values: Python objects, or an ndarray of numbers.

    Returns:
        One group for each kind that occurs, in a fixed order; NaN is a ``float64``.
    """
    if isinstance(values, np.ndarray):
        whole = _typed(pl.Series(values), np.arange(len(values)))
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


def is_missing(value: Any) -> bool:
    """Tell whether an object stands for null in a column of objects: None, NA, NaT and NaN."""
    return kind_of(value) == NULL or (isinstance(value, float) and value != value)  # noqa: PLR0124


def typed_twin(values: Sequence[Any]) -> pl.Series | None:
    """Make the typed column that says the same, if all cells are of one kind.

    Args:
        values: Python objects.

    Returns:
        The column, with NaN as null beside anything but floats; None where there is no such type.
    """
    groups = groups_of(values)
    others = [group for group in groups if not _is_only_nan(group)] or groups[:1]
    if not others:
        return pl.Series([None] * len(values), dtype=pl.Null)
    cells = others[0].cells
    if len(others) > 1 or cells is None:
        return None
    if len(cells) == len(values):
        return cells
    places = np.zeros(len(values), np.int64)
    places[others[0].positions] = np.arange(1, len(cells) + 1)
    # The null in front is what all other places take.
    return pl.concat([pl.Series(cells.name, [None], dtype=cells.dtype), cells]).gather(places)


def _is_only_nan(group: Group) -> bool:
    cells = group.cells
    return cells is not None and cells.dtype.is_float() and bool(cells.is_nan().all())


def text_of(value: Any) -> str | None:
    """Put an object into words.

    Args:
        value: Any object.

    Returns:
        Text as it is, ``str`` of everything else, None for null.
    """
    if kind_of(value) == NULL:
        return None
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        text = f"<{type(value).__qualname__}>"
    return text.encode("utf-8", "backslashreplace").decode()


# ----- from objects to typed columns -----


def _typed(cells: pl.Series, positions: NDArray[np.int64], kind: str | None = None) -> Group:
    arrow = cells.to_arrow().type
    words = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return Group(kind or words.get(str(arrow), str(arrow)), positions, (), cells, arrow)


def _split(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    return _SPLITTERS.get(kind, _unknown)(kind, positions, values)


def _unknown(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    return [Group(kind, positions, values)]


def _plain(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    dtype, made = _PLAIN[kind]
    return [_typed(pl.Series([made(value) for value in values], dtype=dtype), positions, kind)]


def _itself(value: Any) -> Any:
    return value


_PLAIN: dict[str, tuple[pl.DataType, Callable[[Any], Any]]] = {
    "bool": (pl.Boolean(), bool),
    "float64": (pl.Float64(), float),
    "float32": (pl.Float32(), float),
    "float16": (pl.Float16(), float),
    "binary": (pl.Binary(), bytes),
    "date": (pl.Date(), _itself),
}


def _integers(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    whole = [int(value) for value in values]
    low, high = min(whole), max(whole)
    if low >= -(2**63) and high < 2**63:
        return [_typed(pl.Series(whole, dtype=pl.Int64), positions)]
    if low >= 0 and high < 2**64:
        return [_typed(pl.Series(whole, dtype=pl.UInt64), positions)]
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


def _decimals(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
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
            groups.append(_typed(cells, positions[part], "decimal"))
    return groups


def _without_scale(positions: NDArray[np.int64], decimals: list[Decimal]) -> list[Group]:
    """Infinity and NaN, which are floats all the same, and numbers of more than 38 digits."""
    finite = np.array([value.is_finite() for value in decimals])
    wide = [value for value in decimals if value.is_finite()]
    rest = [float("nan") if v.is_nan() else float(v) for v in decimals if not v.is_finite()]
    groups = [Group("wide decimal", positions[finite], wide)] if wide else []
    return groups + (_plain("float64", positions[~finite], rest) if rest else [])


def _scale(value: Decimal) -> int | None:
    """Count a decimal's places; None if it needs more than 38 digits."""
    _, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        return None
    places = max(-exponent, 0)
    whole = max(len(digits) + exponent, 0)
    return places if places + whole <= _WIDEST_DECIMAL else None


def _texts(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    try:
        cells = pl.Series([str.__str__(value) for value in values], dtype=pl.String)
        return [_typed(cells, positions, kind)]
    except UnicodeEncodeError:
        fits = np.array([_is_encodable(value) for value in values])
        whole = [value for value, fit in zip(values, fits, strict=True) if fit]
        broken = [value for value, fit in zip(values, fits, strict=True) if not fit]
        halves = [Group("text with half a surrogate pair", positions[~fits], broken)]
        return halves + (_texts(kind, positions[fits], whole) if whole else [])


def _is_encodable(text: str) -> bool:
    try:
        str.__str__(text).encode()
    except UnicodeEncodeError:
        return False
    return True


# ----- instants -----

_YEARS_IN_MICROSECONDS = 200_000


def _datetimes(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    naive = [value.tzinfo is None for value in values]
    plain = all(type(value) is dt.datetime for value in values)
    if plain and all(naive):
        return [_typed(pl.Series(list(values), dtype=pl.Datetime("us")), positions, "timestamp")]
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


def _numpy_datetimes(_: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
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
        groups.append(_typed(cells, positions[part], kind))
    return groups


BEYOND_CALENDAR = "instant beyond the calendar"
FINER_THAN_NANOSECONDS = "instant finer than a nanosecond"


def _unit(instant: np.datetime64 | None) -> str:
    if instant is None or abs(int(instant.astype("datetime64[Y]").astype(int))) > (
        _YEARS_IN_MICROSECONDS
    ):
        return BEYOND_CALENDAR
    for unit in ("us", "ns"):
        if instant.astype(f"datetime64[{unit}]") == instant:
            return unit
    return FINER_THAN_NANOSECONDS


_SPLITTERS: dict[str, Callable[[str, NDArray[np.int64], Sequence[Any]], list[Group]]] = {
    **dict.fromkeys(_PLAIN, _plain),
    "int": _integers,
    "decimal": _decimals,
    "string": _texts,
    "datetime": _datetimes,
    "datetime64": _numpy_datetimes,
}


def words_for(kinds: Iterable[str]) -> str:
    """List kinds for a reader of a report, such as ``int, string``."""
    return ", ".join(sorted(set(kinds)))
