"""Python objects as cells: what each is, in the words of the conversion table or in Python's."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import polars as pl
    import pyarrow as pa
    from numpy.typing import NDArray

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


def typed_group(cells: pl.Series, positions: NDArray[np.int64], kind: str | None = None) -> Group:
    """Make a group of typed cells; ``kind`` is needed where their Arrow type does not say it."""
    arrow = cells.to_arrow().type
    words = {"halffloat": "float16", "float": "float32", "double": "float64"}
    return Group(kind or words.get(str(arrow), str(arrow)), positions, (), cells, arrow)


def is_missing(value: Any) -> bool:
    """Tell whether an object stands for null in a column of objects: None, NA, NaT and NaN."""
    return kind_of(value) == NULL or (isinstance(value, float) and value != value)  # noqa: PLR0124


def code_of(value: Any) -> str:
    """Write an object as Python does; by its class alone where it cannot say what it is."""
    try:
        return repr(value)
    except Exception:  # noqa: BLE001 - a stranger's __repr__ may raise anything
        return f"<{type(value).__qualname__}>"


def text_of(value: Any) -> str | None:
    """Put an object into words."""
    if kind_of(value) == NULL:
        return None
    try:
        text = str.__str__(value) if isinstance(value, str) else str(value)
    except Exception:  # noqa: BLE001 - a stranger's __str__ may raise anything
        text = f"<{type(value).__qualname__}>"
    return text.encode("utf-8", "backslashreplace").decode()


def words_for(kinds: Iterable[str]) -> str:
    """List kinds for a reader of a report, such as ``int, string``."""
    return ", ".join(sorted(set(kinds)))
