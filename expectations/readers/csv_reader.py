"""CSV batches: records told apart by their bytes, cells as text, malformed records set aside.

Readers that guess types, fill short records or drop surplus fields change data before anybody can
judge it. Here the layout of the bytes decides what a record is; well-formed records go to Polars
as text, the others become rows that say what is wrong. A cell without any character is null, a
quoted empty one is empty text. Lines without any character are no records, except in a file of
one column, where they are nulls.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa
from polars.selectors import by_name

from ..batch.batch import Batch, UnreadableError, file_facts
from ..batch.columns import FAULT, RESERVED, ROW, scan_names, unused_prefix
from ..batch.streaming import lazy_stream
from .csv_faults import malformed, reasons, told
from .csv_scanner import Layout
from .text_stream import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..contract.policy import CsvDialect
    from .csv_scanner import Mask

_FIRST_LOOK = 64 << 10
# Whole records are needed at once: without these bounds a small gzip file would take all memory.
LONGEST_RECORD = 16 << 20
MOST_COLUMNS = 100_000
_RFC = "Write the file by RFC 4180, or deliver Parquet."


def open_csv(path: Path, dialect: CsvDialect) -> Batch:
    """Open a CSV file by its header alone."""
    names = _header(path, dialect)
    kept = [i for i, name in enumerate(names) if name not in RESERVED]
    arrived = pa.schema([pa.field(names[i], pa.string()) for i in kept])
    sources = scan_names(arrived)
    places, fault = dict(zip(sources, kept, strict=True)), unused_prefix(sources, FAULT)
    reader = _Reader(path, dialect, len(names), places, fault)
    return Batch(
        info=file_facts(path, "csv", arrived),
        schema=arrived,
        sources=sources,
        scan=reader.scan,
        text=True,
        faults=fault,
    )


def _header(path: Path, dialect: CsvDialect) -> list[str]:
    for layout in _layouts(path, dialect, first=_FIRST_LOOK):
        position = _first_record(layout)
        if position is None:
            continue
        width = int(layout.fields[position])
        if width > MOST_COLUMNS:
            observed = f"{width:,} columns, which are more than {MOST_COLUMNS:,}"
            raise UnreadableError(observed, _RFC)
        if not dialect.header:
            return [str(i) for i in range(width)]
        _refuse_malformed(layout, position)
        cells = _as_text(layout.record(position), width, range(width), dialect).row(0)
        return [cell or "" for cell in cells]
    observed = "no header: the file is empty"
    raise UnreadableError(observed, "Have the producer write the header line even without rows.")


def _first_record(layout: Layout) -> int | None:
    """Find the first record with a character: lines above the header hold none."""
    filled = np.flatnonzero(~layout.blank())
    return int(filled[0]) if len(filled) else None


def _refuse_malformed(layout: Layout, position: int) -> None:
    record, width = layout.record(position), int(layout.fields[position])
    if b"\0" in record:
        observed = "a header with NUL bytes, which text in UTF-16 or UTF-32 has"
        raise UnreadableError(observed, "Set policy csv.encoding, to utf-16-le for example.")
    alone = np.arange(len(layout.ends)) == position
    faulty = malformed(layout, width) & alone
    observed = str(reasons(layout, faulty, width)[0]) if faulty.any() else ""
    if b"\r" in record.replace(b"\r\n", b""):
        observed = "carriage returns that end no line"
    if observed:
        observed = f"a header with {observed}"
        raise UnreadableError(observed, _RFC, kind="malformed_row")


@dataclass(frozen=True)
class _Reader:
    path: Path
    dialect: CsvDialect
    width: int
    places: dict[str, int]
    fault: str

    def scan(self) -> pl.LazyFrame:
        texts = dict.fromkeys(self.places, pl.String())
        schema = pl.Schema({ROW: pl.Int64(), **texts, self.fault: pl.String()})
        return lazy_stream(self._frames, schema)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        row, header = 0, self.dialect.header
        for layout in _layouts(self.path, self.dialect):
            skipped = layout.blank() if self.width > 1 else np.zeros(len(layout.ends), bool)
            if header:
                first = _first_record(layout)
                skipped[: None if first is None else first + 1] = True
                header = first is None
            yield self._frame(layout, skipped, columns, row)
            row += int(np.count_nonzero(~skipped))

    def _frame(self, layout: Layout, skipped: Mask, columns: list[str], row: int) -> pl.DataFrame:
        faulty = malformed(layout, self.width) & ~skipped
        texts = self._texts(layout.only(~(skipped | faulty)), columns)
        bad = faulty[~skipped]
        expected = int(np.count_nonzero(~bad))
        if texts.height != expected:
            observed = f"{texts.height:,} records where its line ends and quotes make {expected:,}"
            raise UnreadableError(observed, _RFC)
        rows = np.arange(row, row + len(bad))
        why = told(layout, faulty, self.width)
        parts = (
            texts.with_columns(pl.Series(ROW, rows[~bad], pl.Int64)),
            pl.DataFrame({ROW: pl.Series(rows[bad], dtype=pl.Int64), self.fault: why}),
        )
        return pl.concat(parts, how="diagonal").sort(ROW).select(by_name(columns))

    def _texts(self, data: bytes, columns: list[str]) -> pl.DataFrame:
        wanted = {self.places[name]: name for name in columns if name in self.places}
        # One column at least, because it tells how many records Polars sees.
        frame = _as_text(data, self.width, sorted(wanted) or [0], self.dialect)
        return frame.rename({str(i): name for i, name in wanted.items()})


def _as_text(data: bytes, width: int, wanted: Sequence[int], dialect: CsvDialect) -> pl.DataFrame:
    schema = {str(i): pl.String for i in range(width)}
    if not data:
        return pl.DataFrame(schema=schema)
    # Polars takes a first character U+FEFF for a byte order mark; those are gone by now.
    marked = data.startswith(codecs.BOM_UTF8)
    return pl.read_csv(
        codecs.BOM_UTF8 + data if marked else data,
        schema=schema,
        columns=list(wanted),
        has_header=False,
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
    )


def _layouts(path: Path, dialect: CsvDialect, first: int | None = None) -> Iterator[Layout]:
    """Yield the file in pieces of whole records."""
    rest = b""
    for piece in pieces_of(path, dialect, first):
        layout = Layout(rest + piece, dialect)
        rest = layout.data[layout.end :]
        if len(rest) > LONGEST_RECORD:
            raise _endless(layout, dialect)
        if layout.end:
            yield layout
    layout = Layout(rest, dialect, last=True)
    if layout.open:
        raise _endless(layout, dialect)
    if rest:
        yield layout


def _endless(layout: Layout, dialect: CsvDialect) -> UnreadableError:
    if not layout.open:
        observed = f"no line end within {LONGEST_RECORD >> 20} MiB"
        return UnreadableError(observed, _RFC, kind="malformed_row")
    observed = f"a quote ({dialect.quote}) that is never closed and swallows the rest of the file"
    remedy = "Close it, or double the quotes inside the field, and deliver the file again."
    return UnreadableError(observed, remedy, kind="malformed_row")
