"""What arrives against what the model takes: the conversion table, type by type and edge by edge.

MLflow's own ``validate_schema`` is the oracle for all that is handed over.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from small_checks import (
    SPLIT,
    accepted,
    check_column,
    contract,
    kinds,
    mlflow_accepts,
    rows_of,
    split,
)

from signature_gate import check
from signature_gate.expectations.conform.conversions import CONFORMS, PANDAS_DTYPES, How
from signature_gate.expectations.contract.types import SCALARS

D = Decimal
DAY = dt.date(2013, 7, 1)
NOON = dt.datetime(2013, 7, 1, 12)
INF, NAN = float("inf"), float("nan")


def dictionary(values: pa.Array[Any]) -> pa.Array[Any]:
    """Encode an array as indices into its values."""
    return pa.DictionaryArray.from_arrays(pa.array(range(len(values)), pa.int8()), values)


def _decimals(kind: pa.DataType) -> pa.Array[Any]:
    return pa.array([D(0), D(1)], kind)


# Arriving type by name: its word in the conversion table (None if the table has none), and two
# values of it that every type which takes the word can hold.
ARRIVING: dict[str, tuple[str | None, pa.Array[Any]]] = {
    "bool": ("bool", pa.array([False, True])),
    **{
        f"{sign}int{bits}": (f"{sign}int{bits}", pa.array([0, 1], f"{sign}int{bits}"))
        for sign in ("", "u")
        for bits in (8, 16, 32, 64)
    },
    "float16": ("float16", pa.array(np.array([0, 1], np.float16))),
    "float32": ("float32", pa.array([0, 1], pa.float32())),
    "float64": ("float64", pa.array([0, 1], pa.float64())),
    "decimal32": ("decimal", _decimals(pa.decimal32(5, 2))),
    "decimal64": ("decimal", _decimals(pa.decimal64(12, 2))),
    "decimal128": ("decimal", _decimals(pa.decimal128(38, 2))),
    "decimal256 of 38 digits": ("decimal", _decimals(pa.decimal256(38, 2))),
    "decimal256 of 60 digits": (None, _decimals(pa.decimal256(60, 2))),
    "decimal of hundreds": ("decimal", pa.array([D(0), D(100)], pa.decimal128(5, -2))),
    "string": ("string", pa.array(["x", "y"])),
    "large_string": ("string", pa.array(["x", "y"], pa.large_string())),
    "string_view": ("string", pa.array(["x", "y"], pa.string_view())),
    "dictionary": ("string", dictionary(pa.array(["x", "y"]))),
    "dictionary of large_string": ("string", dictionary(pa.array(["x", "y"], pa.large_string()))),
    "dictionary of int64": ("int64", dictionary(pa.array([0, 1]))),
    "run-end encoded": (
        "string",
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2], pa.int32()), pa.array(["x", "y"])),
    ),
    "binary": ("binary", pa.array([b"x", b"y"])),
    "large_binary": ("binary", pa.array([b"x", b"y"], pa.large_binary())),
    "binary_view": ("binary", pa.array([b"x", b"y"], pa.binary_view())),
    "fixed-size binary": ("binary", pa.array([b"x", b"y"], pa.binary(1))),
    "date32": ("date", pa.array([DAY, DAY], pa.date32())),
    "date64": ("date", pa.array([DAY, DAY], pa.date64())),
    **{
        f"timestamp {unit}": ("timestamp", pa.array([NOON, NOON], pa.timestamp(unit)))
        for unit in ("s", "ms", "us", "ns")
    },
    **{
        f"timestamp {unit} in {zone}": (
            "timestamp_tz",
            pa.array([NOON, NOON], pa.timestamp(unit)).cast(pa.timestamp(unit, zone)),
        )
        for unit in ("s", "ms", "us", "ns")
        for zone in ("UTC", "Europe/Paris", "+05:30")
    },
    "time32": (None, pa.array([dt.time(1), dt.time(2)], pa.time32("s"))),
    "time64": (None, pa.array([dt.time(1), dt.time(2)], pa.time64("us"))),
    "duration": (None, pa.array([1, 2], pa.duration("us"))),
    "interval": (None, pa.array([(1, 2, 3), (4, 5, 6)], pa.month_day_nano_interval())),
    "list": (None, pa.array([[1], [2]])),
    "list_view": (None, pa.array([[1], [2]], pa.list_view(pa.int64()))),
    "struct": (None, pa.array([{"x": 1}, {"x": 2}])),
    "map": (None, pa.array([[("x", 1)], []], pa.map_(pa.string(), pa.int64()))),
}

every_target = pytest.mark.parametrize("target", SCALARS)


@every_target
@pytest.mark.parametrize("arriving", ARRIVING)
def test_a_type_conforms_exactly_where_the_table_says(target: Any, arriving: str) -> None:
    """Each arriving type is handed over if the table lists it, and else named as a mismatch."""
    word, values = ARRIVING[arriving]
    batch = pa.table({"a": values})
    how = CONFORMS[target].get(word or "")

    result = check_column(batch, target)

    if how in (None, How.IN_UTC):
        assert kinds(result) == ["type_mismatch"]
        assert result.rejected is not None
        assert result.rejected.collect()["_violations"].list.len().to_list() == [1, 1]
    else:
        frame = result.model_input()
        assert result.passed
        assert [str(dtype) for dtype in frame.dtypes] == [PANDAS_DTYPES[target]]
        assert [_plain(value) for value in frame["a"]] == values.to_pylist()
        mlflow_accepts(frame, contract(a=target))


def _plain(value: Any) -> Any:
    if isinstance(value, pd.Timestamp):
        return DAY if value == pd.Timestamp(DAY) else value.to_pydatetime()
    return value


@pytest.mark.parametrize("zone", ["UTC", "Europe/Paris", "America/New_York", "+05:30", "Mars/Base"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_a_zone_is_converted_to_utc_where_the_policy_says_so(unit: Any, zone: str) -> None:
    """Under timezone: utc the same instant is handed over without its zone."""
    instants = [0, 1_372_680_000, 1_385_000_000]
    seconds = pa.array(instants, pa.timestamp("s"))
    batch = pa.table({"a": seconds.cast(pa.timestamp(unit)).cast(pa.timestamp(unit, zone))})

    result = check_column(batch, "datetime", split(timezone="utc"))

    assert result.model_input()["a"].astype("int64").tolist() == [s * 10**9 for s in instants]
    mlflow_accepts(result.model_input(), contract(a="datetime"))


# ----- value by value -----

LONG_MAX, INT_MAX = 2**63 - 1, 2**31 - 1
FLOAT_MAX = float(np.finfo(np.float32).max)
OK, BEYOND, LOSSY, NULL = "ok", "out_of_range", "not_representable", "null"

# Target, arriving type, and what becomes of each value.
EDGES: list[tuple[Any, pa.DataType, dict[Any, str]]] = [
    ("integer", pa.int64(), {-(2**31): OK, INT_MAX: OK, -(2**31) - 1: BEYOND, 2**31: BEYOND}),
    ("integer", pa.uint32(), {0: OK, INT_MAX: OK, 2**31: BEYOND, 2**32 - 1: BEYOND}),
    ("integer", pa.uint64(), {INT_MAX: OK, 2**31: BEYOND, 2**63: BEYOND, 2**64 - 1: BEYOND}),
    (
        "integer",
        pa.float64(),
        {-0.0: OK, float(INT_MAX): OK, -(2.0**31): OK, 2.0**31: BEYOND, 1e300: BEYOND}
        | {0.5: LOSSY, 1e-300: LOSSY, INF: BEYOND, -INF: BEYOND, NAN: NULL},
    ),
    ("integer", pa.float32(), {-(2.0**31): OK, 2.0**31: BEYOND, 2.5: LOSSY, NAN: NULL}),
    ("integer", pa.float16(), {65504.0: OK, 0.5: LOSSY, INF: BEYOND, NAN: NULL}),
    (
        "integer",
        pa.decimal128(38, 2),
        {D(INT_MAX): OK, D(-(2**31)): OK, D(2**31): BEYOND, D("0.01"): LOSSY, D("-0.50"): LOSSY}
        | {D("1e35"): BEYOND, D("1" + "0" * 35 + ".01"): LOSSY},
    ),
    ("long", pa.uint64(), {LONG_MAX: OK, 2**63: BEYOND, 2**64 - 1: BEYOND}),
    (
        "long",
        pa.float64(),
        {2.0**53: OK, -(2.0**53): OK, 2.0**53 + 2: BEYOND, -(2.0**53) - 2: BEYOND, 1.5: LOSSY}
        | {2.0**63: BEYOND, INF: BEYOND, NAN: NULL},
    ),
    ("long", pa.float32(), {2.0**53: OK, 2.0**54: BEYOND, 0.5: LOSSY}),
    (
        "long",
        pa.decimal128(38, 0),
        {D(LONG_MAX): OK, D(-(2**63)): OK, D(2**63): BEYOND, D(10) ** 37: BEYOND},
    ),
    ("long", pa.decimal128(38, 18), {D(2**60): OK, D("1e-18"): LOSSY}),
    (
        "float",
        pa.float64(),
        {0.5: OK, FLOAT_MAX: OK, INF: OK, 2.0**-149: OK, 0.1: LOSSY, 2.0**24 + 1: LOSSY}
        | {1e39: BEYOND, -1e39: BEYOND, 1e-46: LOSSY, NAN: NULL},
    ),
    ("float", pa.int32(), {2**24: OK, 2**24 + 2: OK, 2**24 + 1: LOSSY, INT_MAX: LOSSY}),
    ("float", pa.int64(), {2**62: OK, -(2**63): OK, LONG_MAX: LOSSY, -(2**24) - 1: LOSSY}),
    ("float", pa.uint32(), {2**31: OK, 2**32 - 1: LOSSY}),
    ("float", pa.uint64(), {2**63: OK, 2**64 - 1: LOSSY}),
    (
        "float",
        pa.decimal128(38, 2),
        {D("0.10"): OK, D("1234.56"): OK, D(2**24): OK, D(2**24 + 1): LOSSY}
        | {D("1234567.89"): LOSSY},
    ),
    (
        "double",
        pa.int64(),
        {2**53: OK, -(2**53): OK, 2**53 + 2: OK, -(2**63): OK}
        | {2**53 + 1: LOSSY, -(2**53) - 1: LOSSY, LONG_MAX: LOSSY},
    ),
    ("double", pa.uint64(), {2**53: OK, 2**63: OK, 2**53 + 1: LOSSY, 2**64 - 1: LOSSY}),
    (
        "double",
        pa.decimal128(38, 2),
        {D("0.10"): OK, D("12345678901234.56"): OK, D("1e30"): OK}
        | {D("12345678901234567.89"): LOSSY, D(2**53 + 1): LOSSY},
    ),
    ("double", pa.float32(), {0.5: OK, FLOAT_MAX: OK, INF: OK, NAN: NULL}),
]


every_edge = pytest.mark.parametrize(
    ("target", "arriving", "fates"), EDGES, ids=[f"{arrow}-{t}" for t, arrow, _ in EDGES]
)


@every_edge
def test_each_number_meets_the_fate_that_its_own_value_deserves(
    target: Any, arriving: pa.DataType, fates: dict[Any, str]
) -> None:
    """Numbers are judged one by one, to the last that fits and the first that does not."""
    result = check_column(_table([*fates], arriving), target, split(sample_rows=99))

    seen = {row: v.kind for v in result.violations for row in v.rows}
    assert [seen.get(i, OK) for i in range(len(fates))] == list(fates.values())


@every_edge
def test_the_numbers_that_fit_are_handed_over_as_they_are(
    target: Any, arriving: pa.DataType, fates: dict[Any, str]
) -> None:
    """Each number at the edge reaches the model with the very value that arrived."""
    good = [value for value, fate in fates.items() if fate == OK]

    result = check_column(_table(good, arriving), target)

    assert result.passed
    assert result.model_input()["a"].tolist() == _as_handed(good, target)
    mlflow_accepts(result.model_input(), contract(a=target))


def _table(values: list[Any], arriving: pa.DataType) -> pa.Table:
    cells = np.array(values, np.float16) if arriving == pa.float16() else values
    return pa.table({"a": pa.array(cells, arriving, from_pandas=False)})


def _as_handed(values: list[Any], target: str) -> list[Any]:
    dtype = np.dtype(PANDAS_DTYPES[target])  # type: ignore[index]
    return [dtype.type(value).item() for value in values]


@every_edge
def test_lossy_floats_are_rounded_where_the_policy_allows_it(
    target: Any, arriving: pa.DataType, fates: dict[Any, str]
) -> None:
    """Under lossy_floats: allow a float column takes the nearest value, and others stay strict."""
    policy = split(sample_rows=99, lossy_floats="allow")

    result = check_column(_table([*fates], arriving), target, policy)

    floating = target in ("float", "double")
    assert (LOSSY in kinds(result)) == (not floating and LOSSY in fates.values())
    if floating:
        rounded = [value for value, fate in fates.items() if fate in (OK, LOSSY)]
        assert [row["a"] for row in accepted(result)] == _as_handed(rounded, target)


# Arriving type, the type that it is stored in, and its nanoseconds per unit.
INSTANTS: dict[str, tuple[pa.DataType, pa.DataType, int]] = {
    "s": (pa.timestamp("s"), pa.int64(), 10**9),
    "ms": (pa.timestamp("ms"), pa.int64(), 10**6),
    "us": (pa.timestamp("us"), pa.int64(), 10**3),
    "ns": (pa.timestamp("ns"), pa.int64(), 1),
    "date32": (pa.date32(), pa.int32(), 86_400 * 10**9),
}


@pytest.mark.parametrize(("arriving", "stored", "unit"), INSTANTS.values(), ids=INSTANTS)
def test_instants_reach_to_what_nanoseconds_hold_and_not_one_step_further(
    arriving: pa.DataType, stored: pa.DataType, unit: int
) -> None:
    """The first and the last instant of datetime64[ns] are handed over, their neighbours not."""
    last = LONG_MAX // unit
    beyond = [-last - 1, last + 1] if unit > 1 else [-last - 1]
    batch = pa.table({"a": pa.array([-last, last, *beyond], stored).view(arriving)})

    result = check_column(batch, "datetime")

    assert rows_of(result, "out_of_range") == [2, 3][: len(beyond)]
    handed = result.model_input()["a"].astype("int64").tolist()
    assert handed == [-last * unit, last * unit]
    mlflow_accepts(result.model_input(), contract(a="datetime"))


@pytest.mark.parametrize("unit", ["s", "ms", "us"])
@pytest.mark.parametrize("number", [2**62, -(2**62), 2**63 - 1, -(2**63)])
def test_instants_far_beyond_any_calendar_are_out_of_range(unit: Any, number: int) -> None:
    """An instant that no calendar has is a violation with a sample, and never another instant."""
    batch = pa.table({"a": pa.array([0, number, None], pa.timestamp(unit))})

    result = check_column(batch, "datetime")

    assert rows_of(result, "out_of_range") == [1]
    assert rows_of(result, "null") == [2]
    assert all(violation.sample for violation in result.violations)
    assert [row["a"] for row in accepted(result)] == [dt.datetime(1970, 1, 1)]


def test_the_smallest_integer_is_no_instant() -> None:
    """pandas means NaT by the smallest 64-bit integer: no instant may arrive there."""
    batch = pa.table({"a": pa.array([-(2**63), -(2**63) + 1], pa.timestamp("ns"))})

    result = check_column(batch, "datetime")

    assert rows_of(result, "out_of_range") == [0]
    assert result.model_input()["a"].notna().all()


@every_target
def test_a_column_of_nothing_but_null_is_judged_by_the_rules_for_null(target: Any) -> None:
    """Arrow's null type is no mismatch: its nulls are, or are not."""
    batch = pa.table({"a": pa.nulls(2)})

    required = check_column(batch, target)
    optional = check(batch, contract(("a",), a=target), SPLIT)

    assert [(v.kind, v.count) for v in required.violations] == [("null", 2)]
    never = target in ("boolean", "integer", "long")
    assert optional.passed is not never
    if not never:
        assert optional.model_input()["a"].isna().all()
        assert str(optional.model_input()["a"].dtype) == PANDAS_DTYPES[target]
        mlflow_accepts(optional.model_input(), contract(("a",), a=target))


def test_null_among_dictionary_values_is_null() -> None:
    """A dictionary may hold null as a value; it is one all the same."""
    batch = pa.table({"a": dictionary(pa.array(["x", None, "y"]))})

    result = check_column(batch, "string")

    assert rows_of(result, "null") == [1]
    assert [row["a"] for row in accepted(result)] == ["x", "y"]


@pytest.mark.parametrize(
    ("arriving", "target", "listed"),
    [
        (pa.array([1], pa.int64()), "double", ("int64", "double")),
        (pa.array([1], pa.int8()), "long", ("int8", "long")),
        (pa.array([DAY]), "datetime", ("date32[day]", "datetime")),
        (pa.array([D(1)], pa.decimal128(5, 2)), "double", ("decimal128(5, 2)", "double")),
        (pa.array([1], pa.int64()), "long", None),
        (pa.array([1.5]), "double", None),
        (pa.array(["x"]), "string", None),
        (pa.array([True]), "boolean", None),
    ],
)
def test_a_conversion_is_listed_where_there_is_one(
    arriving: pa.Array[Any], target: str, listed: tuple[str, str] | None
) -> None:
    """The verdict names what arrived in another type and was converted, and nothing else."""
    (*conversions,) = check_column(pa.table({"a": arriving}), target).verdict.conversions

    assert [(c.column, c.arrived, c.becomes) for c in conversions] == (
        [("a", *listed)] if listed else []
    )
