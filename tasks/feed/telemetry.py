"""Measurements for OpenTelemetry, if the process has a provider of meters; else nothing happens."""

from __future__ import annotations

import logging
import time
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .feed import Feed
    from .identity import Identity
    from .receipt import Receipt

_log = logging.getLogger("signature_gate.telemetry")


class _Instruments(NamedTuple):
    batches: Any
    rows: Any
    seconds: Any
    waiting: Any


def measure_receipt(feed: Feed, receipt: Receipt) -> None:
    """Count a batch, its rows and its seconds, once its receipt is published."""
    about = {"feed": feed.name, "disposition": receipt.disposition}
    try:
        if instruments := _instruments():
            instruments.batches.add(1, about)
            instruments.seconds.record((receipt.finished - receipt.started).total_seconds(), about)
            for outcome, rows in _rows_of(receipt).items():
                instruments.rows.add(rows, {"feed": feed.name, "outcome": outcome})
    except Exception as error:  # noqa: BLE001 - no batch fails for want of a measurement
        _log.warning("not measured: %s", type(error).__name__)


def measure_waiting(feed: Feed, ready: Iterable[Identity]) -> None:
    """Record for how long the oldest batch has waited that a run takes up."""
    age = time.time() - min((batch.stamp for batch in ready), default=time.time_ns()) / 1e9
    try:
        if instruments := _instruments():
            instruments.waiting.set(max(0.0, age), {"feed": feed.name})
    except Exception as error:  # noqa: BLE001 - likewise
        _log.warning("not measured: %s", type(error).__name__)


def _rows_of(receipt: Receipt) -> dict[str, int]:
    if not receipt.final or receipt.discard:
        return {}
    return {"scored": receipt.outputs.scored, "rejected": receipt.outputs.rejected or 0}


@cache
def _instruments() -> _Instruments | None:
    try:
        from opentelemetry.metrics import get_meter
    except ImportError:
        return None
    meter = get_meter("signature_gate")
    return _Instruments(
        meter.create_counter("signature_gate.batches", "{batch}", "Attempts by disposition."),
        meter.create_counter("signature_gate.rows", "{row}", "Rows by outcome."),
        meter.create_histogram("signature_gate.attempt.duration", "s", "How long attempts took."),
        meter.create_gauge("signature_gate.oldest_waiting.age", "s", "Age of the oldest batch."),
    )
