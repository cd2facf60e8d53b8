"""Columns of every kind that pandas 3 can hold, by name."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

_NUMPY = [
    "bool",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
    *("float16", "float32", "float64", "longdouble", "complex64", "complex128"),
    *(">i8", ">f8", "<i4"),
]
_NULLABLE = [
    *(f"{sign}Int{bits}" for sign in ("", "U") for bits in (8, 16, 32, 64)),
    *("Float32", "Float64"),
]
_TEXT = ["str", "string[python]", "string[pyarrow]", "object", "category"]
_DAY, _MOMENT, _HOUR = dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.time(1)
_UTC = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
_ARROW: list[tuple[pa.DataType, list[Any]]] = [
    (pa.bool_(), [True, False]),
    *((kind, [1, 2]) for kind in (pa.int8(), pa.int64(), pa.uint64())),
    *((kind, [1.0, 2.0]) for kind in (pa.float16(), pa.float32(), pa.float64())),
    (pa.decimal128(10, 2), [Decimal("1.50"), Decimal("2.00")]),
    *((kind, ["a", "b"]) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.dictionary(pa.int32(), pa.string()), ["a", "b"]),
    *((kind, [b"ab", b"cd"]) for kind in (pa.binary(), pa.large_binary(), pa.binary(2))),
    *((kind, [_DAY, _DAY]) for kind in (pa.date32(), pa.date64())),
    *((pa.timestamp(unit), [_MOMENT, _MOMENT]) for unit in ("s", "ns")),
    (pa.timestamp("us", "UTC"), [_MOMENT, _MOMENT]),
    (pa.time64("us"), [_HOUR, _HOUR]),
    (pa.duration("s"), [dt.timedelta(1), dt.timedelta(2)]),
    (pa.null(), [None, None]),
    (pa.list_(pa.int64()), [[1], [2]]),
    (pa.struct([("x", pa.int64())]), [{"x": 1}, {"x": 2}]),
    (pa.map_(pa.string(), pa.int64()), [[("a", 1)], [("a", 2)]]),
]


class _Custom:
    pass


_OBJECTS: dict[str, list[Any]] = {
    "int": [1, 2],
    "int, None": [1, None],
    "int, NaN": [1, np.nan],
    "int, NA": [1, pd.NA],
    "int, NaT": [1, pd.NaT],
    "int beyond 64 bits": [2**64, 1],
    "int beyond int64": [2**63, 1],
    "int beyond float": [10**400],
    "float": [1.5, 2.5],
    "float, None": [1.5, None],
    "float, inf": [float("inf"), 1],
    "bool": [True, False],
    "bool, None": [True, None],
    "int, bool": [1, True],
    "Decimal": [Decimal("1.5"), Decimal(2)],
    "date, None": [_DAY, None],
    "datetime, None": [_MOMENT, None],
    "datetime with zone": [_UTC],
    "datetime in 9999": [dt.datetime(9999, 1, 1)],
    "Timestamp": [pd.Timestamp("2020-01-01")],
    "np.datetime64": [np.datetime64("2020-01-01")],
    "time": [_HOUR],
    "timedelta": [dt.timedelta(1)],
    "bytes, None": [b"a", None],
    "bytearray": [bytearray(b"a")],
    "list": [[1], [2, 3]],
    "dict": [{"a": 1}, {"b": 2}],
    "tuple": [(1, 2)],
    "set": [{1}],
    "custom": [_Custom()],
    "numeric text, int": ["1", 2],
    "text, float, None": ["a", 1.5, None],
    "numeric text": ["1", "2"],
    "lone surrogate": ["\ud800"],
    "None": [None, None],
    "NaN": [np.nan, np.nan],
    "NA": [pd.NA, pd.NA],
    "NaT": [pd.NaT, pd.NaT],
    "no rows": [],
    "complex": [1 + 2j],
    "np.int32": [np.int32(1), np.int32(2)],
    "np.float32": [np.float32(1.5)],
    "ndarray": [np.array([1, 2]), np.array([3])],
    "ndarray, 2-d": [np.ones((2, 2))],
}


def _objects(values: list[Any]) -> pd.Series:
    cells = np.empty(len(values), dtype=object)
    for position, value in enumerate(values):
        cells[position] = value
    return pd.Series(cells, dtype=object)


def columns() -> dict[str, pd.Series]:
    """Make every column, with two or three rows each."""
    made: dict[str, pd.Series] = {}
    for dtype in _NUMPY:
        made[dtype] = pd.Series(np.array([1, 2, 100], dtype=dtype))
        made[f"{dtype}, all 0 or 1"] = pd.Series(np.array([0, 1, 1], dtype=dtype))
        made[f"{dtype}, no rows"] = pd.Series(np.array([], dtype=dtype))
    for dtype in _NULLABLE:
        made[dtype] = pd.Series([1, 2, 3], dtype=dtype)
        made[f"{dtype} with NA"] = pd.Series([1, None, 3], dtype=dtype)
    made["boolean"] = pd.Series([True, False], dtype="boolean")
    made["boolean with NA"] = pd.Series([True, None], dtype="boolean")
    for dtype in _TEXT:
        made[f"text as {dtype}"] = pd.Series(["a", "b", "c"], dtype=dtype)
        made[f"text as {dtype} with null"] = pd.Series(["a", None, "c"], dtype=dtype)
    for kind, values in _ARROW:
        dtype = pd.ArrowDtype(kind)
        made[f"{kind}[pyarrow]"] = pd.Series(pa.array(values, kind), dtype=dtype)
        gaps = pa.array([values[0], None], kind)
        made[f"{kind}[pyarrow] with null"] = pd.Series(gaps, dtype=dtype)
    for unit in ("s", "ms", "us", "ns"):
        days, gaps = ["2020-01-01", "2021-01-01"], ["2020-01-01", "NaT"]
        made[f"datetime64[{unit}]"] = pd.Series(np.array(days, dtype=f"datetime64[{unit}]"))
        made[f"datetime64[{unit}] with NaT"] = pd.Series(np.array(gaps, f"datetime64[{unit}]"))
        made[f"timedelta64[{unit}]"] = pd.Series(np.array([1, 2], dtype=f"timedelta64[{unit}]"))
    utc = pd.Series(pd.to_datetime(["2020-01-01"], utc=True))
    return made | {
        "datetime64[us] in 1500": pd.Series(np.array(["1500-01-01"], dtype="datetime64[us]")),
        "datetime64 in UTC": utc,
        "datetime64 in Paris": utc.dt.tz_convert("Europe/Paris"),
        "period": pd.Series(pd.period_range("2020", periods=2, freq="M")),
        "interval": pd.Series(pd.interval_range(0, 2)),
        "Sparse[int]": pd.Series(pd.arrays.SparseArray([0, 1, 0])),
        "Sparse[float]": pd.Series(pd.arrays.SparseArray([0.0, np.nan])),
        "category of int": pd.Series([1, 2], dtype="category"),
        "category of mixed": pd.Series([1, "a"], dtype="category"),
        "whole float64 with NaN": pd.Series([1.0, 2.0, np.nan]),
        "float64 with inf": pd.Series([np.inf, 1.0]),
        "float64 beyond float32": pd.Series([1e300]),
        **{f"object: {name}": _objects(values) for name, values in _OBJECTS.items()},
    }
