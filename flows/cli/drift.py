"""``signature-gate drift``: what has changed around a feed of late; no Prefect is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from .. import console as terminal
from ..console import table_of_changes
from .alerts import Notify, receivers, tell_of_watch
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
    """Tell what has changed around a feed: its batches, its model, and how the two get on.

    Compares the last batches with each other and with the contract, sees whether the model's alias
    has moved, and forecasts which of the last batches the new version would have rejected. Nothing
    is moved. With --notify, each change of state is told once; a named model makes it a rehearsal,
    of which nobody is told. Exits with 1 if a change is breaking or the forecast rejects a batch.
    """
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.watch import watch_feed

    known, told = Feed.load(feed), receivers(notify)
    with terminal.spinner(f"looking back on {feed}"):
        found = watch_feed(known, last=last, model=model, timeout=timeout)
    if as_json:
        terminal.say_json(found.model_dump_json(indent=2))
    else:
        _show(found)
    tell_of_watch(known, found, told)
    raise typer.Exit(NOT_PASSED if found.breaking or found.rejecting else PASSED)


def _show(found: DriftReport) -> None:
    for line in found.message().splitlines()[:1]:
        terminal.print_line(line)
    terminal.print_line(f"model      {found.model or found.version}")
    if found.since:
        terminal.print_line(f"since      {found.since}")
    if found.changes:
        terminal.print_blank()
        terminal.out.print(table_of_changes(found.changes))
    if found.forecast:
        terminal.print_blank()
        terminal.out.print(_forecast(found.rejecting or found.forecast))
        terminal.print_line(found.forecast_in_words)
    for note in found.notes:
        terminal.print_blank()
        terminal.print_line(f"note: {note.message}")
    if found.report:
        terminal.print_blank()
        terminal.print_line(f"report     {found.report}")


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
