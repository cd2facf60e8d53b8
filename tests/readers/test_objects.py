"""Columns of Python objects: judged cell by cell, by the table that typed columns are judged by."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from equivalent_batches import as_objects, assert_same_verdict
from hypothesis import given
from hypothesis import strategies as st
from small_checks import accepted, contract, kinds, mlflow_accepts, rows_of, split, violations_in
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.contract.types import Scalar

NAN, NA, NAT = float("nan"), pd.NA, pd.NaT
MOMENT = dt.datetime(2020, 1, 1, 5)
IN_UTC = dt.datetime(2020, 1, 1, 5, tzinfo=dt.UTC)


class Stranger:
    """An object of which nobody knows what it is, and that cannot say it itself."""

    def __repr__(self) -> str:
        msg = "no words"
        raise RuntimeError(msg)


def frame(*cells: Any, name: str = "a") -> pd.DataFrame:
    """Make a frame of one column of objects, whatever they are."""
    column = np.empty(len(cells), dtype=object)
    for position, cell in enumerate(cells):
        column[position] = cell
    return pd.DataFrame({name: pd.Series(column, dtype=object)})


def fates(cells: list[Any], target: Any, **fields: Any) -> list[str]:
    """Judge cells among one that conforms to nothing and one that is null: what becomes of each."""
    judged_by = contract(a=target)
    result = check(frame(*cells, 2j, None), judged_by, split(sample_rows=99, **fields))
    seen = dict[int, str]()
    for violation in result.violations:
        assert violation.level == "row", violation.message
        assert violation.because
        for row in violation.rows:
            seen.setdefault(row, violation.kind)
    if result.disposition == "split":
        mlflow_accepts(result.model_input(), judged_by)
    return [seen.get(row, "ok") for row in range(len(cells))]


OK, TYPE, RANGE, LOSSY, NULL = "ok", "type_mismatch", "out_of_range", "not_representable", "null"
NESTED, UNPARSEABLE = "nested_mismatch", "unparseable"

SCALARS: list[tuple[str, list[tuple[Any, str]]]] = [
    (
        "long",
        [
            *((cell, OK) for cell in (1, np.int8(1), np.uint64(7), 3.0, Decimal("4.0"), 2**63 - 1)),
            *((cell, RANGE) for cell in (2**63, -(2**70), 10**50, Decimal("1e30"), float("inf"))),
            *((cell, RANGE) for cell in (2.0**60, np.uint64(2**64 - 1))),
            *(
                (cell, LOSSY)
                for cell in (2.5, np.float32(0.5), Decimal("0.1"), Decimal(f"1.{9**60}"))
            ),
            *(
                (cell, TYPE)
                for cell in (True, np.bool_(1), "1", b"1", MOMENT, [1], {}, {1}, Stranger())
            ),
            *((cell, NULL) for cell in (None, NAN, NA, NAT, Decimal("NaN"), np.float64("nan"))),
        ],
    ),
    (
        "integer",
        [(1, OK), (2**31, RANGE), (np.int64(-5), OK), (1.5, LOSSY), (True, TYPE)],
    ),
    (
        "double",
        [
            *((cell, OK) for cell in (1, 2**53, 2**70, 0.1, np.float16(0.5), Decimal("0.1"))),
            *((cell, OK) for cell in (float("inf"), Decimal("Infinity"))),
            *((cell, LOSSY) for cell in (2**53 + 1, 2**70 + 1, Decimal(f"0.{'3' * 60}"))),
            *((cell, RANGE) for cell in (10**400, Decimal("1e999"))),
            *((cell, TYPE) for cell in (True, "1", 1j, dt.timedelta(1), np.timedelta64(1, "s"))),
            *((cell, NULL) for cell in (None, NAN, NA, NAT)),
        ],
    ),
    (
        "float",
        [
            (1, OK),
            (0.5, OK),
            (np.float32(0.1), OK),
            (0.1, LOSSY),
            (1e300, RANGE),
            (2**24 + 1, LOSSY),
        ],
    ),
    (
        "boolean",
        [(True, OK), (np.bool_(0), OK), (1, TYPE), ("true", TYPE), (NA, NULL), (NAN, NULL)],
    ),
    (
        "string",
        [
            ("x", OK),
            (np.str_("y"), OK),
            ("", OK),
            (1, TYPE),
            (b"x", TYPE),
            (NAN, NULL),
            ("\ud800", TYPE),
        ],
    ),
    (
        "binary",
        [(b"x", OK), (bytearray(b"y"), OK), (memoryview(b"z"), OK), ("x", TYPE), ([1], TYPE)],
    ),
    (
        "datetime",
        [
            *(
                (cell, OK)
                for cell in (MOMENT, MOMENT.date(), pd.Timestamp(1), np.datetime64("2020"))
            ),
            *((cell, OK) for cell in (np.datetime64(1, "ns"), np.datetime64("2020-01-01T05"))),
            *(
                (cell, RANGE)
                for cell in (dt.date(1, 1, 1), dt.datetime(9999, 1, 1), np.datetime64(9**17, "D"))
            ),
            (np.datetime64(1, "ps"), LOSSY),
            *(
                (cell, TYPE)
                for cell in (IN_UTC, pd.Timestamp(1, tz="UTC"), "2020-01-01", 1, dt.time(1))
            ),
            *((cell, NULL) for cell in (NAT, np.datetime64("NaT"), None)),
        ],
    ),
]


@pytest.mark.parametrize(("target", "cases"), SCALARS, ids=[target for target, _ in SCALARS])
def test_each_cell_is_judged_by_its_own_type_and_value(
    target: str, cases: list[tuple[Any, str]]
) -> None:
    """A wrong cell is a violation of its row; the others conform."""
    assert fates([cell for cell, _ in cases], target) == [fate for _, fate in cases]


LONGS = {"type": "array", "items": {"type": "long"}}
POINT = {
    "type": "object",
    "properties": {"x": {"type": "long"}, "y": {"type": "string", "required": False}},
}
NESTED_CASES: list[tuple[str, dict[str, Any], list[tuple[Any, str]]]] = [
    (
        "array",
        LONGS,
        [
            *((cell, OK) for cell in ([1, 2], (3,), [], np.array([4]), np.array([1.0, 2.0]))),
            *((cell, OK) for cell in ([Decimal(1), np.int8(2), 3.0], np.ma.masked_array([7]))),
            *((cell, NESTED) for cell in (["x"], [[1]], np.zeros((2, 2)), np.array(1), 5, "x", {})),
            *((cell, NESTED) for cell in ([1, None], [True], [1, "x"], pd.Series([1]))),
            ([1, 2.5], LOSSY),
            ([2**63], RANGE),
            *((cell, NULL) for cell in (None, NAN, NA)),
        ],
    ),
    (
        "array of datetime",
        {"type": "array", "items": {"type": "datetime"}},
        [
            *((cell, OK) for cell in ([MOMENT, None], np.array([1], "datetime64[ns]"), [NAT])),
            (np.array([[1]], "datetime64[ns]"), NESTED),
            (["2020-01-01"], NESTED),
        ],
    ),
    (
        "array of arrays",
        {"type": "array", "items": LONGS},
        [([[1], [2, 3]], OK), (np.ones((2, 2)), OK), ([], OK), ([[]], OK), ([1], NESTED)],
    ),
    (
        "object",
        POINT,
        [
            *((cell, OK) for cell in ({"x": 1}, {"x": 1, "y": "q"}, {"x": 1.0, "y": None})),
            *((cell, NESTED) for cell in ({}, {"y": "q"}, {"x": 1, "z": 1}, {"x": None}, {1: 1})),
            *((cell, NESTED) for cell in ({"x": "1"}, {"x": 1, "y": 2}, [1], "{}", 1)),
            ({"x": 1.5}, LOSSY),
            (None, NULL),
        ],
    ),
    (
        "map",
        {"type": "map", "values": {"type": "double"}},
        [
            *((cell, OK) for cell in ({"k": 1.5}, {}, {"k": 1, "l": Decimal("0.5")})),
            *((cell, NESTED) for cell in ({1: 1.5}, {"k": None}, {"k": "1"}, [("k", 1.5)], 5)),
            ({"k": 2**53 + 1}, LOSSY),
            (None, NULL),
        ],
    ),
    (
        "map of arrays of objects",
        {"type": "map", "values": {"type": "array", "items": POINT}},
        [
            ({"k": [{"x": 1}, {"x": 2, "y": "q"}], "l": []}, OK),
            ({"k": [{"x": 1}, {"y": "q"}]}, NESTED),
            ({"k": [{"x": 0.5}]}, LOSSY),
        ],
    ),
    (
        "sparkml_vector",
        {"type": "sparkml_vector"},
        [([1, 2.5], OK), (np.array([1, 2]), OK), (["x"], NESTED)],
    ),
]


@pytest.mark.parametrize(
    ("target", "cases"), [case[1:] for case in NESTED_CASES], ids=[case[0] for case in NESTED_CASES]
)
def test_each_cell_is_judged_through_all_its_levels(
    target: dict[str, Any], cases: list[tuple[Any, str]]
) -> None:
    """What is wrong somewhere within a cell is a violation of its row."""
    assert fates([cell for cell, _ in cases], target) == [fate for _, fate in cases]


def test_cells_of_a_tensor_are_its_rows() -> None:
    """Lists and arrays become rows of a tensor, if every cast is exact and the shape fits."""
    spec = {"type": "tensor", "tensor-spec": {"dtype": "int64", "shape": [-1, 2]}}
    cells = [[1, 2], np.array([3.0, 4.0]), [1, 2.5], [1], "x", None]

    result = check(frame(*cells), contract(a=spec), split(sample_rows=9))

    assert {(v.kind, v.rows) for v in result.violations} == {
        ("not_representable", (2,)),
        ("shape_mismatch", (3,)),
        ("nested_mismatch", (4,)),
        ("null", (5,)),
    }
    good = check(frame(*cells[:2]), contract(a=spec)).model_input()
    assert good["a"].tolist() == [[1, 2], [3, 4]]


def test_matrices_as_cells_are_rows_of_a_tensor() -> None:
    """A column of 2-d arrays serves a tensor of three dimensions."""
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2, 2]}}

    result = check(frame(np.ones((2, 2)), [[1, 2], [3, 4]]), contract(a=spec))

    assert result.model_input()["a"].tolist() == [[[1, 1], [1, 1]], [[1, 2], [3, 4]]]


@pytest.mark.parametrize(
    ("fields", "cells", "expected"),
    [
        (
            {"parse_text": "allow"},
            [1, " 2 ", "3.0", "x", "9" * 30],
            [OK, OK, OK, UNPARSEABLE, RANGE],
        ),
        ({"null_values": ["-"]}, [1, "-", "x"], [OK, NULL, TYPE]),
    ],
)
def test_text_among_objects_is_what_the_policy_says(
    fields: Any, cells: list[Any], expected: list[str]
) -> None:
    """Text is parsed, and stands for null, only where the policy says so."""
    assert fates(cells, "long", **fields) == expected


def test_zones_among_objects_are_what_the_policy_says() -> None:
    """Under ``timezone: utc`` instants of any zone are handed over in UTC."""
    east = IN_UTC.astimezone(dt.timezone(dt.timedelta(hours=2)))

    result = check(frame(east, MOMENT), contract(a="datetime"), Policy(timezone="utc"))

    assert result.model_input()["a"].tolist() == [pd.Timestamp(MOMENT)] * 2


@pytest.mark.parametrize(
    ("cells", "target", "kind"),
    [
        (["1", b"x", True], "long", TYPE),
        ([1j, None], "long", TYPE),
        (["x", 5, None], LONGS, NESTED),
        ([{"y": "q"}, {}], POINT, NESTED),
    ],
)
def test_a_column_of_which_no_cell_conforms_is_refused_as_a_whole(
    cells: list[Any], target: Any, kind: str
) -> None:
    """As for a typed column of a type that never conforms: one violation of the batch."""
    result = check(frame(*cells), contract(a=target))

    assert violations_in(result) == [(kind, "a", None)]
    assert result.rejected.collect().height == len(cells)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("cells", "typed"),
    [
        (["1", "2"], pd.Series(["1", "2"])),
        ([1, 2], pd.Series([1, 2])),
        ([1, None], pd.Series([1, None], dtype="Int64")),
        ([1.5, NAN], pd.Series([1.5, NAN])),
        ([True, False], pd.Series([True, False])),
        ([MOMENT], pd.Series([MOMENT])),
        ([b"x", None], pd.Series(pa.array([b"x", None]), dtype=pd.ArrowDtype(pa.binary()))),
        ([], pd.Series([], dtype="object")),
    ],
)
@pytest.mark.parametrize("target", ["boolean", "long", "double", "string", "binary", "datetime"])
def test_objects_of_one_kind_are_judged_as_their_typed_twin(
    cells: list[Any], typed: pd.Series, target: str
) -> None:
    """A frame library's choice of dtype makes no difference where all cells are of one kind."""
    policy = split(min_rows=0)
    objects = check(frame(*cells), contract(a=target), policy)
    twin = check(pd.DataFrame({"a": typed}), contract(a=target), policy)

    assert violations_in(objects) == violations_in(twin)


# ----- what is handed over -----


def test_any_is_handed_over_as_it_is() -> None:
    """A column for which everything conforms reaches the model with the very same objects."""
    cells = [{"k": [1, None]}, [1, "x"], 2**70, (1,), NAN, MOMENT]

    made = check(frame(*cells), contract(a="any"), Policy(nulls="allow")).model_input()

    assert all(one is other for one, other in zip(made["a"], cells, strict=True))


def test_any_within_an_array_is_handed_over_as_it_is() -> None:
    """So do the elements, values and properties of which the contract leaves the type open."""
    spec = {"type": "array", "items": {"type": "any"}}
    made = check(frame([1, "x", None, {"k": 2}], []), contract(a=spec)).model_input()

    assert made["a"].tolist() == [[1, "x", None, {"k": 2}], []]


def test_absent_keys_and_open_types_are_kept_at_any_depth() -> None:
    """Within arrays and maps of objects as at the top; null objects stay null."""
    inner = {"x": {"type": "long"}, "y": {"type": "any", "required": False}}
    spec = {
        "type": "map",
        "values": {"type": "array", "items": {"type": "object", "properties": inner}},
    }
    cells = [{"k": [{"x": 1}, {"x": 2, "y": {1}}]}, {}, None]

    made = check(frame(*cells), contract(("a",), a=spec)).model_input()

    assert made["a"].tolist() == cells


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint64", "float16", "float32", "float64"])
def test_arrays_of_one_dtype_are_judged_by_it(dtype: str) -> None:
    """A column of numpy arrays conforms as lists of their elements do."""
    target = "boolean" if dtype == "bool" else "double"
    cells = [np.array([0, 1], dtype), np.array([], dtype), None]

    result = check(frame(*cells), contract(a={"type": "array", "items": {"type": target}}), split())

    assert violations_in(result) == [("null", "a", 1)]
    assert [one.tolist() for one in result.model_input()["a"]] == [[0, 1], []]


def test_an_object_without_properties_is_an_empty_dictionary() -> None:
    """The least that a signature can ask of a record."""
    result = check(
        frame({}, {"x": 1}, 5), contract(a={"type": "object", "properties": {}}), split()
    )

    assert violations_in(result) == [("nested_mismatch", "a", 2)]
    assert result.model_input()["a"].tolist() == [{}]


def test_instants_before_the_calendar_are_out_of_range() -> None:
    """A zone may push the first day of the first year out of any calendar."""
    first = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=5)))

    result = check(frame(IN_UTC, first, MOMENT), contract(a="datetime"), split(timezone="utc"))

    assert violations_in(result) == [("out_of_range", "a", 1)]


def test_a_key_that_is_absent_stays_absent() -> None:
    """An optional property that a cell lacks is not handed over as one that is None."""
    made = check(frame({"x": 1}, {"x": 2, "y": None}), contract(a=POINT)).model_input()

    assert made["a"].tolist() == [{"x": 1}, {"x": 2, "y": None}]


def test_the_callers_objects_are_left_alone() -> None:
    """Judging and handing over change no list or dictionary of the caller's."""
    cell = {"x": 1.0, "y": "q"}
    batch = frame(cell, {"x": 2})

    mlflow_accepts(check(batch, contract(a=POINT)).model_input(), contract(a=POINT))

    assert cell == {"x": 1.0, "y": "q"}
    assert type(cell["x"]) is float


def test_the_sample_shows_the_objects() -> None:
    """What is wrong is shown as Python writes it, so that text and numbers can be told apart."""
    (violation,) = check(frame(1, "2"), contract(a="long"), split()).violations

    assert violation.sample == ("'2'",)
    assert "str" not in violation.message


def test_an_object_without_words_breaks_nothing() -> None:
    """Rejected rows hold the class's name where an object cannot put itself into words."""
    result = check(frame(1, Stranger()), contract(a="long"), split())

    assert rows_of(result, TYPE) == [1]
    assert result.rejected.collect()["a"].to_list() == ["<Stranger>"]  # type: ignore[union-attr]


# ----- columns that no frame of Polars can hold -----

ODD: dict[str, Any] = {
    "mixed": frame(1, "x")["a"],
    "dictionaries": frame({"k": 1}, {"l": "x"})["a"],
    "dictionaries without text as keys": frame({1: 1}, {})["a"],
    "lists": frame([1], ["x", 2])["a"],
    "sets": frame({1}, {2})["a"],
    "complex": pd.Series([1j, 2j]),
    "longdouble": pd.Series(np.array([1, 2], np.longdouble)),
    "timedelta": pd.Series([pd.Timedelta(1)] * 2),
    "period": pd.Series(pd.period_range("2020", periods=2)),
    "interval": pd.Series(pd.interval_range(0, 2)),
    "sparse": pd.Series(pd.arrays.SparseArray([0, 1])),
    "category of mixed": pd.Series(["x", 1], dtype="category"),
    "wide decimals": pd.Series([Decimal(10**45)] * 2, dtype=pd.ArrowDtype(pa.decimal256(50, 2))),
    "objects in Polars": pl.Series([object(), 1], dtype=pl.Object),
    "128 bits in Polars": pl.Series([1, 2**100], dtype=pl.Int128),
    "lists of 128 bits": pl.Series([[1], [2**100]], dtype=pl.List(pl.Int128)),
    "enum": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"])),
    "duration": pl.Series([dt.timedelta(1)] * 2),
    "unions": pa.UnionArray.from_sparse(pa.array([0, 1], pa.int8()), [pa.array([1, 2])] * 2),
    "intervals of months": pa.array([(1, 2, 3)] * 2, pa.month_day_nano_interval()),
}


def _beside(column: Any) -> Any:
    if isinstance(column, pd.Series):
        return pd.DataFrame({"a": column, "b": [1, None]})
    if isinstance(column, pl.Series):
        return pl.DataFrame({"a": column, "b": [1, None]})
    return pa.table({"a": column, "b": [1, None]})


@pytest.mark.parametrize("name", ODD)
def test_a_column_that_nobody_asked_for_breaks_nothing(name: str, tmp_path: Any) -> None:
    """Whatever it holds, the others are judged, and it can be kept and rejected."""
    batch = _beside(ODD[name])

    result = check(batch, contract(b="long"), split(extra_columns="ignore", keep=["a"]))

    assert violations_in(result) == [("null", "b", 1)]
    assert result.model_input()["b"].tolist() == [1]
    for rows, file in ((result.accepted, "accepted"), (result.rejected, "rejected")):
        assert rows is not None
        rows.sink_parquet(tmp_path / file)
        assert pl.read_parquet(tmp_path / file)["a"].null_count() == 0


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("target", ["long", "string", "binary", "datetime", LONGS, POINT])
def test_a_column_of_an_odd_type_gets_a_verdict(name: str, target: Any) -> None:
    """It conforms or it is explained why not; it never breaks the judgement."""
    result = check(_beside(ODD[name]), contract(a=target), split(extra_columns="ignore"))

    assert all(v.because for v in result.violations)
    if result.disposition in ("passed", "split"):
        mlflow_accepts(result.model_input(), contract(a=target))


@pytest.mark.parametrize("name", ODD)
def test_a_column_of_an_odd_type_conforms_to_any(name: str) -> None:
    """Where the contract leaves the type open, every column is handed over."""
    result = check(_beside(ODD[name]), contract(a="any"), split(extra_columns="ignore"))

    assert len(result.model_input()) == 2
    mlflow_accepts(result.model_input(), contract(a="any"))


@pytest.mark.parametrize("form", ["typed", "objects"])
@pytest.mark.parametrize(("required", "expected"), [(False, OK), (True, NESTED)])
def test_nan_in_a_field_is_null_where_null_may_stand(
    form: str, required: bool, expected: str
) -> None:
    """MLflow's own enforcement makes None of it in an optional field, and refuses it elsewhere."""
    fields = {"x": {"type": "integer", "required": required}}
    judged_by = contract(a={"type": "object", "properties": fields})
    table = pa.table({"a": pa.array([{"x": NAN}, {"x": 1.0}])})

    result = check(table if form == "typed" else as_objects(table), judged_by, split())

    assert kinds(result) == ([] if expected == OK else [expected])
    received = result.model_input()
    assert received["a"].tolist() == [{"x": None}, {"x": 1}][required:]
    mlflow_accepts(received, judged_by)


# ----- properties -----


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy]:
    judged_by = draw(contracts())
    return draw(tables(judged_by)), judged_by, draw(POLICIES)


@given(case=cases())
def test_objects_are_judged_as_the_types_they_could_have_been(case: Any) -> None:
    """A batch as plain Python objects gets the verdict of its typed twin, and MLflow accepts it."""
    table, judged_by, policy = case
    batch = as_objects(table)

    typed, untyped = check(table, judged_by, policy), check(batch, judged_by, policy)

    assert_same_verdict(typed, untyped, table, judged_by)
    if untyped.disposition in ("passed", "split"):
        made = untyped.model_input()
        mlflow_accepts(made, judged_by)
        if typed.disposition in ("passed", "split"):
            scalars = [c.label for c in judged_by.columns if isinstance(c.type, Scalar)]
            present = [label for label in scalars if label in made.columns]
            pd.testing.assert_frame_equal(made[present], typed.model_input()[present])


@given(case=cases())
def test_objects_split_into_good_and_bad_without_loss(case: Any) -> None:
    """Accepted and rejected rows are all that arrived, and the accepted ones alone pass."""
    table, judged_by, policy = case

    result = check(as_objects(table), judged_by, policy)

    if result.accepted is None:
        return
    good = result.accepted.collect()
    bad = result.rejected.collect()["_row"].to_list()  # type: ignore[union-attr]
    assert sorted(good["_row"].to_list() + bad) == list(range(table.num_rows))
    if result.disposition == "split" and good.height:
        assert check(good.drop("_row"), judged_by, policy).passed


def test_accepted_rows_have_the_contracts_types() -> None:
    """Objects that conform stand among the accepted rows in the model's types."""
    result = check(frame(1, "x", 2.0), contract(a="long"), split())

    assert accepted(result) == [{"_row": 0, "a": 1}, {"_row": 2, "a": 2}]
