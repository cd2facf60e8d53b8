"""What the batches of late would have met, had this contract judged them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import BatchNotFound, UnsupportedBatch
from ...expectations.judge.checking import check
from ...expectations.preflight.report import BatchOutcome, Step
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
    """Judge the newest batches of a folder; none is moved.

    Args:
        folder: A feed's inbox or archive, or any other folder of batches; None for none.
        contract: What the model expects.
        policy: What the contract leaves open.

    Returns:
        The step, and what each batch would have met, the newest first.

    Raises:
        OSError: The folder cannot be read.
    """
    step = Step(
        name="recent batches",
        state="skipped",
        expected="recent batches pass",
        observed="none named",
    )
    if folder is None:
        return step, ()
    fields = {"name": "recent", "model": "none", "root": str(folder), "settle_seconds": 0}
    inbox = Feed.parse({**fields, "folders": {"inbox": str(folder)}})
    found = sorted(look_into(inbox).ready, key=lambda batch: batch.stamp, reverse=True)
    met = tuple(_met(folder / batch.path, contract, policy) for batch in found[:_AT_MOST])
    return _step(step, met, len(found)), met


def folder_of(batches: str | Path | None) -> Path | None:
    """Find the folder of recent batches.

    Raises:
        BatchNotFound: There is no such folder.
    """
    folder = None if batches is None else Path(batches).absolute()
    if folder is not None and not folder.is_dir():
        msg = f"there is no folder {batches}. Name one that holds recent batches."
        raise BatchNotFound(msg)
    return folder


def _step(step: Step, met: tuple[BatchOutcome, ...], found: int) -> Step:
    newest = f"the newest {len(met)} of {found:,}" if found > len(met) else str(len(met))
    turned = [batch for batch in met if batch.disposition != "passed"]
    if not met:
        return step.model_copy(update={"observed": "the folder holds none"})
    if not turned:
        return step.passed(f"{newest} would pass")
    remedies = [batch.reason.remedy for batch in turned if batch.reason]
    return step.failed(f"{len(turned)} of {newest} would not pass", next(iter(remedies), ""))


def _met(path: Path, contract: Contract, policy: Policy) -> BatchOutcome:
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
    )


def _unreadable(path: Path, remedy: str) -> Violation:
    return Violation(
        kind="unreadable",
        expected="a batch in a format that the gate reads",
        observed=f"the name {path.name!r}",
        remedy=remedy,
        because="what cannot be read cannot be judged",
    )
