"""What a run logs in MLflow, and that scoring never depends on it."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from feeds import (
    PLANTED,
    deliver,
    gaps,
    rows,
)

from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.scoring.mlflow_runs import track_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


@pytest.fixture
def make_tracked(
    make_feed: FeedMaker, line: str, request: pytest.FixtureRequest, tmp_path: Path
) -> FeedMaker:
    """Make feeds that log into an experiment of the test's own, which is there already."""
    import mlflow

    name = f"scoring {request.node.name}"
    mlflow.MlflowClient().create_experiment(name, str(tmp_path / "artifacts"))
    return lambda **fields: make_feed(experiment=name, **fields)


def runs_of(feed: Feed) -> list[Any]:
    """Ask the tracking server for the runs of a feed's experiment."""
    import mlflow

    client = mlflow.MlflowClient()
    experiment = client.get_experiment_by_name(str(feed.experiment))
    found = client.search_runs([experiment.experiment_id]) if experiment else []
    return [client.get_run(run.info.run_id) for run in found]


def test_a_run_is_logged_where_the_models_owners_look(make_tracked: FeedMaker) -> None:
    """Rows and share as metrics, kinds as tags, reports, batches, and the model version itself."""
    import mlflow

    feed = make_tracked(policy=SPLIT)
    deliver(feed, "good.parquet", rows(8))
    deliver(feed, "gaps.parquet", gaps(8, nulls=2))

    summary = score_feed(feed)

    (run,) = runs_of(feed)
    metrics = run.data.metrics
    assert (metrics["rows"], metrics["rows_scored"], metrics["rows_rejected"]) == (16, 14, 2)
    assert metrics["rejected_share"] == 2 / 16
    assert (metrics["batches"], metrics["batches_split"], metrics["batches_passed"]) == (2, 1, 1)
    assert metrics["seconds"] > 0
    assert run.info.status == "FINISHED"
    assert run.data.tags["signature_gate.kinds"] == "null"
    assert run.data.tags["signature_gate.disposition"] == "split"
    assert run.data.tags["signature_gate.model"] == "models:/line/1"
    arrived = {entry.dataset.name: entry for entry in run.inputs.dataset_inputs}
    assert set(arrived) == {"good.parquet", "gaps.parquet"}
    assert json.loads(arrived["gaps.parquet"].dataset.profile)["num_rows"] == 8
    linked = {entry.model_id for entry in run.inputs.model_inputs}
    assert linked == {receipt.model.model_id for receipt in summary.receipts}
    reports = mlflow.artifacts.list_artifacts(run_id=run.info.run_id, artifact_path="reports")
    assert len(reports) == 2


def test_nothing_is_logged_unless_the_feed_asks_for_it(make_feed: FeedMaker, line: str) -> None:
    """Off by default: scoring leaves no experiment and no run behind."""
    import mlflow

    before = {e.name for e in mlflow.MlflowClient().search_experiments()}
    feed = make_feed()
    deliver(feed, "good.parquet", rows(3))

    summary = score_feed(feed)

    assert track_run(feed, summary) is None
    assert {e.name for e in mlflow.MlflowClient().search_experiments()} == before


def test_an_experiment_of_ours_says_that_it_is_about_a_model(
    make_feed: FeedMaker,
    make_tracked: FeedMaker,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MLflow's pages then show models and metrics; one that was there keeps what its owner says."""
    import mlflow

    monkeypatch.chdir(tmp_path)
    kinds = dict[str, str | None]()
    for feed in (make_feed("ours", experiment="scoring ours"), make_tracked(name="theirs")):
        deliver(feed, "good.parquet", rows(3))
        score_feed(feed)
        (run,) = runs_of(feed)
        tags = mlflow.MlflowClient().get_experiment(run.info.experiment_id).tags
        kinds[feed.name] = tags.get("mlflow.experimentKind")

    assert kinds == {"ours": "custom_model_development", "theirs": None}


def test_an_idle_run_is_not_logged(make_tracked: FeedMaker) -> None:
    """A run that attempted nothing leaves no empty run in the experiment."""
    feed = make_tracked()

    score_feed(feed)

    assert runs_of(feed) == []


def test_a_tracking_server_that_is_down_stops_nothing(
    make_tracked: FeedMaker, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch is scored; the log says what was not logged, and why."""
    feed = make_tracked()
    deliver(feed, "good.parquet", rows(3))
    summary = score_feed(feed.model_copy(update={"experiment": None}))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    with caplog.at_level(logging.WARNING, "signature_gate.tracking"):
        assert track_run(feed, summary, timeout=5) is None

    assert "Nothing else depends on it" in caplog.text
    assert str(feed.experiment) in caplog.text


def test_an_experiment_that_takes_no_runs_stops_nothing(make_tracked: FeedMaker) -> None:
    """A deleted experiment refuses the run; the batch is scored and its receipt final."""
    import mlflow

    feed = make_tracked()
    client = mlflow.MlflowClient()
    client.delete_experiment(client.get_experiment_by_name(str(feed.experiment)).experiment_id)
    deliver(feed, "good.parquet", rows(3))

    (receipt,) = score_feed(feed).receipts

    assert receipt.final
    assert receipt.disposition == "passed"


def test_under_redact_no_value_reaches_mlflow(make_tracked: FeedMaker, tmp_path: Path) -> None:
    """Neither tags, inputs nor reports hold a value of the batch."""
    import mlflow

    feed = make_tracked(policy={**SPLIT, "redact": True, "parse_text": "allow"})
    deliver(feed, "b.parquet", rows(4, a=["1", PLANTED, "3", "4"]))

    score_feed(feed)

    (run,) = runs_of(feed)
    assert run.data.tags["signature_gate.kinds"] == "unparseable"
    assert PLANTED not in json.dumps(run.to_dictionary(), default=str)
    folder = mlflow.artifacts.download_artifacts(run_id=run.info.run_id, dst_path=str(tmp_path))
    written = [path.read_text("utf-8") for path in Path(folder).rglob("*.html")]
    assert written
    assert not any(PLANTED in text for text in written)


def test_the_json_of_a_tracked_run_is_all_that_is_printed(
    make_tracked: FeedMaker, tmp_path: Path
) -> None:
    """MLflow prints the address of each run that ends; none of it gets between the JSON."""
    feed, file = make_tracked(), tmp_path / "feed.yaml"
    deliver(feed, "july.parquet", rows(3))
    file.write_text(feed.model_dump_json(exclude_defaults=True), "utf-8")
    command = [sys.executable, "-m", "signature_gate", "score", str(file), "--json"]

    ran = subprocess.run(command, capture_output=True, text=True, check=False)

    assert json.loads(ran.stdout)["receipts"][0]["disposition"] == "passed", ran.stderr
    assert len(runs_of(feed)) == 1
