"""Judge again what lies in quarantine, or a repaired file."""

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
    """Judge what a release is about; ``_row`` counts in the batch as it arrived.

    In a repaired file that stands for the whole batch, it counts in that file.

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
        reason = error.describe(redact=intent.policy.redact)
        msg = f"{attempt.path} cannot be judged again: {reason}. {error.remedy}"
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
        msg = f"{job.file} has {result.verdict.rows:,} rows, but {len(numbers):,} values of `_row`."
        raise Misuse(msg)
    return result


def _refuse_other_rows(job: ReleaseJob, numbers: Any) -> None:
    content = job.taken.entry.content
    rejected = set(row_numbers(content, Policy().csv)) if content else set[int]()
    found = set(numbers)
    if found == rejected:
        return
    missing, surplus = sorted(rejected - found), sorted(found - rejected)
    parts = [
        f"{len(rows):,} {what} (first: {', '.join(map(str, rows[:_SHOWN]))})"
        for rows, what in ((missing, "are missing"), (surplus, "were not rejected"))
        if rows
    ]
    msg = (
        f"{job.file} does not hold the {len(rejected):,} rejected rows: by `_row`, "
        f"{' and '.join(parts)}. Leave rows that you cannot repair in it as they are."
    )
    raise Misuse(msg)


def _with(result: CheckResult, update: dict[str, Any]) -> CheckResult:
    return replace(result, verdict=result.verdict.model_copy(update=update))
