"""``.npy`` and ``.npz`` files, read in pieces and never mapped: a mapped file may be shortened.

numpy evaluates a header as Python's own literals and allocates what it promises. So a header is
believed only if exactly as many bytes follow as it speaks of; archives are unpacked in pieces.
"""

from __future__ import annotations

import io
import lzma
import math
import struct
import zipfile
import zlib
from dataclasses import dataclass
from tokenize import TokenError
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, cast

import numpy as np
from numpy.lib import format as npy

from ..batch.batch import EmptyFileError
from ..batch.query import unreadable
from .text_stream import open_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Array = np.ndarray[Any, Any]

# A row, and an array stored column after column in an archive, must be in memory whole.
_WHOLE = 128 << 20
_MOST_ARRAYS = 10_000
_ENCRYPTED = 0x1
_REDELIVER = "Have the producer write the file again with `numpy.save`, allow_pickle=False."
# What numpy and zipfile raise at content that is none of theirs.
_FAULTS = (
    *(ValueError, TypeError, ArithmeticError, LookupError, AttributeError, SyntaxError),
    *(OSError, EOFError, MemoryError, RuntimeError, TokenError, struct.error),
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
)


@dataclass(frozen=True)
class Stored:
    """One array: its header, and a way to read so many rows of it at a time, in order.

    Attributes:
        column: Where it is one column of what ``pieces`` yields, which other columns share.
    """

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    pieces: Callable[[int], Iterator[Array]]
    column: int | None = None

    def columns(self) -> dict[str, Stored]:
        """Take the second dimension apart: one array for each column, named by its position."""
        if len(self.shape) < 2:  # noqa: PLR2004 - there is one column only
            return {"0": self}
        shape = (self.shape[0], *self.shape[2:])
        return {
            str(i): Stored(shape, self.dtype, self.pieces, column=i) for i in range(self.shape[1])
        }


def in_memory(array: Array) -> Stored:
    """Take an array that lies in memory."""
    return _in_pieces(array.shape, array.dtype, lambda start, end: array[start:end])


def _in_pieces(
    shape: tuple[int, ...], dtype: np.dtype[Any], read: Callable[[int, int], Array]
) -> Stored:
    def pieces(rows: int) -> Iterator[Array]:
        for start in range(0, shape[0], rows):
            yield read(start, min(start + rows, shape[0]))

    return Stored(shape, dtype, pieces)


def read_file(path: Path) -> Stored | dict[str, Stored]:
    """Open one array, or those of an archive by name, by their headers alone."""
    if path.stat().st_size == 0:
        observed = "a file of zero bytes"
        raise EmptyFileError(observed, _REDELIVER)
    try:
        return _of_archive(path) if _is_archive(path) else _of_file(path)
    except _FAULTS as error:
        raise _unreadable(error) from error


def _is_archive(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(2) == b"PK"


def _unreadable(error: BaseException) -> BaseException:
    return unreadable(error, "no whole array file", _REDELIVER)


def _of_file(path: Path) -> Stored:
    with path.open("rb") as file:
        header = _header(file)
        start, size = file.tell(), file.seek(0, 2)
    header.believe(held=size - start, whole=size)

    def read(first: int, end: int) -> Array:
        try:
            with path.open("rb") as file:
                return header.read_rows(file, start, first, end - first)
        except _FAULTS as error:
            raise _unreadable(error) from error

    return _in_pieces(header.shape, header.dtype, read) if header.shape else _single(header, read)


def _single(header: _Header, read: Callable[[int, int], Array]) -> Stored:
    return Stored((), header.dtype, lambda _: iter((read(0, 1),)))


def _of_archive(path: Path) -> dict[str, Stored]:
    # It stays open as long as somebody may want to read: its directory is read only once.
    archive = open_archive(path.open("rb"))
    members = archive.infolist()
    if len(members) > _MOST_ARRAYS:
        msg = f"{len(members):,} arrays, which are more than {_MOST_ARRAYS:,}"
        raise ValueError(msg)
    whole = path.stat().st_size
    arrays = {m.filename.removesuffix(".npy"): _of_member(archive, m, whole) for m in members}
    if len(arrays) < len(members):
        msg = "several arrays of one name"
        raise ValueError(msg)
    return arrays


def _of_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, whole: int) -> Stored:
    if member.flag_bits & _ENCRYPTED:
        msg = f"{member.filename!r} is encrypted"
        raise ValueError(msg)
    with archive.open(member) as stream:
        header = _header(cast("BinaryIO", stream))
        header.believe(held=member.file_size - stream.tell(), whole=max(whole, member.file_size))
    turned = header.in_columns and len(header.shape) > 1
    if turned and header.bytes > _WHOLE:
        msg = f"{header.bytes >> 20:,} MiB in Fortran order, which cannot be read in pieces"
        raise ValueError(msg)

    def pieces(rows: int) -> Iterator[Array]:
        try:
            with archive.open(member) as stream:
                yield from _turned(stream, rows) if turned else header.pieces(stream, rows)
        except _FAULTS as error:
            raise _unreadable(error) from error

    return Stored(header.shape, header.dtype, pieces)


def _turned(stream: Any, rows: int) -> Iterator[Array]:
    """Read what is stored column after column: it has no whole row before its end."""
    whole = npy.read_array(io.BytesIO(stream.read()), allow_pickle=False)
    yield from in_memory(whole).pieces(rows)


class _Header(NamedTuple):
    shape: tuple[int, ...]
    in_columns: bool
    dtype: np.dtype[Any]

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def width(self) -> int:
        return math.prod(self.shape[1:]) * self.dtype.itemsize

    def believe(self, *, held: int, whole: int) -> None:
        """Raise unless the bytes that follow are those that the header speaks of."""
        if self.dtype.hasobject:
            msg = "it holds pickled Python objects, which are never loaded"
            raise ValueError(msg)
        if any(type(size) is not int or size < 0 for size in self.shape):
            msg = f"a shape of {self.shape}"
            raise ValueError(msg)
        if self.bytes != held:
            msg = f"a header that promises {self.bytes:,} bytes where {held:,} follow"
            raise ValueError(msg)
        # Rows of no bytes at all can be any number of them.
        if self.shape[:1] > (whole,):
            msg = f"a header that promises {self.shape[0]:,} rows in {whole:,} bytes"
            raise ValueError(msg)
        if self.width > _WHOLE:
            msg = f"rows of {self.width >> 20:,} MiB each, which are more than {_WHOLE >> 20}"
            raise ValueError(msg)

    def pieces(self, stream: Any, rows: int) -> Iterator[Array]:
        """Read row after row behind the header."""
        _header(stream)
        for start in range(0, self.shape[0], rows):
            size = min(rows, self.shape[0] - start)
            yield self._array(stream.read(size * self.width), size)

    def read_rows(self, file: BinaryIO, start: int, first: int, rows: int) -> Array:
        """Read some rows of a file whose values begin at ``start``."""
        if not self.in_columns:
            file.seek(start + first * self.width)
            return self._array(file.read(rows * self.width), rows)
        size, runs = self.dtype.itemsize, list[bytes]()
        for run in range(math.prod(self.shape[1:])):
            file.seek(start + (run * self.shape[0] + first) * size)
            runs.append(file.read(rows * size))
        turned = np.frombuffer(b"".join(runs), self.dtype, rows * len(runs))
        return turned.reshape(*reversed(self.shape[1:]), rows).T

    def _array(self, data: bytes, rows: int) -> Array:
        values = np.frombuffer(data, self.dtype, rows * math.prod(self.shape[1:]))
        return values.reshape(rows, *self.shape[1:])


def _header(stream: BinaryIO) -> _Header:
    version = npy.read_magic(stream)
    read = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    return _Header(*read(stream))
