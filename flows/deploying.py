"""Register feeds on a Prefect server: schedules, the event, runs by hand, automations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from prefect.client.schemas.actions import WorkPoolCreate
from prefect.client.schemas.filters import DeploymentFilter, DeploymentFilterTags
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.events import DeploymentEventTrigger
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron
from prefect.types.entrypoint import EntrypointType

from ..tasks.alerts.automations import install_alerts, install_zombie_automation
from ..tasks.alerts.server_blocks import prefect_server
from .releasing import discard_quarantined, release_quarantined
from .scoring import score_batches
from .watching import watch_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.deployments.runner import RunnerDeployment

    from ..tasks.alerts.automations import Installed
    from ..tasks.feed.feed import Feed

TAG = "signature-gate"
POOL = "signature-gate"
_EVENT = "signature-gate.feed."
# A run takes all that has arrived: a tick during a long one has nothing to add.
_ONE_RUN = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
_FOUR_RUNS = ConcurrencyLimitConfig(limit=4, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE)


class Deployed(NamedTuple):
    """What is on the server now.

    Attributes:
        deployments: Names of the deployments, as ``flow/name``.
        automations: The automations, and what has become of each.
        left: Deployments with our tag that belong to no feed of these, and were left alone.
    """

    deployments: tuple[str, ...]
    automations: tuple[Installed, ...]
    left: tuple[str, ...]


def deploy_feeds(
    feeds: Mapping[Path, Feed], blocks: Sequence[str] = (), window: float = 3600
) -> Deployed:
    """Register feeds, so that workers of the pool ``signature-gate`` score them on schedule.

    A second call updates what the first one made, and changes nothing where nothing has changed.

    Args:
        feeds: The feeds by the absolute paths of their files, all in one folder that workers see
            under the same path.
        blocks: Who is alerted: ``TYPE/NAME`` of existing blocks, such as ``slack-webhook/ops``.
        window: Seconds for which equal faults of a feed are reported once.

    Returns:
        What is on the server now.

    Raises:
        Misuse: No server is named, or a block cannot notify anybody.
        GateError: The server does not answer, or refuses.
    """
    with prefect_server() as client:
        _make_pool(client)
        names = [_apply(deployment) for deployment in _deployments(feeds)]
        there = _ours(client)
    automations = (install_zombie_automation(), *(install_alerts(blocks, window) if blocks else ()))
    return Deployed(tuple(names), automations, tuple(sorted(there - set(names))))


def _deployments(feeds: Mapping[Path, Feed]) -> Iterator[RunnerDeployment]:
    for path, feed in feeds.items():
        yield _to_deployment(
            score_batches,
            feed.name,
            f"Judges and scores what has arrived in the feed {feed.name}.",
            parameters={"feed": str(path)},
            schedule=Cron(feed.schedule, timezone=feed.timezone),
            concurrency_limit=_ONE_RUN,
            tags=[TAG, f"feed:{feed.name}"],
        )
        yield _to_deployment(
            watch_schema,
            feed.name,
            f"Compares what arrives in the feed {feed.name} with what the model expects.",
            parameters={"feed": str(path)},
            schedule=Cron(feed.watch_schedule, timezone=feed.timezone),
            tags=[TAG, f"feed:{feed.name}"],
        )
    folders = sorted({path.parent for path in feeds})
    for folder in folders[:1]:
        yield _at_event(folder)
    by_hand = {
        release_quarantined: "Judges a quarantined batch again and scores it if it fits.",
        discard_quarantined: "Moves a quarantined batch, or its rejected rows, to the archive.",
    }
    for flow, description in by_hand.items():
        yield _to_deployment(flow, "by-hand", description)


def _at_event(folder: Path) -> RunnerDeployment:
    name = f"{{{{ event.resource.id | replace('{_EVENT}', '') }}}}"
    trigger = DeploymentEventTrigger(
        name="signature-gate, a batch arrived",
        expect={"batch.arrived"},
        match={"prefect.resource.id": f"{_EVENT}*"},
        parameters={"feed": f"{folder}/{name}.yaml"},
    )
    return _to_deployment(
        score_batches,
        "arrived",
        "Judges and scores the feed that an event batch.arrived names.",
        triggers=[trigger],
        concurrency_limit=_FOUR_RUNS,
    )


def _to_deployment(flow: Any, name: str, description: str, **options: Any) -> RunnerDeployment:
    options = {"tags": [TAG], **options}
    return flow.to_deployment(
        name,
        description=description,
        work_pool_name=POOL,
        entrypoint_type=EntrypointType.MODULE_PATH,
        **options,
    )


def _apply(deployment: RunnerDeployment) -> str:
    deployment.apply()
    return deployment.full_name


def _make_pool(client: SyncPrefectClient) -> None:
    try:
        client.read_work_pool(POOL)
    except ObjectNotFound:
        client.create_work_pool(WorkPoolCreate(name=POOL, type="process"))


def _ours(client: SyncPrefectClient) -> set[str]:
    tagged = DeploymentFilter(tags=DeploymentFilterTags(all_=[TAG]))
    found = client.read_deployments(deployment_filter=tagged)
    flows = {deployment.flow_id: client.read_flow(deployment.flow_id).name for deployment in found}
    return {f"{flows[deployment.flow_id]}/{deployment.name}" for deployment in found}
