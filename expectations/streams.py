"""Lazy frames over anything that can be read piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

from polars.io.plugins import register_io_source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import polars as pl


@runtime_checkable
class ReadInPieces(Protocol):
    """A scan that can also be read piece by piece, in less memory than Polars' readers take."""

    def pieces(self, rows: int) -> Iterator[pl.DataFrame] | None:
        """Read all columns, so many rows at a time at most; None if only the scan can."""
        ...


def lazy_stream(
    pieces: Callable[[list[str]], Iterator[pl.DataFrame]], schema: pl.Schema
) -> pl.LazyFrame:
    """Make a lazy frame that reads no more pieces and no more columns than a query needs.

    Args:
        pieces: Yields frames of the named columns, in the schema's order, each time anew.
        schema: All columns that there are.

    Returns:
        The lazy frame; Polars' streaming engine holds a few pieces of it at once.
    """

    def read(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, _: int | None
    ) -> Iterator[pl.DataFrame]:
        wanted = [name for name in schema if columns is None or name in columns]
        for piece in _first(rows, pieces(wanted)):
            # Polars counts on the limit to be in force before the predicate.
            yield piece if predicate is None else piece.filter(predicate)

    return register_io_source(read, schema=schema)


def _first(rows: int | None, pieces: Iterator[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    if rows is None:
        yield from pieces
        return
    for piece in pieces:
        yield piece.head(rows)
        rows -= piece.height
        if rows <= 0:
            return
