"""Charts of a feed's history, batch by batch, as plain data with captions in words."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC
from itertools import groupby
from statistics import median
from typing import TYPE_CHECKING

from ..verdict.explain import percent
from ..wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .feed_history import Fare, FeedHistory, HistoryEntry

FARES_IN_WORDS: dict[Fare, str] = {
    "passed": "passed",
    "split": "split",
    "quarantined": "quarantined",
    "failed": "failed",
    "errored": "ended in an error",
    "discarded": "discarded",
}
_NEWEST: dict[Fare, str] = {
    "passed": "passed",
    "split": "was split",
    "quarantined": "was quarantined",
    "failed": "failed",
    "errored": "ended in an error",
    "discarded": "was discarded",
}
_NULL_LANES = 12
_TICKS = 6
_SCALES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


@dataclass(frozen=True)
class Band:
    """Consecutive batches with something in common.

    Attributes:
        start: Position of its first batch, from 1.
        span: How many batches it covers.
        label: What they have in common.
        style: How it is drawn.
    """

    start: int
    span: int
    label: str
    style: str = ""


@dataclass(frozen=True)
class Strip:
    """The dispositions of the batches.

    Attributes:
        caption: The chart in one sentence.
        fares: How many batches had each disposition.
        versions: The model versions that judged them.
    """

    caption: str
    fares: dict[Fare, int]
    versions: tuple[Band, ...]


@dataclass(frozen=True)
class Bar:
    """One batch in a chart of shares.

    Attributes:
        style: ``share``; ``whole`` where rows were not judged one by one; ``unknown``.
        height: From 0 to 1 of the chart's height.
    """

    style: str
    height: float = 0


@dataclass(frozen=True)
class Shares:
    """The share of rejected rows, batch by batch.

    Attributes:
        caption: The chart in one or two sentences.
        bars: One for each batch.
        top: The share at the top of the chart.
        allowed: Height, from 0 to 1, up to which the newest policy splits; None if it never does.
    """

    caption: str
    bars: tuple[Bar, ...]
    top: float
    allowed: float | None


@dataclass(frozen=True)
class NullLane:
    """The share of null in one column, batch by batch.

    Attributes:
        name: The column.
        bars: One for each batch.
        last: The newest known share, from 0 to 1.
        least: The smallest.
        most: The largest.
        most_in: Name of the batch that has it.
        known: In how many batches it is known.
    """

    name: str
    bars: tuple[Bar, ...]
    last: float
    least: float
    most: float
    most_in: str
    known: int


@dataclass(frozen=True)
class Nulls:
    """The share of null in the columns with null.

    Attributes:
        caption: The chart in one or two sentences.
        lanes: The columns, those with most null first.
        top: The share at the top of a lane.
        more: Further columns with null.
        full: Columns known to have had none.
    """

    caption: str
    lanes: tuple[NullLane, ...]
    top: float
    more: int
    full: int


def strip_of(past: FeedHistory) -> Strip:
    """Chart the dispositions of the batches."""
    fared = Counter(batch.fare for batch in past.batches)
    counts = [f"{fared[fare]} {words}" for fare, words in FARES_IN_WORDS.items() if fared[fare]]
    newest = _NEWEST[past.batches[-1].fare]
    return Strip(
        caption=f"{_last(past)}: {_listed(counts)}. The newest {newest}.",
        fares={fare: fared[fare] for fare in FARES_IN_WORDS if fared[fare]},
        versions=_versions(past.batches),
    )


def shares_of(past: FeedHistory) -> Shares:
    """Chart the share of rejected rows."""
    known = [share for batch in past.batches if (share := batch.known.share) is not None]
    allowed = past.batches[-1].known.allowed
    top = _scale(max([*known, allowed or 0]))
    return Shares(
        caption=_shares_in_words(past.batches),
        bars=tuple(_bar_of(batch, top) for batch in past.batches),
        top=top,
        allowed=allowed / top if allowed is not None and 0 < allowed < 1 else None,
    )


def nulls_of(past: FeedHistory) -> Nulls:
    """Chart the share of null in the columns with null."""
    names = dict.fromkeys(name for b in past.batches for name in b.known.null_shares)
    series = {name: [b.known.null_shares.get(name) for b in past.batches] for name in names}
    peaks = {name: max(s for s in known if s is not None) for name, known in series.items()}
    with_null = sorted((n for n in names if peaks[n]), key=lambda n: -peaks[n])
    top = _scale(max(peaks.values(), default=0))
    lanes = [_null_lane(n, series[n], past.batches, top) for n in with_null[:_NULL_LANES]]
    return Nulls(
        caption=_nulls_in_words(lanes, len(with_null), len(names)),
        lanes=tuple(lanes),
        top=top,
        more=len(with_null) - len(lanes),
        full=len(names) - len(with_null),
    )


def ticks_of(past: FeedHistory) -> tuple[Band, ...]:
    """Say when the batches were judged, at a few of them: by day, month or minute."""
    moments = [batch.when.astimezone(UTC) for batch in past.batches]
    first, last = moments[0], moments[-1]
    form = "%H:%M" if first.date() == last.date() else "%-d %b"
    if first.year != last.year:
        form = "%b %Y"
    step = -(-len(moments) // _TICKS)
    # The last one is written only where half of its room is left.
    starts = [start for start in range(0, len(moments), step) if len(moments) - start > step // 2]
    return tuple(
        Band(start + 1, min(step, len(moments) - start), f"{moments[start]:{form}}")
        for start in starts
    )


def bands_of(labels: Sequence[str]) -> tuple[Band, ...]:
    """Join equal neighbours."""
    bands, start = list[Band](), 1
    for label, group in groupby(labels):
        span = len(list(group))
        bands.append(Band(start, span, label))
        start += span
    return tuple(bands)


def batches(number: int) -> str:
    """Write a number of batches."""
    return f"{number:,} batch{'' if number == 1 else 'es'}"


def _last(past: FeedHistory) -> str:
    shown = len(past.batches)
    if shown == past.total == 1:
        return "The only batch so far"
    return f"All {batches(shown)}" if shown == past.total else f"The last {batches(shown)}"


def _versions(past: Sequence[HistoryEntry]) -> tuple[Band, ...]:
    order = list(dict.fromkeys(batch.version for batch in past))
    return tuple(
        Band(band.start, band.span, band.label, f"t{order.index(band.label) % 2}")
        for band in bands_of([batch.version for batch in past])
    )


def _bar_of(batch: HistoryEntry, top: float) -> Bar:
    share = batch.known.share
    if share is not None:
        return Bar("share", share / top)
    # A batch without rows has no share of rejected rows: it counts as 0.
    held = batch.fare in ("quarantined", "failed")
    return Bar("whole", 1) if held else Bar("share" if batch.known.rows == 0 else "unknown")


def _shares_in_words(past: Sequence[HistoryEntry]) -> str:
    known = [(share, batch.name) for batch in past if (share := batch.known.share) is not None]
    whole = sum(_bar_of(batch, 1).style == "whole" for batch in past)
    failed = f" {batches(whole)} failed as a whole." if whole else ""
    if not known:
        return f"There was no batch whose rows could be told apart.{failed}"
    (least, _), (most, where) = min(known), max(known)
    if not most:
        elsewhere = " of the others" if whole else ""
        return f"{failed.lstrip()}{' ' if whole else ''}No row{elsewhere} was rejected."
    if len(known) == 1:
        return f"{percent(most)} of the rows of {where} were rejected.{failed}"
    usual = percent(median(share for share, _ in known))
    between = f"Between {percent(least)} and {percent(most)} of a batch's rows were rejected"
    return f"{between}, {usual} in the median; most in {where}.{failed}"


def _null_lane(
    name: str, shares: Sequence[float | None], past: Sequence[HistoryEntry], top: float
) -> NullLane:
    named = zip(shares, past, strict=True)
    known = [(share, batch.name) for share, batch in named if share is not None]
    most, most_in = max(known, key=lambda pair: pair[0])
    return NullLane(
        name=name,
        bars=tuple(Bar("unknown") if s is None else Bar("share", s / top) for s in shares),
        last=known[-1][0],
        least=min(share for share, _ in known),
        most=most,
        most_in=most_in,
        known=len(known),
    )


def _nulls_in_words(lanes: Sequence[NullLane], with_null: int, known: int) -> str:
    if not known:
        return "Null counts are not known for any column."
    if not lanes:
        return f"No nulls in {counted(known, 'column')} with known counts."
    first = lanes[0]
    nulls = f"Nulls in {with_null:,} of {counted(known, 'column')} with known counts"
    return f"{nulls}; most in {first.name}: {percent(first.most)} of {first.most_in}."


def _scale(most: float) -> float:
    return next(step for step in _SCALES if step >= min(most or 1, 1))


def _listed(parts: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))
