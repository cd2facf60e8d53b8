"""Hypothesis strategies: signatures, policies, and batches that fit, nearly fit, or do not fit."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from functools import cache
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from signature_gate import Contract, Policy
from signature_gate.expectations.contract.types import (
    SCALARS,
    Anything,
    Array,
    Map,
    Object,
    Scalar,
    Type,
    Vector,
)

NAMES = ["a", "b", "c d", "naïve", "select *", "0", "<b>", "A"]


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    """All integers of a width; its bounds and those of narrower types are more frequent."""
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if signed else (0, 2**bits - 1)
    edges = {
        s * 2**p + d
        for p in (0, 7, 8, 15, 16, 24, 31, 32, 53, 63)
        for d in (-1, 0, 1)
        for s in (1, -1)
    }
    inside = sorted(e for e in {*edges, low, high} if low <= e <= high)
    return st.one_of(
        st.integers(0 if not signed else -9, 9), st.sampled_from(inside), st.integers(low, high)
    )


def floats(width: int) -> st.SearchStrategy[float]:
    """Floats of a width; whole numbers, infinities and NaN are more frequent."""
    whole = st.integers(-9, 9).map(float)
    return st.one_of(
        whole, st.sampled_from([float("nan"), float("inf"), 0.5]), st.floats(width=width)
    )  # type: ignore[arg-type]


_DAYS = st.one_of(
    st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)), st.dates(), st.just(dt.date(1677, 9, 21))
)
_TIMES = st.one_of(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)), st.datetimes())
_TEXTS = st.one_of(
    st.sampled_from(["", " ", "1", "nan", "true", "2020-01-01"]), st.text(max_size=5)
)
_DECIMALS = st.one_of(
    st.integers(-99, 99).map(Decimal),
    st.decimals(
        allow_nan=False, allow_infinity=False, places=2, min_value=-(10**20), max_value=10**20
    ),
)

# Arrow type -> the values that a batch may hold in it.
ARRIVING: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.bool_(): st.booleans(),
    **{pa.type_for_alias(f"int{b}"): integers(b, signed=True) for b in (8, 16, 32, 64)},
    **{pa.type_for_alias(f"uint{b}"): integers(b, signed=False) for b in (8, 16, 32, 64)},
    pa.float32(): floats(32),
    pa.float64(): floats(64),
    pa.decimal128(38, 2): _DECIMALS,
    pa.string(): _TEXTS,
    pa.large_string(): _TEXTS,
    pa.string_view(): _TEXTS,
    pa.dictionary(pa.int32(), pa.string()): _TEXTS,
    pa.binary(): st.binary(max_size=5),
    pa.date32(): _DAYS,
    pa.timestamp("ms"): _TIMES.map(lambda t: t.replace(microsecond=t.microsecond // 1000 * 1000)),
    pa.timestamp("us"): _TIMES,
    pa.timestamp("us", "Europe/Paris"): st.datetimes(
        dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)
    ),
    pa.time64("us"): st.times(),
    pa.duration("us"): st.timedeltas(dt.timedelta(-9), dt.timedelta(9)),
    pa.null(): st.none(),
    pa.list_(pa.int64()): st.lists(st.integers(-9, 9), max_size=2),
}

# For each MLflow type, the Arrow types that fit or nearly fit.
NEAR: dict[str, list[pa.DataType]] = {
    "boolean": [pa.bool_()],
    "integer": [pa.int32(), pa.int64(), pa.int8(), pa.uint32(), pa.float64(), pa.decimal128(38, 2)],
    "long": [pa.int64(), pa.int32(), pa.uint64(), pa.float64(), pa.float32(), pa.decimal128(38, 2)],
    "float": [pa.float32(), pa.float64(), pa.int64(), pa.uint64(), pa.int8(), pa.decimal128(38, 2)],
    "double": [
        pa.float64(),
        pa.float32(),
        pa.int64(),
        pa.uint64(),
        pa.int32(),
        pa.decimal128(38, 2),
    ],
    "string": [
        pa.string(),
        pa.large_string(),
        pa.string_view(),
        pa.dictionary(pa.int32(), pa.string()),
    ],
    "binary": [pa.binary()],
    "datetime": [
        pa.timestamp("us"),
        pa.timestamp("ms"),
        pa.date32(),
        pa.timestamp("us", "Europe/Paris"),
    ],
}


def _object(fields: dict[str, tuple[dict[str, Any], bool]]) -> dict[str, Any]:
    properties = {name: {**spec, "required": must} for name, (spec, must) in sorted(fields.items())}
    return {"type": "object", "properties": properties}


_SCALAR_SPECS = st.sampled_from(SCALARS).map(lambda name: {"type": name})
_NESTED_SPECS = st.recursive(
    st.one_of(_SCALAR_SPECS, _SCALAR_SPECS, st.just({"type": "any"})),
    lambda inner: st.one_of(
        inner.map(lambda items: {"type": "array", "items": items}),
        inner.filter(lambda v: v["type"] != "any").map(lambda v: {"type": "map", "values": v}),
        st.dictionaries(
            st.sampled_from("xyz"), st.tuples(inner, st.booleans()), min_size=1, max_size=3
        ).map(_object),
    ),
    max_leaves=4,
)


def contracts(*, nested: bool = True) -> st.SearchStrategy[Contract]:
    """Named column signatures, required and optional; with nested types if asked for."""
    kinds = st.one_of(_SCALAR_SPECS, _NESTED_SPECS) if nested else _SCALAR_SPECS
    column = st.tuples(kinds, st.booleans())
    named = st.dictionaries(st.sampled_from(NAMES), column, min_size=1, max_size=4)
    return named.map(
        lambda columns: Contract.from_signature(
            {
                "inputs": json.dumps(
                    [{**spec, "name": n, "required": must} for n, (spec, must) in columns.items()]
                )
            }
        )
    )


POLICIES = st.builds(
    Policy,
    on_mismatch=st.sampled_from(["split", "quarantine"]),
    max_rejected=st.just(1.0),
    nulls=st.sampled_from(["forbid", "allow"]),
    nan=st.sampled_from(["null", "value"]),
    timezone=st.sampled_from(["forbid", "utc"]),
    non_finite=st.sampled_from(["allow", "warn", "forbid"]),
    lossy_floats=st.sampled_from(["forbid", "allow"]),
    parse_text=st.sampled_from(["forbid", "allow"]),
    extra_columns=st.sampled_from(["warn", "ignore", "forbid"]),
    column_order=st.sampled_from(["ignore", "warn", "forbid"]),
    min_rows=st.sampled_from([0, 1]),
)


@cache
@st.composite
def arriving_types(draw: st.DrawFn, target: Type, *, exact: bool = False) -> pa.DataType:
    """Arrow types that fit or nearly fit an MLflow type."""
    match target:
        case Scalar(name):
            return NEAR[name][0] if exact else draw(st.sampled_from(NEAR[name]))
        case Anything():
            return draw(st.sampled_from(list(ARRIVING)))
        case Vector():
            return pa.list_(pa.float64())
        case Array(items):
            inner = draw(arriving_types(items, exact=exact))
            return draw(
                st.sampled_from([pa.list_(inner), pa.large_list(inner), pa.list_(inner, 2)])
            )
        case Map(values):
            inner = draw(arriving_types(values, exact=exact))
            as_struct = pa.struct([("k", inner), ("l", inner)])
            return draw(st.sampled_from([pa.map_(pa.string(), inner), as_struct]))
        case Object(properties):
            names = [p for p in properties if p.required or draw(st.booleans())]
            fields = [pa.field(p.name, draw(arriving_types(p.type, exact=exact))) for p in names]
            stray = not exact and draw(st.integers(0, 9)) == 0
            return pa.struct(fields + [pa.field("undeclared", pa.int64())] * stray)


@cache
def values_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of an Arrow type of any depth, some of them null."""
    if pa.types.is_map(kind):
        keys = st.lists(st.sampled_from("klm"), max_size=2, unique=True)
        return keys.flatmap(
            lambda ks: st.tuples(*(cells_of(kind.item_type) for _ in ks)).map(
                lambda vs: list(zip(ks, vs, strict=True))
            )
        )
    if pa.types.is_struct(kind):
        return st.fixed_dictionaries({field.name: cells_of(field.type) for field in kind})
    if pa.types.is_fixed_size_list(kind):
        return st.lists(cells_of(kind.value_type), min_size=2, max_size=2)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return st.lists(cells_of(kind.value_type), max_size=2)
    return ARRIVING[kind]


@cache
def cells_of(kind: pa.DataType) -> st.SearchStrategy[Any]:
    """Values of a type, about a tenth of them null."""
    value = values_of(kind)
    return st.integers(0, 9).flatmap(lambda n: st.none() if n == 0 else value)


@st.composite
def tables(draw: st.DrawFn, contract: Contract) -> pa.Table:
    """Batches for a contract: of the right types, of types that nearly fit, and of any types."""
    quality = draw(st.sampled_from(["fits", "nearly", "nearly", "any"]))
    rows = draw(st.integers(0, 5))
    columns: dict[str, pa.Array[Any]] = {}
    for column in contract.columns:
        stray = quality == "any" and draw(st.integers(0, 2)) == 0
        fitting = arriving_types(column.type, exact=quality == "fits")
        kind = draw(st.sampled_from(list(ARRIVING)) if stray else fitting)
        cell = cells_of(kind) if quality != "fits" and draw(st.booleans()) else values_of(kind)
        values = draw(st.lists(cell, min_size=rows, max_size=rows))
        columns[column.name] = pa.array(values, kind)
    absent = draw(st.sampled_from([None, None, *columns])) if quality == "any" else None
    kept = {name: column for name, column in columns.items() if name != absent}
    if draw(st.booleans()):
        kept["extra"] = pa.array(range(rows), pa.int64())
    order = draw(st.permutations(list(kept)))
    return pa.table({name: kept[name] for name in order} or {"extra": pa.nulls(rows)})
