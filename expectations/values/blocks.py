"""Runs of rows that are kept of many, spread evenly, between which the variation is measured."""

from __future__ import annotations

import numpy as np
import polars as pl

# Runs of rows that are kept, or batches, a year of days; and the cells in them.
_MOST_RUNS, _MOST_BATCHES = 256, 512
_MOST_CELLS = 6_000_000
FEWEST_BLOCKS = 16
_FEWEST_ROWS = 20
# A batch of more rows than so many blocks is thinned evenly.
_LONGEST = 4


class Blocks:
    """Blocks of so many rows, or of a batch each.

    Attributes:
        kept: Pieces of each block by its number.
        by_batch: Whether each is a batch.
        thinned: Whether rows of a block were left out.
    """

    def __init__(self, columns: int, rows: int, *, by_batch: bool) -> None:
        """Keep no more than fits into memory."""
        cells = _MOST_CELLS // max(columns, 1)
        most = _MOST_BATCHES if by_batch else _MOST_RUNS
        longest = min(max(cells // most, rows), _LONGEST * rows) if by_batch else rows
        self._most = max(FEWEST_BLOCKS, min(most, cells // longest))
        self._rows, self._longest, self.by_batch = rows, longest, by_batch
        self._every = self._stride = 1
        self.thinned = False
        self._number = self._within = 0
        self.kept = dict[int, list[pl.DataFrame]]()

    def add(self, frame: pl.DataFrame) -> None:
        """Take the next rows."""
        if self.by_batch:
            self._keep(frame)
            return
        offset = 0
        while offset < frame.height:
            length = min(self._rows - self._within, frame.height - offset)
            self._keep(frame.slice(offset, length))
            offset += length
            if self._within == self._rows:
                self._end()

    def end_batch(self) -> None:
        """End the block if it is a batch."""
        if self.by_batch and self._within:
            self._end()

    def _keep(self, frame: pl.DataFrame) -> None:
        """Keep rows of the block in hand, and every second one where they become too many."""
        if self._number % self._every == 0:
            block = self.kept.setdefault(self._number, [])
            block.append(_copied(frame, self._stride, -self._within % self._stride))
            while sum(piece.height for piece in block) > self._longest:
                self._stride *= 2
                self.thinned = True
                block[:] = [_copied(pl.concat(block), 2)]
        self._within += frame.height

    def _end(self) -> None:
        """Begin the next block, and keep only every second one where they become too many."""
        self._number, self._within, self._stride = self._number + 1, 0, 1
        if len(self.kept) > self._most:
            self._every *= 2
            self.kept = {n: block for n, block in self.kept.items() if n % self._every == 0}

    def sample(self) -> pl.DataFrame:
        """Return all rows that are kept."""
        pieces = [piece for block in self.kept.values() for piece in block]
        return pl.concat(pieces) if pieces else pl.DataFrame()

    def cut(self, sample: pl.DataFrame) -> list[pl.DataFrame]:
        """Return the blocks; few rows are cut into smaller ones."""
        if len(self.kept) >= FEWEST_BLOCKS:
            fewest = _FEWEST_ROWS if self.by_batch else self._rows // 2 + 1
            blocks = [pl.concat(pieces) for pieces in self.kept.values()]
            whole = [block for block in blocks if block.height >= fewest]
            if len(whole) >= FEWEST_BLOCKS - 1:
                return whole
        size = max(sample.height // FEWEST_BLOCKS, _FEWEST_ROWS)
        starts = range(0, max(sample.height - size + 1, 1), size)
        return [sample.slice(start, size) for start in starts]


def _copied(frame: pl.DataFrame, every: int, first: int = 0) -> pl.DataFrame:
    """Take every so manieth row; a slice would keep all that was read with it in memory."""
    rows = frame[np.arange(first, frame.height, every)]
    return rows.with_columns(pl.col(pl.String) + "") if pl.String in frame.dtypes else rows
