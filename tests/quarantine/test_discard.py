"""What is discarded moves to the archive with its verdict and report."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from feeds import (
    gaps,
)
from quarantined_feeds import (
    apart,
    balanced,
    low,
    past,
    scored,
)

from signature_gate.expectations.errors import BatchNotFound
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.quarantine.row_counts import count_rows
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


def test_a_discarded_batch_moves_to_the_archive(strict: Feed, tmp_path: Path) -> None:
    """Batch, verdict and report move unchanged; the receipt has the reason."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    files = {p.name: p.read_bytes() for p in apart(strict).path.iterdir()}

    receipt = discard_batch(strict, first.batch.id, "the producer sent it again")

    assert (receipt.disposition, receipt.final, receipt.previous) == (
        "discarded",
        True,
        first.file,
    )
    assert receipt.reason == "the producer sent it again"
    assert receipt.discard
    archive = strict.resolve(receipt.discard.archive or "")
    assert archive == strict.archived("_discarded") / first.batch.id
    assert {p.name: p.read_bytes() for p in archive.iterdir()} == files
    assert strict.resolve(receipt.outputs.batch or "").parent == archive
    assert balanced(strict, receipt) == (10, 0, 10)
    assert count_rows(past(strict, first)).discarded == 10
    assert entry_names(strict) == []
    with pytest.raises(BatchNotFound, match="its latest receipt is"):
        discard_batch(strict, first.batch.id)


def test_rejected_rows_are_discarded_without_their_batch(feed: Feed) -> None:
    """Their batch is scored and stays where it is; `again` may still score it."""
    first = scored(feed, "gaps.parquet", low(10, 3))

    receipt = discard_batch(feed, "gaps.parquet")
    anew = score_feed(feed.model_copy(update={"model": "models:/line/2"}), again=True)

    assert receipt.outputs.batch == "inbox/gaps.parquet"
    assert balanced(feed, first)[1:] == (7, 3)
    assert [(r.version, r.disposition) for r in anew.receipts] == [("2", "split")]
    assert apart(feed).batch == first.batch.id


@pytest.mark.parametrize("text", ["", "…", "no such batch", "../quarantine"])
def test_nothing_is_discarded_that_is_not_named(strict: Feed, text: str) -> None:
    """Even if there is only one batch, a text that does not name it discards nothing."""
    scored(strict, "gaps.parquet", low(10, 3))

    with pytest.raises(BatchNotFound):
        discard_batch(strict, text)

    assert len(entry_names(strict)) == 1


@pytest.mark.usefixtures("prefect_server")
def test_a_discard_is_a_flow(
    make_feed: FeedMaker, line: str, written: Callable[[Feed], str]
) -> None:
    """The feed may be a file; a batch that does not exist fails the run."""
    from signature_gate.flows.releasing import discard_quarantined

    feed = make_feed("discarded")
    first = scored(feed, "gaps.parquet", gaps(10, 3))

    state = discard_quarantined(
        written(feed), first.batch.id, reason="sent again", return_state=True
    )

    assert (state.name, state.message) == (
        "Completed",
        "1 of 1 batch discarded: gaps.parquet: sent again",
    )
    with pytest.raises(BatchNotFound):
        discard_quarantined(feed, first.batch.id)
