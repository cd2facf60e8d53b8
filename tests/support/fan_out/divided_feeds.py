"""Two feeds with equal inboxes, and whether they ended alike."""

from __future__ import annotations

import json
import threading
from shutil import copytree
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from feeds import deliver, everything_below, gaps

from signature_gate.tasks.feed.run_summary import RunSummary
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

_OWN = ("started", "finished", "seconds", "file", "identity", "run", "claimed")


@pytest.fixture(name="feeds")
def twin_feeds(line: str, make_feed: Callable[..., Feed]) -> Callable[..., tuple[Feed, Feed]]:
    """Make two feeds with equal inboxes: batches that pass, are split, are held, are no Parquet."""

    def make(batches: int, **fields: Any) -> tuple[Feed, Feed]:
        policy = {"on_mismatch": "split", "max_rejected": 0.5}
        one, many = make_feed("one", policy=policy), make_feed("many", policy=policy, **fields)
        for number in range(batches):
            # No two have the same content: which of these is the first depends on who is faster.
            made = gaps(20, {3: 2, 6: 18}.get(number % 10, 0)).with_columns(n=pl.lit(number))
            torn = f"no Parquet {number}".encode()
            deliver(one, f"{number:03}.parquet", torn if number % 10 == 8 else made)
        copytree(one.inbox, many.inbox, dirs_exist_ok=True)
        return one.model_copy(update={"name": "same"}), many.model_copy(update={"name": "same"})

    return make


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items() if name not in _OWN}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def _left_by(feed: Feed) -> tuple[list[str], set[str], dict[str, pl.DataFrame]]:
    texts = [path.read_text("utf-8") for path in feed.receipts.glob("*.json")]
    told = [_plain(json.loads(t.replace(str(feed.root), ""))) for t in texts]
    receipts = sorted(json.dumps(receipt) for receipt in told)
    root = feed.inbox.parent
    files = {f for f in everything_below(root) if not f.startswith(("receipts", "claims"))}
    scored = {f: pl.read_parquet(root / f) for f in files if f.startswith("scored")}
    return receipts, files, scored


def assert_same(many: Feed, one: Feed) -> None:
    """Both have left the same receipts and files; the rows that they scored are equal."""
    receipts, files, scored = _left_by(many)
    expected, expected_files, expected_scored = _left_by(one)
    assert receipts == expected
    assert files == expected_files
    for name, frame in expected_scored.items():
        assert scored[name].equals(frame)


def swept_twice_at_once(feed: Feed, workers: Any) -> int:
    """Score a feed in two sweeps at the same time; count the receipts of both."""
    summaries = list[RunSummary]()
    sweeps = [
        threading.Thread(target=lambda: summaries.append(score_feed(feed, workers=workers)))
        for _ in range(2)
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()
    return sum(len(summary.receipts) for summary in summaries)
