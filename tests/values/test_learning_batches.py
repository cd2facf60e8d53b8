"""Learning from many batches: each is a block, so that what varies between real ones is learned."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest

from signature_gate import BatchRejected, Contract, Misuse, Policy, check, learn
from signature_gate.expectations.judge.learned.learning import fits
from signature_gate.expectations.values.blocks import Blocks
from signature_gate.expectations.values.learner import Learner

if TYPE_CHECKING:
    from pathlib import Path

BLOCK = 100


def day(number: int, rows: int = 300) -> pl.DataFrame:
    """Make a day whose temperature is its own: rows of one day are alike, days are not."""
    chance = np.random.default_rng(number)
    temp = chance.normal(15 + chance.normal(0, 10), 1, rows)
    return pl.DataFrame({"temp": temp, "code": chance.choice(["AA", "B6"], rows)})


def written(folder: Path, days: int) -> Path:
    """Write a folder of days."""
    folder.mkdir()
    for number in range(days):
        day(number).write_parquet(folder / f"day-{number:03}.parquet")
    return folder


def contract_of(batch: pl.DataFrame) -> Contract:
    """State a number and a text as a contract."""
    types = zip(batch.columns, ("double", "string"), strict=True)
    inputs = [{"name": name, "type": kind, "required": True} for name, kind in types]
    return Contract.from_signature({"inputs": json.dumps(inputs)})


def test_each_of_many_batches_is_a_block() -> None:
    """Variation is that between days, not between runs of rows of which three are one day."""
    days = [day(number) for number in range(20)]

    by_day = learn(*days, block_rows=BLOCK)
    by_rows = learn(pl.concat(days), block_rows=BLOCK)

    assert (by_day.blocks, by_day.block_rows) == (20, 300)
    assert (by_rows.blocks, by_rows.block_rows) == (60, BLOCK)
    assert by_day.rows == by_rows.rows
    assert by_day.columns["temp"].quantiles == by_rows.columns["temp"].quantiles


def test_each_file_of_a_folder_of_many_is_a_block(tmp_path: Path) -> None:
    """A folder of sixteen files is learned like sixteen batches, one of fifteen by its rows."""
    days = [day(number) for number in range(16)]

    assert learn(written(tmp_path / "many", 16), block_rows=BLOCK).columns == (
        learn(*days, block_rows=BLOCK).columns
    )
    assert learn(written(tmp_path / "few", 15), block_rows=BLOCK).blocks == 45


def test_a_long_batch_is_thinned_evenly() -> None:
    """No more than four blocks of rows are kept of it, from its beginning to its end."""
    ordered = pl.DataFrame({"n": [float(n) for n in range(5_000)]})

    profile = learn(*[ordered] * 16, block_rows=BLOCK)
    middle = profile.columns["n"].spreads["below_50"]

    assert (profile.blocks, profile.rows) == (16, 80_000)
    assert 2 * BLOCK < profile.block_rows <= 4 * BLOCK
    assert profile.columns["n"].quantile(0.5) == pytest.approx(2_500, abs=20)
    assert middle.low == pytest.approx(middle.high, abs=0.01)


def test_pieces_of_a_batch_are_thinned_like_a_batch_at_once() -> None:
    """However the rows of batches are cut, the profile is the same."""
    batches = [day(number, 1_234) for number in range(16)]
    at_once, in_pieces = (Learner(batches[0].schema, BLOCK, by_batch=True) for _ in range(2))
    for batch in batches:
        at_once.add(batch)
        at_once.end_batch()
        for start in range(0, batch.height, 77):
            in_pieces.add(batch.slice(start, 77))
        in_pieces.end_batch()

    assert in_pieces.profile() == at_once.profile()


def test_of_very_many_batches_every_second_one_is_kept() -> None:
    """Their number is bounded; counts and bounds are those of all."""
    profile = learn(*[day(number, 20) for number in range(800)], block_rows=20)

    assert 256 <= profile.blocks <= 513
    assert profile.rows == profile.columns["temp"].rows == 16_000


def test_keys_of_batches_that_were_thinned_are_not_known() -> None:
    """Where each key has two rows, one after the other, thinning leaves one of them."""
    days = [pl.DataFrame({"key": np.repeat(np.arange(2_500) + n * 2_500, 2)}) for n in range(17)]
    short = [batch.head(200) for batch in days]

    assert "repeated" not in learn(*days, block_rows=BLOCK).columns["key"].spreads
    assert "repeated" not in learn(*short, block_rows=BLOCK).columns["key"].spreads
    once = [batch.unique() for batch in short]
    assert "repeated" in learn(*once, block_rows=BLOCK).columns["key"].spreads


def test_no_day_of_a_year_is_left_out() -> None:
    """How far the one stormy day went is learned, wherever in the year it was."""
    contract = contract_of(day(0))
    days = [day(number, 50) for number in range(365)]
    for stormy in (100, 101):
        storm = days[stormy].with_columns(pl.col("temp") - 150)
        profile = learn(*days[:stormy], storm, *days[stormy + 1 :], contract=contract)

        assert profile.blocks == 365
        assert check(storm, replace(contract, values=profile)).violations == ()


def test_batches_of_a_few_rows_are_learned_by_rows() -> None:
    """A batch of three rows has no quantiles: blocks of twenty rows are cut from all of them."""
    profile = learn(*[day(number, 3) for number in range(200)], block_rows=BLOCK)

    assert (profile.blocks, profile.block_rows) == (16, 37)


def test_what_is_kept_of_rows_does_not_keep_the_others_in_memory() -> None:
    """Blocks own their cells: a slice would hold on to the whole piece that was read."""
    blocks = Blocks(columns=2, rows=20, by_batch=False)
    texts = [f"number {n:020}" for n in range(50_000)]
    blocks.add(pl.DataFrame({"x": np.arange(50_000.0), "s": texts}))

    kept = [piece for pieces in blocks.kept.values() for piece in pieces]

    assert {block.height for block in kept} == {20}
    for block in kept:
        for cells in block:
            buffers = cells.to_arrow(compat_level=pl.CompatLevel.newest()).buffers()
            assert sum(buffer.size for buffer in buffers if buffer) <= 20 * (16 + 30)


def test_text_of_a_batch_that_only_it_has_is_unseen_elsewhere_though_it_was_thinned() -> None:
    """A code of one long day is what the days to come may have too."""
    days = [day(number, 5_000) for number in range(20)]
    days[7] = days[7].with_columns(
        code=pl.when(pl.int_range(pl.len()) % 10 == 0).then(pl.lit("XX")).otherwise("code")
    )
    rare = pl.DataFrame({"temp": [1.0] * 2, "code": ["YY"] * 2})

    profile = learn(pl.concat([days[0], rare]), *days[1:], block_rows=BLOCK)

    assert not profile.columns["code"].closed
    assert profile.columns["code"].spreads["unseen"].high > 0.2  # a tenth, on its scale


def test_a_batch_may_lack_an_optional_column() -> None:
    """Its cells are null there; the order of columns is the contract's."""
    days = [day(number) for number in range(3)]

    profile = learn(days[0], days[1].select("temp"), days[2].select("code", "temp"))

    assert (profile.columns["code"].nulls, profile.columns["temp"].nulls) == (300, 0)


@pytest.mark.parametrize("name", ["*", "^t.*$", "temp\x00", '"', "\x1frejected", "literal"])
def test_columns_may_be_called_anything(name: str) -> None:
    """Names are no patterns."""
    batch = day(1).rename({"temp": name})

    profile = learn(batch, batch, contract=contract_of(batch))

    assert list(profile.columns) == [name, "code"]
    assert profile.columns[name].kind == "number"
    assert check(batch, replace(contract_of(batch), values=profile)).violations == ()


def test_what_fits_is_told_without_reading_rows(tmp_path: Path) -> None:
    """Names and types decide; what cannot be opened does not fit."""
    contract = Contract.from_signature(
        {"inputs": '[{"type": "double", "name": "temp", "required": true}]'}
    )
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    nulls = pl.DataFrame({"temp": [None, 1.0]})

    assert fits(nulls, contract, Policy())
    assert not fits(pl.DataFrame({"temp": ["x"]}), contract, Policy())
    assert not fits(pl.DataFrame({"other": [1.0]}), contract, Policy())
    assert not fits(tmp_path / "broken.parquet", contract, Policy())


def test_a_batch_among_many_that_does_not_fit_is_named() -> None:
    """The verdict says what is wrong with it; nothing is learned of the others."""
    contract = Contract.from_signature(
        {"inputs": '[{"type": "double", "name": "temp", "required": true}]'}
    )

    with pytest.raises(BatchRejected, match="temp"):
        learn(day(1), day(2).rename({"temp": "Temp"}), contract=contract)
    with pytest.raises(Misuse, match="no rows to learn from"):
        learn(day(1).head(0), contract=contract)
