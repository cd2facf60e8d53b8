"""A numeric frame of n columns, side by side, as the rows of one ``(-1, n)`` tensor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.arrow_types import source_kind
from ..batch.columns import exact_col
from ..contract.types import Tensor
from ..verdict.verdict import Violation
from .column import ColumnPlan
from .nested import plan_cast
from .row_check import RowCheck
from .source import Incompatible, SourceColumn
from .tensors import TENSOR_DTYPES, castable

if TYPE_CHECKING:
    from ..batch.batch import Batch
    from ..contract.contract import Contract
    from ..contract.policy import Policy

_DIMENSIONS = 2


def stack_columns(
    batch: Batch, contract: Contract, policy: Policy
) -> ColumnPlan | Violation | None:
    """Plan the way of a numeric frame into the only tensor of a contract."""
    column = contract.columns[0]
    tensor = column.type
    positions = [i for i, n in enumerate(batch.schema.names) if n not in policy.keep]
    kinds = [source_kind(batch.schema.field(i).type) for i in positions]
    if not isinstance(tensor, Tensor) or len(tensor.shape) != _DIMENSIONS:
        return None
    if not batch.nullable:
        return None  # an array has dimensions of its own, which say what is a row
    if len(contract.columns) > 1 or not kinds or any(k not in TENSOR_DTYPES for k in kinds):
        return None
    width = tensor.shape[1]
    if width not in (-1, len(positions)):
        return _violation(column.name, f"{width} columns", f"{len(positions)} columns")
    bad = [batch.schema.names[i] for i in positions if not castable(kinds[i], tensor.dtype)]
    if bad:
        return _violation(column.name, tensor.dtype, f"other types in {', '.join(bad)}")
    return _stacked(batch, contract, positions, policy)


def _stacked(batch: Batch, contract: Contract, positions: list[int], policy: Policy) -> ColumnPlan:
    column, dtypes = contract.columns[0], batch.scan().collect_schema()
    values, checks = list[pl.Expr](), list[RowCheck]()
    for position in positions:
        source_name = batch.sources[position]
        arrow = batch.schema.field(position).type
        source = SourceColumn(
            source_name, exact_col(source_name), arrow, dtypes[source_name], nullable=batch.nullable
        )
        one = Tensor(getattr(column.type, "dtype", ""), (-1,))
        plan = plan_cast(source, one, policy)
        if isinstance(plan, Incompatible):
            continue
        values.append(plan.value)
        checks += [
            replace(check, observed=f"{check.observed} in {source_name!r}") for check in plan.checks
        ]
    dtype = pl.Array(TENSOR_DTYPES[getattr(column.type, "dtype", "")], len(values))
    first = batch.sources[positions[0]]
    source = SourceColumn(
        column.name, exact_col(first), batch.schema.field(positions[0]).type, dtypes[first]
    )
    value = pl.concat_arr(values).alias(column.name)
    return ColumnPlan(column, first, source, value, dtype, tuple(checks))


def _violation(name: str, expected: str, observed: str) -> Violation:
    return Violation(
        kind="shape_mismatch",
        column=name,
        expected=expected,
        observed=observed,
        remedy="Deliver the columns the model was trained on, and list others in policy keep.",
        because="a frame's columns are the second dimension of the tensor",
    )
