"""Look back on a feed: what changed between its batches, in its model, and between the two.

The newest batch is compared with the usual schema: the one in which most of the last batches of its
format arrived, and of two equally frequent ones the older. So a change is reported while it is the
exception, and no longer once most batches have it, unless it breaks the contract.
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
from ...expectations.wording import listed
from ..feed.feed import Feed
from ..feed.history import recent_receipts
from ..feed.receipt import version_label
from ..scoring.evidence import REPORT
from ..stores.feed_runs import at_hand
from .data_drift import data_drift
from .drift_report import DriftReport, Observation, SchemaChange
from .forecast import forecast
from .value_drift import value_drift

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from ...expectations.drift.change import Change
    from ..feed.receipt import Receipt


# The model has no values for such a column, also where it is optional.
_MISSING = ("removed", "renamed")


class _Arrivals(NamedTuple):
    """What the last batches show of the arriving schema."""

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
    """Report what has changed around a feed; nothing is moved, written or sent.

    It looks at the ``last`` batches. ``model`` is a version to forecast for, in place of the one
    that the feed's model URI means now.
    """
    home = feed if isinstance(feed, Feed) else Feed.load(feed)
    feed = at_hand(home)
    contract = Contract.load(model or feed.model, timeout=timeout)
    receipts = recent_receipts(feed, last)
    arrivals = _arrivals(feed, receipts, contract)
    contract_changed, model_notes = _contract_drift(feed, receipts, contract, timeout)
    judged = [receipt for receipt in receipts if receipt.verdict]
    values = value_drift(feed, receipts)
    told = {shift.column for shift in values.shifts}
    data_notes = data_drift(judged, redact=feed.policy.redact)
    return _without_changes(feed, receipts, contract).model_copy(
        update={
            "named": model is not None,
            "newest": arrivals.newest.batch.name if arrivals.newest else None,
            "since": arrivals.since,
            "changes": worst_first((*arrivals.changes, *contract_changed)),
            "shifts": arrivals.shifts,
            "forecast": forecast(home, receipts, contract),
            "values": values.shifts,
            "accepted": values.reasons,
            "learning": values.learning,
            "notes": (
                *model_notes,
                *arrivals.notes,
                *(n for n in data_notes if n.column not in told),
            ),
        }
    )


def _without_changes(feed: Feed, receipts: Sequence[Receipt], contract: Contract) -> DriftReport:
    newest = receipts[-1] if receipts else None
    folder = newest.outputs.quarantine if newest else None
    return DriftReport(
        feed=feed.name,
        model=contract.model,
        version=version_label(contract.model, contract.fingerprint)
        if contract.model
        else contract.fingerprint,
        contract=contract.fingerprint,
        previous=newest.model if newest else None,
        previous_contract=newest.contract if newest else None,
        batches=len(receipts),
        report=str(feed.resolve(folder) / REPORT) if folder else None,
    )


# ----- the arriving schema -----


def _arrivals(feed: Feed, receipts: Sequence[Receipt], contract: Contract) -> _Arrivals:
    readable = [receipt for receipt in receipts if receipt.batch.columns]
    if not readable:
        return _Arrivals()
    newest = readable[-1]
    same_format = [r for r in readable if r.batch.format == newest.batch.format]
    usual = _usual(same_format)
    deviations, earlier = (
        tuple(
            change
            for change in contract_deviations(receipt.batch, contract, feed.policy)
            if change.effect == "breaking" or change.kind in _MISSING
        )
        for receipt in (newest, usual)
    )
    unusual = tuple(batch_changes(usual.batch, newest.batch, contract, feed.policy))
    if earlier and not deviations:  # what had become usual is over
        unusual = ()
    # A deviation from the contract is reported for as long as it lasts, so it replaces its like.
    reported = {(change.kind, change.path) for change in deviations}
    return _Arrivals(
        (*deviations, *(c for c in unusual if (c.kind, c.path) not in reported)),
        tuple(_shifts(feed, readable, contract)),
        newest,
        _first_like_newest(same_format) if unusual else None,
        tuple(_format_note(readable, newest)),
    )


def _usual(receipts: Sequence[Receipt]) -> Receipt:
    # A counter keeps the order of arrival, and of equals the first is the most common.
    columns = Counter(receipt.batch.columns for receipt in receipts).most_common(1)[0][0]
    return next(receipt for receipt in receipts if receipt.batch.columns == columns)


def _first_like_newest(receipts: Sequence[Receipt]) -> str:
    first = receipts[-1]
    for receipt in reversed(receipts):
        if receipt.batch.columns != first.batch.columns:
            break
        first = receipt
    return first.batch.name


def _shifts(feed: Feed, receipts: Sequence[Receipt], contract: Contract) -> Iterator[SchemaChange]:
    last_of_format: dict[str, Receipt] = {}
    for receipt in receipts:
        earlier = last_of_format.get(receipt.batch.format)
        last_of_format[receipt.batch.format] = receipt
        if earlier is None or earlier.batch.columns == receipt.batch.columns:
            continue
        changes = batch_changes(earlier.batch, receipt.batch, contract, feed.policy)
        if ranked := worst_first(changes):
            yield SchemaChange(
                batch=receipt.batch.id,
                name=receipt.batch.name,
                finished=receipt.finished,
                changes=ranked,
            )


def _format_note(receipts: Sequence[Receipt], newest: Receipt) -> Iterator[Observation]:
    formats = {r.batch.format for r in receipts[:-1]}
    if formats and newest.batch.format not in formats:
        arrived = f"{visible(newest.batch.name)} arrived as {newest.batch.format}"
        message = f"{arrived}; earlier batches as {listed(sorted(formats))}"
        yield Observation(kind="format", message=message)


# ----- the contract -----


def _contract_drift(
    feed: Feed, receipts: Sequence[Receipt], contract: Contract, timeout: float | None
) -> tuple[tuple[Change, ...], tuple[Observation, ...]]:
    newest = receipts[-1] if receipts else None
    if newest is None or contract.model is None:
        return (), ()
    if newest.contract == contract.fingerprint:
        moved = newest.model.pinned != contract.model.pinned
        message = f"{contract.model} has the same contract as {newest.model}, which judged last"
        return (), (Observation(kind="version", message=visible(message)),) if moved else ()
    before = _last_contract(newest, receipts, timeout)
    if before is None:
        message = (
            f"{newest.model} was removed, and no receipt holds its signature: the changes of the "
            "contract are unknown"
        )
        return (), (Observation(kind="unknown", message=visible(message)),)
    params_refused = bool(param_faults(feed.params, contract))
    changes = contract_changes(before, contract, feed.policy)
    return tuple(_for_this_feed(change, params_refused=params_refused) for change in changes), ()


def _last_contract(
    newest: Receipt, receipts: Sequence[Receipt], timeout: float | None
) -> Contract | None:
    # A registered version may be altered or removed, so receipts come first.
    for receipt in reversed(receipts):
        if receipt.contract == newest.contract and receipt.verdict and receipt.verdict.signature:
            return Contract.from_signature(receipt.verdict.signature, newest.model)
    try:
        return Contract.load(newest.model.pinned, timeout=timeout)
    except (ModelNotFound, NoContract):
        return None


def _for_this_feed(change: Change, *, params_refused: bool) -> Change:
    if change.part != "param" or change.effect != "breaking" or params_refused:
        return change
    reason = "the model still takes the params that the feed sets"
    return change.model_copy(update={"effect": "compatible", "reason": reason})
