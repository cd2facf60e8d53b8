"""What works from code that runs in an event loop."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import deliver, gaps, rows
from prefect_records import artifact
from small_checks import contract

from signature_gate import check

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


@pytest.mark.usefixtures("prefect_server")
def test_feeds_are_scored_from_an_event_loop(make_feed: FeedMaker, line: str) -> None:
    """asyncio.to_thread waits for two feeds at once, artifacts included; the loop goes on."""
    from signature_gate.flows import score_batches

    one, other = make_feed("one"), make_feed("other")
    deliver(one, "a.parquet", rows(5))
    deliver(other, "b.parquet", gaps(4, 1))

    async def both() -> tuple[list[int], int]:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                await asyncio.sleep(0.01)
                ticks += 1

        ticking = asyncio.create_task(tick())
        runs = (asyncio.to_thread(score_batches, feed) for feed in (one, other))
        summaries = await asyncio.gather(*runs)
        ticking.cancel()
        return [summary.rows_scored for summary in summaries], ticks

    scored, ticks = asyncio.run(both())

    assert scored == [5, 0]
    assert ticks > 10
    assert "scored: 5" in artifact("signature-gate-one")


@pytest.mark.usefixtures("prefect_server")
def test_an_async_flow_scores_a_feed_as_its_own(make_feed: FeedMaker, line: str) -> None:
    """asyncio.to_thread carries the flow's context along: the run is a part of the caller's."""
    from prefect import flow
    from prefect.client.orchestration import get_client
    from prefect.context import FlowRunContext

    from signature_gate.flows import score_batches

    feed = make_feed("nightly")
    deliver(feed, "a.parquet", rows(3))

    @flow
    async def nightly() -> tuple[str, int]:
        context = FlowRunContext.get()
        summary = await asyncio.to_thread(score_batches, feed)
        return str(context.flow_run.id), summary.rows_scored

    ours, scored = asyncio.run(nightly())

    with get_client(sync_client=True) as client:
        tasks = {run.id: run.flow_run_id for run in client.read_task_runs()}
        parents = {tasks.get(run.parent_task_run_id) for run in client.read_flow_runs()}
    assert scored == 3
    assert ours in {str(parent) for parent in parents}


def test_a_batch_is_judged_from_an_event_loop() -> None:
    """check, called in threads, judges several batches at once, each by itself."""
    good, bad = pl.DataFrame({"a": [1]}), pl.DataFrame({"a": ["x"]})

    async def judge() -> list[bool]:
        judged = [asyncio.to_thread(check, b, contract(a="long")) for b in (good, bad, good)]
        return [result.passed for result in await asyncio.gather(*judged)]

    assert asyncio.run(judge()) == [True, False, True]
