"""The stages of a judgement: names and types, then the footer, then one scan of what is left.

A batch is one file or frame, or a folder of files. Each file is judged on its own; what was found
is merged, so that any partition of the same rows into files gives the same verdict.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..batch.batch import UnreadableError
from ..batch.columns import ROW
from ..batch.streaming import ReadInPieces
from ..verdict.verdict import Conversion, Evidence, RuleResult, Violation
from ..wording import counted
from .merge import merge_evidence, merge_violations, rule_of
from .rule_stage import apply_rules, unjudged_rules
from .scan_stage import Scan, scan_batch
from .schema_stage import plan_batch
from .tensor_shapes import shape_violations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..contract.policy import Policy
    from .rule_stage import CheckRequest
    from .schema_stage import SchemaResult


@dataclass(frozen=True)
class Part:
    """One file of a batch, with the way of its rows into the contract.

    Attributes:
        batch: The opened file.
        plan: The ways of its columns; None if names or types forbid them.
        first_row: Position, within the whole batch, of its first row.
    """

    batch: Batch
    plan: BatchPlan | None
    first_row: int = 0

    def rows(self) -> pl.LazyFrame:
        """Scan it, with ``_row`` as the position within the whole batch."""
        return self._numbered(self.batch.scan())

    def in_pieces(self, wanted: Sequence[pl.Expr], rows: int) -> Iterator[pl.DataFrame]:
        """Read expressions of its rows, in order and so many at a time, in bounded memory."""
        scan = self.batch.scan
        pieces = scan.pieces(rows) if isinstance(scan, ReadInPieces) else None
        if pieces is None:
            query = self.rows().select(*wanted)
            pieces = query.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")
            yield from pieces
            return
        for piece in pieces:
            yield self._numbered(piece).select(*wanted).collect()

    def _numbered(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.with_columns(pl.col(ROW).cast(pl.Int64) + self.first_row)


@dataclass(frozen=True)
class Judgement:
    """What the stages found, before it is dressed as a verdict."""

    parts: tuple[Part, ...]
    violations: tuple[Violation, ...]
    conversions: tuple[Conversion, ...] = ()
    evidence: tuple[tuple[str, Evidence], ...] = ()
    rows: int | None = None
    rejected: int = 0
    rulings: tuple[RuleResult, ...] = ()


def judge(
    batches: Sequence[Batch],
    asked: CheckRequest,
    unreadable: Sequence[tuple[str, UnreadableError]] = (),
) -> Judgement:
    """Judge a batch by its schema, its footer, and one scan of the columns still undecided.

    Args:
        batches: The batch's files, opened; one for a frame or a single file.
        asked: Contract, policy, the user's rules, and the engine.
        unreadable: Files of a folder that could not be opened, and why.

    Returns:
        All violations; the parts by which the good rows conform. What an unreadable file of a
        folder holds is unknown, so the rows are too; the other files are judged all the same.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    policy = asked.policy
    schemas = [plan_batch(batch, asked.contract, policy) for batch in batches]
    batches = [schema.batch for schema in schemas]
    names = [batch.info.name for batch in batches]
    of_schema = merge_violations([(s.violations, 0) for s in schemas], names, policy)
    if any(schema.plan is None for schema in schemas):
        parts = tuple(Part(batch, None) for batch in batches)
        rows = [batch.rows for batch in batches]
        known = None if None in rows or unreadable else sum(row or 0 for row in rows)
        found = (*of_schema, *_unread(unreadable, policy))
        return Judgement(parts, found, rows=known, rulings=unjudged_rules(asked))
    applied = apply_rules(batches, schemas, asked, readable=not unreadable)
    batches, schemas = applied.batches, applied.schemas
    found = _scan_files(batches, schemas, policy, alone=len(batches) + len(unreadable) == 1)
    scans, parts, broken = found.scans, found.parts, (*unreadable, *found.unreadable)
    row_faults = merge_violations(
        [(scan.violations, first_row) for scan, first_row in scans],
        names,
        policy,
        [rule_of(check) for s in schemas if s.plan for check in s.plan.row_checks()],
    )
    rows, rejected = (sum(scan.rows for scan, _ in scans), sum(s.rejected for s, _ in scans))
    whole = () if broken else shape_violations(parts, rows - rejected)
    conversions = dict.fromkeys(c for schema in schemas for c in schema.conversions)
    return Judgement(
        parts,
        (
            *of_schema,
            *_unread(broken, policy),
            *(() if broken else _too_few(rows, policy, applied.enough)),
            *row_faults,
            *whole,
            *applied.violations,
        ),
        tuple(conversions),
        merge_evidence([*(scan.evidence for scan, _ in scans), applied.evidence]),
        None if broken else rows,
        rejected,
        applied.rulings([scan for scan, _ in scans], complete=not broken),
    )


class _Scanned(NamedTuple):
    scans: list[tuple[Scan, int]]
    parts: tuple[Part, ...]
    unreadable: tuple[tuple[str, UnreadableError], ...]


def _scan_files(
    batches: Sequence[Batch], schemas: Sequence[SchemaResult], policy: Policy, *, alone: bool
) -> _Scanned:
    scans, parts, first_row = list[tuple[Scan, int]](), list[Part](), 0
    unreadable = list[tuple[str, UnreadableError]]()
    for batch, schema in zip(batches, schemas, strict=True):
        scan = Scan(0)
        try:
            if schema.plan is not None:
                scan = scan_batch(batch, schema.plan, policy)
                parts.append(Part(batch, schema.plan, first_row))
        except UnreadableError as error:
            if alone:
                raise
            unreadable.append((batch.info.name, error))
        scans.append((scan, first_row))
        first_row += scan.rows
    return _Scanned(scans, tuple(parts), tuple(unreadable))


def _unread(files: Sequence[tuple[str, UnreadableError]], policy: Policy) -> list[Violation]:
    return [unreadable_violation(error, "file in the", (name,), policy) for name, error in files]


def unreadable_violation(
    error: UnreadableError, written_as: str, names: Sequence[str], policy: Policy
) -> Violation:
    """State that content cannot be read."""
    return Violation(
        kind=error.kind,
        expected=f"a whole {written_as} batch",
        observed=error.describe(redact=policy.redact),
        remedy=error.remedy,
        because="what cannot be read cannot be judged",
        files=tuple(names),
    )


def _too_few(rows: int, policy: Policy, by_gx: bool | None) -> tuple[Violation, ...]:
    if rows >= policy.min_rows if by_gx is None else by_gx:
        return ()
    violation = Violation(
        kind="row_count",
        expected=f"at least {counted(policy.min_rows, 'row')}",
        observed=f"{rows:,}",
        remedy="Find out why the feed ran dry, or accept such batches by policy min_rows.",
        because=f"policy min_rows: {policy.min_rows}",
        expectation={
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": policy.min_rows},
        },
        engine="polars" if by_gx is None else "gx",
    )
    return (violation,)
