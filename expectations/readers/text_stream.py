"""The bytes of a text file as UTF-8, in pieces: unpacked, decoded, without byte order mark."""

from __future__ import annotations

import bz2
import codecs
import gzip
import io
import re
import zipfile
import zlib
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, cast

import pyarrow as pa

from ..batch.batch import UnreadableError
from ..batch.query import unreadable
from ..batch.reading import Reading, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator
    from pathlib import Path

    from ..contract.policy import CsvDialect

CHUNK = 4 << 20
# Each piece costs each column anew: of long lines it holds more, up to so many times as much.
_LINES, _TIMES = 1_000, 2
_UTF8 = ("utf-8", "utf-8-sig")
# The longer marks first: that of UTF-32 in little endian begins with that of UTF-16.
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What the unpackers and decoders raise at content that is none of theirs, or breaks off.
_BROKEN = (
    *(EOFError, OSError, zlib.error, zipfile.BadZipFile, pa.ArrowException),
    *(RuntimeError, NotImplementedError, UnicodeError),
)


def pieces_of(path: Path, dialect: CsvDialect, first: int | None = None) -> Iterator[bytes]:
    """Read a file, never more than a piece at once.

    Args:
        path: The file, plain or compressed; an archive holds one file.
        dialect: Says how it is encoded, and which character escapes others.
        first: Bytes in the first piece, unpacked; ``CHUNK`` if None, as in others of short lines.

    Yields:
        Pieces of UTF-8, cut anywhere between two characters or, where the file is UTF-8 itself,
        between two bytes.

    Raises:
        UnreadableError: The content breaks off, or is not text in the stated encoding.
    """
    with _opened(path) as (stream, position):
        pieces = _told(path, _unpacked(stream, first or CHUNK), position)
        if codecs.lookup(dialect.encoding).name in _UTF8:
            pieces = _without_mark(pieces)
        else:
            pieces = _decoded(pieces, dialect.encoding)
        yield from _unescaped(pieces, dialect) if dialect.escape else pieces


@contextmanager
def _opened(path: Path) -> Generator[tuple[BinaryIO, Callable[[], int]]]:
    with path.open("rb") as file:
        start = file.read(_LONGEST_MAGIC)
        file.seek(0)
        unpack = next((u for magic, u in _UNPACKERS.items() if re.match(magic, start)), None)
        with _content_errors():
            stream = unpack(file) if unpack else file
        yield stream, file.tell


def _told(path: Path, pieces: Iterator[bytes], position: Callable[[], int]) -> Iterator[bytes]:
    for piece in pieces:
        tell(Reading(path, position=position()))
        yield piece


def _unpacked(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while True:
        with _content_errors():
            piece = stream.read(size)
        if not piece:
            return
        yield piece
        line = len(piece) // (1 + piece.count(b"\n"))
        size = min(max(CHUNK, line * _LINES), _TIMES * CHUNK)


@contextmanager
def _content_errors() -> Generator[None]:
    try:
        yield
    except _BROKEN as error:
        observed = "content that breaks off or cannot be decoded"
        remedy = "Have the producer write it again; policy csv.encoding names the encoding."
        raise unreadable(error, observed, remedy) from error


def _without_mark(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for number, piece in enumerate(pieces):
        if number:
            yield piece
            continue
        named = next((name for mark, name in _FOREIGN_MARKS.items() if piece.startswith(mark)), "")
        if named:
            observed = f"text in {named}"
            raise UnreadableError(observed, f"Set policy csv.encoding: {named}.")
        yield piece.removeprefix(codecs.BOM_UTF8)


def _decoded(pieces: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    decoder, is_start = codecs.getincrementaldecoder(encoding)(), True
    for piece in chain(pieces, [None]):
        with _content_errors():
            text = decoder.decode(piece or b"", final=piece is None)
            if is_start and text:
                # The codecs of UTF-16 remove the mark, unless they are told the byte order.
                is_start, text = False, text.removeprefix("\ufeff")
            encoded = text.encode()
        if encoded:
            yield encoded


def _unescaped(pieces: Iterable[bytes], dialect: CsvDialect) -> Iterator[bytes]:
    """Write quotes that are escaped as RFC 4180 does, doubled; and escaped escapes as one."""
    escape, quote = dialect.escape.encode(), dialect.quote.encode()
    meant = {escape + quote: quote * 2, escape * 2: escape}
    pattern = re.compile(b"|".join(map(re.escape, meant)), re.DOTALL)
    trailing = re.compile(b"(?:%s)+\\Z" % re.escape(escape))
    rest = b""
    for piece in pieces:
        piece = rest + piece  # noqa: PLW2901 - what the last one left over belongs to it
        found = trailing.search(piece)
        cut = len(piece) - (found is not None and len(found[0]) % 2)
        rest = piece[cut:]
        yield pattern.sub(lambda match: meant[match[0]], piece[:cut])
    if rest:
        yield rest


def open_archive(file: BinaryIO) -> zipfile.ZipFile:
    """Open a zip archive; its library takes a disk that fails for content that is no archive."""
    try:
        return zipfile.ZipFile(file)
    except zipfile.BadZipFile:
        file.seek(max(file.seek(0, 2) - _ARCHIVE_TAIL, 0))
        if b"PK\5\6" in file.read() and file.seek(0) == 0:
            return zipfile.ZipFile(file)
        raise


def _of_archive(file: BinaryIO) -> BinaryIO:
    archive = open_archive(file)
    members = [member for member in archive.infolist() if not member.is_dir()]
    if len(members) != 1:
        observed = f"an archive of {len(members):,} files"
        raise UnreadableError(observed, "Deliver one file in each archive, or a folder of files.")
    return cast("BinaryIO", archive.open(members[0]))


def _of_zstd(file: BinaryIO) -> BinaryIO:
    packed: Any = file
    unpacked: Any = pa.CompressedInputStream(packed, "zstd")
    return cast("BinaryIO", io.BufferedReader(unpacked))


# First bytes -> how to unpack the file.
_UNPACKERS: dict[bytes, Callable[[BinaryIO], Any]] = {
    rb"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    rb"BZh[1-9](1AY&SY|\x17rE8P\x90)": bz2.BZ2File,
    rb"\x28\xb5\x2f\xfd": _of_zstd,
    rb"PK\x03\x04": _of_archive,
}
_LONGEST_MAGIC = 10
# The directory of an archive ends there, behind it a comment at most.
_ARCHIVE_TAIL = 22 + 65_535
