"""The pages of feeds: a list of all feeds, one page for each, and pages of earlier batches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..wording import counted
from .templating import pictures_of, render_page

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from .feed_history import FeedHistory

# How long ago, from the coarsest unit to the finest.
_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60))
# A batch that fared so needs somebody.
_STOPPED = ("failed", "quarantined", "errored")
_TWICE = 2  # a unit is used from two on: 30 hours are more exact than one day


@dataclass(frozen=True)
class DriftNote:
    """A change of schema, for the reader of a page.

    Attributes:
        title: What drifted, in a few words.
        severity: Whether it will keep batches from the model.
        changes: Each change, in a sentence.
        forecast: The forecast for the next batches; empty if there is none.
    """

    title: str
    severity: Literal["critical", "warning"] = "warning"
    changes: tuple[str, ...] = ()
    forecast: str = ""


@dataclass(frozen=True)
class Held:
    """One entry of a feed's quarantine.

    Attributes:
        name: Its folder's name.
        report: Its report, as a path relative to the page; None if there is none.
        since: When it was quarantined, in UTC.
        reason: Why, in a few words.
        rejected: Rows that do not fit; None if unknown.
        rows: Rows that arrived, likewise.
        commands: How to go on: each in words, and as it is typed in a shell.
    """

    name: str
    report: str | None
    since: datetime
    reason: str = ""
    rejected: int | None = None
    rows: int | None = None
    commands: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Before:
    """An earlier batch, as known without opening its receipt.

    Attributes:
        batch: Its id.
        when: When its newest receipt was written, in UTC.
        version: The model's version.
        receipt: That receipt, as a path relative to the page.
        report: Its quarantine report, likewise; None if there is none.
    """

    batch: str
    when: datetime
    version: str
    receipt: str
    report: str | None


@dataclass(frozen=True)
class FeedOverview:
    """The state of a feed.

    Attributes:
        name: Its name.
        model: The URI of its model.
        past: Its last batches.
        held: Its quarantine entries, the oldest first.
        page: Its own page, as a path relative to the page that lists the feeds.
        earlier: The pages of its earlier batches, relative to its own page, the newest first.
        drift: What drifted.
        ignored: Names in its inbox that are no batches: no format claims them.
        inbox: Where its batches arrive.
        command: What judges and scores them, as it is typed in a shell.
        expect_every: How often a batch is expected; None if the feed does not say.
    """

    name: str
    model: str
    past: FeedHistory
    held: tuple[Held, ...]
    page: str
    earlier: tuple[str, ...] = ()
    drift: tuple[DriftNote, ...] = ()
    ignored: tuple[str, ...] = ()
    inbox: str = ""
    command: str = ""
    expect_every: timedelta | None = None

    @property
    def rows(self) -> int:
        """Rows of the last batches, as far as they could be counted."""
        return sum(batch.known.rows or 0 for batch in self.past.batches)

    @property
    def kept(self) -> int:
        """Rows of them that did not reach the model on arrival."""
        return sum(
            (batch.known.bad if batch.fare in ("passed", "split") else batch.known.rows) or 0
            for batch in self.past.batches
        )

    def is_late(self, as_of: datetime) -> bool:
        """Whether the next batch should have arrived by now."""
        newest = self.past.batches[-1:]
        if not newest or self.expect_every is None:
            return False
        return as_of - newest[0].when > self.expect_every

    def urgency(self, as_of: datetime) -> tuple[object, ...]:
        """Sort what did not go through first, then what waits longest, then the others."""
        stopped = any(batch.fare in _STOPPED for batch in self.past.batches[-1:])
        waiting = self.held[0].since if self.held else as_of
        return (not stopped, not self.is_late(as_of), waiting, self.name)


def render_feeds(feeds: Sequence[FeedOverview], as_of: datetime) -> str:
    """Render the page that lists all feeds, the most urgent first; ``as_of`` is in UTC."""
    urgent_first = sorted(feeds, key=lambda feed: feed.urgency(as_of))
    return render_page(
        "feeds.html.jinja",
        feeds=[(f, pictures_of(f.past) if f.past.batches else None) for f in urgent_first],
        as_of=as_of,
        ago=ago,
    )


def render_feed(feed: FeedOverview, as_of: datetime) -> str:
    """Render the page of one feed; ``as_of`` is in UTC."""
    pictures = pictures_of(feed.past) if feed.past.batches else None
    return render_page(
        "feed.html.jinja", feed=feed, past=feed.past, pictures=pictures, as_of=as_of, ago=ago
    )


def render_earlier(
    feed: FeedOverview, number: int, batches: Sequence[Before], as_of: datetime
) -> str:
    """Render page ``number``, from 0, of a feed's earlier batches, the newest first."""
    return render_page("earlier.html.jinja", feed=feed, number=number, batches=batches, as_of=as_of)


def ago(passed: timedelta) -> str:
    """Write a duration in its largest useful unit."""
    seconds = max(int(passed.total_seconds()), 0)
    for unit, length in _UNITS:
        if seconds >= _TWICE * length:
            return f"{seconds // length:,} {unit}s"
    return counted(seconds, "second")
