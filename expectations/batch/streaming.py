"""Lazy frames over anything that can be read piece by piece."""

from __future__ import annotations

import atexit
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import reduce
from itertools import islice
from threading import Condition
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import polars as pl
from polars.io.plugins import register_io_source

from .columns import ROW
from .reading import Reading, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

_PIECE_TAKES_AT_MOST = 60.0
_THREAD_ENDS_WITHIN = 1.0
# Parts that wait for their turn, and bytes of them.
_PARTS_AHEAD, _BYTES_AHEAD = 2, 128 << 20


@runtime_checkable
class ReadInPieces(Protocol):
    """A scan that can also be read piece by piece, in less memory than Polars' readers take."""

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read all columns, so many rows at a time at most; None if only the scan can."""
        ...


@runtime_checkable
class ReadAtPlaces(Protocol):
    """A scan of which runs of rows can be read without those before."""

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, each by its first row and their number; None if only the scan can."""
        ...


@dataclass(frozen=True)
class WithColumns:
    """A scan with further columns, stage by stage of those before."""

    scan: Callable[[], pl.LazyFrame]
    stages: tuple[Sequence[pl.Expr], ...]

    def __call__(self) -> pl.LazyFrame:
        """Scan them all."""
        return self.completed(self.scan())

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece, if what is completed can be."""
        pieces = self.scan.pieces(rows) if isinstance(self.scan, ReadInPieces) else None
        return None if pieces is None else map(self.completed, pieces)

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, if what is completed can be."""
        rows = self.scan.places(places) if isinstance(self.scan, ReadAtPlaces) else None
        return None if rows is None else map(self.completed, rows)

    def completed(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Add the columns to rows of the scan."""
        return reduce(pl.LazyFrame.with_columns, self.stages, rows)


def read_ahead(reads: Iterable[Callable[[], pl.DataFrame]]) -> Iterator[pl.DataFrame]:
    """Read parts in order, the next ones while one is used, as far as memory allows."""
    waiting = iter(reads)
    for first in waiting:
        part = first()
        break
    else:
        return
    ahead = min(_PARTS_AHEAD, _BYTES_AHEAD // max(int(part.estimated_size()), 1))
    with ThreadPoolExecutor(_PARTS_AHEAD, "signature-gate-ahead") as pool:
        running = deque(pool.submit(read) for read in islice(waiting, ahead))
        yield part
        while running:
            part = running.popleft().result()
            running.extend(pool.submit(read) for read in islice(waiting, 1))
            yield part
        yield from (read() for read in waiting)


def lazy_stream(
    pieces: Callable[..., Iterator[pl.DataFrame]],
    schema: pl.Schema,
    path: Path | None = None,
    height: int | None = None,
    *,
    by_row: bool = False,
) -> pl.LazyFrame:
    """Make a lazy frame that reads no more pieces and no more columns than a query needs.

    ``pieces`` takes the columns that are needed; if ``by_row``, also a predicate over positions
    alone, where it may leave out pieces without such rows. Whoever watches is told of the rows that
    were read of the file.
    """

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        asked = set(schema if columns is None else columns)
        wanted = [name for name in schema if name in asked]
        # Polars counts on the limit to be in force before the predicate.
        roots = (
            predicate.meta.root_names() if by_row and rows is None and predicate is not None else []
        )
        found = pieces(wanted, predicate) if roots == [ROW] else pieces(wanted)
        found = _first(rows, _told(found, path, height) if path else found)
        if predicate is not None:
            found = (piece.filter(predicate) for piece in found)
        return _READERS.supervised(found)

    return register_io_source(read, schema=schema)


def _told(pieces: Iterator[pl.DataFrame], path: Path, height: int | None) -> Iterator[pl.DataFrame]:
    done = 0
    for piece in pieces:
        done += piece.height
        tell(Reading(path, done, height))
        yield piece


def _first(rows: int | None, pieces: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    if rows is None:
        yield from pieces
        return
    for piece in pieces:
        yield piece.head(rows)
        rows -= piece.height
        if rows <= 0:
            return


class _Readers:
    """Who reads pieces, in threads of Polars, which read on for a while when a query has enough.

    A thread that comes back to Python while the interpreter shuts down is ended by it, which aborts
    the whole process: so the interpreter waits for the piece in hand. To ask for a further one is
    an error then, for an end would be taken for the end of the file.
    """

    def __init__(self) -> None:
        self._changed = Condition()
        self._open = self._at_work = 0
        self._leaving = False

    def supervised(self, pieces: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
        self._count(opened=1)
        try:
            while (piece := self._next(pieces)) is not None:
                yield piece
        finally:
            self._count(opened=-1)

    def _next(self, pieces: Iterator[pl.DataFrame]) -> pl.DataFrame | None:
        self._count(at_work=1)
        try:
            if self._leaving:
                msg = "nothing is read while the interpreter shuts down"
                raise OSError(msg)
            return next(pieces, None)
        finally:
            self._count(at_work=-1)

    def _count(self, opened: int = 0, at_work: int = 0) -> None:
        with self._changed:
            self._open += opened
            self._at_work += at_work
            self._changed.notify_all()

    def wait(self) -> None:
        self._leaving = True
        with self._changed:
            self._changed.wait_for(lambda: not self._at_work, _PIECE_TAKES_AT_MOST)
            # A reader whose rows are still wanted stands by, and never ends.
            self._changed.wait_for(lambda: not self._open, _THREAD_ENDS_WITHIN)


_READERS = _Readers()
atexit.register(_READERS.wait)
