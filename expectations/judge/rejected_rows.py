"""Rejected rows: as they arrived, each with the reasons against it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW, exact_col
from .concat import concat_rows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..conform.row_check import RowCheck
    from ..verdict.verdict import Verdict
    from .file_result import FileResult

REASONS = "_violations"


def rejected_rows(files: Sequence[FileResult], verdict: Verdict) -> pl.LazyFrame:
    """Select ``_row``, the columns as they arrived, and ``_violations`` of the bad rows of a batch.

    All rows are bad after a violation of the batch as a whole. Python objects that no one type
    could hold stand there as text.
    """
    rows = concat_rows([_rows_of(file, verdict) for file in files])
    if len(files) == 1 or all(file.plan is not None for file in files):
        return rows
    # All rows are there, and they were never counted.
    names = rows.collect_schema().names()
    return rows.drop(ROW).with_row_index(ROW).cast({ROW: pl.Int64}).select(map(exact_col, names))


def _rows_of(file: FileResult, verdict: Verdict) -> pl.LazyFrame:
    if file.plan is None or verdict.whole:
        return file.rows().select(rejected_exprs(file, None, verdict))
    bad = file.rows().filter(file.plan.is_rejected())
    return bad.select(rejected_exprs(file, file.plan, verdict))


def rejected_exprs(file: FileResult, plan: BatchPlan | None, verdict: Verdict) -> list[pl.Expr]:
    """Select from a file's bad rows what ``rejected_rows`` has."""
    arrived = (_arrived(file.batch, source) for source in file.batch.sources)
    return [pl.col(ROW), *arrived, _reasons(verdict, plan)]


def _arrived(batch: Batch, source: str) -> pl.Expr:
    cells = batch.objects.get(source)
    return cells.words if cells and cells.faults else exact_col(source)


def _reasons(verdict: Verdict, plan: BatchPlan | None) -> pl.Expr:
    reasons = [pl.lit(v.message) for v in verdict.blocking if v.level == "batch"]
    found = {(v.kind, v.column) for v in verdict.blocking}
    reasons += [
        pl.when(check.mask).then(_reason(check, plan))
        for check in (plan.row_checks if plan else ())
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
