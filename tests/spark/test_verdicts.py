"""The verdict on a Spark DataFrame, and its rows, are those that Polars gives on the same rows."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pyspark.sql import functions as sf
from rule_cases import rule, under
from small_checks import contract, split
from spark_verdicts import found, held_to_polars
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Misuse, Policy, UnsupportedBatch, check, learn
from signature_gate import spark as on_spark
from signature_gate.expectations.errors import InvalidPolicy, InvalidRules
from signature_gate.expectations.judge.checking import plan
from signature_gate.expectations.judge.request import check_request
from signature_gate.expectations.judge.scan_stage import scan_files
from signature_gate.expectations.spark.frame import open_arrow
from signature_gate.expectations.spark.workers import Counts, Stages, merged

if TYPE_CHECKING:
    from pathlib import Path

    from pyspark.sql import SparkSession


pytest_plugins = ["spark_session"]
# What Spark has no type for -> the next that it has.
_NEXT = {
    pa.uint8(): pa.int16(),
    pa.uint16(): pa.int32(),
    pa.uint32(): pa.int64(),
    pa.uint64(): pa.decimal128(20, 0),
    pa.string_view(): pa.string(),
    pa.large_string(): pa.string(),
    pa.dictionary(pa.int32(), pa.string()): pa.string(),
    pa.timestamp("ms"): pa.timestamp("us"),
}
AB = contract(a="long", b="double")


def as_in_spark(table: pa.Table) -> pa.Table:
    """Give columns the types that Spark has."""
    fields = [field.with_type(_NEXT.get(field.type, field.type)) for field in table.schema]
    return table.cast(pa.schema(fields))


@settings(max_examples=50)
@given(data=st.data())
def test_parts_add_up_to_the_verdict_of_the_whole(data: st.DataObject) -> None:
    """Counted by workers in any parts, any signature, policy and rows have the counts of Polars."""
    by, policy = data.draw(contracts(nested=False)), data.draw(POLICIES)
    table = as_in_spark(data.draw(tables(by)))
    request = check_request(by, policy, "polars")
    whole, planned = check(table, by, policy), plan(open_arrow(table, request), request)
    assume(planned.planned)
    names = tuple(table.column_names)
    stages = Stages(request, names, (), tuple(range(len(names))))
    cuts = sorted({0, table.num_rows, data.draw(st.integers(0, table.num_rows))})
    (empty,) = scan_files(plan(open_arrow(table.slice(0, 0), request), request), policy).files

    parts = [
        replace(empty, **dict(Counts.model_validate_json(row)))
        for low, high in pairwise(cuts)
        for counts in stages.count(table.take(list(range(low, high))).to_batches())
        for row in counts["counts"].to_pylist()
    ]
    counts = merged([empty, *parts], policy.sample_rows)

    assert (counts.row_count, counts.rejected) == (whole.verdict.rows, whole.verdict.rejected)
    wanted = [v for v in found(whole.violations) if v[2] is not None]
    assert found(counts.row_violations) == wanted
    assert all(not v.rows and not v.files for v in counts.row_violations)


@settings(max_examples=6, phases=[Phase.generate])
@given(data=st.data())
def test_any_frame_is_judged_as_by_polars(spark: SparkSession, data: st.DataObject) -> None:
    """Any signature, policy and rows of scalar types: one verdict, and the same accepted rows."""
    by = data.draw(contracts(nested=False))
    frame = spark.createDataFrame(as_in_spark(data.draw(tables(by))))

    held_to_polars(frame, by, data.draw(POLICIES))


def test_names_of_any_kind_are_columns_of_their_own(spark: SparkSession) -> None:
    """Dots, backticks, patterns, names that differ in case alone, and reserved ones are names."""
    by = contract(**{"a.b": "long", "`x`": "double", "*": "string", "A": "long"})
    names = ["A", "a", "*", "`x`", "a.b", "_row", "_violations"]
    frame = spark.createDataFrame([(1, 2, "t", 0.5, None, 7, "old"), (1, 2, "t", 0.5, 3, 8, "")])
    frame = frame.toDF(*names)

    held_to_polars(frame, by, split(keep=["a"]))

    result = on_spark.check(frame, by, split(keep=["a"]))
    assert result.rejected.columns == ["A", "a", "*", "`x`", "a.b", "_violations"]
    assert result.rejected.collect()[0][-1] == ["null in 'a.b': null"]
    assert result.accepted is not None
    assert result.accepted.columns == ["a.b", "`x`", "*", "A", "a"]


def test_each_row_carries_its_reasons(spark: SparkSession) -> None:
    """All rows are there as they arrived; good ones have no reasons, bad ones those of Polars."""
    rows = [(1, 0.5, "k"), (None, float("nan"), "l"), (3, None, "m")]
    frame = spark.createDataFrame(rows, "a long, b double, key string")
    result, local = on_spark.check(frame, AB, split()), check(frame.toArrow(), AB, split())

    reasons = {row["key"]: row["_violations"] for row in result.rows.collect()}
    bad = result.rejected.toArrow()

    assert reasons["k"] == []
    assert local.rejected is not None
    expected = local.rejected.drop("_row").collect()
    assert_frame_equal(pl.from_arrow(bad), expected, check_row_order=False)
    assert {k: v for k, v in reasons.items() if v} == dict(
        expected.select("key", "_violations").iter_rows()
    )


def test_names_and_types_are_judged_without_a_job(spark: SparkSession) -> None:
    """A frame whose rows cannot be computed is turned away for its types before any is."""
    impossible = sf.raise_error(sf.lit("a row was computed")).cast("string")
    frame = spark.range(3).select(impossible.alias("a"), sf.lit(1.5).alias("c"))

    result = on_spark.check(frame, AB)

    assert [(v.kind, v.column) for v in result.verdict.violations] == [
        ("missing_column", "b"),
        ("extra_column", None),
        ("type_mismatch", "a"),
    ]
    assert result.verdict.rows is None
    assert result.accepted is None
    assert result.rejected.select("_violations").schema == result.rows.select("_violations").schema


def test_every_row_is_rejected_after_a_violation_of_the_whole(spark: SparkSession) -> None:
    """Too few rows, or a missing column: each row has the reason, as with Polars."""
    frame = spark.createDataFrame([(1, 0.5)], "a long, b double")
    policy = split(min_rows=2)

    held_to_polars(frame, AB, policy)

    (row,) = on_spark.check(frame, AB, policy).rejected.collect()
    local = check(frame.toArrow(), AB, policy).rejected
    assert local is not None
    assert row["_violations"] == local.collect()["_violations"].to_list()[0]
    (row,) = on_spark.check(frame.drop("b"), AB).rejected.collect()
    assert row["_violations"][0].startswith("missing_column in column 'b'")


def test_no_rows_are_too_few(spark: SparkSession) -> None:
    """An empty frame, of any number of partitions, has the verdict of an empty table."""
    empty = spark.createDataFrame([], "a long, b double, c string")
    held_to_polars(empty, AB, Policy())
    held_to_polars(empty.repartition(3), AB, Policy(min_rows=0))


def test_rules_about_rows_are_kept_count_of(spark: SparkSession) -> None:
    """Limits, sets, patterns and conditions are counted as by Polars, with their rule results."""
    by = under(
        contract(a="long", b="double", s="string"),
        rule("column_values_to_be_between", column="b", min_value=0, max_value=9),
        rule("column_values_to_be_in_set", column="s", value_set=["x", "y"]),
        rule("column_values_to_match_regex", "warning", column="s", regex="^[a-z]$"),
        rule("table_column_count_to_equal", value=3),
    )
    rows = [(i, float(i - 2), "xyzW"[i % 4]) for i in range(20)]
    frame = spark.createDataFrame(rows, "a long, b double, s string").repartition(3)

    local = held_to_polars(frame, by, split())

    assert {v.kind for v in local.violations} == {"rule"}


@pytest.mark.parametrize(
    "of_the_whole",
    [
        rule("column_values_to_be_unique", column="a"),
        rule("column_mean_to_be_between", column="b", min_value=0),
        rule("column_values_to_be_between", column="b", min_value=0, mostly=0.9),
        rule("column_values_to_match_strftime_format", column="s", strftime_format="%Y"),
    ],
    ids=lambda stated: stated["type"],
)
def test_a_rule_about_the_whole_is_refused_by_name(
    spark: SparkSession, of_the_whole: dict[str, Any]
) -> None:
    """What parts do not add up to is never judged otherwise in silence."""
    by = under(contract(a="long", b="double", s="string"), of_the_whole)
    frame = spark.createDataFrame([(1, 0.5, "x")], "a long, b double, s string")

    with pytest.raises(InvalidRules, match=of_the_whole["type"]):
        on_spark.check(frame, by)


def test_what_spark_cannot_be_judged_by_is_refused(spark: SparkSession) -> None:
    """Tensors, intervals of months, and what is no DataFrame of Spark's."""
    tensor = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
    frame = spark.createDataFrame([(1, 0.5)], "a long, b double")
    odd = frame.selectExpr("*", "make_interval(1) as since")

    with pytest.raises(UnsupportedBatch, match="tensors"):
        on_spark.check(frame, Contract.from_signature({"inputs": json.dumps([tensor])}))
    learned = replace(AB, values=learn(pl.DataFrame({"a": range(50), "b": [0.5] * 50})))
    with pytest.raises(InvalidPolicy, match="values: ignore"):
        on_spark.check(frame, learned)
    assert on_spark.check(frame, learned, {"values": "ignore"}).verdict.passed
    with pytest.raises(UnsupportedBatch, match="CalendarInterval"):
        on_spark.check(odd, AB)
    with pytest.raises(Misuse, match="takes a Spark DataFrame, not an object of type Table"):
        on_spark.check(frame.toArrow(), AB)


def test_a_task_that_is_tried_again_counts_its_rows_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A task whose worker dies after it was handed half its rows changes no count."""
    marker = tmp_path / "died"

    def dies_once(batches: Any) -> Any:
        import os

        for number, batch in enumerate(batches):
            yield batch
            if number == 0 and not marker.exists():
                marker.touch()
                os._exit(1)

    frame = spark.range(0, 60_000, 1, 2).selectExpr("nullif(id, 7) as a", "cast(id as double) b")
    frail = frame.mapInArrow(dies_once, "a long, b double")

    result = on_spark.check(frail, AB, split())

    assert marker.exists()
    assert (result.verdict.rows, result.verdict.rejected) == (60_000, 1)
    assert [(v.kind, v.count) for v in result.verdict.violations] == [("null", 1)]


def test_nested_columns_are_judged_by_the_gate(spark: SparkSession) -> None:
    """Maps, objects and columns of any type are judged as by Polars, and stay what they are."""
    inner = {"x": {"type": "long", "required": True}}
    by = contract(
        m={"type": "map", "values": {"type": "long"}},
        o={"type": "object", "properties": inner},
        y={"type": "any"},
        optional=("y",),
    )
    frame = spark.sql(
        "select map('k', 1L) m, named_struct('x', 1L) o, map('z', array(1)) y union all "
        "select map('k', cast(null as long)), named_struct('x', cast(null as long)), null"
    )

    result = on_spark.check(frame, by, split())

    assert found(result.verdict.violations) == found(check(frame.toArrow(), by, split()).violations)
    assert result.accepted is not None
    (row,) = result.accepted.collect()
    assert (row["m"], row["o"]["x"], row["y"]) == ({"k": 1}, 1, {"z": [1]})
