"""What became of a run's batches, and where their outputs are."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...tasks.scoring.evidence import REPORT
from .console import disposition, out, plain, print_blank, print_line, table_of
from .verdict import kind_and_column

if TYPE_CHECKING:
    from rich.text import Text

    from ...tasks.feed.feed import Feed
    from ...tasks.feed.receipt import Receipt
    from ...tasks.feed.run_summary import RunSummary

_LISTED = 10  # lines of one kind below a summary


def show_summary(summary: RunSummary, feed: Feed | None = None) -> None:
    """Print the outcome of each batch of a run, totals, and where the outputs of a feed are."""
    if summary.receipts:
        headings = ("batch", "rows", "verdict", "disposition", "rejected", "first reason")
        table = table_of(*headings, right=("rows", "rejected"))
        for receipt in summary.receipts:
            table.add_row(*_outcome(receipt))
        out.print(table)
    else:
        print_line(summary.message())
    if feed:
        _show_places(summary, feed)


def _show_places(summary: RunSummary, feed: Feed) -> None:
    outputs = [receipt.outputs for receipt in summary.receipts]
    predictions = {feed.resolve(each.predictions).parent for each in outputs if each.predictions}
    reports = [f"{feed.resolve(each.quarantine) / REPORT}" for each in outputs if each.quarantine]
    notes = summary.notes()
    lines = [
        *(f"{word:<12} {text}" for word, text in notes[:_LISTED]),
        *_more(len(notes)),
    ]
    if summary.receipts:
        counts = f"{summary.rows_scored:,} scored, {summary.rows_rejected:,} rejected"
        lines += [
            f"rows         {summary.rows_in:,} in, {counts}",
            *(f"predictions  {folder}" for folder in sorted(predictions)),
            *(f"quarantine   {report}" for report in reports[:_LISTED]),
            *_more(len(reports)),
            f"receipts     {feed.receipts}",
        ]
    if lines:
        print_blank()
    for line in lines:
        print_line(line)


def _more(count: int) -> list[str]:
    return [f"             and {count - _LISTED:,} more"] if count > _LISTED else []


def _outcome(receipt: Receipt) -> tuple[Text, ...]:
    verdict, rejected = receipt.verdict, receipt.outputs.rejected
    blocking = next(iter(verdict.blocking), None) if verdict else None
    return (
        plain(receipt.batch.name),
        plain("?" if receipt.rows_in is None else f"{receipt.rows_in:,}"),
        plain("" if verdict is None else "passed" if verdict.passed else "not passed"),
        disposition(receipt.disposition),
        plain("" if rejected is None else f"{rejected:,}"),
        plain(kind_and_column(blocking) or receipt.reason or ""),
    )
