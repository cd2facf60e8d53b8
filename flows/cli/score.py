"""The commands that run a model: ``score`` and ``preflight``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import TYPE_CHECKING, Annotated

import typer

from ...expectations.credentials import mask_uri
from .. import console as terminal
from .alerts import Notify, recipients, reporting
from .options import (
    BROKEN,
    NOT_PASSED,
    PASSED,
    AsJson,
    FeedFile,
    Model,
    PolicyFile,
    Timeout,
    stdout_to_stderr,
)

if TYPE_CHECKING:
    from ...tasks.scoring.dry_run import DryRun


def score(
    feed: FeedFile,
    again: Annotated[
        bool, typer.Option("--again", help="Score again what another model version has scored.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Judge, and say what would be moved; move nothing.")
    ] = False,
    notify: Notify = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Judge and score every batch of a feed that is ready; no Prefect server is needed."""
    from ...tasks.feed.feed import Feed
    from ...tasks.scoring.dry_run import rehearse
    from ...tasks.scoring.feed_run import score_feed

    loaded, notified = Feed.load(feed), recipients(notify)
    if dry_run:
        with terminal.spinner("judging"), stdout_to_stderr():
            rehearsal = rehearse(loaded, again=again, timeout=timeout)
        _show_rehearsal(rehearsal, as_json=as_json)
        raise typer.Exit(PASSED)
    with reporting(loaded, notified) as receipts:
        with terminal.progress() as show, stdout_to_stderr():
            summary = score_feed(loaded, again=again, timeout=timeout, on_progress=show)
        receipts.extend(summary.receipts)
        if as_json:
            terminal.print_json(summary.model_dump_json(indent=2))
        else:
            terminal.show_summary(summary, loaded)
    if summary.of("errored") or summary.unfinished:
        raise typer.Exit(BROKEN)
    raise typer.Exit(NOT_PASSED if summary.of("split", "quarantined", "failed") else PASSED)


def _show_rehearsal(rehearsal: DryRun, *, as_json: bool) -> None:
    if as_json:
        terminal.print_json(rehearsal.model_dump_json(indent=2))
        return
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
        terminal.show_preflight(report)
    raise typer.Exit(PASSED if report.passed else NOT_PASSED)
