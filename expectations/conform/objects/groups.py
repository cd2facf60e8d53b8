"""Python objects sorted into groups of one kind.

A column of objects may hold anything. Each group of it becomes a typed column, so that the one
table of conversions judges objects too. What that table does not know (dictionaries, complex
numbers, periods) forms groups without a typed column.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .instants import datetimes, numpy_datetimes
from .kinds import NULL, Group, kind_of, kinds_of, typed_group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_WIDEST_DECIMAL = 38


def groups_of(values: Sequence[Any] | NDArray[Any]) -> list[Group]:
    """Sort cells by what they are; nulls of every flavour belong to no group."""
    if isinstance(values, np.ndarray):
        whole = typed_group(pl.Series(values), np.arange(len(values)))
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
    """Make the typed column that says the same, if all cells are of one kind."""
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


# ----- one way for each kind -----


def _split(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    return _SPLITTERS.get(kind, _unknown)(kind, positions, values)


def _unknown(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    return [Group(kind, positions, values)]


def _plain(kind: str, positions: NDArray[np.int64], values: Sequence[Any]) -> list[Group]:
    dtype, made = _PLAIN[kind]
    return [typed_group(pl.Series([made(value) for value in values], dtype=dtype), positions, kind)]


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
        return [typed_group(pl.Series(whole, dtype=pl.Int64), positions)]
    if low >= 0 and high < 2**64:
        return [typed_group(pl.Series(whole, dtype=pl.UInt64), positions)]
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
            groups.append(typed_group(cells, positions[part], "decimal"))
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
        return [typed_group(cells, positions, kind)]
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


_SPLITTERS: dict[str, Callable[[str, NDArray[np.int64], Sequence[Any]], list[Group]]] = {
    **dict.fromkeys(_PLAIN, _plain),
    "int": _integers,
    "decimal": _decimals,
    "string": _texts,
    "datetime": datetimes,
    "datetime64": numpy_datetimes,
}
