"""What the values of a feed's batches were, from receipts: by that the next one is judged."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ...expectations.values.limits import A_YEAR
from ...expectations.values.past import LAST, Baseline, Judged
from ..feed.duration import parse_duration
from ..feed.history import recent_receipts
from .accepted import accepted_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from ...expectations.verdict.verdict import Verdict, Violation
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt
    from ..storage.intent import Intent
    from .accepted import Accepted

_A_MINUTE = 60
_FEWEST = 3


def baseline_of(feed: Feed, intent: Intent) -> Baseline | None:
    """Read what the last sixty batches had; None where no values were learned.

    A year's batches are reckoned from the feed's own rhythm.
    """
    if intent.values is None:
        return None
    receipts = recent_receipts(feed, LAST)
    accepted = accepted_in(feed, intent.version, intent.profile)
    judged = ((receipt, judged_in(receipt, intent)) for receipt in receipts)
    known = [under_accepted(r, found, accepted) for r, found in judged if found]
    levels = {column: one.levels[column] for column, one in accepted.items()}
    return Baseline(intent.values, batches_a_year(feed, receipts), known, levels)


def remembered(intent: Intent, receipt: Receipt) -> Receipt:
    """Have the next batches of the run compared with this one too, and pass its receipt on."""
    if intent.past and (judged := judged_in(receipt, intent)):
        intent.past.add(judged)
    return receipt


def judged_in(receipt: Receipt, intent: Intent) -> Judged | None:
    """Extract what was measured of an accepted batch, if it compares with what is to come."""
    verdict = receipt.verdict
    if (
        verdict is None
        or not (receipt.is_final_for_batch and receipt.disposition in ("passed", "split"))
        or (receipt.version, receipt.profile) != (intent.version, intent.profile)
    ):
        return None
    told = frozenset(told_in(verdict))
    return Judged(verdict.values, verdict.rows or 0, told) if verdict.values else None


def told_in(verdict: Verdict) -> dict[str, Violation]:
    """Find the columns whose values were told to be unlike the learned ones."""
    return {v.column: v for v in verdict.violations if v.kind == "shift" and v.column}


def under_accepted(receipt: Receipt, judged: Judged, accepted: Mapping[str, Accepted]) -> Judged:
    """Look at a batch from before a level was accepted: what had it was right, others no more."""
    before = {column for column, one in accepted.items() if receipt.finished <= one.when}
    right = {
        column for column in before if receipt.batch.id in accepted[column].batches.get(column, ())
    }
    return judged._replace(told=judged.told - right).without(before - right)


def batches_a_year(feed: Feed, receipts: Sequence[Receipt]) -> float:
    """Reckon how many batches there are in a year: one a day, unless the feed shows otherwise.

    Batches less than a minute apart are taken for a backlog, which says nothing of the rhythm.
    """
    if feed.expect_every:
        return timedelta(days=A_YEAR) / parse_duration(feed.expect_every)
    written = [receipt.batch.identity.stamp / 1e9 for receipt in receipts]
    judged = [receipt.finished.timestamp() for receipt in receipts]
    for gap in (_gap(written), _gap(judged)):
        if gap >= _A_MINUTE:
            return timedelta(days=A_YEAR).total_seconds() / gap
    return A_YEAR


def _gap(moments: Iterable[float]) -> float:
    gaps = [after - before for before, after in pairwise(sorted(moments))]
    return median(gaps) if len(gaps) >= _FEWEST - 1 else 0.0
