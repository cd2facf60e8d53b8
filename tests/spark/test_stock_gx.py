"""Stock GX on a Spark DataFrame agrees with the verdict, by the suite with Spark's type names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from small_checks import contract, split

from signature_gate.spark import check, to_spark_suite

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

pytest_plugins = ["spark_session"]
TYPES = {"l": "long", "i": "integer", "d": "double", "f": "float", "s": "string"} | {
    "b": "boolean",
    "t": "datetime",
    "y": "binary",
}
_COLUMNS = "l long, i int, d double, f float, s string, b boolean, t timestamp_ntz, y binary"


@pytest.fixture
def frame(spark: SparkSession) -> DataFrame:
    """Two rows of all scalar types; one cell is null."""
    cells = "1L, 1, 1.5D, 1.5F, 'x', true, timestamp_ntz'2020-01-01', binary('y')"
    absent = cells.replace("'x'", "cast(null as string)")
    return spark.sql(f"values ({cells}), ({absent})").toDF(*TYPES).to(_schema(spark))


def _schema(spark: SparkSession) -> Any:
    return spark.createDataFrame([], _COLUMNS).schema


def failing(frame: DataFrame, suite: dict[str, Any]) -> set[tuple[str, str | None]]:
    """List the expectations, with their columns, that stock GX finds broken."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    source = context.data_sources.add_spark("s").add_dataframe_asset("a")
    batch = source.add_batch_definition_whole_dataframe("b").get_batch({"dataframe": frame})
    results = batch.validate(gx.ExpectationSuite(**suite)).results
    assert all(not r.exception_info.get("raised_exception") for r in results)
    broken = [r.expectation_config for r in results if not r.success]
    return {(config.type, config.kwargs.get("column")) for config in broken}


def test_stock_gx_agrees_about_types_and_nulls(frame: DataFrame) -> None:
    """A null and a wrong type are found by both; whatever else the suite asks for is there."""
    by = contract(**TYPES)

    assert failing(frame, to_spark_suite(by)) == {("expect_column_values_to_not_be_null", "s")}
    found = check(frame, by, split()).verdict.violations
    assert [(v.kind, v.column, v.count) for v in found] == [("null", "s", 1)]

    filled = frame.na.fill("x")
    text = filled.withColumn("l", filled["s"])
    types = failing(text, to_spark_suite(by))
    assert types == {("expect_column_values_to_be_in_type_list", "l")}
    (wrong,) = check(text, by).verdict.violations
    assert (wrong.kind, wrong.column) == ("type_mismatch", "l")
