"""CSV batches: records found in the bytes, cells as text, malformed records kept as such.

Readers that guess types, fill short records or drop surplus fields change data before anybody can
judge it. Here the layout of the bytes decides what a record is; well-formed records go to Polars
as text, the others become rows that say what is wrong. A cell without any character is null, a
quoted empty one is empty text. Lines without any character are no records, except in a file of
one column, where they are nulls.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pyarrow as pa

from ..batch.batch import Batch, EmptyFileError, UnreadableError, file_facts
from ..batch.columns import FAULT, RESERVED, ROW, scan_names, unused_prefix
from ..batch.streaming import lazy_stream
from .csv_scanner import Layout, described, malformed, reasons
from .text_stream import pieces_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..contract.contract import Contract
    from ..contract.policy import CsvDialect, Policy
    from .csv_scanner import Mask

_FIRST_LOOK = 64 << 10
# Whole records are needed at once: without these bounds a small gzip file would take all memory.
LONGEST_RECORD = 16 << 20
MOST_COLUMNS = 100_000
_RFC = "Write the file by RFC 4180, or deliver Parquet."
_DELIMITERS = {";": "';'", "\t": '"\\t"', "|": "'|'", ",": "','"}
# The first line by which a file tells Excel its delimiter.
_SEP_LINE = re.compile(rb'"?sep=(.)"?\r?\n', re.IGNORECASE)


def open_csv(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open a CSV file, plain or compressed, by its header alone; every column of it is text."""
    dialect = policy.csv.for_file(path.name)
    header = _read_header(path, dialect)
    names = list(header.names) if dialect.header else _by_position(header.width, contract, policy)
    _refuse_other_delimiter(names, dialect, contract, policy)
    arriving = [i for i, name in enumerate(names) if name not in RESERVED]
    schema = pa.schema([pa.field(names[i], pa.string()) for i in arriving])
    sources = scan_names(schema)
    positions, fault = dict(zip(sources, arriving, strict=True)), unused_prefix(sources, FAULT)
    reader = _Reader(path, dialect, header, positions, fault)
    return Batch(
        info=file_facts(path, "csv", schema),
        schema=schema,
        sources=sources,
        scan=reader.scan,
        text=True,
        faults=fault,
    )


@dataclass(frozen=True)
class _Header:
    """The first record: how many fields it has; its cells and bytes if it names the columns."""

    width: int
    names: tuple[str, ...] = ()
    record: bytes = b""


def _read_header(path: Path, dialect: CsvDialect) -> _Header:
    for layout in _layouts(path, dialect, first=_FIRST_LOOK):
        position = _first_record(layout)
        if position is None:
            continue
        width = int(layout.fields[position])
        if width > MOST_COLUMNS:
            observed = f"{width:,} columns, which are more than {MOST_COLUMNS:,}"
            raise UnreadableError(observed, _RFC)
        if not dialect.header:
            return _Header(width)
        _refuse_malformed(layout, position)
        record = layout.record(position)
        cells = _as_text(record, width, range(width), dialect).row(0)
        return _Header(width, tuple(cell or "" for cell in cells), record)
    observed = "no header: the file is empty"
    raise EmptyFileError(observed, "Have the producer write the header line even without rows.")


def _by_position(width: int, contract: Contract, policy: Policy) -> list[str]:
    """Name the columns of a file without header by the contract, or as ``rename`` numbers them."""
    numbers = [str(i) for i in range(width)]
    if not contract.named or any(number in policy.rename for number in numbers):
        return numbers
    names = [column.name for column in contract.columns][:width]
    return [*names, *numbers[len(names) :]]


def _refuse_other_delimiter(
    names: Sequence[str], dialect: CsvDialect, contract: Contract, policy: Policy
) -> None:
    """Refuse a single column whose name only another delimiter explains."""
    known = {*(column.name for column in contract.columns), *policy.rename, *policy.keep}
    if len(names) != 1 or names[0] in known or not contract.named:
        return
    for mark, in_yaml in _DELIMITERS.items():
        if mark in names[0] and mark != dialect.delimiter:
            observed = f"a header of one column with {in_yaml} in its name"
            remedy = f"Set policy csv.delimiter: {in_yaml}."
            raise UnreadableError(observed, remedy, kind="malformed_row")


def _first_record(layout: Layout) -> int | None:
    """Find the first record with a character: lines above the header hold none."""
    filled = np.flatnonzero(~layout.blank())
    return int(filled[0]) if len(filled) else None


def _refuse_malformed(layout: Layout, position: int) -> None:
    record, width = layout.record(position), int(layout.fields[position])
    if b"\0" in record:
        observed = "a header with NUL bytes, which text in UTF-16 or UTF-32 has"
        raise UnreadableError(observed, "Set policy csv.encoding, to utf-16-le for example.")
    if layout.undecodable[position]:
        observed = "a header with bytes that are not text in the stated encoding"
        remedy = "Set policy csv.encoding to that of the file, to cp1252 for example."
        raise UnreadableError(observed, remedy, kind="malformed_row")
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
    header: _Header
    positions: dict[str, int]
    fault: str

    @property
    def width(self) -> int:
        return self.header.width

    def scan(self) -> pl.LazyFrame:
        texts = dict.fromkeys(self.positions, pl.String())
        schema = pl.Schema({ROW: pl.Int64(), **texts, self.fault: pl.String()})
        return lazy_stream(self._frames, schema, self.path, by_row=True)

    def _frames(self, columns: list[str], chosen: pl.Expr | None = None) -> Iterator[pl.DataFrame]:
        row, in_header = 0, self.dialect.header
        for layout in _layouts(self.path, self.dialect):
            skipped = layout.blank() if self.width > 1 else np.zeros(len(layout.ends), bool)
            if in_header:
                first = _first_record(layout)
                skipped[: None if first is None else first + 1] = True
                in_header = first is None
            rows = pl.int_range(row, row + int(np.count_nonzero(~skipped)), eager=True).alias(ROW)
            row += len(rows)
            if chosen is None or rows.to_frame().filter(chosen).height:
                yield self._frame(layout, skipped, columns, rows)

    def _frame(
        self, layout: Layout, skipped: Mask, columns: list[str], rows: pl.Series
    ) -> pl.DataFrame:
        again = np.zeros(len(skipped), bool)
        if self.width > 1 and self.header.record:
            again = layout.equal_to(self.header.record) & ~skipped
        if not (skipped.any() or again.any()) and (texts := self._regular(layout)) is not None:
            return self._numbered(texts, columns, rows)
        faulty = (malformed(layout, self.width) | again) & ~skipped
        # One column at least, because it tells how many records Polars sees.
        wanted = sorted(self.positions[name] for name in columns if name in self.positions) or [0]
        data = layout.only(~(skipped | faulty))
        texts = _as_text(data, self.width, wanted, self.dialect)
        is_bad = pl.Series(faulty[~skipped])
        expected = int((~is_bad).sum())
        if texts.height != expected:
            observed = f"{texts.height:,} records where its line ends and quotes make {expected:,}"
            raise UnreadableError(observed, _RFC)
        good = self._numbered(texts, [*dict.fromkeys((ROW, *columns))], rows.filter(~is_bad))
        if expected == len(rows):
            return good[columns]
        faults = described(layout, faulty, self.width)
        bad = pl.DataFrame([rows.filter(is_bad), faults.alias(self.fault)])
        return pl.concat((good, bad), how="diagonal").sort(ROW)[columns]

    def _regular(self, layout: Layout) -> pl.DataFrame | None:
        """Read records without a look at each; None if one may be malformed."""
        if not layout.is_regular(self.width):
            return None
        try:
            # All columns, because only then does Polars refuse a record that is too long.
            texts = _as_text(layout.data[: layout.end], self.width, range(self.width), self.dialect)
        except pl.exceptions.PolarsError:
            return None
        return texts if texts.height == len(layout.ends) else None

    def _numbered(self, texts: pl.DataFrame, columns: list[str], rows: pl.Series) -> pl.DataFrame:
        faults = pl.repeat(None, len(rows), dtype=pl.String, eager=True)
        made = {ROW: rows, self.fault: faults}
        cells = (made[n] if n in made else texts[str(self.positions[n])] for n in columns)
        return pl.DataFrame([one.alias(n) for one, n in zip(cells, columns, strict=True)])


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
        separator=dialect.delimiter or ",",
        quote_char=dialect.quote or None,
    )


def _layouts(path: Path, dialect: CsvDialect, first: int | None = None) -> Iterator[Layout]:
    """Yield the file in pieces of whole records."""
    rest = b""
    for piece in _without_sep_line(pieces_of(path, dialect, first), dialect):
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


def _without_sep_line(pieces: Iterator[bytes], dialect: CsvDialect) -> Iterator[bytes]:
    start = next(pieces, b"")
    if line := _SEP_LINE.match(start):
        stated = line[1].decode("latin-1")
        if stated != dialect.delimiter:
            in_yaml = _DELIMITERS.get(stated, repr(stated))
            observed = f"a first line sep={stated}, which says that {in_yaml} is the delimiter"
            remedy = f"Set policy csv.delimiter: {in_yaml}."
            raise UnreadableError(observed, remedy, kind="malformed_row")
        start = start[line.end() :]
    return chain([start], pieces)


def _endless(layout: Layout, dialect: CsvDialect) -> UnreadableError:
    if not layout.open:
        observed = f"no line end within {LONGEST_RECORD >> 20} MiB"
        return UnreadableError(observed, _RFC, kind="malformed_row")
    observed = f"a quote ({dialect.quote}) that is never closed and swallows the rest of the file"
    remedy = "Close it, or double the quotes inside the field, and deliver the file again."
    return UnreadableError(observed, remedy, kind="malformed_row")
