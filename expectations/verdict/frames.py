"""Violations as a frame for analysis."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

# A violation's fields, each in one type, whether or not there is a violation.
_SCHEMA: dict[str, Any] = {
    "kind": pl.String,
    "column": pl.String,
    "severity": pl.String,
    "count": pl.Int64,
    "expected": pl.String,
    "observed": pl.String,
    "because": pl.String,
    "remedy": pl.String,
    "rows": pl.List(pl.Int64),
    "sample": pl.List(pl.String),
    "sample_counts": pl.List(pl.Int64),
    "files": pl.List(pl.String),
    "engine": pl.String,
    "expectation": pl.String,
    "message": pl.String,
}


def violations_frame(violations: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make a row of each violation's fields; the expectation is JSON text."""
    rows = [
        {**fields, "expectation": fields["expectation"] and json.dumps(fields["expectation"])}
        for fields in violations
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)
