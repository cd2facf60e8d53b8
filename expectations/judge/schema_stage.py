"""The schema stage: how every column conforms, or why it does not."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.columns import exact_col
from ..conform.cast_plan import Incompatible
from ..conform.column import ColumnPlan, expectation_of_type, plan_column
from ..conform.objects.checks import judged_by_cell
from ..conform.plan import BatchPlan, kept_cells
from ..conform.remedies import type_remedy
from ..conform.row_check import RowCheck
from ..conform.source import SourceColumn
from ..conform.stacked_tensor import stack_columns
from ..conform.text_columns import with_values, with_values_like
from ..contract.types import Anything, Scalar
from ..verdict.conversion import Conversion
from ..verdict.verdict import Violation
from .column_matching import match_columns
from .file_result import FileResult

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..batch.batch import Batch
    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy


def plan_files(files: Iterable[Batch], contract: Contract, policy: Policy) -> Iterator[FileResult]:
    """Judge names and types of files, and plan those of the same columns once."""
    planned = dict[Any, "tuple[Batch, FileResult]"]()
    for batch in files:
        facts = (batch.info.format, batch.info.columns, batch.sources, batch.faults)
        key = (*facts, batch.text, batch.texts, batch.nullable)
        first, result = planned.get(key) or (batch, None)
        if result is None or not _has_types_of(first, batch):
            result = plan_file(batch, contract, policy)
            planned.setdefault(key, (batch, result))
            yield result
        else:
            yield replace(result, batch=with_values_like(batch, result.batch))


def _has_types_of(one: Batch, other: Batch) -> bool:
    if one.objects or other.objects or not one.schema.equals(other.schema):
        return False
    return one.dtypes == other.dtypes


def plan_file(batch: Batch, contract: Contract, policy: Policy) -> FileResult:
    """Judge names and types of one file or frame, and plan how each column conforms."""
    stacked = stack_columns(batch, contract, policy)
    if stacked is not None:
        return _of_stack(stacked, batch, policy)
    matching = match_columns(batch, contract, policy)
    dtypes = batch.dtypes
    batch = with_values(batch, matching.pairs, policy)
    plans, violations = list[ColumnPlan](), list(matching.violations)
    for column, position in matching.pairs:
        source = _source(batch, column, position, dtypes, policy)
        plan = _plan_column(batch, column, position, source, policy)
        if isinstance(plan, ColumnPlan):
            plans.append(_on_whole_records(plan, batch))
        else:
            violations.append(_mismatch(column, source, batch, position, plan.where))
    if any(violation.severity == "critical" for violation in violations):
        return FileResult(batch, None, tuple(violations))
    kept = tuple(
        (name, kept_cells(batch.sources[position], batch.schema.field(position).type))
        for name, position in matching.kept
    )
    plan = BatchPlan(tuple(plans), kept, _malformed(batch), batch.objects, batch.faults)
    return FileResult(batch, plan, tuple(violations), _conversions(plans, batch))


def _of_stack(stacked: ColumnPlan | Violation, batch: Batch, policy: Policy) -> FileResult:
    if isinstance(stacked, Violation):
        return FileResult(batch, None, (stacked,))
    kept = tuple((name, exact_col(name)) for name in policy.keep)
    plans = (_on_whole_records(stacked, batch),)
    return FileResult(batch, BatchPlan(plans, kept, _malformed(batch), record_fault=batch.faults))


def _source(
    batch: Batch, column: Column, position: int, dtypes: pl.Schema, policy: Policy
) -> SourceColumn:
    name = batch.sources[position]
    arrow = batch.schema.field(position).type
    text = batch.is_text(name) or policy.parse_text == "allow"
    parsed = batch.parsed.get(name)
    cell = parsed.cell if parsed else exact_col(name)
    return SourceColumn(
        column.name,
        cell,
        arrow,
        dtypes[name],
        text=text,
        nullable=batch.nullable,
        parsed=parsed,
    )


def _plan_column(
    batch: Batch, column: Column, position: int, source: SourceColumn, policy: Policy
) -> ColumnPlan | Incompatible:
    objects = batch.objects.get(batch.sources[position])
    if objects and objects.unconvertible:
        return Incompatible("" if isinstance(column.type, Scalar) else "no cell of it fits")
    plan = plan_column(column, batch.sources[position], source, policy)
    return plan if isinstance(plan, Incompatible) else judged_by_cell(plan, objects, policy)


# What makes a record, and what its writer should mind.
_RECORDS = {
    "csv": (
        "records with as many fields as the header",
        (
            "delimiters and line ends inside a field need quotes around it, and "
            "text that is not UTF-8 needs policy csv.encoding"
        ),
    ),
    "json lines": (
        "lines that hold one JSON object each",
        "keys may not repeat, and a line ends where its object does",
    ),
}


def _malformed(batch: Batch) -> tuple[RowCheck, ...]:
    if batch.faults is None:
        return ()
    expected, remedy = _RECORDS[batch.info.format]
    check = RowCheck(
        kind="malformed_row",
        fails=pl.col(batch.faults).is_not_null(),
        expected=expected,
        observed="records that are not",
        remedy=f"Correct these records where the file is written; {remedy}.",
        because="a record must have one meaning",
    )
    return (check,)


def _on_whole_records(plan: ColumnPlan, batch: Batch) -> ColumnPlan:
    if batch.faults is None:
        return plan
    whole = pl.col(batch.faults).is_null()
    checks = tuple(replace(check, fails=check.fails & whole) for check in plan.checks)
    return replace(plan, checks=checks)


def _mismatch(
    column: Column, source: SourceColumn, batch: Batch, position: int, where: str
) -> Violation:
    observed, is_text = batch.info.columns[position][1], batch.is_text(batch.sources[position])
    return Violation(
        kind="type_mismatch" if not where else "nested_mismatch",
        column=column.name,
        expected=str(column.type),
        observed=("text" if is_text else observed) + (f", where {where}" if where else ""),
        remedy=type_remedy(source, column.type, csv=batch.info.format == "csv"),
        because=f"{observed} never conforms to {column.type}",
        expectation=expectation_of_type(column),
    )


def _conversions(plans: list[ColumnPlan], batch: Batch) -> tuple[Conversion, ...]:
    type_names = [type_name for _, type_name in batch.info.columns]
    arrived = dict(zip(batch.sources, type_names, strict=True))
    return tuple(
        Conversion(
            column=plan.column.name,
            arrived="text" if batch.is_text(plan.source_name) else arrived[plan.source_name],
            becomes=str(plan.column.type),
        )
        for plan in plans
        if _converts(plan) or _is_formed(plan, batch)
    )


def _is_formed(plan: ColumnPlan, batch: Batch) -> bool:
    return plan.source_name in batch.objects and not isinstance(plan.column.type, Anything)


def _converts(plan: ColumnPlan) -> bool:
    parsed = plan.source.text and plan.source.kind == "string" and str(plan.column.type) != "string"
    return parsed or plan.dtype != plan.source.dtype
