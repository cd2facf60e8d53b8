"""The messages that make up an Arrow IPC file or stream, walked before their content is unpacked.

Arrow takes a stream that breaks off between two messages for a whole one, ignores whatever follows
its end, and unpacks a record batch at once, however much a few bytes claim to hold.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, NamedTuple

from pyarrow import ipc

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER, _BLOCK = struct.Struct("<qq"), struct.Struct("<qi4xq")
_NOT_PACKED = -1
# The length of the footer and the magic behind it; the mark of the end and padding before it.
_TAIL, _PADDING = 10, 64
# Fields of Arrow's flatbuffers, https://github.com/apache/arrow/tree/main/format: of a footer, a
# message, a record batch and a dictionary batch.
_DICTIONARIES, _BATCHES = 2, 3
_HEADER = 2
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_DATA = 1


class Walk(NamedTuple):
    """What the messages of a file or stream amount to.

    Attributes:
        unpacked: Bytes of the largest message, once unpacked; 0 if none is compressed.
        rows: Rows of the longest record batch.
        beyond: Bytes that belong to no message: behind the end of a stream, or before the footer of
            a file.
        ended: Whether the mark of the end follows the last message of a stream.
    """

    unpacked: int
    rows: int
    beyond: int
    ended: bool = True


def walk_stream(source: Any) -> Walk:
    """Walk the messages of a stream, without unpacking any."""
    source.seek(0)
    unpacked = rows = 0
    while True:
        before = source.tell()
        try:
            size, count = _size_of(ipc.read_message(source))
        except EOFError:
            end = source.tell()
            return Walk(unpacked, rows, source.size() - end, ended=end > before)
        unpacked, rows = max(unpacked, size), max(rows, count)


def walk_file(source: Any) -> Walk:
    """Walk the messages that the footer of a file lists, without unpacking any."""
    source.seek(source.size() - _TAIL)
    length = int.from_bytes(source.read(4), "little")
    start = source.size() - _TAIL - length
    source.seek(start)
    unpacked = rows = end = 0
    for offset, metadata, body in _blocks(source.read(length)):
        source.seek(offset)
        size, count = _size_of(ipc.read_message(source))
        unpacked, rows = max(unpacked, size), max(rows, count)
        end = max(end, offset + metadata + body)
    return Walk(unpacked, rows, max(start - end - _PADDING, 0) if end else 0)


def _blocks(footer: bytes) -> Iterator[tuple[int, int, int]]:
    table = _Table(footer, struct.unpack_from("<I", footer)[0])
    for field in (_DICTIONARIES, _BATCHES):
        if place := table.place(field):
            vector = table.target(place)
            (count,) = struct.unpack_from("<I", footer, vector)
            for i in range(count):
                yield _BLOCK.unpack_from(footer, vector + 4 + i * _BLOCK.size)


def _size_of(message: Any) -> tuple[int, int]:
    if message.type not in ("record batch", "dictionary"):
        return 0, 0
    batch = _record_batch(message)
    return sum(_unpacked(batch, message.body)), batch.integer(_LENGTH)


def _record_batch(message: Any) -> _Table:
    metadata = message.metadata.to_pybytes()
    (root,) = struct.unpack_from("<I", metadata)
    header = _Table(metadata, root).table(_HEADER)
    return header.table(_DATA) if message.type == "dictionary" else header


def _unpacked(batch: _Table, body: Any) -> Iterator[int]:
    """Yield the length that each compressed buffer claims to have; it stands in front of it."""
    place = batch.place(_BUFFERS)
    if not place or not batch.place(_COMPRESSION):
        return
    vector = batch.target(place)
    (count,) = struct.unpack_from("<I", batch.data, vector)
    for i in range(count):
        offset, length = _BUFFER.unpack_from(batch.data, vector + 4 + i * _BUFFER.size)
        if length:
            (claimed,) = struct.unpack_from("<q", body, offset)
            yield length if claimed == _NOT_PACKED else claimed


class _Table(NamedTuple):
    """A flatbuffers table, as far as it is needed here."""

    data: bytes
    start: int

    def place(self, field: int) -> int:
        """Find where a field stands; 0 if it is left out."""
        (back,) = struct.unpack_from("<i", self.data, self.start)
        table = self.start - back
        (size,) = struct.unpack_from("<H", self.data, table)
        if 4 + 2 * field >= size:
            return 0
        (offset,) = struct.unpack_from("<H", self.data, table + 4 + 2 * field)
        return self.start + offset if offset else 0

    def target(self, place: int) -> int:
        """Follow the offset that stands at a place."""
        (offset,) = struct.unpack_from("<I", self.data, place)
        return place + offset

    def table(self, field: int) -> _Table:
        return _Table(self.data, self.target(self.place(field)))

    def integer(self, field: int) -> int:
        place = self.place(field)
        return struct.unpack_from("<q", self.data, place)[0] if place else 0
