"""``signature-gate diff``: what it compares, and how it tells what changed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from commands import run
from small_checks import contract

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def suites(tmp_path: Path) -> tuple[str, str]:
    """Two contracts as suites on disk, of which the second breaks batches of the first."""
    from signature_gate.expectations.suite import to_suite

    made = {"old.json": contract(a="long"), "new.json": contract(a="long", b="string")}
    for name, one in made.items():
        (tmp_path / name).write_text(json.dumps(to_suite(one)), "utf-8")
    return str(tmp_path / "old.json"), str(tmp_path / "new.json")


def test_diff_exits_1_where_something_breaks(suites: tuple[str, str], capsys: Any) -> None:
    """Exit 1 and the reason one way; exit 0 the other way, and for equals."""
    old, new = suites

    code, out, err = run(capsys, "diff", old, new)
    assert (code, err) == (1, "")
    assert "breaking" in out
    assert "column 'b' added (string)" in out

    assert run(capsys, "diff", new, old)[0] == 0
    same = run(capsys, "diff", old, old)
    assert same[0] == 0
    assert same[1].startswith("nothing changed")


def test_diff_prints_json_for_machines(suites: tuple[str, str], capsys: Any) -> None:
    """--json prints one document with each change and a stable fingerprint."""
    code, out, _ = run(capsys, "diff", *suites, "--json")

    told = json.loads(out)
    assert (code, told["breaking"]) == (1, True)
    assert [change["kind"] for change in told["changes"]] == ["added"]
    assert (
        told["fingerprint"] == json.loads(run(capsys, "diff", *suites, "--json")[1])["fingerprint"]
    )
    assert len(told["fingerprint"]) == 16


def test_diff_takes_batches_and_verdicts_too(
    suites: tuple[str, str], tmp_path: Path, capsys: Any
) -> None:
    """A batch file, or a verdict on one, stands for the schema in which it arrived."""
    import pyarrow.parquet as pq

    batch, verdict = tmp_path / "june.parquet", tmp_path / "verdict.json"
    pq.write_table(pa.table({"a": pa.array([1], pa.int64())}), batch)
    verdict.write_text(run(capsys, "check", suites[0], str(batch), "--json")[1], "utf-8")

    assert run(capsys, "diff", suites[0], str(batch))[0] == 0
    assert run(capsys, "diff", suites[1], str(verdict))[0] == 1
    assert run(capsys, "diff", str(batch), str(verdict))[0] == 0
    csv = tmp_path / "june.csv"
    csv.write_text("a\n1\n", "utf-8")
    assert run(capsys, "diff", str(batch), str(csv))[0] == 0


def test_diff_takes_a_folder_of_files_too(tmp_path: Path, capsys: Any) -> None:
    """Types that differ between its files are told together; a file without schema is named."""
    import pyarrow.parquet as pq

    days = tmp_path / "days"
    days.mkdir()
    for name, kind in (("1", pa.int64()), ("2", pa.float64())):
        pq.write_table(pa.table({"a": pa.array([1], kind)}), days / f"{name}.parquet")

    code, out, _ = run(capsys, "diff", str(days), str(days / "1.parquet"))
    (days / "3.parquet").write_bytes(b"PAR1")
    spoilt = run(capsys, "diff", str(days), str(days / "1.parquet"))

    assert (code, "'a': int64 or double became" in out) == (0, True)
    assert (spoilt[0], f"{days / '3.parquet'}" in spoilt[2].replace("\n", "")) == (2, True)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("absent.json", None, "absent.json"),
        ("odd.json", b"{}", "no suite of signature-gate"),
        ("odd.json", b'{"batch": 7}', "`batch` of"),
        ("cut.parquet", b"PAR1", "cut.parquet"),
    ],
)
def test_diff_says_what_it_cannot_compare(
    name: str,
    content: bytes | None,
    said: str,
    suites: tuple[str, str],
    tmp_path: Path,
    capsys: Any,
) -> None:
    """Exit 2 in a line or two, never a traceback."""
    if content is not None:
        (tmp_path / name).write_bytes(content)

    code, out, err = run(capsys, "diff", suites[0], str(tmp_path / name))

    assert code == 2
    assert said in err
    assert "Traceback" not in out + err
