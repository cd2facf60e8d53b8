"""The gate on Spark: ``from signature_gate.spark import check``.

``check`` judges a DataFrame where it lies, and hands its rows on as DataFrames.
"""

from __future__ import annotations

from .expectations.spark.judging import SparkResult, check

__all__ = ["SparkResult", "check"]
