"""Write the pages of feeds: all feeds, each feed, and each one's earlier batches."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.credentials import mask_uri
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
from ...expectations.wording import listed
from ..feed.duration import parse_duration
from ..feed.history import look_back
from ..feed.inbox import ignored_in
from ..quarantine.entries import entries
from ..scoring.evidence import desk_commands, shell_command
from ..scoring.feed_history import link_to, linked_past

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..feed.feed import Feed
    from ..feed.history import History, Trace
    from ..quarantine.entries import QuarantineEntry

_INDEX = "index.html"
_ON_A_PAGE = 500  # earlier batches
_OURS = b'name="generator" content="signature-gate'
_HEAD = 2_000  # bytes within which a page names its generator


def write_overview(
    feeds: Sequence[Feed],
    folder: str | Path,
    drift: Mapping[str, Sequence[DriftNote]] | None = None,
) -> Path:
    """Write all pages of these feeds into a folder, and return the path of their list.

    The pages link to reports and predictions by relative paths. At most sixty receipts of each feed
    are read. Pages of an earlier call are replaced; nothing of the feeds is written. Misuse is
    raised if two feeds have one name, or if a page of another program would be overwritten.
    """
    home = Path(folder).absolute()
    _refuse_namesakes(feeds)
    _refuse_strangers(home / _INDEX)
    as_of = datetime.now(UTC)
    notes = drift or {}
    seen = [_write_feed(feed, home, tuple(notes.get(feed.name, ())), as_of) for feed in feeds]
    return write_page(home / _INDEX, render_feeds(seen, as_of))


def _refuse_namesakes(feeds: Sequence[Feed]) -> None:
    # Some file systems ignore case.
    names = [feed.name.casefold() for feed in feeds]
    shared = sorted({feed.name for feed in feeds if names.count(feed.name.casefold()) > 1})
    if shared:
        msg = f"more than one feed is called {listed(shared)}. Name each feed once."
        raise Misuse(msg)


def _refuse_strangers(index: Path) -> None:
    if not index.is_file():
        return
    with index.open("rb") as file:
        if _OURS in file.read(_HEAD):
            return
    msg = f"{index} was not written by signature-gate and is not overwritten. Name another folder."
    raise Misuse(msg)


def _write_feed(
    feed: Feed, home: Path, drift: tuple[DriftNote, ...], as_of: datetime
) -> FeedOverview:
    page = home / f"feed-{feed.name}"
    history = look_back(feed)
    older = _older(history)
    held = entries(feed)
    seen = FeedOverview(
        name=feed.name,
        model=mask_uri(feed.model),
        past=linked_past(feed, history, page),
        held=tuple(_held(feed, entry, page) for entry in held),
        page=f"{page.name}/{_INDEX}",
        earlier=tuple(f"earlier-{number}.html" for number in range(1, len(older) + 1)),
        drift=drift,
        ignored=ignored_in(feed),
        inbox=str(feed.inbox),
        command=shell_command("score", feed.source),
        expect_every=parse_duration(feed.expect_every) if feed.expect_every else None,
    )
    kept = {entry.batch: entry for entry in held}
    receipts = _way(feed.receipts, page)
    for number, (name, traces) in enumerate(zip(seen.earlier, older, strict=True)):
        batches = [_before(trace, kept.get(trace.batch), page, receipts) for trace in traces]
        write_page(page / name, render_earlier(seen, number, batches, as_of))
    write_page(page / _INDEX, render_feed(seen, as_of))
    return seen


def _held(feed: Feed, entry: QuarantineEntry, page: Path) -> Held:
    return Held(
        name=entry.name,
        report=link_to(entry.report, page),
        since=entry.since,
        reason=", ".join(entry.kinds),
        rejected=entry.rejected,
        rows=entry.rows,
        commands=desk_commands(feed, entry.name),
    )


def _older(history: History) -> list[list[Trace]]:
    """Divide the batches that no chart shows into pages, the newest first."""
    shown = len(history.receipts) + len(history.unreadable)
    traces = list(reversed(history.traces[: len(history.traces) - shown]))
    return [traces[start : start + _ON_A_PAGE] for start in range(0, len(traces), _ON_A_PAGE)]


def _before(trace: Trace, kept: QuarantineEntry | None, page: Path, receipts: str) -> Before:
    return Before(
        batch=trace.batch,
        when=trace.when,
        version=trace.version,
        receipt=_relative(trace.ledger, page) if trace.ledger else f"{receipts}/{trace.file}",
        report=_relative(kept.report, page) if kept else None,
    )


def _relative(path: Path, page: Path) -> str:
    return f"{_way(path.parent, page)}/{path.name}"


@lru_cache
def _way(folder: Path, page: Path) -> str:
    return Path(os.path.relpath(folder, page)).as_posix()
