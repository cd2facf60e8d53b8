"""The batches before one, by which it is judged; a level is learned once it has persisted.

A column that was told of is left out: one odd night shall not become what is expected. Once three
batches in succession were told of it and are like each other, its level has moved, and all batches
with the new level are what the next one is compared with.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from .limits import FEWEST, Known, PastValues, recent_band
from .scales import scale_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from .profile import ValueProfile

LAST = 60  # batches that are looked back on
# Two of three batches with one level are told apart by mistake so seldom, by each statistic.
_APART = 1e-4


class Judged(NamedTuple):
    """What was measured of one batch.

    Attributes:
        values: Its statistics, by column and name.
        rows: How many rows it had.
        told: The columns that were told of.
    """

    values: Mapping[str, Mapping[str, float]]
    rows: int
    told: frozenset[str] = frozenset()

    def without(self, columns: Iterable[str]) -> Judged:
        """Leave out what was measured of some columns."""
        gone = set(columns)
        kept = {name: found for name, found in self.values.items() if name not in gone}
        return Judged(kept, self.rows, self.told - gone)


class Baseline:
    """What batches under one profile had; it grows while a run judges further ones."""

    def __init__(
        self,
        profile: ValueProfile,
        a_year: float,
        judged: Iterable[Judged] = (),
        levels: Mapping[str, Mapping[str, float]] | None = None,
    ) -> None:
        """Begin with what is known.

        Args:
            profile: What was learned.
            a_year: How many batches there are in a year.
            judged: Batches that were accepted, the last one last.
            levels: Statistics that replace learned ones, by column.
        """
        self._profile, self._a_year, self._levels = profile, a_year, levels or {}
        self._judged = list(judged)

    def add(self, judged: Judged) -> None:
        """Take in one more batch; threads may do so at the same time."""
        self._judged.append(judged)

    def so_far(self) -> PastValues:
        """Return what the next batch is compared with."""
        judged = self._judged[-LAST:]
        left_out: list[set[str]] = [set() for _ in judged]
        for column in frozenset[str]().union(*(batch.told for batch in judged)):
            for place in self._passing(column, judged):
                left_out[place].add(column)
        kept = (
            batch.without(columns).values if columns else batch.values
            for batch, columns in zip(judged, left_out, strict=True)
        )
        return PastValues(tuple(kept), self._a_year, self._levels)

    def _passing(self, column: str, judged: Sequence[Judged]) -> Iterator[int]:
        """Find the batches that were told of a column before its new level had persisted."""
        start = 0
        for told, group in groupby(column in batch.told for batch in judged):
            length = len(list(group))
            if told:
                yield from range(start, start + self._settled(column, judged[start:][:length]))
            start += length

    def _settled(self, column: str, judged: Sequence[Judged]) -> int:
        """Count the batches before the first three in succession that are like each other."""
        for start in range(len(judged) - FEWEST + 1):
            three = judged[start : start + FEWEST]
            if all(
                self._near(column, name, three) for name in self._profile.columns[column].spreads
            ):
                return start
        return len(judged)

    def _near(self, column: str, name: str, judged: Sequence[Judged]) -> bool:
        found = [batch.values.get(column, {}).get(name) for batch in judged]
        values = [value for value in found if value is not None]
        if len(values) < len(found):
            return not values
        known = Known(name, self._profile.columns[column].spreads[name], self._profile, values)
        band = recent_band(known, min(batch.rows for batch in judged), _APART)
        apart = max(values) - min(values) >= scale_of(name).effect
        return not apart or (band.low <= min(values) and max(values) <= band.high)
