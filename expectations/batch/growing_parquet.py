"""A Parquet file that grows piece by piece, and widens its columns when a piece needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.types as is_

from ..documents import flush
from .columns import ROW

if TYPE_CHECKING:
    from pathlib import Path


class GrowingParquet:
    """Write tables of like columns into one file, whose types are the narrowest that hold all.

    A model may return integers for one piece and floats, or nothing but nulls, for the next. What
    was written before is then rewritten in the wider type, in bounded memory.
    """

    def __init__(self, path: Path, metadata: dict[str, str]) -> None:
        """Name the file and what its own metadata says; nothing is written yet.

        Args:
            path: The file.
            metadata: Keys and values for the file's schema.
        """
        self._path = path
        self._metadata = metadata
        self._schema = pa.schema([])
        self._writer: pq.ParquetWriter | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._writer:
            self._writer.close()
            flush(self._path)

    def write(self, table: pa.Table) -> None:
        """Append a table.

        Args:
            table: Rows with the columns of those before; the first may lack some if it is empty.

        Raises:
            pyarrow.ArrowInvalid: No type holds the values of all tables without loss.
            pyarrow.ArrowTypeError: No type holds the values of all tables.
            OSError: The disk does not take it.
        """
        needed = table.schema.remove_metadata()
        if self._writer is None:
            self._open(needed)
        elif needed != self._schema:
            wider = pa.unify_schemas([self._schema, needed], promote_options="permissive")
            if wider != self._schema:
                self._rewrite(wider)
            table = table.cast(self._schema)
        # A row group without rows has no statistics, and without those of all nothing is proven.
        if self._writer and table.num_rows:
            self._writer.write_table(table.replace_schema_metadata(self._metadata))

    def _open(self, schema: pa.Schema) -> None:
        self._schema = schema
        described = schema.with_metadata(self._metadata)
        # A dictionary of floats or of numbered rows saves nothing, and takes most of the time.
        repeated = [f.name for f in schema if f.name != ROW and not is_.is_floating(f.type)]
        numbers = {ROW: "DELTA_BINARY_PACKED"} if ROW in schema.names else None
        options: Any = {"use_dictionary": repeated, "column_encoding": numbers}
        self._writer = pq.ParquetWriter(self._path, described, compression="zstd", **options)

    def _rewrite(self, wider: pa.Schema) -> None:
        if self._writer:
            self._writer.close()
        narrow = self._path.rename(self._path.with_suffix(".narrow"))
        self._open(wider)
        with pq.ParquetFile(narrow) as file:
            for batch in file.iter_batches():
                table = pa.Table.from_batches([batch]).cast(wider)
                if self._writer:
                    self._writer.write_table(table.replace_schema_metadata(self._metadata))
        narrow.unlink()
