"""What a watch shows in Prefect: one artifact if something was found, one event per news."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prefect import get_run_logger, task
from prefect.artifacts import create_markdown_artifact
from prefect.events import emit_event

from ...expectations.escaping import for_markdown, visible
from ..alerts.message import notice_of_drift
from ..monitoring.announced import announce_once
from ..monitoring.watch import watch_feed
from .options import TASK
from .run_artifacts import artifact_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...expectations.drift.change import Change
    from ..feed.feed import Feed
    from ..monitoring.announced import News
    from ..monitoring.drift_report import DriftReport

_LISTED = 20
_ROWS = 60
_LONGEST = 300
_MARKDOWN = 64_000


@task(**TASK)
def look_for_drift(feed: Feed, last: int = 60, model: str | None = None) -> DriftReport:
    """Tell what has changed around a feed.

    Args:
        feed: The feed.
        last: Batches to look back on.
        model: A version to forecast for, in place of the feed's own.

    Returns:
        Changes, forecast and notes.

    Raises:
        NoContract: The model's signature decides nothing.
        ModelNotFound: No such model, version or alias.
        RegistryUnavailable: No answer within the timeout, retries included.
    """
    found = watch_feed(feed, last=last, model=model)
    get_run_logger().info("%s", found.message().partition("\n")[0])
    return found


@task(**TASK)
def publish_drift(drift: DriftReport) -> None:
    """Publish what has changed around a feed as one Markdown artifact.

    Args:
        drift: What has changed.
    """
    create_markdown_artifact(
        key=f"{artifact_key(drift.feed)}-drift",
        markdown=describe_drift(drift),
        description=f"What has changed around {drift.feed}",
    )


@task(**TASK)
def tell_news(feed: Feed, drift: DriftReport) -> tuple[News, ...]:
    """Emit one event for each change of state since the last time, and note it.

    Args:
        feed: The feed.
        drift: What has changed.

    Returns:
        What was told: ``schema.drifted`` or ``schema.recovered``, ``contract.changed``, or nothing.
    """
    return announce_once(feed, drift, announce_drift)


def announce_drift(drift: DriftReport, news: News, ended: str = "") -> None:
    """Emit ``signature-gate.<news>`` for a feed.

    Equal changes carry equal fingerprints, and the end of a drift carries that of the drift.
    """
    changes = drift.of_contract if news == "contract.changed" else drift.of_schema
    notice = notice_of_drift(drift, news, ended)
    emit_event(
        event=f"signature-gate.{news}",
        resource={
            "prefect.resource.id": f"signature-gate.feed.{drift.feed}",
            "prefect.resource.name": drift.feed,
            "signature-gate.fingerprint": notice.fingerprint,
            "signature-gate.model": str(drift.model or drift.version),
        },
        payload={
            **notice.payload,
            "summary": drift.message(),
            "breaking": any(change.effect == "breaking" for change in changes),
            "changes": [_in_payload(change) for change in changes[:_LISTED]],
            "batches": drift.batches,
            "since": visible(drift.since or "", limit=_LONGEST),
            "would_not_pass": len(drift.rejecting),
            "previous": str(drift.previous or ""),
            "report": drift.report,
        },
    )


def _in_payload(change: Change) -> dict[str, Any]:
    return {
        "effect": change.effect,
        "kind": change.kind,
        "path": visible(change.path, limit=_LONGEST),
        "between": change.between,
        "message": visible(change.message, limit=_LONGEST),
    }


def describe_drift(drift: DriftReport) -> str:
    """Tell in Markdown what has changed around a feed.

    Args:
        drift: What has changed.

    Returns:
        At most 64,000 characters.
    """
    headline, *facts = drift.message().splitlines()
    parts = [
        [f"# {for_markdown(headline)}", ""],
        [f"- {for_markdown(line)}" for line in facts if line[:1] != " "],
        _changes(drift.changes),
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
