"""Changes between contracts and batches, and a feed's drift."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text

from ...expectations.wording import counted
from .console import disposition, names, out, plain, print_blank, print_fields, print_line, table_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ...expectations.drift.change import Change
    from ...tasks.monitoring.drift_report import DriftReport, Forecast

_EFFECTS = {"breaking": "bold red", "compatible": "yellow", "cosmetic": ""}


def show_drift(report: DriftReport) -> None:
    """Print the verdict on a feed's drift, then the changes, then the batches that are alike."""
    effect = "breaking" if report.blocks else "compatible"
    style = _EFFECTS[effect] if report.drifted else "bold green"
    out.print(plain(report.message().splitlines()[0], style))
    print_fields([("model", f"{report.model or report.version}"), ("since", report.since or "")])
    if report.changes:
        print_blank()
        out.print(table_of_changes(report.changes))
    for shift in report.values:
        print_blank()
        out.print(plain(shift.message, _EFFECTS["compatible"]))
        print_fields([(shift.statistic, shift.spark)], indent=2)
    if report.forecast:
        _show_forecast(report)
    for said in (*report.books, *(f"note: {note.message}" for note in report.notes)):
        print_blank()
        out.print(plain(said))
    if report.report:
        print_blank()
        print_line(f"report     {report.report}")


def _show_forecast(report: DriftReport) -> None:
    groups: dict[tuple[str, ...], list[Forecast]] = defaultdict(list)
    for entry in report.rejecting or report.forecast:
        because = entry.reason.partition(": ")[0]
        said = (entry.would_be or "unknown", entry.was, entry.evidence or "none", because)
        groups[said].append(entry)
    print_blank()
    out.print(plain(report.forecast_in_words))
    for (would_be, was, evidence, because), entries in groups.items():
        print_blank()
        batches = counted(len(entries), "batch", "batches")
        out.print(Text.assemble("would be ", disposition(would_be), f": {batches}"))
        reasons = {entry.reason for entry in entries}
        fields = [
            ("batches", names([entry.name for entry in entries])),
            ("was", disposition(was)),
            ("evidence", evidence),
            ("because", because if len(reasons) > 1 else entries[0].reason),
        ]
        print_fields(fields, indent=2)


def table_of_changes(changes: Sequence[Change]) -> Table:
    """Make a table of changes, one row each."""
    several = len({change.between for change in changes}) > 1
    table = table_of("effect", *(("between",) if several else ()), "change", "because")
    for change in changes:
        effect = plain(change.effect, _EFFECTS[change.effect])
        between = (change.between,) if several else ()
        cells = (*between, change.what, change.reason)
        table.add_row(effect, *(plain(cell) for cell in cells))
    return table
