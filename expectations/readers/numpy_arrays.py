"""ndarrays, dictionaries of them, ``.npy`` and ``.npz`` files as batches.

A file is judged by its header and read in pieces of whole rows; it is never unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ..batch.batch import Batch, UnreadableError, columns_of, file_facts
from ..batch.columns import ROW, exact_col, scan_names
from ..batch.streaming import lazy_stream
from ..verdict.verdict import BatchInfo
from .npy_files import Array, Stored, in_memory, read_file

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..contract.contract import Contract

_PIECE, _ROWS = 8 << 20, 1 << 20


def open_arrays(arrays: Any, contract: Contract) -> Batch:
    """Open an ndarray that lies in memory, or a dictionary of ndarrays with equally many rows."""
    info = BatchInfo(name="ndarray", format="numpy")
    if isinstance(arrays, np.ndarray):
        # A single value is one row of a column, but no row of a tensor.
        arrays = arrays if arrays.ndim or contract.tensors else arrays.reshape(1)
        return _batch(_named(in_memory(arrays), contract), info)
    named = cast("dict[Any, Array]", arrays).items()
    stored = {str(name): in_memory(array) for name, array in named}
    return _batch(stored, info.model_copy(update={"name": "dict of ndarrays"}))


def open_npy(path: Path, contract: Contract) -> Batch:
    """Open a ``.npy`` or ``.npz`` file by its headers alone."""
    stored = read_file(path)
    arrays = stored if isinstance(stored, dict) else _named(stored, contract)
    return _batch(arrays, file_facts(path, "numpy", pa.schema([])))


def _named(array: Stored, contract: Contract) -> dict[str, Stored]:
    return {contract.columns[0].name: array} if contract.tensors else array.columns()


def _batch(stored: dict[str, Stored], info: BatchInfo) -> Batch:
    lengths = {array.shape[0] if array.shape else None for array in stored.values()}
    if len(lengths) != 1 or None in lengths:
        shapes = ", ".join(f"{name!r} of shape {array.shape}" for name, array in stored.items())
        remedy = "Deliver arrays with one row for each record, equally many in all of them."
        observed = f"arrays {shapes or 'none at all'}"
        raise UnreadableError(observed, remedy, kind="shape_mismatch")
    schema = pa.schema([pa.field(name, _arrow_type(array)) for name, array in stored.items()])
    return Batch(
        info=info.model_copy(update={"columns": columns_of(schema)}),
        schema=schema,
        sources=scan_names(schema),
        scan=_Scan(stored).scan,
        rows=lengths.pop(),
        nullable=False,
    )


def _arrow_type(array: Stored) -> pa.DataType:
    try:
        return _frame({"a": np.empty((0, *array.shape[1:]), array.dtype)})["a"].to_arrow().type
    except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError):
        return pa.struct([pa.field(str(array.dtype), pa.null())])


# What Polars takes for the same; it would read complex numbers as bytes.
_KINDS = "biufUSM"


def _frame(arrays: dict[str, Array]) -> pl.DataFrame:
    unknown = [array.dtype for array in arrays.values() if array.dtype.kind not in _KINDS]
    if unknown:
        raise TypeError(str(unknown[0]))
    return pl.DataFrame({name: pl.Series(name, _native(array)) for name, array in arrays.items()})


def _native(array: Array) -> Array:
    plain = np.asarray(array)
    swapped = plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))
    return np.ascontiguousarray(swapped)


@dataclass(frozen=True)
class _Scan:
    stored: dict[str, Stored]

    def scan(self) -> pl.LazyFrame:
        empty = {name: np.empty((0, *a.shape[1:]), a.dtype) for name, a in self.stored.items()}
        return lazy_stream(self._frames, pl.Schema({ROW: pl.Int64(), **_readable(empty).schema}))

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        start = 0
        for frame in self._pieces([name for name in self.stored if name in columns]):
            rows = np.arange(start, start + frame.height)
            start += frame.height
            yield frame.with_columns(pl.Series(ROW, rows, pl.Int64)).select(map(exact_col, columns))

    def _pieces(self, names: list[str]) -> Iterator[pl.DataFrame]:
        arrays = [self.stored[name] for name in names or self.stored]
        width = sum(int(np.prod(a.shape[1:])) * a.dtype.itemsize for a in arrays)
        rows = min(max(1, _PIECE // max(width, 1)), _ROWS)
        readers = list(dict.fromkeys(array.pieces for array in arrays))
        for pieces in zip(*(read(rows) for read in readers), strict=True):
            read_by = dict(zip(readers, pieces, strict=True))
            cells = [_cells(read_by[array.pieces], array) for array in arrays]
            yield _readable(dict(zip(names or self.stored, cells, strict=True)))


def _cells(piece: Array, array: Stored) -> Array:
    return piece if array.column is None else piece[:, array.column]


def _readable(arrays: dict[str, Array]) -> pl.DataFrame:
    """Leave a column of what Polars does not know to its name; the schema stage refuses it."""
    columns = dict[str, pl.Series]()
    for name, array in arrays.items():
        try:
            columns[name] = _frame({name: array})[name]
        except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError):
            columns[name] = pl.Series(name, [None] * len(array), pl.Null)
    return pl.DataFrame(columns)
