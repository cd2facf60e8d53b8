"""A numeric frame of n columns, side by side, as the rows of one ``(-1, n)`` tensor."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.arrow_types import source_kind
from ..batch.columns import exact_col
from ..contract.types import Tensor
from ..verdict.verdict import Violation
from .cast_plan import CastPlan
from .column import ColumnPlan
from .source import SourceColumn
from .tensors import TENSOR_DTYPES, castable, plan_tensor

if TYPE_CHECKING:
    from ..batch.batch import Batch
    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy

_DIMENSIONS = 2


def stack_columns(
    batch: Batch, contract: Contract, policy: Policy
) -> ColumnPlan | Violation | None:
    """Stack all columns but the kept ones, or say why not; None if the contract is another."""
    column, names = contract.columns[0], batch.schema.names
    tensor = column.type
    if not isinstance(tensor, Tensor) or len(tensor.shape) != _DIMENSIONS:
        return None
    kinds = {
        i: source_kind(batch.schema.field(i).type)
        for i, name in enumerate(names)
        if name not in policy.keep
    }
    # An array has dimensions of its own, which say what is a row.
    if not batch.nullable or len(contract.columns) > 1 or not kinds:
        return None
    if not TENSOR_DTYPES.keys() >= set(kinds.values()):
        return None
    if tensor.shape[1] not in (-1, len(kinds)):
        return _violation(column.name, f"{tensor.shape[1]} columns", f"{len(kinds)} columns")
    others = [names[i] for i, kind in kinds.items() if not castable(kind, tensor.dtype)]
    if others:
        return _violation(column.name, tensor.dtype, f"other types in {', '.join(others)}")
    return _stacked(batch, column, tensor.dtype, list(kinds))


def _stacked(batch: Batch, column: Column, dtype: str, positions: list[int]) -> ColumnPlan:
    scanned = batch.scan().collect_schema()
    sources = [
        SourceColumn(name, exact_col(name), batch.schema.field(i).type, scanned[name])
        for i, name in ((i, batch.sources[i]) for i in positions)
    ]
    plans = [(source, plan_tensor(source, Tensor(dtype, (-1,)))) for source in sources]
    stacked = [(source, plan) for source, plan in plans if isinstance(plan, CastPlan)]
    checks = [
        replace(check, observed=f"{check.observed} in {source.name!r}")
        for source, plan in stacked
        for check in plan.checks
    ]
    value = pl.concat_arr([plan.value for _, plan in stacked]).alias(column.name)
    return ColumnPlan(
        column,
        sources[0].name,
        replace(sources[0], name=column.name),
        value,
        pl.Array(TENSOR_DTYPES[dtype], len(stacked)),
        tuple(checks),
    )


def _violation(name: str, expected: str, observed: str) -> Violation:
    return Violation(
        kind="shape_mismatch",
        column=name,
        expected=expected,
        observed=observed,
        remedy="Deliver the columns the model was trained on, and list others in policy keep.",
        because="a frame's columns are the second dimension of the tensor",
    )
