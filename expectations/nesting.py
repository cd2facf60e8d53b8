"""The way of cells into a type, through as many levels as the type has.

Nested cells take one form on their way: arrays are lists, objects are structs with the declared
fields, maps are lists of entries with ``key`` and ``value``. ``handing`` makes the Python objects
of them that the model receives.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow.types as is_

from .arrivals import element_type, is_list
from .casting import POLARS_DTYPES, Cells, Way, cast_cells, value_fault
from .faults import Fault
from .parsing import parse
from .tensors import way_into_tensor
from .types import NEVER_NULL, Anything, Array, Map, Object, Property, Scalar, Tensor, Vector

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from .policy import Policy
    from .types import ScalarName, Type
    from .verdict import Kind

DOUBLES = Array(Scalar("double"))
# Elements that become NaN and NaT where they are null; elsewhere null has no place in an array.
_NULL_ELEMENTS: tuple[ScalarName, ...] = ("double", "datetime")


@dataclass(frozen=True)
class NoWay:
    """Why an arriving type never conforms.

    Attributes:
        where: The place within a nested type, and what is wrong there; empty at the top.
    """

    where: str = ""


def way_into(cells: Cells, target: Type, policy: Policy) -> Way | NoWay:
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
            return Way(cells.expr, cells.dtype)
        case Vector():
            return way_into(cells, DOUBLES, policy)
        case Array(items):
            return _into_array(cells, items, policy)
        case Object(properties):
            return _into_object(cells, properties, policy)
        case Map(values):
            return _into_map(cells, values, policy)
        case Tensor():
            way = way_into_tensor(cells, target)
            return NoWay(way) if isinstance(way, str) else way


# ----- scalars -----


def _into_scalar(cells: Cells, target: ScalarName, policy: Policy) -> Way | NoWay:
    if cells.kind == "null":
        return Way(cells.expr.cast(POLARS_DTYPES[target]), POLARS_DTYPES[target])
    if cells.kind == "string" and cells.text and target not in ("string", "binary"):
        return _parsed(cells, target, policy)
    way = cast_cells(cells, target, policy)
    return NoWay() if way is None else way


def _parsed(cells: Cells, target: ScalarName, policy: Policy) -> Way:
    parsed = parse(cells.expr, target, policy)
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
    return Way(value, POLARS_DTYPES[target], tuple(faults))


# ----- arrays -----


def _into_array(cells: Cells, items: Type, policy: Policy) -> Way | NoWay:
    if cells.kind == "null":
        return Way(cells.expr, cells.dtype)
    if not (is_list(cells.arrow) and isinstance(cells.dtype, pl.List | pl.Array)):
        return NoWay(f"it is {cells.arrow}" if not is_list(cells.arrow) else "")
    inner = cells.dtype.inner
    element = Cells(
        cells.name, pl.element(), element_type(cells.arrow), _instance(inner), cells.text
    )
    way = way_into(element, items, policy)
    if isinstance(way, NoWay):
        return _below(way, "an element", element)
    lists = cells.expr.cast(pl.List(inner)) if isinstance(cells.dtype, pl.Array) else cells.expr
    own = (*_null_elements(element, items), *_stripped(element, items))
    faults = (_any_element(fault, lists, "an element") for fault in (*own, *way.faults))
    return Way(lists.list.eval(way.value), pl.List(way.dtype), tuple(faults))


def _null_elements(element: Cells, items: Type) -> tuple[Fault, ...]:
    if isinstance(items, Anything) or (isinstance(items, Scalar) and items.name in _NULL_ELEMENTS):
        return ()
    return (_structural(element, _is_missing(element, items), f"{items} throughout", "null"),)


def _stripped(element: Cells, items: Type) -> tuple[Fault, ...]:
    if not isinstance(items, Scalar) or items.name not in ("string", "binary"):
        return ()
    if items.name == "string":
        failing = element.expr.cast(pl.String).str.ends_with("\0")
    else:
        failing = element.expr.cast(pl.Binary).bin.ends_with(b"\0")
    words = (f"{items} that does not end in NUL, which MLflow strips", "one that does")
    return (value_fault(element, items.name, "not_representable", failing, words),)


def _any_element(fault: Fault, lists: pl.Expr, place: str) -> Fault:
    failing = lists.list.eval(fault.mask).list.any()
    return replace(fault, failing=failing, observed=f"{fault.observed} in {place}", absent=_never)


# ----- objects -----


def _into_object(cells: Cells, properties: Sequence[Property], policy: Policy) -> Way | NoWay:
    if cells.kind == "null":
        return Way(cells.expr, cells.dtype)
    if not is_.is_struct(cells.arrow) or not isinstance(cells.dtype, pl.Struct):
        return NoWay(f"it is {cells.arrow}" if not is_.is_struct(cells.arrow) else "")
    arrived = list(_fields(cells.arrow))
    declared = [p.name for p in properties]
    missing = [p.name for p in properties if p.required and p.name not in arrived]
    undeclared = [name for name in arrived if name not in declared]
    if missing or undeclared:
        return NoWay(_fields_said(missing, undeclared))
    ways, faults = dict[str, Way](), list[Fault]()
    for prop in properties:
        if prop.name not in arrived:
            continue
        field = _field(cells, prop.name)
        way = way_into(field, prop.type, policy)
        if isinstance(way, NoWay):
            return _below(way, f"field {prop.name!r}", field)
        ways[prop.name] = way
        own = (*_null_property(field, prop), *way.faults)
        faults += [_in_field(fault, cells, prop.name) for fault in own]
    if not ways:
        return Way(cells.expr, cells.dtype)
    value = pl.struct(way.value.alias(name) for name, way in ways.items())
    dtype = pl.Struct({name: way.dtype for name, way in ways.items()})
    return Way(pl.when(cells.expr.is_not_null()).then(value), dtype, tuple(faults))


def _fields_said(missing: list[str], undeclared: list[str]) -> str:
    said = [f"field {name!r} is missing" for name in missing]
    said += [f"field {name!r} is not declared" for name in undeclared]
    return ", ".join(said)


def _field(cells: Cells, name: str) -> Cells:
    dtypes = {f.name: _instance(f.dtype) for f in cells.dtype.fields}  # pyright: ignore[reportAttributeAccessIssue]
    arrow = _fields(cells.arrow)[name]
    return Cells(cells.name, cells.expr.struct.field(name), arrow, dtypes[name], cells.text)


def _null_property(field: Cells, prop: Property) -> tuple[Fault, ...]:
    target = prop.type
    may_be_null = not prop.required or isinstance(target, Anything)
    never = isinstance(target, Scalar) and target.name in NEVER_NULL
    nan_in_integer = never and field.kind.startswith("float")
    if may_be_null and not nan_in_integer:
        return ()
    missing = field.expr.is_nan() if may_be_null else _is_missing(field, target)
    return (_structural(field, missing, f"a value in required field {prop.name!r}", "null"),)


def _in_field(fault: Fault, cells: Cells, name: str) -> Fault:
    observed = (
        fault.observed if fault.kind == "nested_mismatch" else f"{fault.observed} in {name!r}"
    )
    failing = fault.mask & cells.expr.is_not_null()
    return replace(fault, failing=failing, observed=observed, absent=_never)


# ----- maps -----


def _into_map(cells: Cells, values: Type, policy: Policy) -> Way | NoWay:
    if cells.kind == "null":
        return Way(cells.expr, cells.dtype)
    if is_.is_struct(cells.arrow):
        return _struct_into_map(cells, values, policy)
    if not is_.is_map(cells.arrow):
        return NoWay(f"it is {cells.arrow}")
    arrow: Any = cells.arrow
    entries, key, value = _entries(cells)
    text = Cells(cells.name, pl.element().struct.field("key"), arrow.key_type, key)
    item = Cells(cells.name, pl.element().struct.field("value"), arrow.item_type, value, cells.text)
    if text.kind != "string":
        return NoWay(f"its keys are {arrow.key_type}")
    way = way_into(item, values, policy)
    if isinstance(way, NoWay):
        return _below(way, "a value", item)
    entry = pl.struct(text.expr.cast(pl.String).alias("key"), way.value.alias("value"))
    own = _null_values(item, values)
    faults = [_any_element(fault, entries, "a value") for fault in (*own, *way.faults)]
    keys = entries.list.eval(text.expr)
    repeated = keys.list.n_unique() != keys.list.len()
    faults.append(_structural(cells, repeated, "each key once", "a key that is repeated"))
    dtype = pl.Map(pl.String(), way.dtype)
    return Way(entries.list.eval(entry).cast(dtype), dtype, tuple(faults))


def _entries(cells: Cells) -> tuple[pl.Expr, pl.DataType, pl.DataType]:
    mapped = cast("pl.Map", cells.dtype)
    key, value = _instance(mapped.key), _instance(mapped.value)
    return cells.expr.cast(_entry_list(key, value)), key, value


def _entry_list(key: pl.DataType, value: pl.DataType) -> pl.DataType:
    return pl.List(pl.Struct({"key": key, "value": value}))


def _struct_into_map(cells: Cells, values: Type, policy: Policy) -> Way | NoWay:
    entries, faults, dtypes = list[pl.Expr](), list[Fault](), list[pl.DataType]()
    for name in _fields(cells.arrow):
        field = _field(cells, name)
        way = way_into(field, values, policy)
        if isinstance(way, NoWay):
            return _below(way, f"field {name!r}", field)
        dtypes.append(way.dtype)
        entries.append(pl.struct(pl.lit(name).alias("key"), way.value.alias("value")))
        own = (*_null_values(field, values), *way.faults)
        faults += [_in_field(fault, cells, name) for fault in own]
    if any(dtype != dtypes[0] for dtype in dtypes):
        return NoWay("its fields differ in type")
    inner = dtypes[0] if dtypes else pl.Null()
    mapped, none = pl.Map(pl.String(), inner), pl.lit([], _entry_list(pl.String(), inner))
    listed = pl.concat_list(entries) if entries else none
    value = pl.when(cells.expr.is_not_null()).then(listed).cast(mapped)
    return Way(value, mapped, tuple(faults))


def _null_values(item: Cells, values: Type) -> tuple[Fault, ...]:
    if isinstance(values, Anything):
        return ()
    return (_structural(item, _is_missing(item, values), f"{values} in every value", "null"),)


# ----- shared -----


def _fields(arrow: Any) -> dict[str, pa.DataType]:
    return {field.name: field.type for field in arrow}


def _is_missing(cells: Cells, target: Type) -> pl.Expr:
    null = cells.expr.is_null()
    never = isinstance(target, Scalar) and target.name in NEVER_NULL
    return null | cells.expr.is_nan() if never and cells.kind.startswith("float") else null


def _structural(cells: Cells, failing: pl.Expr, expected: str, observed: str) -> Fault:
    return Fault(
        kind="nested_mismatch",
        failing=failing,
        expected=expected,
        observed=observed,
        remedy=f"Fill or leave out such parts of {cells.name!r} before delivery.",
        because="MLflow has no place for it within a nested value",
    )


def _below(way: NoWay, place: str, cells: Cells) -> NoWay:
    return NoWay(f"{place} is {cells.arrow}" if not way.where else f"in {place} {way.where}")


def _instance(dtype: object) -> pl.DataType:
    return dtype() if isinstance(dtype, type) else dtype  # pyright: ignore[reportReturnType]


def _never(_: object) -> bool:
    return False
