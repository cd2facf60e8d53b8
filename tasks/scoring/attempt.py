"""One attempt on one batch: judge, score, and lay the outcome ready for the commit."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.batch.growing_parquet import GrowingParquet
from ...expectations.errors import (
    BatchChanged,
    BatchUnavailable,
    RegistryUnavailable,
    TableUnavailable,
    UnsupportedBatch,
)
from ...expectations.judge.checking import check
from ...expectations.judge.result import CheckResult
from ...expectations.verdict.verdict import GATE_VERSION, Verdict, Violation
from ..feed.identity import files_of
from ..feed.receipt import REJECTED
from ..storage.atomic import make_folder, remove
from ..storage.transaction import PREDICTIONS, QUARANTINE, Attempt, changed, commit
from .outcome import facts_of, receipt_for, stage_outputs
from .predictions import OutputMismatch, Scored, provenance, score_rows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..feed.receipt import Receipt

# Worth another try at once: the rest of the machinery does not mend itself in seconds.
TRANSIENT = (OSError, RegistryUnavailable, BatchUnavailable, TableUnavailable)
_CHUNK = 1 << 20  # bytes


class AttemptResult(NamedTuple):
    """What an attempt found, and what it predicted if it was to.

    Attributes:
        verdict: What was found.
        scored: What was predicted; None if nothing was.
    """

    verdict: Verdict
    scored: Scored | None = None


def run_attempt(attempt: Attempt, watch: Callable[[int, int], None] | None = None) -> Receipt:
    """Take an attempt from a clear staging folder to its final receipt; ``watch`` sees each piece.

    Where GateError is raised, nothing is published, and the batch lies where it did. The same holds
    for OSError until the plan is written; then recovery completes it.
    """
    judged = judge_batch(attempt, attempt.path)
    finding = score_accepted(attempt, judged, watch)
    if any(violation.kind == "unreadable" for violation in finding.verdict.blocking):
        # To a reader, one error of the disk may look like broken content: two looks must agree.
        _read_through(attempt.path)
        judged = judge_batch(attempt, attempt.path)
        finding = score_accepted(attempt, judged, watch)
    moves, outputs = stage_outputs(attempt, *finding, judged)
    return commit(attempt, moves, receipt_for(attempt, finding.verdict, outputs, judged))


def _read_through(path: Path) -> None:
    """Read all bytes of a batch: OSError if the disk does not give them."""
    for file in files_of(path):
        with file.open("rb") as content:
            while content.read(_CHUNK):
                pass


def judge_batch(attempt: Attempt, batch: Any) -> CheckResult:
    """Judge an attempt's batch, by path or opened already; an unknown format is a verdict too.

    BatchUnavailable: a disk, a network or a permission keeps it from being read.
    """
    intent = attempt.intent
    contract = intent.contract_now
    try:
        result = check(batch, contract, intent.judged_by)
    except UnsupportedBatch as error:
        violation = Violation(
            kind="unreadable",
            expected="a batch in a format that the gate reads",
            observed=f"the name {attempt.batch.path!r}",
            remedy=str(error),
            because="what cannot be read cannot be judged",
        )
    else:
        info = result.verdict.batch.model_copy(update={"uri": attempt.feed.address(attempt.path)})
        told = (
            {"policy": intent.policy, "batch": info}
            if attempt.feed.workspace
            else {"policy": intent.policy}
        )
        return replace(result, verdict=result.verdict.model_copy(update=told))
    verdict = Verdict(
        batch=facts_of(attempt),
        model=intent.model,
        contract=contract.fingerprint,
        policy=intent.policy,
        violations=(violation,),
        gate_version=GATE_VERSION,
    )
    return CheckResult(verdict, contract)


def score_accepted(
    attempt: Attempt, result: CheckResult, watch: Callable[[int, int], None] | None = None
) -> AttemptResult:
    """Score what was accepted, and write apart what was not, all of it in staging.

    The verdict that is returned has also what only scoring could find. A batch that somebody
    altered meanwhile raises BatchChanged.
    """
    if result.disposition not in ("passed", "split"):
        return AttemptResult(result.verdict, None)
    try:
        return AttemptResult(result.verdict, _write(attempt, result, watch))
    except OutputMismatch as found:
        verdict = _with(result.verdict, *found.violations)
    except BatchChanged as error:
        if attempt.is_altered():
            raise changed(attempt.batch) from error
        unread = _with(result.verdict, _contradiction(attempt, error))
        verdict = unread.model_copy(update={"rows": None, "rejected": 0})
    for staged in (PREDICTIONS, QUARANTINE):
        remove(attempt.staging / staged)
    return AttemptResult(verdict, None)


def _write(
    attempt: Attempt, result: CheckResult, watch: Callable[[int, int], None] | None
) -> Scored:
    """Write predictions and, of a split, the rejected rows, all of them in one pass."""
    metadata = provenance(attempt)
    with ExitStack() as files:
        predictions = files.enter_context(GrowingParquet(attempt.staging / PREDICTIONS, metadata))
        write_rejected = None
        if result.disposition == "split":
            make_folder(attempt.staging / QUARANTINE)
            rejected = GrowingParquet(attempt.staging / QUARANTINE / REJECTED, metadata)
            write_rejected = files.enter_context(rejected).write
        return score_rows(result, attempt, predictions, write_rejected, watch)


def _with(verdict: Verdict, *violations: Violation) -> Verdict:
    return verdict.model_copy(update={"violations": (*verdict.violations, *violations)})


def _contradiction(attempt: Attempt, error: Exception) -> Violation:
    said = "" if attempt.intent.policy.redact else f": {str(error).splitlines()[0]}"
    return Violation(
        kind="unreadable",
        expected="the content that the file's own statistics promise",
        observed=f"another, on reading it to score{said}",
        remedy="Have the producer write the file again, and deliver it by rename.",
        because="every value is verified again before the model sees it",
    )
