"""Walk the messages of an Arrow IPC file or stream before Arrow unpacks their content.

Arrow takes a stream that breaks off between two messages for a whole one, ignores whatever follows
its end, and unpacks a record batch at once, however much a few bytes claim to hold.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_BUFFER, _BLOCK = struct.Struct("<qq"), struct.Struct("<qi4xq")
_NOT_PACKED = -1
# What precedes the length of a message; older writers leave it out.
_CONTINUATION = b"\xff\xff\xff\xff"
# The length of the footer and the magic behind it; the mark of the end and padding before it.
_TAIL, _PADDING = 10, 64
# Fields of Arrow's flatbuffers, https://github.com/apache/arrow/tree/main/format: of a footer, a
# message, a record batch and a dictionary batch.
_DICTIONARIES, _BATCHES = 2, 3
_KIND, _HEADER, _BODY = 1, 2, 3
_LENGTH, _BUFFERS, _COMPRESSION = 0, 2, 3
_DATA = 1
_OF_DICTIONARY, _OF_ROWS = 2, 3


class Walk(NamedTuple):
    """What the messages of a file or stream amount to.

    Attributes:
        unpacked: Bytes of the largest message, once unpacked; 0 if none is compressed.
        longest: Rows of the longest record batch.
        rows: Rows of all record batches.
        beyond: Bytes that belong to no message: behind the end of a stream, or before the footer of
            a file.
        ended: Whether the mark of the end follows the last message of a stream.
    """

    unpacked: int = 0
    longest: int = 0
    rows: int = 0
    beyond: int = 0
    ended: bool = True

    def plus(self, message: _Message) -> Walk:
        """Count one more message."""
        unpacked, rows = max(self.unpacked, message.unpacked), self.rows + message.rows
        return self._replace(
            unpacked=unpacked, longest=max(self.longest, message.length), rows=rows
        )


class _Message(NamedTuple):
    end: int
    unpacked: int = 0
    length: int = 0
    rows: int = 0


def walk_stream(file: BinaryIO) -> Walk:
    """Walk the messages of a stream.

    Raises:
        EOFError, struct.error: It breaks off within a message, or one is not as the format has it.
    """
    size, at, walk = file.seek(0, 2), 0, Walk()
    while at < size:
        message = _message(file, at)
        if message is None and at:
            end = file.tell()
            return walk._replace(beyond=size - end)
        if message is None:
            raise EOFError
        at, walk = message.end, walk.plus(message)
    if at > size:
        raise EOFError
    return walk._replace(ended=False)


def walk_file(file: BinaryIO) -> Walk:
    """Walk the messages that the footer of a file lists.

    Raises:
        EOFError, struct.error: A message is not where the footer has it, or not as it must be.
    """
    size = file.seek(0, 2)
    file.seek(size - _TAIL)
    length = int.from_bytes(file.read(4), "little")
    start, end, walk = size - _TAIL - length, 0, Walk()
    file.seek(max(start, 0))
    for offset, metadata, body in list(_blocks(file.read(length))):
        message = _message(file, offset)
        if message is None or message.end > start:
            raise EOFError
        walk, end = walk.plus(message), max(end, offset + metadata + body)
    return walk._replace(beyond=max(start - end - _PADDING, 0) if end else 0)


def _blocks(footer: bytes) -> Iterator[tuple[int, int, int]]:
    table = _Table(footer, struct.unpack_from("<I", footer)[0])
    for number in (_DICTIONARIES, _BATCHES):
        if place := table.place(number):
            vector = table.target(place)
            (count,) = struct.unpack_from("<I", footer, vector)
            for i in range(count):
                yield _BLOCK.unpack_from(footer, vector + 4 + i * _BLOCK.size)


def _message(file: BinaryIO, at: int) -> _Message | None:
    """Read the metadata of a message; None for the mark of the end."""
    file.seek(at)
    prefix = file.read(4)
    length = int.from_bytes(file.read(4) if prefix == _CONTINUATION else prefix, "little")
    if not length:
        return None
    metadata = file.read(length)
    body = file.tell()
    message = _Table(metadata, struct.unpack_from("<I", metadata)[0])
    end, kind = body + message.integer(_BODY), message.byte(_KIND)
    if end < body:
        raise EOFError
    if kind not in (_OF_DICTIONARY, _OF_ROWS):
        return _Message(end)
    header = message.table(_HEADER)
    batch = header.table(_DATA) if kind == _OF_DICTIONARY else header
    count = batch.integer(_LENGTH)
    unpacked = sum(_unpacked(batch, file, body))
    return _Message(end, unpacked, count, count if kind == _OF_ROWS else 0)


def _unpacked(batch: _Table, file: BinaryIO, body: int) -> Iterator[int]:
    """Yield the length that each compressed buffer claims to have; it stands in front of it."""
    place = batch.place(_BUFFERS)
    if not place or not batch.place(_COMPRESSION):
        return
    vector = batch.target(place)
    (count,) = struct.unpack_from("<I", batch.data, vector)
    for i in range(count):
        offset, length = _BUFFER.unpack_from(batch.data, vector + 4 + i * _BUFFER.size)
        if length:
            file.seek(body + offset)
            (claimed,) = struct.unpack("<q", file.read(8))
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

    def byte(self, field: int) -> int:
        place = self.place(field)
        return self.data[place] if place else 0

    def integer(self, field: int) -> int:
        place = self.place(field)
        return struct.unpack_from("<q", self.data, place)[0] if place else 0
