"""Parquet batches: schema and statistics from the footer, rows by Polars' streaming reader."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from polars.io.plugins import register_io_source

from .batch import (
    Batch,
    UnreadableError,
    file_facts,
    numbered,
    sources_of,
    without_reserved,
)
from .footer import Footer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REDELIVER = "Have the producer write the file again, and deliver it by rename once it is complete."


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
        scan=_Scan(path, schema),
        rows=metadata.num_rows,
        footer=Footer(metadata),
    )


def _why(path: Path, error: Exception) -> str:
    size = path.stat().st_size
    if size == 0:
        return "a file of zero bytes"
    first = str(error).splitlines()[0]
    return f"{size:,} bytes that are no whole Parquet file ({first})"


@dataclass(frozen=True)
class _Scan:
    path: Path
    schema: pa.Schema

    def __call__(self) -> pl.LazyFrame:
        names = self.schema.names
        if len(set(names)) < len(names):
            return numbered(self._through_arrow(), [])
        # Polars' filters trust lying statistics and drop rows from both sides of a split.
        lazy = pl.scan_parquet(self.path, use_statistics=False, glob=False, hive_partitioning=False)
        return numbered(lazy, names)

    def _through_arrow(self) -> pl.LazyFrame:
        """Read a file with repeated column names, which Polars refuses, under distinct names."""
        sources = sources_of(without_reserved(self.schema))
        empty = pl.DataFrame(self._renamed(self.schema.empty_table(), sources))

        def read(
            columns: list[str] | None,
            predicate: pl.Expr | None,
            _rows: int | None,
            size: int | None,
        ) -> Iterator[pl.DataFrame]:
            with pq.ParquetFile(self.path) as file:
                for part in file.iter_batches(size or 65_536):
                    table = self._renamed(pa.Table.from_batches([part]), sources)
                    frame = pl.DataFrame(table).select(columns or pl.all())
                    yield frame if predicate is None else frame.filter(predicate)

        return register_io_source(read, schema=empty.schema)

    def _renamed(self, table: pa.Table, sources: tuple[str, ...]) -> pa.Table:
        kept = [
            i for i, name in enumerate(self.schema.names) if name not in ("_row", "_violations")
        ]
        return table.select(kept).rename_columns(list(sources))
