"""Profiles of values: merged, redacted, stored and read back; what is learned of columns."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from signature_gate import InvalidValues, Misuse, ValueProfile, learn
from signature_gate.expectations.values.column_values import LEVELS
from signature_gate.expectations.values.expectations import bounds
from signature_gate.expectations.values.learner import Learner
from signature_gate.expectations.values.scales import SCALES, scale_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def rng() -> np.random.Generator:
    """Draw the same numbers in each test, whatever ran before it."""
    return np.random.default_rng(20)


BLOCK = 100


def frame(rows: int = 4_000, seed: int = 1) -> pl.DataFrame:
    """Make columns of every kind, two of which go together."""
    rng = np.random.default_rng(seed)
    temp = rng.normal(15, 8, rows)
    return pl.DataFrame(
        {
            "temp": temp,
            "humid": 80 - temp + rng.normal(0, 3, rows),
            "count": rng.poisson(3, rows),
            "fare": rng.lognormal(3, 1, rows),
            "code": [("AA", "B6", "UA")[n] for n in rng.integers(0, 3, rows)],
            "id": [f"AB{n:05d}" for n in rng.integers(0, 99_999, rows)],
            "late": rng.random(rows) < 0.2,
            "time": [datetime(2024, 1, 1) + timedelta(minutes=n) for n in range(rows)],
        }
    ).with_columns(pl.when(pl.int_range(rows) % 50 == 0).then(None).otherwise("temp").alias("temp"))


def learned(rows: pl.DataFrame) -> ValueProfile:
    """Learn in blocks of a hundred."""
    return learn(rows, block_rows=BLOCK)


@st.composite
def cuts(draw: st.DrawFn) -> tuple[pl.DataFrame, int]:
    """Draw rows, and where between two blocks they are cut in two."""
    rows = frame(draw(st.integers(32, 40)) * BLOCK, draw(st.integers(0, 99)))
    # An identifier of few rows has no pattern.
    return rows.drop("id"), 16 * BLOCK


@pytest.mark.hypothesis
@settings(deadline=None, max_examples=15, phases=[Phase.generate])
@given(cuts())
def test_the_profile_of_two_halves_merged_is_that_of_the_whole(
    cut: tuple[pl.DataFrame, int],
) -> None:
    """Counts, bounds and domains are equal; quantiles and variation nearly are."""
    rows, at = cut
    whole = learned(rows)
    merged = learned(rows[:at]).merge(learned(rows[at:]))

    assert (merged.rows, merged.blocks) == (whole.rows, whole.blocks)
    assert merged.columns.keys() == whole.columns.keys()
    for name, column in whole.columns.items():
        other = merged.columns[name]
        exact = ("kind", "rows", "nulls", "low", "high", "whole", "closed", "pattern", "sentinel")
        assert {f: getattr(other, f) for f in exact} == {f: getattr(column, f) for f in exact}
        assert other.codes == column.codes
        levels = () if column.whole else LEVELS[: len(column.quantiles)]
        for level, value in zip(levels, other.quantiles, strict=bool(levels)):
            assert (
                abs(column.share_up_to(value) - column.share_up_to(column.quantile(level))) < 0.04
            )
        # Between whole numbers there is no straight line.
        compared = {s for s in column.spreads if not (column.whole and s.startswith("below_"))}
        for statistic in compared & other.spreads.keys():
            ours, theirs = column.spreads[statistic], other.spreads[statistic]
            near = 0.08 if scale_of(statistic).sampling < 1 else 0.3  # blocks are of a hundred rows
            assert ours.mean == pytest.approx(theirs.mean, abs=near)
            assert ours.between == pytest.approx(theirs.between, abs=near)


def test_merging_takes_no_side() -> None:
    """Either half may come first."""
    one, other = learned(frame(seed=3)), learned(frame(seed=4))

    ahead, behind = one.merge(other), other.merge(one)

    assert ahead.rows == behind.rows == 8_000
    for name in ahead.columns:
        assert ahead.columns[name].quantiles == pytest.approx(behind.columns[name].quantiles)
        assert ahead.columns[name].codes == behind.columns[name].codes


@pytest.mark.hypothesis
@settings(deadline=None, max_examples=20)
@given(
    planted=st.sampled_from(["Zyzzyva 77", "x9-secret"]),
    number=st.integers(1_000_001, 9_000_000).map(lambda n: n + 0.123),
)
def test_a_redacted_profile_shows_no_value(planted: str, number: float) -> None:
    """Planted text and numbers appear nowhere in it."""
    rows = frame(2_000).with_columns(
        pl.lit(planted).alias("code"),
        pl.when(pl.int_range(2_000) == 7).then(number).otherwise("fare").alias("fare"),
    )

    text = learn(rows, redact=True).to_json()

    assert planted not in text
    assert str(number) not in text
    assert "AA" not in text


@pytest.mark.parametrize("redact", [False, True])
def test_a_profile_is_a_few_kilobytes_of_json_that_reads_back(tmp_path: Path, redact: bool) -> None:
    """What is saved is what is loaded."""
    profile = learn(frame(), redact=redact)
    profile.save(tmp_path / "values.json")

    assert ValueProfile.load(tmp_path / "values.json") == profile
    assert (tmp_path / "values.json").stat().st_size < 12_000


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2, "rows": 1}', "\x80"])
def test_another_file_is_no_profile(tmp_path: Path, text: str) -> None:
    """The error names the file, and how to make one."""
    (tmp_path / "values.json").write_text(text, "utf-8")

    with pytest.raises(InvalidValues, match=r"values.json.*learn MODEL DATA"):
        ValueProfile.load(tmp_path / "values.json")
    with pytest.raises(InvalidValues, match=r"Check the path"):
        ValueProfile.load(tmp_path / "none.json")


def test_what_is_learned_of_each_kind_of_column() -> None:
    """Domains, patterns, whole numbers, bounds, and what goes together."""
    columns = learned(frame()).columns

    assert columns["code"].closed
    assert set(columns["code"].codes) == {"AA", "B6", "UA"}
    assert columns["id"].pattern == "^(?:[A-Z]{2}[0-9]{5})$"
    assert columns["count"].whole
    assert not columns["temp"].whole
    assert columns["temp"].nulls == 80
    assert columns["temp"].link is not None
    assert columns["temp"].link.partner == "humid"
    assert columns["late"].kind == "truth"
    assert columns["time"].kind == "time"


def test_a_domain_with_rare_values_is_open() -> None:
    """A value that was seen four times promises that there are others."""
    codes = ["AA"] * 500 + ["B6"] * 4

    assert not learn(pl.DataFrame({"code": codes})).columns["code"].closed
    assert learn(pl.DataFrame({"code": [*codes, "B6"]})).columns["code"].closed


def test_a_spike_far_outside_is_a_sentinel(rng: np.random.Generator) -> None:
    """Bounds are those of the other values."""
    values = [*rng.normal(10, 2, 990), *[-999.0] * 10]

    column = learn(pl.DataFrame({"temp": values})).columns["temp"]

    assert column.sentinel == -999
    assert column.low is not None
    assert column.low > 0


@pytest.mark.parametrize("tail", ["normal", "lognormal", "exponential", "uniform", "pareto"])
def test_bounds_hold_for_further_values_of_the_same_kind(tail: str) -> None:
    """None of 200,000 further values is outside, whether tails are thin or heavy."""
    rng = np.random.default_rng(5)
    draw: Any = getattr(rng, tail)
    arguments = {"pareto": (2.5,), "lognormal": (0, 1)}.get(tail, ())
    column = learn(pl.DataFrame({"x": draw(*arguments, size=5_000)})).columns["x"]
    limits = bounds(column)
    assert limits is not None

    outside = sum(not limits[0] <= value <= limits[1] for value in draw(*arguments, size=200_000))

    assert outside <= 1


def test_rows_in_pieces_are_learned_like_rows_at_once() -> None:
    """However the rows are cut, the profile is the same."""
    rows = frame(5_000)
    cells = rows.select("temp", "code", "id")
    at_once, in_pieces = (Learner(cells.schema, BLOCK) for _ in range(2))
    at_once.add(cells)
    for start in range(0, 5_000, 333):
        in_pieces.add(cells.slice(start, 333))

    assert in_pieces.profile() == at_once.profile()


def test_memory_is_bounded_by_blocks(rng: np.random.Generator) -> None:
    """Of many blocks every second one is kept, again and again."""
    learner = Learner({"x": pl.Float64()}, 20)
    for _ in range(30):
        learner.add(pl.DataFrame({"x": rng.normal(size=1_000)}))

    profile = learner.profile()

    assert profile.rows == 30_000
    assert profile.blocks <= 256


@pytest.mark.parametrize(
    "values",
    [[], [None, None], [1.0], [float("nan")] * 3, [float("inf"), 1.0, -1.0] * 40, [5.0] * 100],
)
def test_odd_columns_are_learned(values: list[Any]) -> None:
    """Nothing, one value, NaN, infinity and constants make a profile that judges."""
    rows = pl.DataFrame({"x": pl.Series(values, dtype=pl.Float64), "n": range(len(values))})
    if not values:
        with pytest.raises(Misuse, match="no rows to learn from"):
            learn(rows)
        return

    assert ValueProfile.parse(learn(rows).to_json()).columns.keys() == {"x", "n"}


def test_every_scale_turns_back() -> None:
    """What a scale does to a statistic is undone; every family has an effect that matters."""
    for name, scale in SCALES.items():
        assert scale.back(scale.to(0.3)) == pytest.approx(0.3)
        assert 0 < scale.effect < 1
        assert scale_of(f"{name}_5") == scale
