from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from feeds import deliver, feed_maker, line_model, rows  # noqa: F401 - two of them are fixtures

from signature_gate.tasks.prefect_tasks.scoring import ProgressUpdates

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

# One row scored each tenth of a second.
TEMPO = 0.1


def shown_of(rows: int, seconds: float = 5.0) -> list[float]:
    """Let rows be scored at the tempo, and list what is shown of it."""
    shown: list[float] = []
    now = 0.0
    updates = ProgressUpdates(shown.append, seconds, clock=lambda: now)
    for done in range(1, rows + 1):
        now = done * TEMPO
        updates.report(done, rows)
    return shown


@pytest.mark.parametrize(
    ("rows", "shown"),
    [
        pytest.param(1, [], id="one piece"),
        pytest.param(40, [], id="done before the first update is due"),
        pytest.param(50, [], id="done when the first update is due"),
        pytest.param(80, [62.5, 100.0], id="one update and the end"),
        pytest.param(200, [25.0, 50.0, 75.0, 100.0], id="one every five seconds"),
    ],
)
def test_a_batch_is_shown_every_few_seconds_and_a_quick_one_never(
    rows: int, shown: list[float]
) -> None:
    """What is scored in a moment leaves nothing in Prefect's database; what is shown, ends."""
    assert shown == pytest.approx(shown_of(rows))


def test_a_million_pieces_make_no_more_updates_than_the_time_they_take() -> None:
    """Updates are bounded by seconds, not by pieces."""
    assert len(shown_of(100_000)) <= 100_000 * TEMPO / 5 + 1


def test_a_display_that_breaks_is_let_alone_and_stops_nothing() -> None:
    """An error while progress is shown is no error of the batch, and it comes but once."""
    calls: list[float] = []

    def show(percent: float) -> None:
        calls.append(percent)
        raise ConnectionError

    updates = ProgressUpdates(show, seconds=0)
    for done in range(1, 10):
        updates.report(done, 9)

    assert len(calls) == 1


def test_a_split_is_complete_when_its_good_rows_are_scored(
    make_feed: Callable[..., Feed], line: str
) -> None:
    """What is to be scored are the accepted rows: rejected ones do not hold progress back."""
    from signature_gate.tasks.scoring.feed_run import Progress, score_feed

    feed = make_feed(chunk_rows=2, policy={"on_mismatch": "split", "max_rejected": 0.5})
    deliver(feed, "gaps.parquet", rows(6, a=[None, 1.0, 2.0, 3.0, 4.0, 5.0]))
    told: list[Progress] = []

    score_feed(feed, on_progress=told.append)

    steps = [(p.scored, p.rows) for p in told if p.rows is not None]
    assert steps[-1] == (5, 5)


def test_scoring_a_large_batch_shows_in_its_task_run(
    make_feed: Callable[..., Feed], line: str, monkeypatch: Any, prefect_server: None
) -> None:
    """One progress artifact per batch, on the run's page only, and at 100 when it is scored."""
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterType

    from signature_gate.flows.scoring import score_batches

    monkeypatch.setattr("signature_gate.tasks.prefect_tasks.scoring.SECONDS_APART", 0)
    feed = make_feed("large", chunk_rows=2)
    deliver(feed, "large.parquet", rows(7))

    (receipt,) = score_batches(feed).receipts

    with get_client(sync_client=True) as client:
        of_type = ArtifactFilter(type=ArtifactFilterType(any_=["progress"]))
        found = client.read_artifacts(artifact_filter=of_type)
    ours = [a for a in found if a.description == f"Scoring {receipt.batch.id}"]
    assert [(a.key, a.data) for a in ours] == [(None, 100.0)]
    assert ours[0].task_run_id is not None
