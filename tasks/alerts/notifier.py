"""Alerts without a Prefect server: sent through Apprise, each once per recipient.

A file beside the receipts records what each recipient has received, and what could not be delivered
yet. It is written before and after sending: a crash in between sends an alert twice, never not at
all. Addresses hold secrets, so file, log and messages name a recipient by a digest and its service.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import StringIO
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...expectations.errors import Misuse
from ..monitoring.announced import AnnouncedState, new_events
from ..stores.documents import written_alone
from .alert import TROUBLED, Alert, alert_of_batch, alert_of_drift, alerts_of_silence

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..monitoring.drift_report import DriftReport
    from ..stores.documents import Document
    from .alert import Severity

WINDOW = 3600.0
"""Seconds in which equal faults of a feed are reported once, unless a user says otherwise."""

_FILE = ".alerts.json"
_TYPES: dict[Severity, str] = {"critical": "failure", "warning": "warning", "info": "success"}


@dataclass(frozen=True)
class Recipient:
    """Where alerts go.

    Attributes:
        service: Such as ``slack``; the rest of the address is a secret.
        digest: Tells it from others.
        client: Apprise, bound to its address.
    """

    service: str
    digest: str
    client: Any = field(repr=False)


class RecipientState(BaseModel):
    """What one recipient has received.

    Attributes:
        drift: The state of drift and silence that was last reported, or is due.
        faults: When batches with a fault were reported, by fingerprint.
        due: What is still to be delivered, the oldest first.
    """

    model_config = ConfigDict(frozen=True)

    drift: AnnouncedState = Field(default_factory=AnnouncedState)
    faults: dict[str, datetime] = Field(default_factory=dict)
    due: tuple[Alert, ...] = ()


class _Recipients(BaseModel):
    receivers: dict[str, RecipientState] = Field(default_factory=dict)


def parse_recipients(addresses: Iterable[str]) -> list[Recipient]:
    """Make recipients of Apprise addresses, each once; ``jsons://host/path`` is any webhook.

    Raises:
        Misuse: Apprise does not know such an address; the error does not repeat it, for secrecy.
    """
    distinct = list(dict.fromkeys(addresses))
    return [_recipient(address, number) for number, address in enumerate(distinct, 1)]


def notify_of_batches(
    feed: Feed,
    receipts: Sequence[Receipt],
    recipients: Sequence[Recipient],
    *,
    window: float = WINDOW,
    now: datetime | None = None,
) -> list[str]:
    """Report batches that did not pass, equal faults once per window, and deliver what is due.

    Returns:
        One sentence for each recipient that could not be reached; the next run tries again.

    Raises:
        OSError: The state cannot be recorded; then nothing more is sent.
    """
    seen = now or datetime.now(UTC)
    alerts = [alert_of_batch(feed, r) for r in receipts if r.disposition in TROUBLED]
    return _notify(feed, recipients, lambda state: _with_faults(state, alerts, seen, window))


def notify_of_drift(feed: Feed, drift: DriftReport, recipients: Sequence[Recipient]) -> list[str]:
    """Report each change of state since the last time; as ``notify_of_batches`` otherwise."""
    return _notify(feed, recipients, lambda state: _with_drift(state, drift))


def notify_of_silence(
    feed: Feed, since: datetime | None, recipients: Sequence[Recipient]
) -> list[str]:
    """Report once that a feed is silent and once that it is no more; likewise."""
    return _notify(feed, recipients, lambda state: _with_silence(state, feed, since))


# ----- what is new to a recipient -----


def _with_faults(
    state: RecipientState, alerts: list[Alert], now: datetime, window: float
) -> RecipientState:
    oldest = now - timedelta(seconds=window)
    # After a clock was set back, a report from the future would silence its fault for long.
    faults = {print_: at for print_, at in state.faults.items() if oldest < at <= now}
    # What waits for delivery keeps its own time and is not queued again.
    due, waiting = list(state.due), {alert.fingerprint for alert in state.due}
    for alert in alerts:
        if alert.fingerprint not in faults and alert.fingerprint not in waiting:
            due.append(alert)
            waiting.add(alert.fingerprint)
            faults[alert.fingerprint] = now
    return state.model_copy(update={"faults": faults, "due": tuple(due)})


def _with_drift(state: RecipientState, drift: DriftReport) -> RecipientState:
    events, announced = new_events(drift, state.drift)
    alerts = [alert_of_drift(drift, event, state.drift) for event in events]
    return state.model_copy(update={"drift": announced, "due": (*state.due, *alerts)})


def _with_silence(state: RecipientState, feed: Feed, since: datetime | None) -> RecipientState:
    alerts = alerts_of_silence(feed, since, state.drift.silent_since)
    told = state.drift.model_copy(update={"silent_since": since}) if alerts else state.drift
    return state.model_copy(update={"drift": told, "due": (*state.due, *alerts)})


# ----- delivery -----


def _notify(
    feed: Feed,
    recipients: Sequence[Recipient],
    update: Callable[[RecipientState], RecipientState],
) -> list[str]:
    if not recipients:
        return []
    failures = list[str]()
    with written_alone(feed, _FILE) as document:
        states = _read(document)
        for recipient in recipients:
            state = update(states.receivers.get(recipient.digest, RecipientState()))
            _record(document, states, recipient, state)
            left = _send(recipient, state.due)
            if left != state.due:
                _record(document, states, recipient, state.model_copy(update={"due": left}))
            if left:
                failures.append(_undelivered(recipient, len(left)))
    return failures


def _send(recipient: Recipient, due: tuple[Alert, ...]) -> tuple[Alert, ...]:
    for position, alert in enumerate(due):
        if deliver(recipient, alert) is not None:
            return due[position:]
    return ()


def deliver(recipient: Recipient, alert: Alert) -> str | None:
    """Send an alert; None if it is delivered, else what Apprise said, secrets included."""
    kind = _TYPES[alert.severity]
    with _apprise_overheard() as said:
        try:
            sent = recipient.client.notify(
                title=alert.title, body=alert.body, notify_type=kind, body_format="text"
            )
        except Exception as error:  # noqa: BLE001 - whatever a service raises, batches are scored all the same
            return type(error).__name__
    return None if sent else said.getvalue()


def _undelivered(recipient: Recipient, count: int) -> str:
    what = "1 alert" if count == 1 else f"{count:,} alerts"
    return (
        f"{what} could not be delivered to the {recipient.service} recipient {recipient.digest}; "
        f"the next run tries again. Check that it is up, and its address."
    )


def _recipient(address: str, number: int) -> Recipient:
    from apprise import Apprise

    client = Apprise()
    with _apprise_overheard():
        known = client.add(address)
    if not known or not len(client):
        msg = (
            f"Apprise does not know address {number} of --notify or SIGNATURE_GATE_NOTIFY; it is "
            f"not shown, because it may hold a secret. Any webhook is jsons://host/path, or "
            f"json://host/path without TLS; `apprise --details` lists others."
        )
        raise Misuse(msg)
    digest = hashlib.sha256(address.encode()).hexdigest()[:8]
    return Recipient(address.partition("://")[0].lower(), digest, client)


@contextmanager
def _apprise_overheard() -> Generator[StringIO]:
    """Keep Apprise's log, which names addresses, from every handler, and hand it over."""
    log, said = logging.getLogger("apprise"), StringIO()
    before, level = (log.handlers, log.propagate), log.level
    log.handlers, log.propagate = [logging.StreamHandler(said)], False
    log.setLevel(logging.WARNING)
    try:
        yield said
    finally:
        log.handlers, log.propagate = before
        log.setLevel(level)


# ----- the record -----


def _read(document: Document) -> _Recipients:
    try:
        return _Recipients.model_validate_json(document.read())
    except ValidationError:
        return _Recipients()


def _record(
    document: Document, states: _Recipients, recipient: Recipient, state: RecipientState
) -> None:
    if states.receivers.get(recipient.digest) == state:
        return
    states.receivers[recipient.digest] = state
    document.write(states.model_dump_json(indent=2))
