"""Columns whose values shifted, batch by batch, beside the limits that were promised."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..escaping import visible
from ..values.limits import FEWEST
from ..wording import counted, listed
from .feed_history import EntryFacts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .feed_history import FeedHistory, HistoryEntry

QUIET = 3  # batches in succession that are as expected end a shift
_BLOCKS = "▁▂▃▄▅▆▇█"
_ROOM = 0.06  # of a picture's height stays free above and below


@dataclass(frozen=True)
class Level:
    """What a batch had.

    Attributes:
        batch: Its name.
        value: The statistic; None if it is not known.
        limits: Between which it was promised to be; None if that is not known.
        told: Whether the column was told of.
    """

    batch: str
    value: float | None
    limits: tuple[float, float] | None
    told: bool


@dataclass(frozen=True)
class ValueShift:
    """A column whose values are unlike what was learned, or unlike the batches before.

    Attributes:
        column: The column.
        statistic: What differs most in the newest batch that was told of.
        since: Name of the batch with which it began.
        start: That batch's place in ``levels``.
        told: How many batches were told of since.
        quiet: How many were not, after the newest that was.
        severity: ``critical`` if it kept that batch from the model.
        expected: What was expected of it, in words.
        observed: What it had.
        together: The columns that shifted with the same batch.
        levels: All batches looked at, the oldest first.
    """

    column: str
    statistic: str
    since: str
    start: int
    told: int
    quiet: int
    severity: str
    expected: str
    observed: str
    levels: tuple[Level, ...]
    together: tuple[str, ...] = ()

    @property
    def lasts(self) -> bool:
        """Whether it is not over."""
        return self.quiet < QUIET

    @property
    def message(self) -> str:
        """The shift in one sentence; control characters are escaped."""
        with_ = f", together with {listed(map(repr, self.together))}" if self.together else ""
        began = f"shifted with {self.since}{'' if self.start else ' or before'}{with_}"
        times = f"{counted(self.told, 'batch', 'batches')} {'so far' if self.lasts else 'in all'}"
        found = f"expected {self.expected}, observed {self.observed}"
        return visible(f"the values of {self.column!r} {began}; {times}: {found}")

    @property
    def heights(self) -> tuple[tuple[float | None, float, float, bool], ...]:
        """For each batch, from 0 to 1: its value, its lower and its upper limit; and if told of."""
        ends = [end for level in self.levels for end in (level.value, *(level.limits or ()))]
        known = [end for end in ends if end is not None] or [0.0]
        low, width = min(known), (max(known) - min(known)) or 1.0

        def at(value: float) -> float:
            return _ROOM + (value - low) / width * (1 - 2 * _ROOM)

        return tuple(
            (None if level.value is None else at(level.value), at(bottom), at(top), level.told)
            for level in self.levels
            for bottom, top in (level.limits or (low, low),)
        )

    @property
    def spark(self) -> str:
        """The statistic in one line of text."""
        return "".join(
            " " if height is None else _BLOCKS[int(height * len(_BLOCKS))]
            for height, *_ in self.heights
        )


def shifts_of(past: FeedHistory) -> tuple[ValueShift, ...]:
    """Find the columns that shifted in these batches; what shifted first comes first."""
    # What another version judged was measured by what that one had learned.
    version = past.batches[-1].version
    batches = [b if b.version == version else replace(b, known=EntryFacts()) for b in past.batches]
    columns = dict.fromkeys(column for batch in batches for column in batch.known.shifts)
    found = sorted((_shift(c, batches) for c in columns), key=lambda shift: shift.start)
    return tuple(
        replace(shift, together=tuple(o.column for o in found if _is_other(o, shift)))
        for shift in found
    )


def _is_other(one: ValueShift, shift: ValueShift) -> bool:
    return one.start == shift.start and one.column != shift.column


def _shift(column: str, batches: Sequence[HistoryEntry]) -> ValueShift:
    told = [number for number, batch in enumerate(batches) if column in batch.known.shifts]
    judged = [number for number, batch in enumerate(batches) if batch.known.rows is not None]
    newest = batches[told[-1]].known.shifts[column]
    start = told[-1]
    for number in reversed(told):
        if sum(number < other < start for other in judged) < QUIET:
            start = number
    return ValueShift(
        column=column,
        statistic=newest.statistic,
        since=batches[start].name,
        start=start,
        told=sum(number >= start for number in told),
        quiet=sum(number > told[-1] for number in judged),
        severity=newest.severity,
        expected=newest.expected,
        observed=newest.observed,
        levels=tuple(_levels(column, newest.statistic, batches)),
    )


def _levels(column: str, statistic: str, batches: Sequence[HistoryEntry]) -> list[Level]:
    found = [batch.known.shifts.get(column) for batch in batches]
    limits = [shift.limits if shift and shift.statistic == statistic else None for shift in found]
    # Where nothing was told, the limits that were told last held too; at first, those told next.
    promised = next((each for each in limits if each), None)
    levels = list[Level]()
    for batch, shift, each in zip(batches, found, limits, strict=True):
        promised = each or promised
        value = batch.known.values.get(column, {}).get(statistic)
        levels.append(Level(batch.name, value, promised, bool(shift)))
    return levels


def learning_from(past: FeedHistory) -> int | None:
    """Count the batches whose values are known, while they are too few to compare with."""
    known = sum(bool(batch.known.values) for batch in past.batches)
    return known if 0 < known < FEWEST else None
