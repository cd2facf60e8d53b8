"""Look back on a feed: what changed between its batches, in its model, and between the two.

The usual schema is the one in which most of the last batches arrived that have the newest one's
format; of two equally frequent ones it is the older. So a change is told while it is the exception,
and ends by itself once it has become the rule, unless it breaks the contract.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.contract.contract import Contract
from ...expectations.contract.params import param_faults
from ...expectations.drift.batch_diff import batch_changes, contract_deviations
from ...expectations.drift.change import worst_first
from ...expectations.drift.contract_diff import contract_changes
from ...expectations.errors import ModelNotFound, NoContract
from ...expectations.escaping import visible
from ..feed.feed import Feed
from ..feed.history import recent_receipts
from ..feed.receipt import version_label
from ..scoring.evidence import REPORT
from .data_drift import data_drift
from .drift_report import DriftReport, Observation, SchemaChange
from .forecast import forecast

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...expectations.drift.change import Change
    from ..feed.receipt import Receipt


class _Arrivals(NamedTuple):
    """What the last batches say of the arriving schema."""

    changes: tuple[Change, ...] = ()
    shifts: tuple[SchemaChange, ...] = ()
    newest: Receipt | None = None
    since: str | None = None
    notes: tuple[Observation, ...] = ()


def watch_feed(
    feed: Feed | str | Path,
    *,
    last: int = 60,
    model: str | None = None,
    timeout: float | None = None,
) -> DriftReport:
    """Tell what has changed around a feed; nothing is moved, written, or told to anybody.

    Args:
        feed: The feed, or the path of its YAML file.
        last: Batches to look back on.
        model: A version to forecast for, in place of the one that the feed's model URI means now.
        timeout: Seconds to go on trying while the registry does not answer.

    Returns:
        Changes, forecast and notes.

    Raises:
        InvalidFeed: The feed file is not as it should be.
        ModelNotFound: The registry knows no such model, version or alias.
        NoContract: The model's signature decides nothing.
        RegistryUnavailable: No answer within the timeout.
        OSError: The feed's receipts cannot be listed.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    contract = Contract.load(model or feed.model, timeout=timeout)
    receipts = recent_receipts(feed, last)
    newest = receipts[-1] if receipts else None
    arrivals = _arrivals(feed, receipts, contract)
    expected, of_model = _expected(feed, receipts, contract, timeout)
    judged = [receipt for receipt in receipts if receipt.verdict]
    notes = (*of_model, *arrivals.notes, *data_drift(judged, redact=feed.policy.redact))
    return DriftReport(
        feed=feed.name,
        model=contract.model,
        version=version_label(contract.model, contract.fingerprint)
        if contract.model
        else contract.fingerprint,
        contract=contract.fingerprint,
        named=model is not None,
        previous=newest.model if newest else None,
        previous_contract=newest.contract if newest else None,
        batches=len(receipts),
        newest=arrivals.newest.batch.name if arrivals.newest else None,
        since=arrivals.since,
        changes=worst_first((*arrivals.changes, *expected)),
        shifts=arrivals.shifts,
        forecast=forecast(feed, receipts, contract),
        notes=notes,
        report=_report(feed, newest),
    )


def _report(feed: Feed, newest: Receipt | None) -> str | None:
    folder = newest.outputs.quarantine if newest else None
    return str(feed.resolve(folder) / REPORT) if folder else None


# ----- what arrives -----


def _arrivals(feed: Feed, receipts: Sequence[Receipt], contract: Contract) -> _Arrivals:
    readable = [receipt for receipt in receipts if receipt.batch.columns]
    if not readable:
        return _Arrivals()
    newest = readable[-1]
    alike = [r for r in readable if r.batch.format == newest.batch.format]
    usual = _usual(alike)
    moved = tuple(batch_changes(usual.batch, newest.batch, contract, feed.policy))
    broken = tuple(
        change
        for change in contract_deviations(newest.batch, contract, feed.policy)
        if change.effect == "breaking"
    )
    # Of two that say the same, the contract's stays: it is told for as long as it lasts.
    told = {(change.kind, change.path) for change in broken}
    changes = (*broken, *(c for c in moved if (c.kind, c.path) not in told))
    return _Arrivals(
        changes,
        tuple(_shifts(feed, readable, contract)),
        newest,
        _first_like_it(alike) if moved else None,
        tuple(_of_format(readable, newest)),
    )


def _usual(receipts: Sequence[Receipt]) -> Receipt:
    # A counter keeps the order of arrival, and of equals the first is the most common.
    columns = Counter(receipt.batch.columns for receipt in receipts).most_common(1)[0][0]
    return next(receipt for receipt in receipts if receipt.batch.columns == columns)


def _first_like_it(receipts: Sequence[Receipt]) -> str:
    first = receipts[-1]
    for receipt in reversed(receipts):
        if receipt.batch.columns != first.batch.columns:
            break
        first = receipt
    return first.batch.name


def _shifts(feed: Feed, receipts: Sequence[Receipt], contract: Contract) -> Iterator[SchemaChange]:
    before: dict[str, Receipt] = {}
    for receipt in receipts:
        earlier = before.get(receipt.batch.format)
        before[receipt.batch.format] = receipt
        if earlier is None or earlier.batch.columns == receipt.batch.columns:
            continue
        found = batch_changes(earlier.batch, receipt.batch, contract, feed.policy)
        if changes := worst_first(found):
            yield SchemaChange(
                batch=receipt.batch.id,
                name=receipt.batch.name,
                finished=receipt.finished,
                changes=changes,
            )


def _of_format(receipts: Sequence[Receipt], newest: Receipt) -> Iterator[Observation]:
    others = {r.batch.format for r in receipts[:-1]}
    if others and newest.batch.format not in others:
        said = f"{visible(newest.batch.name)} arrived as {newest.batch.format}; earlier batches as "
        yield Observation(kind="format", message=f"{said}{', '.join(sorted(others))}")


# ----- what is expected -----


def _expected(
    feed: Feed, receipts: Sequence[Receipt], contract: Contract, timeout: float | None
) -> tuple[tuple[Change, ...], tuple[Observation, ...]]:
    newest = receipts[-1] if receipts else None
    if newest is None or contract.model is None:
        return (), ()
    if newest.contract == contract.fingerprint:
        moved = newest.model.pinned != contract.model.pinned
        said = f"{contract.model} has the same contract as {newest.model}, which judged last"
        return (), (Observation(kind="version", message=visible(said)),) if moved else ()
    before = _judge_of(newest, receipts, timeout)
    if before is None:
        said = f"{newest.model} is gone, and no receipt holds its signature: what changed is lost"
        return (), (Observation(kind="unknown", message=visible(said)),)
    faults = param_faults(feed.params, contract)
    found = contract_changes(before, contract, feed.policy)
    return tuple(_to_this_feed(change, breaks=bool(faults)) for change in found), ()


def _judge_of(
    newest: Receipt, receipts: Sequence[Receipt], timeout: float | None
) -> Contract | None:
    """Find the contract that judged last: a registered version may be altered or removed."""
    for receipt in reversed(receipts):
        if receipt.contract == newest.contract and receipt.verdict and receipt.verdict.signature:
            return Contract.from_signature(receipt.verdict.signature, newest.model)
    try:
        return Contract.load(newest.model.pinned, timeout=timeout)
    except (ModelNotFound, NoContract):
        return None


def _to_this_feed(change: Change, *, breaks: bool) -> Change:
    if change.part != "param" or change.effect != "breaking" or breaks:
        return change
    said = "the params that the feed states are taken still"
    return change.model_copy(update={"effect": "compatible", "reason": said})
