"""What a Python object is, as the conversion table names it, or else as Python does."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

NULL = "null"
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
    """Name what an object is."""
    kind = type(value)
    return _known.get(kind) or _known.setdefault(kind, _kind_of_class(kind))


def kinds_of(values: Iterable[Any]) -> set[str]:
    """Name the kinds that occur among objects."""
    return {_known.get(kind) or _kind_of_class(kind) for kind in set(map(type, values))}


def _kind_of_class(kind: type) -> str:
    # pandas' NaT derives from datetime; its name spares an import of pandas.
    if kind.__name__ in _MISSING_IN_PANDAS and kind.__module__.startswith("pandas"):
        return NULL
    return next((_KINDS[base] for base in kind.__mro__ if base in _KINDS), kind.__name__)


def is_missing(value: Any) -> bool:
    """Tell whether an object stands for null in a column of objects: None, NA, NaT and NaN."""
    return kind_of(value) == NULL or (isinstance(value, float) and value != value)  # noqa: PLR0124


def code_of(value: Any) -> str:
    """Write an object as ``repr`` does; by its class alone where that raises."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - any class may define it
        return f"<{type(value).__qualname__}>"


def text_of(value: Any) -> str | None:
    """Write an object as text; text as it is, and None for null."""
    if kind_of(value) == NULL:
        return None
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - any class may define it
        text = f"<{type(value).__qualname__}>"
    return text.encode("utf-8", "backslashreplace").decode()


def words_for(kinds: Iterable[str]) -> str:
    """List kinds for a report, such as ``int, string``."""
    return ", ".join(sorted(set(kinds)))
