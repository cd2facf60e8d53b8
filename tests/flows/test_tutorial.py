"""The scenarios of MLflow's signature tutorial, by call, by flow and by command."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from tutorial_models import house_frame, iris_frame

from signature_gate import Contract, Policy, check

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd
    from tutorial_models import Tutorial

    from signature_gate.expectations.verdict.verdict import Verdict


@dataclass(frozen=True)
class Scenario:
    """A batch for one of the tutorial's models, and its expected violations."""

    model: str
    batch: Callable[[], pd.DataFrame]
    found: tuple[tuple[str, str | None], ...] = ()
    policy: dict[str, Any] = field(default_factory=dict)
    disposition: str = "passed"


def _bedrooms_for_bathrooms() -> pd.DataFrame:
    return house_frame().rename(columns={"bedrooms": "bathrooms"})


def _sqft_as_text() -> pd.DataFrame:
    return house_frame().astype({"sqft": str})


def _swapped() -> pd.DataFrame:
    frame = house_frame()
    return frame[[*reversed(frame.columns)]]


SCENARIOS = {
    "iris, inferred": Scenario("iris_inferred", iris_frame),
    "iris, explicit columns": Scenario("iris_columns", iris_frame),
    "iris, a named tensor": Scenario("iris_tensor", iris_frame),
    "houses": Scenario("house_price", house_frame),
    "bedrooms missing, bathrooms extra": Scenario(
        "house_price",
        _bedrooms_for_bathrooms,
        (("missing_column", "bedrooms"), ("extra_column", None)),
        disposition="quarantined",
    ),
    "sqft as text": Scenario(
        "house_price", _sqft_as_text, (("type_mismatch", "sqft"),), disposition="quarantined"
    ),
    "columns swapped, order ignored": Scenario(
        "house_price", _swapped, policy={"column_order": "ignore"}
    ),
    "columns swapped, order forbidden": Scenario(
        "house_price",
        _swapped,
        (("column_order", None),),
        policy={"column_order": "forbid"},
        disposition="quarantined",
    ),
}


@pytest.fixture(params=SCENARIOS.values(), ids=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return request.param


@pytest.fixture
def model(scenario: Scenario, request: pytest.FixtureRequest) -> Tutorial:
    return request.getfixturevalue(scenario.model)


@pytest.fixture
def file(scenario: Scenario, tmp_path: Path) -> Path:
    path = tmp_path / "batch.parquet"
    scenario.batch().to_parquet(path, index=False)
    return path


def _as_expected(scenario: Scenario, verdict: Verdict) -> None:
    assert scenario.disposition == verdict.disposition
    assert scenario.found == tuple((v.kind, v.column) for v in verdict.violations)


def test_by_call(scenario: Scenario, model: Tutorial) -> None:
    """check() reports exactly the violations, and MLflow's model predicts on the model input."""
    result = check(scenario.batch(), Contract.load(model.uri), Policy(**scenario.policy))

    _as_expected(scenario, result.verdict)
    if result.passed:
        import mlflow

        loaded = mlflow.pyfunc.load_model(model.pinned)
        assert len(scenario.batch()) == len(loaded.predict(result.model_input()))


def test_by_flow(scenario: Scenario, model: Tutorial, file: Path, prefect_server: None) -> None:
    """gate_batch ends in the state of the verdict."""
    from signature_gate.flows.gating import gate_batch

    state = gate_batch(file, model.uri, Policy(**scenario.policy), return_state=True)

    _as_expected(scenario, state.result())
    assert {"passed": "Completed", "quarantined": "Quarantined"}[scenario.disposition] == state.name


def test_by_command(
    scenario: Scenario, model: Tutorial, file: Path, tmp_path: Path, capsys: Any
) -> None:
    """The command line prints the same verdict and exits 0 or 1."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(json.dumps(scenario.policy), "utf-8")

    code, printed, _ = run(capsys, "check", model.uri, str(file), "--policy", str(policy), "--json")

    verdict = json.loads(printed)
    assert scenario.disposition == verdict["disposition"]
    assert [kind for kind, _ in scenario.found] == [v["kind"] for v in verdict["violations"]]
    assert (0 if scenario.disposition == "passed" else 1) == code
