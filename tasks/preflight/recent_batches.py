"""Judge recent batches by the contract of a candidate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import BatchNotFound, UnsupportedBatch
from ...expectations.judge.checking import check
from ...expectations.preflight.report import BatchOutcome, Step
from ...expectations.verdict.explain import told_in_words, unlike_learned
from ...expectations.verdict.verdict import Violation
from ..feed.feed import Feed
from ..feed.inbox import look_into

if TYPE_CHECKING:
    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy

_AT_MOST = 50


def judge_recent(
    folder: Path | None, contract: Contract, policy: Policy
) -> tuple[Step, tuple[BatchOutcome, ...]]:
    """Judge the newest batches of a folder, an inbox for instance; none is moved."""
    step = Step(
        name="recent batches",
        state="skipped",
        expected="recent batches pass",
        observed="no folder named",
    )
    if folder is None:
        return step, ()
    fields = {"name": "recent", "model": "none", "root": str(folder), "settle_seconds": 0}
    inbox = Feed.parse({**fields, "folders": {"inbox": str(folder)}})
    ready = sorted(look_into(inbox).ready, key=lambda batch: batch.stamp, reverse=True)
    outcomes = tuple(_outcome(folder / batch.path, contract, policy) for batch in ready[:_AT_MOST])
    return _step(step, outcomes, len(ready)), outcomes


def folder_of(batches: str | Path | None) -> Path | None:
    """Return the folder of recent batches as an absolute path, or raise BatchNotFound."""
    folder = None if batches is None else Path(batches).absolute()
    if folder is not None and not folder.is_dir():
        msg = f"there is no folder {batches}. Name one that holds recent batches."
        raise BatchNotFound(msg)
    return folder


def _step(step: Step, outcomes: tuple[BatchOutcome, ...], ready: int) -> Step:
    count = len(outcomes)
    newest = f"the newest {count} of {ready:,}" if ready > count else str(count)
    not_passed = [batch for batch in outcomes if batch.disposition != "passed"]
    if not outcomes:
        return step.model_copy(update={"observed": "the folder holds none"})
    told = told_in_words(batch.told for batch in outcomes)
    also = f"; {told}" if told else ""
    if not not_passed:
        return step.passed(f"{newest} would pass{also}")
    remedies = [batch.reason.remedy for batch in not_passed if batch.reason]
    observed = f"{len(not_passed)} of {newest} would not pass{also}"
    return step.failed(observed, next(iter(remedies), ""))


def _outcome(path: Path, contract: Contract, policy: Policy) -> BatchOutcome:
    try:
        verdict = check(path, contract, policy).verdict
    except UnsupportedBatch as error:
        return BatchOutcome(
            file=path.name,
            disposition="quarantined",
            rows=None,
            rejected=0,
            reason=_unreadable(path, str(error)),
        )
    return BatchOutcome(
        file=path.name,
        disposition=verdict.disposition,
        rows=verdict.rows,
        rejected=verdict.rejected,
        reason=next(iter(verdict.blocking), None),
        told=unlike_learned(verdict.violations),
    )


def _unreadable(path: Path, remedy: str) -> Violation:
    return Violation(
        kind="unreadable",
        expected="a batch in a format that the gate reads",
        observed=f"the name {path.name!r}",
        remedy=remedy,
        because="what cannot be read cannot be judged",
    )
