"""Small contracts, checks by them, and what these report."""

from __future__ import annotations

import gc
import json
import time
from typing import TYPE_CHECKING, Any

import polars as pl

from signature_gate import Contract, Policy, check

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.expectations.judge.result import CheckResult

# Splits a batch, however many of its rows fail.
SPLIT = Policy(on_mismatch="split", max_rejected=1)


def split(**fields: Any) -> Policy:
    """Make a policy that splits, however many rows fail, with these fields."""
    return Policy.parse({"on_mismatch": "split", "max_rejected": 1} | fields)


def contract(optional: tuple[str, ...] = (), **types: Any) -> Contract:
    """Make a contract of named columns.

    Args:
        optional: Names of the optional columns.
        types: The MLflow type by column, as its name or as in a signature's JSON.
    """
    specs = [
        {**({"type": kind} if isinstance(kind, str) else kind), "name": name}
        | {"required": name not in optional}
        for name, kind in types.items()
    ]
    return Contract.from_signature({"inputs": json.dumps(specs)})


def violations_in(result: CheckResult) -> list[tuple[str, str | None, int | None]]:
    """List kind, column and count of each violation."""
    return [(v.kind, v.column, v.count) for v in result.violations]


def kinds(result: CheckResult) -> list[str]:
    """List the kinds of the violations."""
    return [violation.kind for violation in result.violations]


def rows_of(result: CheckResult, kind: str) -> list[int]:
    """List the sampled rows of the violations of a kind."""
    return [row for v in result.violations if v.kind == kind for row in v.rows]


def accepted(result: CheckResult) -> list[dict[str, Any]]:
    """List the accepted rows."""
    assert result.accepted is not None
    return result.accepted.collect().to_dicts()


def check_column(batch: Any, kind: str, policy: Policy = SPLIT) -> CheckResult:
    """Check a batch against a contract of one required column ``a``."""
    return check(batch, contract(a=kind), policy)


def mlflow_accepts(frame: Any, judged_by: Contract) -> None:
    """Let MLflow enforce the contract's schema; it raises if it refuses the frame."""
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    validate_schema(frame.copy(), Schema.from_json(judged_by.signature["inputs"]))


def left_in(folder: Path) -> list[Path]:
    """List what lies in a folder once nothing reads it: Polars keeps a query until the next."""
    for _ in range(100):
        if not list(folder.iterdir()):
            break
        pl.LazyFrame({"a": [1]}).select(pl.len()).collect(engine="streaming")
        gc.collect()
        time.sleep(0.02)
    return list(folder.iterdir())
