"""The schema stage: the way of every column into the contract's type, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import exact_col
from ..conform.column import ColumnPlan, expectation_of_type, plan_column
from ..conform.objects.checks import judged_by_cell
from ..conform.plan import BatchPlan
from ..conform.row_check import RowCheck
from ..conform.source import Incompatible, SourceColumn
from ..conform.stacked_tensor import stack_columns
from ..conform.text_columns import with_values
from ..contract.types import Anything, Scalar
from ..verdict.verdict import Conversion, Violation
from .column_matching import match_columns

if TYPE_CHECKING:
    from ..batch.batch import Batch
    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy


@dataclass(frozen=True)
class SchemaResult:
    """What the schema stage found.

    Attributes:
        batch: The file, to be scanned for the plan.
        plan: The ways of the columns; None if a violation of names or types makes rows meaningless.
        violations: All faults of names and types.
        conversions: Columns that arrive in another type.
    """

    batch: Batch
    plan: BatchPlan | None
    violations: tuple[Violation, ...]
    conversions: tuple[Conversion, ...] = ()


def plan_batch(batch: Batch, contract: Contract, policy: Policy) -> SchemaResult:
    """Judge names and types, and plan the way of each column.

    Args:
        batch: One opened file or frame.
        contract: The columns that the model takes.
        policy: The choices that the contract leaves open.

    Returns:
        The plan, or every reason why there is none.
    """
    stacked = stack_columns(batch, contract, policy)
    if stacked is not None:
        return _schema_of_stack(stacked, batch, policy)
    matching = match_columns(batch, contract, policy)
    batch = with_values(batch, matching.pairs, policy)
    dtypes = batch.scan().collect_schema()
    ways, violations = list[ColumnPlan](), list(matching.violations)
    for column, position in matching.pairs:
        cells = _cells(batch, column, position, dtypes, policy)
        way = _way(batch, column, position, cells, policy)
        if isinstance(way, ColumnPlan):
            ways.append(_on_whole_records(way, batch))
        else:
            violations.append(_mismatch(column, cells, batch, position, way.where))
    if any(violation.severity == "critical" for violation in violations):
        return SchemaResult(batch, None, tuple(violations))
    kept = tuple((name, batch.sources[position]) for name, position in matching.kept)
    plan = BatchPlan(tuple(ways), kept, _malformed(batch), batch.objects, batch.faults)
    return SchemaResult(batch, plan, tuple(violations), _conversions(ways, batch))


def _schema_of_stack(stacked: ColumnPlan | Violation, batch: Batch, policy: Policy) -> SchemaResult:
    if isinstance(stacked, Violation):
        return SchemaResult(batch, None, (stacked,))
    kept = tuple((name, name) for name in policy.keep)
    ways = (_on_whole_records(stacked, batch),)
    return SchemaResult(
        batch, BatchPlan(ways, kept, _malformed(batch), record_fault=batch.faults), ()
    )


def _cells(
    batch: Batch, column: Column, position: int, dtypes: pl.Schema, policy: Policy
) -> SourceColumn:
    source = batch.sources[position]
    arrow = batch.schema.field(position).type
    text = batch.text or policy.parse_text == "allow"
    parsed = batch.parsed.get(source)
    cell = parsed.cell if parsed else exact_col(source)
    return SourceColumn(column.name, cell, arrow, dtypes[source], text, batch.nullable, parsed)


def _way(
    batch: Batch, column: Column, position: int, cells: SourceColumn, policy: Policy
) -> ColumnPlan | Incompatible:
    objects = batch.objects.get(batch.sources[position])
    if objects and objects.unconvertible:
        return Incompatible("" if isinstance(column.type, Scalar) else "no cell of it fits")
    way = plan_column(column, batch.sources[position], cells, policy)
    return way if isinstance(way, Incompatible) else judged_by_cell(way, objects, policy)


# What makes a record, and what its writer should mind.
_RECORDS = {
    "csv": (
        "records with as many fields as the header",
        "delimiters and line ends inside a field need quotes around it",
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


def _on_whole_records(way: ColumnPlan, batch: Batch) -> ColumnPlan:
    if batch.faults is None:
        return way
    whole = pl.col(batch.faults).is_null()
    checks = tuple(replace(check, fails=check.fails & whole) for check in way.checks)
    return replace(way, checks=checks)


def _mismatch(
    column: Column, cells: SourceColumn, batch: Batch, position: int, where: str
) -> Violation:
    observed = batch.info.columns[position][1]
    return Violation(
        kind="type_mismatch" if not where else "nested_mismatch",
        column=column.name,
        expected=str(column.type),
        observed=("text" if batch.text else observed) + (f", where {where}" if where else ""),
        remedy=_remedy_for_type(cells, str(column.type)),
        because=f"{observed} never conforms to {column.type}",
        expectation=expectation_of_type(column),
    )


def _remedy_for_type(cells: SourceColumn, target: str) -> str:
    name = cells.name
    remedies = {
        "timestamp_tz": f"Deliver {name!r} without a zone, or set policy timezone: utc.",
        "string": f"Deliver {name!r} as {target}, or have its text parsed by policy "
        "parse_text: allow.",
    }
    parsed = cells.kind == "string" and target in ("string", "binary")
    if cells.kind in remedies and not parsed and "<" not in target:
        return remedies[cells.kind]
    return f"Deliver {name!r} as {target}, or log the model again with the type that arrives."


def _conversions(ways: list[ColumnPlan], batch: Batch) -> tuple[Conversion, ...]:
    said = dict(zip(batch.sources, (said for _, said in batch.info.columns), strict=True))
    return tuple(
        Conversion(
            column=way.column.name,
            arrived="text" if batch.text else said[way.source_name],
            becomes=str(way.column.type),
        )
        for way in ways
        if _converts(way) or _is_formed(way, batch)
    )


def _is_formed(way: ColumnPlan, batch: Batch) -> bool:
    return way.source_name in batch.objects and not isinstance(way.column.type, Anything)


def _converts(way: ColumnPlan) -> bool:
    parsed = way.source.text and way.source.kind == "string" and str(way.column.type) != "string"
    return parsed or way.dtype != way.source.dtype
