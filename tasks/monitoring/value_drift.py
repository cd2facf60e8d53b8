"""Columns of a feed whose values shifted and did not come back; how a new level is accepted."""

from __future__ import annotations

import os
import pwd
from collections import defaultdict
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.errors import Misuse
from ...expectations.report.feed_history import FeedHistory, HistoryEntry
from ...expectations.report.value_shifts import ValueShift, learning_from, shifts_of
from ...expectations.values.scales import LINKS
from ...expectations.wording import listed
from ..feed.feed import Feed
from ..feed.history import recent_receipts
from ..scoring.accepted import Accepted, accepted_in, keep_accepted
from ..scoring.feed_history import past_batch
from ..stores.feed_runs import at_hand

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ..feed.receipt import Receipt


class ValueDrift(NamedTuple):
    """What the last batches under one version and profile show.

    Attributes:
        receipts: Theirs, the oldest first.
        shifts: The columns whose values shifted and did not come back.
        accepted: What was accepted, the oldest first.
        learning: How many batches there are, while they are too few to compare with.
    """

    receipts: tuple[Receipt, ...] = ()
    shifts: tuple[ValueShift, ...] = ()
    accepted: tuple[Accepted, ...] = ()
    learning: int | None = None

    @property
    def reasons(self) -> dict[str, str]:
        """Who accepted the level of each column, and why."""
        return {
            column: f"by {one.who} on {one.when:%Y-%m-%d}: {one.why}"
            for one in self.accepted
            for column in one.batches
        }


def value_drift(feed: Feed, receipts: Sequence[Receipt]) -> ValueDrift:
    """Find the columns whose values shifted in batches that compare with the newest one."""
    judged = [receipt for receipt in receipts if receipt.verdict]
    if not judged or not judged[-1].profile:
        return ValueDrift()
    under = judged[-1].version, judged[-1].profile
    same = tuple(receipt for receipt in judged if (receipt.version, receipt.profile) == under)
    accepted = tuple(accepted_in(feed, *under))
    past = FeedHistory(feed.name, tuple(_entry(feed, receipt, accepted) for receipt in same))
    lasting = tuple(shift for shift in shifts_of(past) if shift.lasts)
    return ValueDrift(same, lasting, accepted, learning_from(past))


def _entry(feed: Feed, receipt: Receipt, accepted: Sequence[Accepted]) -> HistoryEntry:
    entry = past_batch(feed, receipt)
    right = {c for one in accepted if receipt.finished <= one.when for c in one.batches}
    shifts = {c: told for c, told in entry.known.shifts.items() if c not in right}
    return replace(entry, known=replace(entry.known, shifts=shifts))


def accept_drift(
    feed: Feed | str | Path, column: str | None = None, *, why: str
) -> tuple[Accepted, Path | str]:
    """Take the level that values have since a shift for right, in place of what was learned.

    Args:
        feed: The feed, or the path of its YAML file.
        column: The column; by default all whose values shifted.
        why: Why that level is right.

    Returns:
        What is accepted, and the document that says so: its path, or its URL in a store.

    Raises:
        InvalidFeed: The feed file is not as it should be.
        Misuse: No values shifted, or others than the column's.
        OSError: The feed's folders cannot be read or written.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    here = at_hand(feed)
    drift = value_drift(here, recent_receipts(here))
    chosen = [shift for shift in drift.shifts if column in (None, shift.column)]
    if not chosen:
        shifted = listed(repr(shift.column) for shift in drift.shifts)
        msg = (
            f"feed {feed.name}: there is no shift to accept{f' of {column!r}' if column else ''}: "
            f"{f'those that shifted are {shifted}' if shifted else 'no values shifted'}. "
            "See `signature-gate drift FEED`."
        )
        raise Misuse(msg)
    accepted = Accepted(
        model=drift.receipts[-1].version,
        profile=drift.receipts[-1].profile,
        levels=_levels_of(here, chosen, drift.receipts),
        batches={s.column: tuple(r.batch.id for r in drift.receipts[s.start :]) for s in chosen},
        who=_user(),
        why=why,
        when=datetime.now(UTC),
    )
    return accepted, keep_accepted(feed, accepted)


def _levels_of(
    feed: Feed, chosen: Sequence[ValueShift], receipts: Sequence[Receipt]
) -> dict[str, dict[str, float]]:
    if levels := dict(_levels(chosen, receipts)):
        return levels
    msg = (
        f"feed {feed.name}: its receipts hold no statistics to accept, for policy redact is on. "
        "Learn the model's values anew, from data that have the new level."
    )
    raise Misuse(msg)


def _levels(
    chosen: Sequence[ValueShift], receipts: Sequence[Receipt]
) -> Iterator[tuple[str, dict[str, float]]]:
    """Find the middle of each statistic; how other columns go with these is taken over too."""
    starts = {shift.column: shift.start for shift in chosen}
    found = defaultdict[str, dict[str, list[float]]](lambda: defaultdict(list))
    for number, receipt in enumerate(receipts):
        for column, values in receipt.verdict.values.items() if receipt.verdict else ():
            for name, value in values.items():
                start = starts.get(column, min(starts.values()) if name in LINKS else number + 1)
                if number >= start:
                    found[column][name].append(value)
    for column, statistics in found.items():
        yield column, {name: median(known) for name, known in statistics.items()}


def _user() -> str:
    with suppress(KeyError):
        return pwd.getpwuid(os.getuid()).pw_name
    return str(os.getuid())
