"""Batches in memory: pandas, Polars and Arrow frames of every kind, each judged alike."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from mlflow.models import ModelSignature
from mlflow.types.schema import Array, ColSpec, DataType, Map, Schema
from small_checks import (
    SPLIT,
    check_column,
    contract,
    kinds,
    mlflow_accepts,
    rows_of,
    split,
    violations_in,
)

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import UnsupportedBatch

NAN, NAT = float("nan"), pd.NaT
JULY = pd.Timestamp("2013-07-01")


def fate(series: Any, target: str, **fields: Any) -> list[str]:
    """Judge a pandas column: what becomes of each cell, or of the column as a whole."""
    result = check_column(pd.DataFrame({"a": series}), target, split(**fields))
    whole = [v.kind for v in result.violations if v.level == "batch"]
    if whole:
        return whole
    if result.disposition in ("passed", "split"):
        mlflow_accepts(result.model_input(), contract(a=target))
    seen = {row: v.kind for v in result.violations for row in v.rows}
    return [seen.get(row, "ok") for row in range(len(series))]


# A column as producers of pandas frames make it, a target, and what becomes of its cells.
PANDAS: dict[str, tuple[Any, str, list[str]]] = {
    "Int64": (pd.array([1, None], "Int64"), "long", ["ok", "null"]),
    "Int8 for double": (pd.array([1, 2], "Int8"), "double", ["ok", "ok"]),
    "UInt64": (pd.array([1, 2**63], "UInt64"), "long", ["ok", "out_of_range"]),
    "Float32": (pd.array([0.5, None], "Float32"), "double", ["ok", "null"]),
    "boolean": (pd.array([True, None], "boolean"), "boolean", ["ok", "null"]),
    "bool": (pd.array([True, False]), "boolean", ["ok", "ok"]),
    "floats with gaps": (pd.Series([1.0, NAN]), "long", ["ok", "null"]),
    "float16": (pd.Series([0.5, 1], dtype="float16"), "float", ["ok", "ok"]),
    "string": (pd.array(["x", None], "string"), "string", ["ok", "null"]),
    "str": (pd.Series(["x", None], dtype="str"), "string", ["ok", "null"]),
    "category": (pd.Series(["x", None], dtype="category"), "string", ["ok", "null"]),
    "category of ints": (pd.Series([1, 2], dtype="category"), "long", ["ok", "ok"]),
    "Arrow strings": (pd.array(["x"], pd.ArrowDtype(pa.large_string())), "string", ["ok"]),
    "Arrow decimals": (
        pd.array([Decimal(1), None], pd.ArrowDtype(pa.decimal128(5, 2))),
        "double",
        ["ok", "null"],
    ),
    "datetime64[s]": (pd.Series([JULY, NAT], dtype="datetime64[s]"), "datetime", ["ok", "null"]),
    "datetime64[ns]": (pd.Series([JULY], dtype="datetime64[ns]"), "datetime", ["ok"]),
    "a zone": (pd.Series([JULY], dtype="datetime64[ns, UTC]"), "datetime", ["type_mismatch"]),
    "far instants": (
        pd.Series([np.datetime64("2013-07-01", "s"), np.datetime64("9999-12-31", "s")]),
        "datetime",
        ["ok", "out_of_range"],
    ),
    "timedelta": (pd.Series([pd.Timedelta(1)]), "long", ["type_mismatch"]),
    "period": (pd.Series([pd.Period("2013-07")]), "datetime", ["type_mismatch"]),
    "interval": (pd.Series([pd.Interval(0, 1)]), "double", ["type_mismatch"]),
    "complex": (pd.Series([1j]), "double", ["type_mismatch"]),
    "big-endian": (pd.Series(np.array([1, 2], ">i8")), "long", ["ok", "ok"]),
    "sparse": (pd.Series(pd.arrays.SparseArray([0, 1])), "long", ["ok", "ok"]),
    "objects of int": (pd.Series([1, None], dtype=object), "long", ["ok", "null"]),
    "objects of bool": (pd.Series([True, None], dtype=object), "boolean", ["ok", "null"]),
    "objects of text": (
        pd.Series(["x", None, NAN], dtype=object),
        "string",
        ["ok", "null", "null"],
    ),
    "objects of bytes": (pd.Series([b"x", None], dtype=object), "binary", ["ok", "null"]),
    "objects of Decimal": (
        pd.Series([Decimal("0.5"), None], dtype=object),
        "double",
        ["ok", "null"],
    ),
    "objects of date": (
        pd.Series([dt.date(2013, 7, 1), None], dtype=object),
        "datetime",
        ["ok", "null"],
    ),
    "objects of float": (pd.Series([1.0, NAN], dtype=object), "double", ["ok", "null"]),
    "bytes for text": (pd.Series([b"x"], dtype=object), "string", ["type_mismatch"]),
    "text for bytes": (pd.Series(["x"]), "binary", ["type_mismatch"]),
    "ints for text": (pd.Series([1]), "string", ["type_mismatch"]),
    "bools for ints": (pd.Series([True]), "long", ["type_mismatch"]),
    "ints for bools": (pd.Series([0, 1]), "boolean", ["type_mismatch"]),
    "text for numbers": (pd.Series(["1"]), "double", ["type_mismatch"]),
}


@pytest.mark.parametrize(("series", "target", "expected"), PANDAS.values(), ids=PANDAS)
def test_a_pandas_column_is_judged_by_what_it_holds(
    series: Any, target: str, expected: list[str]
) -> None:
    """Whatever pandas calls it, a column conforms by its values' type, and MLflow agrees."""
    assert fate(series, target) == expected


@pytest.mark.parametrize(
    "index", [[5, 7], ["x", "y"], [0, 0], pd.MultiIndex.from_tuples([(0, 1), (0, 2)])]
)
def test_the_index_of_a_frame_is_not_part_of_it(index: Any) -> None:
    """Rows are counted by position, whatever they are labelled."""
    frame = pd.DataFrame({"a": [1.0, NAN]}, index=index)

    result = check_column(frame, "double")

    assert rows_of(result, "null") == [1]
    assert result.model_input().index.tolist() == [0]


def test_the_callers_frame_is_left_alone() -> None:
    """Judging and handing over change nothing in what was handed in."""
    frame = pd.DataFrame({"a": pd.Series([1, 2], dtype=object), "b": ["x", None]})
    before = frame.copy(deep=True)

    result = check(frame, contract(a="double", b="string"), SPLIT)
    handed = result.model_input()
    handed.loc[:, "a"] = 9.0

    pd.testing.assert_frame_equal(frame, before)


# ----- Polars -----

POLARS: dict[str, tuple[pl.Series, str, list[str]]] = {
    "Enum": (pl.Series(["x", None], dtype=pl.Enum(["x"])), "string", ["null"]),
    "Categorical": (pl.Series(["x", None], dtype=pl.Categorical), "string", ["null"]),
    "Decimal": (pl.Series([Decimal("0.5")], dtype=pl.Decimal(5, 2)), "double", []),
    "Date": (pl.Series([dt.date(2013, 7, 1)]), "datetime", []),
    "Datetime": (pl.Series([dt.datetime(2013, 7, 1)]), "datetime", []),
    "a zone": (
        pl.Series([dt.datetime(2013, 7, 1)]).dt.replace_time_zone("UTC"),
        "datetime",
        ["type_mismatch"],
    ),
    "Time": (pl.Series([dt.time(1)]), "datetime", ["type_mismatch"]),
    "Duration": (pl.Series([dt.timedelta(1)]), "long", ["type_mismatch"]),
    "Binary": (pl.Series([b"x"]), "binary", []),
    "List": (pl.Series([[1]]), "long", ["type_mismatch"]),
    "Struct": (pl.Series([{"x": 1}]), "long", ["type_mismatch"]),
    "Null": (pl.Series([None]), "double", ["null"]),
    "Float16": (pl.Series([0.5], dtype=pl.Float16), "float", []),
}


@pytest.mark.parametrize(("series", "target", "expected"), POLARS.values(), ids=POLARS)
@pytest.mark.parametrize("lazy", [False, True])
def test_a_polars_column_is_judged_by_its_type(
    series: pl.Series, target: str, expected: list[str], *, lazy: bool
) -> None:
    """Eager and lazy frames of every type are judged alike."""
    frame = pl.DataFrame({"a": series})

    result = check_column(frame.lazy() if lazy else frame, target)

    assert kinds(result) == expected
    assert result.verdict.batch.format == "polars"


@pytest.mark.parametrize(
    "series",
    [pl.Series([object()], dtype=pl.Object), pl.Series([1], dtype=pl.Int128)],
    ids=["Object", "Int128"],
)
def test_a_polars_type_without_counterpart_never_breaks_the_judgement(series: pl.Series) -> None:
    """Types that only Polars has conform or do not, and are in nobody's way beside others."""
    beside = check(
        pl.DataFrame({"a": [1], "b": series}), contract(a="long"), split(extra_columns="ignore")
    )
    asked = check_column(pl.DataFrame({"a": series}), "boolean")

    assert beside.passed
    assert kinds(asked) == ["type_mismatch"]


def test_a_lazy_frame_is_read_only_when_it_must_be() -> None:
    """A lazy frame's rows stay unread where its schema decides."""

    def never(_: pl.DataFrame) -> pl.DataFrame:
        message = "read"
        raise AssertionError(message)

    schema = {"a": pl.Int64}
    frame = pl.LazyFrame({"a": [1]}, schema=schema).map_batches(never, schema=schema)

    assert kinds(check(frame, contract(b="long"))) == ["missing_column", "extra_column"]


# ----- Arrow -----


@pytest.mark.parametrize("rows", [0, 3])
def test_a_record_batch_and_a_table_in_chunks_are_tables(rows: int) -> None:
    """How Arrow keeps a table together does not matter."""
    cells = pa.array(range(rows), pa.int64())
    chunked = pa.table({"a": pa.chunked_array([cells, cells])})

    for batch, expected in ((pa.record_batch({"a": cells}), rows), (chunked, 2 * rows)):
        result = check(batch, contract(a="long"), Policy(min_rows=0))
        assert result.verdict.rows == expected
        assert result.model_input()["a"].tolist() == [*range(rows)] * (expected // max(rows, 1))


@pytest.mark.parametrize(
    "batch",
    [pd.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 2]}), pa.table({"a": [1, 2]})],
    ids=["pandas", "polars", "arrow"],
)
def test_a_frame_is_described_without_its_rows(batch: Any) -> None:
    """The verdict says what was judged: kind, columns and number of rows."""
    verdict = check(batch, contract(a="long")).verdict

    assert verdict.batch.columns == (("a", "int64"),)
    assert verdict.batch.name == f"{verdict.batch.format} frame"
    assert (verdict.batch.uri, verdict.batch.bytes, verdict.rows) == (None, None, 2)


@pytest.mark.parametrize("rows", [0, 2])
def test_a_frame_of_no_columns_has_its_rows(rows: int) -> None:
    """A frame without columns is judged: every column is missing, however many rows it has."""
    batches = [pd.DataFrame(index=range(rows)), pl.DataFrame(height=rows)]

    for batch in batches:
        assert violations_in(check(batch, contract(a="long"))) == [("missing_column", "a", None)]


@pytest.mark.parametrize(
    "batch", [None, 7, b"bytes", ["list"], ("tuple",), {"set"}, object(), pd.Series([1]), range(3)]
)
def test_what_is_no_batch_is_misuse(batch: Any) -> None:
    """Objects that the gate does not read are named, with what it reads instead."""
    with pytest.raises(UnsupportedBatch, match="as a batch") as caught:
        check(batch, contract(a="long"))

    assert type(batch).__qualname__ in str(caught.value)
    assert "pandas" in str(caught.value)


def test_categories_within_nested_values_are_text() -> None:
    """Polars casts no category to bytes: text that ends in NUL is looked for by way of its text."""
    schema = Schema([ColSpec(Array(Map(Array(DataType.string))), "tags")])
    contract = Contract.from_signature(ModelSignature(schema))
    kind = pl.List(pl.Struct({"k": pl.List(pl.Categorical)}))
    tags = [[{"k": ["a", "b"]}], [{"k": ["a\0"]}], [{"k": []}]]
    frame = pl.DataFrame({"tags": pl.Series(tags).cast(kind)})

    (violation,) = check(frame, contract).violations

    assert (violation.kind, violation.rows) == ("not_representable", (1,))
