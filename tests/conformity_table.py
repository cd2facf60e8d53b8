"""Make docs/conformity.md: every column of the zoo against the types, gate beside MLflow.

Run by ``make table``; nothing in the table is typed by hand.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import pandas as pd
import zoo

from signature_gate import Contract, check
from signature_gate.expectations.types import SCALARS, parse_type

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPECS: list[dict[str, Any]] = [
    *({"type": name} for name in SCALARS),
    {"type": "array", "items": {"type": "long"}},
    {"type": "array", "items": {"type": "string"}},
    {"type": "object", "properties": {"a": {"type": "long", "required": True}}},
    {"type": "map", "values": {"type": "long"}},
    {"type": "any"},
    {"type": "sparkml_vector"},
    {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},
    {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 2]}},
]
_PASSED, _PER_ROW, _REFUSED = "✓", "◐", "✗"
_HEAD = """# What conforms to what

Made by `make table` from a run with MLflow {mlflow}, pandas {pandas} and Polars {polars}.
Rows are the columns that arrive, in pandas; columns are the MLflow types of a required column under
the default policy.
In each cell the gate's verdict stands before MLflow's:
✓ accepted, ◐ some rows are at fault and can be told apart, ✗ refused.

| arrives as | {types} |
|---|{rules}|
"""


def table() -> str:
    """Judge the whole zoo and return the page."""
    versions = {name: version(name) for name in ("mlflow", "pandas", "polars")}
    types = " | ".join(str(parse_type(spec)) for spec in _SPECS)
    head = _HEAD.format(types=types, rules="---|" * len(_SPECS), **versions)
    return head.replace("||", "|") + "".join(_rows())


def _rows() -> Iterator[str]:
    for name, column in zoo.columns().items():
        cells = [_cell(column, spec) for spec in _SPECS]
        yield f"| {name.replace('|', '/')} | {' | '.join(cells)} |\n"


def _cell(column: pd.Series, spec: dict[str, Any]) -> str:
    stated = spec if spec["type"] == "tensor" else {**spec, "required": True}
    inputs = json.dumps([{**stated, "name": "c"}])
    frame = pd.DataFrame({"c": column})
    result = check(frame, Contract.from_signature({"inputs": inputs}))
    verdict = result.verdict
    gate = _PASSED if verdict.passed else _REFUSED if verdict.whole else _PER_ROW
    return f"{gate} {_PASSED if _accepted_by_mlflow(frame, inputs) else _REFUSED}"


def _accepted_by_mlflow(frame: Any, inputs: str) -> bool:
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    try:
        validate_schema(frame.copy(deep=True), Schema.from_json(inputs))
    except Exception:  # noqa: BLE001 - MLflow lets errors of every kind through
        return False
    return True


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(action="ignore"):
        sys.stdout.write(table())
