"""Let a model predict on a few rows that fit its contract."""

from __future__ import annotations

import logging
import os
from copy import deepcopy
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.contract.types import Tensor
from ...expectations.errors import ModelFailed
from ...expectations.escaping import visible
from ...expectations.outputs.check import judge_output
from ...expectations.preflight.report import Step

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ...expectations.contract.contract import Contract
    from ...expectations.judge.result import CheckResult
    from .inputs import ModelCandidate

_log = logging.getLogger("signature_gate.trials")
_LONGEST_ERROR = 500
_REPAIR = "Repair the model, or log it again with the signature that it really needs."
_GENERATED = (
    "Repair the model; if generated values are the cause, log it again with input_example=…, whose "
    "rows are then tried instead."
)
_UNLIKELY = "If the model should take such values, repair it; if they never occur, ignore this."
_SYNTHETIC = "a synthetic batch"
_ONE_ROW = (
    "Repair the model so that it predicts on a single row: the last chunk of a batch may hold one."
)
_NAMED_TENSORS = (
    "MLflow hands named tensors over as a dict of arrays: log the model again with an unnamed "
    "tensor or with columns, or wrap it so that it takes the dict."
)


class TrialInput(NamedTuple):
    """Rows to try a model on.

    Attributes:
        what: A description of the rows.
        rows: How many.
        data: The rows as ``predict`` receives them.
        remedy: What to do if the model fails on them.
        needed: Whether the model must predict on them; generated values may never occur.
    """

    what: str
    rows: int
    data: Any
    remedy: str
    needed: bool = True


class TrialResult(NamedTuple):
    """The result of a trial.

    Attributes:
        trial: The rows.
        returned: What the model returned.
        raised: What it raised, in words; empty if it returned.
    """

    trial: TrialInput
    returned: Any = None
    raised: str = ""


def try_model(
    candidate: ModelCandidate, example: CheckResult | None, synthetic: CheckResult | None
) -> tuple[Step, Step]:
    """Load a model, let it predict, and judge its outputs; predicting and judging are a step each.

    If the model predicts on its own example, an error on generated rows fails no step: it may be
    about a category that never occurs.
    """
    predict = Step(
        name="predict",
        state="skipped",
        expected="the model predicts on rows that fit its contract",
        observed="there are no such rows",
    )
    result = example or synthetic
    if result is None:
        return predict, _output_step([], candidate)
    what, remedy = ("its input example", _REPAIR) if example else (_SYNTHETIC, _GENERATED)
    trials = [*trials_of(result, candidate.contract, what, remedy)]
    if example and synthetic:
        rows, data = synthetic.verdict.accepted, synthetic.model_input()
        trials.append(TrialInput(_SYNTHETIC, rows, data, _UNLIKELY, needed=False))
    try:
        results = _try_all(candidate, trials)
    except ModelFailed as error:
        failed = predict.failed(str(error), "Install what it needs, or log it again.")
        return failed, _output_step([], candidate)
    return _predict_step(predict, results), _output_step(results, candidate)


def _try_all(candidate: ModelCandidate, trials: Iterable[TrialInput]) -> list[TrialResult]:
    from ...expectations.registry.client import load_model

    contract, redact = candidate.contract, candidate.policy.redact
    model = load_model(candidate.model, contract.fingerprint, candidate.timeout)
    return [try_out(model, trial, contract, redact=redact) for trial in trials]


def _predict_step(step: Step, results: Sequence[TrialResult]) -> Step:
    raised = [done for done in results if done.raised]
    needed = [done for done in raised if done.trial.needed]
    if needed:
        return step.failed(f"it raised {needed[0].raised}", needed[0].trial.remedy)
    named = ", ".join(done.trial.what for done in results if not done.raised)
    passed = step.passed(f"it predicted on {named}")
    if not raised:
        return passed
    but = f"{passed.observed}; it raised {raised[0].raised}"
    return passed.model_copy(update={"observed": but, "remedy": raised[0].trial.remedy})


def _output_step(results: Sequence[TrialResult], candidate: ModelCandidate) -> Step:
    contract = candidate.contract
    step = Step(
        name="output",
        state="skipped",
        expected="one prediction for each row, as the output schema says",
        observed="nothing was predicted",
    )
    returned = [done for done in results if not done.raised]
    if not returned:
        return step
    for done in returned:
        output = judge_output(done.returned, contract, done.trial.rows, candidate.policy)
        blocking = [v for v in output.violations if v.severity == "critical"]
        if blocking:
            return step.failed_by(blocking)
    stated = "of the types it states" if contract.outputs else "the signature states no outputs"
    return step.passed(f"as many predictions as rows; {stated}")


def trials_of(
    result: CheckResult, contract: Contract, what: str, remedy: str
) -> Iterator[TrialInput]:
    """Yield the batch, its first row alone, and the batch without the columns that may be absent.

    A model that predicts on the rows of the batch must be able to predict on each.
    """
    whole, rows = result.model_input(), result.verdict.accepted
    yield TrialInput(what, rows, whole, remedy)
    if rows > 1 and not _is_fixed(contract):
        yield TrialInput(f"the first row of {what}", 1, _first_row(whole), _ONE_ROW)
    optional = [column.label for column in contract.columns if not column.required]
    absent: Any = [label for label in optional if not contract.tensors and label in whole]
    if absent and len(optional) < len(contract.columns):
        names = ", ".join(map(repr, absent))
        needed = f"Change the model to do without {names}, or log it again with them required."
        without: Any = whole
        yield TrialInput(f"{what} without {names}", rows, without.drop(columns=absent), needed)


def try_out(model: Any, trial: TrialInput, contract: Contract, *, redact: bool) -> TrialResult:
    """Let a model predict once.

    ``redact`` withholds the text of its error, which may quote the rows.
    """
    if redact:
        os.environ["MLFLOW_DISABLE_SCHEMA_DETAILS"] = "true"
    try:
        # MLflow changes nested values of its input in place.
        return TrialResult(trial, model.predict(deepcopy(trial.data)))
    except KeyboardInterrupt:
        raise
    # A model may raise anything, or call sys.exit; Polars panics with a BaseException.
    except BaseException as error:  # noqa: BLE001
        _log.debug("the model raised", exc_info=not redact)
        words = "its text is withheld by policy redact"
        if not redact:
            words = visible(error, limit=_LONGEST_ERROR)
        if contract.tensors and contract.named and "dict" in str(error):
            trial = trial._replace(remedy=_NAMED_TENSORS)
        return TrialResult(trial, raised=f"{type(error).__name__} on {trial.what}: {words}")


def _is_fixed(contract: Contract) -> bool:
    kinds = (column.type for column in contract.columns)
    return any(isinstance(kind, Tensor) and kind.shape[:1] != (-1,) for kind in kinds)


def _first_row(data: Any) -> Any:
    if isinstance(data, dict):
        return {name: array[:1] for name, array in data.items()}
    return data[:1]
