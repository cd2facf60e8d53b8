"""Parquet batches: schema and statistics from the footer, rows by Polars' streaming reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq

from .arrivals import RESERVED
from .batch import (
    Batch,
    UnreadableError,
    file_facts,
    numbered,
    sources_of,
    without_reserved,
)
from .footer import Footer
from .interchange import is_readable, readable
from .streams import lazy_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_REDELIVER = "Have the producer write the file again, and deliver it by rename once it is complete."


_ROWS = 65_536
_FULL, _NO_INSTANT = 2**63 - 1, -(2**63)


def open_parquet(path: Path) -> Batch:
    """Open a Parquet file by its footer alone.

    Args:
        path: The file.

    Returns:
        The batch, with row count and statistics.

    Raises:
        UnreadableError: Not a Parquet file, or a truncated one.
    """
    try:
        with pq.ParquetFile(path) as file:
            metadata, schema = file.metadata, file.schema_arrow
    except (pa.ArrowException, OSError) as error:
        if isinstance(error, PermissionError):
            raise
        raise UnreadableError(_why(path, error), _REDELIVER) from error
    arrived = without_reserved(schema)
    return Batch(
        facts=file_facts(path, "parquet", arrived),
        schema=arrived,
        sources=sources_of(arrived),
        scan=_Scan(path, schema, _int96(path, metadata)),
        rows=metadata.num_rows,
        footer=Footer(metadata),
    )


def _why(path: Path, error: Exception) -> str:
    size = path.stat().st_size
    if size == 0:
        return "a file of zero bytes"
    first = str(error).splitlines()[0]
    return f"{size:,} bytes that are no whole Parquet file ({first})"


def _int96(path: Path, metadata: pq.FileMetaData) -> tuple[str, ...]:
    """Name the columns of 96-bit timestamps that Polars reads as nanoseconds."""
    leaves = [metadata.schema.column(i) for i in range(metadata.num_columns)]
    names = [leaf.path for leaf in leaves if leaf.physical_type == "INT96"]
    dtypes = pl.read_parquet_schema(path) if names else {}
    return tuple(name for name in names if dtypes.get(name) == pl.Datetime("ns"))


@dataclass(frozen=True)
class _Scan:
    path: Path
    schema: pa.Schema
    int96: tuple[str, ...]

    def __call__(self) -> pl.LazyFrame:
        names = self.schema.names
        if len(set(names)) < len(names) or not all(map(is_readable, self.schema.types)):
            return numbered(self._through_arrow(), [])
        # Polars' filters trust lying statistics and drop rows from both sides of a split.
        lazy = pl.scan_parquet(self.path, use_statistics=False, glob=False, hive_partitioning=False)
        return numbered(lazy.with_columns(map(_out_of_range_if_full, self.int96)), names)

    def _through_arrow(self) -> pl.LazyFrame:
        """Read what Polars refuses, repeated names and some types, through Arrow."""
        sources = sources_of(without_reserved(self.schema))
        positions = [i for i, name in enumerate(self.schema.names) if name not in RESERVED]

        def frame(table: pa.Table, columns: Sequence[str]) -> pl.DataFrame:
            named = table.select(positions).rename_columns(list(sources))
            return cast("pl.DataFrame", pl.from_arrow(readable(named.select(columns))))

        def pieces(columns: list[str]) -> Iterator[pl.DataFrame]:
            with pq.ParquetFile(self.path, coerce_int96_timestamp_unit="us") as file:
                for part in file.iter_batches(_ROWS):
                    yield frame(pa.Table.from_batches([part]), columns)

        return lazy_stream(pieces, frame(self.schema.empty_table(), sources).schema)


def _out_of_range_if_full(name: str) -> pl.Expr:
    """Mark the instants that Polars could not decode: it gives them the last nanosecond there is.

    Writers of 96-bit timestamps have a wider range than 64 bits of nanoseconds. The smallest
    number stands for no instant, so judging finds it out of range.
    """
    nanoseconds = pl.col(name).to_physical()
    marked = pl.when(nanoseconds == _FULL).then(_NO_INSTANT).otherwise(nanoseconds)
    return marked.cast(pl.Datetime("ns")).alias(name)
