"""The stages of a judgement: names and types, then the footer, then one scan of what is left.

A batch is one file or frame, or a folder of files. Each file is judged on its own; what was found
is merged, so that any partition of the same rows into files gives the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .merging import merge_evidence, merge_violations
from .planning import Plan, plan_batch
from .scanning import Scan, scan_batch
from .shapes import shape_violations
from .verdict import Conversion, Evidence, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .batch import Batch, UnreadableError
    from .contract import Contract
    from .policy import Policy


@dataclass(frozen=True)
class Part:
    """One file of a batch, with the way of its rows into the contract.

    Attributes:
        batch: The opened file.
        plan: The ways of its columns; None if names or types forbid them.
        first_row: Position, within the whole batch, of its first row.
    """

    batch: Batch
    plan: Plan | None
    first_row: int = 0


@dataclass(frozen=True)
class Judgement:
    """What the stages found, before it is dressed as a verdict."""

    parts: tuple[Part, ...]
    violations: tuple[Violation, ...]
    conversions: tuple[Conversion, ...] = ()
    evidence: tuple[tuple[str, Evidence], ...] = ()
    rows: int | None = None
    rejected: int = 0


def judge(batches: Sequence[Batch], contract: Contract, policy: Policy) -> Judgement:
    """Judge a batch by its schema, its footer, and one scan of the columns still undecided.

    Args:
        batches: The batch's files, opened; one for a frame or a single file.
        contract: The columns that the model takes.
        policy: The choices that the contract leaves open.

    Returns:
        All violations; the parts by which the good rows conform.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    schemas = [plan_batch(batch, contract, policy) for batch in batches]
    names = [batch.facts.name for batch in batches]
    of_schema = merge_violations([(s.violations, 0) for s in schemas], names, policy)
    if any(schema.plan is None for schema in schemas):
        parts = tuple(Part(batch, None) for batch in batches)
        rows = [batch.rows for batch in batches]
        known = None if None in rows else sum(row or 0 for row in rows)
        return Judgement(parts, of_schema, rows=known)
    scans, parts, first_row = list[Scan](), list[Part](), 0
    for batch, schema in zip(batches, schemas, strict=True):
        if schema.plan is not None:
            parts.append(Part(batch, schema.plan, first_row))
            scans.append(scan_batch(batch, schema.plan, policy))
            first_row += scans[-1].rows
    offsets = [(scan.violations, part.first_row) for scan, part in zip(scans, parts, strict=True)]
    violations = (
        *of_schema,
        *_too_few(first_row, policy),
        *merge_violations(offsets, names, policy),
    )
    rejected = sum(scan.rejected for scan in scans)
    violations = (*violations, *shape_violations(parts, first_row - rejected))
    conversions = dict.fromkeys(c for schema in schemas for c in schema.conversions)
    return Judgement(
        tuple(parts),
        violations,
        tuple(conversions),
        merge_evidence(scan.evidence for scan in scans),
        first_row,
        rejected,
    )


def unreadable_violation(
    error: UnreadableError, written_as: str, names: Sequence[str]
) -> Violation:
    """State that content cannot be read."""
    return Violation(
        kind=error.kind,
        expected=f"a whole {written_as} batch",
        observed=error.observed,
        remedy=error.remedy,
        because="what cannot be read cannot be judged",
        files=tuple(names),
    )


def _too_few(rows: int, policy: Policy) -> tuple[Violation, ...]:
    if rows >= policy.min_rows:
        return ()
    violation = Violation(
        kind="row_count",
        expected=f"at least {policy.min_rows:,} row{'' if policy.min_rows == 1 else 's'}",
        observed=f"{rows:,}",
        remedy="Find out why the feed ran dry, or accept such batches by policy min_rows.",
        because=f"policy min_rows: {policy.min_rows}",
        expectation={
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": policy.min_rows},
        },
    )
    return (violation,)
