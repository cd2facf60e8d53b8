"""A Spark DataFrame judged by both engines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
from polars.testing import assert_frame_equal

from signature_gate import Contract, Policy, check
from signature_gate import spark as on_spark

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from signature_gate.expectations.judge.result import CheckResult

_OF_ROWS = ("kind", "column", "count", "severity", "expected", "observed", "because", "remedy")


def found(violations: Any) -> list[tuple[Any, ...]]:
    """List what is found of each violation, but its examples."""
    return [tuple(getattr(v, name) for name in _OF_ROWS) for v in violations]


def held_to_polars(frame: DataFrame, by: Contract, policy: Policy) -> CheckResult:
    """Judge rows by both engines: they find the same, and accept the same rows in the same types.

    Polars counts the rows of a table in memory even if it judges none of them.
    """
    here, there = on_spark.check(frame, by, policy), check(frame.toArrow(), by, policy)
    verdict, expected = here.verdict, there.verdict

    assert found(verdict.violations) == found(expected.violations)
    assert verdict.disposition == expected.disposition
    assert (verdict.rejected, verdict.conversions) == (expected.rejected, expected.conversions)
    assert (verdict.evidence, verdict.rules) == (expected.evidence, expected.rules)
    assert verdict.rows in (expected.rows, None)
    assert (here.accepted is None) == (there.accepted is None)
    if here.accepted is not None and there.accepted is not None:
        rows = pl.from_arrow(here.accepted.toArrow())
        wanted = there.accepted.drop("_row").collect()
        in_spark = wanted.cast({pl.Datetime("ns"): pl.Datetime("us")})
        assert_frame_equal(rows, in_spark, check_row_order=False)
    return there
