"""What is learned of a column, and what of a batch is told by it, one statistic at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from signature_gate import Contract, Violation, check, learn


@pytest.fixture
def rng() -> np.random.Generator:
    """Draw the same numbers in each test, whatever ran before it."""
    return np.random.default_rng(7)


def told(learned: pl.DataFrame, batch: pl.DataFrame) -> list[Violation]:
    """Learn from rows, and judge others."""
    types = {pl.Float64: "double", pl.Int64: "long", pl.String: "string"}
    columns = ", ".join(
        f'{{"name": "{name}", "type": "{types.get(type(dtype), "datetime")}", "required": false}}'
        for name, dtype in learned.schema.items()
    )
    contract = Contract.from_signature({"inputs": f"[{columns}]"})
    contract = replace(contract, values=learn(learned, contract=contract))
    return list(check(batch, contract).verdict.violations)


def test_rows_outside_of_what_was_learned_are_counted_beside_rules_that_reject(
    rng: np.random.Generator,
) -> None:
    """A required column's nulls reject rows, values out of bounds are only told."""
    frame = pl.DataFrame({"a": rng.normal(size=2_000), "b": rng.normal(size=2_000)})
    columns = '[{"name": "a", "type": "double"}, {"name": "b", "type": "double"}]'
    contract = Contract.from_signature({"inputs": columns})
    contract = replace(contract, values=learn(frame, contract=contract))
    batch = frame.with_columns(b=pl.when(pl.int_range(2_000) == 7).then(1e6).otherwise("b"))

    result = check(batch, contract)

    assert [(v.kind, v.column, v.count) for v in result.verdict.violations] == [("value", "b", 1)]
    assert result.verdict.rejected == 0


def test_points_in_time_are_learned_as_they_are_judged() -> None:
    """Days at midnight are no news where all were."""
    days = [datetime(2020, 1, 1) + timedelta(days=day) for day in range(2_000)]
    frame = pl.DataFrame({"when": days}, schema={"when": pl.Datetime("us")})

    assert told(frame, frame) == []
    assert [v.statistic for v in told(frame, frame.with_columns(pl.col("when").dt.offset_by("7m")))]


def test_nulls_where_few_rows_had_none_are_told(rng: np.random.Generator) -> None:
    """What chance alone gives is known, however few blocks there were to look at."""
    few = pl.DataFrame({"a": rng.normal(size=400)})
    batch = pl.DataFrame({"a": rng.normal(size=1_000)})
    faulty = batch.with_columns(a=pl.when(pl.int_range(1_000) % 20 > 0).then("a"))

    assert told(few, batch) == []
    assert [v.statistic for v in told(few, faulty)] == ["null"]


def test_the_most_frequent_value_of_a_larger_batch_may_be_rarer(rng: np.random.Generator) -> None:
    """Of 25 rows one value has at least 4 %, of 1,000 it may have 0.1 %."""
    few, batch = (pl.DataFrame({"a": rng.normal(size=rows)}) for rows in (400, 1_000))
    constant = batch.with_columns(a=pl.lit(few["a"].median()))

    assert told(few, batch) == []
    assert "spike" in {v.statistic for v in told(few, constant)}


def test_rare_values_that_were_not_seen_are_expected_where_learned_ones_were_as_rare(
    rng: np.random.Generator,
) -> None:
    """One in four of the learned was seen once: so may one in four of the batch have been never."""
    codes = [f"code {n}" for n in (rng.pareto(0.7, 8_000) * 3).astype(int).clip(0, 90)]
    learned, batch = (pl.DataFrame({"s": part}) for part in (codes[:300], codes[300:]))
    new = batch.with_columns(
        s=pl.when(pl.int_range(7_700) % 3 > 1).then("s").otherwise(pl.lit("x"))
    )

    assert told(learned, batch) == []
    assert "unseen" in told(learned, new)[0].observed


def test_quantiles_that_jump_between_whole_numbers_are_no_news() -> None:
    """Three quarters of the cars have up to 6 cylinders, or up to 8: a few rows decide."""
    few = pl.DataFrame({"a": [4.0] * 200 + [6.0] * 98 + [8.0] * 102})
    batch = pl.DataFrame({"a": [4.0] * 500 + [6.0] * 255 + [8.0] * 245})

    assert told(few.sample(fraction=1, shuffle=True, seed=1), batch) == []


def test_where_few_rows_were_learned_from_others_like_them_are_rarely_told(
    rng: np.random.Generator,
) -> None:
    """A dozen rows show no tail, no rare code and no closed domain; a thousandfold value is told.

    Of 60 batches two are told at most, though what each was learned from has no more rows.
    """

    def drawn(rows: int) -> pl.DataFrame:
        codes = rng.choice(["x", "y", "z"], rows, p=[0.6, 0.38, 0.02])
        years = rng.integers(2000, 2017, rows).astype(str)
        return pl.DataFrame({"a": rng.lognormal(size=rows), "code": codes, "year": years})

    alarms, found = 0, 0
    for rows in (12, 25, 40) * 20:
        learned, like, other = drawn(rows), drawn(rows), drawn(rows)
        alarms += bool(told(learned, like))
        faulty = told(learned, other.with_columns(pl.col("a") * 1_000))
        found += any(v.column == "a" for v in faulty)

    assert alarms <= 2
    assert found >= 57


def test_after_one_storm_a_worse_one_is_expected(rng: np.random.Generator) -> None:
    """Tails that go farther than a normal shape does are carried on farther, others are not."""
    calm, storm = rng.normal(size=(60, 1_000)), rng.normal(1.0, size=(1, 1_000))
    calm += rng.normal(scale=0.1, size=(60, 1))
    worse = pl.DataFrame({"a": rng.normal(2.6, size=1_000)})

    def learned(blocks: np.ndarray) -> pl.DataFrame:
        return pl.DataFrame({"a": blocks.ravel()})

    assert [v.kind for v in told(learned(calm), worse)] == ["shift"]
    assert told(learned(np.concatenate([calm, storm])), worse) == []


def test_after_a_night_of_gaps_more_of_them_are_told(rng: np.random.Generator) -> None:
    """Shares of null are not carried on: what is rare there is a fault as a rule."""
    blocks = pl.DataFrame({"a": rng.normal(size=60_000), "b": rng.normal(size=60_000)})
    gaps = pl.int_range(pl.len()) % 100 < pl.when(pl.int_range(pl.len()) < 1_000).then(3).otherwise(
        0
    )
    third = blocks[:1_000].with_columns(a=pl.when(pl.int_range(1_000) % 3 > 0).then("a"))

    found = told(blocks.with_columns(a=pl.when(~gaps).then("a")), third)

    assert [(v.column, v.statistic) for v in found] == [("a", "null")]


def test_zeros_in_place_of_gaps_are_told(rng: np.random.Generator) -> None:
    """Each is within the bounds of what is never negative; so many are not."""
    learned, clean = (pl.DataFrame({"a": 1 + rng.poisson(5, n)}) for n in (20_000, 1_000))
    filled = pl.when(pl.int_range(pl.len()) % 20 > 0).then("a").otherwise(0)

    assert told(learned, clean) == []
    assert [v.statistic for v in told(learned, clean.with_columns(a=filled))] == ["zero"]


def test_a_key_that_is_there_twice_is_told(rng: np.random.Generator) -> None:
    """Where no value was repeated, none is expected to be; elsewhere it is no news."""
    keys = [f"{n}-{n * 7919 % 100}" for n in range(21_000)]
    frame = pl.DataFrame({"key": keys, "code": rng.choice(["AA", "B6"], 21_000)})
    learned, batch = frame[:20_000], frame[20_000:]
    twice = pl.concat([batch[:900], batch[:100]])

    assert told(learned, batch) == []
    assert [(v.column, v.statistic) for v in told(learned, twice)] == [("key", "repeated")]


def test_what_comes_back_later_is_no_key() -> None:
    """Customers who are in no run of rows twice, but in all rows, may be twice in a batch."""
    frame = pl.DataFrame({"customer": [f"c{n % 2_000}" for n in range(20_000)]})

    assert told(frame, frame[:5_000]) == []


def test_numbers_that_are_equal_by_chance_are_no_broken_key(rng: np.random.Generator) -> None:
    """Among four hundred of five thousand numbers no pair may be; among two thousand there are."""
    learned = pl.DataFrame({"a": rng.permutation(5_000)[:400]})
    batch = pl.DataFrame({"a": rng.integers(0, 5_000, 2_000)})

    assert told(learned, batch) == []


def test_bounds_of_few_rows_go_as_far_as_a_tail_does(rng: np.random.Generator) -> None:
    """Of 90 rows the largest is the quantile of 99 %: the tail is seen from that of 75 %."""
    values = rng.lognormal(size=1_090)
    few, batch = (pl.DataFrame({"a": part}) for part in (values[:90], values[90:]))

    assert [v for v in told(few, batch) if v.kind == "value"] == []
    assert "value" in {v.kind for v in told(few, batch.with_columns(pl.col("a") * 1_000))}


def test_what_was_always_the_same_number_may_not_be_another_by_far() -> None:
    """Its neighbours are shifts, its opposite is out of bounds."""
    year = pl.DataFrame({"year": [2013] * 2_000})

    assert told(year, year) == []
    assert [(v.kind, v.count) for v in told(year, year * -1) if v.kind == "value"] == [
        ("value", 2_000)
    ]


def test_rows_that_were_mixed_up_are_told_where_columns_go_together_within_a_batch(
    rng: np.random.Generator,
) -> None:
    """A month goes with everything that has seasons, but in no batch of one month."""
    month = np.repeat(np.arange(24.0), 1_000)
    warm = month * 3 + rng.normal(size=24_000)
    damp = warm + rng.normal(size=24_000)
    learned = pl.DataFrame({"month": month, "warm": warm, "damp": damp})
    batch = learned[12_000:13_000]
    mixed = batch.with_columns(pl.col("warm").shuffle(seed=1))

    links = {name: column.link for name, column in learn(learned).columns.items()}

    assert {name: link and link.partner for name, link in links.items()} == {
        "month": None,
        "warm": "damp",
        "damp": "warm",
    }
    assert told(learned, batch) == []
    assert {v.statistic for v in told(learned, mixed)} == {"goes_with"}


def test_codes_go_with_the_numbers_that_they_tell_apart(rng: np.random.Generator) -> None:
    """Also where each batch has another level of them."""
    level = np.repeat(rng.normal(scale=9, size=20), 1_000)
    kinds = rng.choice(["a", "b", "c"], 20_000)
    size = level + rng.normal(size=20_000) + 3 * (kinds == "a")
    learned = pl.DataFrame({"kind": kinds, "size": size, "other": rng.normal(size=20_000)})
    batch = learned[5_000:6_000]

    link = learn(learned).columns["kind"].link

    assert link is not None
    assert (link.partner, link.codes) == ("size", ("a",))
    assert told(learned, batch) == []
    mixed = told(learned, batch.with_columns(pl.col("kind").shuffle(seed=1)))
    assert [(v.column, v.statistic) for v in mixed] == [("kind", "goes_with")]


def test_what_stays_for_hours_is_judged_by_its_median_all_the_same(
    rng: np.random.Generator,
) -> None:
    """Few temperatures make a day, in which a value is frequent, and many make a year."""
    hours = np.repeat(rng.normal(np.repeat(rng.normal(60, 4, 61), 8), 4), 125)
    frame = pl.DataFrame({"temp": hours})

    found = told(frame[:-1_000], frame[-1_000:].with_columns(pl.col("temp") / 1.8))

    assert told(frame[:-1_000], frame[-1_000:]) == []
    assert [(v.kind, v.statistic) for v in found if v.kind == "shift"] == [("shift", "median")]
