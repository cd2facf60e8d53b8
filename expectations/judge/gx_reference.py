"""Judge the contract's suite by stock GX: slow, and the reference of the Polars engine.

Whether values conform is decided while they are cast, before there is a frame that GX could judge.
The rest of the suite is GX's: null and the number of rows on all rows that arrived, columns and
types on those that conform.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from ..batch.columns import ROW
from ..batch.query import collect
from ..conform.nulls import without_null_values
from ..conform.row_check import never_ruled_out
from ..rules.conformed_batch import ConformedBatch, RowLocations
from ..suite import to_suite
from ..verdict.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from ..conform.column import ColumnPlan
    from ..conform.plan import BatchPlan
    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..gx.results import Expectation, GxResult
    from ..verdict.verdict import Kind

_NOT_NULL = "expect_column_values_to_not_be_null"
_ROW_COUNT = "expect_table_row_count_to_be_between"
_FORMS = 3
_ON_ALL_ROWS = (_NOT_NULL, _ROW_COUNT)
# The text for an expectation that fails on the frame that the gate itself made.
_KINDS: dict[str, Kind] = {
    "expect_column_type_to_be": "type_mismatch",
    "expect_column_to_exist": "missing_column",
    "expect_table_columns_to_match_set": "missing_column",
    "expect_table_columns_to_match_ordered_list": "column_order",
}


class Reference(NamedTuple):
    """The results of stock GX on the contract's suite.

    Attributes:
        whole: The batch; rows with a forbidden null are those that GX found.
        enough: Whether there are enough rows.
        violations: The other expectations that failed.
    """

    whole: ConformedBatch
    enough: bool
    violations: tuple[Violation, ...]


def judge_by_gx(whole: ConformedBatch, contract: Contract, policy: Policy) -> Reference:
    """Judge a batch by the suite of its contract, in stock GX.

    Returns:
        The batch with GX's results in place of the gate's own.
    """
    from ..gx.engine import judge_frame

    arrived = [column.name for column in whole.columns]
    suite: list[Expectation] = to_suite(replace(contract, rules=(), values=None), policy, arrived)[
        "expectations"
    ]
    on_all = [expectation for expectation in suite if expectation["type"] in _ON_ALL_ROWS]
    others = [expectation for expectation in suite if expectation["type"] not in _ON_ALL_ROWS]
    names = {e["kwargs"]["column"] for e in on_all if e["type"] == _NOT_NULL}
    frame, places = _as_it_arrived(whole, names, policy)
    found = judge_frame(frame, on_all)
    nulls = {
        expectation["kwargs"]["column"]: places.take(judged.positions)
        for expectation, judged in zip(on_all, found, strict=True)
        if expectation["type"] == _NOT_NULL
    }
    enough = all(
        judged.success
        for expectation, judged in zip(on_all, found, strict=True)
        if expectation["type"] == _ROW_COUNT
    )
    whole = _with_nulls(whole, nulls)
    conformed, _ = whole.in_pandas(arrived)
    answers = zip(others, judge_frame(conformed, others), strict=True)
    objections = [_violation(*answer) for answer in answers if not answer[1].success]
    return Reference(whole, enough, tuple(objections))


def _as_it_arrived(
    whole: ConformedBatch, names: set[str], policy: Policy
) -> tuple[pd.DataFrame, RowLocations]:
    """All rows: converted values, and the arriving cells where they do not conform."""
    import pandas as pd

    cells = dict[str, list[Any]]({name: [] for name in names})
    files, rows = list[int](), list[int]()
    for number, (batch, plan) in enumerate(whole.files):
        ways = [way for way in plan.columns if way.column.name in names]
        asked = [
            e.alias(f"{i} {j}") for i, w in enumerate(ways) for j, e in _forms(w, plan, policy)
        ]
        found = collect(batch.scan().select(pl.col(ROW), *asked))
        for i, way in enumerate(ways):
            forms = (found[f"{i} {j}"].to_list() for j in range(_FORMS))
            cells[way.column.name] += [_first(*of_cell) for of_cell in zip(*forms, strict=True)]
        files += [number] * found.height
        rows += found[ROW].to_list()
    columns = {name: pd.Series(values, dtype=object) for name, values in cells.items()}
    places = RowLocations(pl.Series(files, dtype=pl.Int32), pl.Series(rows, dtype=pl.Int64))
    return pd.DataFrame(columns, index=pd.RangeIndex(len(rows))), places


def _forms(way: ColumnPlan, plan: BatchPlan, policy: Policy) -> Iterator[tuple[int, pl.Expr]]:
    """A cell as converted, as it arrived, and, for a Python object without a type, as text."""
    yield 0, way.value
    yield 1, without_null_values(way.source, policy).expr
    made = plan.objects.get(way.source_name)
    if made is None or made.faults is None:
        yield 2, pl.lit(None)
    else:
        yield 2, pl.when(pl.col(made.faults) != 0).then(made.words)


def _first(*forms: Any) -> Any:
    return next((form for form in forms if form is not None), None)


def _with_nulls(whole: ConformedBatch, nulls: dict[str, RowLocations]) -> ConformedBatch:
    """Put the rows in which GX found null in place of those that the gate would find."""
    files = [
        (
            batch,
            replace(
                plan, columns=tuple(_null_by_gx(w, number, whole, nulls) for w in plan.columns)
            ),
        )
        for number, (batch, plan) in enumerate(whole.files)
    ]
    return replace(whole, files=tuple(files))


def _null_by_gx(
    way: ColumnPlan, number: int, whole: ConformedBatch, nulls: dict[str, RowLocations]
) -> ColumnPlan:
    places = nulls.get(way.column.name)
    if places is None:
        return way
    checks = (
        replace(
            check,
            fails=places.among(number, whole.row),
            ruled_out_by=never_ruled_out,
            engine="gx",
        )
        if check.kind == "null" and check.blocks
        else check
        for check in way.checks
    )
    return replace(way, checks=tuple(checks))


def _violation(expectation: Expectation, found: GxResult) -> Violation:
    return Violation(
        kind=_KINDS[expectation["type"]],
        column=expectation["kwargs"].get("column"),
        expected=f"{expectation['type']} {expectation['kwargs']} of the frame that conforms",
        observed=str(found.error or found.observed or "another frame"),
        remedy="Report this as a fault of signature-gate: it has made a frame that GX refuses.",
        because="engine gx judges the frame that the model would receive",
        expectation={key: expectation[key] for key in ("type", "kwargs")},
        engine="gx",
    )
