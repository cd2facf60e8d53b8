"""Looking back on a feed: what changed, what a version would have rejected, what is told once."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import sample_histories
import sample_verdicts
import yaml
from commands import run
from feeds import (
    PLANTED,
    deliver,
    everything_below,
    gaps,
    rows,
)
from prefect_records import artifact, events

from signature_gate import Contract
from signature_gate.expectations.errors import ModelNotFound
from signature_gate.tasks.monitoring.announced import AnnouncedState, announce_once, new_events
from signature_gate.tasks.monitoring.watch import watch_feed
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.atomic import locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.monitoring.drift_report import DriftReport

    FeedMaker = Callable[..., Feed]


@pytest.fixture(scope="session")
def shifting(registry: str) -> str:
    """Register three versions: the second wants a column more, the third is like the first."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from mlflow.pyfunc import PythonModel

    class Total(PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            return model_input["a"] + model_input["n"]

    frame = pd.DataFrame({"a": [0.0, 1.0], "n": [0, 1]})
    for inputs in (frame, frame.assign(m=["x", "y"]), frame):
        mlflow.pyfunc.log_model(
            name="shifting",
            python_model=Total(),
            signature=infer_signature(inputs, params={"top": 5}),
            pip_requirements=["mlflow"],
            registered_model_name="shifting",
        )
    return "shifting"


@pytest.fixture
def point(shifting: str) -> Callable[[int], str]:
    """Point an alias of the test's own at a version, and give its URI."""
    import mlflow

    def to(version: int) -> str:
        mlflow.MlflowClient().set_registered_model_alias(shifting, "watched", str(version))
        return f"models:/{shifting}@watched"

    return to


def score(feed: Feed, *batches: pl.DataFrame, ending: str = "parquet") -> None:
    """Deliver batches as ``1.parquet`` and so on, and score them one after the other."""
    done = len(everything_below(feed.receipts)) if feed.receipts.is_dir() else 0
    for number, batch in enumerate(batches, done + 1):
        deliver(feed, f"{number}.{ending}", batch)
    score_feed(feed)


def seen(drift: DriftReport) -> list[tuple[str, str, str, str]]:
    return [(c.between, c.kind, c.path, c.effect) for c in drift.changes]


# ----- between batches -----


def test_a_feed_that_never_ran_has_no_drift(make_feed: FeedMaker, line: str) -> None:
    """No receipt, nothing to tell, and nothing is written."""
    feed = make_feed()
    before = everything_below(feed.inbox.parent)

    found = watch_feed(feed)

    assert (found.drifted, found.batches, found.notes) == (False, 0, ())
    assert found.message().splitlines()[0] == "line: no drift in the last 0 batches"
    assert everything_below(feed.inbox.parent) == before


def test_the_batch_with_which_the_schema_changed_is_named(make_feed: FeedMaker, line: str) -> None:
    """What is the exception among the last batches is told, with where it began."""
    feed, more = make_feed(), rows(3).with_columns(extra=pl.lit("x"))
    score(feed, rows(3), rows(3), rows(3), more, more)

    found = watch_feed(feed)

    assert seen(found) == [("batches", "added", "extra", "compatible")]
    assert (found.newest, found.since) == ("5.parquet", "4.parquet")
    assert [shift.name for shift in found.shifts] == ["4.parquet"]
    assert (found.breaking, found.drifted, found.forecast) == (False, True, ())
    assert "since batch: 4.parquet" in found.message()


def test_an_optional_column_that_never_arrives_is_reported(tmp_path: Path) -> None:
    """The model has no values for it, although no batch was ever rejected for that."""
    columns = [
        {"type": "double", "name": "a", "required": True},
        {"type": "string", "name": "gusts", "required": False},
    ]
    signature = {"inputs": json.dumps(columns), "outputs": None, "params": None}
    (tmp_path / "MLmodel").write_text(yaml.safe_dump({"signature": signature}), "utf-8")
    contract, feed = Contract.load(tmp_path), sample_histories.feed_at(tmp_path / "flights")
    verdict = sample_verdicts.flights()
    batch = verdict.batch.model_copy(update={"columns": (("a", "double"),)})
    for number in (1, 2):
        arrived = verdict.model_copy(update={"batch": batch})
        receipt = sample_histories.receipt(number, arrived, contract=contract.fingerprint)
        sample_histories.keep(feed, receipt)

    report = watch_feed(feed, model=str(tmp_path))

    assert ("batch and contract", "removed", "gusts", "compatible") in seen(report)
    assert not report.breaking


def test_a_change_that_became_the_rule_is_over(make_feed: FeedMaker, line: str) -> None:
    """Once most of the last batches have the new schema it is the usual one."""
    feed, more = make_feed(), rows(3).with_columns(extra=pl.lit("x"))
    score(feed, rows(3), more, more)

    found = watch_feed(feed)

    assert (found.changes, found.since) == ((), None)
    assert [shift.name for shift in found.shifts] == ["2.parquet"]


def test_a_batch_that_breaks_the_contract_is_told_as_long_as_that_lasts(
    make_feed: FeedMaker, line: str
) -> None:
    """Missing, renamed or mistyped, told against the contract; the report is named."""
    feed = make_feed()
    bad = rows(3).rename({"n": "N"}).with_columns(a=pl.lit("x"))
    score(feed, rows(3), bad, bad)

    found = watch_feed(feed)

    assert ("batch and contract", "renamed", "n", "breaking") in seen(found)
    assert ("batch and contract", "retyped", "a", "breaking") in seen(found)
    assert found.breaking
    assert found.report
    assert found.report.endswith("report.html")
    assert f"report: {found.report}" in found.message()


def test_a_batch_that_fits_again_ends_a_drift_that_had_become_usual(
    make_feed: FeedMaker, line: str
) -> None:
    """However many batches broke the contract, to come back to it is told as recovered."""
    feed = make_feed()
    bad = rows(3).rename({"n": "N"})
    score(feed, rows(3), bad, bad, bad)
    _, drifted = new_events(watch_feed(feed), AnnouncedState())
    score(feed, rows(3))

    found = watch_feed(feed)

    assert (found.changes, found.since) == ((), None)
    assert new_events(found, drifted)[0] == ("schema.recovered",)


def test_the_fingerprint_knows_no_batch(make_feed: FeedMaker, line: str) -> None:
    """Equal changes carry equal fingerprints, whatever the batches are called."""
    more = rows(3).with_columns(extra=pl.lit("x"))
    one, other = make_feed("one"), make_feed("other")
    score(one, rows(3), rows(3), more)
    score(other, rows(4), rows(5), more, rows(2), more)

    assert watch_feed(one).fingerprint == watch_feed(other).fingerprint
    assert watch_feed(one).fingerprint != watch_feed(one, last=1).fingerprint


# ----- an alias that moved -----


def test_a_moved_alias_is_noticed_and_its_contract_compared(
    make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """The signature that judged is in the receipts; the batches are judged where they lie."""
    feed = make_feed(model=point(1), archive=True)
    score(feed, rows(3), rows(3).with_columns(m=pl.lit("x")))
    assert watch_feed(feed).of_contract == ()

    point(2)
    found = watch_feed(feed)

    assert ("contracts", "added", "m", "breaking") in seen(found)
    assert found.model
    assert found.previous
    assert (found.previous.version, found.model.version) == ("1", "2")
    told = {entry.name: entry for entry in found.forecast}
    assert {name: entry.would_be for name, entry in told.items()} == {
        "1.parquet": "quarantined",
        "2.parquet": "passed",
    }
    assert told["2.parquet"].evidence == "scan"
    assert "missing_column in column 'm'" in told["1.parquet"].reason
    assert "1 of 2 batches would not pass models:/shifting/2" in found.message()


def test_a_version_with_the_same_contract_is_a_note(
    make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """Another version, the same signature: nothing breaks."""
    feed = make_feed(model=point(1))
    score(feed, rows(3))

    point(3)
    found = watch_feed(feed)

    assert (found.changes, found.forecast, found.drifted) == ((), (), False)
    assert [note.kind for note in found.notes] == ["version"]
    assert "models:/shifting/3 has the same contract as models:/shifting/1" in found.message()


def test_any_version_can_be_rehearsed(make_feed: FeedMaker, point: Callable[[int], str]) -> None:
    """A named model stands in for the feed's own."""
    feed = make_feed(model=point(1))
    score(feed, rows(3))

    found = watch_feed(feed, model="models:/shifting/2")

    assert found.named
    assert len(found.rejecting) == 1
    assert not watch_feed(feed, model="models:/shifting/1").drifted
    with pytest.raises(ModelNotFound):
        watch_feed(feed, model="models:/shifting/99")


@pytest.mark.parametrize("fate", ["gone", "replaced", "moved"])
def test_a_batch_that_is_gone_is_judged_by_its_recorded_schema(
    fate: str, make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """Only what was judged counts: a file of the same name is another batch."""
    feed = make_feed(model=point(1))
    score(feed, rows(3), rows(3).with_columns(m=pl.lit("x")))
    for path in feed.inbox.iterdir():
        path.unlink()
        if fate == "replaced":
            rows(5, a=["x"] * 5).write_parquet(path)
    if fate == "moved":
        shutil.rmtree(feed.inbox)

    found = watch_feed(feed, model="models:/shifting/2")

    told = [(e.name, e.would_be, e.evidence) for e in found.forecast]
    assert told == [
        ("1.parquet", "quarantined", "schema"),
        ("2.parquet", "passed", "schema"),
    ]
    assert "2 judged by the recorded schema only" in found.forecast_in_words


def test_a_quarantined_batch_is_judged_in_the_quarantine(
    make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """What the one version turned away the next may take, and the other way round."""
    feed = make_feed(model=point(2))
    score(feed, rows(3), gaps(3, 1).with_columns(m=pl.lit("x")))

    found = watch_feed(feed, model="models:/shifting/1")

    told = {e.name: (e.was, e.would_be, e.evidence) for e in found.forecast}
    assert told["1.parquet"] == ("quarantined", "passed", "scan")
    assert told["2.parquet"][:2] == ("quarantined", "quarantined")


def test_a_version_that_is_gone_is_known_from_its_receipts(
    make_feed: FeedMaker, registry: str
) -> None:
    """The registry forgot the version that judged; a receipt has its signature, or says so."""
    import mlflow
    from mlflow.models import infer_signature
    from mlflow.pyfunc import PythonModel

    class Sum(PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            return model_input["a"]

    for columns in (["a", "n"], ["a", "n", "key"]):
        mlflow.pyfunc.log_model(
            name="fleeting",
            python_model=Sum(),
            signature=infer_signature(rows(2).to_pandas()[columns]),
            pip_requirements=["mlflow"],
            registered_model_name="fleeting",
        )
    feed = make_feed(model="models:/fleeting/1", policy={"keep": []})
    score(feed, rows(3))
    mlflow.MlflowClient().delete_model_version("fleeting", "1")
    later = feed.model_copy(update={"model": "models:/fleeting/2"})

    assert ("contracts", "added", "key", "breaking") in seen(watch_feed(later))

    (receipt,) = feed.receipts.glob("*.json")
    fields = json.loads(receipt.read_text("utf-8"))
    receipt.write_text(json.dumps({**fields, "verdict": None, "disposition": "errored"}), "utf-8")
    found = watch_feed(later)
    assert [note.kind for note in found.notes] == ["unknown"]
    assert "models:/fleeting/1 was removed" in found.message()


def test_params_break_only_feeds_that_state_them(
    make_feed: FeedMaker, point: Callable[[int], str], line: str
) -> None:
    """A param that the new version lost matters to a feed that states it."""
    feed = make_feed(model=point(1))
    score(feed, rows(3))

    silent = watch_feed(feed, model="models:/line/1")
    stating = watch_feed(feed.model_copy(update={"params": {"top": 3}}), model="models:/line/1")

    assert ("contracts", "removed", "top", "compatible") in seen(silent)
    assert ("contracts", "removed", "top", "breaking") in seen(stating)


# ----- what no schema shows -----


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_a_jump_of_nulls_and_numbers_is_noted(
    ending: str, make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """Ten points more nulls, or a range beyond the earlier ones by more than their width."""
    feed = make_feed(model=point(1), policy={"nulls": "allow"})
    wild = gaps(10, 4).with_columns(n=pl.lit(-500, pl.Int64))
    score(feed, rows(10), gaps(10, 1), rows(10), wild, ending=ending)

    found = watch_feed(feed)

    assert [(note.kind, note.column) for note in found.notes] == [
        ("null_share", "a"),
        ("range", "n"),
    ]
    assert "rose to 40%; it was 0% to 10% in 3 earlier batches" in found.message()
    assert "'n' ranges from -500 to -500; it was 0 to 9" in found.message()
    assert not found.drifted


@pytest.mark.parametrize(
    "newest",
    [gaps(10, 2), rows(10, n=list(range(9, 19))), rows(10, n=[None] * 5 + [0] * 5)],
    ids=["nulls within ten points", "numbers that grow on", "many nulls"],
)
def test_what_is_usual_is_not_noted(
    newest: pl.DataFrame, make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """Small moves are none, and three earlier batches are the least to know what is usual."""
    feed = make_feed(model=point(1), policy={"nulls": "allow"})
    score(feed, rows(10), gaps(10, 1), newest)
    assert watch_feed(feed).notes == ()

    score(feed, newest.with_columns(key=pl.lit("again")), newest)
    assert watch_feed(feed).notes == ()


def test_redacted_nothing_tells_a_value(make_feed: FeedMaker, point: Callable[[int], str]) -> None:
    """Under redact, ranges and samples are nowhere: null shares and names are."""
    feed = make_feed(model=point(1), policy={"nulls": "allow"})
    wild = gaps(10, 5).with_columns(n=pl.lit(987654, pl.Int64), m=pl.lit(PLANTED))
    score(feed, rows(10), rows(10), rows(10), wild)
    redacted = feed.model_copy(update={"policy": feed.policy.model_copy(update={"redact": True})})

    found = watch_feed(redacted, model="models:/shifting/2")

    assert "987654" in watch_feed(feed).model_dump_json()
    assert "null_share" in {note.kind for note in found.notes}
    assert "987654" not in found.model_dump_json()
    assert PLANTED not in found.model_dump_json()


# ----- the command -----


def _file_of(feed: Feed, folder: Path) -> str:
    path = folder / "feed.yaml"
    path.write_text(yaml.safe_dump(feed.model_dump(mode="json")), "utf-8")
    return str(path)


def test_drift_exits_1_where_a_batch_would_not_pass(
    make_feed: FeedMaker, point: Callable[[int], str], tmp_path: Path, capsys: Any
) -> None:
    """Exit 0 while all is well, 1 with the reasons once the alias moved; nothing is written."""
    feed = make_feed(model=point(1))
    score(feed, rows(3))
    file, before = _file_of(feed, tmp_path), everything_below(feed.inbox.parent)

    assert run(capsys, "drift", file)[0] == 0
    code, out, err = run(capsys, "drift", file, "--model", "models:/shifting/2")

    assert (code, err) == (1, "")
    assert "breaking" in out
    assert "column 'm'" in out
    assert "1 of 1 batch would not pass models:/shifting/2" in out
    assert everything_below(feed.inbox.parent) == before


def test_drift_prints_json_for_machines(
    make_feed: FeedMaker, line: str, tmp_path: Path, capsys: Any
) -> None:
    """--json prints one document; --last says how far to look back."""
    feed = make_feed()
    score(feed, rows(3), rows(3).rename({"n": "N"}))

    code, out, _ = run(capsys, "drift", _file_of(feed, tmp_path), "--json", "--last", "1")

    told = json.loads(out)
    assert (code, told["batches"], told["breaking"]) == (1, 1, True)
    assert told["changes"][0]["kind"] == "renamed"
    assert len(told["fingerprint"]) == 16


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["{folder}/no-feed.yaml"], 2, "no-feed.yaml"),
        (["{feed}", "--model", "models:/shifting@nobody"], 2, "shifting"),
        (["{feed}", "--last", "0"], 2, "last"),
    ],
)
def test_drift_says_what_is_wrong(
    arguments: list[str],
    code: int,
    said: str,
    make_feed: FeedMaker,
    point: Callable[[int], str],
    tmp_path: Path,
    capsys: Any,
) -> None:
    """Wrong usage exits 2, in a line or two on stderr."""
    known = {"folder": str(tmp_path), "feed": _file_of(make_feed(model=point(1)), tmp_path)}

    ended, out, err = run(capsys, "drift", *(a.format(**known) for a in arguments))

    assert ended == code
    assert said in err
    assert "Traceback" not in out + err


# ----- the flow -----


def test_news_is_told_once(make_feed: FeedMaker, point: Callable[[int], str]) -> None:
    """Drifted when it begins, nothing while it lasts, recovered when it ends."""
    feed = make_feed(model=point(1))
    more = rows(3).with_columns(extra=pl.lit("x"))
    score(feed, rows(3), rows(3), more)

    news, told = new_events(watch_feed(feed), AnnouncedState())
    assert news == ("schema.drifted",)
    assert new_events(watch_feed(feed), told) == ((), told)

    score(feed, rows(3))
    news, told = new_events(watch_feed(feed), told)
    assert news == ("schema.recovered",)

    point(2)
    news, told = new_events(watch_feed(feed), told)
    assert news == ("contract.changed",)
    assert new_events(watch_feed(feed), told) == ((), told)

    score(feed, rows(3))
    news, told = new_events(watch_feed(feed), told)
    assert news == ("schema.drifted",)


def test_two_watchers_at_once_tell_news_once(make_feed: FeedMaker, line: str) -> None:
    """Whoever comes second finds it told, also while the first is still telling."""
    feed = make_feed(model=line)
    score(feed, rows(3), rows(3).with_columns(extra=pl.lit("x")))
    drift, both, announced = watch_feed(feed), Barrier(2), list[str]()

    def announce(_: DriftReport, news: str, __: AnnouncedState) -> None:
        announced.append(news)
        time.sleep(0.2)

    def watch(_: int) -> tuple[str, ...]:
        both.wait()
        return announce_once(feed, drift, announce)

    with ThreadPoolExecutor(2) as watchers:
        told = sorted(watchers.map(watch, range(2)))

    assert announced == ["schema.drifted"]
    assert told == [(), ("schema.drifted",)]


def test_a_watcher_that_hangs_is_waited_for_and_then_told_of(
    make_feed: FeedMaker, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody waits for ever, and the error says for whom."""
    monkeypatch.setattr("signature_gate.tasks.storage.atomic._PATIENCE", 0.1)
    feed = make_feed(model=line)
    score(feed, rows(3))
    drift, news = watch_feed(feed), list[str]()

    with locked(feed.receipts / ".drift.json"), pytest.raises(TimeoutError, match="end it if it"):
        announce_once(feed, drift, lambda _, event, __: news.append(event))

    assert news == []


@pytest.mark.usefixtures("prefect_server")
def test_a_watch_shows_in_prefect_what_has_changed(
    make_feed: FeedMaker, point: Callable[[int], str]
) -> None:
    """State, artifact, and one event for each change of state, all from a real server."""
    from signature_gate.flows.watching import watch_schema

    feed = make_feed("watched", model=point(1))
    score(feed, rows(3), rows(3))
    sound = watch_schema(feed, return_state=True)
    assert (sound.name, sound.message) == ("Completed", "watched: no drift in the last 2 batches")

    score(feed, rows(3).rename({"n": "N|<b>"}))
    state = watch_schema(feed, return_state=True)
    found = watch_schema(feed)

    assert (state.name, state.type.value) == ("Drifted", "COMPLETED")
    assert state.message == found.message().partition("\n")[0]
    markdown = artifact("signature-gate-watched-drift")
    assert "## Changes" in markdown
    assert "<b>" not in markdown
    score(feed, rows(3))
    assert watch_schema(feed, return_state=True).name == "Completed"
    point(2)
    assert watch_schema(feed, return_state=True).name == "Drifted"
    assert watch_schema(feed, return_state=True).name == "Drifted"
    happened = [e for e in events("signature-gate.feed.watched", 3) if ".batch." not in e["event"]]
    assert sorted(e["event"] for e in happened) == [
        "signature-gate.contract.changed",
        "signature-gate.schema.drifted",
        "signature-gate.schema.recovered",
    ]
    told = {e["event"]: e for e in happened}
    changed = told["signature-gate.contract.changed"]
    assert changed["payload"]["breaking"]
    assert changed["payload"]["changes"][0]["path"] == "m"
    assert len(changed["resource"]["signature-gate.fingerprint"]) == 16
    assert "models:/shifting/2" in changed["payload"]["summary"]


@pytest.mark.usefixtures("prefect_server")
def test_a_rehearsal_is_told_to_nobody(make_feed: FeedMaker, point: Callable[[int], str]) -> None:
    """A named version leaves state and events alone; the run says Drifted all the same."""
    from signature_gate.flows.watching import watch_schema

    feed = make_feed("rehearsed", model=point(1))
    score(feed, rows(3))

    state = watch_schema(feed, model="models:/shifting/2", return_state=True)

    assert state.name == "Drifted"
    assert "would not pass models:/shifting/2" in artifact("signature-gate-rehearsed-drift")
    assert not (feed.receipts / ".drift.json").exists()
    assert events("signature-gate.feed.rehearsed", 0) == []
