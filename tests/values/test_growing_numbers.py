"""Numbers of a calendar or a counter, which go on to what was never there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from signature_gate import Contract, ValueProfile, check, learn

ROWS = 500
CONTRACT = Contract.from_signature(
    {"inputs": '[{"type": "double", "name": "month"}, {"type": "double", "name": "temp"}]'}
)


def month(number: int) -> pl.DataFrame:
    """Make a month's rows; the temperature goes with the seasons."""
    chance = np.random.default_rng(number)
    season = 15 - 12 * np.cos((number - 1) / 6 * np.pi)
    temp = chance.normal(season, 3, ROWS)
    return pl.DataFrame({"month": [float(number)] * ROWS, "temp": temp})


def year(first: int, last: int) -> pl.DataFrame:
    return pl.concat(month(number) for number in range(first, last + 1))


def learned(rows: pl.DataFrame) -> ValueProfile:
    return learn(rows, contract=CONTRACT, policy={"nulls": "allow"}, block_rows=100)


def told(profile: ValueProfile, batch: pl.DataFrame) -> set[str]:
    """Find the columns that are told to be unlike those learned."""
    contract = replace(CONTRACT, values=profile)
    found = check(batch, contract, {"nulls": "allow"}).violations
    return {v.column for v in found if v.kind in ("value", "shift") and v.column}


@pytest.mark.parametrize("number", range(7, 13))
def test_months_that_follow_are_not_told(number: int) -> None:
    """Neither that they are new, nor that the cold comes in a late month now."""
    assert told(learned(year(1, 6)), month(number)) == set()


FAULTS = {
    "times 1,000": pl.col("month") * 1_000,
    "negative": -pl.col("month"),
    "a third null": pl.when(pl.int_range(ROWS) % 3 > 0).then("month"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_cannot_follow_is_told(fault: str) -> None:
    """Numbers that are far ahead or behind, and all that is no matter of size."""
    rows = month(7).with_columns(month=FAULTS[fault])

    assert told(learned(year(1, 6)), rows) == {"month"}


def test_one_number_that_goes_back_makes_it_a_column_as_others() -> None:
    """Sizes are judged then, as they are of two numbers, which are no row."""
    rows = year(1, 6)
    back = pl.concat([rows, rows[:1]])

    assert learned(rows).columns["month"].grows
    assert not learned(back).columns["month"].grows
    assert not learned(year(1, 2)).columns["month"].grows
    assert told(learned(back), month(12)) == {"month"}


def test_halves_that_grow_are_merged_into_a_whole_that_grows() -> None:
    """What follows both is not told."""
    merged = learned(year(1, 3)).merge(learned(year(4, 6)))

    assert merged.columns["month"].grows
    assert told(merged, month(7)) == set()
