"""The command line: exit codes, JSON, messages, silence in a pipe."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from commands import run
from tutorial_models import house_frame

if TYPE_CHECKING:
    from tutorial_models import Tutorial


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    path = tmp_path / "houses.parquet"
    house_frame().to_parquet(path, index=False)
    return path


@pytest.fixture
def gaps(tmp_path: Path) -> Path:
    path = tmp_path / "gaps.csv"
    house_frame().assign(bedrooms=[2, None, 4]).to_csv(path, index=False)
    return path


def feed_of(model: Tutorial, folder: Path, *batches: Path) -> Path:
    """Write a feed's YAML file, and deliver batches to it."""
    inbox = folder / "feed" / "inbox"
    inbox.mkdir(parents=True)
    for batch in batches:
        batch.rename(inbox / batch.name)
    feed = folder / "feed" / "feed.yaml"
    fields = {"name": "houses", "model": model.uri, "settle_seconds": 0}
    feed.write_text(yaml.safe_dump(fields), "utf-8")
    return feed


def test_a_batch_that_fits_exits_0(house_price: Tutorial, houses: Path, capsys: Any) -> None:
    """Exit 0: passed; stdout has the verdict, stderr is empty without a terminal."""
    code, out, err = run(capsys, "check", house_price.uri, str(houses))

    assert code == 0
    assert out.startswith("passed  houses.parquet, 3 rows")
    assert house_price.pinned in out
    assert err == ""


def test_a_batch_that_does_not_fit_exits_1(house_price: Tutorial, gaps: Path, capsys: Any) -> None:
    """Exit 1: not passed; the message names column, expected, observed, rows and remedy."""
    code, out, _ = run(capsys, "check", house_price.uri, str(gaps))

    assert code == 1
    assert "null in bedrooms" in out
    assert "expected" in out
    assert "1 (first 1)" in out
    assert "Fill 'bedrooms' before delivery" in out


def test_json_is_one_document_and_nothing_else(
    house_price: Tutorial, gaps: Path, capsys: Any
) -> None:
    """--json prints one JSON document, which is the verdict."""
    from signature_gate.expectations.verdict.verdict import Verdict

    code, out, err = run(capsys, "check", house_price.uri, str(gaps), "--json")

    verdict = Verdict.from_json(out)
    assert (1, "") == (code, err)
    assert json.loads(out)["violations"][0]["message"] == verdict.violations[0].message
    assert verdict.model is not None
    assert house_price.pinned == verdict.model.pinned


def test_a_split_exits_1(house_price: Tutorial, gaps: Path, tmp_path: Path, capsys: Any) -> None:
    """Exit 1: a split too is not passed."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("on_mismatch: split\nmax_rejected: 0.5\n", "utf-8")

    code, out, _ = run(capsys, "check", house_price.uri, str(gaps), "--policy", str(policy))

    assert code == 1
    assert out.startswith("split")


def test_corrupt_content_exits_1(house_price: Tutorial, tmp_path: Path, capsys: Any) -> None:
    """Exit 1: content that cannot be read is a verdict, not an error."""
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"PAR1 and no more")

    code, out, _ = run(capsys, "check", house_price.uri, str(broken))

    assert code == 1
    assert "unreadable" in out
    assert "Traceback" not in out


def test_a_model_without_signature_exits_1(tmp_path: Path, houses: Path, capsys: Any) -> None:
    """Exit 1: no contract, nothing passes; the remedy says how to log one."""
    (tmp_path / "MLmodel").write_text("flavors: {}\n", "utf-8")

    code, out, _ = run(capsys, "check", str(tmp_path), str(houses), "--json")

    assert code == 1
    violation = json.loads(out)["violations"][0]
    assert violation["kind"] == "no_contract"
    assert "infer_signature" in violation["remedy"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["check", "{model}", "no-such.parquet"], "no such batch"),
        (["check", "{model}", "{folder}/notes.dat"], "notes.dat"),
        (["check", "models:/no_such_model@champion", "{houses}"], "no_such_model"),
        (["check", "{model}", "{houses}", "--policy", "{folder}/no-policy.yaml"], "no-policy.yaml"),
        (["check", "{model}", "{houses}", "--policy", "{folder}/wrong.yaml"], "known fields"),
        (["check", "{model}"], "Missing argument"),
        (["score", "{folder}/no-feed.yaml"], "no-feed.yaml"),
        (["contract", "{folder}"], "MLmodel"),
    ],
)
def test_wrong_usage_exits_2(
    arguments: list[str],
    said: str,
    house_price: Tutorial,
    houses: Path,
    tmp_path: Path,
    capsys: Any,
) -> None:
    """Exit 2: no such file or model, or wrong usage, with one or two lines on stderr."""
    (tmp_path / "notes.dat").write_text("no batch", "utf-8")
    (tmp_path / "wrong.yaml").write_text("on_missmatch: split\n", "utf-8")
    known = {"model": house_price.uri, "houses": str(houses), "folder": str(tmp_path)}

    code, out, err = run(capsys, *(argument.format(**known) for argument in arguments))

    assert code == 2
    assert said in err
    assert "Traceback" not in out + err


def test_an_unreachable_registry_exits_3(
    houses: Path, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit 3: the registry does not answer; URI, attempts and what to check are named."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    code, _, err = run(
        capsys, "check", "models:/flights@champion", str(houses), "--registry-timeout", "1"
    )

    assert code == 3
    assert "models:/flights@champion" in err
    assert "http://127.0.0.1:9" in err
    assert "Check MLFLOW_TRACKING_URI" in err


def test_the_report_is_written_where_asked(
    house_price: Tutorial, gaps: Path, tmp_path: Path, capsys: Any
) -> None:
    """--report writes one HTML page about the batch."""
    page = tmp_path / "report.html"

    run(capsys, "check", house_price.uri, str(gaps), "--report", str(page))

    assert "gaps.csv" in page.read_text("utf-8")


def test_a_saved_suite_judges_like_its_model(
    house_price: Tutorial, gaps: Path, tmp_path: Path, capsys: Any
) -> None:
    """contract --out saves a suite that check accepts for the model, and never overwrites."""
    suite = tmp_path / "suite.json"

    assert run(capsys, "contract", house_price.uri, "--out", str(suite))[0] == 0
    by_model = json.loads(run(capsys, "check", house_price.uri, str(gaps), "--json")[1])
    by_suite = json.loads(run(capsys, "check", str(suite), str(gaps), "--json")[1])

    assert by_model["violations"] == by_suite["violations"]
    assert by_model["model"]["pinned"] == by_suite["model"]["pinned"]
    assert run(capsys, "contract", house_price.uri, "--out", str(suite))[0] == 2


def test_score_works_through_a_feed(
    house_price: Tutorial, houses: Path, tmp_path: Path, capsys: Any
) -> None:
    """score publishes predictions for ready batches; a second run has nothing to do."""
    feed = feed_of(house_price, tmp_path, houses)

    first = run(capsys, "score", str(feed))
    second = run(capsys, "score", str(feed), "--json")

    assert first[0] == 0
    assert "houses.parquet" in first[1]
    assert list((tmp_path / "feed" / "scored").rglob("*.parquet"))
    assert json.loads(second[1])["receipts"] == []


def test_doctor_looks_at_what_commonly_breaks(
    house_price: Tutorial, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """doctor exits 0 if all is well, and 3 with a remedy if the registry does not answer."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    code, out, _ = run(capsys, "doctor")
    assert code == 0
    assert "prefect" in out

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    code, out, _ = run(capsys, "doctor", "--registry-timeout", "1", "--json")
    broken = [finding for finding in json.loads(out) if not finding["ok"]]
    assert code == 3
    assert ["registry"] == [finding["subject"] for finding in broken]
    assert "MLFLOW_TRACKING_URI" in broken[0]["remedy"]


@pytest.mark.parametrize("command", [[], ["check"], ["contract"], ["score"], ["demo"], ["doctor"]])
def test_help_teaches(command: list[str], capsys: Any) -> None:
    """--help of every command describes it and its arguments."""
    code, out, _ = run(capsys, *command, "--help")

    assert code == 0
    assert "Usage: " in out


def test_names_from_data_do_not_act_on_the_terminal(
    house_price: Tutorial, tmp_path: Path, capsys: Any
) -> None:
    """Escape sequences in column names are shown, not executed."""
    path = tmp_path / "hostile.parquet"
    house_frame().assign(**{"\x1b[31m[bold]": 1}).to_parquet(path, index=False)

    _, out, _ = run(capsys, "check", house_price.uri, str(path))

    assert "\x1b" not in out
    assert "[bold]" in out


def test_the_installed_command_answers() -> None:
    """The console script runs and prints its version."""
    answer = subprocess.run(
        [sys.executable, "-m", "signature_gate.flows.cli.main", "--version"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert answer.stdout.strip()


def test_score_says_what_happened_and_where_it_lies(
    house_price: Tutorial, houses: Path, gaps: Path, tmp_path: Path, capsys: Any
) -> None:
    """Totals, the folder of the predictions, each report and the receipts; each path exists."""
    feed = feed_of(house_price, tmp_path, houses, gaps)

    code, out, _ = run(capsys, "score", str(feed))

    assert code == 1
    lines = dict(line.split(maxsplit=1) for line in out.partition("\n\n")[2].splitlines())
    assert lines["rows"] == "6 in, 3 scored, 3 rejected"
    assert list(Path(lines["predictions"]).glob("houses-*.parquet"))
    assert Path(lines["quarantine"]).name == "report.html"
    assert Path(lines["quarantine"]).is_file()
    assert len(list(Path(lines["receipts"]).glob("*.json"))) == 2


def test_score_prints_json_whatever_a_model_prints(
    house_price: Tutorial, houses: Path, tmp_path: Path
) -> None:
    """What Python code, C code and child processes write to stdout goes to stderr."""
    feed = feed_of(house_price, tmp_path, houses)
    program = f"""
import os, sys
from signature_gate.flows.cli import main
from signature_gate.tasks.scoring import feed_run

score = feed_run.score_feed

def noisy(*arguments, **options):
    print("printed by Python")
    os.write(1, b"printed by C")
    os.system("echo printed by a child")
    return score(*arguments, **options)

feed_run.score_feed = noisy
sys.argv = ["signature-gate", "score", {str(feed)!r}, "--json"]
main.main()
"""
    command = [sys.executable, "-c", program]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["rows_scored"] == 3
    assert answer.stderr.count("printed by") == 3


@pytest.mark.parametrize(
    "error", [RuntimeError("a bug"), SystemExit(0), BaseException("a panic")], ids=type
)
def test_an_error_that_nothing_catches_exits_3(
    error: BaseException,
    house_price: Tutorial,
    houses: Path,
    tmp_path: Path,
    capsys: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """sys.exit(0) in a model's code, a panic of Polars or a bug never looks like success."""

    def broken(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("signature_gate.tasks.scoring.feed_run.score_feed", broken)
    code, out, err = run(capsys, "score", str(feed_of(house_price, tmp_path, houses)))

    assert (code, out) == (3, "")
    assert "signature-gate: unexpected" in err
