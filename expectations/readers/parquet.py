"""Parquet batches: schema and statistics from the footer, rows by Polars, else by Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial
from itertools import accumulate, chain, pairwise
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ..batch.arrow_compat import is_readable, out_of_range_if_full, readable
from ..batch.arrow_types import count_leaves, has_fixed_lists
from ..batch.batch import Batch, EmptyFileError, UnreadableError, file_facts
from ..batch.columns import RESERVED, ROW, exact_col, scan_names, with_row_number, without_reserved
from ..batch.query import READ_ERRORS, REDELIVER, is_os_error, unreadable
from ..batch.statistics import Footer
from ..batch.streaming import lazy_stream, read_ahead
from .parquet_footer import MUCH, contradiction, refuse_large_pages, unpacked_limit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_ROWS, _TOGETHER, _BUFFER, _CELL, _MUCH_AT_ONCE = 65_536, 262_144, 2**20, 8, 64 << 20
_BROKEN = (pa.ArrowException, *READ_ERRORS, UnicodeDecodeError)
_CORRECT_WRITER = "Have it written again by a current version of the producer's library."
_ANOTHER = "another file than the one that was opened, with other columns or other content"
_PLAIN = "Have the producer write plain encodings and timestamps of 64 bits."


def open_parquet(path: Path) -> Batch:
    """Open a Parquet file by its footer alone, with row count and statistics."""
    if path.stat().st_size == 0:
        observed = "a file of zero bytes"
        raise EmptyFileError(observed, REDELIVER)
    if observed := contradiction(path):
        raise UnreadableError(observed, _remedy_for(observed))
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except _BROKEN as error:
        observed = f"{path.stat().st_size:,} bytes that are no whole Parquet file"
        if "encrypted" in str(error):
            observed = "a file that is encrypted"
        raise unreadable(error, observed) from error
    arriving = without_reserved(schema)
    return Batch(
        info=file_facts(path, "parquet", arriving),
        schema=arriving,
        sources=scan_names(arriving),
        scan=ParquetScan(path, schema, metadata, _polars_schema(path)),
        rows=metadata.num_rows,
        footer=Footer(metadata),
    )


def _remedy_for(contradiction: str) -> str:
    if "encrypted" in contradiction:
        return "Deliver it unencrypted."
    return REDELIVER if contradiction.startswith("no whole") else _CORRECT_WRITER


def _polars_schema(path: Path) -> pl.Schema | None:
    """Read the schema as Polars does; None if it refuses what Arrow takes."""
    try:
        return scan_by_polars(path).collect_schema()
    except READ_ERRORS as error:
        if is_os_error(error):
            raise
        return None


def scan_by_polars(source: Any, **options: Any) -> pl.LazyFrame:
    """Scan Parquet files by what is in their pages alone."""
    # With lying statistics Polars' filters drop rows from both sides of a split.
    safe = {"use_statistics": False, "glob": False, "hive_partitioning": False}
    return pl.scan_parquet(source, **safe, **options)


@dataclass(frozen=True)
class ParquetScan:
    """Rows by Polars, and by Arrow what Polars refuses, cannot decode, or would unpack at once."""

    path: Path
    schema: pa.Schema
    metadata: pq.FileMetaData
    polars_schema: pl.Schema | None

    def __call__(self) -> pl.LazyFrame:
        """Scan it, and tell how far it is read."""
        return lazy_stream(self._frames, self.dtypes, self.path, self.metadata.num_rows)

    @cached_property
    def dtypes(self) -> pl.Schema:
        """The types of what it scans."""
        dtypes = self._arrow_dtypes if self._needs_arrow else self._polars_dtypes
        return pl.Schema({ROW: pl.Int64(), **dtypes})

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read row group after row group, if that gives the very types that the scan does.

        Polars reads several row groups ahead of a slow consumer, and Arrow, asked for all of a
        file, as far as it can: a gibibyte where one row group after the other takes a tenth.
        """
        by_polars = not self._needs_arrow and self._largest_group <= MUCH
        if not (by_polars or self._needs_arrow or self._is_alike):
            return None
        read = self._by_polars if by_polars else self._by_arrow
        return (frame.lazy() for frame in read([ROW, *self._positions], rows))

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows by Polars, those of large row groups one after the other."""
        if self._needs_arrow or self._swells:
            return None
        rows = with_row_number(self._in_range, self.schema.names)
        runs = [rows.slice(first, height) for first, height in places]
        return iter([pl.concat(runs)] if runs and self._largest_group > _MUCH_AT_ONCE else runs)

    def is_like(self, other: ParquetScan) -> bool:
        """Tell whether Polars alone reads it, and finds the columns of another."""
        others_too = self._needs_arrow or self._swells or self._int96
        return not others_too and self.polars_schema == other.polars_schema

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        if self._swells:
            refuse_large_pages(self.path, self.metadata, self._leaves_of(columns))
        return self._by_arrow(columns, _ROWS) if self._needs_arrow else self._by_polars(columns)

    @cached_property
    def _needs_arrow(self) -> bool:
        names = self.schema.names
        refused = len({*names, ""}) <= len(names) or not all(map(is_readable, self.schema.types))
        return self.polars_schema is None or refused or (self._swells and self._suits_arrow)

    @property
    def _suits_arrow(self) -> bool:
        # Of lists of a fixed size Arrow reads none that is null, and of INT96 fewer instants.
        return not self._int96 and not any(map(has_fixed_lists, self.schema.types))

    @property
    def _is_alike(self) -> bool:
        return self._suits_arrow and self._arrow_dtypes == self._polars_dtypes

    @cached_property
    def _swells(self) -> bool:
        """Tell whether a row group unpacks into far more than all of the file.

        One value may stand for a billion rows. Polars unpacks row groups whole, Arrow in pieces.
        """
        return self._largest_group > unpacked_limit(self.path)

    @cached_property
    def _largest_group(self) -> int:
        groups = (self.metadata.row_group(i) for i in range(self.metadata.num_row_groups))
        sizes = (max(g.total_byte_size, g.num_rows * _CELL * g.num_columns) for g in groups)
        return max(sizes, default=0)

    @cached_property
    def _int96(self) -> tuple[str, ...]:
        """Name the columns of 96-bit timestamps that Polars reads as nanoseconds."""
        leaves = [self.metadata.schema.column(i) for i in range(self.metadata.num_columns)]
        names = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
        dtypes = self._polars_dtypes
        return tuple(name for name in names if dtypes.get(name) == pl.Datetime("ns"))

    @cached_property
    def _polars_dtypes(self) -> dict[str, pl.DataType]:
        dtypes = self.polars_schema or {}
        return {name: dtype for name, dtype in dtypes.items() if name not in RESERVED}

    @property
    def _in_range(self) -> pl.LazyFrame:
        return scan_by_polars(self.path).with_columns(map(out_of_range_if_full, self._int96))

    def _by_polars(self, columns: Sequence[str], rows: int | None = None) -> Iterator[pl.DataFrame]:
        """Read all at once, as far ahead as Polars does, or so many rows at a time at most."""
        done, opened, in_range = 0, self._state(), self._in_range

        def wanted(first: int = 0, height: int | None = None) -> pl.LazyFrame:
            part = in_range.slice(first, height) if rows else in_range
            row = pl.col(ROW).cast(pl.Int64) + first
            numbered = with_row_number(part, self.schema.names).with_columns(row)
            return numbered.select(map(exact_col, columns))

        def read(first: int, height: int | None) -> pl.DataFrame:
            part = wanted(first, height).collect(engine="streaming")
            if self._state() != opened:
                raise UnreadableError(_ANOTHER, REDELIVER)
            return part

        try:
            if in_range.collect_schema() != self.polars_schema:
                raise UnreadableError(_ANOTHER, REDELIVER)
            if rows:
                reads = (partial(read, *part) for part in self._parts(rows))
                frames = chain.from_iterable(p.iter_slices(rows) for p in read_ahead(reads))
            else:
                frames = wanted().collect_batches(maintain_order=True, engine="streaming")
            for frame in frames:
                yield frame
                done += frame.height
        except READ_ERRORS as error:
            if is_os_error(error) or isinstance(error, UnreadableError):
                raise
            yield from self._rest_by_arrow(columns, done, error, rows or _ROWS)

    def _parts(self, rows: int) -> Iterator[tuple[int, int | None]]:
        """Say where as few row groups as have enough rows begin, and how many rows they have."""
        first = height = 0
        for group in range(self.metadata.num_row_groups):
            height += self.metadata.row_group(group).num_rows
            if height >= min(rows, _TOGETHER):
                yield first, height
                first, height = first + height, 0
        yield first, None

    def _state(self) -> tuple[int, int, int]:
        stat = self.path.stat()  # each part opens the file by its name
        return stat.st_ino, stat.st_size, stat.st_mtime_ns

    def _rest_by_arrow(
        self, columns: Sequence[str], done: int, failed: BaseException, rows: int
    ) -> Iterator[pl.DataFrame]:
        """Read on by Arrow, which knows more encodings, unless it gives other types."""
        first = 0
        for frame in self._by_arrow(columns, rows):
            if self._is_alike:
                yield frame.slice(min(max(done - first, 0), frame.height))
            first += frame.height
        if not self._is_alike:
            observed = "content that Polars, with which the gate reads, cannot decode"
            raise unreadable(failed, observed, _PLAIN) from failed

    @cached_property
    def _positions(self) -> dict[str, int]:
        """Where each column of the scan stands in the file."""
        arriving = [i for i, name in enumerate(self.schema.names) if name not in RESERVED]
        return dict(zip(scan_names(without_reserved(self.schema)), arriving, strict=True))

    @cached_property
    def _arrow_dtypes(self) -> dict[str, pl.DataType]:
        empty = pa.Table.from_batches([], schema=self.schema)
        table = empty.select(list(self._positions.values()))
        named = table.rename_columns(list(self._positions))
        return dict(cast("pl.DataFrame", pl.from_arrow(readable(named))).schema)

    def _by_arrow(self, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
        sources = [name for name in columns if name != ROW]
        arguments: Any = {"coerce_int96_timestamp_unit": "us", "buffer_size": _BUFFER}
        first = 0
        try:
            with pq.ParquetFile(self.path, **arguments) as file:
                for part in self._record_batches(file, sources, rows):
                    row = pl.int_range(first, first + part.num_rows, dtype=pl.Int64, eager=True)
                    yield self._frame(part, sources, row.alias(ROW))[list(columns)]
                    first += part.num_rows
        except _BROKEN as error:
            raise unreadable(error) from error

    def _record_batches(
        self, file: pq.ParquetFile, sources: Sequence[str], rows: int
    ) -> Iterator[pa.RecordBatch]:
        if not file.schema_arrow.equals(self.schema):
            raise UnreadableError(_ANOTHER, REDELIVER)
        leaves = self._leaves_of(sources)
        for group in range(file.num_row_groups):
            missing = file.metadata.row_group(group).num_rows
            # The public method takes names, which may repeat.
            for part in file.reader.iter_batches(
                rows, row_groups=[group], column_indices=leaves, use_threads=True
            ):
                missing -= part.num_rows
                yield part
            if missing:  # of which Arrow says nothing
                observed = f"pages that lack {missing:,} of the rows that the footer counts"
                raise UnreadableError(observed, REDELIVER)

    def _frame(self, part: pa.RecordBatch, sources: Sequence[str], row: pl.Series) -> pl.DataFrame:
        if not sources:
            return row.to_frame()
        in_file = sorted(sources, key=self._positions.__getitem__)
        table = pa.Table.from_batches([part])
        if table.num_columns > len(in_file):
            table = table.select(sorted(self._positions[name] for name in in_file))
        frame = cast("pl.DataFrame", pl.from_arrow(readable(table.rename_columns(in_file))))
        return frame.insert_column(frame.width, row)

    def _leaves_of(self, sources: Sequence[str]) -> list[int]:
        """Number the stored columns of some columns; all of them where Arrow counts differently."""
        counts = list(map(count_leaves, self.schema.types))
        if sum(counts) != self.metadata.num_columns:
            return list(range(self.metadata.num_columns))
        ranges = [range(*ends) for ends in pairwise(accumulate(counts, initial=0))]
        positions = sorted(self._positions[name] for name in sources if name != ROW)
        # One column at least, because it tells how many rows there are.
        return [leaf for position in positions or [0] for leaf in ranges[position]]
