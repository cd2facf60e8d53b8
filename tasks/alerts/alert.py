"""What people and automations are told: the same words from Prefect as from the command line."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

from ...expectations.credentials import mask_uri
from ...expectations.drift.change import fingerprint_of
from ...expectations.escaping import visible
from ..scoring.evidence import REPORT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...expectations.drift.change import Change
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Outcome, Receipt
    from ..monitoring.announced import AnnouncedState, News
    from ..monitoring.drift_report import DriftReport

Severity = Literal["critical", "warning", "info"]

# Outcomes that people should know of. A split is what its policy asks for.
TROUBLED: tuple[Outcome, ...] = ("quarantined", "failed", "errored")

_IN_BODY = 5  # violations of a batch
_IN_PAYLOAD = 20  # violations or changes
_LONGEST = 300
# What mentions people or makes links in Slack, Discord, Mattermost and Teams.
_MENTION_OR_LINK = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#\w])|\](?=\()")
_HEADLINES: dict[News, str] = {
    "schema.drifted": "what arrives has changed",
    "schema.recovered": "the drift is over",
    "values.shifted": "values have shifted",
    "values.recovered": "values are as expected again",
    "contract.changed": "what the model expects has changed",
}


class Alert(BaseModel):
    """One thing to report, to people by title and body, to automations by event and payload.

    Attributes:
        event: What happened, such as ``batch.quarantined``.
        resource: Labels of the feed or model that it happened to.
        fingerprint: Equal for equal news of one feed.
        severity: ``critical`` for what keeps batches from the model, ``warning`` for other changes,
            ``info`` for good news.
        title: One line, which begins with the severity and the feed's name.
        body: A few lines: changes or violations, model, the report's place and the time. Names
            from data mention nobody and link nowhere, also in a chat.
        payload: What else the event carries.
    """

    model_config = ConfigDict(frozen=True)

    event: str = ""
    resource: dict[str, str] = Field(default_factory=dict)
    fingerprint: str
    severity: Severity
    # Alerts that were still to be delivered under their first names.
    title: str = Field(validation_alias=AliasChoices("title", "subject"))
    body: str = Field(validation_alias=AliasChoices("body", "message"))
    payload: dict[str, Any] = Field(default_factory=dict, exclude=True)


def alert_of_batch(feed: Feed, receipt: Receipt) -> Alert:
    """Report what became of a batch: critical if people should know of it."""
    severity: Severity = "critical" if receipt.disposition in TROUBLED else "info"
    name = visible(receipt.batch.name, limit=_LONGEST)
    reasons = _reasons(receipt.verdict) or [visible(receipt.reason, limit=_LONGEST)]
    folder = receipt.outputs.quarantine
    body = [
        f"{name}: {receipt.disposition}",
        *(f" - {reason}" for reason in reasons if reason),
        _rows(receipt),
        f"model: {visible(receipt.model)}",
        *([f"report: {feed.resolve(folder) / REPORT}"] if folder else []),
        f"receipt: {feed.receipts / receipt.file}",
    ]
    return Alert(
        event=f"batch.{receipt.disposition}",
        resource=_feed_labels(receipt.feed, receipt.fingerprint, receipt.model.pinned),
        fingerprint=receipt.fingerprint,
        severity=severity,
        title=_defuse(f"[{severity}] {feed.name}: batch {receipt.disposition}: {name}"),
        body=_lines(body, receipt.finished),
        payload={
            "batch": receipt.batch.id,
            "receipt": receipt.file,
            "rows": receipt.rows_in,
            "scored": receipt.outputs.scored,
            "rejected": receipt.outputs.rejected,
            "predictions": receipt.outputs.predictions,
            "quarantine": folder,
            "summary": visible(receipt.reason, limit=_LONGEST),
            "causes": [
                visible(cause.message, limit=_LONGEST)
                for cause in (receipt.verdict.causes if receipt.verdict else ())
            ],
            "violations": violations_of(receipt.verdict),
        },
    )


def alert_of_drift(drift: DriftReport, news: News, before: AnnouncedState) -> Alert:
    """Report a change of state around a feed since what was announced: critical if it blocks.

    The end of a drift carries the fingerprint of the drift that ended. Otherwise all ends would
    look alike, and only the first would be reported.
    """
    changes = drift.of_contract if news == "contract.changed" else drift.of_schema
    columns = _columns_of(drift, news, before)
    recovered = news.endswith(".recovered")
    breaking = any(change.effect == "breaking" for change in changes)
    if news == "values.shifted":
        breaking = any(s.severity == "critical" for s in drift.values if s.column in columns)
    severity: Severity = "info" if recovered else "critical" if breaking else "warning"
    fingerprint = before.schema_drift if recovered else fingerprint_of(changes)
    if columns:
        fingerprint = hashlib.sha256(repr(sorted(columns.items())).encode()).hexdigest()[:16]
    ends = [f"over: {visible(_end_of(column, drift))}" for column in columns if recovered]
    return Alert(
        event=news,
        resource=_feed_labels(drift.feed, fingerprint, str(drift.model or drift.version)),
        fingerprint=fingerprint,
        severity=severity,
        title=_defuse(f"[{severity}] {drift.feed}: {_HEADLINES[news]}"),
        body=_lines([*ends, *drift.message().splitlines()], datetime.now(UTC)),
        payload=_drift_payload(drift, changes, breaking=breaking),
    )


def _columns_of(drift: DriftReport, news: News, before: AnnouncedState) -> dict[str, str]:
    """Find the columns whose values are the news, and by which statistic each was told first."""
    now = {shift.column: shift.statistic for shift in drift.values}
    of = {"values.shifted": (now, before.values), "values.recovered": (before.values, now)}
    there, gone = of.get(news, ({}, {}))
    return {column: name for column, name in there.items() if column not in gone}


def _end_of(column: str, drift: DriftReport) -> str:
    accepted = drift.accepted.get(column)
    return f"{column!r}: " + (f"accepted {accepted}" if accepted else "as expected again")


def alerts_of_silence(
    feed: Feed, since: datetime | None, told: datetime | None
) -> tuple[Alert, ...]:
    """Report a silence, or the end of the one that was told; nothing where that is no news."""
    if feed.expect_every is None or since == told:
        return ()
    title = "batches arrive again" if since is None else "no batch arrives"
    what = "was silent" if since is None else "no new batch has arrived"
    began = since or told
    severity: Severity = "info" if since is None else "critical"
    fingerprint = f"silent-since-{began:%Y%m%dT%H%M%S}"
    body = [
        f"{what} since {began:%Y-%m-%d %H:%M} UTC; the feed expects one every {feed.expect_every}",
        f"inbox: {feed.inbox}",
    ]
    alert = Alert(
        event="feed.resumed" if since is None else "feed.silent",
        resource=_feed_labels(feed.name, fingerprint, mask_uri(feed.model)),
        fingerprint=fingerprint,
        severity=severity,
        title=f"[{severity}] {feed.name}: {title}",
        body=_lines(body, datetime.now(UTC)),
    )
    return (alert,)


def _drift_payload(
    drift: DriftReport, changes: Sequence[Change], *, breaking: bool
) -> dict[str, Any]:
    return {
        "summary": drift.message(),
        "breaking": breaking,
        "changes": [
            {
                "effect": change.effect,
                "kind": change.kind,
                "path": visible(change.path, limit=_LONGEST),
                "between": change.between,
                "message": visible(change.message, limit=_LONGEST),
            }
            for change in changes[:_IN_PAYLOAD]
        ],
        "values": [
            {"column": visible(shift.column, limit=_LONGEST), "statistic": shift.statistic}
            for shift in drift.values[:_IN_PAYLOAD]
        ],
        "batches": drift.batches,
        "since": visible(drift.since or "", limit=_LONGEST),
        "would_not_pass": len(drift.rejecting),
        "previous": str(drift.previous or ""),
        "report": drift.report,
    }


def violations_of(verdict: Verdict | None) -> list[dict[str, Any]]:
    """List the first violations in plain data, with every name and value made visible."""
    return [
        {
            "kind": violation.kind,
            "column": visible(violation.column or "", limit=_LONGEST),
            "rows": violation.count,
            "severity": violation.severity,
            "message": visible(violation.message, limit=_LONGEST),
        }
        for violation in (verdict.violations if verdict else ())[:_IN_PAYLOAD]
    ]


def _feed_labels(feed: str, fingerprint: str, model: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"signature-gate.feed.{feed}",
        "prefect.resource.name": feed,
        "signature-gate.fingerprint": fingerprint,
        "signature-gate.model": model,
    }


def _reasons(verdict: Verdict | None) -> list[str]:
    blocking = verdict.blocking if verdict else ()
    causes = verdict.causes if verdict else ()
    stated = [*causes, *blocking[:_IN_BODY]]
    messages = [visible(each.message, limit=_LONGEST) for each in stated]
    more = len(blocking) - _IN_BODY
    return [*messages, f"and {more:,} more"] if more > 0 else messages


def _rows(receipt: Receipt) -> str:
    rows = "unknown" if receipt.rows_in is None else f"{receipt.rows_in:,}"
    rejected = receipt.outputs.rejected
    return f"rows: {rows}; rejected: {'unknown' if rejected is None else f'{rejected:,}'}"


def _lines(lines: Sequence[str], seen: datetime) -> str:
    return _defuse("\n".join([*lines, f"seen: {seen:%Y-%m-%d %H:%M} UTC"]))


def _defuse(text: str) -> str:
    return _MENTION_OR_LINK.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
