"""A feed's past, made for its pages out of receipts."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import GateError
from ...expectations.report.feed_history import EntryFacts, FeedHistory, HistoryEntry, known_from
from ..feed.history import LAST, look_back
from ..feed.receipt_files import read_receipt
from ..storage.atomic import lexists
from .evidence import REPORT

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..feed.feed import Feed
    from ..feed.history import History
    from ..feed.receipt import Receipt

_FOLLOWED = 8  # receipts, from the last review in quarantine back to the batch's arrival


def past_of(feed: Feed, newest: Receipt | None = None, last: int = LAST) -> FeedHistory:
    """Look back on a feed's last batches, without links; ``newest`` is not committed yet, and last.

    OSError: the folder of receipts cannot be listed.
    """
    history = look_back(feed, last)
    own = newest.batch.id if newest else None
    before = [receipt for receipt in history.receipts if receipt.batch.id != own]
    others = sum(trace.batch != own for trace in history.traces)
    batches = _in_order(past_batch(feed, receipt) for receipt in before)
    # However the clocks of two workers differ, what is judged just now comes last.
    batches += (past_batch(feed, newest),) if newest else ()
    return FeedHistory(
        feed=feed.name,
        batches=batches[-last:],
        total=others + (newest is not None),
        unreadable=history.unreadable,
    )


def linked_past(feed: Feed, history: History, page: Path) -> FeedHistory:
    """Look back from a page's folder, with links to the reports and predictions that are there."""
    return FeedHistory(
        feed=feed.name,
        batches=_in_order(past_batch(feed, receipt, page) for receipt in history.receipts),
        total=len(history.traces),
        unreadable=history.unreadable,
    )


def past_batch(feed: Feed, newest: Receipt, page: Path | None = None) -> HistoryEntry:
    """Pick what pages show out of a batch's newest receipt; without links where there is no page.

    What was taken up in quarantine is shown as it fared when it arrived, so that a feed looks no
    better for being looked after.
    """
    receipt = _of_arrival(feed, newest)
    verdict, error = receipt.verdict, receipt.error
    failed = EntryFacts(faults=(error.kind,)) if error else EntryFacts()
    batch = HistoryEntry(
        name=receipt.batch.name,
        fare=receipt.disposition,
        when=receipt.finished,
        version=receipt.version,
        known=known_from(verdict, receipt.batch.null_counts) if verdict else failed,
        earlier=tuple(receipt.earlier.values()),
        after="released" if newest.release else "discarded" if newest.discard else "",
    )
    if page is None:
        return batch
    # What was taken up lies elsewhere now, and its newest receipt knows where.
    folder = newest.outputs.quarantine or receipt.outputs.quarantine
    scores = newest.outputs.predictions or receipt.outputs.predictions
    report = link_to(feed.resolve(folder) / REPORT, page) if folder else None
    predictions = link_to(feed.resolve(scores), page) if scores else None
    return replace(batch, report=report, predictions=predictions)


def _in_order(batches: Iterable[HistoryEntry]) -> tuple[HistoryEntry, ...]:
    return tuple(sorted(batches, key=lambda batch: batch.when))


def _of_arrival(feed: Feed, newest: Receipt) -> Receipt:
    receipt = newest
    for _ in range(_FOLLOWED):
        if receipt.review is None:
            return receipt
        try:
            receipt = read_receipt(feed.receipts / receipt.review.receipt)
        except (GateError, OSError):
            break
    return newest


def link_to(path: Path, page: Path) -> str | None:
    """Say how a page in a folder refers to a file; None where there is none, or no such path."""
    with suppress(ValueError, OSError):
        if lexists(path):
            return Path(os.path.relpath(path, page)).as_posix()
    return None
