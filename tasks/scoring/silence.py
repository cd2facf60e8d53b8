"""Whether a feed is silent: no new batch has arrived for longer than its file says."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...expectations.stores.objects import ObjectStore
from ..feed.duration import parse_duration
from ..feed.history import LAST
from ..feed.receipt_files import filed_receipts
from ..stores.batches import arrived
from ..stores.receipts import STATE, fetch_recent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..feed.feed import Feed
    from ..feed.inbox import SkippedBatch

_FIRST_RUN = ".first-run"


def silent_since(feed: Feed, left: Iterable[SkippedBatch]) -> datetime | None:
    """Say since when nothing new has arrived, if that is longer than ``expect_every``; else None.

    A batch counts from its first receipt, or while it has none from when it came into the inbox.
    A feed that never received one counts from its first run with ``expect_every``, of which a file
    beside the receipts tells; one in a store from its first run. ``left`` is what the run that
    looked has left alone.
    """
    if feed.expect_every is None:
        return None
    if feed.url:
        fetch_recent(feed, LAST)
    until = datetime.now(UTC) - parse_duration(feed.expect_every)
    newest = max(_first_receipts(feed), default=0)
    if _when(newest) <= until:
        newest = max([newest, *_in_inbox(feed, left)])
    since = _when(newest or _first_run(feed))
    return since if since <= until else None


def _when(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp // 10**9, UTC)


def _first_receipts(feed: Feed) -> Iterable[int]:
    # A release, or another attempt, is no arrival.
    first: dict[str, int] = {}
    for filed in filed_receipts(feed.receipts):
        batch = filed.name.partition("@")[0]
        first[batch] = min(filed.written, first.get(batch, filed.written))
    return first.values()


def _in_inbox(feed: Feed, left: Iterable[SkippedBatch]) -> Iterator[int]:
    for entry in (entry for entry in left if entry.why != "ignored"):
        if feed.url:
            yield int(arrived(ObjectStore(feed.root), entry.batch) * 1e9)
        else:
            # Copies keep the time of their original: the time of change is that of the arrival.
            with suppress(OSError):
                yield (feed.inbox / entry.batch).stat().st_ctime_ns


def _first_run(feed: Feed) -> int:
    mark = feed.receipts / (STATE if feed.url else _FIRST_RUN)
    if not mark.exists():
        mark.touch()
    return mark.stat().st_mtime_ns
