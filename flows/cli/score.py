"""The commands that run a model: ``score`` and ``preflight``."""

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ...expectations.credentials import mask_uri
from ...expectations.errors import GateError
from ..terminal import console as terminal
from ..terminal.preflight import show_preflight
from ..terminal.progress import progress
from ..terminal.run import show_summary
from .alerts import Notify, notify_of_silence_in, recipients, reporting
from .options import (
    BROKEN,
    NOT_PASSED,
    PASSED,
    AsJson,
    FeedFiles,
    Model,
    PolicyFile,
    Timeout,
    Workers,
    stdout_to_stderr,
)

if TYPE_CHECKING:
    from ...tasks.alerts.notifier import Recipient
    from ...tasks.feed.feed import Feed
    from ...tasks.feed.run_summary import RunSummary
    from ...tasks.scoring.dry_run import DryRun


def score(
    feeds: FeedFiles,
    again: Annotated[
        bool, typer.Option("--again", help="Score again what another model version has scored.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Judge, and say what would be moved; move nothing.")
    ] = False,
    notify: Notify = None,
    as_json: AsJson = False,
    workers: Workers = None,
    timeout: Timeout = None,
) -> None:
    """Judge and score every batch of feeds that is ready.

    No Prefect server is needed. Several feeds are scored one after the other. One that cannot be
    does not stop the others; the exit code is the highest of all.
    """
    from ...tasks.feed.feed_files import load_feeds

    loaded, notified = list(load_feeds(feeds).values()), recipients(notify)
    if workers:
        loaded = [feed.model_copy(update={"workers": workers}) for feed in loaded]
    options = {"again": again, "timeout": timeout}
    if len(loaded) == 1:
        code, document = _score(loaded[0], notified, options, dry_run=dry_run, as_json=as_json)
        if as_json:
            terminal.print_json(document)
        raise typer.Exit(code)
    scored = [
        _score_guarded(feed, notified, options, dry_run=dry_run, as_json=as_json) for feed in loaded
    ]
    if as_json:
        terminal.print_json(f"[{','.join(document for _, document in scored)}]")
    raise typer.Exit(max(code for code, _ in scored))


def _score_guarded(
    feed: Feed, notified: list[Recipient], options: Any, *, dry_run: bool, as_json: bool
) -> tuple[int, str]:
    if not as_json:
        terminal.print_line(f"feed       {feed.name}")
    try:
        return _score(feed, notified, options, dry_run=dry_run, as_json=as_json)
    except (GateError, OSError) as error:
        terminal.print_error(f"signature-gate: feed {feed.name}: {error}")
        return BROKEN, json.dumps({"feed": feed.name, "error": str(error)})


def _score(
    feed: Feed, notified: list[Recipient], options: Any, *, dry_run: bool, as_json: bool
) -> tuple[int, str]:
    """Score one feed and show what became of it; give its exit code, and the same as JSON."""
    from ...tasks.scoring.dry_run import rehearse
    from ...tasks.scoring.feed_run import score_feed

    if dry_run:
        with terminal.spinner("judging"), stdout_to_stderr():
            rehearsal = rehearse(feed, **options)
        if not as_json:
            _show_rehearsal(rehearsal)
        return PASSED, rehearsal.model_dump_json(indent=2)
    with reporting(feed, notified) as receipts:
        with progress() as show, stdout_to_stderr():
            summary = score_feed(feed, on_progress=show, **options)
        receipts.extend(summary.receipts)
        if not as_json:
            show_summary(summary, feed)
    notify_of_silence_in(feed, summary, notified)
    return _code_of(summary), summary.model_dump_json(indent=2)


def _code_of(summary: RunSummary) -> int:
    if summary.of("errored") or summary.unfinished:
        return BROKEN
    return NOT_PASSED if summary.of("split", "quarantined", "failed") else PASSED


def _show_rehearsal(rehearsal: DryRun) -> None:
    table = terminal.table_of("batch", "would be", "would lie in", "first reason")
    for entry in rehearsal.taken:
        cells = (terminal.plain(text) for text in (entry.batch, entry.place, entry.reason))
        name, place, reason = cells
        table.add_row(name, terminal.disposition(entry.disposition), place, reason)
    if rehearsal.taken:
        terminal.out.print(table)
    for entry in rehearsal.left:
        terminal.print_line(f"{entry.why:<12} {entry.batch} {entry.detail}")
    terminal.print_line(f"{rehearsal.done:,} done before; nothing was written or moved")


def preflight(
    model: Model,
    batches: Annotated[
        Path | None,
        typer.Option(help="Folder of recent batches, to see what they would have met."),
    ] = None,
    policy: PolicyFile = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Try a version before it is promoted. This LOADS THE MODEL AND RUNS ITS CODE.

    Does it have a usable contract? Does its own input example fit it? Does a batch made from the
    contract pass the gate? Does the model predict on it? Does what it returns fit its output
    schema? What would recent batches have met? No batch is moved.
    """
    from ...expectations.contract.policy import Policy
    from ...tasks.preflight.preflight import preflight as run_preflight

    chosen = Policy.load(policy) if policy else None
    terminal.print_error(f"preflight loads {model} and runs its code")
    with terminal.spinner(f"trying {mask_uri(model)}"), stdout_to_stderr():
        report = run_preflight(model, batches, chosen, timeout)
    if as_json:
        terminal.print_json(report.model_dump_json(indent=2))
    else:
        show_preflight(report)
    raise typer.Exit(PASSED if report.passed else NOT_PASSED)
