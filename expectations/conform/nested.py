"""Cells cast to a type of any depth, one level at a time.

Nested cells take one form: arrays are lists, objects are structs of the declared fields, maps are
maps with text keys. ``model_input`` makes Python objects of them, which the model receives.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow.types as is_

from ..batch.arrow_types import element_type, is_list
from ..contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from .cast_plan import CastPlan, Incompatible, within_part
from .casts import plan_scalar
from .row_check import RowCheck, nested_check, value_check, within
from .source import SourceColumn, is_missing
from .tensors import plan_tensor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..contract.policy import Policy
    from ..contract.types import Property, ScalarName, Type

DOUBLES = Array(Scalar("double"))
# Elements that become NaN and NaT where they are null; no other array can hold null.
_NULL_ELEMENTS: tuple[ScalarName, ...] = ("double", "datetime")


def plan_cast(source: SourceColumn, target: Type, policy: Policy) -> CastPlan | Incompatible:
    """Plan how cells are cast to a type, or say why they never can be."""
    if source.kind == "null" and isinstance(target, Array | Object | Map):
        return CastPlan(source.expr, source.dtype)
    match target:
        case Scalar(name):
            return plan_scalar(source, name, policy)
        case Anything():
            return CastPlan(source.expr, source.dtype)
        case Vector():
            return plan_cast(source, DOUBLES, policy)
        case Array(items):
            return _plan_array(source, items, policy)
        case Object(properties):
            return _plan_object(source, properties, policy)
        case Map(values) if is_.is_struct(source.arrow):
            return _plan_struct_as_map(source, values, policy)
        case Map(values):
            return _plan_map(source, values, policy)
        case Tensor():
            return plan_tensor(source, target)


# ----- arrays -----


def _plan_array(source: SourceColumn, items: Type, policy: Policy) -> CastPlan | Incompatible:
    if not is_list(source.arrow):
        return Incompatible(f"it is {source.arrow}")
    if not isinstance(source.dtype, pl.List | pl.Array):
        return Incompatible()
    inner = source.dtype.inner
    element = source.part(pl.element(), element_type(source.arrow), inner)
    plan = plan_cast(element, items, policy)
    if isinstance(plan, Incompatible):
        return within_part(plan, "an element", element)
    lists = source.expr.cast(pl.List(inner)) if isinstance(source.dtype, pl.Array) else source.expr
    checks = (*_null_elements(element, items), *_ends_in_nul(element, items), *plan.checks)
    return CastPlan(
        lists.list.eval(plan.value),
        pl.List(plan.dtype),
        tuple(_in_any(check, lists, "an element") for check in checks),
    )


def _null_elements(element: SourceColumn, items: Type) -> tuple[RowCheck, ...]:
    if isinstance(items, Anything) or (isinstance(items, Scalar) and items.name in _NULL_ELEMENTS):
        return ()
    missing = is_missing(element, items)
    return (nested_check(element, missing, f"{items} in every element", "null"),)


def _ends_in_nul(element: SourceColumn, items: Type) -> tuple[RowCheck, ...]:
    if not isinstance(items, Scalar) or items.name not in ("string", "binary"):
        return ()
    # Polars casts a categorical cell to bytes only by way of its text.
    cells = element.expr.cast(pl.String) if element.kind == "string" else element.expr
    nul = cells.cast(pl.Binary).bin.ends_with(b"\0")
    words = (f"{items} that does not end in NUL, which MLflow strips", f"{items} that does")
    return (value_check(element, items.name, "not_representable", nul, words),)


# ----- objects -----


def _plan_object(
    source: SourceColumn, properties: Sequence[Property], policy: Policy
) -> CastPlan | Incompatible:
    if not is_.is_struct(source.arrow):
        return Incompatible(f"it is {source.arrow}")
    fields = _fields(source)
    if fields is None:
        return Incompatible()
    wrong = _wrong_fields(fields, properties)
    if wrong:
        return Incompatible(wrong)
    plans, checks = dict[str, CastPlan](), list[RowCheck]()
    for prop in properties:
        if prop.name not in fields:
            continue
        field = fields[prop.name]
        plan = plan_cast(field, prop.type, policy)
        if isinstance(plan, Incompatible):
            return within_part(plan, f"field {prop.name!r}", field)
        plans[prop.name] = plan
        checks += _in_field((*_null_property(field, prop), *plan.checks), source, prop.name)
    if not plans:
        return CastPlan(source.expr, source.dtype)
    value = pl.struct(plan.value.alias(name) for name, plan in plans.items())
    dtype = pl.Struct({name: plan.dtype for name, plan in plans.items()})
    return CastPlan(pl.when(source.expr.is_not_null()).then(value), dtype, tuple(checks))


def _fields(source: SourceColumn) -> dict[str, SourceColumn] | None:
    """Take a struct apart; None where Polars holds something else."""
    if not isinstance(source.dtype, pl.Struct):
        return None
    dtypes = {field.name: field.dtype for field in source.dtype.fields}
    arrow: Any = source.arrow
    return {
        field.name: source.part(
            source.expr.struct.field(field.name), field.type, dtypes[field.name]
        )
        for field in arrow
    }


def _wrong_fields(fields: dict[str, SourceColumn], properties: Sequence[Property]) -> str:
    declared = {p.name for p in properties}
    missing = [p.name for p in properties if p.required and p.name not in fields]
    words = [f"field {name!r} is missing" for name in missing]
    words += [f"field {name!r} is not declared" for name in fields if name not in declared]
    return ", ".join(words)


def _null_property(field: SourceColumn, prop: Property) -> tuple[RowCheck, ...]:
    # MLflow's enforcement makes None of NaN in an optional field, of whatever type.
    if not prop.required or isinstance(prop.type, Anything):
        return ()
    missing = is_missing(field, prop.type)
    return (nested_check(field, missing, f"a value in required field {prop.name!r}", "null"),)


def _in_field(checks: Iterable[RowCheck], source: SourceColumn, name: str) -> list[RowCheck]:
    present = source.expr.is_not_null()
    return [within(check, check.mask & present, repr(name)) for check in checks]


# ----- maps -----


def _plan_map(source: SourceColumn, values: Type, policy: Policy) -> CastPlan | Incompatible:
    if not is_.is_map(source.arrow) or not isinstance(source.dtype, pl.Map):
        return Incompatible(f"it is {source.arrow}")
    arrow: Any = source.arrow
    entry = pl.element().struct
    key = source.part(entry.field("key"), arrow.key_type, source.dtype.key)
    item = source.part(entry.field("value"), arrow.item_type, source.dtype.value)
    if key.kind != "string":
        return Incompatible(f"its keys are {arrow.key_type}")
    plan = plan_cast(item, values, policy)
    if isinstance(plan, Incompatible):
        return within_part(plan, "a value", item)
    entries = source.expr.cast(_entries_of(key.dtype, item.dtype))
    keys = entries.list.eval(key.expr)
    repeated = keys.list.n_unique() != keys.list.len()
    checks = (
        *(_in_any(check, entries, "a value") for check in _null_values(item, values)),
        *(_in_any(check, entries, "a value") for check in plan.checks),
        nested_check(source, repeated, "each key once", "a key that is repeated"),
    )
    pair = pl.struct(key.expr.cast(pl.String).alias("key"), plan.value.alias("value"))
    dtype = pl.Map(pl.String(), plan.dtype)
    return CastPlan(entries.list.eval(pair).cast(dtype), dtype, checks)


def _entries_of(key: pl.DataType, value: pl.DataType) -> pl.DataType:
    return pl.List(pl.Struct({"key": key, "value": value}))


def _plan_struct_as_map(
    source: SourceColumn, values: Type, policy: Policy
) -> CastPlan | Incompatible:
    entries, checks, dtypes = list[pl.Expr](), list[RowCheck](), list[pl.DataType]()
    for name, field in (_fields(source) or {}).items():
        plan = plan_cast(field, values, policy)
        if isinstance(plan, Incompatible):
            return within_part(plan, f"field {name!r}", field)
        dtypes.append(plan.dtype)
        entries.append(pl.struct(pl.lit(name).alias("key"), plan.value.alias("value")))
        checks += _in_field((*_null_values(field, values), *plan.checks), source, name)
    if any(dtype != dtypes[0] for dtype in dtypes):
        return Incompatible("its fields differ in type")
    inner = dtypes[0] if dtypes else pl.Null()
    dtype = pl.Map(pl.String(), inner)
    listed = pl.concat_list(entries) if entries else pl.lit([], _entries_of(pl.String(), inner))
    value = pl.when(source.expr.is_not_null()).then(listed).cast(dtype)
    return CastPlan(value, dtype, tuple(checks))


def _null_values(item: SourceColumn, values: Type) -> tuple[RowCheck, ...]:
    if isinstance(values, Anything):
        return ()
    return (nested_check(item, is_missing(item, values), f"{values} in every value", "null"),)


def _in_any(check: RowCheck, lists: pl.Expr, place: str) -> RowCheck:
    return within(check, lists.list.eval(check.mask).list.any(), place)
