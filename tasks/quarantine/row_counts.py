"""Where the rows of a batch are, after all releases and discards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..feed.receipt import Receipt


class RowCounts(BaseModel):
    """Where the rows of a batch are: rows in are rows scored and rows rejected.

    Attributes:
        rows_in: Rows that arrived, or that a repaired file has in their place; None if unknown.
        scored: Rows with a prediction.
        rejected: Rows that were kept from the model; None if unknown.
        discarded: How many of these were discarded.
    """

    model_config = ConfigDict(frozen=True)

    rows_in: int | None
    scored: int
    rejected: int | None
    discarded: int | None = 0

    def after(self, receipt: Receipt) -> RowCounts:
        """Add one more receipt of a release or discard."""
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
    """Count by the receipt of a whole batch."""
    return RowCounts(
        rows_in=receipt.rows_in,
        scored=receipt.outputs.scored,
        rejected=receipt.outputs.rejected,
    )


def count_rows(receipts: Sequence[Receipt], latest: str | None = None) -> RowCounts:
    """Count the rows of a batch under one version, release by release.

    Args:
        receipts: Those of the batch, the oldest first; at least one is final.
        latest: File name of the receipt to end with, by default the newest final one. Those that
            it follows count too, back to the one that quarantined the batch.
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
