"""Write the pages on which feeds are looked after; nothing of the feeds themselves is touched."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import Misuse
from ...expectations.report.feed_pages import (
    Before,
    DriftNote,
    FeedOverview,
    Held,
    render_earlier,
    render_feed,
    render_feeds,
)
from ...expectations.report.templating import write_page
from ..feed.history import look_back
from ..quarantine.entries import batch_of, entry_names
from ..scoring.evidence import REPORT
from ..scoring.feed_history import linked_past

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..feed.feed import Feed
    from ..feed.history import History, Trace

_INDEX = "index.html"
_ON_A_PAGE = 500  # earlier batches
_OURS = b'name="generator" content="signature-gate'
_HEAD = 2_000  # bytes within which a page of ours says so


def write_overview(
    feeds: Sequence[Feed],
    folder: str | Path,
    drift: Mapping[str, Sequence[DriftNote]] | None = None,
) -> Path:
    """Write a page that lists feeds, a page for each, and pages of each one's earlier batches.

    The pages refer to reports and predictions where they lie, by relative paths. Of each feed at
    most sixty receipts are opened, however many there are.

    Args:
        feeds: The feeds, in the order in which they are listed.
        folder: Where; it is made if need be, and pages of an earlier call are replaced.
        drift: What drifted, by the feed's name.

    Returns:
        The path of the page that lists the feeds.

    Raises:
        Misuse: Two feeds have one name, or another's page stands in the way.
        OSError: Something cannot be read or written.
    """
    home = Path(folder).absolute()
    _refuse_namesakes(feeds)
    _refuse_strangers(home / _INDEX)
    made = datetime.now(UTC)
    notes = drift or {}
    seen = [_write_feed(feed, home, tuple(notes.get(feed.name, ())), made) for feed in feeds]
    return write_page(home / _INDEX, render_feeds(seen, made))


def _refuse_namesakes(feeds: Sequence[Feed]) -> None:
    # Some disks take capitals for small letters.
    names = [feed.name.casefold() for feed in feeds]
    twice = sorted({feed.name for feed in feeds if names.count(feed.name.casefold()) > 1})
    if twice:
        msg = f"more than one feed is called {', '.join(twice)}. Name each feed once."
        raise Misuse(msg)


def _refuse_strangers(index: Path) -> None:
    if not index.is_file():
        return
    with index.open("rb") as file:
        if _OURS in file.read(_HEAD):
            return
    msg = f"{index} is not a page of signature-gate's. Name another folder; it is not overwritten."
    raise Misuse(msg)


def _write_feed(
    feed: Feed, home: Path, drift: tuple[DriftNote, ...], made: datetime
) -> FeedOverview:
    page = home / f"feed-{feed.name}"
    history = look_back(feed)
    older = _older(history)
    names = entry_names(feed)
    seen = FeedOverview(
        name=feed.name,
        model=feed.model,
        past=linked_past(feed, history, page),
        held=tuple(Held(name, _report(feed, name, page)) for name in names),
        page=f"{page.name}/{_INDEX}",
        earlier=tuple(f"earlier-{number}.html" for number in range(1, len(older) + 1)),
        drift=drift,
    )
    kept = {batch_of(name): name for name in names}
    for number, (name, traces) in enumerate(zip(seen.earlier, older, strict=True)):
        batches = [_before(feed, trace, kept.get(trace.batch), page) for trace in traces]
        write_page(page / name, render_earlier(seen, number, batches, made))
    write_page(page / _INDEX, render_feed(seen, made))
    return seen


def _older(history: History) -> list[list[Trace]]:
    """Lay the batches that are on no picture out on pages, the newest first."""
    shown = len(history.receipts) + len(history.unreadable)
    traces = list(reversed(history.traces[: len(history.traces) - shown]))
    return [traces[start : start + _ON_A_PAGE] for start in range(0, len(traces), _ON_A_PAGE)]


def _before(feed: Feed, trace: Trace, kept: str | None, page: Path) -> Before:
    return Before(
        batch=trace.batch,
        when=trace.when,
        version=trace.version,
        receipt=_relative(feed.receipts / trace.file, page),
        report=_report(feed, kept, page) if kept else None,
    )


def _report(feed: Feed, entry: str, page: Path) -> str:
    return _relative(feed.quarantined(entry) / REPORT, page)


def _relative(path: Path, page: Path) -> str:
    return Path(os.path.relpath(path, page)).as_posix()
