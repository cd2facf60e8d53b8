"""Which columns the batches of a feed had: when one appeared, vanished, changed type, or failed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from ..wording import counted
from .charts import Band, bands_of, batches

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..verdict.verdict import Severity
    from .feed_history import FeedHistory, HistoryEntry

_SHOWN = 40
_CALM_SHOWN = 8
_EVENTS = 100
# No arriving type has these names; ``text`` stands for files without types.
_ABSENT, _UNKNOWN, _TEXT = "absent", "unknown", "text"
_TONES = 3
_STYLES = {_ABSENT: "absent", _UNKNOWN: "unknown", _TEXT: "text"}


@dataclass(frozen=True)
class Event:
    """A change of a column from one batch to the next.

    Attributes:
        position: Position, from 1, of the batch that first shows it.
        column: The column.
        what: ``appeared``, ``vanished`` or ``changed type``.
        batch: Name of the batch that first shows it.
        before: The type it had, if it was there.
        after: The type it has, if it is there.
    """

    position: int
    column: str
    what: str
    batch: str
    before: str
    after: str


@dataclass(frozen=True)
class ColumnTimeline:
    """One column over the batches.

    Attributes:
        name: The column.
        bands: Where it had which type, was absent, or is unknown.
        marks: Positions, from 1, of the batches with a violation of it.
        events: Its changes, the oldest first.
    """

    name: str
    bands: tuple[Band, ...]
    marks: tuple[tuple[int, Severity], ...]
    events: tuple[Event, ...]

    @property
    def note(self) -> str:
        """Describe in a few words what is unusual about it."""
        changes = len(self.events)
        changed = f"{changes} changes" if changes > 1 else "".join(e.what for e in self.events)
        faulty = f"violations in {len(self.marks)}" if self.marks else ""
        return ", ".join(filter(None, (changed, faulty)))

    @property
    def hits(self) -> tuple[Band, ...]:
        """Its marks; equal neighbours are joined."""
        joined = list[Band]()
        for position, severity in self.marks:
            before = joined[-1] if joined else Band(0, 0, "")
            if (before.start + before.span, before.style) == (position, severity):
                joined[-1] = replace(before, span=before.span + 1)
            else:
                joined.append(Band(position, 1, severity, severity))
        return tuple(joined)

    @property
    def last(self) -> int:
        """Position of the newest batch with a change or violation of it; 0 if there is none."""
        changes = (event.position for event in self.events)
        return max([0, *changes, *(position for position, _ in self.marks)])


@dataclass(frozen=True)
class Lifelines:
    """The columns over the batches.

    Attributes:
        caption: The chart in one or two sentences.
        lanes: The columns shown, those with changes or violations first.
        more: Further columns with changes or violations.
        alike: Further columns that were always there, with one type and no violation.
        events: All changes, the newest first, at most a hundred.
        unlisted: Further changes.
    """

    caption: str
    lanes: tuple[ColumnTimeline, ...]
    more: int
    alike: int
    events: tuple[Event, ...]
    unlisted: int


def lifelines_of(past: FeedHistory) -> Lifelines:
    """Chart at most forty columns over the batches.

    A batch without known columns does not interrupt a line.
    """
    names = dict.fromkeys(
        name for batch in past.batches for name in (*batch.known.columns, *batch.known.marks)
    )
    lines = [_lifeline(name, past.batches) for name in names]
    struck = sorted((line for line in lines if line.last), key=lambda line: -line.last)
    calm = [line for line in lines if not line.last]
    room = _SHOWN - len(struck) if len(lines) <= _SHOWN else _CALM_SHOWN
    shown = (struck + calm[: max(room, 0)])[:_SHOWN]
    events = [event for line in struck for event in line.events]
    events.sort(key=lambda event: -event.position)
    return Lifelines(
        caption=_in_words(lines, past.batches),
        lanes=tuple(shown),
        more=max(len(struck) - _SHOWN, 0),
        alike=len(calm) - sum(not line.last for line in shown),
        events=tuple(events[:_EVENTS]),
        unlisted=max(len(events) - _EVENTS, 0),
    )


def _lifeline(name: str, past: Sequence[HistoryEntry]) -> ColumnTimeline:
    states = [_state(name, batch) for batch in past]
    types = list(dict.fromkeys(s for s in states if s not in _STYLES))
    styles = dict(_STYLES)
    styles |= {type_: f"t{position % _TONES}" for position, type_ in enumerate(types)}
    bands = [Band(b.start, b.span, b.label, styles[b.label]) for b in bands_of(states)]
    marks: tuple[tuple[int, Severity], ...] = tuple(
        (position, batch.known.marks[name])
        for position, batch in enumerate(past, 1)
        if name in batch.known.marks
    )
    return ColumnTimeline(name, tuple(bands), marks, tuple(_events(name, states, past)))


def _state(name: str, batch: HistoryEntry) -> str:
    if not batch.known.columns:
        return _UNKNOWN
    return batch.known.columns.get(name, _ABSENT)


def _events(name: str, states: Sequence[str], past: Sequence[HistoryEntry]) -> list[Event]:
    events, there, type_ = list[Event](), _UNKNOWN, _TEXT
    for position, (state, batch) in enumerate(zip(states, past, strict=True), 1):
        if state == _UNKNOWN:
            continue
        if there not in (_UNKNOWN, state) and _ABSENT in (there, state):
            what = "vanished" if state == _ABSENT else "appeared"
            events.append(Event(position, name, what, batch.name, there, state))
        elif _TEXT not in (type_, state) and state not in (type_, _ABSENT):
            events.append(Event(position, name, "changed type", batch.name, type_, state))
        there = state
        type_ = type_ if state in (_ABSENT, _TEXT) else state
    return events


def _in_words(lines: Sequence[ColumnTimeline], past: Sequence[HistoryEntry]) -> str:
    if not lines:
        return "No column is known of these batches."
    events = [
        f"{counted(number, 'column')} {what}"
        for what in ("appeared", "vanished", "changed type")
        if (number := sum(any(e.what == what for e in line.events) for line in lines))
    ]
    changed = "; ".join(events) if events else "No column appeared, vanished or changed its type"
    failed = sum(bool(line.marks) for line in lines)
    failing = f" {counted(failed, 'column')} had violations." if failed else ""
    unknown = sum(not batch.known.columns for batch in past)
    unsaid = f" The columns of {batches(unknown)} are not known." if unknown else ""
    return f"{changed}, of {len(lines):,} in all.{failing}{unsaid}"
