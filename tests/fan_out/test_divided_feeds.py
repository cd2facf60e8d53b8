"""A feed whose batches workers score: receipts and outputs are those of a single process."""

from __future__ import annotations

import os
import signal
from multiprocessing import active_children
from typing import TYPE_CHECKING, Any

import pytest
from divided_batches import once_a_part_is_done
from divided_feeds import assert_same, swept_twice_at_once
from feeds import gaps
from live_object_store import keys, put

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.expectations.fan_out.processes import Processes
from signature_gate.flows import score_batches
from signature_gate.tasks.scoring.feed_run import Progress, score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.run_summary import RunSummary

BATCHES = 30


def _dispositions(summary: RunSummary) -> list[str]:
    return [receipt.disposition for receipt in summary.receipts]


def test_receipts_and_outputs_are_those_of_one_process(
    feeds: Callable[..., tuple[Feed, Feed]],
) -> None:
    """Of thirty batches of all kinds; the summary lists them in their order, and progress each."""
    (one, many), told = feeds(BATCHES, workers=2), list[Progress]()

    alone, divided = score_feed(one), score_feed(many, on_progress=told.append)

    assert _dispositions(divided) == _dispositions(alone)
    assert [r.batch.name for r in divided.receipts] == [r.batch.name for r in alone.receipts]
    assert [p.position for p in told] == list(range(1, BATCHES + 1))
    assert_same(many, one)
    assert score_feed(many, workers=2).receipts == ()


def test_a_killed_worker_loses_and_doubles_nothing(feeds: Callable[..., tuple[Feed, Feed]]) -> None:
    """The batch that it had claimed is scored by another worker of the same run."""
    one, many = feeds(20)
    score_feed(one)

    with once_a_part_is_done(
        Processes, lambda: os.kill(active_children()[0].pid or 0, signal.SIGKILL)
    ) as done:
        score_feed(many, workers=2)

    assert sorted(done) == list(range(20))
    assert_same(many, one)


def test_two_sweeps_at_once_score_each_row_once(feeds: Callable[..., tuple[Feed, Feed]]) -> None:
    """What one has claimed the other leaves alone."""
    one, many = feeds(20)
    score_feed(one)

    assert swept_twice_at_once(many, 2) == 20
    assert_same(many, one)


def test_workers_score_a_feed_in_a_store(store_feed: Callable[..., Feed]) -> None:
    """Each batch is leased, scored and recorded once."""
    feed = store_feed()
    for number in range(6):
        put(feed, f"{number}.parquet", gaps(20, 2 * (number % 2)))

    told = _dispositions(score_feed(feed, workers=2))

    assert told == ["passed", "quarantined"] * 3
    assert len(keys(feed, "scored")) == len(keys(feed, "quarantine")) / 3 == 3
    assert score_feed(feed).receipts == ()


def test_a_flow_has_one_task_for_the_sweep(
    feeds: Callable[..., tuple[Feed, Feed]], prefect_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """Its batches are told one by one all the same, and the state is that of the flow."""
    one, many = feeds(10, workers=2)
    score_feed(one)

    state = score_batches(many, return_state=True)

    assert state.name == "Quarantined", state.message
    told = [r.message for r in caplog.records if r.name == "prefect.task_runs"]
    assert sorted(t.partition("-")[0] for t in told if t.startswith("00")) == [
        f"{number:03}" for number in range(10)
    ]
    assert_same(many, one)


@pytest.mark.parametrize("workers", [0, "daskk", "2.5"])
def test_workers_that_there_are_not_are_refused_when_the_feed_is_read(
    make_feed: Callable[..., Feed], workers: Any
) -> None:
    """Not when the first batch is there, at night."""
    with pytest.raises(InvalidFeed, match=r"workers: .*workers are a number of processes, 'dask'"):
        make_feed(workers=workers)
