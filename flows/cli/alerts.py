"""``signature-gate alerts``, and ``--notify`` of ``score`` and ``drift``."""

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
    help="Have a Prefect server alert people to faults of feeds, once per fault and window. "
    "Without a server, `score` and `drift` send alerts themselves: --notify.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Notify = Annotated[
    list[str] | None,
    typer.Option(
        "--notify",
        metavar="URL",
        help="Apprise URL that alerts go to, such as slack://…, mailto://… or jsons://host/path; "
        "several are allowed. To keep secrets out of the shell's history, set the variable "
        "instead, with blanks between URLs.",
        envvar="SIGNATURE_GATE_NOTIFY",
        show_default=False,
    ),
]
Window = Annotated[
    float, typer.Option(min=1, help="Seconds in which equal faults of a feed are reported once.")
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
    """Create or update the automations that send alerts; each exists once."""
    from ...tasks.alerts.automations import install_alerts

    with terminal.spinner("installing alerts"):
        installed = install_alerts(block, window)
    _show(installed, as_json=as_json)


@app.command(name="list")
def list_installed(as_json: AsJson = False) -> None:
    """List the automations that send alerts."""
    from ...tasks.alerts.automations import list_alerts

    _show(list_alerts(), as_json=as_json)


@app.command()
def remove(as_json: AsJson = False) -> None:
    """Remove the automations that send alerts; blocks stay."""
    from ...tasks.alerts.automations import remove_alerts

    _show(remove_alerts(), as_json=as_json)


# ----- without a server -----


def recipients(addresses: Sequence[str] | None) -> list[Recipient]:
    """Parse the addresses of ``--notify``, before anything is done.

    Raises:
        Misuse: Apprise does not know one of them.
    """
    if not addresses:
        return []
    from ...tasks.alerts.notifier import parse_recipients

    return parse_recipients(addresses)


def notify_of_run(feed: Feed, summary: RunSummary, recipients: list[Recipient]) -> None:
    """Send alerts about a run; what goes wrong with them changes no exit code."""
    if recipients:
        from ...tasks.alerts.notifier import notify_of_batches

        _notify(lambda: notify_of_batches(feed, summary.receipts, recipients))


def notify_of_drift_in(feed: Feed, drift: DriftReport, recipients: list[Recipient]) -> None:
    """Send alerts about drift; what goes wrong with them changes no exit code."""
    if recipients and not drift.named:
        from ...tasks.alerts.notifier import notify_of_drift

        _notify(lambda: notify_of_drift(feed, drift, recipients))


def _notify(send: Callable[[], list[str]]) -> None:
    try:
        failures = send()
    except OSError as error:
        failures = [f"no alert is sent, because it cannot be recorded: {error}"]
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
