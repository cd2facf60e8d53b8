"""``signature-gate alerts``, and what ``score`` and ``drift`` do with ``--notify``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from .. import console as terminal
from .options import AsJson  # noqa: TC001 - Typer resolves it when the command runs

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...tasks.alerts.automations import Installed
    from ...tasks.alerts.notifier import Recipient
    from ...tasks.feed.feed import Feed
    from ...tasks.feed.run_summary import RunSummary
    from ...tasks.monitoring.drift_report import DriftReport

app = typer.Typer(
    help="Have a Prefect server tell people what goes wrong with feeds, once per fault and window. "
    "Without a server, `score` and `drift` tell by themselves: --notify.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="URL",
        help="Apprise URL of who is told what is wrong, such as slack://…, mailto://… or "
        "jsons://host/path; several are allowed. Set the variable instead, with blanks between "
        "URLs, to keep secrets out of the shell's history.",
        envvar="SIGNATURE_GATE_NOTIFY",
        show_default=False,
    ),
]
Window = Annotated[
    float, typer.Option(min=1, help="Seconds for which equal faults of a feed are told once.")
]
_ONE_HOUR = 3600.0


@app.command()
def install(
    block: Annotated[
        list[str],
        typer.Option(metavar="TYPE/NAME", help="Notification block, such as slack-webhook/ops."),
    ],
    window: Window = _ONE_HOUR,
    as_json: AsJson = False,
) -> None:
    """Create the automations that alert, or bring them up to date; none is ever there twice."""
    from ...tasks.alerts.automations import install_alerts

    with terminal.spinner("installing alerts"):
        installed = install_alerts(block, window)
    _show(installed, as_json=as_json)


@app.command(name="list")
def list_installed(as_json: AsJson = False) -> None:
    """List the automations that alert."""
    from ...tasks.alerts.automations import list_alerts

    _show(list_alerts(), as_json=as_json)


@app.command()
def remove(as_json: AsJson = False) -> None:
    """Remove the automations that alert; blocks stay."""
    from ...tasks.alerts.automations import remove_alerts

    _show(remove_alerts(), as_json=as_json)


# ----- without a server -----


def receivers(addresses: Sequence[str] | None) -> list[Recipient]:
    """Understand the addresses of ``--notify``, before anything is done.

    Raises:
        Misuse: One of them is none that Apprise knows.
    """
    if not addresses:
        return []
    from ...tasks.alerts.notifier import parse_recipients

    return parse_recipients(addresses)


def tell_of_run(feed: Feed, summary: RunSummary, told: list[Recipient]) -> None:
    """Tell of a run's batches; whatever comes in the way changes no exit code."""
    if told:
        from ...tasks.alerts.notifier import notify_of_batches

        _attempt(lambda: notify_of_batches(feed, summary.receipts, told))


def tell_of_watch(feed: Feed, found: DriftReport, told: list[Recipient]) -> None:
    """Tell what has changed around a feed; whatever comes in the way changes no exit code."""
    if told and not found.named:
        from ...tasks.alerts.notifier import notify_of_drift

        _attempt(lambda: notify_of_drift(feed, found, told))


def _attempt(tell: Callable[[], list[str]]) -> None:
    try:
        failures = tell()
    except OSError as error:
        failures = [f"nobody is told of faults, for it cannot be noted: {error}"]
    for failure in failures:
        terminal.print_error(f"signature-gate: {failure}")


def _show(installed: list[Installed], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps([entry._asdict() for entry in installed], indent=2))
        return
    if not installed:
        terminal.print_line("no alerts are installed")
        return
    table = terminal.table_of("automation", "", "window", "events", right=("window",))
    for entry in installed:
        events = ", ".join(entry.events)
        cells = (entry.name, entry.state, f"{entry.window:,.0f} s", events)
        table.add_row(*(terminal.plain(cell) for cell in cells))
    terminal.out.print(table)
