"""Fetch what a model expects, once for a whole run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task

from ...expectations.contract.contract import Contract
from ..scoring.feed_run import current_intent
from .options import TASK

if TYPE_CHECKING:
    from ..feed.feed import Feed
    from ..storage.intent import Intent


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


@task(**TASK)
def fetch_intent(feed: Feed) -> Intent:
    """Bind a feed's batches to the version that its model URI means now.

    Args:
        feed: The feed.

    Returns:
        Pinned version, signature, policy and params.

    Raises:
        Misuse: The URI names a contract without a model, or the params are not the model's.
        NoContract: The signature is missing or decides nothing.
        ModelNotFound: No such model, version, alias, run or folder.
        RegistryUnavailable: No answer within the timeout, retries included.
    """
    intent = current_intent(feed)
    get_run_logger().info("%s is %s", feed.model, intent.model)
    return intent
