"""What it costs to plan a judgement, counted in calls of functions: no clock says it as surely."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rule_cases import rule, under
from small_checks import SPLIT, accepted, contract

from signature_gate import check
from signature_gate.expectations.judge import schema_stage
from signature_gate.expectations.judge.schema_stage import plan_file
from signature_gate.expectations.rules import trial
from signature_gate.expectations.rules.row_checks import masks

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.expectations.batch.batch import Batch


def calls_in(work: Callable[[], Any]) -> int:
    """Count the calls of functions, of Python's and of libraries', that some work makes."""
    count = 0

    def seen(_frame: Any, event: str, _argument: Any) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def wide(columns: int, *kinds: str) -> tuple[pl.DataFrame, Any]:
    """Make one row of so many doubles, and their contract with a rule of each kind a column."""
    names = [f"c{i}" for i in range(columns)]
    limits = {"min_value": 0, "max_value": 9}
    rules = [rule(kind, column=name, **limits) for kind in kinds for name in names]
    frame = pl.DataFrame({name: [1.0] for name in names})
    return frame, under(contract(**dict.fromkeys(names, "double")), *rules)


def growth(*kinds: str) -> float:
    """Tell how many times the calls of a judgement are those of one with half the columns."""
    few, many = wide(50, *kinds), wide(100, *kinds)
    check(*wide(50, *kinds))  # what is imported and remembered once
    return calls_in(lambda: check(*many)) / calls_in(lambda: check(*few))


def test_twice_the_columns_cost_twice_the_calls() -> None:
    """Nothing is done for each pair of columns."""
    assert growth() < 2.1


def test_twice_the_rules_cost_twice_the_calls() -> None:
    """A rule costs what its own columns do, however wide the contract is."""
    assert growth("column_values_to_be_between") < 2.1
    assert growth("column_max_to_be_between") < 2.1


def test_rules_that_differ_in_their_columns_alone_are_tried_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The names of columns decide nothing of a trial; their types and all other arguments do."""
    tried = list[str]()

    def seen(one: Any, operands: Any) -> Any:
        tried.append(one.column)
        return masks(one, operands)

    monkeypatch.setattr(trial, "masks", seen)
    stated = [
        rule("column_values_to_be_between", column=column, min_value=-7.25, **high)
        for high in ({}, {"max_value": 8.5})
        for column in ("a", "b", "c")
    ]
    known = contract(a="double", b="double", c="long")
    for _ in range(2):
        check(pl.DataFrame({"a": [1.0], "b": [1.0], "c": [1]}), under(known, *stated))

    assert tried == ["a", "c", "a", "c"]


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl"])
def test_files_of_the_same_columns_are_planned_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ending: str
) -> None:
    """A folder's files share a plan where names and types are equal; each keeps its own rows."""
    planned = list[str]()

    def seen(batch: Batch, *given: Any) -> Any:
        planned.append(batch.info.name)
        return plan_file(batch, *given)

    monkeypatch.setattr(schema_stage, "plan_file", seen)
    for part in range(4):
        rows = pl.DataFrame({"a": [part, None], "b": [f"{part}", "x"]})
        write(rows, tmp_path / f"{part}.{ending}")
    write(pl.DataFrame({"b": ["y"], "a": [9]}), tmp_path / f"4.{ending}")

    result = check(tmp_path, contract(a="long", b="string"), SPLIT)

    assert planned == [f"0.{ending}", f"4.{ending}"]
    assert [(v.kind, v.count, v.rows) for v in result.violations] == [("null", 4, (1, 3, 5, 7))]
    assert [row["a"] for row in accepted(result)] == [0, 1, 2, 3, 9]


def write(rows: pl.DataFrame, path: Path) -> None:
    """Write rows in the format of a file's ending."""
    {".parquet": rows.write_parquet, ".csv": rows.write_csv, ".jsonl": rows.write_ndjson}[
        path.suffix
    ](path)
