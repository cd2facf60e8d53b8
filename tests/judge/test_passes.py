"""How often a batch is read: judging costs what it must, however much of the batch is bad."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import ColSpec, DataType, Schema

from signature_gate import Contract, check

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path

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
