"""A run as a table for Prefect's pages, and where a browser finds the reports."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from urllib.parse import quote

from ...expectations.escaping import for_table
from ..scoring.evidence import REPORT

if TYPE_CHECKING:
    from ..feed.receipt import Cell, Receipt
    from ..feed.run_summary import RunSummary

_ROWS = 200
_SHORT = 48  # characters of a name or reason: no line is broken, and little fits beside each other
_ORDER = ("errored", "failed", "quarantined", "discarded", "split", "passed")


def worst_first(summary: RunSummary) -> list[Receipt]:
    """Sort a run's receipts by how their batches fared."""
    return sorted(summary.receipts, key=lambda receipt: _ORDER.index(receipt.disposition))


def tabulate(summary: RunSummary) -> list[dict[str, Cell]]:
    """Lay out a run as a table, one row per batch, the worst first.

    Args:
        summary: What it did.

    Returns:
        At most 200 rows, whose cells are all that Prefect can store.
    """
    return [_row(receipt) for receipt in worst_first(summary)[:_ROWS]]


def address_of_report(receipt: Receipt) -> str | None:
    """Tell where a browser finds the report on a batch, if reports are served at all.

    ``SIGNATURE_GATE_REPORTS_URL`` says where: below it, the folder of each feed under the feed's
    name. Browsers follow no link from a page to a file.

    Args:
        receipt: Of the batch.

    Returns:
        The URL; None if the batch has no report, or nobody serves it.
    """
    base, folder = os.environ.get("SIGNATURE_GATE_REPORTS_URL"), receipt.outputs.quarantine
    if not base or not folder or folder.startswith("/"):
        return None
    return f"{base.rstrip('/')}/{quote(f'{receipt.feed}/{folder}/{REPORT}')}"


def _row(receipt: Receipt) -> dict[str, Cell]:
    quarantine = receipt.outputs.quarantine
    return {
        "batch": for_table(receipt.batch.name, limit=_SHORT),
        "disposition": receipt.disposition,
        "reason": for_table(_briefly(receipt), limit=_SHORT),
        "rows": receipt.rows_in,
        "scored": receipt.outputs.scored,
        "rejected": receipt.outputs.rejected,
        "version": for_table(receipt.version, limit=_SHORT),
        "report": for_table(f"{quarantine}/{REPORT}") if quarantine else None,
    }


def _briefly(receipt: Receipt) -> str:
    """Say why in a few words: the pages break no line within a table."""
    if receipt.error:
        return receipt.error.kind
    blocking = receipt.verdict.blocking if receipt.verdict else ()
    if receipt.discard or not blocking:
        return receipt.reason
    first, more = blocking[0], len(blocking) - 1
    where = f" in {first.column}" if first.column else ""
    return f"{first.kind}{where}{f' and {more:,} more' if more else ''}"
