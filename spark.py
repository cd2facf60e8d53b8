"""The gate on Spark: ``from signature_gate.spark import check``.

``check`` judges a DataFrame where it lies, and hands its rows on as DataFrames. ``to_spark_suite``
writes the contract as a suite for Great Expectations on Spark.
"""

from __future__ import annotations

from .expectations.spark.gx_suite import to_spark_suite
from .expectations.spark.judging import SparkResult, check

__all__ = ["SparkResult", "check", "to_spark_suite"]
