"""What a release leaves: the moves that publish it, and where everything lies afterwards.

Scored rows appear as ``<batch>.parquet``, or as ``<batch>.release-<n>.parquet`` beside earlier
predictions. The entry goes to ``archive/_released``, reports included; rows that are still rejected
go to ``quarantine/<batch>.release-<n>``. If no row could be scored, everything stays where it is,
and new reports join the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..feed.receipt import REJECTED, Outputs
from ..scoring.evidence import REPORT, VERDICT, explain, surroundings_of
from ..storage.atomic import lexists
from ..storage.transaction import PREDICTIONS, QUARANTINE
from .entries import report_names

if TYPE_CHECKING:
    from pathlib import Path

    from ...expectations.judge.result import CheckResult
    from ...expectations.verdict.verdict import Verdict
    from ..scoring.attempt import AttemptResult
    from ..scoring.predictions import Scored
    from ..storage.transaction import Attempt
    from .checkout import CheckedOut

Moves = list[tuple["Path", "Path"]]


@dataclass(frozen=True)
class ReleaseJob:
    """A release in progress.

    Attributes:
        taken: The entry.
        attempt: The attempt on its content, or on the repaired file.
        file: The repaired file as the user named it; the attempt has a copy of it.
    """

    taken: CheckedOut
    attempt: Attempt
    file: Path | None = None

    @property
    def of_rows(self) -> bool:
        """Whether rejected rows of a batch are released, not the batch."""
        return self.taken.entry.holds == "rows"

    @property
    def archive(self) -> Path:
        """Where the entry goes, if any of it is scored."""
        return self.taken.archived("released")

    @property
    def name(self) -> str:
        """The name of everything that this release leaves."""
        return f"{self.attempt.batch.id}.release-{self.taken.number}"


def stage_release(
    job: ReleaseJob, result: AttemptResult, checked: CheckResult
) -> tuple[Moves, Outputs]:
    """Write the reports into the staging folder, and list the moves that publish all of it."""
    if result.scored is None:
        return _stays(job, result.verdict, checked)
    return _publishes(job, result.verdict, result.scored, checked)


def _stays(job: ReleaseJob, verdict: Verdict, checked: CheckResult) -> tuple[Moves, Outputs]:
    from ...expectations.report.batch_report import Destination

    feed, entry = job.attempt.feed, job.taken.entry
    staged = job.attempt.staging / QUARANTINE
    content = [Destination("Still in quarantine", entry.content.name)] if entry.content else []
    explain(staged, verdict, content, surroundings_of(feed, entry.name, checked))
    reports = report_names(job.taken.number, repaired=job.file is not None)
    moves = [
        (staged / name, entry.path / numbered)
        for name, numbered in zip((VERDICT, REPORT), reports, strict=True)
    ]
    outputs = Outputs(
        batch=job.taken.batch_place,
        quarantine=feed.relative(entry.path),
        rejected=verdict.rows,
    )
    return moves, outputs


def _publishes(
    job: ReleaseJob, verdict: Verdict, scored: Scored, checked: CheckResult
) -> tuple[Moves, Outputs]:
    from ...expectations.report.batch_report import Destination

    feed, entry, attempt = job.attempt.feed, job.taken.entry, job.attempt
    published, archive = _published(job), job.archive
    moves, quarantine = [(attempt.staging / PREDICTIONS, published)], None
    if verdict.disposition == "split":
        quarantine = feed.new_entry(job.name)
        became = [
            Destination("Predictions", feed.address(published), scored.rows),
            Destination("Rejected rows", REJECTED, verdict.rejected),
        ]
        around = surroundings_of(feed, quarantine.name, checked)
        explain(attempt.staging / QUARANTINE, verdict, became, around)
        moves.append((attempt.staging / QUARANTINE, quarantine))
    if job.file:
        moves.append((attempt.path, entry.path / attempt.path.name))
    moves.append((entry.path, archive))
    place = job.taken.batch_place
    if not job.of_rows and entry.content:
        place = feed.relative(archive / entry.content.name)
    outputs = Outputs(
        batch=place,
        predictions=feed.relative(published),
        columns=scored.columns,
        quarantine=feed.relative(quarantine) if quarantine else None,
        scored=scored.rows,
        rejected=verdict.rejected,
    )
    return moves, outputs


def _published(job: ReleaseJob) -> Path:
    attempt = job.attempt
    model = attempt.intent.model.name or attempt.feed.name
    first = attempt.feed.predictions(attempt.batch.id, model, attempt.intent.version)
    if job.of_rows or lexists(first):
        return attempt.feed.predictions(job.name, model, attempt.intent.version)
    return first
