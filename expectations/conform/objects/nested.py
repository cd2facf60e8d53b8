"""Python objects in the form that conformed cells take, and what is wrong with the others.

The form is that of ``nesting``: scalars in the model's Polars type, arrays as lists, objects as
structs of the declared fields, maps as maps. Cells that cannot take it become null and carry a
fault. Null itself is no fault here: the rules about null see it in the form.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ...contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from ..nested import DOUBLES
from ..tensors import TENSOR_DTYPES
from .kinds import is_missing, kind_of, text_of
from .scalars import (
    WRONG_INSIDE,
    WRONG_TYPE,
    ConvertedSeries,
    ParseOptions,
    judge_leaves,
    leaf_dtype,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ...contract.types import Property, Type
    from .scalars import Bits, Values


def judge_objects(values: Values, target: Type, reading: ParseOptions) -> ConvertedSeries:
    """Bring objects into the form of a type."""
    match target:
        case Scalar() | Tensor(_, (_,)):
            return judge_leaves(values, target, reading)
        case Anything():
            return ConvertedSeries(pl.Series(map(text_of, values), dtype=pl.String), _none(values))
        case Vector():
            return _lists(values, DOUBLES.items, reading)
        case Array(items):
            return _lists(values, items, reading)
        case Object(properties):
            return _records(values, properties, reading)
        case Map(item):
            return _maps(values, item, reading)
        case Tensor(dtype, shape):
            return _lists(values, Tensor(dtype, shape[1:]), reading)


def dtype_of(target: Type) -> pl.DataType:
    """Name the Polars type of the form."""
    match target:
        case Scalar() | Tensor(_, (_,)):
            return leaf_dtype(target)
        case Anything():
            return pl.String()
        case Vector():
            return pl.List(pl.Float64())
        case Array(items):
            return pl.List(dtype_of(items))
        case Object(properties):
            return pl.Struct({p.name: dtype_of(p.type) for p in properties})
        case Map(values):
            return pl.Map(pl.String(), dtype_of(values))
        case Tensor(dtype, shape):
            return pl.List(dtype_of(Tensor(dtype, shape[1:])))


def _none(values: Values) -> Bits:
    return np.zeros(len(values), np.uint32)


# ----- lists -----


def _lists(values: Values, items: Type, reading: ParseOptions) -> ConvertedSeries:
    elements = [_elements(value) for value in values]
    faults = np.array(
        [
            0 if one is not None or is_missing(value) else WRONG_INSIDE
            for one, value in zip(elements, values, strict=True)
        ],
        np.uint32,
    )
    lengths = np.array([0 if one is None else len(one) for one in elements], np.int64)
    inner = judge_objects(_together(elements), items, reading)
    faults |= _gathered(inner.faults, lengths)
    there = np.array([one is not None for one in elements], bool) & (faults == 0)
    return ConvertedSeries(_as_lists(inner.cells, lengths, there), faults)


def _elements(value: Any) -> Sequence[Any] | NDArray[Any] | None:
    kind = kind_of(value)
    if kind == "list":
        return value
    if kind != "ndarray" or value.ndim == 0:
        return None
    if isinstance(value, np.ma.MaskedArray):
        return value.tolist()
    if value.ndim == 1 and value.dtype.kind not in "mM":
        return value if _is_plain(value) else value.tolist()
    return list(value)


def _is_plain(array: NDArray[Any]) -> bool:
    return array.dtype.name in TENSOR_DTYPES and array.dtype.isnative


def _together(elements: Sequence[Sequence[Any] | NDArray[Any] | None]) -> Values:
    there = [one for one in elements if one is not None]
    dtypes = {one.dtype if isinstance(one, np.ndarray) else None for one in there}
    if len(dtypes) == 1 and None not in dtypes:
        return np.concatenate(there)
    listed = (one.tolist() if isinstance(one, np.ndarray) else one for one in there)
    return list(chain.from_iterable(listed))


def _gathered(inner: Bits, lengths: NDArray[np.int64]) -> Bits:
    """Give each row the faults of its elements; a wrong type within is a fault of nesting."""
    gathered = np.zeros(len(lengths), np.uint32)
    bad = np.flatnonzero(inner)
    if len(bad):
        rows = np.repeat(np.arange(len(lengths)), lengths)[bad]
        np.bitwise_or.at(gathered, rows, _within(inner[bad]))
    return gathered


def _within(faults: Bits) -> Bits:
    wrong_type = (faults & WRONG_TYPE) != 0
    return np.where(wrong_type, (faults & ~np.uint32(WRONG_TYPE)) | WRONG_INSIDE, faults).astype(
        np.uint32
    )


def _as_lists(cells: pl.Series, lengths: NDArray[np.int64], there: NDArray[np.bool_]) -> pl.Series:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    ends: Any = pa.array(offsets)
    made = pa.LargeListArray.from_arrays(ends, cells.to_arrow(), mask=pa.array(~there))
    return cast("pl.Series", pl.from_arrow(made)).cast(pl.List(cells.dtype))


# ----- records and maps -----


def _records(
    values: Values, properties: Sequence[Property], reading: ParseOptions
) -> ConvertedSeries:
    declared = {p.name for p in properties}
    required = {p.name for p in properties if p.required}
    faults = _none(values)
    rows = list[dict[str, Any]]()
    for i, value in enumerate(values):
        fits = isinstance(value, dict) and required <= value.keys() <= declared
        if not fits and not is_missing(value):
            faults[i] = WRONG_INSIDE
        rows.append(cast("dict[str, Any]", value) if fits else {})
    there = np.array([isinstance(value, dict) for value in values], bool)
    fields = list[pl.Series]()
    for prop in properties:
        judged = judge_objects([row.get(prop.name) for row in rows], prop.type, reading)
        faults |= _within(judged.faults)
        fields.append(judged.cells.alias(prop.name))
    return ConvertedSeries(_as_structs(fields, there & (faults == 0)), faults)


def _as_structs(fields: list[pl.Series], there: NDArray[np.bool_]) -> pl.Series:
    if not fields:
        return pl.Series([{} if one else None for one in there], dtype=pl.Struct({}))
    frame = pl.DataFrame(fields).select(cell=pl.struct(pl.all()), there=pl.Series(there))
    return frame.select(pl.when(pl.col("there")).then(pl.col("cell"))).to_series()


def _maps(values: Values, item: Type, reading: ParseOptions) -> ConvertedSeries:
    faults = _none(values)
    maps = list[dict[str, Any] | None]()
    for i, value in enumerate(values):
        fits = isinstance(value, dict) and all(kind_of(key) == "string" for key in value)
        if not fits and not is_missing(value):
            faults[i] = WRONG_INSIDE
        maps.append(cast("dict[str, Any]", value) if fits else None)
    keys, lengths = list(chain.from_iterable(m or () for m in maps)), [len(m or ()) for m in maps]
    inner = judge_objects([v for m in maps if m for v in m.values()], item, reading)
    named = judge_objects(keys, Scalar("string"), reading)
    for found in (inner.faults, named.faults):
        faults |= _gathered(found, np.array(lengths, np.int64))
    there = np.array([m is not None for m in maps], bool) & (faults == 0)
    return ConvertedSeries(_as_maps(named.cells, inner.cells, lengths, there), faults)


def _as_maps(
    keys: pl.Series, items: pl.Series, lengths: Sequence[int], there: NDArray[np.bool_]
) -> pl.Series:
    # A cell with a broken key is null as a whole, but Arrow still wants a key in each entry.
    entries = pl.DataFrame([keys.fill_null("").alias("key"), items.alias("value")]).to_struct()
    listed = _as_lists(entries, np.array(lengths, np.int64), there)
    return listed.cast(pl.Map(pl.String(), items.dtype))
