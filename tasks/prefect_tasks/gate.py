"""Judge a batch, as a task for anybody's flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task

from ...expectations.contract.contract import Contract
from ...expectations.escaping import for_terminal
from ...expectations.judge.checking import check
from .options import TASK

if TYPE_CHECKING:
    from ...expectations.contract.policy import Policy
    from ...expectations.judge.result import CheckResult
    from ...expectations.verdict.verdict import Verdict


@task(**TASK)
def check_batch(
    batch: Any,
    model: str | Contract,
    policy: Policy | None = None,
    *,
    raise_if_rejected: bool = False,
) -> Verdict:
    """Judge a batch by a model's contract; nothing is moved, and the model is never loaded.

    Args:
        batch: A path or ``file://`` URL, or a pandas, Polars or Arrow frame. Between processes
            hand over paths.
        model: An MLflow model URI, or the contract that ``fetch_contract`` returned: that one is
            pinned, which is what mapped tasks want.
        policy: What the contract leaves open.
        raise_if_rejected: Whether a batch that may not be scored fails the task.

    Returns:
        The verdict.

    Raises:
        BatchRejected: The batch neither passed nor was split, and ``raise_if_rejected`` is set.
        BatchNotFound: No such file.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout, retries included.
    """
    result = _checked(batch, model, policy)
    if raise_if_rejected:
        result.raise_if_rejected()
    return result.verdict


@task(**TASK)
def check_rows(batch: Any, model: str | Contract, policy: Policy | None = None) -> CheckResult:
    """Judge a batch, and return its rows on either side of the verdict.

    For a flow that scores them itself, in the same process; see ``deployments/etl.py``. Between
    processes use ``check_batch``, whose verdict can travel.

    Args:
        batch: As for ``check_batch``.
        model: As for ``check_batch``.
        policy: What the contract leaves open.

    Returns:
        The result: ``verdict``, ``chunks`` of what ``predict`` receives, ``rejected`` rows.

    Raises:
        BatchNotFound: No such file.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout, retries included.
    """
    return _checked(batch, model, policy)


def _checked(batch: Any, model: str | Contract, policy: Policy | None) -> CheckResult:
    contract = model if isinstance(model, Contract) else Contract.load(model)
    result = check(batch, contract, policy)
    get_run_logger().info("%s", for_terminal(result.verdict.summary().partition("\n")[0]))
    return result


@task(**TASK)
def fetch_contract(model: str) -> Contract:
    """Read the contract of a model, pinned to the version that its URI means now.

    Args:
        model: An MLflow model URI, an MLmodel folder or a suite JSON.

    Returns:
        The contract: small, and fit to be handed to mapped tasks.

    Raises:
        NoContract: The signature is missing or decides nothing.
        ModelNotFound: No such model, version, alias, run or folder.
        RegistryUnavailable: No answer within the timeout, retries included.
    """
    contract = Contract.load(model)
    get_run_logger().info("%s is %s, contract %s", model, contract.model, contract.fingerprint)
    return contract
