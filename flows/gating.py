"""Judge one batch before a model sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from prefect import flow
from prefect.states import Completed, Failed

from ..expectations.contract.policy import Policy  # noqa: TC001 - Prefect resolves it when the flow runs
from ..expectations.errors import NoContract
from ..expectations.escaping import visible
from ..expectations.judge.checking import refuse
from ..expectations.verdict.verdict import BatchRejected
from ..tasks.prefect_tasks.gate import check_batch, fetch_contract
from ..tasks.prefect_tasks.quarantine import quarantine_batch
from ..tasks.prefect_tasks.run_artifacts import publish_verdict

if TYPE_CHECKING:
    from ..expectations.verdict.verdict import Verdict

_LONGEST = 500


@flow(name="gate-batch")
def gate_batch(
    batch: Path | str,
    model: str,
    policy: Policy | None = None,
    quarantine: Path | None = None,
) -> Any:
    """Judge one batch by a model's contract, and set it apart if it does not fit.

    Args:
        batch: A path or ``file://`` URL of a file in a format that the gate reads, or of a folder
            of such files.
        model: An MLflow model URI, an MLmodel folder or a suite JSON.
        policy: What the contract leaves open.
        quarantine: The folder into which a batch that does not fit is moved; without one it stays
            where it is.

    Returns:
        The ``Verdict``. The run's state is ``Completed``, or ``Quarantined`` if the batch is not to
        be scored, which is of type completed too.

    Raises:
        BatchRejected: The policy is ``on_mismatch: fail`` and the batch does not fit.
        GateError: Machinery broke: no such batch or model, or no answer from the registry.
    """
    try:
        verdict = check_batch(batch, fetch_contract(model), policy)
    except NoContract as error:
        verdict = refuse(batch, error, policy).verdict
    publish_verdict(verdict, model)
    fits = verdict.disposition in ("passed", "split")
    if quarantine and not fits and not _is_the_models_fault(verdict):
        quarantine_batch(Path(batch), verdict, quarantine)
    message = visible(verdict.summary().partition("\n")[0], limit=_LONGEST)
    if verdict.disposition == "failed":
        return Failed(message=message, data=BatchRejected(verdict))
    return Completed(name="Completed" if fits else "Quarantined", message=message, data=verdict)


def _is_the_models_fault(verdict: Verdict) -> bool:
    return any(violation.kind == "no_contract" for violation in verdict.violations)
