"""Spark's tables: judged where they lie, with the verdict that Polars gives on the same rows."""
