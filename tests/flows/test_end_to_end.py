"""All commands of docs/platform.md, with servers and a worker."""

from __future__ import annotations

import json
import re
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import yaml
from feeds import rows
from live_platform import Platform, wait_for
from page_commands import blocks_in
from platform_commands import (
    ARRIVED,
    AUTOMATIONS,
    CONTRACT,
    DEPLOY,
    DOCTOR,
    INBOX,
    MLFLOW_SERVER,
    POOL,
    REGISTER,
    RELEASE,
    WORKER,
)
from repository import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

KEYS = ("carrier", "flight", "tailnum", "origin", "time_hour")
FEED = "signature-gate.feed.flights"


@pytest.fixture(name="platform", scope="module")
def live_platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Run the page's commands up to the worker, and end every process."""
    folder = tmp_path_factory.mktemp("platform")
    shutil.copytree(ROOT / "deployments", folder / "deployments")
    for block in blocks_in("platform.md"):
        if block.title:
            (folder / block.title).write_text(block.text)
    platform = Platform(folder)
    try:
        _build(platform)
        yield platform
    finally:
        platform.stop()
        # Pytest shows it if a test failed.
        print(platform.logs())  # noqa: T201
        assert platform.alive() == []


def _build(platform: Platform) -> None:
    """Run the page's commands, those that can at the same time."""
    platform.start(MLFLOW_SERVER)
    platform.start_prefect()
    platform.run(f"sh -c '{INBOX}'")
    _watch_posed_runs(platform)
    platform.run(POOL)
    platform.start(WORKER)
    platform.start(AUTOMATIONS)
    wait_for(lambda: httpx.get(f"{platform.mlflow}/health").is_success, "the MLflow server")
    platform.start(REGISTER)
    platform.run(DEPLOY)
    platform.finish(AUTOMATIONS)
    platform.finish(REGISTER)
    assert "dep_delay" in platform.run(CONTRACT)


def _deliver(platform: Platform, name: str, **columns: Any) -> None:
    """Put three rows into the inbox, with the marker that they are complete."""
    inbox = platform.folder / "deployments" / "feeds" / "flights" / "inbox"
    keys = {key: [f"{key}-{i}" for i in range(3)] for key in KEYS}
    arrived = rows(3, **keys, **columns).drop("key").rename({"a": "dep_delay", "n": "distance"})
    arrived.write_parquet(inbox / name)
    (inbox / f"{name}.ready").touch()


def _receipts(platform: Platform) -> dict[str, dict[str, Any]]:
    """Read the receipts on disk; the latest of each batch, by its day."""
    folder = platform.folder / "deployments" / "feeds" / "flights" / "receipts"
    found = [json.loads(file.read_text("utf-8")) for file in folder.glob("*.json")]
    found.sort(key=lambda receipt: receipt["finished"])
    return {receipt["batch"]["id"][: len("2013-07-12")]: receipt for receipt in found}


def _predictions(platform: Platform) -> list[str]:
    scored = platform.folder / "deployments" / "feeds" / "flights" / "scored"
    return sorted(file.name.split("-")[2] for file in scored.rglob("*.parquet"))


def test_everything_is_deployed_as_the_page_says(platform: Platform) -> None:
    """Four deployments, two of them scheduled, one started by an event, all tagged."""
    deployed = platform.ask("deployments/filter")

    assert {(d["name"], d["entrypoint"].rpartition(".")[2]) for d in deployed} == {
        ("flights", "score_batches"),
        ("arrived", "score_batches"),
        ("flights", "watch_schema"),
        ("by-hand", "release_quarantined"),
    }
    assert all(d["tags"] == ["signature-gate"] for d in deployed)
    assert sorted(len(d["schedules"]) for d in deployed) == [0, 0, 1, 1]
    assert str(ROOT) not in json.dumps(deployed)


def test_an_event_has_its_feed_scored_and_a_release_mends_the_rest(platform: Platform) -> None:
    """One batch is scored, another quarantined; released by hand, it is scored too."""
    _deliver(platform, "2013-07-12.parquet")
    _deliver(platform, "2013-07-13.parquet", a=["1.5", "2.5", "3.5"])
    posed = _Posed(platform)

    platform.run(ARRIVED)
    (run,) = wait_for(lambda: platform.runs_of("score-batches/arrived"), "the run of the event")

    assert (run["state"]["name"], run["state"]["type"]) == ("Quarantined", "COMPLETED")
    assert run["state"]["message"].startswith("1 of 2 batches quarantined: 2013-07-13.parquet")
    assert run["parameters"]["feed"] == "feeds/flights.yaml"
    receipts = _receipts(platform)
    assert {name: r["disposition"] for name, r in receipts.items()} == {
        "2013-07-12": "passed",
        "2013-07-13": "quarantined",
    }
    assert _predictions(platform) == ["12"]
    artifacts = platform.ask("artifacts/filter")
    keys = {a["key"] for a in artifacts if a["flow_run_id"] == run["id"]}
    assert keys == {"signature-gate-flights", "signature-gate-flights-batches"}
    told = wait_for(lambda: _three(platform.events(FEED)), "the events")
    assert (
        told["signature-gate.batch.quarantined"]["payload"]["violations"][0]["column"]
        == "dep_delay"
    )

    _mend_the_policy(platform)
    platform.run(RELEASE)

    (released,) = platform.runs_of("release-quarantined/by-hand")
    assert released["state"]["name"] == "Completed"
    assert _receipts(platform)["2013-07-13"]["disposition"] == "passed"
    assert _predictions(platform) == ["12", "13"]
    posed.are_told_apart()


def test_a_schedule_has_its_feed_scored(platform: Platform) -> None:
    """The server creates a run because it is time, and a worker scores what has arrived."""
    _deliver(platform, "2013-07-14.parquet")
    deployed = platform.ask("deployments/filter")
    (flights,) = (
        d for d in deployed if d["name"] == "flights" and "score_batches" in d["entrypoint"]
    )
    copied = ("flow_id", "entrypoint", "parameters", "tags", "work_pool_name", "pull_steps")
    soon = (datetime.now(UTC) + timedelta(seconds=20)).isoformat()
    daily = {"schedule": {"interval": 86_400, "anchor_date": soon}, "active": True}

    platform.ask(
        "deployments/", name="soon", schedules=[daily], **{key: flights[key] for key in copied}
    )

    (run,) = wait_for(lambda: platform.runs_of("score-batches/soon"), "the scheduled run")
    assert run["auto_scheduled"]
    assert run["state"]["name"] == "Completed"
    # At a full ten minutes the deployed schedule's run may have taken the batch instead.
    receipt = wait_for(lambda: _receipts(platform).get("2013-07-14"), "the receipt")
    assert receipt["disposition"] == "passed"


def test_doctor_finds_the_platform_sound(platform: Platform) -> None:
    """Both servers answer, each schedule has a run ahead, and a worker polls the pool."""
    found = platform.run(DOCTOR)

    assert platform.api in found
    assert platform.mlflow in found
    for scheduled in ("score-batches/flights", "score-batches/soon", "watch-schema/flights"):
        assert re.search(rf"ok +{scheduled} +next run 20", found)
    assert re.search("ok +work pool signature-gate +a worker polls it", found)
    assert "by-hand" not in found
    assert "!!" not in found


def test_doctor_misses_a_worker_and_the_runs_of_a_schedule(platform: Platform) -> None:
    """A pool that no worker polls and a schedule without runs are faults, with a remedy."""
    platform.ask("work_pools/", name="idle", type="process")
    (flow,) = platform.ask("flows/filter", flows={"name": {"any_": ["watch-schema"]}})
    ended = {"rrule": "DTSTART:20200101T000000Z\nRRULE:FREQ=DAILY;COUNT=1"}
    platform.ask(
        "deployments/",
        name="stopped",
        flow_id=flow["id"],
        work_pool_name="idle",
        tags=["signature-gate"],
        schedules=[{"schedule": ended, "active": True}],
    )

    platform.start(f"{DOCTOR} --json")
    code, printed = platform.end(f"{DOCTOR} --json")

    faults = {f["subject"]: f["remedy"] for f in json.loads(printed) if not f["ok"]}
    assert code == 3
    assert "scheduler" in faults.pop("watch-schema/stopped")
    assert faults == {"work pool idle": "Start a worker: prefect worker start --pool idle"}


def _three(events: dict[str, Any]) -> dict[str, Any]:
    names = {"batch.arrived", "signature-gate.batch.passed", "signature-gate.batch.quarantined"}
    return events if names <= set(events) else {}


def _mend_the_policy(platform: Platform) -> None:
    file = platform.folder / "deployments" / "feeds" / "flights.yaml"
    fields = yaml.safe_load(file.read_text("utf-8"))
    fields["policy"]["parse_text"] = "allow"
    file.write_text(yaml.safe_dump(fields), "utf-8")


class _Posed:
    """Two runs with a heartbeat: one stops sending, one ends in a state of the gate's."""

    TAG = "posed"

    def __init__(self, platform: Platform) -> None:
        """Start both runs."""
        self._platform = platform
        self._silent, self._ended = self._alive(), self._alive()
        quarantined = {"type": "COMPLETED", "name": "Quarantined"}
        platform.ask(f"flow_runs/{self._ended}/set_state", state=quarantined, force=True)

    def _alive(self) -> str:
        (flow,) = self._platform.ask("flows/filter", flows={"name": {"any_": ["score-batches"]}})
        run = self._platform.ask(
            "flow_runs/",
            flow_id=flow["id"],
            tags=[self.TAG],
            state={"type": "RUNNING", "name": "Running"},
        )
        self._platform.heartbeat(f"prefect.flow-run.{run['id']}", self.TAG)
        return run["id"]

    def are_told_apart(self) -> None:
        """Wait for the automation, and assert that it marked only the silent run."""
        states = wait_for(self._states, "the silent run to be marked")
        assert states == {self._silent: "Crashed", self._ended: "Quarantined"}

    def _states(self) -> dict[str, str] | None:
        runs = self._platform.ask(
            "flow_runs/filter", flow_runs={"id": {"any_": [self._silent, self._ended]}}
        )
        states = {run["id"]: run["state_name"] for run in runs}
        return states if states[self._silent] != "Running" else None


def _watch_posed_runs(platform: Platform) -> None:
    """Install the automation once more, with the shortest wait, and for these two runs only."""
    file = ROOT / "deployments" / "automations.yaml"
    (automation,) = yaml.safe_load(file.read_text("utf-8"))["automations"]
    automation["name"] = "posed"
    automation["trigger"]["within"] = 10  # the shortest that Prefect takes
    automation["trigger"]["match_related"]["prefect.resource.id"] = f"prefect.tag.{_Posed.TAG}"
    platform.ask("automations/", **automation)
