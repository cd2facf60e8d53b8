"""Feeds on a real Prefect server: deployed again and again, each thing is there once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from live_platform import wait_for
from live_prefect import server, speaking_to  # noqa: F401 - a fixture

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.tasks.feed.feed_files import load_feeds

if TYPE_CHECKING:
    from pathlib import Path

    from live_platform import Platform
    from pytest import CaptureFixture  # noqa: PT013 - a type only


def write_feed(folder: Path, name: str, **fields: Any) -> Path:
    """Write a feed's file; JSON is YAML."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.yaml"
    path.write_text(json.dumps({"name": name, "model": "models:/m/1", "root": name} | fields))
    return path


def on_server() -> tuple[dict[str, Any], dict[str, Any]]:
    """Read deployments by flow and name, and automations by name, as they are compared."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        deployments = {
            f"{client.read_flow(d.flow_id).name}/{d.name}": (
                d.id,
                d.parameters,
                d.tags,
                d.work_pool_name,
                d.entrypoint,
                [(s.schedule.cron, s.schedule.timezone, s.active) for s in d.schedules],  # pyright: ignore[reportAttributeAccessIssue]
            )
            for d in client.read_deployments()
        }
        found = client.read_automations()
        automations = {a.name: a.model_dump(exclude={"id"}) for a in found}
        assert len(found) == len(automations)
    return deployments, automations


def test_deploying_twice_changes_nothing(
    live_server: Platform, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """Each feed has its schedules, in its time zone; event, runs by hand and automations are there.

    A changed schedule is taken over. A feed whose file is gone is named and left alone.
    """
    folder = tmp_path / "feeds"
    path = write_feed(folder, "orders", schedule="5 * * * *", timezone="Europe/Berlin")
    write_feed(folder, "returns")
    with speaking_to(live_server):
        assert run(capsys, "deploy", str(folder))[0] == 0
        first = on_server()
        code, printed, _ = run(capsys, "deploy", str(folder))
        assert (code, on_server()) == (0, first)

        write_feed(folder, "orders", schedule="7 * * * *")
        (folder / "returns.yaml").unlink()
        code, changed, _ = run(capsys, "deploy", str(folder), "--json")
        deployments, automations = on_server()

    flows = ("score-batches/orders", "watch-schema/orders", "score-batches/orders-arrived")
    assert {*flows, "release-quarantined/by-hand", "discard-quarantined/by-hand"} <= {*first[0]}
    _, parameters, tags, pool, entrypoint, schedules = first[0]["score-batches/orders"]
    assert (parameters, pool) == ({"feed": str(path.resolve())}, "signature-gate")
    assert tags == ["signature-gate", "feed:orders"]
    assert entrypoint == "signature_gate.flows.scoring.score_batches"
    assert schedules == [("5 * * * *", "Europe/Berlin", True)]
    assert deployments["score-batches/orders"][-1] == [("7 * * * *", "UTC", True)]
    assert "deployed   score-batches/returns" in printed
    gone = ["score-batches/returns", "score-batches/returns-arrived", "watch-schema/returns"]
    assert json.loads(changed)["left"] == gone
    assert "score-batches/returns" in deployments
    at_event = automations["signature-gate, a batch arrived in orders"]
    assert at_event["trigger"]["match"] == {"prefect.resource.id": "signature-gate.feed.orders"}
    assert at_event["actions"][0]["parameters"] == {"feed": str(path.resolve())}
    assert "signature-gate-zombies" in automations


def test_without_a_server_deploy_says_how_to_name_one(
    tmp_path: Path, capsys: CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wrong usage, with the remedy."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    write_feed(tmp_path / "feeds", "orders")
    with temporary_settings({PREFECT_API_URL: None}):
        code, _, error = run(capsys, "deploy", str(tmp_path / "feeds"))

    assert code == 2
    assert "set PREFECT_API_URL" in error


def test_a_worker_scores_a_deployed_feed_at_an_event(
    live_server: Platform, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """The deployment names no folder of code: the worker imports the flow and finds the feed."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from prefect.events import emit_event
    from sklearn.linear_model import LinearRegression

    frame, outcome = pd.DataFrame({"a": [0.0, 1.0]}), pd.DataFrame({"outcome": [0.0, 2.0]})
    fitted, signature = LinearRegression().fit(frame, outcome), infer_signature(frame, outcome)
    mlflow.sklearn.save_model(
        fitted,
        tmp_path / "m",
        signature=signature,
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
    )
    model, never = str(tmp_path / "m"), "0 0 1 1 *"
    write_feed(tmp_path / "feeds", "at_once", model=model, settle_seconds=0, schedule=never)
    inbox = tmp_path / "feeds" / "at_once" / "inbox"
    inbox.mkdir(parents=True)
    (inbox / "day.csv").write_text("a\n1.5\n")
    with speaking_to(live_server):
        assert run(capsys, "deploy", str(tmp_path / "feeds"))[0] == 0
        emit_event("batch.arrived", resource={"prefect.resource.id": "signature-gate.feed.at_once"})
        scored = inbox.parent / "scored"
        with live_server.running("prefect worker start --pool signature-gate"):
            wait_for(lambda: list(scored.rglob("day-*.parquet")), "the predictions", seconds=120)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"schedule": "at noon"}, "schedule: Invalid cron string"),
        ({"watch_schedule": "61 * * * *"}, "watch_schedule: Invalid cron string"),
        ({"timezone": "Mars/Olympus"}, "'Mars/Olympus' is no time zone"),
    ],
)
def test_a_schedule_that_nobody_can_keep_is_wrong_usage(
    fields: dict[str, str],
    words: str,
    live_server: Platform,
    tmp_path: Path,
    capsys: CaptureFixture[str],
) -> None:
    """The message names the feed's field; nothing is deployed."""
    write_feed(tmp_path / "feeds", "unkept", **fields)
    with speaking_to(live_server):
        code, _, error = run(capsys, "deploy", str(tmp_path / "feeds"))
        deployments, _ = on_server()

    assert code == 2
    assert words in error
    assert "score-batches/unkept" not in deployments


def test_feeds_that_would_share_a_name_or_a_folder_are_refused(tmp_path: Path) -> None:
    """Also where only one of them is asked for: the other lies in the same folder."""
    folder = tmp_path / "feeds"
    write_feed(folder, "a")
    write_feed(folder, "b", folders={"inbox": "a/archive"})
    with pytest.raises(InvalidFeed, match="archive of feed a and inbox of feed b"):
        load_feeds([folder])
    with pytest.raises(InvalidFeed, match="archive of feed a and inbox of feed b"):
        load_feeds([folder / "a.yaml"])

    (folder / "b.yaml").write_text('{"name": "a", "model": "models:/m/1", "root": "c"}')
    with pytest.raises(InvalidFeed, match="are both called a"):
        load_feeds([folder / "b.yaml"])

    (folder / "b.yaml").write_text("kind: notes")
    assert [feed.name for feed in load_feeds([folder / "a.yaml"]).values()] == ["a"]


def test_several_feeds_are_scored_and_the_highest_code_is_the_end(
    tmp_path: Path, capsys: CaptureFixture[str], registry: str, line: str
) -> None:
    """One feed without a model stops no other; a folder stands for its files."""
    folder = tmp_path / "feeds"
    write_feed(folder, "a", model="models:/nobody/1", settle_seconds=0)
    write_feed(folder, "b", model=line, settle_seconds=0)
    for name in "ab":
        (folder / name / "inbox").mkdir(parents=True)
        (folder / name / "inbox" / "day.csv").write_text("a,n\n1.5,2\n")

    code, printed, error = run(capsys, "score", str(folder), "--json")

    failed, scored = json.loads(printed)
    assert code == 3
    assert failed["feed"] == "a"
    assert "nobody" in failed["error"]
    assert [r["disposition"] for r in scored["receipts"]] == ["passed"]
    assert "signature-gate: feed a:" in error
    assert run(capsys, "score", str(folder / "b.yaml"))[0] == 0
