"""Arrow IPC files and streams: mapped into memory, and read record batch by record batch."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as is_
from pyarrow import ipc

from ..batch.arrow_compat import is_readable, pc, readable
from ..batch.batch import Batch, UnreadableError, file_facts
from ..batch.columns import RESERVED, ROW, exact_col, scan_names, without_reserved
from ..batch.streaming import lazy_stream
from ..conform.objects.column import ObjectColumn, target_columns
from ..conform.objects.scalars import ParseOptions
from ..contract.types import Anything
from .ipc_messages import walk_file, walk_stream

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..contract.contract import Contract
    from ..contract.policy import Policy

_FILE, _FEATHER_1 = b"ARROW1", b"FEA1"
_ROWS = 262_144
# A message is unpacked whole, so a small file may not claim much; nor may columns that take no
# bytes, such as those of nulls, claim rows without end.
_MUCH, _MANIFOLD = 256 << 20, 32
_MOST_ROWS = 2**31
# Text of one piece, and of one record batch, each value counted as often as it is repeated.
_PIECE_TEXT, _MOST_TEXT = 64 << 20, 64 << 30
# What Arrow and the walk over its messages raise for content that is not as the format has it.
_BROKEN = (pa.ArrowException, OSError, EOFError, UnicodeDecodeError, struct.error)
_CLOSE = "Have the producer close the writer, which marks the end, and deliver each file by itself."
_SMALLER = "Have the producer write smaller record batches."
_REDELIVER = "Have the producer write the file again, and deliver it by rename once it is complete."


def open_arrow(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open an Arrow IPC file, Feather included, or an Arrow IPC stream, by its schema alone."""
    with path.open("rb") as file:
        start = file.read(len(_FILE))
    if start[: len(_FEATHER_1)] == _FEATHER_1:
        remedy = "Have the producer write Feather version 2, which is Arrow's own file format."
        observed = "a Feather file of version 1"
        raise UnreadableError(observed, remedy)
    stored = _Stored(path, is_stream=start != _FILE)
    schema, rows = stored.header()
    arrived = without_reserved(schema)
    sources = scan_names(arrived)
    positions = [i for i, name in enumerate(schema.names) if name not in RESERVED]
    served = target_columns(arrived.names, contract, policy)
    objects = {
        source: ObjectColumn(source, column.type, ParseOptions(policy))
        for source, kind, column in zip(sources, arrived.types, served, strict=True)
        if column and isinstance(column.type, Anything) and not is_readable(kind)
    }
    reader = _Reader(stored, arrived, dict(zip(sources, positions, strict=True)), objects)
    return Batch(
        info=file_facts(path, "arrow", arrived),
        schema=arrived,
        sources=sources,
        scan=reader.scan,
        rows=rows,
        objects={source: column.cells for source, column in objects.items()},
    )


@dataclass(frozen=True)
class _Stored:
    path: Path
    is_stream: bool

    def header(self) -> tuple[pa.Schema, int | None]:
        try:
            with pa.memory_map(str(self.path)) as source:
                if self.is_stream:
                    schema = _with_names(ipc.open_stream(source).schema)
                    self._examine(source)
                    return schema, None
                reader = ipc.open_file(source)
                self._examine(source)
                first = ipc.open_file(source, options=_only([0]))
                batches = range(reader.num_record_batches)
                rows = sum(first.get_batch(i).num_rows for i in batches)
                return _with_names(reader.schema), rows
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _examine(self, source: Any) -> None:
        found = walk_stream(source) if self.is_stream else walk_file(source)
        if found.unpacked > max(_MUCH, _MANIFOLD * source.size()):
            observed = f"a record batch that unpacks into {found.unpacked >> 20:,} MiB"
            raise UnreadableError(observed, _SMALLER)
        if found.rows > _MOST_ROWS:
            observed = f"a record batch that claims {found.rows:,} rows"
            raise UnreadableError(observed, _SMALLER)
        if not found.ended:
            observed = "a stream without the mark of its end"
            raise UnreadableError(observed, _CLOSE)
        if found.beyond:
            # Of files that were put together only one would be read.
            observed = f"{found.beyond:,} bytes more than its own parts make"
            raise UnreadableError(observed, _CLOSE)

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Read the columns at these positions; those that the file has keep its order."""
        try:
            with pa.memory_map(str(self.path)) as source:
                for batch in self._batches(source, _only(positions or [0])):
                    # Nothing else guards against content that points outside of itself.
                    batch.validate(full=True)
                    yield from pa.Table.from_batches([batch]).to_batches(_rows_in_piece(batch))
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _batches(self, source: Any, options: Any) -> Iterator[pa.RecordBatch]:
        if self.is_stream:
            yield from ipc.open_stream(source, options=options)
            return
        reader = ipc.open_file(source, options=options)
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)

    def _unreadable(self, error: Exception) -> Exception:
        if isinstance(error, PermissionError):
            return error
        size = self.path.stat().st_size
        if size == 0:
            return UnreadableError("a file of zero bytes", _REDELIVER)
        first = str(error).splitlines()[0]
        kind = "stream" if self.is_stream else "file"
        observed = f"{size:,} bytes that are no whole Arrow {kind}"
        return UnreadableError(observed, _REDELIVER, quoted=first)


def _rows_in_piece(batch: pa.RecordBatch) -> int:
    """Take fewer rows where they repeat long values of a dictionary: each is written out."""
    longest = 0
    for column in batch.columns:
        if isinstance(column, pa.DictionaryArray) and _is_text(column.type.value_type):
            longest += pc.max(pc.binary_length(column.dictionary)).as_py() or 0
    if longest * batch.num_rows > _MOST_TEXT:
        observed = f"{batch.num_rows:,} rows of values of up to {longest >> 20:,} MiB"
        raise UnreadableError(observed, "Have the producer write each of these values once.")
    return min(_ROWS, max(1, _PIECE_TEXT // max(longest, 1)))


def _is_text(kind: pa.DataType) -> bool:
    texts = (is_.is_string, is_.is_large_string, is_.is_binary, is_.is_large_binary)
    return any(test(kind) for test in texts)


def _with_names(schema: pa.Schema) -> pa.Schema:
    """Decode the names, at any depth, while an error still means an unreadable file."""
    kinds = [(field.name, field.type)[1] for field in schema]
    while kinds:
        kind: Any = kinds.pop()
        if pa.types.is_dictionary(kind):
            kinds.append(kind.value_type)
        children = [kind.field(i) for i in range(kind.num_fields)]
        kinds += [(child.name, child.type)[1] for child in children]
    return schema


def _only(positions: Sequence[int]) -> Any:
    return ipc.IpcReadOptions(included_fields=sorted(positions), use_threads=False)


@dataclass(frozen=True)
class _Reader:
    stored: _Stored
    schema: pa.Schema
    positions: dict[str, int]
    objects: dict[str, ObjectColumn] = field(default_factory=dict[str, ObjectColumn])

    def scan(self) -> pl.LazyFrame:
        names = list(self.positions)
        empty = pa.Table.from_batches([], schema=self.schema).rename_columns(names)
        dtypes = pl.DataFrame(self._typed(empty)).schema
        objects = {n: t for column in self.objects.values() for n, t in column.dtypes.items()}
        return lazy_stream(self._frames, pl.Schema({ROW: pl.Int64(), **dtypes, **objects}))

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        owners = {n: s for s, column in self.objects.items() for n in column.dtypes}
        wanted = {owners.get(name, name) for name in columns if name != ROW}
        names, first = sorted(wanted, key=self.positions.__getitem__), 0
        for batch in self.stored.batches([self.positions[name] for name in names]):
            rows = np.arange(first, first + batch.num_rows)
            first += len(rows)
            # Without a name the batch has one column all the same, which says how many rows.
            arrays = [batch.column(i) for i in range(len(names))]
            table = pa.Table.from_arrays(arrays, names=names)
            made = [pl.Series(ROW, rows, pl.Int64), *self._typed(table)]
            for name in names:
                if name in self.objects:
                    made += self.objects[name].series(table[name].to_pylist(), columns)
            yield pl.DataFrame(made).select(map(exact_col, columns))

    def _typed(self, table: pa.Table) -> list[pl.Series]:
        names = [name for name in table.column_names if name not in self.objects]
        frame = cast("pl.DataFrame", pl.from_arrow(readable(table.select(names))))
        return frame.get_columns()
