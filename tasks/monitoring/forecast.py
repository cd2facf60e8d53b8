"""The verdict that a version would have given on the last batches, which it did not judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...expectations.drift.recorded_schema import judge_schema
from ...expectations.errors import BatchNotFound, UnsupportedBatch
from ...expectations.judge.batch_result import furthest
from ...expectations.judge.checking import check
from ...expectations.suite import values_in_force
from ...expectations.verdict.explain import unlike_learned
from ..feed.identity import is_same
from ..stores.batches import batch_url
from .drift_report import Forecast

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from ...expectations.contract.contract import Contract
    from ...expectations.verdict.verdict import Disposition, Evidence, Verdict, Violation
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt


def forecast(feed: Feed, receipts: Iterable[Receipt], contract: Contract) -> tuple[Forecast, ...]:
    """Judge the batches that another contract judged, or another version by other learned values.

    None is moved.
    A batch that is still where its receipt says, in the inbox, the archive or the quarantine, is
    judged itself. If it no longer exists or another has its name, its recorded schema is judged.
    """
    values = values_in_force(contract, feed.policy)
    profile = values.fingerprint if values else ""
    return tuple(
        _forecast_one(feed, r, contract)
        for r in receipts
        if r.contract != contract.fingerprint
        or (contract.model and r.model.pinned != contract.model.pinned and r.profile != profile)
    )


def _forecast_one(feed: Feed, receipt: Receipt, contract: Contract) -> Forecast:
    entry = Forecast(
        batch=receipt.batch.id, name=receipt.batch.name, was=receipt.disposition, would_be=None
    )
    verdict = _verdict(feed, receipt, contract)
    if verdict:
        evidence = _evidence(verdict)
        entry = entry.model_copy(update={"told": unlike_learned(verdict.violations)})
        return _completed(entry, verdict.disposition, evidence, verdict.blocking)
    entry = entry.model_copy(update={"gone": True})
    if not receipt.batch.columns:
        return entry
    violations = judge_schema(receipt.batch, contract, feed.policy).schema_violations
    blocking = tuple(v for v in violations if v.severity == "critical")
    refused: Disposition = "failed" if feed.policy.on_mismatch == "fail" else "quarantined"
    return _completed(entry, refused if blocking else "passed", "schema", blocking)


def _completed(
    entry: Forecast, would_be: Disposition, evidence: Evidence, blocking: Sequence[Violation]
) -> Forecast:
    more = f" (and {len(blocking) - 1} more)" if len(blocking) > 1 else ""
    reason = f"{blocking[0].message}{more}" if blocking else ""
    return entry.model_copy(update={"would_be": would_be, "evidence": evidence, "reason": reason})


def _verdict(feed: Feed, receipt: Receipt, contract: Contract) -> Verdict | None:
    try:
        path = batch_place(feed, receipt)
        return check(path, contract, feed.policy).verdict if path else None
    except (BatchNotFound, UnsupportedBatch, OSError):
        # Removed since, or unreadable: only its record can be judged.
        return None


def batch_place(feed: Feed, receipt: Receipt) -> Path | str | None:
    """Find a batch where its receipt says; None where it is gone, or is another by now."""
    recorded = receipt.batch.identity
    if feed.url:
        return batch_url(feed, receipt.outputs.batch or "", recorded)
    path = feed.resolve(receipt.outputs.batch) if receipt.outputs.batch else None
    if path is None or not path.exists() or not is_same(path, recorded, moved=True):
        return None
    return path


def _evidence(verdict: Verdict) -> Evidence:
    # A batch that is rejected for its schema has no further stages.
    return furthest(("schema", *verdict.evidence.values()))
