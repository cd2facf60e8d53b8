"""Alter the footer of a Parquet file, whose pages stay as they are.

A footer is one Thrift struct in the compact protocol: numbered fields, each with a type. Here it is
read into plain Python, altered, and written back, so that a test can change any field by its number
in https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_TRUE, _FALSE, _BYTE, _DOUBLE, _BINARY, _LIST, _STRUCT = 1, 2, 3, 7, 8, 9, 12
_INTEGERS = (4, 5, 6)
_MAGIC = b"PAR1"

# Fields of FileMetaData, RowGroup, ColumnChunk, ColumnMetaData and Statistics.
SCHEMA, NUM_ROWS, ROW_GROUPS = 2, 3, 4
COLUMNS, GROUP_ROWS = 1, 3
META = 3
NUM_VALUES, UNCOMPRESSED, COMPRESSED, DATA_PAGE, STATISTICS = 5, 6, 7, 9, 12
NULL_COUNT, MAX_VALUE, MIN_VALUE = 3, 5, 6


@dataclass
class Struct:
    """A Thrift struct.

    Attributes:
        values: Values by the number of their field.
        kinds: Types by the number of their field, as the protocol numbers them.
    """

    values: dict[int, Any] = field(default_factory=dict[int, Any])
    kinds: dict[int, int] = field(default_factory=dict[int, int])

    def __getitem__(self, number: int) -> Any:
        """Return the value of a field; of a list, its elements."""
        value = self.values[number]
        return value[1] if self.kinds[number] == _LIST else value

    def __setitem__(self, number: int, value: Any) -> None:
        """Replace the value of a field that is there."""
        self.values[number] = (
            (self.values[number][0], value) if (self.kinds[number] == _LIST) else value
        )


def forge(path: Path, lie: Callable[[Struct], None]) -> None:
    """Alter the footer of a Parquet file.

    Args:
        path: The file.
        lie: Function that alters the ``FileMetaData`` in place.
    """
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    footer = _Reader(data[start:-8]).struct()
    lie(footer)
    written = _struct(footer)
    path.write_bytes(data[:start] + written + len(written).to_bytes(4, "little") + _MAGIC)


def chunk(footer: Struct, column: int = 0, group: int = 0) -> Struct:
    """Find the ``ColumnMetaData`` of one column in one row group."""
    return footer[ROW_GROUPS][group][COLUMNS][column][META]


def nested_footer(levels: int) -> bytes:
    """Write a valid Parquet file without rows, whose only column is nested so many groups deep."""

    def element(name: str, *, leaf: bool = False) -> Struct:
        if leaf:
            return Struct({1: 1, 3: 1, 4: name.encode()}, {1: 5, 3: 5, 4: _BINARY})
        return Struct({3: 1, 4: name.encode(), 5: 1}, {3: 5, 4: _BINARY, 5: 5})

    schema = [*(element("g") for _ in range(levels)), element("a", leaf=True)]
    footer = Struct(
        {1: 2, SCHEMA: (_STRUCT, schema), NUM_ROWS: 0, ROW_GROUPS: (_STRUCT, [])},
        {1: 5, SCHEMA: _LIST, NUM_ROWS: 6, ROW_GROUPS: _LIST},
    )
    written = _struct(footer)
    return _MAGIC + written + len(written).to_bytes(4, "little") + _MAGIC


# ----- the compact protocol -----


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    def struct(self) -> Struct:
        made, number = Struct(), 0
        while header := self._byte():
            number = number + (header >> 4) if header >> 4 else self._zigzag()
            made.kinds[number] = header & 15
            made.values[number] = self._value(header & 15)
        return made

    def _value(self, kind: int) -> Any:
        match kind:
            case 1 | 2:
                return kind == _TRUE
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return struct.unpack("<d", self._take(8))[0]
            case 8:
                return self._take(self._varint())
            case 9:
                return self._list()
            case _:
                return self.struct()

    def _list(self) -> tuple[int, list[Any]]:
        header = self._byte()
        size = header >> 4 if header >> 4 < 15 else self._varint()
        kind = header & 15
        read = self._byte if kind in (_TRUE, _FALSE) else lambda: self._value(kind)
        return kind, [read() for _ in range(size)]

    def _byte(self) -> int:
        return self._take(1)[0]

    def _take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]

    def _varint(self) -> int:
        value = shift = 0
        while (byte := self._byte()) & 0x80:
            value, shift = value | (byte & 0x7F) << shift, shift + 7
        return value | byte << shift

    def _zigzag(self) -> int:
        value = self._varint()
        return (value >> 1) ^ -(value & 1)


def _struct(made: Struct) -> bytes:
    written, last = bytearray(), 0
    for number, kind in made.kinds.items():
        value = made.values[number]
        said = (_TRUE if value else _FALSE) if kind in (_TRUE, _FALSE) else kind
        step = number - last
        written += bytes([step << 4 | said]) if step < 16 else bytes([said]) + _zigzag(number)
        written += _value(said, value)
        last = number
    return bytes(written) + b"\0"


def _value(kind: int, value: Any) -> bytes:
    if kind in (_TRUE, _FALSE):
        return b""
    if kind in _INTEGERS:
        return _zigzag(value)
    if kind == _BYTE:
        return bytes([value])
    if kind == _DOUBLE:
        return struct.pack("<d", value)
    if kind == _BINARY:
        return _varint(len(value)) + value
    return _list(*value) if kind == _LIST else _struct(value)


def _list(kind: int, values: list[Any]) -> bytes:
    size = len(values)
    head = bytes([size << 4 | kind]) if size < 15 else bytes([0xF0 | kind]) + _varint(size)
    truths = kind in (_TRUE, _FALSE)
    return head + b"".join(bytes([v]) if truths else _value(kind, v) for v in values)


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*written, value])


def _zigzag(value: int) -> bytes:
    return _varint(value << 1 if value >= 0 else ~value << 1 | 1)
