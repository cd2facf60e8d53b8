"""A feed whose batches workers score: receipts and outputs are those of a single process."""

from __future__ import annotations

import json
import os
import signal
import threading
from multiprocessing import active_children
from shutil import copytree
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from divided_batches import once_a_part_is_done
from feeds import deliver, everything_below, gaps

from signature_gate.expectations.fan_out.processes import Processes
from signature_gate.flows import score_batches
from signature_gate.tasks.feed.run_summary import RunSummary
from signature_gate.tasks.scoring.feed_run import Progress, score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

BATCHES = 60
_OWN = ("started", "finished", "seconds", "file", "identity", "run", "claimed")


@pytest.fixture
def feeds(line: str, make_feed: Callable[..., Feed]) -> Callable[..., tuple[Feed, Feed]]:
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


def _assert_same(many: Feed, one: Feed) -> None:
    receipts, files, scored = _left_by(many)
    expected, expected_files, expected_scored = _left_by(one)
    assert receipts == expected
    assert files == expected_files
    for name, frame in expected_scored.items():
        assert scored[name].equals(frame)


def _dispositions(summary: RunSummary) -> list[str]:
    return [receipt.disposition for receipt in summary.receipts]


def test_receipts_and_outputs_are_those_of_one_process(
    feeds: Callable[..., tuple[Feed, Feed]],
) -> None:
    """Of sixty batches of all kinds; the summary lists them in their order, and progress each."""
    (one, many), told = feeds(BATCHES, workers=2), list[Progress]()

    alone, divided = score_feed(one), score_feed(many, on_progress=told.append)

    assert _dispositions(divided) == _dispositions(alone)
    assert [r.batch.name for r in divided.receipts] == [r.batch.name for r in alone.receipts]
    assert [p.position for p in told] == list(range(1, BATCHES + 1))
    _assert_same(many, one)
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
    _assert_same(many, one)


def test_two_sweeps_at_once_score_each_row_once(feeds: Callable[..., tuple[Feed, Feed]]) -> None:
    """What one has claimed the other leaves alone."""
    (one, many), summaries = feeds(20), list[RunSummary]()
    score_feed(one)
    sweeps = [
        threading.Thread(target=lambda: summaries.append(score_feed(many, workers=2)))
        for _ in range(2)
    ]
    for sweep in sweeps:
        sweep.start()
    for sweep in sweeps:
        sweep.join()

    assert sum(len(summary.receipts) for summary in summaries) == 20
    _assert_same(many, one)


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
    _assert_same(many, one)
