"""Alerts without a Prefect server: notices sent through Apprise, each once per receiver.

What a receiver has been told, and what it has yet to be told because it was down, stands in a small
file beside the receipts. It is written before and after sending: whoever dies in between tells
something twice, never not at all. Addresses hold secrets, so that file, log and messages know a
receiver by a digest and its kind only.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...expectations.errors import Misuse
from ..monitoring.announced import AnnouncedState, new_events
from ..storage.atomic import atomic_write, locked
from .message import TROUBLED, Alert, notice_of_batch, notice_of_drift

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Sequence

    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..monitoring.drift_report import DriftReport
    from .message import Severity

WINDOW = 3600.0
"""Seconds for which one fault is told once, unless a user says otherwise."""

_FILE = ".alerts.json"
_TYPES: dict[Severity, str] = {"critical": "failure", "warning": "warning", "info": "success"}


@dataclass(frozen=True)
class Recipient:
    """Who is told.

    Attributes:
        kind: The service, such as ``slack``; the rest of the address is a secret.
        digest: Tells it from others.
        client: Apprise, bound to its address.
    """

    kind: str
    digest: str
    client: Any = field(repr=False)


class RecipientState(BaseModel):
    """What one receiver knows.

    Attributes:
        drift: What it was told of drift, or will be.
        faults: When it was told of batches with a fault, by fingerprint.
        due: What it has yet to be told, the oldest first.
    """

    model_config = ConfigDict(frozen=True)

    drift: AnnouncedState = Field(default_factory=AnnouncedState)
    faults: dict[str, datetime] = Field(default_factory=dict)
    due: tuple[Alert, ...] = ()


class _Book(BaseModel):
    receivers: dict[str, RecipientState] = Field(default_factory=dict)


def receivers_of(addresses: Iterable[str]) -> list[Recipient]:
    """Make receivers out of Apprise's addresses, each of them once.

    Args:
        addresses: Such as ``slack://…``, ``mailto://…``, or ``jsons://host/path`` for any webhook.

    Returns:
        The receivers.

    Raises:
        Misuse: Apprise does not know such an address; it is not repeated, for it is a secret.
    """
    listed = list(dict.fromkeys(addresses))
    return [_receiver(address, number) for number, address in enumerate(listed, 1)]


def tell_of_batches(
    feed: Feed,
    receipts: Sequence[Receipt],
    receivers: Sequence[Recipient],
    *,
    window: float = WINDOW,
    now: datetime | None = None,
) -> list[str]:
    """Tell of batches that did not pass, and of what could not be delivered before.

    Args:
        feed: The feed.
        receipts: What became of its batches; those that passed or were split are no news.
        receivers: Who is told.
        window: Seconds for which batches with equal faults are told once.
        now: The time, by default of the clock.

    Returns:
        One sentence for each receiver that could not be reached; it is told next time.

    Raises:
        OSError: What is told cannot be noted; nothing more is sent then.
    """
    seen = now or datetime.now(UTC)
    notices = [notice_of_batch(feed, r) for r in receipts if r.disposition in TROUBLED]
    return _tell(feed, receivers, lambda known: _with_faults(known, notices, seen, window))


def tell_of_drift(feed: Feed, drift: DriftReport, receivers: Sequence[Recipient]) -> list[str]:
    """Tell of each change of state since the last time, and of what could not be delivered before.

    Args:
        feed: The feed.
        drift: What has changed around it.
        receivers: Who is told.

    Returns:
        One sentence for each receiver that could not be reached; it is told next time.

    Raises:
        OSError: What is told cannot be noted; nothing more is sent then.
    """
    return _tell(feed, receivers, lambda known: _with_news(known, drift))


# ----- what is new to a receiver -----


def _with_faults(
    known: RecipientState, notices: list[Alert], now: datetime, window: float
) -> RecipientState:
    oldest = now - timedelta(seconds=window)
    # After a clock was set back, what was told in the future would else silence a fault for long.
    faults = {print_: told for print_, told in known.faults.items() if oldest < told <= now}
    # What still waits is told with its own time, and once, however long the receiver is down.
    due, waiting = list(known.due), {notice.fingerprint for notice in known.due}
    for notice in notices:
        if notice.fingerprint not in faults and notice.fingerprint not in waiting:
            due.append(notice)
            waiting.add(notice.fingerprint)
            faults[notice.fingerprint] = now
    return known.model_copy(update={"faults": faults, "due": tuple(due)})


def _with_news(known: RecipientState, drift: DriftReport) -> RecipientState:
    news, told = new_events(drift, known.drift)
    notices = [notice_of_drift(drift, event, known.drift.schema_drift) for event in news]
    return known.model_copy(update={"drift": told, "due": (*known.due, *notices)})


# ----- telling it -----


def _tell(
    feed: Feed, receivers: Sequence[Recipient], learn: Callable[[RecipientState], RecipientState]
) -> list[str]:
    if not receivers:
        return []
    failures = list[str]()
    with locked(feed.receipts / _FILE):
        book = _read(feed)
        for receiver in receivers:
            known = learn(book.receivers.get(receiver.digest, RecipientState()))
            _note(feed, book, receiver, known)
            left = _send(receiver, known.due)
            if left != known.due:
                _note(feed, book, receiver, known.model_copy(update={"due": left}))
            if left:
                failures.append(_undelivered(receiver, len(left)))
    return failures


def _send(receiver: Recipient, due: tuple[Alert, ...]) -> tuple[Alert, ...]:
    for position, notice in enumerate(due):
        if not _took(receiver, notice):
            return due[position:]
    return ()


def _took(receiver: Recipient, notice: Alert) -> bool:
    kind = _TYPES[notice.severity]
    with _hushed():
        try:
            return bool(
                receiver.client.notify(
                    title=notice.subject, body=notice.message, notify_type=kind, body_format="text"
                )
            )
        except Exception:  # noqa: BLE001 - whatever ails a receiver, batches are scored all the same
            return False


def _undelivered(receiver: Recipient, count: int) -> str:
    what = "1 alert" if count == 1 else f"{count:,} alerts"
    return (
        f"{what} could not be delivered to the {receiver.kind} receiver {receiver.digest}; "
        f"the next run tries again. Check that it is up, and its address."
    )


def _receiver(address: str, number: int) -> Recipient:
    from apprise import Apprise

    client = Apprise()
    with _hushed():
        known = client.add(address)
    if not known or not len(client):
        msg = (
            f"address {number} of --notify or SIGNATURE_GATE_NOTIFY is none that Apprise knows; "
            f"it is not shown, for it may hold a secret. Any webhook is jsons://host/path, or "
            f"json://host/path without TLS; others are listed by `apprise --details`."
        )
        raise Misuse(msg)
    digest = hashlib.sha256(address.encode()).hexdigest()[:8]
    return Recipient(address.partition("://")[0].lower(), digest, client)


@contextmanager
def _hushed() -> Generator[None]:
    """Keep Apprise's log, which names addresses, from every handler."""
    log = logging.getLogger("apprise")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


# ----- what is noted -----


def _read(feed: Feed) -> _Book:
    try:
        return _Book.model_validate_json((feed.receipts / _FILE).read_bytes())
    except (FileNotFoundError, ValidationError):
        return _Book()


def _note(feed: Feed, book: _Book, receiver: Recipient, known: RecipientState) -> None:
    if book.receivers.get(receiver.digest) == known:
        return
    book.receivers[receiver.digest] = known
    atomic_write(feed.receipts / _FILE, book.model_dump_json(indent=2))
