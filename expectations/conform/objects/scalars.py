"""Python objects as scalars and as elements of tensors: each kind by the conversion table."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple, cast, get_args

import numpy as np
import polars as pl

from ...contract.types import Scalar, Tensor
from ...verdict.verdict import Kind
from ..cast_plan import Incompatible
from ..nested import plan_cast
from ..source import POLARS_DTYPES, SourceColumn
from ..tensors import TENSOR_DTYPES
from ..text import usual_instants
from .groups import BEYOND_CALENDAR, FINER_THAN_NANOSECONDS, TypedGroup, groups_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from ...contract.policy import Policy
    from ..cast_plan import CastPlan
    from .groups import Group, UntypedGroup

    Bits = NDArray[np.uint32]
    Values = Sequence[Any] | NDArray[Any]

_BITS: dict[Kind, int] = {kind: 1 << place for place, kind in enumerate(get_args(Kind))}
WRONG_TYPE, WRONG_INSIDE = _BITS["type_mismatch"], _BITS["nested_mismatch"]
STRUCTURAL = WRONG_TYPE | WRONG_INSIDE
_FLOATS: tuple[str, ...] = ("float", "double", "float16", "float32", "float64")
_NUMBERS: tuple[str, ...] = ("integer", "long", *_FLOATS)


def bit_of(kind: Kind) -> int:
    """Return the bit of a kind of violation."""
    return _BITS[kind]


@dataclass(frozen=True)
class ParseOptions:
    """How objects are to be understood.

    Attributes:
        policy: Decides about text, zones and rounding.
        json: Whether they come from JSON, whose datetimes are text, and whose numbers are decimal
            text, to be rounded as any reader does.
    """

    policy: Policy
    json: bool = False


class ConvertedSeries(NamedTuple):
    """Cells in the form of a type.

    Attributes:
        cells: The form; null where the object is null or has a fault.
        faults: For each cell the bits of its faults.
    """

    cells: pl.Series
    faults: Bits


def leaf_dtype(target: Scalar | Tensor) -> pl.DataType:
    """Name the Polars type of a scalar, or of an element of a tensor."""
    return POLARS_DTYPES[target.name] if isinstance(target, Scalar) else TENSOR_DTYPES[target.dtype]


def judge_leaves(values: Values, target: Scalar | Tensor, reading: ParseOptions) -> ConvertedSeries:
    """Convert objects to a scalar type, or to elements of a tensor of one dimension."""
    dtype, faults = leaf_dtype(target), np.zeros(len(values), np.uint32)
    parts, positions = [pl.Series("", [None], dtype=dtype)], [np.empty(0, np.int64)]
    for group in groups_of(values):
        judged = _of_one_kind(group, target, reading)
        faults[group.positions] = judged.faults
        parts.append(judged.cells.cast(dtype, strict=False).alias(""))
        positions.append(group.positions)
    # The null in front is what all other places take.
    places = np.zeros(len(values), np.int64)
    taken = np.concatenate(positions)
    places[taken] = np.arange(1, len(taken) + 1)
    return ConvertedSeries(pl.concat(parts).gather(pl.Series(places)), faults)


def _of_one_kind(group: Group, target: Scalar | Tensor, reading: ParseOptions) -> ConvertedSeries:
    if not isinstance(group, TypedGroup):
        return _untyped(group, target, reading)
    if reading.json and target == Scalar("datetime") and group.cells.dtype == pl.String:
        # The plan looks for faults besides, and reads each text once more for every kind of them.
        instants = pl.select(usual_instants(pl.lit(group.cells), reading.policy)).to_series()
        if not instants.null_count():
            return ConvertedSeries(instants, np.zeros(len(instants), np.uint32))
    plan = _plan(group, target, reading)
    if isinstance(plan, Incompatible):
        nan = group.cells.is_nan() if group.cells.dtype.is_float() else pl.Series([False])
        faults = np.where(nan.to_numpy(), 0, WRONG_TYPE) + np.zeros(len(group.positions))
        return ConvertedSeries(pl.Series([None] * len(faults)), faults.astype(np.uint32))
    bits = [
        pl.when(check.mask).then(pl.lit(_BITS[check.kind], pl.UInt32)).otherwise(0)
        for check in plan.checks
    ]
    any_fault = reduce(or_, bits, pl.lit(0, pl.UInt32))
    frame = group.cells.alias("cell").to_frame().select(value=plan.value, faults=any_fault)
    whole = frame.select(pl.when(pl.col("faults") == 0).then(pl.col("value"))).to_series()
    return ConvertedSeries(whole, frame["faults"].to_numpy())


def _plan(
    group: TypedGroup, target: Scalar | Tensor, reading: ParseOptions
) -> CastPlan | Incompatible:
    policy, cells = reading.policy, group.cells
    text = policy.parse_text == "allow" or (reading.json and target == Scalar("datetime"))
    if reading.json and cells.dtype.is_float():
        policy = policy.model_copy(update={"lossy_floats": "allow"})
    arrived = SourceColumn(
        "", pl.col("cell"), group.arrow, cells.dtype, text=text, base64=reading.json, nullable=False
    )
    return plan_cast(arrived, target, policy)


def _untyped(
    group: UntypedGroup, target: Scalar | Tensor, reading: ParseOptions
) -> ConvertedSeries:
    name = target.name if isinstance(target, Scalar) else target.dtype
    none = pl.Series([None] * len(group.positions), dtype=leaf_dtype(target))
    if group.kind == "wide decimal" and name in (*_NUMBERS, *TENSOR_DTYPES):
        return _wide_numbers(group, name, reading)
    instants: dict[str, Kind] = {
        BEYOND_CALENDAR: "out_of_range",
        FINER_THAN_NANOSECONDS: "not_representable",
    }
    kind: Kind = (
        instants.get(group.kind, "type_mismatch") if name == "datetime" else "type_mismatch"
    )
    return ConvertedSeries(none, np.full(len(none), _BITS[kind], np.uint32))


def _wide_numbers(group: UntypedGroup, name: str, reading: ParseOptions) -> ConvertedSeries:
    """Judge numbers of more than 38 digits, which no typed column holds."""
    judged = [_wide_number(value, name, reading.policy) for value in group.values]
    faults = [0 if isinstance(one, float) else _BITS[cast("Kind", one)] for one in judged]
    numbers = [one if isinstance(one, float) else None for one in judged]
    return ConvertedSeries(pl.Series(numbers, dtype=pl.Float64), np.array(faults, np.uint32))


def _wide_number(value: Decimal, name: str, policy: Policy) -> float | Kind:
    if name not in _FLOATS:
        return "out_of_range" if value == value.to_integral_value() else "not_representable"
    nearest = float(value) if name in ("double", "float64") else float(np.float32(value))
    if abs(nearest) == float("inf"):
        return "out_of_range"
    exact = Decimal(nearest) == value
    return nearest if exact or policy.lossy_floats == "allow" else "not_representable"
