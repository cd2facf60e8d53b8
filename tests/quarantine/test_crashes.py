"""A release or a discard that is killed, at any write, ends once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import everything_below
from killed_process import start_command
from quarantined_feeds import (
    apart,
    balanced,
    contents,
    low,
    past,
    predictions,
    scored,
    two_faults,
)

from signature_gate.expectations.errors import GateError
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.journal import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt


IN_YAML = "{keep: [key], on_mismatch: split, max_rejected: 0.5}"


def test_an_attempt_that_is_half_done_is_not_cut_off(feed: Feed) -> None:
    """A release waits for the crashed run that is bound to score the batch."""
    from signature_gate.tasks.scoring.feed_run import current_intent
    from signature_gate.tasks.storage.intent import bind_intent

    first = scored(feed, "gaps.parquet", low(10, 3))
    newer = feed.model_copy(update={"model": "models:/line/2"})
    bind_intent(feed, first.batch.id, current_intent(newer))

    with pytest.raises(GateError, match="unfinished"):
        release_batch(feed, first.batch.id)

    assert feed.intent(first.batch.id).exists()


_KILLED = [
    ("claimed", 1, "release"),
    ("bound", 1, "release"),
    ("bound", 1, "score"),
    ("staged", 1, "release"),
    ("staged", 1, "score"),
    ("planned", 1, "release"),
    ("planned", 1, "score"),
    *(("moved", step, "release") for step in (1, 2, 3)),
    ("moved", 2, "score"),
    ("committed", 1, "release"),
    ("committed", 1, "score"),
]


def _end_is_the_same(feed: Feed, first: Receipt, expected: tuple[int, int, int]) -> None:
    receipts = past(feed, first)
    assert [r.disposition for r in receipts] == ["split", "split"]
    assert balanced(feed, first) == expected
    assert predictions(feed, receipts[1])["_row"].to_list() == [0]
    assert pl.read_parquet(apart(feed).content or "")["_row"].to_list() == [9]
    assert everything_below(feed.archived("_released")) == {
        f"{first.batch.id}/{name}" for name in ("rejected.parquet", "verdict.json", "report.html")
    }
    assert len(everything_below(Path(feed.root) / "scored")) == 2
    assert everything_below(feed.claims) == set()
    assert list(feed.staging.iterdir()) == []


@pytest.mark.parametrize(("point", "times", "then"), _KILLED)
def test_a_release_that_is_killed_ends_once(
    feed: Feed,
    written: Callable[[Feed], str],
    tmp_path: Path,
    point: str,
    times: int,
    then: str,
) -> None:
    """A second release gives the same end; a run of the feed clears or completes the first one."""
    first = scored(feed, "two.parquet", two_faults())
    before = contents(feed)
    policy = tmp_path / "policy.yaml"
    policy.write_text(IN_YAML)
    command = ["quarantine", "release", written(feed), first.batch.id, "--policy", str(policy)]
    worker = start_command(command, tmp_path / "log", point, times)
    worker.join(120)
    assert worker.exitcode == -9, (tmp_path / "log").read_text()

    planned = list(CHECKPOINTS).index(point) >= list(CHECKPOINTS).index("planned")
    if then == "score":
        summary = score_feed(feed)
        assert len(summary.receipts) == int(planned)
        if not planned:
            assert contents(feed) == before
            assert everything_below(feed.claims) == set()
    if then == "release" or not planned:
        release_batch(feed, first.batch.id, ReleaseOptions(policy=policy))

    _end_is_the_same(feed, first, (10, 9, 1))


@pytest.mark.parametrize("point", ["planned", "moved", "committed"])
def test_a_discard_that_is_killed_ends_once(
    strict: Feed, written: Callable[[Feed], str], tmp_path: Path, point: str
) -> None:
    """The same command again completes it, and returns the same receipt."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    command = ["quarantine", "discard", written(strict), first.batch.id]
    worker = start_command(command, tmp_path / "log", point)
    worker.join(120)
    assert worker.exitcode == -9, (tmp_path / "log").read_text()

    receipt = discard_batch(strict, first.batch.id)

    assert [r.file for r in past(strict, first)] == [first.file, receipt.file]
    assert entry_names(strict) == []
    assert len(everything_below(strict.archived("_discarded"))) == 3
    assert list(strict.staging.iterdir()) == []
