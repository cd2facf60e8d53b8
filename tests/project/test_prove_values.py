"""``make prove-values`` plants what it says, counts what is named, and keeps the page's text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from data_sets import DATA_SETS, split
from plants import PLANTS, Column, planted
from trials import prove
from values_page import tables, write

if TYPE_CHECKING:
    from pathlib import Path

SMALL = {
    each.name: each for each in DATA_SETS if each.name in {"penguins", "cars", "stocks", "planes"}
}


def test_there_are_twenty_data_sets_and_five_of_them_are_long() -> None:
    """All are read from installed packages, and each has two halves."""
    halves = [split(each) for each in DATA_SETS if each.name != "flights"]

    assert len(DATA_SETS) == 20
    assert all(each.learned.height and each.held.height for each in halves)
    assert sum(each.learned.height + each.held.height > 5_000 for each in halves) >= 4


def test_every_fault_fits_a_column_and_changes_its_batch() -> None:
    """A fault that changes nothing could not be found, and would not be one."""
    fitting = set[str]()
    for data_set in SMALL.values():
        halves, rng = split(data_set), np.random.default_rng(1)
        batch = halves.batch(0.5, rng)
        for name in batch.columns:
            for plant, faulty in planted(Column(name, batch, halves.learned, rng)):
                fitting.add(plant.name)
                assert faulty.schema == batch.schema, plant.name
                assert not faulty.equals(batch), (plant.name, name)

    assert fitting == {plant.name for plant in PLANTS}


@pytest.mark.filterwarnings("ignore")
def test_what_was_counted_stands_between_the_marks_of_the_page(tmp_path: Path) -> None:
    """The text around them is written by hand, and stays."""
    page = tmp_path / "values.md"
    page.write_text("before\n<!-- made by make prove-values -->\nlast time\n<!-- end -->\nafter\n")
    proof = prove(SMALL["stocks"], batches=1, clean=2)

    write(page, [*tables([proof], 1, 2)])

    text = page.read_text()
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    assert "last time" not in text
    assert "| stocks (vega_datasets*) | 280 | 0/2 | 18/18 |" in text
