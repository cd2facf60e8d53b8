"""What the values of a feed's batches were, from receipts: by that the next one is judged."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from ...expectations.report.feed_history import shifts_in
from ...expectations.values.limits import A_YEAR
from ...expectations.values.past import LAST, Baseline, Judged
from ..feed.duration import parse_duration
from ..feed.history import recent_receipts
from ..stores.receipts import fetch_recent
from .accepted import accepted_in, accepted_levels

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

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
    if feed.url:
        fetch_recent(feed, LAST)
    receipts = recent_receipts(feed, LAST)
    accepted = accepted_in(feed, intent.version, intent.profile)
    judged = ((receipt, judged_in(receipt, intent)) for receipt in receipts)
    known = [_under_accepted(r, found, accepted) for r, found in judged if found]
    levels = accepted_levels(accepted)
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
    told = frozenset(shifts_in(verdict))
    return Judged(verdict.values, verdict.rows or 0, told) if verdict.values else None


def _under_accepted(receipt: Receipt, judged: Judged, accepted: Sequence[Accepted]) -> Judged:
    # Of batches from before a level was accepted those that had it were right, others are no more.
    for one in accepted:
        if receipt.finished <= one.when:
            right = {c for c, batches in one.batches.items() if receipt.batch.id in batches}
            judged = judged.without(one.batches.keys() - right)
            judged = judged._replace(told=judged.told - right)
    return judged


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
