"""The way of cells into a type, through as many levels as the type has.

Nested cells take one form on their way: arrays are lists, objects are structs with the declared
fields, maps are lists of entries with ``key`` and ``value``. ``handing`` makes the Python objects
of them that the model receives.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.arrow_types import element_type, is_list
from ..contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from .casts import cast_cells
from .source import (
    POLARS_DTYPES,
    CastPlan,
    Incompatible,
    SourceColumn,
    below,
    instance,
    is_missing,
    structural_fault,
    value_fault,
)
from .structs import into_map, into_object
from .tensors import way_into_tensor
from .text import parse

if TYPE_CHECKING:
    from ..contract.policy import Policy
    from ..contract.types import ScalarName, Type
    from ..verdict.verdict import Kind
    from .row_check import RowCheck

DOUBLES = Array(Scalar("double"))
# Elements that become NaN and NaT where they are null; elsewhere null has no place in an array.
_NULL_ELEMENTS: tuple[ScalarName, ...] = ("double", "datetime")


def plan_cast(cells: SourceColumn, target: Type, policy: Policy) -> CastPlan | Incompatible:
    """Plan the way of cells into a type of any depth.

    Args:
        cells: What arrives.
        target: The type in which the model receives it.
        policy: Decides about text, zones and rounding.

    Returns:
        Value and faults; or the reason why there is no way.
    """
    match target:
        case Scalar(name):
            return _into_scalar(cells, name, policy)
        case Anything():
            return CastPlan(cells.expr, cells.dtype)
        case Vector():
            return plan_cast(cells, DOUBLES, policy)
        case Array(items):
            return _into_array(cells, items, policy)
        case Object(properties):
            return into_object(cells, properties, policy, plan_cast)
        case Map(values):
            return into_map(cells, values, policy, plan_cast)
        case Tensor():
            way = way_into_tensor(cells, target)
            return Incompatible(way) if isinstance(way, str) else way


# ----- scalars -----


def _into_scalar(
    cells: SourceColumn, target: ScalarName, policy: Policy
) -> CastPlan | Incompatible:
    if cells.kind == "null":
        return CastPlan(cells.expr.cast(POLARS_DTYPES[target]), POLARS_DTYPES[target])
    if cells.kind == "string" and cells.text and target not in ("string", "binary"):
        return _parsed(cells, target, policy)
    way = cast_cells(cells, target, policy)
    return Incompatible() if way is None else way


def _parsed(cells: SourceColumn, target: ScalarName, policy: Policy) -> CastPlan:
    parsed = cells.parsed or parse(cells.expr, target, policy)
    masks: tuple[tuple[Kind, pl.Expr, tuple[str, str]], ...] = (
        ("unparseable", parsed.unparseable, (parsed.example, "text that is none")),
        ("out_of_range", parsed.out_of_range, (f"magnitudes that {target} has", "one beyond them")),
        (
            "not_representable",
            parsed.not_representable,
            (f"integers that {target} represents exactly", "one that it can only round"),
        ),
    )
    faults = (
        value_fault(cells, target, kind, mask & cells.present, words) for kind, mask, words in masks
    )
    value = parsed.value.cast(POLARS_DTYPES[target], strict=False)
    return CastPlan(value, POLARS_DTYPES[target], tuple(faults))


# ----- arrays -----


def _into_array(cells: SourceColumn, items: Type, policy: Policy) -> CastPlan | Incompatible:
    if cells.kind == "null":
        return CastPlan(cells.expr, cells.dtype)
    if not (is_list(cells.arrow) and isinstance(cells.dtype, pl.List | pl.Array)):
        return Incompatible(f"it is {cells.arrow}" if not is_list(cells.arrow) else "")
    inner = cells.dtype.inner
    element = SourceColumn(
        cells.name, pl.element(), element_type(cells.arrow), instance(inner), cells.text
    )
    way = plan_cast(element, items, policy)
    if isinstance(way, Incompatible):
        return below(way, "an element", element)
    lists = cells.expr.cast(pl.List(inner)) if isinstance(cells.dtype, pl.Array) else cells.expr
    own = (*_null_elements(element, items), *_stripped(element, items))
    faults = (_any_element(fault, lists, "an element") for fault in (*own, *way.faults))
    return CastPlan(lists.list.eval(way.value), pl.List(way.dtype), tuple(faults))


def _null_elements(element: SourceColumn, items: Type) -> tuple[RowCheck, ...]:
    if isinstance(items, Anything) or (isinstance(items, Scalar) and items.name in _NULL_ELEMENTS):
        return ()
    return (structural_fault(element, is_missing(element, items), f"{items} throughout", "null"),)


def _stripped(element: SourceColumn, items: Type) -> tuple[RowCheck, ...]:
    if not isinstance(items, Scalar) or items.name not in ("string", "binary"):
        return ()
    if items.name == "string":
        failing = element.expr.cast(pl.String).str.ends_with("\0")
    else:
        failing = element.expr.cast(pl.Binary).bin.ends_with(b"\0")
    words = (f"{items} that does not end in NUL, which MLflow strips", "one that does")
    return (value_fault(element, items.name, "not_representable", failing, words),)


def _any_element(fault: RowCheck, lists: pl.Expr, place: str) -> RowCheck:
    failing = lists.list.eval(fault.mask).list.any()
    return replace(
        fault, fails=failing, observed=f"{fault.observed} in {place}", ruled_out_by=_never
    )


def _never(_: object) -> bool:
    return False
