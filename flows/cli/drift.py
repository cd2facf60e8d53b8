"""``signature-gate drift``: what has changed around a feed, and what of it is right."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from ...expectations.escaping import for_terminal
from ...expectations.wording import counted
from ..terminal import console as terminal
from ..terminal.changes import show_drift
from .alerts import Notify, notify_of_drift_in, recipients
from .options import NOT_PASSED, PASSED, AsJson, FeedFile, Timeout


class _ShowByDefault(TyperGroup):
    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Take ``drift FEED`` for ``drift show FEED``."""
        named = not args or args[0] in {*self.commands, "--help"}
        return super().parse_args(ctx, args if named else ["show", *args])


app = typer.Typer(
    cls=_ShowByDefault,
    help="Report what has changed around a feed.\n\n`drift FEED` is `drift show FEED`. "
    "Accept what changed for good.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command()
def show(
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
    """Report what has changed around a feed.

    That is its batches, its model, and the match of the two. Compares the last batches with each
    other and with the contract, detects whether the model's alias has moved, and forecasts which of
    the last batches the new version would reject. Where values were learned, it tells the columns
    whose values shifted. Nothing is moved. With --notify, each change of state is reported once;
    with --model nobody is notified. Exits with 1 if a change is breaking, a shift of values kept a
    batch from the model, or the forecast rejects a batch.
    """
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.watch import watch_feed

    loaded, notified = Feed.load(feed), recipients(notify)
    with terminal.spinner(f"comparing the batches of {feed}"):
        report = watch_feed(loaded, last=last, model=model, timeout=timeout)
    if as_json:
        terminal.print_json(report.model_dump_json(indent=2))
    else:
        show_drift(report)
    notify_of_drift_in(loaded, report, notified)
    raise typer.Exit(NOT_PASSED if report.blocks else PASSED)


@app.command()
def accept(
    feed: FeedFile,
    why: Annotated[str, typer.Option(help="Why the new level is right.")],
    column: Annotated[
        str | None, typer.Argument(help="Column whose values shifted; by default all of them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Take the level that values have since a shift for right.

    The next batches are compared with those since the shift, and no more with what was learned. Who
    accepted it, and why, is kept beside the receipts.
    """
    from ...tasks.monitoring.value_drift import accept_drift

    accepted, document = accept_drift(feed, column, why=why)
    if as_json:
        terminal.print_json(accepted.model_dump_json(indent=2))
        return
    for name, batches in accepted.batches.items():
        since = counted(len(batches), "batch", "batches")
        terminal.print_line(f"accepted   {for_terminal(name)}: as in the last {since}")
    terminal.print_line(f"by         {accepted.who}: {for_terminal(why)}")
    terminal.print_line(f"document   {document}")
