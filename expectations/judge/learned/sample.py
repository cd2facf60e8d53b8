"""An even sample of a batch's conformed rows, taken on the way of the scan."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ...batch.columns import ROW
from ...batch.query import collect

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ...batch.batch import Batch
    from ...conform.plan import BatchPlan
    from ...values.profile import ValueProfile

_MOST_ROWS, _FEWEST_ROWS, _MOST_CELLS = 16_384, 1_024, 2_000_000
# Bytes of a cell in a file whose rows were not counted; fewer make the sample larger.
_BYTES_OF_CELL = 8
_VALUE = "\x1fvalue "
_SLICES = 16


class Sampler:
    """The sample of one batch, as far as it was taken."""

    def __init__(self, profile: ValueProfile, files: Iterable[Batch]) -> None:
        """Choose how many rows to leave out between two of the sample."""
        self._profile = profile
        width = max(len(profile.columns), 1)
        self._most = max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_CELLS // width))
        self._every = max(1, sum(map(_rows_of, files)) // self._most)
        self._frames = list[pl.DataFrame]()

    def on_the_way(self, rows: pl.LazyFrame, blocking: Sequence[str]) -> pl.LazyFrame:
        """Take rows of a lazy frame that has ``values``, without those, while it is read."""
        names = rows.collect_schema().names()
        others = [name for name in names if not name.startswith(_VALUE)]
        schema = {name: rows.collect_schema()[name] for name in others}

        def take(piece: pl.DataFrame) -> pl.DataFrame:
            chosen = piece.filter(pl.col(ROW) % self._every == 0)
            if blocking:
                chosen = chosen.filter(~pl.any_horizontal(blocking))
            self._add(chosen)
            return piece.select(others)

        return rows.map_batches(take, schema=schema, streamable=True)

    def from_rows(self, rows: pl.LazyFrame, height: int, plan: BatchPlan) -> None:
        """Take rows of a file of which nothing else has to be read: a few runs of them."""
        length = max(1, height // self._every)
        runs = _SLICES if length < height else 1
        for run in range(runs):
            taken = rows.slice(height * run // runs, -(-length // runs))
            self._add(collect(taken.select(self.values(plan))))

    def values(self, plan: BatchPlan) -> list[pl.Expr]:
        """Select the conformed values of the columns that the profile knows."""
        return [
            (
                column.value.is_null().replace(True, None)
                if self._profile.columns[column.column.name].kind == "other"
                else column.value
            ).alias(f"{_VALUE}{column.column.name}")
            for column in plan.columns
            if column.column.name in self._profile.columns
        ]

    def frame(self) -> pl.DataFrame:
        """Return the rows that were taken, under the contract's names."""
        rows = pl.concat(self._frames, how="diagonal_relaxed") if self._frames else pl.DataFrame()
        rows.columns = [name.removeprefix(_VALUE) for name in rows.columns]
        return rows

    def _add(self, rows: pl.DataFrame) -> None:
        names = [name for name in rows.columns if name.startswith(_VALUE)]
        if rows.height:
            self._frames.append(rows.select(names))


def _rows_of(file: Batch) -> int:
    if file.rows is not None:
        return file.rows
    cells = (file.info.bytes or 0) // _BYTES_OF_CELL
    return cells // max(len(file.sources), 1)
