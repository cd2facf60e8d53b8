"""One effect on the world each: plain functions, and the thin Prefect tasks above them.

The folders are layers. From the bottom up: ``feed``, ``storage`` and ``preflight``, ``scoring``,
``quarantine``, ``monitoring``, ``alerts``, ``prefect_tasks``. A folder imports only from those
below it, and from ``expectations``. Only ``prefect_tasks`` defines tasks.

For flows of your own: ``check_batch`` and ``check_rows`` judge, ``fetch_contract`` pins a model,
``quarantine_batch`` moves a batch that does not fit, ``publish_verdict`` shows the verdict in
Prefect. Each is imported when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..lazy import attach

if TYPE_CHECKING:
    from .prefect_tasks.gate import check_batch, check_rows, fetch_contract
    from .prefect_tasks.quarantine import quarantine_batch
    from .prefect_tasks.run_artifacts import publish_verdict

__all__ = ["check_batch", "check_rows", "fetch_contract", "publish_verdict", "quarantine_batch"]

__getattr__ = attach(
    __name__,
    {
        "check_batch": ".prefect_tasks.gate",
        "check_rows": ".prefect_tasks.gate",
        "fetch_contract": ".prefect_tasks.gate",
        "publish_verdict": ".prefect_tasks.run_artifacts",
        "quarantine_batch": ".prefect_tasks.quarantine",
    },
)
