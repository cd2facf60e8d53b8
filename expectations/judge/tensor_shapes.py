"""What must hold of a tensor as a whole: how many rows, and one length along open dimensions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW
from ..batch.query import collect
from ..contract.types import Tensor
from ..verdict.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..conform.column import ColumnPlan
    from .batch_result import BatchResult
    from .file_result import FileResult

_BECAUSE = "a tensor's rows have one shape"


def shape_violations(result: BatchResult) -> tuple[Violation, ...]:
    """Judge what no single row can break: a fixed first dimension, and one length of lists."""
    plan = result.files[0].plan if result.files else None
    columns = [(i, c, c.column.type) for i, c in enumerate(plan.columns)] if plan else []
    tensors = [(i, c, kind) for i, c, kind in columns if isinstance(kind, Tensor)]
    accepted = sum((file.row_count or 0) - file.rejected for file in result.files)
    return (
        *(
            _another_count(column.column.name, tensor, accepted)
            for _, column, tensor in tensors
            if tensor.shape and tensor.shape[0] not in (-1, accepted)
        ),
        *(
            violation
            for position, column, tensor in tensors
            for violation in _uneven(result.files, position, column, tensor)
        ),
    )


def _another_count(name: str, tensor: Tensor, accepted: int) -> Violation:
    return Violation(
        kind="shape_mismatch",
        column=name,
        expected=f"exactly {tensor.shape[0]:,} good rows for {tensor}",
        observed=f"{accepted:,}",
        remedy="Deliver batches of that size, or log the model again with -1 as first dimension.",
        because="the signature fixes the number of rows",
    )


def _uneven(
    files: Sequence[FileResult], position: int, plan: ColumnPlan, tensor: Tensor
) -> Iterator[Violation]:
    for level, wanted in enumerate(tensor.shape[1:]):
        if wanted != -1 or not _is_list(plan.dtype, level):
            continue
        shortest, longest = _lengths(files, position, level)
        if shortest != longest:
            yield Violation(
                kind="shape_mismatch",
                column=plan.column.name,
                expected=f"one length along dimension {level + 1} of {tensor}",
                observed=f"from {shortest:,} to {longest:,} elements",
                remedy="Deliver rows of one length, or pad them: no array can hold these.",
                because=_BECAUSE,
            )


def _is_list(dtype: pl.DataType, level: int) -> bool:
    for _ in range(level):
        dtype = getattr(dtype, "inner", dtype)
    return isinstance(dtype, pl.List)


def _lengths(files: Sequence[FileResult], position: int, level: int) -> tuple[int, int]:
    def flattened(file: FileResult) -> pl.LazyFrame:
        plan = file.plan
        assert plan is not None  # noqa: S101 - only batches with plans are scanned
        rows = file.batch.scan().filter(~plan.is_rejected()).select(plan.columns[position].value)
        for _ in range(level):
            rows = rows.select(pl.all().explode())
        return rows.select(pl.all().list.len().alias(ROW))

    lengths = pl.concat([flattened(file) for file in files])
    low, high = collect(lengths.select(pl.col(ROW).min().alias("low"), pl.col(ROW).max())).row(0)
    return int(low or 0), int(high or 0)
