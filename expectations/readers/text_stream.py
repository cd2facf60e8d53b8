"""The bytes of a CSV file as UTF-8, in pieces: gzip, byte order marks and encodings undone."""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from typing import TYPE_CHECKING, BinaryIO, cast

from ..batch.batch import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ..contract.policy import CsvDialect

CHUNK = 2 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_BOM = "\ufeff"
_UTF8 = ("utf-8", "utf-8-sig")
# The longer marks first: that of UTF-32 in little endian begins with that of UTF-16.
_FOREIGN_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_LONGEST_MARK = max(map(len, _FOREIGN_MARKS))


def pieces_of(path: Path, dialect: CsvDialect, first: int | None = None) -> Iterator[bytes]:
    """Read a file, never more than a piece at once."""
    with _open(path, dialect) as stream:
        size = first or CHUNK
        while piece := _read(stream, size):
            yield piece
            size = CHUNK


def _read(stream: BinaryIO, size: int) -> bytes:
    try:
        return stream.read(size)
    except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
        first = str(error).splitlines()[0]
        observed = "content that breaks off or cannot be decoded"
        remedy = "Have the producer write it again; policy csv.encoding names the encoding."
        raise UnreadableError(observed, remedy, quoted=first) from error


def _open(path: Path, dialect: CsvDialect) -> BinaryIO:
    with path.open("rb") as file:
        zipped = file.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
    opened = gzip.open(path) if zipped else path.open("rb")  # noqa: SIM115 - the caller closes it
    stream = cast("BinaryIO", opened)
    if codecs.lookup(dialect.encoding).name not in _UTF8:
        return cast("BinaryIO", _Transcoded(stream, dialect.encoding))
    start = _read(stream, _LONGEST_MARK)
    stream.seek(len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0)
    named = next((name for mark, name in _FOREIGN_MARKS.items() if start.startswith(mark)), None)
    if named:
        stream.close()
        observed = f"text in {named}"
        raise UnreadableError(observed, f"Set policy csv.encoding: {named}.")
    return stream


class _Transcoded(io.RawIOBase):
    """A stream in any encoding, read as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._text = io.TextIOWrapper(stream, encoding=encoding, newline="")
        self._start = True

    def read(self, size: int = -1, /) -> bytes:
        text = self._text.read(size)
        if self._start:
            # The codecs of UTF-16 remove the mark, unless they are told the byte order.
            self._start, text = False, text.removeprefix(_BOM) or self._text.read(size)
        return text.encode()

    def close(self) -> None:
        self._text.close()
        super().close()
