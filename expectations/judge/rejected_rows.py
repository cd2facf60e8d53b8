"""Rejected rows: as they arrived, each with the reasons against it, from files that differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW, exact_col
from ..conform.objects.kinds import text_of

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
    return [pl.col(ROW), *arrived, reasons_of(verdict, plan)]


def _arrived(batch: Batch, source: str) -> pl.Expr:
    cells = batch.objects.get(source)
    return cells.words if cells and cells.faults else exact_col(source)


def reasons_of(verdict: Verdict, plan: BatchPlan | None) -> pl.Expr:
    """List why a row is rejected; nothing for a good one."""
    reasons = [pl.lit(v.message) for v in verdict.blocking if v.level == "batch"]
    reasons += [
        pl.when(check.mask).then(_reason(check, plan))
        for check in (plan.row_checks if plan else ())
        if is_reason(check, verdict)
    ]
    none = pl.lit([], dtype=pl.List(pl.String))
    listed = pl.concat_list(reasons).list.drop_nulls() if reasons else none
    return listed.alias(REASONS)


def is_reason(check: RowCheck, verdict: Verdict) -> bool:
    """Tell whether rows are rejected for failing a check."""
    found = ((v.kind, v.column) for v in verdict.blocking)
    return check.blocks and (check.kind, check.column) in found


def _reason(check: RowCheck, plan: BatchPlan | None) -> pl.Expr:
    if plan and plan.record_fault and check in plan.record_checks:
        # What such a record holds stands in no column.
        return pl.concat_str(pl.lit(f"{check.kind}: "), pl.col(plan.record_fault))
    return pl.lit(reason(check))


def reason(check: RowCheck) -> str:
    """Say why a row that fails a check is rejected."""
    where = f" in {check.column!r}" if check.column else ""
    if check.rule is not None:
        return f"{check.because}{where}: expected {check.expected}"
    return f"{check.kind}{where}: {check.observed}" if where else check.kind


# ----- files whose columns differ -----


def concat_rows(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Concatenate frames; columns that no common type holds unchanged become text."""
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    dtypes = dict[str, dict[pl.DataType, None]]()
    for schema in schemas:
        for name, dtype in schema.items():
            dtypes.setdefault(name, {})[dtype] = None
    incompatible = {name for name, kinds in dtypes.items() if not _have_common_type(list(kinds))}
    compatible = (
        frame.with_columns(_as_text(name) for name in schema.names() if name in incompatible)
        for frame, schema in zip(frames, schemas, strict=True)
    )
    return pl.concat(compatible, how="diagonal_relaxed")


def in_columns(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Give rows of one file the columns and types that those of all files have."""
    own = frame.select(exact_col(name) for name in schema if name in frame.columns)
    if own.schema == schema:
        return own
    return concat_rows([pl.LazyFrame(schema=schema), own.lazy()]).collect()


def _have_common_type(dtypes: Sequence[pl.DataType]) -> bool:
    if len(dtypes) == 1:
        return True
    try:
        empty = [pl.DataFrame(schema={"cell": dtype}) for dtype in dtypes]
        common = pl.concat(empty, how="vertical_relaxed").schema["cell"]
    except pl.exceptions.PolarsError:
        return False
    texts = (pl.String, pl.Categorical, pl.Enum, pl.Null)
    if common == pl.String:
        return all(isinstance(dtype, texts) for dtype in dtypes)
    return not (common.is_float() and any(dtype.is_integer() for dtype in dtypes))


def _as_text(name: str) -> pl.Expr:
    def texts(cells: pl.Series) -> pl.Series:
        return pl.Series(map(text_of, cells.to_list()), dtype=pl.String)

    return exact_col(name).map_batches(texts, return_dtype=pl.String, is_elementwise=True)
