"""``signature-gate prune``: compact old receipts, and free what its owner names."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.filesize import decimal

from ...expectations.wording import counted
from ..terminal import console as terminal
from .options import BROKEN, PASSED, AsJson, FeedFile, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from rich.table import Table

    from ...tasks.retention.prune import Amount, PruneSummary


Age = Annotated[
    timedelta,
    typer.Option("--older-than", parser=duration, metavar="AGE", help="The age: 90d, 12w."),
]
Destination = Annotated[
    Path | None,
    typer.Option(
        help="Folder to move it to, instead of removing it; then predictions, decided quarantine "
        "and staging move if nothing is named."
    ),
]
Predictions = Annotated[bool, typer.Option("--predictions", help="Free predictions.")]
Decided = Annotated[
    bool, typer.Option("--quarantine", help="Free entries that were released or discarded.")
]
Undecided = Annotated[
    bool, typer.Option("--undecided", help="Free entries that still wait for a decision.")
]
Staging = Annotated[bool, typer.Option("--staging", help="Free what dead workers left in staging.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be done; change nothing.")]


def prune(
    feed: FeedFile,
    older_than: Age,
    to: Destination = None,
    predictions: Predictions = False,
    quarantine: Decided = False,
    undecided: Undecided = False,
    staging: Staging = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Compact old receipts; remove or move what else is old.

    Receipts go into a ledger for each month; other files are touched only if named. No receipt is
    ever removed: each one's exact text is in its ledger, which all commands read. In an object
    store they stay as they are.
    """
    from ...tasks.feed.feed import Feed
    from ...tasks.retention.prune import KINDS, Kind, PrunePolicy, prune_feed

    flags: dict[Kind, bool] = {
        "predictions": predictions,
        "quarantine": quarantine,
        "undecided": undecided,
        "staging": staging,
    }
    chosen = PrunePolicy(older_than, [kind for kind in KINDS if flags[kind]], to)
    loaded = Feed.load(feed)
    with _bar() as watch:
        done = prune_feed(loaded, chosen, dry_run=dry_run, watch=watch)
    if as_json:
        terminal.print_json(done.model_dump_json(indent=2))
    else:
        _show(done)
    raise typer.Exit(BROKEN if done.left else PASSED)


@contextmanager
def _bar() -> Generator[Callable[[str, int, int], None]]:
    from rich.progress import Progress

    err = terminal.err
    with Progress(console=err, transient=True, disable=not err.watched) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, n, of: bar.update(task, description=what, completed=n, total=of)


def _show(done: PruneSummary) -> None:
    would = "would be " if done.dry_run else ""
    terminal.print_line(f"{done.feed}, older than {done.before:%Y-%m-%d %H:%M} UTC")
    table = terminal.table_of("what", "count", "size", "", right=("count", "size"))
    ledgers = f"{would}compacted into {counted(len(done.ledgers), 'ledger')}"
    _add_row(table, "receipts", done.receipts, ledgers if done.ledgers else "")
    for kind, amount in done.freed.items():
        _add_row(table, kind, amount, would + (f"moved to {done.to}" if done.to else "removed"))
    for kind, amount in done.kept.items():
        _add_row(table, kind, amount, f"kept, for want of --{kind}")
    terminal.out.print(table)
    for line in done.left:
        terminal.print_line(f"left       {line}")
    freed = sum(amount.bytes for amount in (done.receipts, *done.freed.values()))
    terminal.print_line(f"{decimal(freed)} {would}freed, but for what ledgers take")


def _add_row(table: Table, what: str, amount: Amount, fate: str) -> None:
    cells = (what, f"{amount.count:,}", decimal(amount.bytes), fate)
    table.add_row(*(terminal.plain(cell) for cell in cells))
