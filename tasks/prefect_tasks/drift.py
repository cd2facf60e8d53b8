"""Drift of a feed in Prefect: one artifact if something changed, one event per change of state."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact

from ...expectations.escaping import for_markdown
from ..alerts.alert import alert_of_drift
from ..monitoring.announced import announce_once
from ..monitoring.watch import watch_feed
from .events import emit
from .options import TASK
from .run_artifacts import artifact_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...expectations.drift.change import Change
    from ..feed.feed import Feed
    from ..monitoring.announced import News
    from ..monitoring.drift_report import DriftReport

_ROWS = 60
_LONGEST = 300
_MARKDOWN = 64_000


@task(**TASK)
def find_drift(feed: Feed, last: int = 60, model: str | None = None) -> DriftReport:
    """Compare the last batches with each other and with the contract of the feed's model."""
    drift = watch_feed(feed, last=last, model=model)
    get_run_logger().info("%s", drift.message().partition("\n")[0])
    return drift


@task(**TASK)
def publish_drift(drift: DriftReport) -> None:
    """Publish what has changed around a feed as one Markdown artifact."""
    create_markdown_artifact(
        key=f"{artifact_key(drift.feed)}-drift",
        markdown=_describe(drift),
        description=f"What has changed around {drift.feed}",
    )


@task(**TASK)
def announce_drift(feed: Feed, drift: DriftReport) -> tuple[News, ...]:
    """Emit one event for each change of state since the last time, and record it."""
    return announce_once(feed, drift, lambda *news: emit(alert_of_drift(*news)))


def _describe(drift: DriftReport) -> str:
    headline, *facts = drift.message().splitlines()
    parts = [
        [f"# {for_markdown(headline)}", ""],
        [f"- {for_markdown(line)}" for line in facts if line[:1] != " "],
        _changes(drift.changes),
        _values(drift),
        _shifts(drift),
        _forecast(drift),
    ]
    return "\n".join(line for part in parts for line in part)[:_MARKDOWN]


def _changes(changes: Sequence[Change]) -> list[str]:
    rows = [
        _row(change.effect, change.between, change.what, change.reason)
        for change in changes[:_ROWS]
    ]
    return _table("Changes", ("effect", "between", "change", "because"), rows, len(changes))


def _values(drift: DriftReport) -> list[str]:
    rows = [_row(s.column, s.statistic, s.since, s.spark, s.message) for s in drift.values[:_ROWS]]
    headings = ("column", "statistic", "since", "each batch", "shift")
    return _table("Columns whose values shifted", headings, rows, len(drift.values))


def _shifts(drift: DriftReport) -> list[str]:
    rows = [
        _row(
            shift.name, f"{shift.finished:%Y-%m-%d %H:%M}", "; ".join(c.what for c in shift.changes)
        )
        for shift in drift.shifts[-_ROWS:]
    ]
    headings = ("batch", "judged (UTC)", "changed from the batch before")
    return _table("Where the schema changed", headings, rows, len(drift.shifts))


def _forecast(drift: DriftReport) -> list[str]:
    rows = [
        _row(entry.name, entry.was, entry.would_be or "unknown", entry.evidence or "", entry.reason)
        for entry in drift.rejecting[-_ROWS:]
    ]
    headings = ("batch", "was", "would be", "evidence", "because")
    return _table(drift.forecast_in_words, headings, rows, len(drift.rejecting))


def _table(title: str, headings: tuple[str, ...], rows: list[str], total: int) -> list[str]:
    if not rows:
        return []
    rule = "|".join("---" for _ in headings)
    more = [f"… and {total - len(rows):,} more"] if total > len(rows) else []
    head = ["", f"## {for_markdown(title)}", "", f"| {' | '.join(headings)} |", f"|{rule}|"]
    return [*head, *rows, *more]


def _row(*cells: str) -> str:
    return f"| {' | '.join(for_markdown(cell, limit=_LONGEST) for cell in cells)} |"
