"""A test alert to each receiver, so that an address that is wrong is known before it is needed."""

from __future__ import annotations

import asyncio
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from ...expectations.credentials import masked
from ...expectations.escaping import visible
from .alert import Alert
from .notifier import deliver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from .notifier import Recipient

_SHORTEST = 4  # shorter parts of an address are words such as `api`
_LONGEST = 300
_ADDRESS = "Check that the receiver is up, and this address of --notify or SIGNATURE_GATE_NOTIFY."
_BLOCK = "Check that the receiver is up, and the block on the server's page Blocks."


class Trial(NamedTuple):
    """What became of a test alert.

    Attributes:
        receiver: Who was to receive it; never an address, which may hold a secret.
        state: Whether it was sent.
        reason: Why not, without secrets.
        remedy: What to do.
    """

    receiver: str
    state: str
    reason: str = ""
    remedy: str = ""


def try_recipients(recipients: Sequence[Recipient]) -> Iterator[Trial]:
    """Send a test alert to each address."""
    for number, recipient in enumerate(recipients, 1):
        said = deliver(recipient, _test_alert())
        addresses = [server.url(privacy=False) for server in recipient.client]
        label = f"{recipient.service} recipient {recipient.digest} (address {number})"
        yield _trial(label, said, addresses, _ADDRESS)


def try_blocks(named: Sequence[str]) -> Iterator[Trial]:
    """Send a test alert by each named block of the Prefect server, from this machine.

    Raises:
        Misuse: No server is named, there is no such block, or it cannot notify anybody.
        GateError: The server does not answer, or refuses.
    """
    from .server_blocks import find_block, prefect_server

    if named:
        with prefect_server() as client:
            for name in named:
                find_block(client, name)
    for name in named:
        yield _by_block(name)


def _by_block(name: str) -> Trial:
    from .server_blocks import load_block

    block: Any = None
    try:
        block = load_block(name)
        _send(block, _test_alert())
    except Exception as error:  # noqa: BLE001 - whatever a service raises is why it failed
        said = getattr(error, "log", "") or str(error) or type(error).__name__
        return _trial(name, said, _secrets(block) if block else (), _BLOCK)
    return _trial(name, None, (), "")


def _send(block: Any, alert: Alert) -> None:
    if hasattr(block, "call"):
        call = {"feed": "none", "event": f"signature-gate.{alert.event}"}
        call |= {"severity": alert.severity, "subject": alert.title, "message": alert.body}
        asyncio.run(block.call(call)).raise_for_status()
        return
    with block.raise_on_failure():
        block.notify(alert.body, alert.title)


def _test_alert() -> Alert:
    return Alert(
        event="alerts.test",
        fingerprint="test",
        severity="info",
        title="[test] signature-gate: this is a test alert",
        body="Sent by `signature-gate alerts test`. Nothing has happened to any feed.\n"
        f"sent: {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def _trial(receiver: str, said: str | None, secrets: Iterable[str], remedy: str) -> Trial:
    if said is None:
        return Trial(receiver, "sent")
    line = _without(said, secrets).strip().partition("\n")[0] or "it gives no reason"
    return Trial(receiver, "failed", visible(line, limit=_LONGEST), remedy)


def _without(text: str, secrets: Iterable[str]) -> str:
    """Hide the secrets in a text, and each part that an error may quote alone."""
    wholes = [secret.partition("://")[2] or secret for secret in secrets]
    parts = {part for whole in wholes for part in (whole, *re.split(r"[^\w.%-]+", whole))}
    parts |= {unquote(part) for part in parts}
    for part in sorted(parts, key=len, reverse=True):
        text = text.replace(part, "***") if len(part) >= _SHORTEST else text
    return masked(text)


def _secrets(block: Any) -> Iterator[str]:
    for name, value in block.model_dump().items():
        held = value.get_secret_value() if hasattr(value, "get_secret_value") else value
        if held is not value or name == "url":
            yield from map(str, held.values() if isinstance(held, dict) else (held,))
