"""Rules as users write them, and the contracts and rows that they are tried on.

- ``CONTRACT`` and ``FRAME``: a column of each type, with missing values.
- ``SMALL`` and ``ROWS``: four rows; two of them break ``AT_MOST_9``.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
from small_checks import contract

if TYPE_CHECKING:
    from pathlib import Path

    from stock_gx import Answer

    from signature_gate import Contract
    from signature_gate.expectations.verdict.rule_result import RuleResult

Rule = dict[str, Any]


def rule(kind: str, /, severity: str = "critical", **kwargs: Any) -> Rule:
    """Write a rule as GX does; ``expect_`` goes without saying."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def under(contract: Contract, *rules: Rule) -> Contract:
    """Add rules to a contract."""
    return replace(contract, rules=rules)


def where(column: str, sign: str, parameter: Any) -> dict[str, Any]:
    """Write a condition on rows as GX does."""
    stated = {"column": {"name": column}, "operator": sign, "parameter": parameter}
    return {"type": "comparison", **stated}


def agrees(ruling: RuleResult, answer: Answer) -> bool:
    """Compare a rule's outcome with that of stock GX, and the number of rows where GX counts."""
    counted = answer.unexpected_count is None or answer.unexpected_count == ruling.unexpected_count
    return ruling.success == answer.success and counted


def write_rules(path: Path, *rules: Rule) -> Path:
    """Write a suite of rules, as a policy names one."""
    path.write_text(json.dumps({"name": "mine", "expectations": list(rules), "meta": {}}))
    return path


TYPES = {"i": "long", "j": "integer", "f": "float", "d": "double", "e": "double"} | {
    "s": "string",
    "u": "string",
    "b": "boolean",
    "t": "datetime",
}
CONTRACT = contract(optional=("f", "d", "e", "s", "u", "t"), **TYPES)
_DAYS = [dt.datetime(2020, 1, 1), dt.datetime(2021, 6, 1, 12), None, dt.datetime(2020, 1, 1)]
FRAME = pl.DataFrame(
    {
        "i": [1, 2, 3, 4],
        "j": pl.Series([1, 2, 3, 5], dtype=pl.Int32),
        "f": pl.Series([0.1, 0.5, None, 2.0], dtype=pl.Float32),
        "d": [1.0, None, 3.0, float("inf")],
        "e": [1.0, None, 2.5, float("inf")],
        "s": ["x", "y\n", None, "xyz"],
        "u": ["x", None, None, "q"],
        "b": [True, False, True, True],
        "t": pl.Series(_DAYS, dtype=pl.Datetime("ns")),
    }
)

SMALL = contract(optional=("b",), a="long", b="double", s="string")
ROWS = pl.DataFrame({"a": [1, 2, 50, 60], "b": [1.0, None, 3.0, 0.5], "s": ["x", "y", "x", "z"]})
AT_MOST_9 = rule("column_values_to_be_between", column="a", max_value=9)
