"""Judge rows that should fit a contract: the model's input example, and generated rows."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.contract.params import param_faults
from ...expectations.errors import ModelNotFound, UnsupportedBatch
from ...expectations.judge.checking import check
from ...expectations.preflight.example_batch import example_batch
from ...expectations.preflight.report import Step
from ...expectations.preflight.synthetic_batch import GeneratorOptions, synthetic_batch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...expectations.contract.contract import Contract
    from ...expectations.contract.model_version import ModelVersion
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.result import CheckResult

# Fields of the policy that are about the batches of a feed, not about the contract.
_OF_FEEDS: dict[str, Any] = {"rename": {}, "keep": (), "min_rows": 1, "rules": None}
_LOG_EXAMPLE = "Log the model again with input_example=…, whose rows are then tried first."
_AGREE = "Log the model again with an example and a signature that agree."


class ModelCandidate(NamedTuple):
    """The version to try, its contract, and what the contract leaves open."""

    contract: Contract
    model: ModelVersion
    policy: Policy
    timeout: float | None = None


class Rehearsal(NamedTuple):
    """A step, and the rows that it judged if they all fit."""

    step: Step
    result: CheckResult | None = None


def rehearse_example(candidate: ModelCandidate) -> Rehearsal:
    """Judge the input example that the model was logged with; skipped where there is none."""
    from ...expectations.registry.client import load_example

    step = Step(
        name="input example",
        state="skipped",
        expected="the input example that the model was logged with fits its signature",
        observed="none was logged",
        remedy=_LOG_EXAMPLE,
    )
    try:
        example = load_example(candidate.model, candidate.timeout)
        if example is None:
            return Rehearsal(step)
        if wrong := param_faults(example.params or {}, candidate.contract):
            return Rehearsal(step.failed(f"the model {'; '.join(wrong)}", _AGREE))
        batch = example_batch(example, candidate.contract)
        return _judged(step, [batch], candidate, "as the signature says", _AGREE)
    except (ModelNotFound, UnsupportedBatch, ValueError) as error:
        return Rehearsal(step.failed(f"no rows: {error}", _AGREE))


def rehearse_synthetic(candidate: ModelCandidate) -> Rehearsal:
    """Judge generated batches: ordinary values and edges, with and without optional columns.

    The result holds the ordinary rows with all columns.
    """
    step = Step(
        name="synthetic batch",
        state="skipped",
        expected="batches made from the contract, of ordinary values and of edges, pass the gate",
        observed="",
    )
    options = [
        GeneratorOptions(edges=edges, optional=optional, policy=candidate.policy)
        for edges in (False, True)
        for optional in (True, False)
    ]
    batches = [synthetic_batch(candidate.contract, each) for each in options]
    kinds = "ordinary values and edges, with and without optional columns"
    return _judged(step, batches, candidate, kinds)


def _judged(
    step: Step, batches: Sequence[Any], candidate: ModelCandidate, of: str, remedy: str = ""
) -> Rehearsal:
    policy = candidate.policy.model_copy(update=_OF_FEEDS)
    # So are the rules of users.
    contract = replace(candidate.contract, rules=())
    results = [check(batch, contract, policy) for batch in batches]
    for result in results:
        if not result.passed:
            return Rehearsal(step.failed_by(result.verdict.blocking, remedy))
    rows = sum(result.verdict.accepted for result in results)
    passed = step.passed(f"{rows} row{' fits' if rows == 1 else 's fit'}: {of}")
    return Rehearsal(passed.model_copy(update={"remedy": ""}), results[0])
