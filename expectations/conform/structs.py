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
    cells: SourceColumn, properties: Sequence[Property], policy: Policy, into: Into
) -> CastPlan | Incompatible:
    """Plan the way of structs into an object: all required fields, and none undeclared.

    Args:
        cells: What arrives.
        properties: The object's declared fields.
        policy: Decides about text, zones and rounding.
        into: Plans the way of a field.

    Returns:
        Value and faults; or the reason why there is no way.
    """
    if cells.kind == "null":
        return CastPlan(cells.expr, cells.dtype)
    if not is_.is_struct(cells.arrow) or not isinstance(cells.dtype, pl.Struct):
        return Incompatible(f"it is {cells.arrow}" if not is_.is_struct(cells.arrow) else "")
    arrived = list(_fields(cells.arrow))
    declared = [p.name for p in properties]
    missing = [p.name for p in properties if p.required and p.name not in arrived]
    undeclared = [name for name in arrived if name not in declared]
    if missing or undeclared:
        return Incompatible(_fields_said(missing, undeclared))
    ways, faults = dict[str, CastPlan](), list[RowCheck]()
    for prop in properties:
        if prop.name not in arrived:
            continue
        field = _field(cells, prop.name)
        way = into(field, prop.type, policy)
        if isinstance(way, Incompatible):
            return below(way, f"field {prop.name!r}", field)
        ways[prop.name] = way
        own = (*_null_property(field, prop), *way.faults)
        faults += [_in_field(fault, cells, prop.name) for fault in own]
    if not ways:
        return CastPlan(cells.expr, cells.dtype)
    value = pl.struct(way.value.alias(name) for name, way in ways.items())
    dtype = pl.Struct({name: way.dtype for name, way in ways.items()})
    return CastPlan(pl.when(cells.expr.is_not_null()).then(value), dtype, tuple(faults))


def _fields_said(missing: list[str], undeclared: list[str]) -> str:
    said = [f"field {name!r} is missing" for name in missing]
    said += [f"field {name!r} is not declared" for name in undeclared]
    return ", ".join(said)


def _field(cells: SourceColumn, name: str) -> SourceColumn:
    dtypes = {f.name: instance(f.dtype) for f in cells.dtype.fields}  # pyright: ignore[reportAttributeAccessIssue]
    arrow = _fields(cells.arrow)[name]
    return SourceColumn(cells.name, cells.expr.struct.field(name), arrow, dtypes[name], cells.text)


def _null_property(field: SourceColumn, prop: Property) -> tuple[RowCheck, ...]:
    # MLflow's enforcement makes None of NaN in an optional field, of whatever type.
    if not prop.required or isinstance(prop.type, Anything):
        return ()
    missing = is_missing(field, prop.type)
    return (structural_fault(field, missing, f"a value in required field {prop.name!r}", "null"),)


def _in_field(fault: RowCheck, cells: SourceColumn, name: str) -> RowCheck:
    observed = (
        fault.observed if fault.kind == "nested_mismatch" else f"{fault.observed} in {name!r}"
    )
    failing = fault.mask & cells.expr.is_not_null()
    return replace(fault, fails=failing, observed=observed, ruled_out_by=_never)


# ----- maps -----


def into_map(
    cells: SourceColumn, values: Type, policy: Policy, into: Into
) -> CastPlan | Incompatible:
    """Plan the way of maps with text keys, or structs of one type, into a map.

    Args:
        cells: What arrives.
        values: The type of the map's values.
        policy: Decides about text, zones and rounding.
        into: Plans the way of a value.

    Returns:
        Value and faults; or the reason why there is no way.
    """
    if cells.kind == "null":
        return CastPlan(cells.expr, cells.dtype)
    if is_.is_struct(cells.arrow):
        return _struct_into_map(cells, values, policy, into)
    if not is_.is_map(cells.arrow):
        return Incompatible(f"it is {cells.arrow}")
    arrow: Any = cells.arrow
    entries, key, value = _entries(cells)
    text = SourceColumn(cells.name, pl.element().struct.field("key"), arrow.key_type, key)
    item = SourceColumn(
        cells.name, pl.element().struct.field("value"), arrow.item_type, value, cells.text
    )
    if text.kind != "string":
        return Incompatible(f"its keys are {arrow.key_type}")
    way = into(item, values, policy)
    if isinstance(way, Incompatible):
        return below(way, "a value", item)
    entry = pl.struct(text.expr.cast(pl.String).alias("key"), way.value.alias("value"))
    own = _null_values(item, values)
    faults = [_any_value(fault, entries) for fault in (*own, *way.faults)]
    keys = entries.list.eval(text.expr)
    repeated = keys.list.n_unique() != keys.list.len()
    faults.append(structural_fault(cells, repeated, "each key once", "a key that is repeated"))
    dtype = pl.Map(pl.String(), way.dtype)
    return CastPlan(entries.list.eval(entry).cast(dtype), dtype, tuple(faults))


def _entries(cells: SourceColumn) -> tuple[pl.Expr, pl.DataType, pl.DataType]:
    mapped = cast("pl.Map", cells.dtype)
    key, value = instance(mapped.key), instance(mapped.value)
    return cells.expr.cast(_entry_list(key, value)), key, value


def _entry_list(key: pl.DataType, value: pl.DataType) -> pl.DataType:
    return pl.List(pl.Struct({"key": key, "value": value}))


def _struct_into_map(
    cells: SourceColumn, values: Type, policy: Policy, into: Into
) -> CastPlan | Incompatible:
    entries, faults, dtypes = list[pl.Expr](), list[RowCheck](), list[pl.DataType]()
    for name in _fields(cells.arrow):
        field = _field(cells, name)
        way = into(field, values, policy)
        if isinstance(way, Incompatible):
            return below(way, f"field {name!r}", field)
        dtypes.append(way.dtype)
        entries.append(pl.struct(pl.lit(name).alias("key"), way.value.alias("value")))
        own = (*_null_values(field, values), *way.faults)
        faults += [_in_field(fault, cells, name) for fault in own]
    if any(dtype != dtypes[0] for dtype in dtypes):
        return Incompatible("its fields differ in type")
    inner = dtypes[0] if dtypes else pl.Null()
    mapped, none = pl.Map(pl.String(), inner), pl.lit([], _entry_list(pl.String(), inner))
    listed = pl.concat_list(entries) if entries else none
    value = pl.when(cells.expr.is_not_null()).then(listed).cast(mapped)
    return CastPlan(value, mapped, tuple(faults))


def _null_values(item: SourceColumn, values: Type) -> tuple[RowCheck, ...]:
    if isinstance(values, Anything):
        return ()
    return (structural_fault(item, is_missing(item, values), f"{values} in every value", "null"),)


# ----- shared -----


def _any_value(fault: RowCheck, entries: pl.Expr) -> RowCheck:
    failing = entries.list.eval(fault.mask).list.any()
    return replace(
        fault, fails=failing, observed=f"{fault.observed} in a value", ruled_out_by=_never
    )


def _fields(arrow: Any) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in arrow}


def _never(_: object) -> bool:
    return False
