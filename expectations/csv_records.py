"""CSV batches: records told apart by their bytes, cells as text, malformed records set aside.

Readers that guess types, fill short records or drop surplus fields change data before anybody can
judge it. Here a record is what RFC 4180 says: fields between delimiters, quotes around whole
fields and doubled inside them. Where quotes and delimiters stand is found chunk by chunk with
numpy; well-formed records go to Polars as text, the others become rows that say what is wrong.
"""

from __future__ import annotations

import codecs
import gzip
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, cast

import numpy as np
import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from .arrivals import RESERVED
from .batch import ROW, Batch, UnreadableError, file_facts, sources_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from .policy import CsvDialect

FAULT = "_fault"
_CHUNK = 8 << 20
_LONGEST_RECORD = 64 << 20
_GZIP_MAGIC = b"\x1f\x8b"
_NEWLINE, _RETURN = 10, 13
_FOREIGN_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


def open_csv(path: Path, dialect: CsvDialect) -> Batch:
    """Open a CSV file by its header alone.

    Args:
        path: The file, plain or gzip.
        dialect: How it is written.

    Returns:
        The batch, every column of it text.

    Raises:
        UnreadableError: No header, or bytes that are not text in the stated encoding.
    """
    names = _header(path, dialect)
    kept = [i for i, name in enumerate(names) if name not in RESERVED]
    arrived = pa.schema([pa.field(names[i], pa.string()) for i in kept])
    sources = sources_of(arrived)
    reader = _Reader(path, dialect, len(names), dict(zip(kept, sources, strict=True)))
    return Batch(
        facts=file_facts(path, "csv", arrived),
        schema=arrived,
        sources=sources,
        scan=reader.scan,
        text=True,
        faults=FAULT,
    )


def _header(path: Path, dialect: CsvDialect) -> list[str]:
    for chunk in _chunks(path, dialect):
        records = _Records(chunk, dialect)
        first = chunk[: int(records.ends[0])] if len(records.ends) else chunk
        frame = _as_text(first, [str(i) for i in range(_width(records))], dialect)
        cells = [cell or "" for cell in frame.row(0)]
        return cells if dialect.header else [str(i) for i in range(len(cells))]
    observed = "no header: the file is empty"
    raise UnreadableError(observed, "Have the producer write the header line even without rows.")


def _width(records: _Records) -> int:
    return int(records.fields[0]) if len(records.fields) else 1


@dataclass(frozen=True)
class _Reader:
    path: Path
    dialect: CsvDialect
    width: int
    sources: dict[int, str]

    def scan(self) -> pl.LazyFrame:
        texts = dict.fromkeys(self.sources.values(), pl.String())
        schema = pl.Schema({ROW: pl.Int64(), **texts, FAULT: pl.String()})
        return register_io_source(self._read, schema=schema)

    def _read(
        self, columns: list[str] | None, predicate: pl.Expr | None, _rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        for frame in self._frames():
            wanted = frame if columns is None else frame.select(columns)
            yield wanted if predicate is None else wanted.filter(predicate)

    def _frames(self) -> Iterator[pl.DataFrame]:
        row, header = 0, self.dialect.header
        for chunk in _chunks(self.path, self.dialect):
            records = _Records(chunk, self.dialect)
            faults = _faults(records, self.width)
            if header:
                faults, header = {**faults, 0: _SKIP}, False
            frame = self._frame(records, faults).with_columns(pl.col(ROW) + row)
            row += frame.height
            yield frame

    def _frame(self, records: _Records, faults: dict[int, str]) -> pl.DataFrame:
        good = _as_text(records.without(faults), [str(i) for i in range(self.width)], self.dialect)
        expected = len(records.ends) - len(faults)
        if good.height != expected:
            observed = f"{good.height:,} records where its line ends and quotes make {expected:,}"
            raise UnreadableError(observed, "Write the file by RFC 4180, or deliver Parquet.")
        texts = good.select(pl.col(str(i)).alias(name) for i, name in self.sources.items())
        positions = np.delete(np.arange(len(records.ends)), list(faults))
        placed = texts.insert_column(0, pl.Series(ROW, positions, pl.Int64))
        malformed = pl.DataFrame(
            [(i, why) for i, why in faults.items() if why != _SKIP],
            schema={ROW: pl.Int64, FAULT: pl.String},
            orient="row",
        )
        together = pl.concat([placed, malformed], how="diagonal").sort(ROW)
        # Lines without any character hold no record and are not counted.
        renumbered = pl.int_range(pl.len(), dtype=pl.Int64).alias(ROW)
        return together.select(renumbered, *self.sources.values(), FAULT)


_SKIP = ""


class _Records:
    """Where each record of a chunk ends, and how many fields it has."""

    def __init__(self, chunk: bytes, dialect: CsvDialect) -> None:
        self.chunk = chunk
        data = np.frombuffer(chunk, np.uint8)
        self.quotes = np.flatnonzero(data == ord(dialect.quote)) if dialect.quote else _NONE
        self.ends = self._outside(np.flatnonzero(data == _NEWLINE)) + 1
        if len(data) and (not len(self.ends) or self.ends[-1] != len(data)):
            self.ends = np.append(self.ends, len(data))
        self.starts = np.concatenate([[0], self.ends[:-1]]).astype(np.int64)
        self.delimiters = self._outside(np.flatnonzero(data == ord(dialect.delimiter)))
        self.fields = np.diff(np.searchsorted(self.delimiters, self.ends), prepend=0) + 1
        self.data = data

    def _outside(self, positions: NDArray[np.int64]) -> NDArray[np.int64]:
        if not len(self.quotes):
            return positions
        return positions[np.searchsorted(self.quotes, positions) % 2 == 0]

    def of(self, positions: NDArray[np.int64]) -> list[int]:
        """Say in which record each byte position lies."""
        return np.unique(np.searchsorted(self.ends, positions, "right")).tolist()

    def blank(self) -> list[int]:
        lengths = self.ends - self.starts
        returns = (lengths == 2) & (self.data[self.starts] == _RETURN)  # noqa: PLR2004 - "\r\n"
        newlines = (lengths == 1) & (self.data[self.starts] == _NEWLINE)
        return np.flatnonzero(returns | newlines).tolist()

    def stray_quotes(self) -> list[int]:
        """Find records with a quote that neither opens nor closes a field, nor doubles another."""
        if not len(self.quotes):
            return []
        padded = np.concatenate([[_NEWLINE], self.data, [_NEWLINE]])
        before, after = padded[self.quotes], padded[self.quotes + 2]
        opens = np.arange(len(self.quotes)) % 2 == 0
        edges = [_NEWLINE, _RETURN, *np.unique(self.data[self.delimiters])]
        doubled = np.zeros(len(self.quotes), bool)
        adjacent = np.diff(self.quotes) == 1
        doubled[1:] |= adjacent & opens[1:]
        doubled[:-1] |= adjacent & ~opens[:-1]
        proper = np.where(opens, np.isin(before, edges), np.isin(after, edges)) | doubled
        return self.of(self.quotes[~proper])

    def without(self, left_out: dict[int, str]) -> bytes:
        if not left_out:
            return self.chunk
        keep = np.ones(len(self.ends), bool)
        keep[list(left_out)] = False
        pairs = zip(self.starts[keep].tolist(), self.ends[keep].tolist(), strict=True)
        return b"".join(self.chunk[start:end] for start, end in pairs)


_NONE = np.empty(0, np.int64)


def _faults(records: _Records, width: int) -> dict[int, str]:
    wrong = np.flatnonzero(records.fields != width)
    faults = {
        int(i): f"{records.fields[i]} fields where the header has {width}" for i in wrong.tolist()
    }
    faults |= dict.fromkeys(records.stray_quotes(), "a quote inside an unquoted field")
    faults |= dict.fromkeys(_not_utf8(records), "bytes that are not text in the file's encoding")
    # A blank line is no record, except in a file of one column, where it is a null.
    return faults | (dict.fromkeys(records.blank(), _SKIP) if width > 1 else {})


def _not_utf8(records: _Records) -> list[int]:
    positions, start = list[int](), 0
    while True:
        try:
            records.chunk[start:].decode()
        except UnicodeDecodeError as error:
            record = records.of(np.array([start + error.start]))[0]
            positions.append(record)
            start = int(records.ends[record])
        else:
            return positions


def _as_text(data: bytes, names: list[str], dialect: CsvDialect) -> pl.DataFrame:
    schema = dict.fromkeys(names, pl.String)
    if not data:
        return pl.DataFrame(schema=schema)
    return pl.read_csv(
        data,
        schema=schema,
        has_header=False,
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
    )


def _chunks(path: Path, dialect: CsvDialect) -> Iterator[bytes]:
    """Yield the file as UTF-8 in pieces of whole records."""
    rest = b""
    with _open(path, dialect) as stream:
        for piece in _pieces(stream):
            data = rest + piece
            whole = _end_of_whole_records(data, dialect)
            if len(data) - whole > _LONGEST_RECORD:
                raise _unclosed(dialect)
            rest = data[whole:]
            if whole:
                yield data[:whole]
    if rest and dialect.quote and rest.count(dialect.quote.encode()) % 2:
        raise _unclosed(dialect)
    if rest:
        yield rest


def _unclosed(dialect: CsvDialect) -> UnreadableError:
    observed = f"a quote ({dialect.quote}) that is never closed and swallows the rest of the file"
    remedy = "Close it, or double the quotes inside the field, and deliver the file again."
    return UnreadableError(observed, remedy, kind="malformed_row")


def _end_of_whole_records(data: bytes, dialect: CsvDialect) -> int:
    end = data.rfind(b"\n") + 1
    if not dialect.quote:
        return end
    quote = dialect.quote.encode()
    inside = data.count(quote, 0, end) % 2
    while inside:
        # The last line end lies inside quotes: step back to the one before the quote that opened.
        end = data.rfind(b"\n", 0, data.rfind(quote, 0, end)) + 1
        inside = data.count(quote, 0, end) % 2
    return end


def _pieces(stream: BinaryIO) -> Iterator[bytes]:
    while True:
        try:
            piece = stream.read(_CHUNK)
        except (EOFError, zlib.error, gzip.BadGzipFile, UnicodeError) as error:
            first = str(error).splitlines()[0]
            observed = f"content that breaks off or cannot be decoded ({first})"
            remedy = "Have the producer write it again; policy csv.encoding names the encoding."
            raise UnreadableError(observed, remedy) from error
        if not piece:
            return
        yield piece


def _open(path: Path, dialect: CsvDialect) -> BinaryIO:
    with path.open("rb") as file:
        start = file.read(3)
    opened = gzip.open(path) if start[:2] == _GZIP_MAGIC else path.open("rb")  # noqa: SIM115 - the caller closes it
    stream = cast("BinaryIO", opened)
    if codecs.lookup(dialect.encoding).name not in ("utf-8", "utf-8-sig"):
        return cast("BinaryIO", _Transcoded(stream, dialect.encoding))
    if start[:2] in _FOREIGN_MARKS:
        stream.close()
        named = _FOREIGN_MARKS[start[:2]]
        observed = f"text in {named}"
        raise UnreadableError(observed, f"Set policy csv.encoding: {named}.")
    if start == codecs.BOM_UTF8:
        stream.read(3)
    return stream


class _Transcoded(io.RawIOBase):
    """A stream in any encoding, read as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        super().__init__()
        self._text = io.TextIOWrapper(stream, encoding=encoding, newline="")

    def read(self, size: int = -1, /) -> bytes:
        return self._text.read(size).encode()

    def close(self) -> None:
        self._text.close()
        super().close()
