"""Histories of feeds: as plain data for charts, and as receipts on disk."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import sample_verdicts

from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.report.feed_history import EntryFacts, FeedHistory, HistoryEntry
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.identity import Identity
from signature_gate.tasks.feed.receipt import Failure, Outputs, Receipt, ScoredBatch

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from signature_gate.expectations.verdict.verdict import Verdict

BEGIN = datetime(2026, 1, 1, 6, tzinfo=UTC)


def batch(number: int, fare: Any = "passed", *, version: str = "1", **known: Any) -> HistoryEntry:
    """Make the batch of a day; ``known`` is what its verdict said."""
    facts = {"rows": 100, "bad": 0, "columns": {"a": "double"}} | known
    when = BEGIN + timedelta(days=number)
    return HistoryEntry(f"day-{number:02}.parquet", fare, when, version, EntryFacts(**facts))


def past(batches: Iterable[HistoryEntry], total: int | None = None) -> FeedHistory:
    """Make a history of batches."""
    made = tuple(batches)
    return FeedHistory("flights", made, total or len(made))


def receipt(number: int, verdict: Verdict | None = None, **fields: Any) -> Receipt:
    """Make the receipt of a day's batch: passed, unless its verdict or a field says otherwise."""
    found = verdict or sample_verdicts.flights()
    identity = Identity(path=f"day-{number:05}.parquet", bytes=1, stamp=number, digest="d")
    facts = found.batch.model_dump() | {"name": identity.path}
    defaults = {
        "feed": "flights",
        "batch": ScoredBatch(**facts, id=identity.id, identity=identity, rows=found.rows),
        "model": ModelVersion(uri="models:/flights/3", pinned="models:/flights/3", version="3"),
        "contract": "c",
        "policy": "p",
        "verdict": found,
        "disposition": found.disposition,
        "final": True,
        "attempt": 1,
        "outputs": Outputs(scored=found.accepted, rejected=found.rejected),
        "started": BEGIN + timedelta(minutes=number),
        "finished": BEGIN + timedelta(minutes=number, seconds=30),
        "gate_version": "0.1.0",
    }
    return Receipt.model_validate(defaults | fields)


def errored(number: int, **fields: Any) -> Receipt:
    """Make the receipt of a failed attempt on a day's batch."""
    failure = Failure(kind="RegistryUnavailable", message="no answer")
    broken = {"verdict": None, "disposition": "errored", "final": False, "error": failure}
    return receipt(number).model_copy(update=broken | fields)


def feed_at(root: Path, name: str = "flights") -> Feed:
    """Make a feed that has folders and no batches."""
    for folder in ("inbox", "receipts", "quarantine"):
        (root / folder).mkdir(parents=True)
    return Feed.parse({"name": name, "model": "models:/flights@champion", "root": str(root)})


def keep(feed: Feed, *receipts: Receipt) -> None:
    """Write receipts into a feed, with the file times at which they were finished."""
    for one in receipts:
        path = feed.receipts / one.file
        path.write_text(one.model_dump_json(), "utf-8")
        stamp(path, one.finished)


def stamp(path: Path, moment: datetime) -> None:
    """Set a file's time."""
    os.utime(path, (moment.timestamp(), moment.timestamp()))


def keep_unread(feed: Feed, count: int) -> None:
    """Write unreadable files among the receipts, older than all others."""
    for number in range(count):
        path = feed.receipts / f"old-{number:05}-0123456789ab@1.1.json"
        path.touch()
        stamp(path, BEGIN - timedelta(minutes=count - number))
