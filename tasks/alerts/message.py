"""What an alert says: the same words from an automation of Prefect's as from the command line."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ...expectations.drift.change import fingerprint_of
from ...expectations.escaping import visible
from ..scoring.evidence import REPORT

if TYPE_CHECKING:
    from ...expectations.verdict.verdict import Verdict
    from ..feed.feed import Feed
    from ..feed.receipt import Outcome, Receipt
    from ..monitoring.announced import News
    from ..monitoring.drift_report import DriftReport

Severity = Literal["critical", "warning", "info"]

# What became of a batch when somebody should know of it. A split is what its policy asked for.
TROUBLED: tuple[Outcome, ...] = ("quarantined", "failed", "errored")

_TOLD = 5  # violations of a batch
_LONGEST = 300
# What calls people or makes links in Slack, Discord, Mattermost and Teams.
_ACTS = re.compile(r"(?<!\w)@(?=\w)|<(?=[!@#\w])|\](?=\()")
_HEADLINES: dict[News, str] = {
    "schema.drifted": "what arrives has changed",
    "schema.recovered": "the drift is over",
    "contract.changed": "what the model expects has changed",
}


class Alert(BaseModel):
    """One thing to tell.

    Attributes:
        fingerprint: Equal for equal news of one feed.
        severity: ``critical`` for what keeps batches from the model, ``warning`` for other changes,
            ``info`` for good news.
        subject: One line, which begins with the severity and the feed's name.
        message: A few lines: changes or violations, model, the report's place and the time. Names
            from data are mere text, also where people chat.
    """

    model_config = ConfigDict(frozen=True)

    fingerprint: str
    severity: Severity
    subject: str
    message: str

    @property
    def payload(self) -> dict[str, str]:
        """What an event carries of it."""
        return self.model_dump(include={"severity", "subject", "message"})


def notice_of_batch(feed: Feed, receipt: Receipt) -> Alert:
    """Put into words that a batch was kept from its model, or could not be scored.

    Args:
        feed: The feed.
        receipt: Of a batch that did not pass.

    Returns:
        A notice that is critical if the batch is troubled.
    """
    severity: Severity = "critical" if receipt.disposition in TROUBLED else "info"
    name = visible(receipt.batch.name, limit=_LONGEST)
    found = _violations(receipt.verdict) or [visible(receipt.reason, limit=_LONGEST)]
    folder = receipt.outputs.quarantine
    lines = [
        f"{name}: {receipt.disposition}",
        *(f" - {line}" for line in found if line),
        _rows(receipt),
        f"model: {visible(receipt.model)}",
        *([f"report: {feed.resolve(folder) / REPORT}"] if folder else []),
        f"receipt: {feed.receipts / receipt.file}",
    ]
    subject = f"[{severity}] {feed.name}: batch {receipt.disposition}: {name}"
    return _notice(receipt.fingerprint, severity, subject, lines, receipt.finished)


def notice_of_drift(drift: DriftReport, news: News, ended: str = "") -> Alert:
    """Put a change of state around a feed into words.

    Args:
        drift: What has changed.
        news: Which change of state.
        ended: Fingerprint of the drift that is over, if it is.

    Returns:
        A notice that is critical if a change is breaking. News of an end carries the fingerprint of
        what ended: otherwise all ends would look alike, and only the first be told.
    """
    changes = drift.of_contract if news == "contract.changed" else drift.of_schema
    breaking = any(change.effect == "breaking" for change in changes)
    recovered = news == "schema.recovered"
    severity: Severity = "info" if recovered else "critical" if breaking else "warning"
    print_ = ended if recovered else fingerprint_of(changes)
    subject = f"[{severity}] {drift.feed}: {_HEADLINES[news]}"
    return _notice(print_, severity, subject, drift.message().splitlines(), datetime.now(UTC))


def _notice(
    print_: str, severity: Severity, subject: str, lines: list[str], seen: datetime
) -> Alert:
    message = "\n".join([*lines, f"seen: {seen:%Y-%m-%d %H:%M} UTC"])
    return Alert(
        fingerprint=print_, severity=severity, subject=_tame(subject), message=_tame(message)
    )


def _violations(verdict: Verdict | None) -> list[str]:
    blocking = verdict.blocking if verdict else ()
    told = [visible(violation.message, limit=_LONGEST) for violation in blocking[:_TOLD]]
    more = len(blocking) - _TOLD
    return [*told, f"and {more:,} more"] if more > 0 else told


def _rows(receipt: Receipt) -> str:
    rows = "unknown" if receipt.rows_in is None else f"{receipt.rows_in:,}"
    rejected = receipt.outputs.rejected
    return f"rows: {rows}; rejected: {'unknown' if rejected is None else f'{rejected:,}'}"


def _tame(text: str) -> str:
    return _ACTS.sub(lambda match: f"⟨U+{ord(match[0]):04X}⟩", text)
