"""A column in exactly the contract's type, and the rules that its rows can break."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..contract.types import Scalar
from .conversions import PANDAS_DTYPES
from .nested import plan_cast
from .nulls import WITH_NAN, null_faults
from .row_check import RowCheck
from .source import FLOATING, Incompatible, SourceColumn

if TYPE_CHECKING:
    from ..contract.contract import Column
    from ..contract.policy import Policy
    from ..contract.types import Type


@dataclass(frozen=True)
class ColumnPlan:
    """How one arriving column becomes what the model takes.

    Attributes:
        column: The contract's column.
        source: The arriving column's name in the batch's lazy frame.
        cells: The arriving cells.
        value: Expression of the model's type, named as the contract names it.
        dtype: Its Polars type.
        faults: The rules that rows can break; none if every row conforms by type.
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
    """Plan the way of a column into the contract's type."""
    known = without_null_values(source, policy)
    plan = plan_cast(known, column.type, policy)
    if isinstance(plan, Incompatible):
        return plan
    checks = (
        *null_faults(column, known, plan.value, policy),
        *plan.checks,
        *_non_finite_faults(known, column.type, plan.value, policy),
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


def without_null_values(source: SourceColumn, policy: Policy) -> SourceColumn:
    """Read as null the texts that the policy says stand for it."""
    if source.kind != "string" or source.parsed:
        return source
    return replace(source, expr=null_where_stated(source.expr, policy))


def null_where_stated(cell: pl.Expr, policy: Policy) -> pl.Expr:
    """Make text of cells, and null of the texts that the policy says stand for it."""
    text = cell.cast(pl.String)
    if not policy.null_values:
        return text
    return pl.when(~text.is_in(list(policy.null_values))).then(text)


def _non_finite_faults(
    source: SourceColumn, target: Type, value: pl.Expr, policy: Policy
) -> tuple[RowCheck, ...]:
    can_be = source.text or source.kind in FLOATING
    holds = isinstance(target, Scalar) and target.name in WITH_NAN
    if policy.non_finite == "allow" or not (holds and can_be):
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
