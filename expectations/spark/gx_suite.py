"""The suite of a contract for Great Expectations on Spark, whose types have other names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Collection

    from ..contract.contract import Contract
    from ..contract.policy import Policy

# Spark's types of pandas' in which the model receives its columns.
_SPARK = {
    "bool": "BooleanType",
    "int32": "IntegerType",
    "int64": "LongType",
    "float32": "FloatType",
    "float64": "DoubleType",
    "str": "StringType",
    "object": "BinaryType",
    "datetime64[ns]": "TimestampNTZType",
}


def to_spark_suite(
    contract: Contract, policy: Policy | None = None, columns: Collection[str] | None = None
) -> dict[str, Any]:
    """Translate a contract as ``to_suite`` does, with Spark's type names beside those of pandas."""
    suite = to_suite(contract, policy, columns)
    return {**suite, "expectations": [_with_names(stated) for stated in suite["expectations"]]}


def _with_names(stated: dict[str, Any]) -> dict[str, Any]:
    if stated["type"] != "expect_column_type_to_be" or stated["kwargs"]["type_"] not in _SPARK:
        return stated
    column, name = stated["kwargs"]["column"], stated["kwargs"]["type_"]
    kwargs = {"column": column, "type_list": [name, _SPARK[name]]}
    return {**stated, "type": "expect_column_values_to_be_in_type_list", "kwargs": kwargs}
