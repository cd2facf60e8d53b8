"""The demo's second half: drift is forecast, alerted once, and drawn."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import GateError
from ..terminal import console as terminal
from ..terminal.changes import table_of_changes
from .webhook import webhook

if TYPE_CHECKING:
    from ...expectations.report.feed_pages import DriftNote
    from ...tasks.monitoring.drift_report import DriftReport


def foresee(feed_file: Path, champion: str, challenger: str) -> DriftReport:
    """Show what the challenger changes, and which of the last batches it would reject.

    GateError is raised if the change is not breaking, or rejects no batch.
    """
    from ...expectations.contract.contract import Contract
    from ...expectations.drift.compare import compare
    from ...tasks.monitoring.watch import watch_feed

    changes = compare(Contract.load(champion), Contract.load(challenger))
    terminal.print_blank()
    terminal.print_line(f"diff {champion} {challenger}")
    terminal.out.print(table_of_changes(changes))
    drift = watch_feed(feed_file, model=challenger)
    worse = sorted((entry for entry in drift.forecast if entry.worse), key=lambda e: e.name)
    terminal.print_blank()
    terminal.print_line(f"were {challenger} promoted tonight: {drift.forecast_in_words}")
    for entry in (*worse[:2], *worse[-1:]):
        why = entry.reason.partition(":")[0]
        terminal.print_line(f"  {entry.name}  {entry.was}, would be {entry.would_be}: {why}")
    if not worse or not any(change.effect == "breaking" for change in changes):
        msg = "a new required column was not breaking, or rejected no batch."
        raise GateError(msg)
    return drift


def alert_once(feed_file: Path, foreseen: DriftReport) -> None:
    """Alert about the newest batch's drift, check that it happens once, and draw the pages."""
    from ...tasks.alerts.notifier import notify_of_drift, parse_recipients
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.watch import watch_feed

    feed = Feed.load(feed_file)
    latest = watch_feed(feed)
    with webhook() as (address, messages):
        recipients, told = parse_recipients([address]), list[int]()
        for report in (latest, watch_feed(feed)):
            notify_of_drift(feed, report, recipients)
            told.append(len(messages))
    terminal.print_blank()
    terminal.print_line(
        f"drift compared twice, alerts that a webhook on loopback received: {len(messages)}"
    )
    for line in "\n".join(messages).splitlines():
        terminal.print_line(f"  {line}")
    terminal.print_blank()
    terminal.print_line(f"overview     {near(_overview(feed_file, latest, foreseen))}")
    first, both = told
    if not first or both != first:
        msg = f"{first} alerts about a drift at first, and {both - first} once more."
        raise GateError(msg)


def _overview(feed_file: Path, *drifts: DriftReport) -> Path:
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.pages import write_overview

    feed = Feed.load(feed_file)
    notes = {feed.name: [_note(drift) for drift in drifts]}
    return write_overview([feed], feed_file.parent / "pages", notes)


def _note(drift: DriftReport) -> DriftNote:
    from ...expectations.report.feed_pages import DriftNote

    title = f"Were {drift.model} promoted" if drift.named else f"Since {drift.since or 'of late'}"
    return DriftNote(
        title=title,
        severity="critical" if drift.breaking else "warning",
        changes=tuple(change.message for change in drift.noticeable),
        forecast=drift.forecast_in_words,
    )


def near(path: Path) -> Path:
    """Make a path relative to the working directory if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path
