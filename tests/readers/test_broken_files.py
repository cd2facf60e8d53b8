from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from broken import LINE, TENSOR
from broken_arrays import PAIRS, npy
from broken_files import ZOO
from commands import run
from feeds import (
    by_batch,
    deliver,
    rows,
)
from memory_limits import MIB, judge_apart
from small_checks import contract, kinds

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import BatchChanged, BatchNotFound, BatchUnavailable
from signature_gate.expectations.readers import file as opening
from signature_gate.expectations.suite import to_suite
from signature_gate.expectations.verdict.verdict import Verdict
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from broken import Broken
    from pytest import CaptureFixture, MonkeyPatch  # noqa: PT013 - types only

    from signature_gate.expectations.contract.policy import Format
    from signature_gate.tasks.feed.feed import Feed

# One for each way of being broken, all judged by the contract of ``a`` and ``n``.
A_DOZEN = [
    "half a Parquet file",
    "a page of HTML",
    "an encrypted file",
    "encrypted columns",
    "a column of another type",
    "a footer that claims a billion rows",
    "spoilt pages",
    "a quote that opens in the middle",
    "UTF-32 with its mark",
    "half a gzip file",
    "100,000 levels",
    "an Arrow stream cut between two messages",
    "an archived trillion rows",
    "one broken file among good ones",
]
MISUSED = ["a pipe", "a file without end", "a link to nowhere", "a name that promises nothing"]


def made(name: str, folder: Path) -> Path:
    """Make a file of the zoo."""
    path = folder / ZOO[name].file
    ZOO[name].make(path)
    return path


@pytest.mark.parametrize("broken", ZOO.values(), ids=ZOO)
def test_whatever_arrives_comes_to_a_verdict(broken: Broken, tmp_path: Path) -> None:
    """Within half a minute and one GiB: a verdict that explains itself, or an error of ours."""
    path = tmp_path / broken.file
    broken.make(path)

    outcome = judge_apart(path, broken.inputs, broken.policy)

    assert (outcome.fate, outcome.mib < MIB) == ("", True)
    assert outcome.error.split(":")[0] == broken.raises
    if not broken.raises:
        verdict = Verdict.from_json(outcome.verdict)
        found = tuple(violation.kind for violation in verdict.blocking)
        assert (found, outcome.handed) == (broken.kinds, broken.handed)
        assert not found or broken.says in verdict.blocking[0].observed
        assert all(v.expected and v.observed and v.remedy and v.message for v in verdict.violations)


def test_a_lie_that_passes_is_evidence_of_the_footer(tmp_path: Path) -> None:
    """Where statistics lie the verdict says that it rests on them."""
    for name in ("a null count that lies", "a bound that lies"):
        outcome = check(made(name, tmp_path), Contract.from_signature({"inputs": ZOO[name].inputs}))

        assert outcome.verdict.evidence["n"] == "footer"


def test_no_pickle_is_ever_loaded(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    """An object that makes a folder when it is unpickled has made none."""
    monkeypatch.chdir(tmp_path)
    for name in ("pickled objects", "pickled objects in an archive"):
        assert not check(made(name, tmp_path), contract(a="double")).passed
    assert not (tmp_path / "unpickled").exists()

    np.load(tmp_path / ZOO["pickled objects"].file, allow_pickle=True)
    assert (tmp_path / "unpickled").exists()  # so that the claim could have failed


# ----- the command line -----


@pytest.fixture
def suite(tmp_path: Path) -> str:
    """A suite file with the contract of ``a`` and ``n``."""
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(to_suite(contract(**LINE), Policy())))
    return str(path)


@pytest.mark.parametrize("name", A_DOZEN)
def test_the_command_prints_one_verdict_and_no_traceback(
    name: str, suite: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """Exit code 1 and one JSON document, whatever the file holds."""
    code, out, err = run(capsys, "check", suite, str(made(name, tmp_path)), "--json")

    assert code == 1
    assert not json.loads(out)["passed"]
    assert "Traceback" not in out + err


@pytest.mark.parametrize("name", MISUSED)
def test_the_command_says_what_is_no_batch(
    name: str, suite: str, tmp_path: Path, capsys: CaptureFixture[str]
) -> None:
    """Exit code 2, nothing on stdout, and one line that explains."""
    code, out, err = run(capsys, "check", suite, str(made(name, tmp_path)), "--json")

    assert (code, out) == (2, "")
    assert err.startswith("signature-gate: ")
    assert "Traceback" not in err


def test_a_batch_that_its_schema_condemns_may_not_be_readable(tmp_path: Path) -> None:
    """Its verdict needs no row; whoever asks for its rows is told that there are none to be had."""
    path = made("spoilt pages", tmp_path)

    result = check(path, contract(missing="long"), Policy(on_mismatch="split"))

    assert (result.disposition, result.verdict.evidence) == ("quarantined", {})
    assert result.rejected is not None
    with pytest.raises(BatchChanged, match="cannot be read"):
        result.rejected.collect()


# ----- a feed -----


def test_broken_batches_stop_no_other(
    make_feed: Callable[..., Feed], line: str, tmp_path: Path
) -> None:
    """Each ends in quarantine with a receipt and its content; the good ones are scored."""
    feed = make_feed(policy={"keep": []})
    deliver(feed, "0-good.parquet", rows(3))
    deliver(feed, "z-good.parquet", rows(4))
    names = [*A_DOZEN, "a null count that lies"]
    for number, name in enumerate(names):
        folder = tmp_path / str(number)
        folder.mkdir()
        path = made(name, folder)
        path.rename(feed.inbox / f"{number}{''.join(path.suffixes)}")
    os.mkfifo(feed.inbox / "pipe.parquet")

    summary = score_feed(feed)

    found = {name: receipt.disposition for name, receipt in by_batch(summary).items()}
    assert found.pop("0-good.parquet") == found.pop("z-good.parquet") == "passed"
    assert list(found.values()) == ["quarantined"] * len(names)
    assert [left.why for left in summary.left] == ["skipped"]
    for receipt in summary.receipts:
        assert ReceiptStore(feed).for_batch(receipt.batch.id)[-1].final
        assert feed.resolve(receipt.outputs.batch).exists()
    assert [path.name for path in feed.inbox.iterdir() if path.suffix != ".parquet"] == []


# ----- files that go -----


@pytest.mark.parametrize("name", ["b.parquet", "b.csv", "b.jsonl", "b.arrow", "b.npy", "b.npz"])
def test_a_file_that_goes_while_it_is_opened_is_not_there(
    name: str, tmp_path: Path, monkeypatch: MonkeyPatch
) -> None:
    """A batch that another program takes away between two looks at it is one that is not there."""
    path, format_of = tmp_path / name, opening.format_of
    path.write_bytes(b"")

    def take_away(file: Path, stated: Format | None = None) -> Format | None:
        path.unlink()
        return format_of(file, stated)

    monkeypatch.setattr(opening, "format_of", take_away)

    with pytest.raises(BatchNotFound, match="no such batch"):
        check(path, contract(**LINE))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
@pytest.mark.parametrize("name", ["b.parquet", "b.csv", "b.jsonl", "b.arrow", "b.npy"])
def test_a_file_that_may_not_be_read_is_unavailable(name: str, tmp_path: Path) -> None:
    """What is missing is a right, and the error says so; the batch is not at fault."""
    path = tmp_path / name
    path.write_bytes(npy(PAIRS))
    path.chmod(0)

    with pytest.raises(BatchUnavailable, match="may not read"):
        check(path, Contract.from_signature({"inputs": json.dumps(TENSOR)}))


@pytest.mark.parametrize("name", ["x" * 5_000 + ".csv", "a\0b.csv", "b.csv/c.csv"])
def test_a_path_that_no_file_can_have_is_not_there(name: str, tmp_path: Path) -> None:
    """Too long a name, or one that leads through a file, is no error of the machinery."""
    (tmp_path / "b.csv").write_bytes(b"a,n\n")

    with pytest.raises(BatchNotFound, match="no such batch"):
        check(tmp_path / name, contract(**LINE))


# ----- names -----

NAMES = [
    *("*", "^a.*$", "^", "$", "a|b", "[a]", "(?P<x>a)", "a.b", "a b", " ", "\t", "a\nb", "a\rb"),
    *("<script>alert(1)</script>", "<b>", "&amp;", "'; DROP TABLE batches; --", '"', "''"),
    *("# title", "| a | b |", "[link](http://localhost)", "`code`", "../../etc/passwd", "C:\\a"),
    *("\x1b[31mred\x1b[0m", "\u202egnp.exe", "\ufeffa", "null", "None", "NaN", "a\x1ffault"),
    *("\x1ffault", "\x1fparsed 0 value", "\x1fparsed 0 cell"),
    *("_row_", "_violations_", "fault 0", "rows", "{}", "%s", "${HOME}", "n" * 1_000_000),
]


def _written(frame: pl.DataFrame, path: Path) -> None:
    match path.suffix:
        case ".parquet":
            frame.write_parquet(path)
        case ".arrow":
            frame.write_ipc(path)
        case ".csv":
            frame.write_csv(path, quote_style="always")
        case _:
            lines = (json.dumps(row) for row in frame.to_dicts())
            path.write_text("\n".join(lines))


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl"])
def test_a_name_is_only_a_name(ending: str, tmp_path: Path) -> None:
    """Pattern, markup, query, path, escape or a megabyte long: a column is found by its name."""
    names = [name for name in NAMES if ending != "csv" or "\r" not in name]
    frame = pl.DataFrame({name: [i, i + 1] for i, name in enumerate(names)})
    _written(frame, tmp_path / f"b.{ending}")

    result = check(tmp_path / f"b.{ending}", contract(**dict.fromkeys(names, "long")))

    assert result.passed
    received: Any = result.model_input()
    assert received.columns.tolist() == names
    assert received.iloc[1].tolist() == [i + 1 for i in range(len(names))]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_names_that_nobody_asked_for_are_told_and_spare_the_others(
    ending: str, tmp_path: Path
) -> None:
    """Extra columns of any name are one violation; the rest of the batch is handed over."""
    names = ["a", *NAMES] if ending != "csv" else ["a", *(n for n in NAMES if "\r" not in n)]
    _written(pl.DataFrame({name: [1, 2] for name in names}), tmp_path / f"b.{ending}")

    result = check(tmp_path / f"b.{ending}", contract(a="long"))

    assert kinds(result) == ["extra_column"]
    assert result.model_input().to_dict("list") == {"a": [1, 2]}  # pyright: ignore[reportAttributeAccessIssue]
