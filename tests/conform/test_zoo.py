"""Every dtype that pandas knows against every type that MLflow knows; MLflow is the oracle."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pandas_column_cases
import pytest
from repository import ROOT

from signature_gate import Contract, Policy, check
from signature_gate.expectations.contract.types import SCALARS

if TYPE_CHECKING:
    from collections.abc import Callable

# What make prove judges all of; a test judges one of each kind.
_EVERYTHING = os.environ.get("SIGNATURE_GATE_EXAMPLES") is not None
_ITEMS = SCALARS if _EVERYTHING else ("long", "string", "datetime")
_NESTED: list[dict[str, Any]] = [
    *({"type": "array", "items": {"type": name}} for name in _ITEMS),
    {"type": "array", "items": {"type": "any"}},
    {"type": "object", "properties": {"a": {"type": "long", "required": True}}},
    {"type": "map", "values": {"type": "long"}},
    {"type": "any"},
    {"type": "sparkml_vector"},
]
_TENSORS: list[dict[str, Any]] = [
    {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
    for dtype in ("float64", "int64", "uint8", "str", "bool")
    for shape in ([-1], [-1, 1], [-1, 2])
]
_OPTIONAL = [{**spec, "required": False} for spec in [*({"type": n} for n in SCALARS), *_NESTED]]
SPECS = [
    *({"type": name, "required": True} for name in SCALARS),
    *({**spec, "required": True} for spec in _NESTED),
    *(_TENSORS if _EVERYTHING else _TENSORS[:4]),
    *(_OPTIONAL if _EVERYTHING else _OPTIONAL[2:3]),
]
POLICIES = [
    Policy(on_mismatch="split", max_rejected=1),
    Policy(
        on_mismatch="split",
        max_rejected=1,
        nulls="allow",
        parse_text="allow",
        timezone="utc",
        lossy_floats="allow",
        min_rows=0,
    ),
]


@pytest.fixture(scope="module")
def columns() -> dict[str, pd.Series]:
    return pandas_column_cases.columns()


@pytest.fixture(scope="module")
def accepts() -> Callable[[Any, str], bool]:
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    def accepted(batch: Any, inputs: str) -> bool:
        try:
            validate_schema(batch, Schema.from_json(inputs))
        except Exception:  # noqa: BLE001 - MLflow lets errors of every kind through
            return False
        return True

    return accepted


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("policy", POLICIES, ids=["strict", "lenient"])
@pytest.mark.parametrize("spec", SPECS, ids=json.dumps)
def test_no_dtype_is_judged_wrongly(
    spec: dict[str, Any], policy: Policy, columns: dict[str, pd.Series], accepts: Any
) -> None:
    """No crash; what is handed over MLflow accepts; what only the gate refuses it explains."""
    inputs = json.dumps([{**spec, "name": "c"}])
    contract = Contract.from_signature({"inputs": inputs})
    for name, column in columns.items():
        frame = pd.DataFrame({"c": column})

        result = check(frame, contract, policy)

        if result.disposition in ("passed", "split"):
            assert accepts(result.model_input(), inputs), f"unsound: {name}"
        if not result.passed and accepts(frame.copy(deep=True), inputs):
            assert all(v.because for v in result.verdict.blocking), f"unexplained: {name}"
        accepted = 0 if result.accepted is None else result.accepted.collect().height
        rejected = 0 if result.rejected is None else result.rejected.collect().height
        assert len(frame) == accepted + rejected or result.accepted is None, name


@pytest.mark.filterwarnings("ignore")
def test_the_table_in_the_docs_is_from_a_run() -> None:
    """docs/conformity.md is what `make table` writes today, whichever kind of batch is judged."""
    from conformity_table import table

    written = (ROOT / "docs" / "conformity.md").read_text("utf-8")

    assert table(by_turns=not _EVERYTHING).splitlines()[10:] == written.splitlines()[10:]
