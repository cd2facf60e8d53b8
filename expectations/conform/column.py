"""The plan of one column: its cast to the contract's type, and the checks that rows can fail."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import polars as pl

from ..contract.types import Scalar
from .cast_plan import Incompatible
from .conversions import PANDAS_DTYPES
from .nested import plan_cast
from .nulls import WITH_NAN, null_checks, without_null_values
from .row_check import RowCheck
from .source import FLOATING, SourceColumn

if TYPE_CHECKING:
    from ..contract.contract import Column
    from ..contract.policy import Policy
    from ..contract.types import Type


_NULL_WORDS = ["NA", "N/A", "null", "NULL", "None", "\\N"]


@dataclass(frozen=True)
class ColumnPlan:
    """How one arriving column becomes what the model takes.

    Attributes:
        column: The contract's column.
        source_name: The arriving column's name in the batch's lazy frame.
        source: The arriving cells.
        value: Expression of the model's type, named as the contract names it.
        dtype: Its Polars type.
        checks: The checks that rows can fail; none if every row conforms by type.
    """

    column: Column
    source_name: str
    source: SourceColumn
    value: pl.Expr
    dtype: pl.DataType
    checks: tuple[RowCheck, ...]


def plan_column(
    column: Column, source_name: str, source: SourceColumn, policy: Policy
) -> ColumnPlan | Incompatible:
    """Plan how a column is cast to the contract's type, or say why it never can be."""
    known = without_null_values(source, policy)
    plan = plan_cast(known, column.type, policy)
    if isinstance(plan, Incompatible):
        return plan
    checks = (
        *null_checks(column, known, plan.value, policy),
        *plan.checks,
        *_non_finite_checks(known, column.type, plan.value, policy),
        *_null_word_checks(known, column.type, policy),
    )
    return ColumnPlan(
        column, source_name, source, plan.value.alias(column.name), plan.dtype, checks
    )


def expectation_of_type(column: Column) -> dict[str, Any]:
    """State a column's type as an expectation of GX; nested types have none but that it exists."""
    if isinstance(column.type, Scalar):
        kwargs = {"column": column.name, "type_": PANDAS_DTYPES[column.type.name]}
        return {"type": "expect_column_type_to_be", "kwargs": kwargs}
    return {"type": "expect_column_to_exist", "kwargs": {"column": column.name}}


def _null_word_checks(source: SourceColumn, target: Type, policy: Policy) -> tuple[RowCheck, ...]:
    """Warn of text such as ``NA`` in a column of text, which no policy takes for null."""
    if policy.null_values or not (source.text and source.kind == "string"):
        return ()
    if target != Scalar("string"):
        return ()
    check = RowCheck(
        kind="null",
        fails=source.expr.cast(pl.String).is_in(_NULL_WORDS),
        expected="text",
        observed="text that commonly stands for null",
        remedy=f"If it does, list it in policy null_values, and {source.name!r} in policy "
        "nullable.",
        because="policy null_values is empty",
        severity="warning",
    )
    return (check,)


def _non_finite_checks(
    source: SourceColumn, target: Type, value: pl.Expr, policy: Policy
) -> tuple[RowCheck, ...]:
    can_be = source.text or source.kind in FLOATING
    can_hold = isinstance(target, Scalar) and target.name in WITH_NAN
    if policy.non_finite == "allow" or not (can_hold and can_be):
        return ()
    nan_counts = policy.nan == "value"
    check = RowCheck(
        kind="non_finite",
        fails=value.is_infinite() | value.is_nan() if nan_counts else value.is_infinite(),
        expected="finite numbers",
        observed="infinity or NaN" if nan_counts else "infinity",
        remedy=f"Clip or fill {source.name!r} before delivery, or set policy non_finite: allow.",
        because=f"policy non_finite: {policy.non_finite}",
        severity="critical" if policy.non_finite == "forbid" else "warning",
    )
    return (check,)
