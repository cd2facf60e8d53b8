"""What a Prefect server says of our deployments: runs ahead of schedules, workers at work pools."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import (
    DeploymentFilter,
    DeploymentFilterId,
    DeploymentFilterTags,
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.exceptions import ObjectNotFound

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from prefect.client.orchestration import SyncPrefectClient

TAG = "signature-gate"
"""The tag of our deployments, as ``deployments/prefect.yaml`` sets it."""


class DeploymentState(NamedTuple):
    """A deployment on a server.

    Attributes:
        name: Its name, after that of its flow.
        scheduled: Whether it has a schedule that is active.
        next_run: When its next run is due; None if there is none.
        pool: The work pool that runs it.
        polled: Whether a worker polls that pool.
    """

    name: str
    scheduled: bool
    next_run: datetime | None
    pool: str
    polled: bool


def deployment_states() -> list[DeploymentState]:
    """List the deployments with our tag on the server that PREFECT_API_URL names."""
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    with get_client(sync_client=True) as client:
        deployments = client.read_deployments(deployment_filter=tagged)
        polled = {
            pool: _is_polled(client, pool) for pool in {d.work_pool_name or "" for d in deployments}
        }
        return [
            DeploymentState(
                name=f"{client.read_flow(deployment.flow_id).name}/{deployment.name}",
                scheduled=not deployment.paused and any(s.active for s in deployment.schedules),
                next_run=_next_run(client, deployment.id),
                pool=deployment.work_pool_name or "",
                polled=polled[deployment.work_pool_name or ""],
            )
            for deployment in deployments
        ]


def _next_run(client: SyncPrefectClient, deployment: UUID) -> datetime | None:
    scheduled = FlowRunFilterStateType(any_=[StateType.SCHEDULED])
    runs = client.read_flow_runs(
        deployment_filter=DeploymentFilter(id=DeploymentFilterId(any_=[deployment])),
        flow_run_filter=FlowRunFilter(state=FlowRunFilterState(type=scheduled)),
        sort=FlowRunSort.EXPECTED_START_TIME_ASC,
        limit=1,
    )
    return runs[0].expected_start_time if runs else None


def _is_polled(client: SyncPrefectClient, pool: str) -> bool:
    try:
        workers = client.read_workers_for_work_pool(pool)
    except ObjectNotFound:
        return False
    return any(worker.status == "ONLINE" for worker in workers)
