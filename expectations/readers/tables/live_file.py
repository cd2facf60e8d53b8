"""One file of a table: it is opened when its footer or its rows are first needed.

Its columns are those of the table, whatever names and types the file has for them. What can be read
where it lies is; where rows were deleted, or values must become those of another type, the live
rows are written to a file of their own first.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import finalize

import pyarrow as pa
import pyarrow.parquet as pq

from ...batch.batch import Batch, OpenedBatch, UnreadableError
from ...batch.columns import ROW, exact_col
from ...batch.query import REDELIVER, unreadable
from ...batch.streaming import ReadAtPlaces, ReadInPieces, WithColumns
from ...verdict.verdict import BatchInfo
from ..parquet import open_parquet
from .columns import TableColumns  # noqa: TC001

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from ...batch.statistics import ColumnStatistics, Statistics, TableStatistics

_STILL_THERE = "Hand in a version of the table whose files are still there."


class LiveRows(NamedTuple):
    """The live rows of a file, under the names and in the types of the table.

    Attributes:
        scan: Scans them; further columns of the file may stand beside.
        rows: How many there are.
        footer: What the footer knows.
        names: Under which name the footer knows each column that the file has as it is.
        is_copy: Whether they were written to a file of their own.
    """

    scan: Callable[[], pl.LazyFrame]
    rows: int
    footer: Statistics | None
    names: Mapping[str, str]
    is_copy: bool = False


@dataclass(frozen=True, eq=False)
class LiveFile:
    """A file that one version of a table lists.

    Attributes:
        columns: The table's.
        name: By which violations name it.
        place: Its path, or its URI elsewhere.
        size: Its bytes, as the table's log has them.
        client: Reads its live rows by the table's own client, or as it would.
        path: Where it can be read as it is; None if only the client can read it.
        rows: Its rows, deleted ones included, as the log has them; None if it does not say.
        deleted: Whether rows of it were deleted since.
        table: What the log says of its columns.
        constants: Columns that have one value in all rows, which the log has and the file has not.
    """

    columns: TableColumns
    name: str
    place: str
    size: int
    client: Callable[[], Iterator[pa.RecordBatch]]
    path: Path | None
    rows: int | None = None
    deleted: bool = False
    table: TableStatistics | None = None
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def batch(self) -> Batch:
        """Describe the file; it is opened now only if the log does not say how many rows live.

        Raises:
            UnreadableError: It is gone, or another one.
        """
        self._refuse_if_replaced()
        stated, columns = None if self.deleted else self.rows, self.columns
        return Batch(
            info=BatchInfo(
                name=self.name,
                format="parquet",
                uri=self.place,
                bytes=self.size,
                columns=columns.described,
            ),
            schema=columns.schema,
            sources=columns.sources,
            scan=LiveScan(self),
            rows=self.live.rows if stated is None else stated,
            table=None if self.deleted else self.table,
            footer=_LiveFooter(self),
        )

    def _refuse_if_replaced(self) -> None:
        try:
            size = self.path.stat().st_size if self.path else self.size
        except FileNotFoundError as error:
            raise _gone() from error
        if size != self.size:
            observed = f"a file of {size:,} bytes where the table's log has {self.size:,}"
            raise UnreadableError(observed, _STILL_THERE)

    @cached_property
    def live(self) -> LiveRows:
        """Open it.

        Raises:
            UnreadableError: It is gone, another one, or cannot be read.
        """
        try:
            return self._in_place() or self._spooled()
        except FileNotFoundError as error:
            raise _gone() from error
        except pa.ArrowException as error:
            raise unreadable(error) from error

    def _in_place(self) -> LiveRows | None:
        if self.path is None:
            return None
        batch = open_parquet(self.path)
        if self.rows not in (None, batch.rows):
            observed = f"a file of {batch.rows:,} rows where the table's log has {self.rows:,}"
            raise UnreadableError(observed, REDELIVER)
        made = None if self.deleted else self.columns.made_of(batch, self.constants)
        if made is None:
            return None
        names = {name: source for name, source, _ in made if source is not None}
        stage = self.columns.stage(made)
        scan = WithColumns(batch.scan, stage) if stage else batch.scan
        return LiveRows(scan, batch.rows or 0, batch.footer, names)

    def _spooled(self) -> LiveRows:
        """Write the live rows to a file that goes away with the last scan of it."""
        folder = Path(mkdtemp(prefix="signature-gate-"))
        try:
            path = folder / "live.parquet"
            with pq.ParquetWriter(path, self.columns.schema) as writer:
                for rows in self.client():
                    writer.write_batch(self.columns.cast(rows))
            batch = open_parquet(path)
        except BaseException:
            rmtree(folder)
            raise
        finalize(batch.scan, rmtree, folder, ignore_errors=True)
        names = dict(zip(self.columns.sources, batch.sources, strict=True))
        return LiveRows(batch.scan, batch.rows or 0, batch.footer, names, is_copy=True)


def _gone() -> UnreadableError:
    observed = "a file that the table lists and that is gone, as after a vacuum"
    return UnreadableError(observed, _STILL_THERE)


@dataclass(frozen=True)
class LiveScan:
    """Scans the live rows of a file, and no columns but the table's."""

    file: LiveFile

    @property
    def dtypes(self) -> pl.Schema:
        """The types of what it scans."""
        return self.file.columns.dtypes

    def __call__(self) -> pl.LazyFrame:
        """Scan it, opening the file if it is not open."""
        return self._of_table(self.file.live.scan())

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece, if the file can be."""
        scan = self.file.live.scan
        pieces = scan.pieces(rows) if isinstance(scan, ReadInPieces) else None
        return None if pieces is None else map(self._of_table, pieces)

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, if those of the file can be."""
        scan = self.file.live.scan
        found = scan.places(places) if isinstance(scan, ReadAtPlaces) else None
        return None if found is None else map(self._of_table, found)

    def _of_table(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(map(exact_col, (ROW, *self.file.columns.sources)))


@dataclass(frozen=True)
class _LiveFooter:
    file: LiveFile

    def statistics(self, name: str) -> ColumnStatistics | None:
        with suppress(UnreadableError, OSError):  # of which the scan tells
            live = self.file.live
            source = live.names.get(name)
            return live.footer.statistics(source) if live.footer and source else None
        return None


def open_live(
    files: Iterable[LiveFile], columns: TableColumns, name: str, written_as: str, uri: str
) -> OpenedBatch:
    """Make a batch of the files of a table."""
    batches, broken, sizes = list[Batch](), list[tuple[str, UnreadableError]](), list[int]()
    for file in files:
        sizes.append(file.size)
        try:
            batches.append(file.batch())
        except UnreadableError as error:
            broken.append((file.name, error))
    info = BatchInfo(
        name=name,
        format=written_as,
        uri=uri,
        bytes=sum(sizes),
        columns=columns.described,
        files=len(sizes),
    )
    if not sizes:
        batches = [Batch(info, columns.schema, columns.sources, columns.dtypes.to_frame().lazy, 0)]
    return OpenedBatch(info, tuple(batches), tuple(broken))
