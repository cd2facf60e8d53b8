"""Try a model version before it is promoted: contract, example, predictions, outputs, batches."""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from ...expectations.contract.policy import Policy
from ...expectations.errors import Misuse, NoContract
from ...expectations.preflight.report import STEPS, Preflight, Step
from ...expectations.registry.client import load_contract
from ...expectations.wording import counted
from .inputs import ModelCandidate, rehearse_example, rehearse_synthetic
from .recent_batches import folder_of, judge_recent
from .trial import try_model

if TYPE_CHECKING:
    from pathlib import Path

    from ...expectations.contract.contract import Contract


def preflight(
    uri: str,
    batches: str | Path | None = None,
    policy: Policy | None = None,
    timeout: float | None = None,
) -> Preflight:
    """Try a model version on a folder of recent batches. This loads the model and runs its code.

    A step that fails keeps the others from being tried only if they need it. A URI that names a
    contract without a model raises Misuse.
    """
    folder = folder_of(batches)
    try:
        contract = load_contract(uri, timeout)
    except NoContract as error:
        return _without_contract(uri, error)
    if contract.model is None:
        msg = f"{uri} is a contract without a model; name the model that is to be tried."
        raise Misuse(msg)
    policy = policy or contract.policy or Policy()
    return _try(uri, ModelCandidate(contract, contract.model, policy, timeout), folder)


def _try(uri: str, candidate: ModelCandidate, folder: Path | None) -> Preflight:
    example, synthetic = rehearse_example(candidate), rehearse_synthetic(candidate)
    predict, output = try_model(candidate, example.result, synthetic.result)
    recent, outcomes = judge_recent(folder, candidate.contract, candidate.policy)
    usable = _contract_step().passed(_describe(candidate.contract))
    return Preflight(
        uri=uri,
        model=candidate.model,
        contract=candidate.contract.fingerprint,
        steps=(usable, example.step, synthetic.step, predict, output, recent),
        batches=outcomes,
        gate_version=version("signature-gate"),
    )


def _contract_step() -> Step:
    expected = "a signature that decides what fits"
    return Step(name="contract", state="skipped", expected=expected, observed="")


def _without_contract(uri: str, error: NoContract) -> Preflight:
    failed = _contract_step().failed(error.reason, error.remedy)
    others = (
        Step(
            name=name, state="skipped", expected="a contract to try it by", observed="there is none"
        )
        for name in STEPS[1:]
    )
    return Preflight(uri=uri, steps=(failed, *others), gate_version=version("signature-gate"))


def _describe(contract: Contract) -> str:
    required = sum(column.required for column in contract.columns)
    kind = "tensor" if contract.tensors else "column"
    return f"{counted(len(contract.columns), kind)}, {required} of them required"
