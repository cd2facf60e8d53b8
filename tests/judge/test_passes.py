"""How often a batch is read: judging costs what it must, however much of the batch is bad."""

from __future__ import annotations

import math
import sys
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Schema
from rule_cases import rule, under
from small_checks import contract

from signature_gate import Contract, Policy, check
from signature_gate.expectations.batch.columns import ROW
from signature_gate.expectations.judge import scan_stage
from signature_gate.expectations.judge.scan import samples
from signature_gate.expectations.readers.parquet import ParquetScan

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

COLUMNS = [f"c{i}" for i in range(12)]
CONTRACT = Contract.from_signature(
    ModelSignature(Schema([ColSpec(DataType.long, name) for name in COLUMNS]))
)
_WATCHED: list[tuple[str, list[str]]] = []


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    for path, opened in _WATCHED if event == "open" else ():
        if str(arguments[0]) == path:
            opened.append(path)


sys.addaudithook(_note)  # one cannot be taken back, so that there is one for all tests


@contextmanager
def _opened(path: Path) -> Generator[list[str]]:
    """Count how often Python opens a file."""
    watched = (str(path), list[str]())
    _WATCHED.append(watched)
    try:
        yield watched[1]
    finally:
        _WATCHED.remove(watched)


def _batch(bad: int) -> pl.DataFrame:
    last = pl.int_range(pl.len()) == pl.len() - 1
    whole = pl.DataFrame({name: range(5_000) for name in COLUMNS})
    return whole.with_columns(pl.when(~last).then(pl.col(COLUMNS[:bad])))


@pytest.mark.parametrize(
    ("ending", "write"), [("csv", pl.DataFrame.write_csv), ("jsonl", pl.DataFrame.write_ndjson)]
)
def test_failing_columns_cost_one_more_pass_over_text(
    tmp_path: Path, ending: str, write: Callable[[pl.DataFrame, Path], None]
) -> None:
    """Samples of all failing checks come from one pass, even if all fail in the last row only."""
    opens = list[int]()
    for bad in (0, 1, len(COLUMNS)):
        path = tmp_path / f"{bad}.{ending}"
        write(_batch(bad), path)
        with _opened(path) as opened:
            verdict = check(path, CONTRACT).verdict
        assert [(v.kind, v.rows) for v in verdict.violations] == [("null", (4_999,))] * bad
        opens.append(len(opened))
    assert opens[0] > 0
    assert opens[1] == opens[2] <= opens[0] + 1


@pytest.mark.parametrize("bad", [0, 3])
def test_counting_asks_for_no_numbers_of_rows(tmp_path: Path, bad: int) -> None:
    """With them a scan of Parquet takes twice the memory; they are asked for by what names rows."""
    asked, frames = list[bool](), ParquetScan._frames  # noqa: SLF001 - what its reader is asked

    def noted(scan: ParquetScan, columns: list[str]) -> Iterator[pl.DataFrame]:
        asked.append(ROW in columns)
        return frames(scan, columns)

    path = tmp_path / "x.parquet"
    _batch(bad).write_parquet(path, statistics=False)
    with patch.object(ParquetScan, "_frames", noted):
        verdict = check(path, CONTRACT, Policy(on_mismatch="split")).verdict

    assert verdict.rejected == bool(bad)
    assert asked == [False] + [True] * bool(bad)


# ----- what the one pass tells of values -----


def test_repeated_names_in_a_header_stop_no_batch(tmp_path: Path) -> None:
    """A contract by position takes columns of one name; their values cannot be told apart."""
    by_position = Contract.from_signature(
        ModelSignature(Schema([ColSpec(DataType.long), ColSpec(DataType.double)]))
    )
    path = tmp_path / "batch.csv"
    path.write_text("a,a\n1,2.5\n3,4.5\n", "utf-8")

    result = check(path, by_position)

    assert result.passed
    assert result.values == {}


def test_files_of_other_types_have_no_common_range(tmp_path: Path) -> None:
    """What is known of a column in every file is merged, but numbers and text have no order."""
    for name, values in {"a": [1, 2], "b": ["x", "y"]}.items():
        fitting = _batch(0).head(2).with_columns(extra=pl.Series(values))
        fitting.write_parquet(tmp_path / f"{name}.parquet")

    values = check(tmp_path, CONTRACT).values

    assert values["c0"].range == (0, 1)
    assert (values["extra"].nulls, values["extra"].range) == (0, None)


def test_a_column_that_is_kept_twice_is_kept_once() -> None:
    """A name that the policy repeats means one column, in samples and in what is handed over."""
    policy = {"keep": ["k", "k"], "on_mismatch": "split", "max_rejected": 1}

    result = check(
        _batch(1).head(2).with_columns(k=pl.lit("x"), c1=pl.Series([1, None])), CONTRACT, policy
    )

    assert [v.kept for v in result.violations] == [{"k": ("'x'",)}]
    assert result.accepted is not None
    assert result.accepted.collect()["k"].to_list() == ["x"]


# ----- small files, read together -----

CELLS = st.tuples(st.none() | st.integers(-9, 9), st.none() | st.just(math.nan) | st.floats(-9, 9))
RULES = (
    rule("column_values_to_be_between", column="a", min_value=-5, max_value=8),
    rule("column_values_to_not_be_null", column="b"),
    rule("column_values_to_be_unique", column="a"),
)


@given(
    parts=st.lists(st.lists(CELLS, max_size=4), min_size=1, max_size=4),
    rules=st.lists(st.sampled_from(RULES), unique_by=str),
    trusting=st.booleans(),
)
def test_files_read_together_have_the_verdict_of_each(
    parts: list[list[tuple[Any, Any]]], rules: list[Any], *, trusting: bool
) -> None:
    """Counts, samples, places, rules and evidence are those of one scan a file, which is slower."""
    policy = {"trust_statistics": trusting, "on_mismatch": "split", "max_rejected": 1}
    with TemporaryDirectory() as root:
        for number, rows in enumerate(parts):
            cells = pl.DataFrame(rows, {"a": pl.Int64, "b": pl.Float64}, orient="row")
            cells.write_parquet(Path(root, f"{number}.parquet"))
        asked = (root, under(contract(("b",), a="integer", b="double"), *rules), policy)

        together = check(*asked)
        with patch.object(scan_stage, "_count_together", return_value=()):
            assert check(*asked).verdict == together.verdict


@pytest.mark.parametrize("bad", [0, 1])
def test_small_files_are_counted_by_one_query(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: int
) -> None:
    """A folder costs a query, and the samples one more for each file that has failing rows."""
    for number in range(5):
        _batch(bad * (number == 3)).write_parquet(tmp_path / f"{number}.parquet", statistics=False)
    ran = list[str]()

    def counting(module: Any, name: str) -> None:
        made = getattr(module, name)
        monkeypatch.setattr(module, name, lambda *given: ran.append(name) or made(*given))

    counting(scan_stage, "collect")
    counting(samples, "pieces_of")

    (*violations,) = check(tmp_path, CONTRACT).violations

    assert [(v.kind, v.rows, v.files) for v in violations] == [
        ("null", (19_999,), ("3.parquet",))
    ] * bad
    assert ran == ["collect", *["pieces_of"] * bad]
