"""Alerts on a Prefect server: automations that turn events into notifications.

The server counts events apart by feed and by fingerprint, fires at the first of them, and heeds no
other of the kind until the window is over. Kinds that may follow each other, such as a drift and
its end, have automations of their own, for within one the second would fall into the window of the
first.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import httpx
from prefect.client.orchestration import get_client
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound
from prefect.settings import get_current_settings

from ...expectations.errors import GateError, Misuse
from .alert import TROUBLED

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import BlockDocument

# Name -> when it tells, and of which events.
_ALERTS: dict[str, tuple[str, tuple[str, ...]]] = {
    "signature-gate: drift": (
        "Tells when what arrives in a feed has changed.",
        ("signature-gate.schema.drifted",),
    ),
    "signature-gate: drift is over": (
        "Tells when what arrives in a feed is as before again.",
        ("signature-gate.schema.recovered",),
    ),
    "signature-gate: contract changed": (
        "Tells when the version that a feed's model URI means expects something else.",
        ("signature-gate.contract.changed",),
    ),
    "signature-gate: batches not passed": (
        "Tells when a batch is quarantined, fails its run, or cannot be scored.",
        tuple(f"signature-gate.batch.{outcome}" for outcome in TROUBLED),
    ),
}
_SUBJECT, _BODY = "{{ event.payload.subject }}", "{{ event.payload.message }}"
_JSON = """{
  "feed": {{ event.resource.name | tojson }},
  "event": {{ event.event | tojson }},
  "severity": {{ event.payload.severity | tojson }},
  "subject": {{ event.payload.subject | tojson }},
  "message": {{ event.payload.message | tojson }}
}"""
_WEBHOOK = "webhook"  # the one type of block that can be called and is no notification
_PAGE = 200


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
    with _server() as client:
        actions = [_action(_block(client, block)) for block in blocks]
        return [_install(client, name, actions, window) for name in _ALERTS]


def list_alerts() -> list[Installed]:
    """List our automations on the server.

    Raises:
        Misuse: No server is named.
        GateError: The server does not answer, or refuses.
    """
    with _server() as client:
        return [
            _told(found, "enabled" if found.enabled else "paused")
            for name in _ALERTS
            for found in client.read_automations_by_name(name)
        ]


def remove_alerts() -> list[Installed]:
    """Remove our automations from the server; blocks stay.

    Raises:
        Misuse: No server is named.
        GateError: The server does not answer, or refuses.
    """
    with _server() as client:
        found = [a for name in _ALERTS for a in client.read_automations_by_name(name)]
        for automation in found:
            client.delete_automation(automation.id)
        return [_told(automation, "removed") for automation in found]


# ----- one automation -----


def _install(
    client: SyncPrefectClient, name: str, actions: list[dict[str, Any]], window: float
) -> Installed:
    wanted = _automation(name, actions, window)
    # The server takes any number of one name: two that installed at once may have left two.
    found = client.read_automations_by_name(name)
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


def _automation(name: str, actions: list[dict[str, Any]], window: float) -> AutomationCore:
    description, events = _ALERTS[name]
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
                "match": {"prefect.resource.id": "signature-gate.feed.*"},
                "expect": set(events),
                "for_each": {"prefect.resource.id", "signature-gate.fingerprint"},
            },
            "actions": actions,
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


def _action(block: BlockDocument) -> dict[str, Any]:
    if block.block_type and block.block_type.slug == _WEBHOOK:
        return {"type": "call-webhook", "block_document_id": block.id, "payload": _JSON}
    return {
        "type": "send-notification",
        "block_document_id": block.id,
        "subject": _SUBJECT,
        "body": _BODY,
    }


# ----- the server and its blocks -----


@contextmanager
def _server() -> Generator[SyncPrefectClient]:
    address = get_current_settings().api.url
    if not address:
        msg = (
            "alerts are automations of a Prefect server, and none is named. Start one with "
            "`prefect server start` and set PREFECT_API_URL, such as http://127.0.0.1:4200/api; "
            "or do without: `signature-gate score FEED.yaml --notify URL`."
        )
        raise Misuse(msg)
    try:
        with get_client(sync_client=True) as client:
            yield client
    except (httpx.HTTPError, RuntimeError) as error:
        said = str(error).partition("\n")[0] or type(error).__name__
        msg = (
            f"the Prefect server at {address} does not do as it is asked: {said}. "
            f"Check that it runs, PREFECT_API_URL, and PREFECT_API_AUTH_STRING if it wants one."
        )
        raise GateError(msg) from error


def _block(client: SyncPrefectClient, named: str) -> BlockDocument:
    type_, slash, name = named.partition("/")
    if not slash or not type_ or not name:
        msg = f"--block {named}: a block is named TYPE/NAME.{_those_there(client)}"
        raise Misuse(msg)
    try:
        block = client.read_block_document_by_name(name, type_, include_secrets=False)
    except ObjectNotFound as error:
        msg = f"--block {named}: the server has no such block.{_those_there(client)}"
        raise Misuse(msg) from error
    if not _can_tell(block):
        msg = f"--block {named}: a block of that type notifies nobody.{_those_there(client)}"
        raise Misuse(msg)
    return block


def _those_there(client: SyncPrefectClient) -> str:
    there = sorted(_label(block) for block in _blocks(client) if _can_tell(block))
    if there:
        return f" Those that can tell somebody: {', '.join(there)}."
    return (
        " The server has none that could tell somebody: make one on its page Blocks, for instance "
        "a Slack Webhook, or a Custom Webhook for any other receiver."
    )


def _blocks(client: SyncPrefectClient) -> Generator[BlockDocument]:
    offset = 0
    while page := client.read_block_documents(offset=offset, limit=_PAGE, include_secrets=False):
        yield from page
        offset += len(page)


def _label(block: BlockDocument) -> str:
    return f"{block.block_type.slug if block.block_type else '?'}/{block.name}"


def _can_tell(block: BlockDocument) -> bool:
    capabilities = block.block_schema.capabilities if block.block_schema else []
    is_webhook = bool(block.block_type and block.block_type.slug == _WEBHOOK)
    return is_webhook or "notify" in capabilities
