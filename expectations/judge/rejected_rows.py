"""Rejected rows: as they arrived, each with the reasons against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW, exact_col
from ..readers.folder import stacked

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..conform.row_check import RowCheck
    from ..verdict.verdict import Verdict
    from .stages import Part

REASONS = "_violations"


def rejected_rows(parts: Sequence[Part], verdict: Verdict) -> pl.LazyFrame:
    """Select the bad rows of a batch.

    Args:
        parts: Its files, with the ways of their columns.
        verdict: What was found in it.

    Returns:
        ``_row``, the columns as they arrived, and ``_violations``; all rows after a violation of
        the batch as a whole. Python objects that no one type could hold stand there in words.
    """
    rows = stacked([_rows_of(part, verdict) for part in parts])
    if len(parts) == 1 or parts[0].plan is not None:
        return rows
    # All rows are there, and those of a file without a plan were never counted.
    names = rows.collect_schema().names()
    return rows.drop(ROW).with_row_index(ROW).cast({ROW: pl.Int64}).select(map(exact_col, names))


def _rows_of(part: Part, verdict: Verdict) -> pl.LazyFrame:
    arrived = [pl.col(ROW), *(_arrived(part.batch, source) for source in part.batch.sources)]
    if part.plan is None or verdict.whole:
        return part.rows().select(*arrived, _reasons(verdict, None))
    bad = part.rows().filter(part.plan.is_rejected())
    return bad.select(*arrived, _reasons(verdict, part.plan))


def _arrived(batch: Batch, source: str) -> pl.Expr:
    cells = batch.objects.get(source)
    return cells.words if cells and cells.faults else exact_col(source)


def _reasons(verdict: Verdict, plan: BatchPlan | None) -> pl.Expr:
    reasons = [pl.lit(v.message) for v in verdict.blocking if v.level == "batch"]
    found = {(v.kind, v.column) for v in verdict.blocking}
    reasons += [
        pl.when(check.mask).then(_reason(check, plan))
        for check in (plan.row_checks() if plan else ())
        if check.blocks and (check.kind, check.column) in found
    ]
    none = pl.lit([], dtype=pl.List(pl.String))
    listed = pl.concat_list(reasons).list.drop_nulls() if reasons else none
    return listed.alias(REASONS)


def _reason(check: RowCheck, plan: BatchPlan | None) -> pl.Expr:
    where = f" in {check.column!r}" if check.column else ""
    if check.rule is not None:
        return pl.lit(f"{check.because}{where}: expected {check.expected}")
    if plan and plan.record_fault and check in plan.record_checks:
        # What such a record holds stands in no column.
        return pl.concat_str(pl.lit(f"{check.kind}: "), pl.col(plan.record_fault))
    return pl.lit(f"{check.kind}{where}: {check.observed}" if where else check.kind)
