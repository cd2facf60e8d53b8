"""Judge once more what lies in quarantine, or what was repaired."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ...expectations.batch.batch import UnreadableError
from ...expectations.contract.policy import Policy
from ...expectations.errors import GateError, Misuse
from ...expectations.judge.reopen import renumbered, reopen_rejected, row_numbers
from ...expectations.readers.open import open_batch
from ...expectations.verdict.verdict import BatchInfo
from ..scoring.attempt import judge_batch

if TYPE_CHECKING:
    from ...expectations.judge.result import CheckResult
    from .release_outputs import ReleaseJob

_SHOWN = 5


def judge_again(job: ReleaseJob) -> CheckResult:
    """Judge what a release is about.

    Args:
        job: The release.

    Returns:
        The verdict and the rows, ``_row`` being their position in the batch as it arrived, or in
        the repaired file that stands for the whole of it.

    Raises:
        GateError: The rejected rows cannot be read.
        Misuse: A repaired file does not hold the rejected rows.
    """
    result = _judged_rows(job) if job.of_rows else judge_batch(job.attempt, job.attempt.path)
    name = job.attempt.batch.path
    known = {"name": f"{name}, rejected rows" if job.of_rows else name}
    if job.file:
        known = {"name": job.file.name, "uri": str(job.file)}
    return _with(result, {"batch": result.verdict.batch.model_copy(update=known)})


def _judged_rows(job: ReleaseJob) -> CheckResult:
    if job.file:
        return _judged_repaired_rows(job)
    attempt, intent = job.attempt, job.attempt.intent
    arrived = BatchInfo(**job.taken.origin.batch.model_dump(include=set(BatchInfo.model_fields)))
    try:
        reopened = reopen_rejected(attempt.path, arrived, intent.contract, intent.judged_by)
    except UnreadableError as error:
        told = error.describe(redact=intent.policy.redact)
        msg = f"{attempt.path} cannot be judged again: {told}. {error.remedy}"
        raise GateError(msg) from error
    result = judge_batch(attempt, reopened.opened)
    return _with(result, {"violations": (*result.verdict.violations, *reopened.violations)})


def _judged_repaired_rows(job: ReleaseJob) -> CheckResult:
    attempt, intent = job.attempt, job.attempt.intent
    numbers = row_numbers(attempt.path, intent.policy.csv)
    _refuse_other_rows(job, numbers)
    try:
        opened = open_batch(attempt.path, intent.contract, intent.judged_by)
    except UnreadableError:
        return judge_batch(attempt, attempt.path)
    result = judge_batch(attempt, renumbered(opened, numbers))
    if result.verdict.rows not in (None, len(numbers)):
        msg = f"{job.file} has {result.verdict.rows:,} rows, and {len(numbers):,} numbers of rows."
        raise Misuse(msg)
    return result


def _refuse_other_rows(job: ReleaseJob, numbers: Any) -> None:
    content = job.taken.entry.content
    wanted = set(row_numbers(content, Policy().csv)) if content else set[int]()
    found = set(numbers)
    if found == wanted:
        return
    missing, surplus = sorted(wanted - found), sorted(found - wanted)
    parts = [
        f"{len(rows):,} {what} (first: {', '.join(map(str, rows[:_SHOWN]))})"
        for rows, what in ((missing, "are missing"), (surplus, "were not rejected"))
        if rows
    ]
    msg = (
        f"{job.file} does not hold the {len(wanted):,} rejected rows: by `_row`, "
        f"{' and '.join(parts)}. Leave rows that you cannot repair in it as they are."
    )
    raise Misuse(msg)


def _with(result: CheckResult, update: dict[str, Any]) -> CheckResult:
    return replace(result, verdict=result.verdict.model_copy(update=update))
