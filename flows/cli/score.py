"""The commands that run a model: ``score`` and ``preflight``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import Annotated

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


def score(
    feed: FeedFile,
    again: Annotated[
        bool, typer.Option("--again", help="Score again what another model version has scored.")
    ] = False,
    notify: Notify = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Judge and score every batch of a feed that is ready; no Prefect server is needed."""
    from ...tasks.feed.feed import Feed
    from ...tasks.scoring.feed_run import score_feed

    loaded, notified = Feed.load(feed), recipients(notify)
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
