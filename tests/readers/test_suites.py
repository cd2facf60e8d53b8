"""Other people's test files: whatever they hold comes to a verdict, and to the right one.

The files are in no repository of this project: ``SIGNATURE_GATE_SUITES`` names their folder, else
it is ``../shared/suites`` beside this one.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from repository import ROOT
from small_checks import contract
from suite_judge import Fate, judge_files

from signature_gate import Policy, check
from signature_gate.expectations.batch.formats import format_of

if TYPE_CHECKING:
    from pytest import TempPathFactory  # noqa: PT013 - a type only

SUITES = Path(os.environ.get("SIGNATURE_GATE_SUITES", ROOT.parent / "shared" / "suites"))
pytestmark = pytest.mark.skipif(not SUITES.is_dir(), reason=f"no test files at {SUITES}")

GIB = 1024
# Parquet files that are refused, and why. All others have as many rows as PyArrow reads.
REFUSED = {
    "ARROW-GH-41321.parquet": "cannot be read",
    "ARROW-RS-GH-6229-DICTHEADER.parquet": "lies beyond the end",
    "PARQUET-1481.parquet": "no whole Parquet file",
    "incorrect_map_schema.parquet": "Map keys must be annotated as required",
    # PyArrow reads it by its parts; the footer's own count says otherwise.
    "repeated_no_annotation.parquet": "counts 0 rows as a whole",
}
# Objects that repeat a key: of its values no one is the field's.
REPEATED = ("y_object_duplicated_key.json", "y_object_duplicated_key_and_value.json")


@pytest.fixture(scope="module")
def fates(tmp_path_factory: TempPathFactory) -> dict[Path, Fate]:
    """What becomes of every file whose name or first bytes tell a format."""
    files = [path for path in sorted(SUITES.rglob("*")) if path.is_file() and format_of(path)]
    return judge_files(files, tmp_path_factory.mktemp("suites"))


def in_suite(fates: dict[Path, Fate], suite: str, pattern: str = "*") -> dict[str, Fate]:
    """Choose the fates of one suite by file name."""
    folder = SUITES / suite
    chosen = {p: f for p, f in fates.items() if p.is_relative_to(folder) and p.match(pattern)}
    assert chosen
    return {path.name: fate for path, fate in chosen.items()}


def test_no_file_ends_the_process_hangs_it_or_takes_its_memory(fates: dict[Path, Fate]) -> None:
    """Each comes to a verdict within 30 seconds and one GiB."""
    ends = {"passed", "quarantined"}

    assert {path.name: fate for path, fate in fates.items() if fate.disposition not in ends} == {}
    assert {path.name: fate.mib for path, fate in fates.items() if fate.mib > GIB} == {}


def test_what_is_handed_over_is_the_same_in_every_form(fates: dict[Path, Fate]) -> None:
    """Accepted rows, model input and the verdict's count agree, and nothing is rejected."""
    passed = {path.name: fate for path, fate in fates.items() if fate.disposition == "passed"}

    assert {name: f for name, f in passed.items() if f.handed != (f.rows, 0, f.rows)} == {}


def test_parquet_is_refused_only_for_its_true_cause(fates: dict[Path, Fate]) -> None:
    """The table names the refused ones; what PyArrow reads has the rows that it reads."""
    parquet = in_suite(fates, "parquet-testing", "*.parquet")

    unreadable = {name: fate for name, fate in parquet.items() if "unreadable: " in fate.said}
    assert set(unreadable) == set(REFUSED)
    assert all(words in unreadable[name].said for name, words in REFUSED.items())
    readable = {name: fate for name, fate in parquet.items() if fate.arrow_rows is not None}
    other = {name: f for name, f in readable.items() if f.rows not in (None, f.arrow_rows)}
    assert other == {}


def test_the_producer_is_asked_again_only_where_nobody_can_read(fates: dict[Path, Fate]) -> None:
    """A file that PyArrow reads need not be written again."""
    asked = {
        path.name
        for path, fate in fates.items()
        if "write the file again" in fate.said and fate.arrow_rows is not None
    }

    assert asked == set()


def test_json_is_refused_only_for_its_true_cause(fates: dict[Path, Fate]) -> None:
    """Arrays are told as such; of objects the malformed ones are refused and the others are not."""
    parsing = in_suite(fates, "JSONTestSuite/test_parsing")

    for name, fate in parsing.items():
        start = (SUITES / "JSONTestSuite" / "test_parsing" / name).read_bytes().lstrip()[:1]
        if start == b"[":
            assert "a JSON array" in fate.said, name
        elif name.startswith("n_") and start == b"{":
            assert "malformed_row" in fate.said or "unreadable" in fate.said, name
        elif name.startswith("y_") and start == b"{" and name not in REPEATED:
            assert "unreadable" not in fate.said, name


@pytest.mark.parametrize(
    "path", sorted(SUITES.glob("csv-spectrum/csvs/*.csv")), ids=lambda p: p.name
)
def test_csv_says_what_its_twin_in_json_says(path: Path) -> None:
    """Every cell of the spectrum arrives as the suite has it."""
    twin = path.parents[1] / "json" / f"{path.stem}.json"
    # A copy of the files may have other line ends than the twins were made of.
    ends = b"\r\n" if b"\r\n" in path.read_bytes() else b"\n"
    text = twin.read_text("utf-8").replace("\\r\\n", json.dumps(ends.decode())[1:-1])
    expected = json.loads(text)
    judged_by = contract(**dict.fromkeys(expected[0], "string"))

    rows = check(path, judged_by, Policy(nulls="allow")).accepted

    assert isinstance(rows, pl.LazyFrame)
    assert rows.drop("_row").collect().to_dicts() == expected
