"""Python objects in the form that conformed cells take, and what is wrong with the others.

The form is that of ``nesting``: scalars in the model's Polars type, arrays as lists, objects as
structs of the declared fields, maps as maps. Cells that cannot take it become null and carry a
fault. Null itself is no fault here: the rules about null see it in the form.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

import numpy as np
import polars as pl
import pyarrow as pa

from .cells import POLARS_DTYPES, Cells, NoWay
from .nesting import DOUBLES, way_into
from .objects import (
    BEYOND_CALENDAR,
    FINER_THAN_NANOSECONDS,
    Group,
    groups_of,
    is_missing,
    kind_of,
    text_of,
)
from .tensors import TENSOR_DTYPES
from .types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from .verdict import Kind

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from .cells import Way
    from .policy import Policy
    from .types import Property, Type

    Bits = NDArray[np.uint32]
    Values = Sequence[Any] | NDArray[Any]

_BITS: dict[Kind, int] = {kind: 1 << place for place, kind in enumerate(get_args(Kind))}
_WRONG_TYPE, _WRONG_INSIDE = _BITS["type_mismatch"], _BITS["nested_mismatch"]
STRUCTURAL = _WRONG_TYPE | _WRONG_INSIDE
_FLOATS: tuple[str, ...] = ("float", "double", "float16", "float32", "float64")
_NUMBERS: tuple[str, ...] = ("integer", "long", *_FLOATS)


def bit_of(kind: Kind) -> int:
    """Return the bit that stands for a kind of fault."""
    return _BITS[kind]


@dataclass(frozen=True)
class Reading:
    """How objects are to be understood.

    Attributes:
        policy: Decides about text, zones and rounding.
        json: Whether they come from JSON, whose datetimes are text, and whose numbers are decimal
            text, to be rounded as any reader does.
    """

    policy: Policy
    json: bool = False


class Judged(NamedTuple):
    """Cells in the form of a type.

    Attributes:
        cells: The form; null where the object is null or has a fault.
        faults: For each cell the bits of its faults.
    """

    cells: pl.Series
    faults: Bits


def judge_objects(values: Values, target: Type, reading: Reading) -> Judged:
    """Bring objects into the form of a type.

    Args:
        values: The objects.
        target: The type in which the model receives them.
        reading: How to understand them.

    Returns:
        The form, and the faults of the cells that have no place in it.
    """
    match target:
        case Scalar():
            return _leaves(values, target, reading)
        case Anything():
            return Judged(pl.Series(map(text_of, values), dtype=pl.String), _none(values))
        case Vector():
            return _lists(values, DOUBLES.items, reading)
        case Array(items):
            return _lists(values, items, reading)
        case Object(properties):
            return _records(values, properties, reading)
        case Map(item):
            return _maps(values, item, reading)
        case Tensor(_, (_,)):
            return _leaves(values, target, reading)
        case Tensor(dtype, shape):
            return _lists(values, Tensor(dtype, shape[1:]), reading)


def dtype_of(target: Type) -> pl.DataType:
    """Name the Polars type of the form."""
    match target:
        case Scalar(name):
            return POLARS_DTYPES[name]
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
        case Tensor(dtype, (_,)):
            return TENSOR_DTYPES[dtype]
        case Tensor(dtype, shape):
            return pl.List(dtype_of(Tensor(dtype, shape[1:])))


def _none(values: Values) -> Bits:
    return np.zeros(len(values), np.uint32)


# ----- scalars, and the elements of tensors -----


def _leaves(values: Values, target: Scalar | Tensor, reading: Reading) -> Judged:
    dtype, faults = dtype_of(target), _none(values)
    parts, positions = [pl.Series("", [None], dtype=dtype)], [np.empty(0, np.int64)]
    for group in groups_of(values):
        cells, found = _of_one_kind(group, target, reading)
        faults[group.positions] = found
        parts.append(cells.cast(dtype, strict=False).alias(""))
        positions.append(group.positions)
    # The null in front is what all other places take.
    places = np.zeros(len(values), np.int64)
    taken = np.concatenate(positions)
    places[taken] = np.arange(1, len(taken) + 1)
    return Judged(pl.concat(parts).gather(pl.Series(places)), faults)


def _of_one_kind(group: Group, target: Scalar | Tensor, reading: Reading) -> Judged:
    if group.cells is None:
        return _without_cells(group, target, reading)
    way = _way(group, target, reading)
    if isinstance(way, NoWay):
        nan = group.cells.is_nan() if group.cells.dtype.is_float() else pl.Series([False])
        faults = np.where(nan.to_numpy(), 0, _WRONG_TYPE) + np.zeros(len(group.positions))
        return Judged(pl.Series([None] * len(faults)), faults.astype(np.uint32))
    bits = [
        pl.when(fault.mask).then(pl.lit(_BITS[fault.kind], pl.UInt32)).otherwise(0)
        for fault in way.faults
    ]
    found = pl.lit(0, pl.UInt32) if not bits else bits[0]
    for more in bits[1:]:
        found |= more
    frame = group.cells.alias("cell").to_frame().select(value=way.value, faults=found)
    whole = frame.select(pl.when(pl.col("faults") == 0).then(pl.col("value"))).to_series()
    return Judged(whole, frame["faults"].to_numpy())


def _way(group: Group, target: Scalar | Tensor, reading: Reading) -> Way | NoWay:
    policy, cells = reading.policy, cast("pl.Series", group.cells)
    arrow = cast("pa.DataType", group.arrow)
    text = policy.parse_text == "allow" or (reading.json and target == Scalar("datetime"))
    if reading.json and cells.dtype.is_float():
        policy = policy.model_copy(update={"lossy_floats": "allow"})
    arrived = Cells("", pl.col("cell"), arrow, cells.dtype, text=text, nullable=False)
    return way_into(arrived, target, policy)


def _without_cells(group: Group, target: Scalar | Tensor, reading: Reading) -> Judged:
    name = target.name if isinstance(target, Scalar) else target.dtype
    none = pl.Series([None] * len(group.positions), dtype=dtype_of(target))
    if group.kind == "wide decimal" and name in (*_NUMBERS, *TENSOR_DTYPES):
        return _wide_numbers(group, name, reading)
    instants: dict[str, Kind] = {
        BEYOND_CALENDAR: "out_of_range",
        FINER_THAN_NANOSECONDS: "not_representable",
    }
    kind: Kind = (
        instants.get(group.kind, "type_mismatch") if name == "datetime" else "type_mismatch"
    )
    return Judged(none, np.full(len(none), _BITS[kind], np.uint32))


def _wide_numbers(group: Group, name: str, reading: Reading) -> Judged:
    """Judge numbers of more than 38 digits, which no typed column holds."""
    judged = [_wide_number(value, name, reading.policy) for value in group.values]
    faults = [0 if isinstance(one, float) else _BITS[one] for one in judged]
    numbers = [one if isinstance(one, float) else None for one in judged]
    return Judged(pl.Series(numbers, dtype=pl.Float64), np.array(faults, np.uint32))


def _wide_number(value: Decimal, name: str, policy: Policy) -> float | Kind:
    if name not in _FLOATS:
        return "out_of_range" if value == value.to_integral_value() else "not_representable"
    nearest = float(value) if name in ("double", "float64") else float(np.float32(value))
    if abs(nearest) == float("inf"):
        return "out_of_range"
    exact = Decimal(nearest) == value
    return nearest if exact or policy.lossy_floats == "allow" else "not_representable"


# ----- lists -----


def _lists(values: Values, items: Type, reading: Reading) -> Judged:
    elements = [_elements(value) for value in values]
    faults = np.array(
        [
            0 if one is not None or is_missing(value) else _WRONG_INSIDE
            for one, value in zip(elements, values, strict=True)
        ],
        np.uint32,
    )
    lengths = np.array([0 if one is None else len(one) for one in elements], np.int64)
    inner = judge_objects(_together(elements), items, reading)
    faults |= _gathered(inner.faults, lengths)
    there = np.array([one is not None for one in elements], bool) & (faults == 0)
    return Judged(_as_lists(inner.cells, lengths, there), faults)


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
    wrong_type = (faults & _WRONG_TYPE) != 0
    return np.where(wrong_type, (faults & ~np.uint32(_WRONG_TYPE)) | _WRONG_INSIDE, faults).astype(
        np.uint32
    )


def _as_lists(cells: pl.Series, lengths: NDArray[np.int64], there: NDArray[np.bool_]) -> pl.Series:
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    made = pa.LargeListArray.from_arrays(offsets, cells.to_arrow(), mask=pa.array(~there))
    return cast("pl.Series", pl.from_arrow(made)).cast(pl.List(cells.dtype))


# ----- records and maps -----


def _records(values: Values, properties: Sequence[Property], reading: Reading) -> Judged:
    declared = {p.name for p in properties}
    required = {p.name for p in properties if p.required}
    faults = _none(values)
    rows = list[dict[str, Any]]()
    for i, value in enumerate(values):
        fits = isinstance(value, dict) and required <= value.keys() <= declared
        if not fits and not is_missing(value):
            faults[i] = _WRONG_INSIDE
        rows.append(cast("dict[str, Any]", value) if fits else {})
    there = np.array([isinstance(value, dict) for value in values], bool)
    fields = list[pl.Series]()
    for prop in properties:
        judged = judge_objects([row.get(prop.name) for row in rows], prop.type, reading)
        faults |= _within(judged.faults)
        fields.append(judged.cells.alias(prop.name))
    return Judged(_as_structs(fields, there & (faults == 0)), faults)


def _as_structs(fields: list[pl.Series], there: NDArray[np.bool_]) -> pl.Series:
    if not fields:
        return pl.Series([{} if one else None for one in there], dtype=pl.Struct({}))
    frame = pl.DataFrame(fields).select(cell=pl.struct(pl.all()), there=pl.Series(there))
    return frame.select(pl.when(pl.col("there")).then(pl.col("cell"))).to_series()


def _maps(values: Values, item: Type, reading: Reading) -> Judged:
    faults = _none(values)
    maps = list[dict[str, Any] | None]()
    for i, value in enumerate(values):
        fits = isinstance(value, dict) and all(kind_of(key) == "string" for key in value)
        if not fits and not is_missing(value):
            faults[i] = _WRONG_INSIDE
        maps.append(cast("dict[str, Any]", value) if fits else None)
    keys, lengths = list(chain.from_iterable(m or () for m in maps)), [len(m or ()) for m in maps]
    inner = judge_objects([v for m in maps if m for v in m.values()], item, reading)
    named = judge_objects(keys, Scalar("string"), reading)
    for found in (inner.faults, named.faults):
        faults |= _gathered(found, np.array(lengths, np.int64))
    there = np.array([m is not None for m in maps], bool) & (faults == 0)
    return Judged(_as_maps(named.cells, inner.cells, lengths, there), faults)


def _as_maps(
    keys: pl.Series, items: pl.Series, lengths: Sequence[int], there: NDArray[np.bool_]
) -> pl.Series:
    # A cell with a broken key is null as a whole, but Arrow still wants a key in each entry.
    entries = pl.DataFrame([keys.fill_null("").alias("key"), items.alias("value")]).to_struct()
    listed = _as_lists(entries, np.array(lengths, np.int64), there)
    return listed.cast(pl.Map(pl.String(), items.dtype))
