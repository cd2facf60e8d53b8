"""What a feed did and what waits in it, as figures for Prometheus; no batch is read."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ...expectations.documents import staged
from ...expectations.errors import GateError, Misuse
from ..feed.receipt_files import receipt_table
from ..quarantine.entries import entry_names
from ..stores.feed_runs import at_hand, waiting_since

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from prometheus_client import Metric

    from ..feed.feed import Feed

_PREFIX = "signature_gate_"


class FeedFigures(NamedTuple):
    """The figures of a feed; counts are over all its years, as receipts stay.

    Attributes:
        batches: Attempts by disposition; ``released`` and ``discarded`` are decisions on entries.
        rows: Rows that arrived in batches that are done.
        scored: Rows with a prediction.
        rejected: Rows that were kept from the model when their batch arrived.
        seconds: How long all attempts took.
        last_arrival: When the newest batch was first taken up, in seconds since 1970; 0 for none.
        waiting: Batches of the inbox that are not done.
        oldest_waiting: For how many seconds the first of them has waited; 0 for none.
        quarantined: Entries that wait for a decision.
    """

    batches: dict[str, int]
    rows: int
    scored: int
    rejected: int
    seconds: float
    last_arrival: float
    waiting: int
    oldest_waiting: float
    quarantined: int


def figures_of(feed: Feed) -> FeedFigures:
    """Count what a feed did; GateError if a ledger is damaged."""
    here = at_hand(feed)
    receipts = receipt_table(here.receipts).with_columns(
        what=pl.when(pl.col("released").is_null()).then("disposition").otherwise(pl.lit("released"))
    )
    arrived = receipts.filter(~pl.col("what").is_in(["released", "discarded"]))
    done = arrived.filter("final")
    taken_up = arrived.group_by("batch").agg(pl.col("started").min()).select("started")
    newest = taken_up.select(pl.col("started").max().dt.timestamp("ms")).item()
    took = (receipts["finished"] - receipts["started"]).dt.total_milliseconds().sum()
    since = waiting_since(feed)
    return FeedFigures(
        batches=dict(receipts.group_by("what").len().sort("what").rows()),
        rows=int(done["rows"].sum()),
        scored=int(receipts.filter("final")["scored"].sum()),
        rejected=int(done["rejected"].sum()),
        seconds=int(took) / 1000,
        last_arrival=(newest or 0) / 1000,
        waiting=len(since),
        oldest_waiting=max(0.0, time.time() - since[0]) if since else 0.0,
        quarantined=len(entry_names(here)),
    )


# Field -> the metric's name after ``signature_gate_``, and what it counts.
_COUNTERS = {
    "rows": ("rows", "Rows that arrived in batches that are done."),
    "scored": ("scored_rows", "Rows with a prediction."),
    "rejected": ("rejected_rows", "Rows that were kept from the model when their batch arrived."),
    "seconds": ("seconds", "How long all attempts took."),
}
_GAUGES = {
    "last_arrival": ("last_arrival_timestamp_seconds", "When the newest batch was taken up."),
    "waiting": ("waiting_batches", "Batches of the inbox that are not done."),
    "oldest_waiting": ("oldest_waiting_age_seconds", "How long the first of them has waited."),
    "quarantined": ("quarantined_entries", "Entries that wait for a decision."),
}


@dataclass(eq=False)
class _Collector:
    families: list[Metric]

    def collect(self) -> list[Metric]:
        return self.families


def write_metrics(feeds: Sequence[Feed], out: Path | None = None) -> str:
    """Return the figures of feeds in the text format of Prometheus; write them, whole, to ``out``.

    The textfile collector of node_exporter reads such a file.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        msg = "metrics needs the package prometheus-client; pip install signature-gate[metrics]."
        raise GateError(msg) from error
    if len({feed.name for feed in feeds}) < len(feeds):
        msg = "two of these feeds have one name. Name each feed once."
        raise Misuse(msg)
    registry = CollectorRegistry()
    registry.register(_Collector(list(_families({f.name: figures_of(f) for f in feeds}))))
    text = generate_latest(registry).decode()
    if out:
        with staged(out) as partial:
            partial.write_text(text, "utf-8")
    return text


def _families(feeds: dict[str, FeedFigures]) -> Iterator[Metric]:
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

    text = "Attempts, and decisions on quarantine entries, by disposition."
    batches = CounterMetricFamily(f"{_PREFIX}batches", text, labels=["feed", "disposition"])
    for feed, figures in feeds.items():
        for disposition, count in figures.batches.items():
            batches.add_metric([feed, disposition], count)
    yield batches
    for form, metrics in ((CounterMetricFamily, _COUNTERS), (GaugeMetricFamily, _GAUGES)):
        for field, (name, meaning) in metrics.items():
            family = form(f"{_PREFIX}{name}", meaning, labels=["feed"])
            for feed, figures in feeds.items():
                family.add_metric([feed], getattr(figures, field))
            yield family
