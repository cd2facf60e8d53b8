"""The trials of a model, and what recent batches would have met."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .console import disposition, out, plain, print_blank, print_fields, print_line, table_of
from .verdict import kind_and_column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ...expectations.preflight.report import BatchOutcome, Preflight, Step

_STATES = {"ok": "green", "failed": "bold red", "skipped": "yellow"}


def show_preflight(report: Preflight) -> None:
    """Print each step, with the remedy where one failed, and the outcome of recent batches."""
    signature = f"  (signature {report.contract})" if report.contract else ""
    print_line(f"{report.model or report.uri}{signature}")
    table = table_of("", "tried", "found")
    for step in report.steps:
        mark = plain(step.state, _STATES[step.state])
        table.add_row(mark, plain(step.name), plain(step.observed))
    out.print(table)
    for step in report.steps:
        if step.remedy:
            print_blank()
            _show_step(step)
    if report.batches:
        print_blank()
        out.print(_recent_batches(report.batches))


def _show_step(step: Step) -> None:
    if step.state != "failed":
        out.print(plain(f"{step.name}: {step.remedy}"))
        return
    out.print(plain(step.name, _STATES[step.state]))
    fields = [("expected", step.expected), ("observed", step.observed), ("remedy", step.remedy)]
    print_fields(fields, indent=2)


def _recent_batches(batches: Sequence[BatchOutcome]) -> Table:
    told = ("unlike what was learned",) if any(batch.told for batch in batches) else ()
    headings = ("batch", "rows", "verdict", "rejected", "first reason", *told)
    table = table_of(*headings, right=("rows", "rejected"))
    for batch in batches:
        table.add_row(
            plain(batch.file),
            plain("?" if batch.rows is None else f"{batch.rows:,}"),
            disposition(batch.disposition),
            plain(f"{batch.rejected:,}" if batch.rejected else ""),
            plain(kind_and_column(batch.reason)),
            *(plain(", ".join(batch.told)) for _ in told),
        )
    return table
