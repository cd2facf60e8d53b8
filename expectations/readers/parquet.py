"""Parquet batches: schema and statistics from the footer, rows by Polars' streaming reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from ..batch.arrow_compat import is_readable, readable
from ..batch.batch import Batch, UnreadableError, file_facts
from ..batch.columns import RESERVED, ROW, exact_col, scan_names, with_row_number, without_reserved
from ..batch.query import READ_ERRORS
from ..batch.statistics import Footer
from ..batch.streaming import lazy_stream
from .parquet_footer import contradiction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_REDELIVER = "Have the producer write the file again, and deliver it by rename once it is complete."


_ROWS, _BUFFER = 65_536, 2**20
_CELL, _MUCH, _MANIFOLD = 8, 256 << 20, 32
_FULL, _NO_INSTANT = 2**63 - 1, -(2**63)


def open_parquet(path: Path) -> Batch:
    """Open a Parquet file by its footer alone."""
    if observed := contradiction(path):
        encrypted = "Deliver it unencrypted." if "encrypted" in observed else _REDELIVER
        raise UnreadableError(observed, encrypted)
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        if isinstance(error, PermissionError | FileNotFoundError):
            raise
        raise _unreadable(path, error) from error
    arrived = without_reserved(schema)
    try:
        scan = _Scan(path, schema, _int96(path, metadata), _swells(path, metadata))
        # Polars reads the footer for itself, and refuses some that PyArrow takes.
        scan().collect_schema()
    except READ_ERRORS as error:
        raise _unreadable(path, error) from error
    return Batch(
        info=file_facts(path, "parquet", arrived),
        schema=arrived,
        sources=scan_names(arrived),
        scan=scan,
        rows=metadata.num_rows,
        footer=Footer(metadata),
    )


def _unreadable(path: Path, error: Exception) -> UnreadableError:
    size = path.stat().st_size
    if size == 0:
        return UnreadableError("a file of zero bytes", _REDELIVER)
    first = str(error).splitlines()[0]
    if "encrypted" in first:
        return UnreadableError("a file that is encrypted", _REDELIVER)
    observed = f"{size:,} bytes that are no whole Parquet file"
    return UnreadableError(observed, _REDELIVER, quoted=first)


def _int96(path: Path, metadata: pq.FileMetaData) -> tuple[str, ...]:
    """Name the columns of 96-bit timestamps that Polars reads as nanoseconds."""
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    dtypes = pl.read_parquet_schema(path) if names else {}
    return tuple(name for name in names if dtypes.get(name) == pl.Datetime("ns"))


def _swells(path: Path, metadata: pq.FileMetaData) -> bool:
    """Tell whether a row group unpacks into far more than all of the file.

    One value may stand for a billion rows. Polars unpacks row groups whole, Arrow in pieces.
    """
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    unpacked = max(
        (max(g.total_byte_size, g.num_rows * _CELL * g.num_columns) for g in groups), default=0
    )
    return unpacked > max(_MUCH, _MANIFOLD * path.stat().st_size)


@dataclass(frozen=True)
class _Scan:
    path: Path
    schema: pa.Schema
    int96: tuple[str, ...]
    swells: bool = False

    def __call__(self) -> pl.LazyFrame:
        names = self.schema.names
        foreign = len(set(names)) < len(names) or not all(map(is_readable, self.schema.types))
        if foreign or (self.swells and self._suits_arrow):
            return with_row_number(self._through_arrow(), [])
        # Polars' filters trust lying statistics and drop rows from both sides of a split.
        lazy = pl.scan_parquet(self.path, use_statistics=False, glob=False, hive_partitioning=False)
        return with_row_number(lazy.with_columns(map(_out_of_range_if_full, self.int96)), names)

    @property
    def _suits_arrow(self) -> bool:
        # Of lists of a fixed size Arrow reads none that is null, and of INT96 fewer instants.
        return not self.int96 and not any(map(_has_fixed_lists, self.schema.types))

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece through Arrow, if that gives the very types that Polars' scan does.

        Polars reads several row groups ahead of a slow consumer, and Arrow, asked for all of a
        file, as far as it can: a gibibyte where one row group after the other takes a tenth.
        """
        sources = scan_names(without_reserved(self.schema))
        usual = self().collect_schema()
        if not self._suits_arrow or self._frame(
            self.schema.empty_table(), sources
        ).schema != pl.Schema({name: dtype for name, dtype in usual.items() if name != ROW}):
            return None
        return self._numbered_pieces(sources, rows)

    def _numbered_pieces(self, sources: Sequence[str], rows: int) -> Iterator[pl.LazyFrame]:
        first = 0
        for frame in self._pieces(sources, rows):
            yield frame.lazy().select(pl.int_range(first, first + pl.len()).alias(ROW), pl.all())
            first += frame.height

    def _through_arrow(self) -> pl.LazyFrame:
        """Read what Polars refuses, repeated names and some types, or would unpack all at once."""
        sources = scan_names(without_reserved(self.schema))
        schema = self._frame(self.schema.empty_table(), sources).schema
        return lazy_stream(lambda columns: self._pieces(columns, _ROWS), schema)

    def _frame(self, table: pa.Table, columns: Sequence[str]) -> pl.DataFrame:
        sources = scan_names(without_reserved(self.schema))
        positions = [i for i, name in enumerate(self.schema.names) if name not in RESERVED]
        named = table.select(positions).rename_columns(list(sources))
        return cast("pl.DataFrame", pl.from_arrow(readable(named.select(columns))))

    def _pieces(self, columns: Sequence[str], rows: int) -> Iterator[pl.DataFrame]:
        arguments: Any = {"coerce_int96_timestamp_unit": "us", "buffer_size": _BUFFER}
        try:
            with pq.ParquetFile(self.path, **arguments) as file:
                for group in range(file.num_row_groups):
                    missing = file.metadata.row_group(group).num_rows
                    for part in file.iter_batches(rows, row_groups=[group]):
                        missing -= part.num_rows
                        yield self._frame(pa.Table.from_batches([part]), columns)
                    if missing:  # of which Arrow says nothing
                        observed = f"pages that lack {missing:,} of the rows that the footer counts"
                        raise UnreadableError(observed, _REDELIVER)
        except pa.ArrowException as error:
            raise _unreadable(self.path, error) from error


def _has_fixed_lists(kind: pa.DataType) -> bool:
    children = (kind.field(i).type for i in range(kind.num_fields))
    return pa.types.is_fixed_size_list(kind) or any(map(_has_fixed_lists, children))


def _out_of_range_if_full(name: str) -> pl.Expr:
    """Mark the instants that Polars could not decode: it gives them the last nanosecond there is.

    Writers of 96-bit timestamps have a wider range than 64 bits of nanoseconds. The smallest
    number stands for no instant, so judging finds it out of range.
    """
    nanoseconds = exact_col(name).to_physical()
    marked = pl.when(nanoseconds == _FULL).then(_NO_INSTANT).otherwise(nanoseconds)
    return marked.cast(pl.Datetime("ns")).alias(name)
