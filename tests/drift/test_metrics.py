"""``metrics`` states what feeds did and what waits; OpenTelemetry gets the same in a run."""

from __future__ import annotations

import builtins
import io
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from commands import run
from feeds import deliver, gaps, rows
from live_object_store import put
from opentelemetry import metrics as otel
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from prometheus_client.parser import text_string_to_metric_families

from signature_gate.expectations.errors import Misuse
from signature_gate.tasks.feed import telemetry
from signature_gate.tasks.monitoring.metrics import figures_of, write_metrics
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.compaction import compact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


@pytest.fixture
def feed(make_feed: FeedMaker, line: str) -> Feed:
    """Batches that passed, split, were quarantined, and one that was discarded."""
    made = make_feed(policy={"on_mismatch": "split", "max_rejected": 0.5})
    for name, batch in {
        "good": rows(4),
        "split": gaps(10, 2),
        "half": gaps(10, 8),
        "most": gaps(10, 9),
    }.items():
        deliver(made, f"{name}.parquet", batch)
    score_feed(made)
    discard_batch(made, "half.parquet")
    return made


def samples(text: str) -> dict[tuple[str, str], float]:
    """Parse Prometheus text: value by name and disposition, of the one feed."""
    families = text_string_to_metric_families(text)
    found = [sample for family in families for sample in family.samples]
    return {(s.name, s.labels.get("disposition", "")): s.value for s in found}


def test_figures_are_those_of_the_receipts(feed: Feed) -> None:
    """Batches by disposition, rows, and seconds; a decision on an entry adds no rows."""
    found = samples(write_metrics([feed]))

    batches = {what: count for (name, what), count in found.items() if what}
    assert batches == {"passed": 1, "split": 1, "quarantined": 2, "discarded": 1}
    assert found["signature_gate_rows_total", ""] == 34
    assert found["signature_gate_scored_rows_total", ""] == 12
    assert found["signature_gate_rejected_rows_total", ""] == 22
    assert found["signature_gate_seconds_total", ""] > 0
    assert found["signature_gate_waiting_batches", ""] == 0
    assert found["signature_gate_oldest_waiting_age_seconds", ""] == 0
    # The split's rejected rows, and the batch that nobody has decided on.
    assert found["signature_gate_quarantined_entries", ""] == 2


def test_figures_outlast_a_compaction(feed: Feed) -> None:
    """Counters never fall, or Prometheus would take that for a restart."""
    before = figures_of(feed)

    compact(feed, datetime.now(UTC) + timedelta(seconds=1))

    assert figures_of(feed) == before


def test_a_waiting_batch_is_not_read(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is known by its name and size: a scrape each minute reads no data."""
    waiting = deliver(feed, "new.parquet", rows(7))
    deliver(feed, "good.parquet", rows(8))
    opened: list[str] = []
    for module in (io, builtins):
        monkeypatch.setattr(module, "open", _recording(module.open, opened))

    found = figures_of(feed)

    assert found.waiting == 2
    assert found.oldest_waiting >= 0
    assert all(Path(name).suffix != waiting.suffix for name in opened)
    assert opened


def _recording(open_file: Any, opened: list[str]) -> Any:
    def record(path: Any, *arguments: Any, **options: Any) -> Any:
        opened.append(str(path))
        return open_file(path, *arguments, **options)

    return record


def test_a_batch_that_is_done_does_not_wait(feed: Feed) -> None:
    """Neither when it was copied anew; another content under its name does."""
    good = feed.inbox / "good.parquet"
    good.write_bytes(good.read_bytes())
    assert figures_of(feed).waiting == 0

    deliver(feed, "good.parquet", rows(5))
    assert figures_of(feed).waiting == 1


def test_of_many_that_write_one_file_at_once_none_fails(feed: Feed, tmp_path: Path) -> None:
    """Each writes it whole; the last one stays."""
    out, together = tmp_path / "gate.prom", Barrier(8)

    def write(_: int) -> str:
        together.wait()
        return write_metrics([feed], out)

    with ThreadPoolExecutor(8) as pool:
        written = list(pool.map(write, range(8)))

    assert out.read_text("utf-8") in written
    assert [path.name for path in tmp_path.glob("*gate.prom*")] == ["gate.prom"]


def test_a_file_is_written_whole(
    feed: Feed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """--out replaces the file at once, and leaves nothing that a collector would read beside it."""
    file, out = tmp_path / "feed.yaml", tmp_path / "textfile" / "gate.prom"
    file.write_text(yaml.safe_dump(feed.model_dump(mode="json")))
    out.parent.mkdir()
    out.write_text("old")

    printed = run(capsys, "metrics", str(file))
    written = run(capsys, "metrics", str(file), "--out", str(out))

    assert printed[0] == written[0] == 0
    assert written[1] == ""
    assert samples(out.read_text()).keys() == samples(printed[1]).keys()
    assert [path.name for path in out.parent.iterdir()] == ["gate.prom"]


def test_an_empty_feed_has_figures(make_feed: FeedMaker) -> None:
    """A feed that never ran counts zero, so that an alert on it can tell."""
    found = samples(write_metrics([make_feed()]))

    assert found["signature_gate_rows_total", ""] == 0
    assert found["signature_gate_last_arrival_timestamp_seconds", ""] == 0


def test_feeds_of_one_name_are_refused(make_feed: FeedMaker) -> None:
    """Their figures could not be told apart."""
    feed = make_feed()

    with pytest.raises(Misuse, match="Name each feed once"):
        write_metrics([feed, feed])


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """Give this process a provider of meters."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader])
    monkeypatch.setattr(otel, "get_meter", provider.get_meter)
    telemetry._instruments.cache_clear()  # noqa: SLF001
    yield reader
    telemetry._instruments.cache_clear()  # noqa: SLF001
    provider.shutdown()


def _points(reader: InMemoryMetricReader) -> dict[tuple[str, ...], Any]:
    data = reader.get_metrics_data()
    assert data
    return {
        (metric.name, *(str(v) for k, v in sorted(point.attributes.items()) if k != "feed")): point
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
        for point in metric.data.data_points
    }


def test_a_run_is_measured_by_open_telemetry(measured: InMemoryMetricReader, feed: Feed) -> None:
    """Batches and rows by outcome, durations, and for how long the oldest batch had waited."""
    points = _points(measured)

    counts = {key[1]: p.value for key, p in points.items() if key[0] == "signature_gate.batches"}
    assert counts == {"passed": 1, "split": 1, "quarantined": 2, "discarded": 1}
    assert points["signature_gate.rows", "scored"].value == 12
    assert points["signature_gate.rows", "rejected"].value == 22
    assert points["signature_gate.attempt.duration", "split"].count == 1
    assert points["signature_gate.oldest_waiting.age",].value >= 0


def test_so_is_a_run_in_a_store(measured: InMemoryMetricReader, store_feed: FeedMaker) -> None:
    """Once its receipt is there."""
    feed = store_feed()
    put(feed, "good.parquet", rows(4))

    score_feed(feed)

    points = _points(measured)
    assert points["signature_gate.batches", "passed"].value == 1
    assert points["signature_gate.rows", "scored"].value == 4


def test_a_broken_meter_stops_no_batch(feed: Feed, monkeypatch: pytest.MonkeyPatch) -> None:
    """The batch is scored, and nothing is measured."""

    def fail() -> None:
        raise RuntimeError

    monkeypatch.setattr(telemetry, "_instruments", fail)
    deliver(feed, "new.parquet", rows(3))

    assert [receipt.disposition for receipt in score_feed(feed).receipts] == ["passed"]
