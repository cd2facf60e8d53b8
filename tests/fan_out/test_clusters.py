"""Dask and Ray, each with one cluster on loopback: the verdicts of one process."""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from divided_batches import (
    BARE,
    RULED,
    SPLIT,
    folder_of,
    learned,
    once_a_part_is_done,
    rows,
    said,
    write,
)
from divided_feeds import assert_same, swept_twice_at_once

from signature_gate import BatchNotFound, Policy
from signature_gate.expectations.fan_out.call import Call, result_of
from signature_gate.expectations.fan_out.workers import workers_of
from signature_gate.expectations.readers.open import open_batch
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed


@pytest.fixture(scope="module")
def dask() -> Iterator[Any]:
    """A client of a cluster with two processes."""
    from distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=2, threads_per_worker=1, host="127.0.0.1", dashboard_address=None
    )
    with cluster, Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def on_ray() -> Iterator[str]:
    """A cluster of Ray with two processors."""
    import ray

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        ray.init(
            "local",  # not one that another run left a note of
            num_cpus=2,
            include_dashboard=False,
            object_store_memory=1 << 27,
            log_to_driver=False,
        )
        yield "ray"
        ray.shutdown()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred files of all formats."""
    return folder_of(tmp_path_factory.mktemp("batch"), 100, 20)


@pytest.fixture(params=["dask", "on_ray"])
def workers(request: pytest.FixtureRequest) -> Any:
    """A client, or a name."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("judged_by", [BARE, RULED, learned()], ids=["bare", "ruled", "learned"])
def test_a_hundred_files_have_the_verdict_of_one_process(
    folder: Path, workers: Any, judged_by: Any
) -> None:
    """Every format, partitions, rules, learned values: the JSON is equal."""
    assert said(folder, judged_by, SPLIT, workers) == said(folder, judged_by, SPLIT)


def test_a_worker_that_is_killed_loses_nothing(folder: Path, workers: Any) -> None:
    """The engine itself does again what a worker had that died in the middle of it."""
    engine = workers_of(workers)
    one = said(folder, RULED, SPLIT)

    with once_a_part_is_done(
        type(engine), lambda: os.kill(_a_worker(workers), signal.SIGKILL)
    ) as done:
        assert said(folder, RULED, SPLIT, workers) == one
    assert sorted(done) == list(range(8))


def test_a_feed_whose_worker_is_killed_is_scored_once(
    feeds: Callable[..., tuple[Feed, Feed]], workers: Any
) -> None:
    """Receipts, files and predictions are those of one process; a further run finds all done."""
    (one, many), engine = feeds(20), workers_of(workers)
    score_feed(one)

    with once_a_part_is_done(
        type(engine), lambda: os.kill(_a_worker(workers), signal.SIGKILL)
    ) as done:
        score_feed(many, workers=workers)

    assert sorted(done) == list(range(20))
    assert_same(many, one)
    assert score_feed(many, workers=workers).receipts == ()


def test_two_sweeps_of_a_feed_at_once_score_each_row_once(
    feeds: Callable[..., tuple[Feed, Feed]], workers: Any
) -> None:
    """What a task of one sweep has claimed the other leaves alone."""
    one, many = feeds(20)
    score_feed(one)

    assert swept_twice_at_once(many, workers) == 20
    assert_same(many, one)


def _a_worker(workers: Any) -> int:
    if not isinstance(workers, str):
        return next(iter(workers.run(os.getpid).values()))
    named = psutil.process_iter(["pid", "name"])
    return next(p.info["pid"] for p in named if p.info["name"] in ("ray::work", "ray::IDLE"))


def test_an_error_of_a_worker_is_the_same_error(tmp_path: Path, workers: Any) -> None:
    """Errors of the gate come from workers as they are."""
    from functools import partial

    engine = workers_of(workers)
    assert engine is not None
    reading = partial(open_batch, contract=BARE, policy=Policy())

    with pytest.raises(BatchNotFound, match=r"no such batch: .*gone\.csv"):
        [result_of(got) for _, got in engine.done(Call(reading, [tmp_path / "gone.csv"]))]


def test_dask_is_found_by_its_address(dask: Any, tmp_path: Path) -> None:
    """As ``dask://HOST:PORT``; where none answers, the error names the address."""
    for number in range(3):
        write(rows(30, number), tmp_path / f"{number}.csv")
    address = dask.scheduler_info()["address"].replace("tcp://", "dask://")

    assert said(tmp_path, BARE, SPLIT, address) == said(tmp_path, BARE, SPLIT)
