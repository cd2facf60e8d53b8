"""Discard what lies in quarantine: it moves to the archive, and nothing is deleted."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING

from ..feed.feed import Feed
from ..feed.receipt import Discard, Outputs, Receipt
from ..feed.receipt_store import ReceiptStore
from ..storage.atomic import make_folder, remove
from ..storage.journal import log_checkpoint
from ..storage.transaction import publish
from .checkout import CheckedOut, checkout, fetched, resolve_entry
from .row_counts import count_rows

if TYPE_CHECKING:
    from pathlib import Path


def discard_batch(feed: Feed | str | Path, batch: str, reason: str = "") -> Receipt:
    """Move a quarantine entry, reports included, to ``archive/_discarded``.

    Raises:
        BatchNotFound: There is no such entry.
        GateError: Another worker has it.
        Misuse: ``batch`` names several entries, or no receipt is about it.
        OSError: It cannot be moved. Once the plan is written, the next run completes it.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    if feed.url:
        with fetched(feed, batch) as (here, name):
            return discard_batch(here, name, reason)
    name = resolve_entry(feed, batch)
    if isinstance(name, Receipt):
        return name
    with checkout(feed, name) as taken:
        started = datetime.now(UTC)
        staged = feed.staged(taken.entry.batch)
        log_checkpoint(taken.entry.batch, "claimed")
        remove(staged)
        make_folder(staged)
        place = taken.archived("discarded")
        receipt = _receipt(taken, place, reason, started)
        return publish(feed, [(taken.entry.path, place)], receipt)


def _receipt(taken: CheckedOut, place: Path, reason: str, started: datetime) -> Receipt:
    feed, entry, latest = taken.feed, taken.entry, taken.latest
    content = place / entry.content.name if entry.content else None
    whole = feed.relative(content) if content else None
    outputs = Outputs(
        batch=whole if entry.holds == "batch" else taken.batch_place,
        rejected=count_rows(taken.receipts, latest.file).rejected,
    )
    record = Discard(
        entry=entry.name,
        holds=entry.holds,
        number=taken.number,
        receipt=latest.file,
        archive=feed.relative(place),
        reason=reason,
    )
    return latest.model_copy(
        update={
            "batch": latest.batch.model_copy(update={"rows": outputs.rejected}),
            "verdict": None,
            "disposition": "discarded",
            "attempt": ReceiptStore(feed).next_attempt(entry.batch, latest.version),
            "previous": taken.receipts[-1].file,
            "outputs": outputs,
            "release": None,
            "discard": record,
            "started": started,
            "finished": datetime.now(UTC),
            "gate_version": version("signature-gate"),
        }
    )
