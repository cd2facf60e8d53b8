"""Alerts on a Prefect server: automations that turn events into notifications.

The server counts events apart by feed and by fingerprint, fires at the first of them, and heeds no
other of the kind until the window is over. Kinds that may follow each other, such as a drift and
its end, have automations of their own, for within one the second would fall into the window of the
first.
"""

from __future__ import annotations

from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import yaml
from prefect.events.schemas.automations import AutomationCore

from .alert import TROUBLED
from .server_blocks import WEBHOOK, find_block, label_of, prefect_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

_ZOMBIES = "deployments/automations.yaml"
_STATE = "event.resource['prefect.state-name']"


class _Source(NamedTuple):
    """Which events alert, and templates of what is said of one."""

    trigger: dict[str, Any]
    severity: str
    subject: str
    message: str

    def as_text(self) -> dict[str, str]:
        return {"subject": f"{{{{ {self.subject} }}}}", "body": f"{{{{ {self.message} }}}}"}

    def as_json(self) -> str:
        parts = {"feed": "event.resource.name", "event": "event.event", **self._asdict()}
        del parts["trigger"]
        lines = (f'  "{name}": {{{{ ({part}) | tojson }}}}' for name, part in parts.items())
        return "{\n" + ",\n".join(lines) + "\n}"


_FEED = _Source(
    {
        "match": {"prefect.resource.id": "signature-gate.feed.*"},
        "for_each": {"prefect.resource.id", "signature-gate.fingerprint"},
    },
    "event.payload.severity",
    "event.payload.subject",
    "event.payload.message",
)
_RUN = _Source(
    {
        "match": {"prefect.resource.id": "prefect.flow-run.*"},
        "match_related": {
            "prefect.resource.role": "tag",
            "prefect.resource.id": "prefect.tag.signature-gate",
        },
        "for_each": {"related:deployment:prefect.resource.id"},
    },
    "'critical'",
    f"event.resource.name ~ ': the run is ' ~ {_STATE}",
    f"event.resource['prefect.state-message'] or 'the run is ' ~ {_STATE}",
)
# Name -> when it alerts, of which events of which source.
_ALERTS: dict[str, tuple[str, _Source, tuple[str, ...]]] = {
    "signature-gate: drift": (
        "Alerts when what arrives in a feed has changed.",
        _FEED,
        ("signature-gate.schema.drifted", "signature-gate.values.shifted"),
    ),
    "signature-gate: drift is over": (
        "Alerts when what arrives in a feed is as before again.",
        _FEED,
        ("signature-gate.schema.recovered", "signature-gate.values.recovered"),
    ),
    "signature-gate: contract changed": (
        "Alerts when the version that a feed's model URI means expects something else.",
        _FEED,
        ("signature-gate.contract.changed",),
    ),
    "signature-gate: batches not passed": (
        "Alerts when a batch is quarantined, fails its run, or cannot be scored.",
        _FEED,
        tuple(f"signature-gate.batch.{outcome}" for outcome in TROUBLED),
    ),
    "signature-gate: feed is silent": (
        "Alerts when no new batch has arrived in a feed for longer than it expects.",
        _FEED,
        ("signature-gate.feed.silent",),
    ),
    "signature-gate: feed is no longer silent": (
        "Alerts when batches arrive again in a feed that was silent.",
        _FEED,
        ("signature-gate.feed.resumed",),
    ),
    "signature-gate: runs failed or late": (
        "Alerts when a run of a feed has failed, has crashed, or has not begun in time.",
        _RUN,
        tuple(f"prefect.flow-run.{state}" for state in ("Failed", "Crashed", "TimedOut", "Late")),
    ),
}


class Installed(NamedTuple):
    """One automation of ours on the server.

    Attributes:
        name: Its name.
        state: What has become of it: ``created``, ``updated``, ``unchanged`` or ``removed``; or how
            it was found: ``enabled`` or ``paused``.
        window: Seconds for which equal news is told once.
        events: Names of the events of which it tells.
    """

    name: str
    state: Literal["created", "updated", "unchanged", "removed", "enabled", "paused"]
    window: float
    events: tuple[str, ...]


def install_alerts(blocks: Sequence[str], window: float) -> list[Installed]:
    """Create or update the automations, each of which there is once afterwards.

    One that somebody paused stays paused.

    Args:
        blocks: Who is told: ``TYPE/NAME`` of existing blocks, such as ``slack-webhook/ops``.
        window: Seconds for which equal news of a feed is told once; more than 0.

    Returns:
        What has become of each automation.

    Raises:
        Misuse: No server is named, there is no such block, or it cannot notify anybody.
        GateError: The server does not answer, or refuses.
    """
    with prefect_server() as client:
        found = [find_block(client, block) for block in blocks]
        return [_install(client, _automation(name, found, window)) for name in _ALERTS]


def install_zombie_automation() -> Installed:
    """Create or update the automation that marks runs as crashed whose process is gone."""
    text = resources.files("signature_gate").joinpath(_ZOMBIES).read_text("utf-8")
    (stated,) = yaml.safe_load(text)["automations"]
    with prefect_server() as client:
        return _install(client, AutomationCore.model_validate(stated))


def list_alerts() -> list[Installed]:
    """List our automations on the server.

    Raises:
        Misuse: No server is named.
        GateError: The server does not answer, or refuses.
    """
    with prefect_server() as client:
        return [
            _told(found, "enabled" if found.enabled else "paused")
            for name in _ALERTS
            for found in client.read_automations_by_name(name)
        ]


def installed_blocks() -> list[str]:
    """Name the blocks that our automations tell; errors as for ``list_alerts``."""
    with prefect_server() as client:
        found = [a for name in _ALERTS for a in client.read_automations_by_name(name)]
        ids = [getattr(act, "block_document_id", None) for each in found for act in each.actions]
        return [label_of(client.read_block_document(id_)) for id_ in dict.fromkeys(ids) if id_]


def remove_alerts() -> list[Installed]:
    """Remove our automations from the server; blocks stay.

    Raises:
        Misuse: No server is named.
        GateError: The server does not answer, or refuses.
    """
    with prefect_server() as client:
        found = [a for name in _ALERTS for a in client.read_automations_by_name(name)]
        for automation in found:
            client.delete_automation(automation.id)
        return [_told(automation, "removed") for automation in found]


# ----- one automation -----


def _install(client: SyncPrefectClient, wanted: AutomationCore) -> Installed:
    # The server takes any number of one name: two that installed at once may have left two.
    found = client.read_automations_by_name(wanted.name)
    for surplus in found[1:]:
        client.delete_automation(surplus.id)
    if not found:
        client.create_automation(wanted)
        return _told(wanted, "created")
    wanted = wanted.model_copy(update={"enabled": found[0].enabled})
    if _content(found[0]) == _content(wanted):
        return _told(wanted, "unchanged")
    client.update_automation(found[0].id, wanted)
    return _told(wanted, "updated")


def _automation(name: str, blocks: Sequence[BlockDocument], window: float) -> AutomationCore:
    description, source, events = _ALERTS[name]
    # An update sends what was set, and drops defaults: so everything is.
    return AutomationCore.model_validate(
        {
            "name": name,
            "description": description,
            "enabled": True,
            "trigger": {
                "type": "event",
                "posture": "Reactive",
                "threshold": 1,
                "within": timedelta(seconds=window),
                "expect": set(events),
                **source.trigger,
            },
            "actions": [_action(block, source) for block in blocks],
        }
    )


def _content(automation: AutomationCore) -> dict[str, Any]:
    return automation.model_dump(include={"description", "enabled", "trigger", "actions"})


def _told(
    automation: AutomationCore,
    state: Literal["created", "updated", "unchanged", "removed", "enabled", "paused"],
) -> Installed:
    within: timedelta = getattr(automation.trigger, "within", timedelta())
    events = sorted(getattr(automation.trigger, "expect", ()))
    return Installed(automation.name, state, within.total_seconds(), tuple(events))


def _action(block: BlockDocument, source: _Source) -> dict[str, Any]:
    if block.block_type and block.block_type.slug == WEBHOOK:
        webhook = {"type": "call-webhook", "block_document_id": block.id}
        return {**webhook, "payload": source.as_json()}
    return {"type": "send-notification", "block_document_id": block.id, **source.as_text()}
