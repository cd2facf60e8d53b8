from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from feeds import (
    PLANTED,
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
    truncated,
)
from killed_process import score_and_die
from prefect_records import artifact, events

from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import ModelFailed, NoContract, RegistryUnavailable
from signature_gate.expectations.verdict.verdict import BatchRejected

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

pytestmark = pytest.mark.usefixtures("prefect_server")

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


def test_a_run_shows_in_prefect_what_became_of_each_batch(
    make_feed: FeedMaker,
    line: str,
    tmp_path: Path,
) -> None:
    """State, message, two artifacts, and one event for each batch, all from a real server."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("mixed", policy=SPLIT)
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "gaps.parquet", gaps(10, 3))
    deliver(feed, "cut|<b>.parquet", truncated(rows(9), tmp_path))

    state = score_batches(feed, return_state=True)
    summary = state.result()

    assert (state.name, state.type.value) == ("Quarantined", "COMPLETED")
    assert state.message == summary.message()
    assert state.message.startswith("1 of 3 batches quarantined: cut|<b>.parquet: unreadable")
    assert (summary.rows_in, summary.rows_scored, summary.rows_rejected) == (15, 12, 3)
    markdown = artifact("signature-gate-mixed")
    assert "rows in: 15; scored: 12; rejected: 3" in markdown
    assert "<b>" not in markdown
    table = json.loads(artifact("signature-gate-mixed-batches"))
    assert [row["disposition"] for row in table] == ["quarantined", "split", "passed"]
    told = {e["event"]: e for e in events("signature-gate.feed.mixed", 3)}
    assert set(told) == {
        f"signature-gate.batch.{outcome}" for outcome in ("passed", "split", "quarantined")
    }
    split = told["signature-gate.batch.split"]
    receipt = by_batch(summary)["gaps.parquet"]
    assert split["resource"]["signature-gate.fingerprint"] == receipt.fingerprint
    assert split["payload"]["rejected"] == 3
    assert split["payload"]["violations"][0]["column"] == "a"


def test_prefect_is_asked_no_more_often_for_twenty_batches_than_for_two(
    make_feed: FeedMaker, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Task runs reach the server as events: a run asks it so often, whatever its batches."""
    import httpx

    from signature_gate.flows.scoring import score_batches

    asked, send = list[str](), httpx.Client.send

    def sending(self: httpx.Client, request: httpx.Request, **options: Any) -> httpx.Response:
        response = send(self, request, **options)
        if response.is_success:  # a busy server is asked again
            asked.append(request.url.path)
        return response

    monkeypatch.setattr(httpx.Client, "send", sending)
    counts = list[int]()
    for run, batches in enumerate((2, 2, 20)):
        feed = make_feed(f"run{run}")
        for number in range(batches):
            deliver(feed, f"{number}.parquet", rows(3 + number))
        asked.clear()
        assert len(score_batches(feed).of("passed")) == batches
        counts.append(len(asked))
    assert counts[1] == counts[2] > 0


def test_each_parameter_of_each_flow_is_described() -> None:
    """Forms of deployments say what each parameter means: they are made of this schema."""
    from importlib import import_module

    from prefect import Flow
    from repository import ROOT

    modules = [import_module(f"signature_gate.flows.{p.stem}") for p in ROOT.glob("flows/*.py")]
    flows = {id(x): x for m in modules for x in vars(m).values() if isinstance(x, Flow)}

    assert len(flows) == 5
    for flow in flows.values():
        stated = flow.parameters.properties
        assert stated, flow.name
        assert all(field.get("description") for field in stated.values()), flow.name


MATERIALIZED = "prefect.asset.materialization."


def test_a_run_materializes_its_predictions_as_an_asset(
    make_feed: FeedMaker, line: str, tmp_path: Path
) -> None:
    """Made of the inbox and of the model's version, with counts; no sign of a path is refused."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("assets", policy=SPLIT, root=str(tmp_path / "line [a] #1, 100%"))
    feed.inbox.mkdir(parents=True)
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "gaps.parquet", gaps(10, 3))

    score_batches(feed)
    score_batches(feed)

    (made,) = events(f"file://{tmp_path}/line__a___1,_100_/scored", 1, MATERIALIZED)
    assert made["event"] == "prefect.asset.materialization.succeeded"
    assert made["resource"]["prefect.resource.name"] == "predictions of assets"
    assert made["payload"] == {
        "batches": 2,
        "rows": 15,
        "scored": 12,
        "rejected": 3,
        "rejected_share": 0.2,
    }
    related = {(r["prefect.resource.role"], r["prefect.resource.id"]) for r in made["related"]}
    assert {
        ("asset", f"file://{tmp_path}/line__a___1,_100_/inbox"),
        ("asset", "mlflow://models/line/1"),
        ("asset-materialized-by", "signature-gate"),
    } < related


def test_a_path_too_long_for_an_asset_fails_no_run(
    make_feed: FeedMaker, line: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The batch is scored, and the run completed; the log says that no asset is recorded."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("long", root=str(tmp_path.joinpath(*["deep" * 50] * 3)))
    feed.inbox.mkdir(parents=True)
    deliver(feed, "good.parquet", rows(5))

    state = score_batches(feed, return_state=True)

    assert (state.name, state.result().rows_scored) == ("Completed", 5)
    assert "no asset is recorded: ValidationError" in caplog.text


@pytest.mark.parametrize("kind", ["completed", "failed"])
def test_a_feed_says_of_which_type_a_run_with_a_quarantine_is(
    kind: str, make_feed: FeedMaker, line: str
) -> None:
    """Of type failed it raises in the flow that called it; its name is Quarantined either way.

    The run is named by the feed, and the task run of each batch says how that fared.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterId

    from signature_gate.flows.scoring import score_batches

    feed = make_feed(f"typed-{kind}", quarantine_state=kind)
    deliver(feed, "good.parquet", rows(2))
    deliver(feed, "gaps.parquet", gaps(2, 1))

    state = score_batches(feed, return_state=True)

    assert (state.name, state.type.value) == ("Quarantined", kind.upper())
    if kind == "failed":
        with pytest.raises(BatchRejected, match=r"gaps\.parquet"):
            state.result()
    with get_client(sync_client=True) as client:
        this = FlowRunFilter(id=FlowRunFilterId(any_=[state.state_details.flow_run_id]))
        (run,) = client.read_flow_runs(flow_run_filter=this)
        tasks = client.read_task_runs(flow_run_filter=this)
    assert run.name.startswith(f"typed-{kind} 20")
    scored = {t.state.message for t in tasks if t.state and t.name.startswith("score ")}
    assert scored == {"passed", "quarantined"}


def test_a_second_run_is_completed_and_does_nothing(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """Direct callers receive the summary; the run ends as Completed."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed()
    deliver(feed, "good.parquet", rows(5))

    first = score_batches(feed)
    state = score_batches(feed, return_state=True)

    assert first.message() == "1 of 1 batch passed"
    assert (state.name, state.message) == ("Completed", "no batch to score")
    assert state.result().done == 1


def test_a_feed_is_named_by_its_file(
    make_feed: FeedMaker,
    line: str,
    tmp_path: Path,
) -> None:
    """A deployment passes the path of a YAML file as text."""
    from signature_gate.flows.scoring import score_batches

    deliver(make_feed(), "good.parquet", rows(5))
    file = tmp_path / "feed.yaml"
    file.write_text("{name: line, model: 'models:/line/1', root: line, settle_seconds: 0}")

    summary = score_batches(str(file))

    assert summary.rows_scored == 5


def test_a_batch_that_must_not_fail_fails_the_run(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """Under on_mismatch: fail the caller gets the verdict as an exception; the others are done."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed(policy={"on_mismatch": "fail"})
    deliver(feed, "1-bad.parquet", rows(2, a=["x", "y"]))
    deliver(feed, "2-good.parquet", rows(5))

    state = score_batches(feed, return_state=True)

    assert state.is_failed()
    assert state.message.startswith("1 of 2 batches failed: 1-bad.parquet: type_mismatch")
    with pytest.raises(BatchRejected) as caught:
        state.result()
    assert caught.value.verdict.batch.name == "1-bad.parquet"
    assert len(everything_below(Path(feed.root) / "scored")) == 1
    assert score_batches(feed, return_state=True).is_completed()


def test_a_model_that_raises_fails_the_run_and_leaves_the_batch(
    make_feed: FeedMaker,
    moody: str,
) -> None:
    """The run fails; under redact neither message nor event nor artifact has a value."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("moody", model=moody, params={"mood": "raise"}, policy={"redact": True})
    deliver(feed, "good.parquet", rows(3, a=[98765.5, 1.0, 2.0]))
    deliver(feed, "junk.csv", rows(3, a=[PLANTED] * 3))

    state = score_batches(feed, return_state=True)

    with pytest.raises(ModelFailed, match="models:/moody/1 raised ValueError"):
        state.result()
    assert everything_below(feed.inbox) == {"good.parquet"}
    told = f"{events('signature-gate.feed.moody', 2)}{artifact('signature-gate-moody')}"
    told += f"{artifact('signature-gate-moody-batches')}{state.message}"
    assert "signature-gate.batch.errored" in told
    assert "98765" not in told
    assert PLANTED not in told


def test_a_model_without_contract_fails_the_run_and_touches_no_batch(
    make_feed: FeedMaker,
    unsigned: str,
) -> None:
    """Nothing is scored, the batches stay, and the artifact says how to log the model."""
    from signature_gate.flows.scoring import score_batches

    feed = make_feed("unsigned", model=unsigned)
    deliver(feed, "good.parquet", rows(3))

    with pytest.raises(NoContract):
        score_batches(feed)

    assert everything_below(Path(feed.root)) == {"inbox/good.parquet"}
    assert "logged without a signature" in artifact("signature-gate-unsigned")


def test_a_disk_that_fails_is_tried_again_then_recorded(
    make_feed: FeedMaker,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An OS error in a task becomes a receipt, not a traceback; the batch stays."""
    from signature_gate.flows import scoring
    from signature_gate.tasks.prefect_tasks.scoring import score_batch

    asked: list[str] = []

    def no_disk(*_: object, **__: object) -> None:
        asked.append("once more")
        message = "Input/output error"
        raise OSError(message)

    monkeypatch.setattr("signature_gate.tasks.scoring.one_batch.run_attempt", no_disk)
    quick = score_batch.with_options(retry_delay_seconds=0)
    monkeypatch.setattr(scoring, "score_batch", quick)
    feed = make_feed()
    deliver(feed, "good.parquet", rows(3))

    state = scoring.score_batches(feed, return_state=True)

    assert state.is_failed()
    assert "1 of 1 batch errored: good.parquet: OSError: Input/output error" in state.message
    assert len(asked) == 3
    assert len(list(feed.receipts.glob("*.json"))) == 1
    assert everything_below(feed.inbox) == {"good.parquet"}


@pytest.mark.parametrize(
    ("error", "worth_it"),
    [
        (OSError(5, "Input/output error"), True),
        (RegistryUnavailable("down"), True),
        (FileNotFoundError(2, "gone"), False),
        (NoContract("none", "log it"), False),
        (ValueError("a bug"), False),
    ],
)
def test_only_machinery_is_asked_twice(error: Exception, worth_it: bool) -> None:
    """A verdict, a misuse or a bug is not retried: it would be the same."""
    from prefect.states import Failed

    from signature_gate.tasks.prefect_tasks.options import is_worth_a_retry

    assert is_worth_a_retry(None, None, Failed(data=error)) is worth_it


# ----- one batch -----


def test_one_batch_is_gated(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """A batch that fits completes the run, and the caller gets the verdict."""
    from signature_gate.flows.gating import gate_batch

    path = deliver(make_feed(), "good.parquet", rows(5))

    verdict = gate_batch(path, line)

    assert verdict.passed
    assert verdict.model.pinned == "models:/line/1"
    assert "good.parquet: passed" in artifact("signature-gate-line")


def test_one_batch_is_set_apart(
    make_feed: FeedMaker,
    line: str,
    tmp_path: Path,
) -> None:
    """A batch that does not fit moves into the folder that the caller names, with its report."""
    from signature_gate.flows.gating import gate_batch

    path = deliver(make_feed(), "bad.parquet", rows(2, a=["x", "y"]))

    state = gate_batch(path, line, quarantine=tmp_path / "apart", return_state=True)

    assert (state.name, state.type.value) == ("Quarantined", "COMPLETED")
    assert not path.exists()
    assert {Path(p).suffix for p in everything_below(tmp_path / "apart")} == {
        ".parquet",
        ".json",
        ".html",
    }


def test_a_model_without_contract_sets_no_batch_apart(
    make_feed: FeedMaker,
    unsigned: str,
    tmp_path: Path,
) -> None:
    """The verdict has no_contract; the batch stays where it is."""
    from signature_gate.flows.gating import gate_batch

    path = deliver(make_feed(), "good.parquet", rows(2))

    verdict = gate_batch(path, unsigned, quarantine=tmp_path / "apart")

    assert [v.kind for v in verdict.violations] == ["no_contract"]
    assert path.exists()


def test_the_check_stands_in_anybodys_flow(line: str) -> None:
    """A frame in memory is judged by a task; one that does not fit stops the flow."""
    from prefect import flow

    from signature_gate.tasks.prefect_tasks.gate import check_batch

    @flow
    def load(a: list[Any]) -> Any:
        frame = rows(2, a=a)
        verdict = check_batch(frame, line, Policy(keep=("key",)), raise_if_rejected=True)
        return verdict.rows

    assert load([1.0, 2.0]) == 2
    with pytest.raises(BatchRejected, match="type_mismatch"):
        load(["x", "y"])


def test_a_batch_of_a_killed_worker_is_announced_by_the_next_run(
    make_feed: FeedMaker, line: str
) -> None:
    """kill -9 between quarantine and the end of the run loses no event."""
    from signature_gate.flows import score_batches
    from signature_gate.tasks.feed.untold import untold

    feed = make_feed("killed")
    deliver(feed, "gaps.parquet", gaps(10, 3))
    assert score_and_die(feed, "swept") == -9

    state = score_batches(feed, return_state=True)

    assert state.name == "Completed"
    (event,) = events("signature-gate.feed.killed", 1)
    assert event["event"] == "signature-gate.batch.quarantined"
    assert untold(feed) == []
