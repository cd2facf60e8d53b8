"""A sample of a batch's conformed rows: on the way of the scan, or from a few places of it.

Where rows are counted beforehand, a few runs of them are cheaper than to have each value of all
columns at hand; small batches, and text, are sampled while they are scanned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ...batch.columns import ROW
from ...batch.query import collect_all
from ...batch.streaming import ReadAtPlaces

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...batch.batch import Batch
    from ...conform.plan import BatchPlan
    from ...values.profile import ValueProfile

_MOST_ROWS, _FEWEST_ROWS, _MOST_CELLS = 16_384, 1_024, 2_000_000
# Bytes of a cell in a file whose rows were not counted; fewer make the sample larger.
_BYTES_OF_CELL = 8
_VALUE = "\x1fvalue "
_SLICES = 8


class Sampler:
    """The sample of one batch, as far as it was taken.

    Attributes:
        frames: What was taken so far.
    """

    def __init__(self, profile: ValueProfile, files: Iterable[Batch]) -> None:
        """Choose how many rows to leave out between two of the sample."""
        self._profile = profile
        width = max(len(profile.columns), 1)
        self._most = max(_FEWEST_ROWS, min(_MOST_ROWS, _MOST_CELLS // width))
        self._every = max(1, sum(map(_rows_of, files)) // self._most)
        self.frames = list[pl.DataFrame]()

    def on_the_way(self, rows: pl.LazyFrame, blocking: Sequence[str]) -> pl.LazyFrame:
        """Take rows of a lazy frame that has ``values``, without those, while it is read."""
        names = rows.collect_schema().names()
        if not any(name.startswith(_VALUE) for name in names):
            return rows
        others = [name for name in names if not name.startswith(_VALUE)]
        schema = {name: rows.collect_schema()[name] for name in others}

        def take(piece: pl.DataFrame) -> pl.DataFrame:
            chosen = piece.filter(pl.col(ROW) % self._every == 0)
            if blocking:
                chosen = chosen.filter(~pl.any_horizontal(blocking))
            self._add(chosen)
            return piece.select(others)

        return rows.map_batches(take, schema=schema, streamable=True)

    def takes(self, file: Batch) -> bool:
        """Whether rows of a file are taken while it is scanned."""
        return self._every == 1 or _at_places(file, ()) is None

    def from_places(self, file: Batch, plan: BatchPlan) -> None:
        """Take a few runs of a file's rows."""
        height = file.rows or 0
        length = max(1, height // self._every)
        runs = min(_SLICES, length) if length < height else 1
        places = [(height * run // runs, -(-length // runs)) for run in range(runs)]
        found = _at_places(file, places) or [file.scan().head(self._most)]
        for rows in collect_all(
            rows.filter(~plan.is_rejected()).select(self._values(plan)) for rows in found
        ):
            self._add(rows)

    def values(self, file: Batch, plan: BatchPlan | None) -> list[pl.Expr]:
        """Select what is taken on the way of a scan: conformed values, if any."""
        return self._values(plan) if plan and self.takes(file) else []

    def _values(self, plan: BatchPlan) -> list[pl.Expr]:
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
        rows = pl.concat(self.frames, how="diagonal_relaxed") if self.frames else pl.DataFrame()
        rows.columns = [name.removeprefix(_VALUE) for name in rows.columns]
        return rows

    def _add(self, rows: pl.DataFrame) -> None:
        names = [name for name in rows.columns if name.startswith(_VALUE)]
        if rows.height:
            self.frames.append(rows.select(names))


def _at_places(file: Batch, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
    return file.scan.places(places) if isinstance(file.scan, ReadAtPlaces) else None


def _rows_of(file: Batch) -> int:
    if file.rows is not None:
        return file.rows
    cells = (file.info.bytes or 0) // _BYTES_OF_CELL
    return cells // max(len(file.sources), 1)
