"""How the last batches would have fared under a version that did not judge them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...expectations.drift.recorded_schema import judge_schema
from ...expectations.errors import BatchNotFound, UnsupportedBatch
from ...expectations.judge.checking import check
from ..feed.inbox import identify
from .drift_report import Forecast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ...expectations.contract.contract import Contract
    from ...expectations.verdict.verdict import Disposition, Evidence, Verdict, Violation
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt

_DEEPEST_FIRST: tuple[Evidence, ...] = ("scan", "footer", "schema")


def forecast(feed: Feed, receipts: Iterable[Receipt], contract: Contract) -> tuple[Forecast, ...]:
    """Judge batches by a contract that did not judge them; none is moved.

    Where a batch still lies where its receipt says, in the inbox, the archive or the quarantine, it
    is judged itself. Where it is gone or another has its name, the recorded schema has to do.

    Args:
        feed: Says policy and folders.
        receipts: One for each batch.
        contract: What the other version expects.

    Returns:
        One entry for each receipt that another contract's version has left.
    """
    return tuple(_of(feed, r, contract) for r in receipts if r.contract != contract.fingerprint)


def _of(feed: Feed, receipt: Receipt, contract: Contract) -> Forecast:
    entry = Forecast(
        batch=receipt.batch.id, name=receipt.batch.name, was=receipt.disposition, would_be=None
    )
    verdict = _judged(feed, receipt, contract)
    if verdict:
        evidence = _evidence(verdict)
        return _told(entry, verdict.disposition, evidence, verdict.blocking)
    entry = entry.model_copy(update={"gone": True})
    if not receipt.batch.columns:
        return entry
    found = judge_schema(receipt.batch, contract, feed.policy).violations
    blocking = tuple(v for v in found if v.severity == "critical")
    refused: Disposition = "failed" if feed.policy.on_mismatch == "fail" else "quarantined"
    return _told(entry, refused if blocking else "passed", "schema", blocking)


def _told(
    entry: Forecast, would_be: Disposition, evidence: Evidence, blocking: Sequence[Violation]
) -> Forecast:
    more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    reason = f"{blocking[0].message}{more}" if blocking else ""
    return entry.model_copy(update={"would_be": would_be, "evidence": evidence, "reason": reason})


def _judged(feed: Feed, receipt: Receipt, contract: Contract) -> Verdict | None:
    try:
        path = _place(feed, receipt)
        return check(path, contract, feed.policy).verdict if path else None
    except (BatchNotFound, UnsupportedBatch, OSError):
        # Taken away since, or never a batch: what is recorded must do.
        return None


def _place(feed: Feed, receipt: Receipt) -> Path | None:
    known = receipt.batch.identity
    path = feed.resolve(receipt.outputs.batch) if receipt.outputs.batch else None
    if path is None or not path.exists() or identify(path, known.path) != known:
        return None
    return path


def _evidence(verdict: Verdict) -> Evidence:
    # What names and types turn away is looked into no further, and has no stages.
    stages = {*verdict.evidence.values(), _DEEPEST_FIRST[-1]}
    return next(stage for stage in _DEEPEST_FIRST if stage in stages)
