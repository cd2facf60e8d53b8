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
    from .stages import Part

_BECAUSE = "a tensor's rows have one shape"


def shape_violations(parts: Sequence[Part], accepted: int) -> tuple[Violation, ...]:
    """Judge the shapes that no single row can break.

    Args:
        parts: The files of the batch, with the ways of their rows into tensors.
        accepted: Rows that would be handed over.

    Returns:
        Batch-level violations of tensors whose first dimension is fixed, and of lists of different
        length where a dimension is open.
    """
    ways = parts[0].plan.columns if parts and parts[0].plan else ()
    tensors = [(way, way.column.type) for way in ways if isinstance(way.column.type, Tensor)]
    counted = [
        _another_count(way.column.name, tensor, accepted)
        for way, tensor in tensors
        if tensor.shape and tensor.shape[0] not in (-1, accepted)
    ]
    uneven = [
        violation
        for position, (way, tensor) in enumerate(tensors)
        for violation in _uneven(parts, position, way, tensor)
    ]
    return (*counted, *uneven)


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
    parts: Sequence[Part], position: int, way: ColumnPlan, tensor: Tensor
) -> Iterator[Violation]:
    for level, wanted in enumerate(tensor.shape[1:]):
        if wanted != -1 or not _is_list(way.dtype, level):
            continue
        shortest, longest = _lengths(parts, position, level)
        if shortest != longest:
            yield Violation(
                kind="shape_mismatch",
                column=way.column.name,
                expected=f"one length along dimension {level + 1} of {tensor}",
                observed=f"from {shortest:,} to {longest:,} elements",
                remedy="Deliver rows of one length, or pad them: no array can hold these.",
                because=_BECAUSE,
            )


def _is_list(dtype: pl.DataType, level: int) -> bool:
    for _ in range(level):
        dtype = getattr(dtype, "inner", dtype)
    return isinstance(dtype, pl.List)


def _lengths(parts: Sequence[Part], position: int, level: int) -> tuple[int, int]:
    def flattened(part: Part) -> pl.LazyFrame:
        plan = part.plan
        assert plan is not None  # noqa: S101 - parts without a plan never come here
        rows = part.batch.scan().filter(~plan.is_rejected()).select(plan.columns[position].value)
        for _ in range(level):
            rows = rows.select(pl.all().explode())
        return rows.select(pl.all().list.len().alias(ROW))

    together = pl.concat([flattened(part) for part in parts])
    low, high = collect(together.select(pl.col(ROW).min().alias("low"), pl.col(ROW).max())).row(0)
    return int(low or 0), int(high or 0)
