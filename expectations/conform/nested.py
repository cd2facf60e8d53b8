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


def plan_cast(source: SourceColumn, target: Type, policy: Policy) -> CastPlan | Incompatible:
    """Plan the way of cells into a type of any depth."""
    match target:
        case Scalar(name):
            return _into_scalar(source, name, policy)
        case Anything():
            return CastPlan(source.expr, source.dtype)
        case Vector():
            return plan_cast(source, DOUBLES, policy)
        case Array(items):
            return _into_array(source, items, policy)
        case Object(properties):
            return into_object(source, properties, policy, plan_cast)
        case Map(values):
            return into_map(source, values, policy, plan_cast)
        case Tensor():
            plan = way_into_tensor(source, target)
            return Incompatible(plan) if isinstance(plan, str) else plan


# ----- scalars -----


def _into_scalar(
    source: SourceColumn, target: ScalarName, policy: Policy
) -> CastPlan | Incompatible:
    if source.kind == "null":
        return CastPlan(source.expr.cast(POLARS_DTYPES[target]), POLARS_DTYPES[target])
    if source.kind == "string" and source.text and target not in ("string", "binary"):
        return _parsed(source, target, policy)
    plan = cast_cells(source, target, policy)
    return Incompatible() if plan is None else plan


def _parsed(source: SourceColumn, target: ScalarName, policy: Policy) -> CastPlan:
    parsed = source.parsed or parse(source.expr, target, policy)
    masks: tuple[tuple[Kind, pl.Expr, tuple[str, str]], ...] = (
        ("unparseable", parsed.unparseable, (parsed.example, "text that is none")),
        ("out_of_range", parsed.out_of_range, (f"magnitudes that {target} has", "one beyond them")),
        (
            "not_representable",
            parsed.not_representable,
            (f"integers that {target} represents exactly", "one that it can only round"),
        ),
    )
    checks = (
        value_fault(source, target, kind, mask & source.present, words)
        for kind, mask, words in masks
    )
    value = parsed.value.cast(POLARS_DTYPES[target], strict=False)
    return CastPlan(value, POLARS_DTYPES[target], tuple(checks))


# ----- arrays -----


def _into_array(source: SourceColumn, items: Type, policy: Policy) -> CastPlan | Incompatible:
    if source.kind == "null":
        return CastPlan(source.expr, source.dtype)
    if not (is_list(source.arrow) and isinstance(source.dtype, pl.List | pl.Array)):
        return Incompatible(f"it is {source.arrow}" if not is_list(source.arrow) else "")
    inner = source.dtype.inner
    element = SourceColumn(
        source.name, pl.element(), element_type(source.arrow), instance(inner), source.text
    )
    plan = plan_cast(element, items, policy)
    if isinstance(plan, Incompatible):
        return below(plan, "an element", element)
    lists = source.expr.cast(pl.List(inner)) if isinstance(source.dtype, pl.Array) else source.expr
    own = (*_null_elements(element, items), *_stripped(element, items))
    checks = (_any_element(check, lists, "an element") for check in (*own, *plan.checks))
    return CastPlan(lists.list.eval(plan.value), pl.List(plan.dtype), tuple(checks))


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


def _any_element(check: RowCheck, lists: pl.Expr, place: str) -> RowCheck:
    failing = lists.list.eval(check.mask).list.any()
    return replace(
        check, fails=failing, observed=f"{check.observed} in {place}", ruled_out_by=_never
    )


def _never(_: object) -> bool:
    return False
