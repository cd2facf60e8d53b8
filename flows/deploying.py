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

from ..expectations.errors import InvalidFeed
from ..tasks.alerts.automations import install_alerts, install_zombie_automation
from ..tasks.alerts.server_blocks import prefect_server
from .releasing import discard_quarantined, release_quarantined
from .scoring import score_batches
from .watching import watch_schema

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.responses import DeploymentResponse
    from prefect.deployments.runner import RunnerDeployment
    from prefect.schedules import Schedule

    from ..tasks.alerts.automations import Installed
    from ..tasks.feed.feed import Feed

TAG = "signature-gate"
POOL = "signature-gate"
_PAGE = 200
# A run takes all that has arrived: a tick during a long one has nothing to add.
_NOT_TWICE = ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW)
_ONE_AFTER_THE_OTHER = ConcurrencyLimitConfig(
    limit=1, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE
)


class Deployed(NamedTuple):
    """What is on the server now.

    Attributes:
        deployments: Names of the deployments, as ``flow/name``.
        automations: The automations, and what has become of each.
        left: Other deployments with our tag, of feeds that were not named or are gone.
    """

    deployments: tuple[str, ...]
    automations: tuple[Installed, ...]
    left: tuple[str, ...]


def deploy_feeds(feeds: Mapping[Path, Feed], blocks: Sequence[str], window: float) -> Deployed:
    """Register feeds, so that workers of the pool ``signature-gate`` score them on schedule.

    A second call updates what the first one made, and changes nothing where nothing has changed.

    Args:
        feeds: The feeds by the absolute paths of their files, which workers see as well.
        blocks: Who is alerted: ``TYPE/NAME`` of existing blocks, such as ``slack-webhook/ops``.
        window: Seconds for which equal faults of a feed are reported once.

    Returns:
        What is on the server now.

    Raises:
        InvalidFeed: A schedule is no cron expression.
        Misuse: No server is named, or a block cannot notify anybody.
        GateError: The server does not answer, or refuses.
    """
    with prefect_server() as client:
        _make_pool(client)
        names = [_apply(deployment) for deployment in list(_deployments(feeds))]
        there = _ours(client)
    automations = (install_zombie_automation(), *(install_alerts(blocks, window) if blocks else ()))
    return Deployed(tuple(names), automations, tuple(sorted(there - set(names))))


def _deployments(feeds: Mapping[Path, Feed]) -> Iterator[RunnerDeployment]:
    for path, feed in feeds.items():
        yield from _of_feed(feed, {"feed": str(path)})
    by_hand = {
        release_quarantined: "Judges a quarantined batch again and scores it if it fits.",
        discard_quarantined: "Moves a quarantined batch, or its rejected rows, to the archive.",
    }
    for flow, description in by_hand.items():
        yield _to_deployment(flow, "by-hand", description, tags=[TAG])


def _of_feed(feed: Feed, parameters: dict[str, str]) -> Iterator[RunnerDeployment]:
    common = {"parameters": parameters, "tags": [TAG, f"feed:{feed.name}"]}
    scores = f"Judges and scores what has arrived in the feed {feed.name}"
    trigger = DeploymentEventTrigger(
        name=f"signature-gate, a batch arrived in {feed.name}",
        expect={"batch.arrived"},
        match={"prefect.resource.id": f"signature-gate.feed.{feed.name}"},
        parameters=dict(parameters),
    )
    at_times = {"schedule": _cron(feed, "schedule"), "concurrency_limit": _NOT_TWICE}
    at_events = {"triggers": [trigger], "concurrency_limit": _ONE_AFTER_THE_OTHER}
    yield _to_deployment(score_batches, feed.name, f"{scores}.", **common, **at_times)
    name, at_once = f"{feed.name}-arrived", f"{scores}, at an event batch.arrived."
    yield _to_deployment(score_batches, name, at_once, **common, **at_events)
    drift = f"Compares what arrives in the feed {feed.name} with what the model expects."
    watched = {"schedule": _cron(feed, "watch_schedule")}
    yield _to_deployment(watch_schema, feed.name, drift, **common, **watched)


def _cron(feed: Feed, field: str) -> Schedule:
    try:
        return Cron(getattr(feed, field), timezone=feed.timezone)
    except ValueError as error:
        msg = f"feed {feed.name}, {field}: {error}. Write five fields, such as `*/10 * * * *`."
        raise InvalidFeed(msg) from error


def _to_deployment(flow: Any, name: str, description: str, **options: Any) -> RunnerDeployment:
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
    found: list[DeploymentResponse] = []
    # The server gives no more than a page at once.
    while page := client.read_deployments(deployment_filter=tagged, offset=len(found), limit=_PAGE):
        found += page
    flows = {flow: client.read_flow(flow).name for flow in {each.flow_id for each in found}}
    return {f"{flows[each.flow_id]}/{each.name}" for each in found}
