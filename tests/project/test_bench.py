"""``make bench`` compares like with like: all contenders tell good batches from bad ones."""

from __future__ import annotations

import importlib
import importlib.util
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from repository import ROOT
from rows import ROWS

BENCH = ROOT / "tests" / "bench"

if TYPE_CHECKING:
    from pathlib import Path

    from rows import Entry

PEERS = {"duckdb", "dataframely", "patito", "pandera_polars", "pandera_pandas", "pointblank"}
# Contenders that do not look for null: none of them is said to judge.
READERS = {"judging.polars_floats"}
JUDGES = {
    (entry.contender, entry.batch.format, bool(entry.batch.files)): entry
    for row in ROWS.values()
    for entry in row.entries
    if entry.contender.startswith("judging.") and entry.contender not in READERS
}


@pytest.mark.parametrize("entry", JUDGES.values(), ids=lambda entry: entry.label)
def test_each_contender_tells_a_batch_that_fits_from_one_with_a_null(
    entry: Entry, tmp_path: Path
) -> None:
    """A peer that is fast because it looks at nothing would be found here."""
    module, _, name = entry.contender.partition(".")
    if name in PEERS and not importlib.util.find_spec(name.partition("_")[0]):
        pytest.skip(f"{name} is installed for make bench alone")
    judge = getattr(importlib.import_module(module), name)
    small = entry.batch._replace(rows=200, columns=20, kind=None, files=2 * bool(entry.batch.files))
    said = list[bool]()
    for failing in (0, 1):
        batch = small._replace(failing=failing)
        said.append(judge(batch.write(tmp_path), batch.schema())())

    assert said == [True, False]


def test_a_row_is_measured_and_its_section_replaced(tmp_path: Path) -> None:
    """The page keeps the other sections, in the order of the rows."""
    page = tmp_path / "benchmarks.md"
    for row in ("split", "footer", "split"):
        arguments = ["--row", row, "--rounds", "1", "--share", "0.0001", "--page", str(page)]
        subprocess.run([sys.executable, str(BENCH), *arguments], check=True, capture_output=True)
    text = page.read_text("utf-8")

    titles = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert titles == [ROWS["footer"].title, ROWS["split"].title]
    [ours] = [line for line in text.splitlines() if line.startswith("| **signature-gate** |")][1:]
    assert all(float(cell) > 0 for cell in ours.split("|")[2:5])


def test_the_page_has_a_section_for_each_row() -> None:
    """No table of docs/benchmarks.md is of a row that is gone, and none is missing."""
    text = (ROOT / "docs" / "benchmarks.md").read_text("utf-8")

    assert [f"<!-- {name} -->" in text for name in ROWS] == [True] * len(ROWS)
