"""Events for Prefect automations: one per batch and per change of state."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from prefect.events import emit_event

from ...expectations.escaping import slug, visible
from ..alerts.alert import alert_of_batch, alerts_of_silence, violations_of
from ..feed.untold import mark_told, untold
from ..monitoring.announced import record_once

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import datetime

    from ...expectations.verdict.verdict import Verdict
    from ..alerts.alert import Alert
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..monitoring.announced import AnnouncedState

_LONGEST = 300


def emit(alert: Alert) -> None:
    """Emit ``signature-gate.<event>``; equal news of one feed carries equal fingerprints."""
    emit_event(
        event=f"signature-gate.{alert.event}",
        resource=alert.resource,
        payload={
            "severity": alert.severity,
            "subject": alert.title,
            "message": alert.body,
            **alert.payload,
        },
    )


def announce(feed: Feed, receipt: Receipt) -> None:
    """Emit ``signature-gate.batch.<disposition>`` for a batch of a feed."""
    emit(alert_of_batch(feed, receipt))


@contextmanager
def announcing(feed: Feed) -> Generator[list[Receipt]]:
    """Announce what earlier runs could not; at the end mark it and the yielded list as told.

    Receipts of this run are announced one by one. If the run dies, the next one repeats them.
    """
    announced = untold(feed)
    for receipt in announced:
        announce(feed, receipt)
    try:
        yield announced
    finally:
        mark_told(feed, announced)


def announce_silence(feed: Feed, since: datetime | None) -> None:
    """Emit ``signature-gate.feed.silent`` once for a silence, ``feed.resumed`` at its end."""

    def news_of(before: AnnouncedState) -> tuple[tuple[Alert, ...], AnnouncedState]:
        alerts = alerts_of_silence(feed, since, before.silent_since)
        return alerts, before.model_copy(update={"silent_since": since}) if alerts else before

    record_once(feed, news_of, lambda alert, _: emit(alert))


def announce_verdict(verdict: Verdict, model: str) -> None:
    """Emit ``signature-gate.batch.<disposition>`` for a batch that belongs to no feed."""
    name = slug(verdict.model.name if verdict.model and verdict.model.name else model)
    emit_event(
        event=f"signature-gate.batch.{verdict.disposition}",
        resource={
            "prefect.resource.id": f"signature-gate.model.{name}",
            "prefect.resource.name": name,
            "signature-gate.fingerprint": verdict.contract or "none",
        },
        payload={
            "batch": visible(verdict.batch.name, limit=_LONGEST),
            "rows": verdict.rows,
            "rejected": verdict.rejected,
            "violations": violations_of(verdict),
        },
    )
