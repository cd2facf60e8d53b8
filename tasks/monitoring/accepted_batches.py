"""The batches of a feed that were accepted, where they lie now, to learn from."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.errors import Misuse
from ...expectations.judge.learned.learning import fits
from ...expectations.report.feed_history import shifts_in
from ..feed.history import recent_receipts
from ..scoring.accepted import accepted_in
from ..stores.feed_runs import at_hand
from .forecast import batch_place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy
    from ..feed.feed import Feed
    from ..feed.receipt import Receipt

_GONE = "is no longer there, or was changed"
_TOLD = "was told of for its values"
_UNFIT = "does not fit the model"


class AcceptedBatches(NamedTuple):
    """What can be learned from.

    Attributes:
        paths: Where the batches lie, paths or the URLs of a store, the oldest first.
        left_out: How many accepted batches are not among them, by why.
    """

    paths: tuple[Path | str, ...]
    left_out: Mapping[str, int]


def accepted_batches(feed: Feed, contract: Contract, policy: Policy, last: int) -> AcceptedBatches:
    """Find those of a feed's last batches that were scored, if only in part.

    A batch whose values were told to be unlike what was learned is left out, unless somebody has
    accepted its level. Misuse is raised where none is left.
    """
    here = at_hand(feed)
    paths, left_out = list["Path | str"](), Counter[str]()
    for receipt in recent_receipts(here, last):
        if not _is_accepted(receipt):
            continue
        place = batch_place(feed, receipt)
        if place is None:
            left_out[_GONE] += 1
        elif _is_told(here, receipt):
            left_out[_TOLD] += 1
        elif not fits(place, contract, policy):
            left_out[_UNFIT] += 1
        else:
            paths.append(place)
    if not paths:
        why = "".join(f" Of {count:,} accepted: {reason}." for reason, count in left_out.items())
        msg = (
            f"none of the last {last:,} batches of feed {feed.name} can be learned from.{why} "
            "Score batches first, or name the data that the model was trained on."
        )
        raise Misuse(msg)
    return AcceptedBatches(tuple(paths), left_out)


def _is_accepted(receipt: Receipt) -> bool:
    """Whether the batch itself was scored, whatever became of the rows that it lost."""
    if receipt.review and receipt.review.holds == "rows":
        return True
    repaired = receipt.release and receipt.release.file
    return receipt.final and receipt.disposition in ("passed", "split") and not repaired


def _is_told(feed: Feed, receipt: Receipt) -> bool:
    told = set(shifts_in(receipt.verdict)) if receipt.verdict else set[str]()
    for one in accepted_in(feed, receipt.version, receipt.profile) if told else ():
        told -= {column for column, of in one.batches.items() if receipt.batch.id in of}
    return bool(told)
