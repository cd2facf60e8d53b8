"""Inputs other than pandas columns: Arrow types, CSV cells, JSON values, arrays."""

from __future__ import annotations

import datetime as dt
import io
import json
import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import feather

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@dataclass(frozen=True)
class Arrival:
    """One column ``c`` in several forms that must get the same verdict, and as pandas reads it.

    Attributes:
        batches: Makes the forms; files are written into the folder that it is given.
        in_pandas: The frame that a user would pass to MLflow.
    """

    batches: Callable[[Path], list[Any]]
    in_pandas: Any


_DAY, _MOMENT, _HOUR = dt.date(2020, 1, 1), dt.datetime(2020, 1, 1), dt.time(1)
_POINT = pa.struct([("a", pa.int64())])
_CELLS: list[tuple[pa.DataType, list[Any]]] = [
    (pa.bool_(), [True, False]),
    *((pa.type_for_alias(f"{s}int{b}"), [1, 2]) for s in ("", "u") for b in (8, 16, 32, 64)),
    (pa.int64(), [1, 2**53 + 1]),
    (pa.uint64(), [1, 2**64 - 1]),
    *((kind, [1.0, 2.0]) for kind in (pa.float16(), pa.float32(), pa.float64())),
    *((kind, [1.5, 2.0]) for kind in (pa.float32(), pa.float64())),
    (pa.float64(), [1.0, 0.1]),
    (pa.decimal128(10, 2), [Decimal("1.00"), Decimal("2.50")]),
    (pa.decimal128(38, 0), [Decimal(1), Decimal(10**37)]),
    *((kind, ["a", "b"]) for kind in (pa.string(), pa.large_string(), pa.string_view())),
    (pa.dictionary(pa.int32(), pa.string()), ["a", "b"]),
    (pa.string(), ["1", "2"]),
    *((kind, [b"ab", b"cd"]) for kind in (pa.binary(), pa.large_binary(), pa.binary(2))),
    (pa.date32(), [_DAY, _DAY]),
    *((pa.timestamp(unit), [_MOMENT, _MOMENT]) for unit in ("ms", "us", "ns")),
    (pa.timestamp("us"), [_MOMENT, dt.datetime(1500, 1, 1)]),
    (pa.timestamp("us", "UTC"), [_MOMENT, _MOMENT]),
    (pa.time64("us"), [_HOUR, _HOUR]),
    (pa.duration("us"), [dt.timedelta(1), dt.timedelta(2)]),
    (pa.list_(pa.int64()), [[1], [2, 3]]),
    (pa.list_(pa.int32(), 2), [[1, 2], [3, 4]]),
    (pa.list_(pa.float64()), [[1.0], [2.5]]),
    (pa.list_(pa.string()), [["a"], ["b"]]),
    (pa.list_(pa.list_(pa.int64())), [[[1], [2]], [[3]]]),
    (_POINT, [{"a": 1}, {"a": 2}]),
    (pa.struct([("a", pa.int64()), ("b", pa.string())]), [{"a": 1, "b": "x"}] * 2),
    (pa.list_(_POINT), [[{"a": 1}], []]),
    (pa.map_(pa.string(), pa.int64()), [[("k", 1)], [("l", 2)]]),
    (pa.map_(pa.string(), pa.string()), [[("k", "v")], []]),
]


def arrow_types() -> dict[str, Arrival]:
    """Make two rows, and two with a null, of every Arrow type that a file can hold."""
    made: dict[str, Arrival] = {}
    for kind, values in _CELLS:
        for cells in (values, [values[0], None]):
            made[f"{kind}: {_shown(cells)}"] = _in_arrow(pa.table({"c": pa.array(cells, kind)}))
    pairs = pa.FixedShapeTensorArray.from_numpy_ndarray(np.array([[1, 2], [3, 4]], np.uint8))
    made["fixed_shape_tensor<uint8>[2]: [1, 2], [3, 4]"] = _in_arrow(pa.table({"c": pairs}))
    made["null"] = _in_arrow(pa.table({"c": pa.nulls(2)}))
    return made


# How a query's rows lie in their file, by the type of the database, and what ``read_sql`` returns.
_OF_DATABASES: dict[str, tuple[pa.DataType, list[Any], list[Any]]] = {
    "numeric": (pa.string(), ["1.5", "2"], [Decimal("1.5"), Decimal(2)]),
    "money": (pa.int64(), [150, 200], ["$1.50", "$2.00"]),
    "oid": (pa.int32(), [1, 2], [1, 2]),
    "uhugeint": (pa.decimal128(38, 0), [Decimal(1), Decimal(2)], [1.0, 2.0]),
    "interval": (pa.string(), ["1 day", "2 days"], [dt.timedelta(1), dt.timedelta(2)]),
    "inet": (pa.binary(), [b"\x02", b"\x03"], ["::1", "::2"]),
}


def database_types() -> dict[str, Arrival]:
    """Make two rows of every type that a database knows and a model does not."""
    made = {
        name: _in_parquet(pa.opaque(stored, name, "PostgreSQL"), pa.array(cells, stored), known)
        for name, (stored, cells, known) in _OF_DATABASES.items()
    }
    ids = [uuid.UUID(int=n) for n in (1, 2)]
    made["uuid"] = _in_parquet(pa.uuid(), pa.array([one.bytes for one in ids], pa.binary(16)), ids)
    made["json"] = _in_parquet(pa.json_(), pa.array(['{"a": 1}', "[]"]), [{"a": 1}, []])
    return made


def _in_parquet(kind: pa.DataType, stored: pa.Array, known: list[Any]) -> Arrival:
    def batches(folder: Path) -> list[Any]:
        table = pa.table({"c": pa.ExtensionArray.from_storage(kind, stored)})
        pq.write_table(table, folder / "b.parquet")
        return [folder / "b.parquet"]

    return Arrival(batches, pd.DataFrame({"c": known}))


def _shown(cells: list[Any]) -> str:
    return ", ".join("null" if cell is None else str(cell) for cell in cells).replace("\n", " ")


def _in_arrow(table: pa.Table) -> Arrival:
    def batches(folder: Path) -> list[Any]:
        pq.write_table(table, folder / "b.parquet")
        feather.write_feather(table, str(folder / "b.arrow"), compression="uncompressed")
        return [folder / "b.parquet", folder / "b.arrow", table, pl.DataFrame(table)]

    return Arrival(batches, table.to_pandas())


_TEXTS = {
    "1 and 2": ["1", "2"],
    "1 and nothing": ["1", ""],
    '1 and ""': ["1", '""'],
    "1.0 and 2.0": ["1.0", "2.0"],
    "1.5 and 2": ["1.5", "2"],
    "1e3 and 0.1": ["1e3", "0.1"],
    "9007199254740993": ["9007199254740993"],
    "99999999999999999999": ["99999999999999999999"],
    "nan and inf": ["nan", "inf"],
    "true and false": ["true", "false"],
    "0 and 1": ["0", "1"],
    "yes and no": ["yes", "no"],
    "2020-01-01": ["2020-01-01"],
    "2020-01-01T10:00:00.123456789": ["2020-01-01T10:00:00.123456789"],
    "2020-01-01T10:00:00Z": ["2020-01-01T10:00:00Z"],
    "01/02/2020": ["01/02/2020"],
    "[1, 2]": ['"[1, 2]"'],
    "text": ["a", "b"],
}


def csv_cells() -> dict[str, Arrival]:
    """Make a CSV column for each kind of text."""
    return {f"`{name}`": _in_csv(cells) for name, cells in _TEXTS.items()}


def _in_csv(cells: list[str]) -> Arrival:
    text = "c,other\n" + "".join(f"{cell},x\n" for cell in cells)

    def batches(folder: Path) -> list[Any]:
        (folder / "b.csv").write_text(text)
        return [folder / "b.csv"]

    return Arrival(batches, pd.read_csv(io.StringIO(text))[["c"]])


_VALUES: list[list[Any]] = [
    [True, False],
    [1, 2],
    [1, None],
    [1.0, 2.0],
    [1.5, 2],
    [2**53 + 1],
    [2**64],
    ["a", "b"],
    ["1", "2"],
    [1, "2"],
    ["2020-01-01", "2020-01-02T10:00:00"],
    ["2020-01-01T10:00:00Z"],
    [[1], [2, 3]],
    [[], None],
    [["a"], ["b"]],
    [[[1], [2]], [[3]]],
    [{"a": 1}, {"a": 2}],
    [{"a": 1}, {"b": 2}],
    [{"a": 1, "b": "x"}],
    [None, None],
]


def json_values() -> dict[str, Arrival]:
    """Make JSON lines for each kind of value."""
    return {f"`{json.dumps(values)[1:-1]}`": _in_json(values) for values in _VALUES}


def _in_json(values: list[Any]) -> Arrival:
    lines = "".join(json.dumps({"c": value}) + "\n" for value in values)

    def batches(folder: Path) -> list[Any]:
        (folder / "b.jsonl").write_text(lines)
        return [folder / "b.jsonl"]

    return Arrival(batches, pd.DataFrame({"c": [json.loads(json.dumps(v)) for v in values]}))


_DTYPES = ["bool", "int8", "uint8", "int32", "int64", "uint64", "float16", "float32", "float64"]


def arrays() -> dict[str, np.ndarray[Any, Any]]:
    """Make arrays of shape (3, 2) of every dtype, and some that fit in part or not at all."""
    whole = np.arange(6).reshape(3, 2)
    made = {dtype: whole.astype(dtype) for dtype in _DTYPES}
    return made | {
        "int64 with 300": whole + np.array([[0], [0], [300]]),
        "float64 with 0.5": whole + np.array([[0], [0], [0.5]]),
        "float64 with NaN": whole * np.array([[1], [1], [np.nan]]),
        ">f8": whole.astype(">f8"),
        "str": whole.astype(str),
        "complex128": whole.astype(complex),
        "datetime64[ns]": whole.astype("datetime64[ns]"),
        "three columns": np.ones((3, 3)),
        "one dimension": np.ones(3),
    }


def as_arrays(array: np.ndarray[Any, Any], folder: Path) -> list[Any]:
    """Make every form in which an array is named ``c``, and a bare ``.npy`` array."""
    np.save(folder / "b.npy", array)
    np.savez(folder / "b.npz", c=array)
    return [array, {"c": array}, folder / "b.npy", folder / "b.npz"]
