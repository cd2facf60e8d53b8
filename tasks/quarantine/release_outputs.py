"""What a release leaves behind: the steps that publish it, and what there is afterwards.

Scored rows appear as ``<batch>.parquet``, or as ``<batch>.release-<n>.parquet`` beside predictions
that are there already; what lay in quarantine goes to ``archive/_released``, papers and all; rows
that are still rejected lie in ``quarantine/<batch>.release-<n>``. If nothing could be scored,
everything stays where it is, and gets the new papers beside the old ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..feed.receipt import Outputs
from ..scoring.evidence import REPORT, VERDICT, explain
from ..scoring.outcome import REJECTED
from ..storage.atomic import lexists
from ..storage.transaction import PREDICTIONS, QUARANTINE
from .entries import report_names

if TYPE_CHECKING:
    from pathlib import Path

    from ...expectations.verdict.verdict import Verdict
    from ..scoring.attempt import AttemptResult
    from ..scoring.predictions import Scored
    from ..storage.transaction import Attempt
    from .checkout import CheckedOut

Moves = list[tuple["Path", "Path"]]


@dataclass(frozen=True)
class ReleaseJob:
    """A release on its way.

    Attributes:
        taken: What lies in quarantine.
        attempt: The attempt on it, or on what was handed in.
        file: The repaired file that was handed in; the attempt has a copy of it.
    """

    taken: CheckedOut
    attempt: Attempt
    file: Path | None = None

    @property
    def of_rows(self) -> bool:
        """Whether rows of a batch are released, and not the batch."""
        return self.taken.entry.holds == "rows"

    @property
    def archive(self) -> Path:
        """Where what lay in quarantine goes, if anything of it is scored."""
        return self.taken.archived("released")

    @property
    def name(self) -> str:
        """What everything is called that this release leaves behind."""
        return f"{self.attempt.batch.id}.release-{self.taken.number}"


def stage_release(job: ReleaseJob, finding: AttemptResult) -> tuple[Moves, Outputs]:
    """Complete the staging folder, and name the moves that publish it.

    Args:
        job: The release; predictions and rejected rows lie in its staging folder.
        finding: What was found, and what was predicted.

    Returns:
        Each thing to move with its free new place, in order; and what there is once it is moved.

    Raises:
        OSError: Verdict or report cannot be written.
    """
    if finding.scored is None:
        return _stays(job, finding.verdict)
    return _goes_on(job, finding.verdict, finding.scored)


def _stays(job: ReleaseJob, verdict: Verdict) -> tuple[Moves, Outputs]:
    from ...expectations.report.batch_report import Destination

    feed, entry = job.attempt.feed, job.taken.entry
    staged = job.attempt.staging / QUARANTINE
    content = [Destination("Still in quarantine", entry.content.name)] if entry.content else []
    explain(staged, verdict, content)
    papers = report_names(job.taken.number, repaired=job.file is not None)
    moves = [
        (staged / name, entry.path / numbered)
        for name, numbered in zip((VERDICT, REPORT), papers, strict=True)
    ]
    outputs = Outputs(
        batch=job.taken.batch_place,
        quarantine=feed.relative(entry.path),
        rejected=verdict.rows,
    )
    return moves, outputs


def _goes_on(job: ReleaseJob, verdict: Verdict, scored: Scored) -> tuple[Moves, Outputs]:
    feed, entry, attempt = job.attempt.feed, job.taken.entry, job.attempt
    published, archive = _published(job), job.archive
    moves, apart = [(attempt.staging / PREDICTIONS, published)], None
    if verdict.disposition == "split":
        apart = feed.quarantined(job.name)
        _explain(job, verdict, scored, published)
        moves.append((attempt.staging / QUARANTINE, apart))
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
        quarantine=feed.relative(apart) if apart else None,
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


def _explain(job: ReleaseJob, verdict: Verdict, scored: Scored, published: Path) -> None:
    from ...expectations.report.batch_report import Destination

    became = [
        Destination("Predictions", str(published), scored.rows),
        Destination("Rejected rows", REJECTED, verdict.rejected),
    ]
    explain(job.attempt.staging / QUARANTINE, verdict, became)
