"""One file of a table, in the columns of the table: opened when it is first needed.

What can be read where it lies is; where rows were deleted, or values must become those of another
type, the live rows are written to a file of their own first.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from ...batch.batch import Batch, OpenedBatch, UnreadableError, columns_of
from ...batch.query import REDELIVER, unreadable
from ...batch.streaming import ReadAtPlaces, ReadInPieces, WithColumns
from ...stores.downloads import new_download
from ...verdict.verdict import BatchInfo
from ..parquet import open_parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from ...batch.statistics import ColumnStatistics
    from .columns import TableColumns

_STILL_THERE = "Hand in a version of the table whose files are still there."


class Stored(Protocol):
    """A data file that can be read as it is, wherever it lies; FileNotFoundError if it is gone."""

    @property
    def size(self) -> int:
        """Its bytes."""
        ...

    def open(self) -> Batch:
        """Open it by its footer."""
        ...

    def whole(self) -> Path:
        """Say where all of it is on this machine."""
        ...


class OnDisk(NamedTuple):
    """A data file on a disk of this machine."""

    path: Path

    @property
    def size(self) -> int:
        """Its bytes."""
        return self.path.stat().st_size

    def open(self) -> Batch:
        """Open it by its footer."""
        return open_parquet(self.path)

    def whole(self) -> Path:
        """Say where it is."""
        return self.path


class _Opened(NamedTuple):
    batch: Batch
    scan: Callable[[], pl.LazyFrame]
    names: Mapping[str, str]  # column of the table -> as the batch has it
    is_copy: bool


@dataclass(frozen=True, eq=False)
class LiveFile:
    """A file that one version of a table lists; it scans the live rows, and knows the footer.

    Attributes:
        columns: The table's.
        name: By which violations name it.
        place: Its path, or its URI elsewhere.
        size: Its bytes, as the table's log has them.
        client: Reads its live rows as the table has them.
        file: How it is read as it is; None if only the client can read it.
        rows: Its rows, deleted ones included, as the log has them; None if it does not say.
        deleted: Whether rows of it were deleted since.
        known: What the log says of its columns.
        constants: Columns that have one value in all rows, which the log has and the file has not.
    """

    columns: TableColumns
    name: str
    place: str
    size: int
    client: Callable[[], Iterator[pa.RecordBatch]]
    file: Stored | None
    rows: int | None
    deleted: bool
    known: Mapping[str, ColumnStatistics]
    constants: Mapping[str, Any] = field(default_factory=dict[str, Any])

    def batch(self) -> Batch:
        """Describe it; it is opened now only if the log does not say how many rows live."""
        with _told():
            size = self.file.size if self.file else self.size
        if size != self.size:
            observed = f"a file of {size:,} bytes where the table's log has {self.size:,}"
            raise UnreadableError(observed, _STILL_THERE)
        schema, stated = self.columns.schema, None if self.deleted else self.rows
        return Batch(
            BatchInfo(
                name=self.name,
                format="parquet",
                uri=self.place,
                bytes=self.size,
                columns=columns_of(schema),
            ),
            schema,
            self.columns.sources,
            scan=self,
            rows=self._opened.batch.rows if stated is None else stated,
            table={} if self.deleted else self.known,
            footer=self,
        )

    @property
    def dtypes(self) -> pl.Schema:
        """The types of what it scans."""
        return self.columns.dtypes

    def __call__(self) -> pl.LazyFrame:
        """Scan the live rows, opening the file if it is not open."""
        return self._opened.scan()

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece, if the file can be."""
        scan = self._opened.scan
        return scan.pieces(rows) if isinstance(scan, ReadInPieces) else None

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, if those of the file can be."""
        scan = self._opened.scan
        return scan.places(places) if isinstance(scan, ReadAtPlaces) else None

    def statistics(self, name: str) -> ColumnStatistics | None:
        """Say what the footer knows of a column."""
        with suppress(UnreadableError, OSError):  # of which the scan tells
            footer, found = self._opened.batch.footer, self._opened.names.get(name)
            return footer.statistics(found) if footer and found else None
        return None

    @property
    def where_it_lies(self) -> Callable[[], pl.LazyFrame] | None:
        """The scan of the file itself, if it can be read and is read there."""
        with suppress(UnreadableError):  # of which its own scan tells
            return None if self._opened.is_copy else self._opened.scan
        return None

    def __getstate__(self) -> dict[str, Any]:
        """Travel without what was opened here, but for a copy: others open the file where it is."""
        is_left = "_opened" in vars(self) and not self._opened.is_copy
        return {
            name: kept for name, kept in vars(self).items() if not (is_left and name == "_opened")
        }

    @cached_property
    def _opened(self) -> _Opened:
        with _told():
            return self._in_place() or self._copied()

    def _in_place(self) -> _Opened | None:
        if self.file is None:
            return None
        batch = self.file.open()
        if self.rows not in (None, batch.rows):
            observed = f"a file of {batch.rows:,} rows where the table's log has {self.rows:,}"
            raise UnreadableError(observed, REDELIVER)
        made = None if self.deleted else self.columns.made_of(batch, self.constants)
        if made is None:
            return None
        stages, extra = self.columns.stages(made), {*batch.sources} - {*self.columns.sources}
        scan = _Completed(batch.scan, stages, tuple(extra)) if stages or extra else batch.scan
        return _Opened(batch, scan, {name: found for name, found, _ in made if found}, False)

    def _copied(self) -> _Opened:
        """Write the live rows to a file that goes away with the last scan of it."""
        place = new_download()
        try:
            with pq.ParquetWriter(place.folder / "live.parquet", self.columns.schema) as writer:
                for rows in self.client():
                    writer.write_batch(rows)
            batch = open_parquet(place.folder / "live.parquet")
        except BaseException:
            place.discard()
            raise
        place.lasts_with(batch.scan)
        return _Opened(batch, batch.scan, {name: name for name in batch.sources}, True)


@contextmanager
def _told() -> Generator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
        observed = "a file that the table lists and that is gone, as after a vacuum"
        raise UnreadableError(observed, _STILL_THERE) from error
    except pa.ArrowException as error:
        raise unreadable(error) from error


@dataclass(frozen=True)
class _Completed(WithColumns):
    """A scan with columns of the table, and without those that it has no more."""

    extra: tuple[str, ...]

    def completed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Add and drop columns."""
        import polars.selectors as cs

        return super().completed(rows).drop(cs.by_name(*self.extra))


def open_live(files: Iterable[LiveFile], columns: TableColumns, info: BatchInfo) -> OpenedBatch:
    """Make a batch of the files of a table; one without files has columns all the same."""
    batches, broken, sizes = list[Batch](), list[tuple[str, UnreadableError]](), list[int]()
    for file in files:
        sizes.append(file.size)
        try:
            batches.append(file.batch())
        except UnreadableError as error:
            broken.append((file.name, error))
    of_all = {"bytes": sum(sizes), "files": len(sizes), "columns": columns_of(columns.schema)}
    info = info.model_copy(update=of_all)
    if not sizes:
        no_rows = columns.dtypes.to_frame().lazy
        batches = [Batch(info, columns.schema, columns.sources, no_rows, rows=0)]
    return OpenedBatch(info, tuple(batches), tuple(broken))
