"""Hypothesis strategies: signatures, policies, and batches that fit, nearly fit, and do not."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from signature_gate import Contract, Policy
from signature_gate.expectations.types import SCALARS

NAMES = ["a", "b", "c d", "naïve", "select *", "0", "<b>", "A"]


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    """All integers of a width, the edges and the edges of narrower types more often."""
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
    """Floats of a width: whole ones, the infinities and NaN more often."""
    whole = st.integers(-9, 9).map(float)
    return st.one_of(
        whole, st.sampled_from([float("nan"), float("inf"), 0.5]), st.floats(width=width)
    )  # type: ignore[arg-type]


_DAYS = st.one_of(
    st.dates(dt.date(1990, 1, 1), dt.date(2030, 1, 1)), st.dates(), st.just(dt.date(1677, 9, 21))
)
_TIMES = st.one_of(st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2030, 1, 1)), st.datetimes())  # noqa: DTZ001
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
    ),  # noqa: DTZ001
    pa.time64("us"): st.times(),
    pa.duration("us"): st.timedeltas(dt.timedelta(-9), dt.timedelta(9)),
    pa.null(): st.none(),
    pa.list_(pa.int64()): st.lists(st.integers(-9, 9), max_size=2),
}

# For each MLflow type, what a producer that nearly got it right would deliver.
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


@st.composite
def contracts(draw: st.DrawFn) -> Contract:
    """Named column signatures of scalar types, required and optional."""
    names = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4, unique=True))
    specs = [
        {"type": draw(st.sampled_from(SCALARS)), "name": name, "required": draw(st.booleans())}
        for name in names
    ]
    return Contract.from_signature({"inputs": json.dumps(specs)})


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


@st.composite
def tables(draw: st.DrawFn, contract: Contract) -> pa.Table:
    """Batches for a contract: mostly of types that nearly fit, sometimes of any."""
    rows = draw(st.integers(0, 5))
    columns: dict[str, pa.Array[Any]] = {}
    for column in contract.columns:
        near = st.sampled_from(NEAR[str(column.type)])
        kind = draw(st.one_of(near, near, near, st.sampled_from(list(ARRIVING))))
        gaps = draw(st.booleans())
        cell = st.one_of(st.none(), ARRIVING[kind]) if gaps else ARRIVING[kind]
        values = draw(st.lists(cell, min_size=rows, max_size=rows))
        columns[column.name] = pa.array(values, kind)
    absent = draw(st.sampled_from([None, None, None, *columns]))
    kept = {name: column for name, column in columns.items() if name != absent}
    if draw(st.booleans()):
        kept["extra"] = pa.array(range(rows), pa.int64())
    order = draw(st.permutations(list(kept)))
    return (
        pa.table({name: kept[name] for name in order})
        if kept
        else pa.table({"extra": pa.nulls(rows)})
    )
