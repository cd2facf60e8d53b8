"""What the scoring of a batch looks up, however long the feed's past is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from feeds import deliver, rows

from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from signature_gate.tasks.feed.feed import Feed


def test_the_receipts_are_listed_once_a_batch(
    line: str, make_feed: Callable[..., Feed], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A feed gathers tens of thousands of receipts: each batch costs one listing."""
    feed = make_feed()
    listed = list[str]()
    real = os.listdir

    def listdir(path: str = ".") -> list[str]:
        listed.append(str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    counts = list[int]()
    for run, batches in enumerate((1, 1, 4)):
        for number in range(batches):
            deliver(feed, f"{run}-{number}.parquet", rows(3 + 10 * run + number))
        listed.clear()
        summary = score_feed(feed)
        assert len(summary.receipts) == batches
        counts.append(listed.count(str(feed.receipts)))
    assert counts[2] - counts[1] == 3


def test_what_was_listed_for_one_batch_hides_no_other(
    line: str, make_feed: Callable[..., Feed]
) -> None:
    """Who listed the names near one path finds the batches of other paths all the same."""
    feed = make_feed()
    for number, name in enumerate(("one.parquet", "two.parquet")):
        deliver(feed, name, rows(3 + number))
    score_feed(feed)
    batches = ReceiptStore(feed).batches()
    near = ReceiptStore(feed).near("one.parquet")

    assert near.batches() == batches
    assert [len(near.for_batch(batch)) for batch in batches] == [1, 1]
    assert list(near.deliveries("two.parquet").heads) == [batches[1]]
