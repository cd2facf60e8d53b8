from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from fault_injection import at_point
from feeds import (
    deliver,
    everything_below,
    rows,
)
from killed_process import score_and_die

from signature_gate.expectations.contract.contract import Contract
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.errors import InvalidFeed, Misuse
from signature_gate.expectations.stores.downloads import new_download
from signature_gate.tasks.feed.identity import identify
from signature_gate.tasks.feed.receipt_files import read_receipt
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring import outcome as outcomes
from signature_gate.tasks.scoring import selection as candidates
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.intent import Intent, bind_intent
from signature_gate.tasks.storage.transaction import prepare

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt

    MakeFeed = Callable[..., Feed]

SIGNATURE = {"inputs": '[{"type": "double", "name": "a"}]', "outputs": None, "params": None}


def only(feed: Feed, **options: bool) -> Receipt:
    """Run a feed that has one batch to attempt."""
    (receipt,) = score_feed(feed, **options).receipts
    return receipt


# ----- what a dead worker leaves behind -----


def test_the_lock_file_of_a_dead_worker_holds_nobody_up(make_feed: MakeFeed, line: str) -> None:
    """A claim is the kernel's lock and not the file: a file that a power cut left is removed."""
    feed = make_feed()
    path = deliver(feed, "a.parquet", rows(3))
    prepare(feed)
    feed.claim(identify(path, path.name).id).write_text("999999999\nsome-host\n")
    feed.claim("of-a-batch-that-is-gone").touch()

    receipt = only(feed)

    assert receipt.disposition == "passed"
    assert list(feed.claims.iterdir()) == []


def test_the_download_of_a_dead_worker_is_swept_and_that_of_a_living_one_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A free lock belongs to a dead worker; the next download removes its files."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    program = (
        "import os, signal\n"
        "from signature_gate.expectations.stores.downloads import new_download\n"
        "(new_download().folder / 'model.pkl').write_text('x')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    environment = {"TMPDIR": str(tmp_path), "PYTHONPATH": ":".join(sys.path)}
    command = [sys.executable, "-c", program]
    living = new_download()
    died = subprocess.run(command, env=environment, check=False).returncode
    left = set(tmp_path.glob("signature-gate-model-*"))

    mine = new_download()

    assert died == -9
    assert len(left) == 2
    assert set(tmp_path.glob("signature-gate-model-*")) == {living.folder, mine.folder}
    mine.discard()
    living.discard()
    assert list(tmp_path.iterdir()) == []


def test_a_killed_worker_leaves_no_download_for_good(
    make_feed: MakeFeed, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed after the download: the next worker removes the downloaded files."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    feed = make_feed()
    deliver(feed, "a.parquet", rows(3))

    for _ in range(3):
        assert score_and_die(feed, "staged") == -9

    assert len(list((tmp_path / "tmp").glob("signature-gate-*"))) == 1


# ----- what binds the next attempt -----


def _rules(path: Path, largest: float) -> str:
    kwargs = {"column": "a", "min_value": 0, "max_value": largest}
    expectation = {"type": "expect_column_values_to_be_between", "kwargs": kwargs}
    path.write_text(json.dumps({"name": "rules", "expectations": [expectation]}))
    return str(path)


def test_rules_that_are_edited_between_crash_and_restart_do_not_judge_what_was_begun(
    make_feed: MakeFeed, line: str, tmp_path: Path
) -> None:
    """The intent holds the rules themselves: an attempt is finished by the rules of its start."""
    feed = make_feed(policy={"rules": _rules(tmp_path / "rules.json", 10)})
    deliver(feed, "1.parquet", rows(3))
    deliver(feed, "2.parquet", rows(3))
    assert score_and_die(feed, "staged") == -9
    _rules(tmp_path / "rules.json", 1)

    summary = score_feed(feed)

    fared = {r.batch.name: r.disposition for r in summary.receipts}
    assert fared == {"1.parquet": "passed", "2.parquet": "quarantined"}
    assert len({receipt.policy for receipt in summary.receipts}) == 2
    verdicts = [receipt.verdict for receipt in summary.receipts if receipt.verdict]
    assert {verdict.policy.rules for verdict in verdicts} == {feed.policy.rules}
    assert [len(verdict.rules) for verdict in verdicts] == [1, 1]


def test_rules_that_are_edited_within_a_run_judge_none_of_its_batches(
    make_feed: MakeFeed, line: str, tmp_path: Path
) -> None:
    """All batches of a run are judged by the same rules."""
    feed = make_feed(policy={"rules": _rules(tmp_path / "rules.json", 10)})
    deliver(feed, "1.parquet", rows(3))
    deliver(feed, "2.parquet", rows(3))

    with at_point("bound", lambda: _rules(tmp_path / "rules.json", 1)):
        summary = score_feed(feed)

    assert [receipt.disposition for receipt in summary.receipts] == ["passed", "passed"]


@pytest.mark.parametrize("broken", ["no file", "no JSON", "no such column"])
def test_rules_that_cannot_be_meant_touch_no_batch(
    make_feed: MakeFeed, line: str, tmp_path: Path, broken: str
) -> None:
    """An invalid rule ends the run before a batch is claimed, and counts against no batch."""
    path = tmp_path / "rules.json"
    if broken == "no JSON":
        path.write_text("{")
    if broken == "no such column":
        path.write_text(Path(_rules(path, 1)).read_text().replace('"a"', '"b"'))
    feed = make_feed(policy={"rules": str(path)})
    deliver(feed, "a.parquet", rows(3))

    with pytest.raises(Misuse, match=r"rules\.json"):
        score_feed(feed)

    assert everything_below(feed.receipts) == everything_below(feed.claims) == set()


def test_params_outlast_a_crash_whatever_numbers_they_are(make_feed: MakeFeed) -> None:
    """JSON has neither NaN nor infinity; an intent restores both."""
    feed = make_feed()
    prepare(feed)
    model = ModelVersion(uri="models:/m@x", pinned="models:/m/1", name="m", version="1")
    params = {"nan": math.nan, "list": [math.inf, -math.inf], "whole": 10**30, "half": 0.5}
    intent = Intent(model=model, signature=SIGNATURE, params=params)
    bind_intent(feed, "a", intent)

    again = bind_intent(feed, "a", intent.model_copy(update={"params": {}})).params

    assert math.isnan(again.pop("nan"))
    assert again == {key: value for key, value in params.items() if key != "nan"}


def test_params_that_cannot_be_written_down_are_refused(make_feed: MakeFeed) -> None:
    """Params that a restart could not read are misuse, before any attempt starts."""
    feed = make_feed().model_copy(update={"params": {"p": np.array([1, 2])}})
    schema = '[{"name": "p", "type": "long", "default": [1], "shape": [-1]}]'
    model = ModelVersion(uri="models:/m@x", pinned="models:/m/1", name="m", version="1")

    with pytest.raises(InvalidFeed, match=r"params cannot be written down: .*numpy"):
        Intent.to_score(feed, Contract.from_signature({**SIGNATURE, "params": schema}, model))


# ----- clocks -----


def _clock(monkeypatch: pytest.MonkeyPatch, ahead: timedelta) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return datetime.now(tz) + ahead

    for module in (candidates, outcomes):
        monkeypatch.setattr(module, "datetime", Clock)


def test_a_clock_that_was_set_back_does_not_hold_a_batch_up_for_years(
    make_feed: MakeFeed, moody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No pause is longer than the longest; the latest receipt is not determined by times."""
    feed = make_feed(model=moody, params={"mood": "raise"}, backoff_seconds=60)
    deliver(feed, "good.parquet", rows(3))
    with monkeypatch.context() as patch:
        _clock(patch, timedelta(days=3650))
        first = only(feed)
        assert [left.why for left in score_feed(feed).left] == ["waiting"]

    second = only(feed.model_copy(update={"params": {}}))

    assert first.finished > second.finished
    assert (second.disposition, second.attempt, second.previous) == ("passed", 2, first.file)
    assert ReceiptStore(feed).for_batch(second.batch.id) == [first, second]
    assert score_feed(feed).done == 1


def test_a_small_step_back_keeps_the_pause(
    make_feed: MakeFeed, moody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clocks that differ from worker to worker by minutes do not use up a batch's attempts."""
    feed = make_feed(model=moody, params={"mood": "raise"}, backoff_seconds=60)
    deliver(feed, "good.parquet", rows(3))
    with monkeypatch.context() as patch:
        _clock(patch, timedelta(minutes=5))
        only(feed)

    assert [left.why for left in score_feed(feed).left] == ["waiting"]


def test_receipts_are_read_in_the_order_in_which_they_follow_up_each_other(
    make_feed: MakeFeed, moody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each attempt an hour before the last by the clock, and one of their receipts lost."""
    feed = make_feed(model=moody, params={"mood": "raise"}, max_attempts=9)
    deliver(feed, "good.parquet", rows(3))
    for hour in range(5):
        with monkeypatch.context() as patch:
            _clock(patch, timedelta(hours=-hour))
            made = only(feed, again=True)
    (feed.receipts / made.file.replace(".5.json", ".2.json")).unlink()

    receipts = ReceiptStore(feed).for_batch(made.batch.id)

    assert [r.attempt for r in receipts if r.attempt > 1] == [3, 4, 5]
    assert read_receipt(feed.receipts / made.file) == made
    assert only(feed, again=True).previous == made.file


# ----- an inbox that is not emptied -----


def test_of_batches_that_are_done_no_more_is_read_than_that_they_are(
    make_feed: MakeFeed, line: str
) -> None:
    """Receipts of another version of the gate, with verdicts that cannot be parsed, still count."""
    feed = make_feed()
    deliver(feed, "a.parquet", rows(3))
    receipt = feed.receipts / only(feed).file
    told = json.loads(receipt.read_text())
    receipt.write_text(json.dumps({**told, "verdict": {"of": "another version"}}))

    summary = score_feed(feed)

    assert (summary.receipts, summary.done) == ((), 1)
