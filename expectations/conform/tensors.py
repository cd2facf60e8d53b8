"""Cells cast to rows of a tensor: every cast is exact, and every row has the right shape.

MLflow casts a frame's columns to a tensor's dtype unchecked (``1.7`` becomes ``1``, ``300`` becomes
``44`` in uint8). Here a cast must come back to the value it came from.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pyarrow as pa

from ..batch.arrow_types import element_type, is_list, source_kind
from ..contract.types import Tensor
from .cast_plan import CastPlan, Incompatible
from .row_check import RowCheck, not_null
from .source import instance

if TYPE_CHECKING:
    from .source import SourceColumn

TENSOR_DTYPES: dict[str, pl.DataType] = {
    "bool": pl.Boolean(),
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "uint8": pl.UInt8(),
    "uint16": pl.UInt16(),
    "uint32": pl.UInt32(),
    "uint64": pl.UInt64(),
    "float16": pl.Float16(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "str": pl.String(),
}
_KIND_NAMES = {"string": "str"}
_FLAT = 2


def plan_tensor(source: SourceColumn, tensor: Tensor) -> CastPlan | Incompatible:
    """Plan how cells (numbers, lists, Arrow's fixed-shape tensors) become rows of a tensor."""
    expr, shape, leaf = _unwrapped(source)
    if source.nullable and len(shape) == 1 and _is_fixed(tensor.shape):
        return _reshaped(source, tensor)
    if len(shape) != len(tensor.shape) - 1:
        return Incompatible(f"a row of it has {len(shape)} dimensions")
    lengths = zip(shape, tensor.shape[1:], strict=True)
    if any(length is not None and wanted not in (-1, length) for length, wanted in lengths):
        return Incompatible(f"a row of it has the shape {tuple(shape)}")
    dtype = _KIND_NAMES.get(source_kind(leaf), source_kind(leaf))
    if dtype not in TENSOR_DTYPES or not castable(dtype, tensor.dtype):
        return Incompatible(f"its elements are {leaf}")
    cells = replace(source, expr=expr)
    target = _nested(source.dtype, TENSOR_DTYPES[tensor.dtype])
    value = expr if target == source.dtype else expr.cast(target, strict=False)
    depth = _depth(_storage(source.dtype))
    checks = [*_null_checks(cells, depth), *_shape_checks(cells, shape, tensor)]
    if not always_exact(dtype, tensor.dtype):
        lossy = value.cast(_storage(source.dtype), strict=False).ne_missing(expr)
        checks.append(_inexact(cells, tensor, dtype, lossy & expr.is_not_null()))
    if tensor.dtype == "str":
        checks.append(_ends_in_nul(cells, depth))
    return CastPlan(value, target, tuple(checks))


def _is_fixed(shape: tuple[int, ...]) -> bool:
    return len(shape) > _FLAT and all(length > 0 for length in shape[1:])


def _reshaped(source: SourceColumn, tensor: Tensor) -> CastPlan | Incompatible:
    """Give flat lists the shape of a row, as MLflow does."""
    shape = tensor.shape[1:]
    plan = plan_tensor(source, Tensor(tensor.dtype, (-1, prod(shape))))
    if isinstance(plan, Incompatible):
        return plan
    dtype: Any = TENSOR_DTYPES[tensor.dtype]
    for length in reversed(shape):
        dtype = pl.Array(dtype, length)
    rows = plan.value.map_batches(
        partial(_reshape, shape=shape), return_dtype=dtype, is_elementwise=True
    )
    return CastPlan(rows, dtype, plan.checks)


def _reshape(cells: pl.Series, shape: tuple[int, ...]) -> pl.Series:
    size = prod(shape)
    if isinstance(cells.dtype, pl.List):
        whole = cells.list.len() == size
        rows = cells.to_frame("cell").select(pl.when(whole).then(pl.col("cell")))
        cells = rows.to_series().list.to_array(size)
    arrow: Any = cells.to_arrow()
    values = arrow.values
    for length in reversed(shape[1:]):
        values = pa.FixedSizeListArray.from_arrays(values, length)
    reshaped = pa.FixedSizeListArray.from_arrays(values, shape[0], mask=arrow.is_null())
    return pl.Series(cells.name, reshaped)


def castable(arrived: str, target: str) -> bool:
    """Whether any value of one numpy dtype can be one of another; text and booleans never are."""
    return arrived == target or not {arrived, target} & {"bool", "str"}


def always_exact(arrived: str, target: str) -> bool:
    """Whether every value of one numpy dtype is, exactly, a value of another."""
    if arrived == target:
        return True
    if "str" in (arrived, target):
        return False
    given, wanted = np.dtype(arrived), np.dtype(target)
    if wanted.kind == "f" and given.kind in "iu":
        # numpy calls int64 to float64 safe, which rounds beyond 2^53.
        return np.iinfo(given).bits <= np.finfo(wanted).nmant + 1
    return np.can_cast(given, wanted, "safe")


def _unwrapped(source: SourceColumn) -> tuple[pl.Expr, list[int | None], pa.DataType]:
    arrow: Any = source.arrow
    if getattr(arrow, "extension_name", "") == "arrow.fixed_shape_tensor":
        in_order = arrow.permutation in (None, list(range(len(arrow.shape))))
        shape = list(arrow.shape) if in_order else []
        return source.expr.ext.storage(), shape, arrow.value_type
    shape = list[int | None]()
    while is_list(arrow):
        shape.append(getattr(arrow, "list_size", None))
        arrow = element_type(arrow)
    return source.expr, shape, arrow


def _storage(dtype: pl.DataType) -> pl.DataType:
    if not isinstance(dtype, pl.BaseExtension):
        return dtype
    return instance(dtype.ext_storage())


def _nested(dtype: pl.DataType, leaf: pl.DataType) -> pl.DataType:
    dtype = _storage(dtype)
    if isinstance(dtype, pl.Array):
        return pl.Array(_nested(instance(dtype.inner), leaf), dtype.size)
    return pl.List(_nested(instance(dtype.inner), leaf)) if isinstance(dtype, pl.List) else leaf


def _levels(source: SourceColumn) -> pl.Expr:
    """Cast arrays to lists, whose operations have other names in Polars."""
    dtype = _storage(source.dtype)

    def as_list(kind: Any) -> Any:
        return pl.List(as_list(kind.inner)) if isinstance(kind, pl.Array | pl.List) else kind

    return source.expr if as_list(dtype) == dtype else source.expr.cast(as_list(dtype))


def _any_element(lists: pl.Expr, depth: int, test: Any) -> pl.Expr:
    """True in rows where a test holds for any element, ``depth`` levels down."""
    if depth == 0:
        return test(lists)
    return lists.list.eval(_any_element(pl.element(), depth - 1, test)).list.any()


def _null_checks(source: SourceColumn, depth: int) -> list[RowCheck]:
    if not source.nullable:
        return []
    lists = _levels(source)
    masks = [_any_element(lists, level, pl.Expr.is_null) for level in range(depth + 1)]
    missing = pl.any_horizontal([mask.fill_null(value=False) for mask in masks])
    check = RowCheck(
        kind="null",
        fails=missing,
        expected="a value in every element",
        observed="null",
        remedy=f"Fill {source.name!r} before delivery; floats may hold NaN instead.",
        because="a tensor cannot hold null",
        expectation=not_null(source.name),
    )
    return [check]


def _depth(dtype: Any) -> int:
    return 1 + _depth(dtype.inner) if isinstance(dtype, pl.Array | pl.List) else 0


def _shape_checks(source: SourceColumn, shape: list[int | None], tensor: Tensor) -> list[RowCheck]:
    checks, lists = list[RowCheck](), _levels(source)
    for level, (known, wanted) in enumerate(zip(shape, tensor.shape[1:], strict=True)):
        if known is not None or wanted == -1:
            continue

        def of_another_length(cell: pl.Expr, wanted: int = wanted) -> pl.Expr:
            return cell.list.len() != wanted

        failing = _any_element(lists, level, of_another_length)
        checks.append(
            RowCheck(
                kind="shape_mismatch",
                fails=failing,
                expected=f"{wanted} elements along dimension {level + 1} of {tensor}",
                observed="another number of elements",
                remedy=f"Deliver rows of {source.name!r} with the shape {tensor.shape[1:]}.",
                because="all rows of a tensor have one shape",
            )
        )
    return checks


def _inexact(source: SourceColumn, tensor: Tensor, dtype: str, lossy: pl.Expr) -> RowCheck:
    return RowCheck(
        kind="not_representable",
        fails=lossy,
        expected=f"values that {tensor.dtype} represents exactly",
        observed=f"{dtype} that it has to round or cut",
        remedy=f"Log the model again with {source.name!r} as a tensor of {dtype}.",
        because=f"{dtype} is converted to {tensor.dtype} cell by cell",
    )


def _ends_in_nul(source: SourceColumn, depth: int) -> RowCheck:
    failing = _any_element(_levels(source), depth, lambda cell: cell.str.ends_with("\0"))
    return RowCheck(
        kind="not_representable",
        fails=failing,
        expected="text that does not end in NUL",
        observed="text that ends in NUL",
        remedy=f"Strip NUL from {source.name!r} before delivery.",
        because="numpy strips NUL from the end of text",
    )
