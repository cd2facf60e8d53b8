"""OpenLineage: what its client sends for each attempt, and that no batch depends on it."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import UUID

import attr
import jsonschema
import pytest
from feeds import PLANTED, by_batch, deliver, gaps, rows
from live_object_store import keys, put
from openlineage.client import event_v2, facet_v2
from referencing import Registry, Resource
from rule_cases import rule, write_rules

from signature_gate.expectations.contract.policy import Policy
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage import lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from webhook import Webhook

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

pytest_plugins = ["webhook"]
PATH = "/api/v1/lineage"
# The folder `spec` of OpenLineage's repository: no package ships its schemas.
SPEC = Path(os.environ.get("SIGNATURE_GATE_OPENLINEAGE_SPEC", "not named"))
SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


@pytest.fixture(autouse=True)
def _unconfigured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """No configuration of the developer's; none of ours stays: the client writes variables too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(lineage, "_paused_until", 0.0)
    before = {key: os.environ.pop(key) for key in [*os.environ] if key.startswith("OPENLINEAGE")}
    yield
    for key in [key for key in os.environ if key.startswith("OPENLINEAGE")]:
        del os.environ[key]
    os.environ.update(before)
    lineage._client.cache_clear()  # noqa: SLF001 - one client for the process


@pytest.fixture
def server(webhook: Webhook) -> Webhook:
    """A server of lineage, named in the environment."""
    os.environ["OPENLINEAGE_URL"] = f"http://{webhook.host}"
    return webhook


@pytest.fixture
def feed(make_feed: FeedMaker, line: str, tmp_path: Path) -> Feed:
    """A feed whose rules bound a column."""
    bound = rule("column_values_to_be_between", "warning", column="n", max_value=5)
    mine = write_rules(tmp_path / "rules.json", bound)
    return make_feed(policy=SPLIT | {"rules": str(mine)})


def _told(server: Webhook, kind: str) -> list[dict[str, Any]]:
    return [event for event in server.got(PATH) if event["eventType"] == kind]


def _read_back(event: dict[str, Any]) -> Any:
    """Build the event from the client's own classes, which check what they are given."""
    modules = {
        "schema": facet_v2.schema_dataset,
        "dataQualityMetrics": facet_v2.data_quality_metrics_input_dataset,
        "dataQualityAssertions": facet_v2.data_quality_assertions_dataset,
        "outputStatistics": facet_v2.output_statistics_output_dataset,
        "errorMessage": facet_v2.error_message_run,
    }

    def known(stated: dict[str, Any]) -> dict[str, Any]:
        read = {}
        for name, facet in stated.items():
            kind: Any = getattr(modules[name], facet["_schemaURL"].rpartition("/")[2])
            fields = {key: value for key, value in facet.items() if not key.startswith("_")}
            assert fields.keys() <= {field.name for field in attr.fields(kind)}, name
            assert facet["_schemaURL"].startswith("https://openlineage.io/spec/facets/"), name
            assert facet["_producer"], name
            read[name] = kind(**fields)
        return read

    def dataset(kind: Any, stated: dict[str, Any]) -> Any:
        given = {
            key: known(v) if key.lower().endswith("facets") else v for key, v in stated.items()
        }
        return kind(**given)

    run = {key: value for key, value in event["run"].get("facets", {}).items() if key != "tags"}
    return event_v2.RunEvent(
        eventType=event_v2.RunState[event["eventType"]],
        eventTime=event["eventTime"],
        run=event_v2.Run(event["run"]["runId"], known(run)),
        job=event_v2.Job(event["job"]["namespace"], event["job"]["name"]),
        inputs=[dataset(event_v2.InputDataset, each) for each in event["inputs"]],
        outputs=[dataset(event_v2.OutputDataset, each) for each in event["outputs"]],
        producer=event["producer"],
    )


def test_each_attempt_is_a_run_with_a_start_and_an_end(feed: Feed, server: Webhook) -> None:
    """Passed, split and quarantined batches complete; each has a run of its own, told twice."""
    for name, batch in {"good": rows(4), "split": gaps(10, 2), "most": gaps(10, 9)}.items():
        deliver(feed, f"{name}.parquet", batch)
    receipts = by_batch(score_feed(feed))

    ends = {Path(e["inputs"][0]["name"]).name: e for e in _told(server, "COMPLETE")}
    starts = {e["run"]["runId"]: e for e in _told(server, "START")}

    assert ends.keys() == receipts.keys() == {"good.parquet", "split.parquet", "most.parquet"}
    assert {e["run"]["runId"] for e in ends.values()} == starts.keys()
    assert len({UUID(run) for run in starts}) == 3
    for name, event in ends.items():
        assert event["eventTime"] == receipts[name].finished.isoformat()
        assert starts[event["run"]["runId"]]["eventTime"] == receipts[name].started.isoformat()
        assert (event["job"]["namespace"], event["job"]["name"]) == ("signature-gate", feed.name)
        _read_back(event)


def test_an_end_tells_quality_schema_and_where_the_rows_went(feed: Feed, server: Webhook) -> None:
    """Rows, nulls, types, what was demanded and kept, the model, and rows of both outputs."""
    deliver(feed, "split.parquet", gaps(10, 2))
    (receipt,) = score_feed(feed).receipts
    (event,) = _told(server, "COMPLETE")
    batch, model = event["inputs"]

    assert (batch["namespace"], batch["name"]) == ("file", str(feed.inbox / "split.parquet"))
    assert (model["namespace"], model["name"]) == ("mlflow", receipt.model.pinned)
    assert {f["name"] for f in batch["facets"]["schema"]["fields"]} == {"a", "n", "key"}
    measured = batch["inputFacets"]["dataQualityMetrics"]
    assert measured["rowCount"] == 10
    assert measured["columnMetrics"]["a"]["nullCount"] == 2
    stated = batch["inputFacets"]["dataQualityAssertions"]["assertions"]
    found = {(a["assertion"], a.get("column"), a["success"], a["severity"]) for a in stated}
    assert found >= {
        ("fits_signature", None, False, "error"),
        ("null", "a", False, "error"),
        ("expect_column_values_to_be_between", "n", False, "warn"),
    }
    assert "rule" not in {kind for kind, *_ in found}
    assert [a["actual"] for a in stated if a["assertion"] == "null"] == ["2 rows"]
    rows_out = [o["outputFacets"]["outputStatistics"]["rowCount"] for o in event["outputs"]]
    places = [
        feed.resolve(p) for p in (receipt.outputs.predictions, receipt.outputs.quarantine) if p
    ]
    assert rows_out == [8, 2]
    assert [o["name"] for o in event["outputs"]] == [str(place) for place in places]


def test_a_feed_in_a_store_is_told_by_its_addresses(store_feed: FeedMaker, server: Webhook) -> None:
    """Batch, predictions and rejected rows are objects, and there when the event tells of them."""
    feed = store_feed(policy=SPLIT)
    put(feed, "split.parquet", gaps(10, 2))

    score_feed(feed)

    (event,) = _told(server, "COMPLETE")
    bucket, _, home = feed.root.removeprefix("s3://").partition("/")
    named = [*event["inputs"][:1], *event["outputs"]]
    assert {one["namespace"] for one in named} == {f"s3://{bucket}"}
    assert len(named) == 3
    for one in named:
        name = one["name"].removeprefix(f"{home}/")
        assert any(f"{key}/".startswith(f"{name}/") for key in keys(feed))


@pytest.mark.parametrize(
    ("uri", "namespace", "name"),
    [
        ("/feeds/in/a?b#c://d.csv", "file", "/feeds/in/a?b#c://d.csv"),
        ("s3://bucket/feeds/in/a?b#c.csv", "s3://bucket", "feeds/in/a?b#c.csv"),
        ("s3://me:secret@host/in/a.csv", "s3://***@host", "in/a.csv"),
        ("a.csv", "file", "a.csv"),
    ],
)
def test_datasets_are_named_as_openlineage_does(uri: str, namespace: str, name: str) -> None:
    """Where it lies and what it is there; odd names stay whole, and secrets are masked."""
    assert lineage._named(uri) == {"namespace": namespace, "name": name}  # noqa: SLF001


def test_a_batch_that_fails_is_a_run_that_fails(
    make_feed: FeedMaker, line: str, server: Webhook
) -> None:
    """A policy that fails the batch tells FAIL, and why."""
    feed = make_feed(policy={"on_mismatch": "fail"})
    deliver(feed, "bad.parquet", gaps(4, 1))
    score_feed(feed)

    (event,) = _told(server, "FAIL")
    assert _told(server, "COMPLETE") == []
    assert event["run"]["facets"]["errorMessage"]["message"] == "BatchRejected"
    assert event["outputs"][0]["name"].startswith(str(feed.inbox.parent / "quarantine"))
    _read_back(event)


def _published(url: str) -> Resource[Any]:
    """Find what an address of OpenLineage's schemas names, whatever the version in it."""
    path = Path(urlsplit(url).path)
    folder = SPEC / "facets" if "facets" in path.parts else SPEC
    return Resource.from_contents(json.loads((folder / path.name).read_text("utf-8")))


@pytest.mark.skipif(not SPEC.is_dir(), reason="SIGNATURE_GATE_OPENLINEAGE_SPEC names no schemas")
def test_each_event_fits_the_published_schemas(feed: Feed, server: Webhook) -> None:
    """The event by the schema of events, and each facet by the one that it names."""
    for name, batch in {"good": rows(4), "split": gaps(10, 2), "most": gaps(10, 9)}.items():
        deliver(feed, f"{name}.parquet", batch)
    score_feed(feed)
    failing = feed.model_copy(update={"policy": Policy.parse({"on_mismatch": "fail"})})
    deliver(failing, "bad.parquet", gaps(4, 1))
    score_feed(failing)

    registry = Registry(retrieve=_published)
    events = server.got(PATH)
    facets = list(_facets(events))
    event_schema = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
    for stated, schema in [*((e, event_schema) for e in events), *facets]:
        jsonschema.Draft202012Validator(
            {"$ref": schema},
            registry=registry,
            format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
        ).validate(stated)
    assert {e["eventType"] for e in events} == {"START", "COMPLETE", "FAIL"}
    assert len({schema for _, schema in facets}) == 6


def _facets(stated: Any) -> Iterator[tuple[Any, str]]:
    parts = stated.values() if isinstance(stated, dict) else stated
    for part in parts if isinstance(stated, dict | list) else ():
        yield from _facets(part)
    if isinstance(stated, dict) and "_schemaURL" in stated:
        yield stated, stated["_schemaURL"]


def test_no_value_of_a_batch_is_told(feed: Feed, server: Webhook) -> None:
    """Values stay where they are, with policy redact and without."""
    keys = [PLANTED] * 6
    deliver(feed, "bad.parquet", rows(6, key=keys, n=[PLANTED] * 6))
    deliver(feed, "wide.parquet", rows(6, key=keys, n=[77_077_077] * 6))
    score_feed(feed)

    told = json.dumps(server.got(PATH))
    assert "type_mismatch" in told
    assert PLANTED not in told
    assert "77077077" not in told


def test_a_server_that_is_down_fails_no_batch(
    feed: Feed, server: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    """A refused event is one warning; the next batches are not held up by further tries."""
    server.answers = HTTPStatus.FORBIDDEN
    for name in ("one", "two", "three"):
        deliver(feed, f"{name}.parquet", rows(4))

    with caplog.at_level(logging.WARNING, "signature_gate.lineage"):
        summary = score_feed(feed)

    assert [r.disposition for r in summary.receipts] == ["passed"] * 3
    warnings = [r.getMessage() for r in caplog.records if r.name == "signature_gate.lineage"]
    assert len(warnings) == 1
    assert warnings[0].startswith("lineage is not told, nor for the next minute: ")


@pytest.mark.parametrize("by", ["file", "environment"])
def test_the_clients_own_configuration_is_heeded(feed: Feed, tmp_path: Path, by: str) -> None:
    """openlineage.yml where the worker runs, or OPENLINEAGE__TRANSPORT…: here a file of events."""
    events = tmp_path / "events"
    transport = {"type": "file", "log_file_path": str(events), "append": True}
    if by == "file":
        Path("openlineage.yml").write_text(json.dumps({"transport": transport}))
    else:
        os.environ["OPENLINEAGE__TRANSPORT"] = json.dumps(transport)
    deliver(feed, "good.parquet", rows(4))
    score_feed(feed)

    kinds = [json.loads(line)["eventType"] for line in events.read_text("utf-8").splitlines()]
    assert kinds == ["START", "COMPLETE"]


def test_unconfigured_or_disabled_nothing_is_told(feed: Feed, webhook: Webhook) -> None:
    """OPENLINEAGE_DISABLED holds against an address; without any the client is not imported."""
    os.environ |= {"OPENLINEAGE_URL": f"http://{webhook.host}", "OPENLINEAGE_DISABLED": "true"}
    deliver(feed, "good.parquet", rows(4))
    score_feed(feed)
    assert webhook.got(PATH) == []

    program = (
        "import sys; from signature_gate.tasks.storage import lineage\n"
        "lineage.tell_lineage(None, None)\n"
        "print([name for name in sys.modules if 'openlineage' in name])"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("OPENLINEAGE")}
    done = subprocess.run(
        [sys.executable, "-c", program], env=clean, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_without_the_extra_a_warning_names_it(
    feed: Feed,
    server: Webhook,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Configured but not installed: the run goes on, and the log says what to install."""
    monkeypatch.setitem(sys.modules, "openlineage.client.event_v2", None)
    deliver(feed, "good.parquet", rows(4))

    with caplog.at_level(logging.WARNING, "signature_gate.lineage"):
        assert score_feed(feed).receipts[0].disposition == "passed"
    assert "pip install 'signature-gate[openlineage]'" in caplog.text
