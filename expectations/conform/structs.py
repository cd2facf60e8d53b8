"""The way of structs and maps into objects and maps, one level at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow.types as is_

from ..contract.types import Anything
from .row_check import RowCheck
from .source import (
    CastPlan,
    Incompatible,
    SourceColumn,
    below,
    instance,
    is_missing,
    structural_fault,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from ..contract.policy import Policy
    from ..contract.types import Property, Type

# How cells of one level find their way; the levels below them are its business too.
Into = Callable[["SourceColumn", "Type", "Policy"], "CastPlan | Incompatible"]

# ----- objects -----


def into_object(
    source: SourceColumn, properties: Sequence[Property], policy: Policy, into: Into
) -> CastPlan | Incompatible:
    """Plan the way of structs into an object: all required fields, and none undeclared."""
    if source.kind == "null":
        return CastPlan(source.expr, source.dtype)
    if not is_.is_struct(source.arrow) or not isinstance(source.dtype, pl.Struct):
        return Incompatible(f"it is {source.arrow}" if not is_.is_struct(source.arrow) else "")
    arrived = list(_fields(source.arrow))
    declared = [p.name for p in properties]
    missing = [p.name for p in properties if p.required and p.name not in arrived]
    undeclared = [name for name in arrived if name not in declared]
    if missing or undeclared:
        return Incompatible(_fields_said(missing, undeclared))
    plans, checks = dict[str, CastPlan](), list[RowCheck]()
    for prop in properties:
        if prop.name not in arrived:
            continue
        field = _field(source, prop.name)
        plan = into(field, prop.type, policy)
        if isinstance(plan, Incompatible):
            return below(plan, f"field {prop.name!r}", field)
        plans[prop.name] = plan
        own = (*_null_property(field, prop), *plan.checks)
        checks += [_in_field(check, source, prop.name) for check in own]
    if not plans:
        return CastPlan(source.expr, source.dtype)
    value = pl.struct(plan.value.alias(name) for name, plan in plans.items())
    dtype = pl.Struct({name: plan.dtype for name, plan in plans.items()})
    return CastPlan(pl.when(source.expr.is_not_null()).then(value), dtype, tuple(checks))


def _fields_said(missing: list[str], undeclared: list[str]) -> str:
    said = [f"field {name!r} is missing" for name in missing]
    said += [f"field {name!r} is not declared" for name in undeclared]
    return ", ".join(said)


def _field(source: SourceColumn, name: str) -> SourceColumn:
    dtypes = {f.name: instance(f.dtype) for f in source.dtype.fields}  # pyright: ignore[reportAttributeAccessIssue]
    arrow = _fields(source.arrow)[name]
    return SourceColumn(
        source.name, source.expr.struct.field(name), arrow, dtypes[name], source.text
    )


def _null_property(field: SourceColumn, prop: Property) -> tuple[RowCheck, ...]:
    # MLflow's enforcement makes None of NaN in an optional field, of whatever type.
    if not prop.required or isinstance(prop.type, Anything):
        return ()
    missing = is_missing(field, prop.type)
    return (structural_fault(field, missing, f"a value in required field {prop.name!r}", "null"),)


def _in_field(check: RowCheck, source: SourceColumn, name: str) -> RowCheck:
    observed = (
        check.observed if check.kind == "nested_mismatch" else f"{check.observed} in {name!r}"
    )
    failing = check.mask & source.expr.is_not_null()
    return replace(check, fails=failing, observed=observed, ruled_out_by=_never)


# ----- maps -----


def into_map(
    source: SourceColumn, values: Type, policy: Policy, into: Into
) -> CastPlan | Incompatible:
    """Plan the way of maps with text keys, or structs of one type, into a map."""
    if source.kind == "null":
        return CastPlan(source.expr, source.dtype)
    if is_.is_struct(source.arrow):
        return _struct_into_map(source, values, policy, into)
    if not is_.is_map(source.arrow):
        return Incompatible(f"it is {source.arrow}")
    arrow: Any = source.arrow
    entries, key, value = _entries(source)
    text = SourceColumn(source.name, pl.element().struct.field("key"), arrow.key_type, key)
    item = SourceColumn(
        source.name, pl.element().struct.field("value"), arrow.item_type, value, source.text
    )
    if text.kind != "string":
        return Incompatible(f"its keys are {arrow.key_type}")
    plan = into(item, values, policy)
    if isinstance(plan, Incompatible):
        return below(plan, "a value", item)
    entry = pl.struct(text.expr.cast(pl.String).alias("key"), plan.value.alias("value"))
    own = _null_values(item, values)
    checks = [_any_value(check, entries) for check in (*own, *plan.checks)]
    keys = entries.list.eval(text.expr)
    repeated = keys.list.n_unique() != keys.list.len()
    checks.append(structural_fault(source, repeated, "each key once", "a key that is repeated"))
    dtype = pl.Map(pl.String(), plan.dtype)
    return CastPlan(entries.list.eval(entry).cast(dtype), dtype, tuple(checks))


def _entries(source: SourceColumn) -> tuple[pl.Expr, pl.DataType, pl.DataType]:
    mapped = cast("pl.Map", source.dtype)
    key, value = instance(mapped.key), instance(mapped.value)
    return source.expr.cast(_entry_list(key, value)), key, value


def _entry_list(key: pl.DataType, value: pl.DataType) -> pl.DataType:
    return pl.List(pl.Struct({"key": key, "value": value}))


def _struct_into_map(
    source: SourceColumn, values: Type, policy: Policy, into: Into
) -> CastPlan | Incompatible:
    entries, checks, dtypes = list[pl.Expr](), list[RowCheck](), list[pl.DataType]()
    for name in _fields(source.arrow):
        field = _field(source, name)
        plan = into(field, values, policy)
        if isinstance(plan, Incompatible):
            return below(plan, f"field {name!r}", field)
        dtypes.append(plan.dtype)
        entries.append(pl.struct(pl.lit(name).alias("key"), plan.value.alias("value")))
        own = (*_null_values(field, values), *plan.checks)
        checks += [_in_field(check, source, name) for check in own]
    if any(dtype != dtypes[0] for dtype in dtypes):
        return Incompatible("its fields differ in type")
    inner = dtypes[0] if dtypes else pl.Null()
    mapped, none = pl.Map(pl.String(), inner), pl.lit([], _entry_list(pl.String(), inner))
    listed = pl.concat_list(entries) if entries else none
    value = pl.when(source.expr.is_not_null()).then(listed).cast(mapped)
    return CastPlan(value, mapped, tuple(checks))


def _null_values(item: SourceColumn, values: Type) -> tuple[RowCheck, ...]:
    if isinstance(values, Anything):
        return ()
    return (structural_fault(item, is_missing(item, values), f"{values} in every value", "null"),)


# ----- shared -----


def _any_value(check: RowCheck, entries: pl.Expr) -> RowCheck:
    failing = entries.list.eval(check.mask).list.any()
    return replace(
        check, fails=failing, observed=f"{check.observed} in a value", ruled_out_by=_never
    )


def _fields(arrow: Any) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in arrow}


def _never(_: object) -> bool:
    return False
