"""What every Prefect task of ours has in common.

Nothing is cached or persisted by Prefect: results outlive their files there, and a feed's own
receipts are what makes a second run do nothing twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect.cache_policies import NO_CACHE

from ..scoring.attempt import TRANSIENT

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State

# Errors of files that will be the same in a minute.
_LASTING = (FileExistsError, FileNotFoundError, PermissionError)


def is_worth_a_retry(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Whether a task failed for want of a registry or a disk; a verdict is never asked for twice.

    Returns:
        True for errors that may be gone in a moment.
    """
    try:
        state.result()
    except _LASTING:
        return False
    except TRANSIENT:
        return True
    except Exception:  # noqa: BLE001 - whatever else it is, it would come again
        return False
    return False


TASK: dict[str, Any] = {
    "cache_policy": NO_CACHE,
    "persist_result": False,
    "retries": 2,
    "retry_delay_seconds": [2, 8],
    "retry_jitter_factor": 0.3,
    "retry_condition_fn": is_worth_a_retry,
}
