"""How a batch stands once everything is counted that was done about it at the quarantine desk."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..feed.receipt import Receipt


class RowCounts(BaseModel):
    """Where the rows of a batch are by now: rows in are rows scored and rows rejected.

    Attributes:
        rows_in: Rows that arrived, or that a repaired file has in their place; None if nobody could
            count them.
        scored: Rows with a prediction.
        rejected: Rows that are kept from the model; None if nobody could count them.
        discarded: How many of these were given up.
    """

    model_config = ConfigDict(frozen=True)

    rows_in: int | None
    scored: int
    rejected: int | None
    discarded: int | None = 0

    def after(self, receipt: Receipt) -> RowCounts:
        """Count what one more receipt of the desk tells."""
        outputs, review = receipt.outputs, receipt.review
        if receipt.discard:
            return self.model_copy(update={"discarded": outputs.rejected})
        if review is None or receipt.disposition not in ("passed", "split"):
            return self
        if review.holds == "batch":
            return started_by(receipt)
        left = None if self.rejected is None else self.rejected - outputs.scored
        return self.model_copy(
            update={"scored": self.scored + outputs.scored, "rejected": left},
        )


def started_by(receipt: Receipt) -> RowCounts:
    """Count what the receipt of a whole batch tells."""
    return RowCounts(
        rows_in=receipt.rows_in,
        scored=receipt.outputs.scored,
        rejected=receipt.outputs.rejected,
    )


def count_rows(receipts: Sequence[Receipt], latest: str | None = None) -> RowCounts:
    """Add up what became of a batch under one version, release by release.

    Args:
        receipts: Those of the batch, the oldest first; at least one is final.
        latest: File name of the receipt to end with; by default the newest final one. It counts
            with those that it follows up at the desk, back to the one that quarantined the batch.

    Returns:
        The latest state.
    """
    by_file = {receipt.file: receipt for receipt in receipts if receipt.final}
    link = by_file[latest or next(reversed(by_file))]
    chain = [link]
    while link.review and link.review.receipt in by_file:
        link = by_file[link.review.receipt]
        chain.append(link)
    first, *later = reversed(chain)
    state = started_by(first)
    for receipt in later:
        state = state.after(receipt)
    return state
