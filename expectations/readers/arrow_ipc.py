"""Arrow IPC files and streams, read record batch by record batch; never mapped into memory.

A mapped file that somebody shortens ends the whole process; one that is read comes to a verdict.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.types as is_
from pyarrow import ipc

from ..batch.arrow_compat import functions, is_readable, is_wrapped, python_values, readable
from ..batch.batch import Batch, EmptyFileError, UnreadableError, file_facts
from ..batch.columns import RESERVED, ROW, exact_col, scan_names, without_reserved
from ..batch.query import REDELIVER, unreadable
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
_BROKEN = (
    *(pa.ArrowException, OSError, EOFError, UnicodeDecodeError, struct.error, IndexError),
    *(pl.exceptions.PolarsError, pl.exceptions.PanicException),
)
_CLOSE = "Have the producer close the writer, which marks the end, and deliver each file by itself."
_SMALLER = "Have the producer write smaller record batches."


def open_arrow(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open an Arrow IPC file, Feather included, or an Arrow IPC stream, by its metadata alone."""
    with path.open("rb") as file:
        start = file.read(len(_FILE))
    if not start:
        observed = "a file of zero bytes"
        raise EmptyFileError(observed, REDELIVER)
    if start[: len(_FEATHER_1)] == _FEATHER_1:
        remedy = "Have the producer write Feather version 2, which is Arrow's own file format."
        observed = "a Feather file of version 1"
        raise UnreadableError(observed, remedy)
    stored = _Stored(path, is_stream=start != _FILE)
    schema, rows = stored.header()
    arriving = without_reserved(schema)
    sources = scan_names(arriving)
    positions = [i for i, name in enumerate(schema.names) if name not in RESERVED]
    targets = target_columns(arriving.names, contract, policy)
    _refuse_unwrapped(arriving, [column is not None for column in targets], policy)
    objects = {
        source: ObjectColumn(source, column.type, ParseOptions(policy))
        for source, kind, column in zip(sources, arriving.types, targets, strict=True)
        if column and isinstance(column.type, Anything) and not is_readable(kind)
    }
    reader = _Reader(stored, arriving, rows, dict(zip(sources, positions, strict=True)), objects)
    return Batch(
        info=file_facts(path, "arrow", arriving),
        schema=arriving,
        sources=sources,
        scan=reader.scan,
        rows=rows,
        objects={source: column.cells for source, column in objects.items()},
    )


def _refuse_unwrapped(schema: pa.Schema, is_used: Sequence[bool], policy: Policy) -> None:
    for column, used in zip(schema, is_used, strict=True):
        name = policy.rename.get(column.name, column.name)
        if (used or name in policy.keep) and not is_wrapped(column.type):
            observed = f"{column.type}, of which PyArrow, by which the gate reads, has no arrays"
            remedy = f"Deliver {column.name!r} as integers or as text."
            raise UnreadableError(observed, remedy, kind="type_mismatch")


@dataclass(frozen=True)
class _Stored:
    path: Path
    is_stream: bool

    def header(self) -> tuple[pa.Schema, int]:
        try:
            rows = self._examine()
            with pa.OSFile(str(self.path), "rb") as source:
                reader: Any = (ipc.open_stream if self.is_stream else ipc.open_file)(source)
                return _with_names(reader.schema), rows
        except _BROKEN as error:
            raise self._unreadable(error) from error

    def _examine(self) -> int:
        """Refuse what would take too much, or would not be read whole; count the rows."""
        with self.path.open("rb") as file:
            walk = walk_stream(file) if self.is_stream else walk_file(file)
            size = file.seek(0, 2)
        if walk.unpacked > max(_MUCH, _MANIFOLD * size):
            observed = f"a record batch that unpacks into {walk.unpacked >> 20:,} MiB"
            raise UnreadableError(observed, _SMALLER)
        if walk.longest > _MOST_ROWS:
            observed = f"a record batch that claims {walk.longest:,} rows"
            raise UnreadableError(observed, _SMALLER)
        if not walk.ended:
            observed = "a stream without the mark of its end"
            raise UnreadableError(observed, _CLOSE)
        if walk.beyond:
            # Of files that were put together only one would be read.
            observed = f"{walk.beyond:,} bytes more than its own parts make"
            raise UnreadableError(observed, _CLOSE)
        return walk.rows

    def batches(self, positions: Sequence[int]) -> Iterator[pa.RecordBatch]:
        """Read the columns at these positions; those that the file has keep its order."""
        try:
            with pa.OSFile(str(self.path), "rb") as source:
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

    def _unreadable(self, error: BaseException) -> BaseException:
        kind = "stream" if self.is_stream else "file"
        observed = f"{self.path.stat().st_size:,} bytes that are no whole Arrow {kind}"
        return unreadable(error, observed)


def _rows_in_piece(batch: pa.RecordBatch) -> int:
    """Take fewer rows where they repeat long values of a dictionary: each is written out."""
    longest = 0
    for i, kind in enumerate(batch.schema.types):
        if is_.is_dictionary(kind) and _is_text(kind.value_type):
            column: Any = batch.column(i)
            longest += functions().max(functions().binary_length(column.dictionary)).as_py() or 0
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
    rows: int
    positions: dict[str, int]
    objects: dict[str, ObjectColumn] = field(default_factory=dict[str, ObjectColumn])

    def scan(self) -> pl.LazyFrame:
        names = list(self.positions)
        empty = pa.Table.from_batches([], schema=self.schema).rename_columns(names)
        dtypes = pl.DataFrame(self._typed(empty)).schema
        objects = {n: t for column in self.objects.values() for n, t in column.dtypes.items()}
        schema = pl.Schema({ROW: pl.Int64(), **dtypes, **objects})
        return lazy_stream(self._frames, schema, self.stored.path, self.rows)

    def _frames(self, columns: list[str]) -> Iterator[pl.DataFrame]:
        owners = {n: s for s, column in self.objects.items() for n in column.dtypes}
        wanted = {owners.get(name, name) for name in columns if name != ROW}
        names, first = sorted(wanted, key=self.positions.__getitem__), 0
        for batch in self.stored.batches([self.positions[name] for name in names]):
            rows = np.arange(first, first + batch.num_rows)
            first += len(rows)
            # Without a name the batch has one column all the same, which says how many rows.
            table = pa.Table.from_batches([batch]).select(range(len(names))).rename_columns(names)
            series = [pl.Series(ROW, rows, pl.Int64), *self._typed(table)]
            for name in names:
                if name in self.objects:
                    series += self.objects[name].series(python_values(table[name]), columns)
            yield pl.DataFrame(series).select(map(exact_col, columns))

    def _typed(self, table: pa.Table) -> list[pl.Series]:
        names = [name for name in table.column_names if name not in self.objects]
        frame = cast("pl.DataFrame", pl.from_arrow(readable(table.select(names))))
        return frame.get_columns()
