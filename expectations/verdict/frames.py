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
    "kept": pl.String,
    "sample": pl.List(pl.String),
    "sample_counts": pl.List(pl.Int64),
    "files": pl.List(pl.String),
    "engine": pl.String,
    "statistic": pl.String,
    "limits": pl.List(pl.Float64),
    "expectation": pl.String,
    "message": pl.String,
}


# Their shape differs from one violation to the next.
_AS_JSON = ("kept", "expectation")


def violations_frame(violations: Iterable[Mapping[str, Any]]) -> pl.DataFrame:
    """Make a row of each violation's fields; kept cells and the expectation are JSON text."""
    rows = [
        fields | {name: json.dumps(fields[name]) if fields[name] else None for name in _AS_JSON}
        for fields in map(dict, violations)
    ]
    return pl.DataFrame(rows, schema=_SCHEMA)
