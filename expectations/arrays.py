"""ndarrays, dictionaries of them, ``.npy`` and ``.npz`` files as batches.

A file is judged by its header and read in pieces of whole rows; it is never unpickled.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.lib import format as npy
from polars.io.plugins import register_io_source

from .batch import ROW, Batch, UnreadableError, columns_of, file_facts, sources_of
from .verdict import BatchFacts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .contract import Contract

_Array = np.ndarray[Any, Any]
_PIECE = 32 << 20
_REDELIVER = "Have the producer write the file again with `numpy.save`, allow_pickle=False."


@dataclass(frozen=True)
class _Stored:
    """One array: its header, and a way to read rows of it in order."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[int], Iterator[_Array]]


def open_arrays(arrays: Any, contract: Contract) -> Batch:
    """Open arrays that lie in memory.

    Args:
        arrays: An ndarray, or a dictionary of ndarrays with equally many rows.
        contract: Says how a bare array is to be named, and whether its columns are.

    Returns:
        The batch; an array of more than one dimension is a column of arrays.

    Raises:
        UnreadableError: An array without rows, or arrays of different length.
    """
    stored = {name: _in_memory(array) for name, array in _named(arrays, contract).items()}
    kind = "ndarray" if isinstance(arrays, np.ndarray) else "dict of ndarrays"
    return _batch(stored, BatchFacts(name=kind, format="numpy"))


def open_npy(path: Path, contract: Contract) -> Batch:
    """Open a ``.npy`` or ``.npz`` file by its headers alone.

    Args:
        path: The file.
        contract: Says how the array of a ``.npy`` file is to be named.

    Returns:
        The batch.

    Raises:
        UnreadableError: Not such a file, truncated, or one of pickled objects.
    """
    try:
        stored = _of_archive(path) if zipfile.is_zipfile(path) else _of_file(path, contract)
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, KeyError) as error:
        if isinstance(error, PermissionError):
            raise
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        observed = f"no whole array file ({first})"
        raise UnreadableError(observed, _REDELIVER) from error
    return _batch(stored, file_facts(path, "numpy", pa.schema([])))


def _named(arrays: Any, contract: Contract) -> dict[str, _Array]:
    if isinstance(arrays, dict):
        return {str(name): array for name, array in cast("dict[Any, _Array]", arrays).items()}
    if contract.tensors:
        return {contract.columns[0].name: arrays}
    columns = arrays if arrays.ndim > 1 else arrays.reshape(-1, 1)
    return {str(i): columns[:, i] for i in range(columns.shape[1])}


def _in_memory(array: _Array) -> _Stored:
    def pieces(rows: int) -> Iterator[_Array]:
        for start in range(0, len(array), rows):
            yield array[start : start + rows]

    return _Stored(array.shape, array.dtype, pieces)


def _of_file(path: Path, contract: Contract) -> dict[str, _Stored]:
    array = npy.open_memmap(path, mode="r")
    return {name: _in_memory(part) for name, part in _named(array, contract).items()}


def _of_archive(path: Path) -> dict[str, _Stored]:
    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
    return {member.removesuffix(".npy"): _of_member(path, member) for member in members}


def _of_member(path: Path, member: str) -> _Stored:
    with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
        shape, in_columns, dtype = _header(cast("BinaryIO", stream))

    def pieces(rows: int) -> Iterator[_Array]:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            if in_columns:
                # Stored column after column, it has no whole row before its end.
                whole = npy.read_array(io.BytesIO(stream.read()), allow_pickle=False)
                yield from _in_memory(whole).pieces(rows)
                return
            _header(cast("BinaryIO", stream))
            width = int(np.prod(shape[1:])) * dtype.itemsize
            for start in range(0, shape[0], rows):
                size = min(rows, shape[0] - start)
                piece = np.frombuffer(stream.read(size * width), dtype)
                yield piece.reshape(size, *shape[1:])

    return _Stored(shape, dtype, pieces)


def _header(stream: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, in_columns, dtype = read(stream)
    if dtype.hasobject:
        msg = "it holds pickled Python objects, which are never loaded"
        raise ValueError(msg)
    return shape, in_columns, dtype


def _batch(stored: dict[str, _Stored], facts: BatchFacts) -> Batch:
    lengths = {array.shape[0] if array.shape else None for array in stored.values()}
    if len(lengths) != 1 or None in lengths:
        said = ", ".join(f"{name!r} of shape {array.shape}" for name, array in stored.items())
        remedy = "Deliver arrays with one row for each record, equally many in all of them."
        observed = f"arrays {said or 'none at all'}"
        raise UnreadableError(observed, remedy, kind="shape_mismatch")
    schema = pa.schema([pa.field(name, _arrow_type(array)) for name, array in stored.items()])
    return Batch(
        facts=facts.model_copy(update={"columns": columns_of(schema)}),
        schema=schema,
        sources=sources_of(schema),
        scan=_Scan(stored).scan,
        rows=lengths.pop(),
        nullable=False,
    )


def _arrow_type(array: _Stored) -> pa.DataType:
    try:
        return _frame({"a": np.empty((0, *array.shape[1:]), array.dtype)})["a"].to_arrow().type
    except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError):
        return pa.struct([pa.field(str(array.dtype), pa.null())])


# What Polars takes for the same; it would read complex numbers as bytes.
_KINDS = "biufUSM"


def _frame(arrays: dict[str, _Array]) -> pl.DataFrame:
    unknown = [array.dtype for array in arrays.values() if array.dtype.kind not in _KINDS]
    if unknown:
        raise TypeError(str(unknown[0]))
    return pl.DataFrame({name: pl.Series(name, _native(array)) for name, array in arrays.items()})


def _native(array: _Array) -> _Array:
    plain = np.asarray(array)
    swapped = plain if plain.dtype.isnative else plain.astype(plain.dtype.newbyteorder("="))
    return np.ascontiguousarray(swapped)


@dataclass(frozen=True)
class _Scan:
    stored: dict[str, _Stored]

    def scan(self) -> pl.LazyFrame:
        empty = {name: np.empty((0, *a.shape[1:]), a.dtype) for name, a in self.stored.items()}
        schema = {ROW: pl.Int64(), **_readable(empty).schema}
        return register_io_source(self._read, schema=schema)

    def _read(
        self, columns: list[str] | None, predicate: pl.Expr | None, _rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        start = 0
        for frame in self._pieces():
            numbered = frame.with_row_index(ROW, start).with_columns(pl.col(ROW).cast(pl.Int64))
            start += frame.height
            wanted = numbered if columns is None else numbered.select(columns)
            yield wanted if predicate is None else wanted.filter(predicate)

    def _pieces(self) -> Iterator[pl.DataFrame]:
        width = sum(int(np.prod(a.shape[1:])) * a.dtype.itemsize for a in self.stored.values())
        rows = max(1, _PIECE // max(width, 1))
        for pieces in zip(*(a.pieces(rows) for a in self.stored.values()), strict=True):
            yield _readable(dict(zip(self.stored, pieces, strict=True)))


def _readable(arrays: dict[str, _Array]) -> pl.DataFrame:
    """Leave a column of what Polars does not know to its name; the schema stage refuses it."""
    columns = dict[str, pl.Series]()
    for name, array in arrays.items():
        try:
            columns[name] = _frame({name: array})[name]
        except (pl.exceptions.PolarsError, TypeError, ValueError, NotImplementedError):
            columns[name] = pl.Series(name, [None] * len(array), pl.Null)
    return pl.DataFrame(columns)
