"""``signature-gate drift``: what has changed around a feed; no Prefect is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import console as terminal
from ..console import table_of_changes
from .alerts import Notify, notify_of_drift_in, recipients
from .options import NOT_PASSED, PASSED, AsJson, FeedFile, Timeout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.table import Table

    from ...tasks.monitoring.drift_report import DriftReport, Forecast


def drift(
    feed: FeedFile,
    last: Annotated[int, typer.Option(min=1, help="Batches to look back on.")] = 60,
    model: Annotated[
        str | None,
        typer.Option(help="Forecast for this version, such as models:/flights@challenger."),
    ] = None,
    notify: Notify = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Report what has changed around a feed: its batches, its model, and the match of the two.

    Compares the last batches with each other and with the contract, detects whether the model's
    alias has moved, and forecasts which of the last batches the new version would reject. Nothing
    is moved. With --notify, each change of state is reported once; with --model nobody is notified.
    Exits with 1 if a change is breaking or the forecast rejects a batch.
    """
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.watch import watch_feed

    loaded, notified = Feed.load(feed), recipients(notify)
    with terminal.spinner(f"comparing the batches of {feed}"):
        report = watch_feed(loaded, last=last, model=model, timeout=timeout)
    if as_json:
        terminal.print_json(report.model_dump_json(indent=2))
    else:
        _show(report)
    notify_of_drift_in(loaded, report, notified)
    raise typer.Exit(NOT_PASSED if report.breaking or report.rejecting else PASSED)


def _show(report: DriftReport) -> None:
    for line in report.message().splitlines()[:1]:
        terminal.print_line(line)
    terminal.print_line(f"model      {report.model or report.version}")
    if report.since:
        terminal.print_line(f"since      {report.since}")
    if report.changes:
        terminal.print_blank()
        terminal.out.print(table_of_changes(report.changes))
    if report.forecast:
        terminal.print_blank()
        terminal.out.print(_forecast(report.rejecting or report.forecast))
        terminal.print_line(report.forecast_in_words)
    for note in report.notes:
        terminal.print_blank()
        terminal.print_line(f"note: {note.message}")
    if report.report:
        terminal.print_blank()
        terminal.print_line(f"report     {report.report}")


def _forecast(entries: Sequence[Forecast]) -> Table:
    table = terminal.table_of("batch", "was", "would be", "evidence", "because")
    for entry in entries:
        table.add_row(
            terminal.plain(entry.name),
            terminal.disposition(entry.was),
            terminal.disposition(entry.would_be or "unknown"),
            terminal.plain(entry.evidence or "none"),
            terminal.plain(entry.reason),
        )
    return table
