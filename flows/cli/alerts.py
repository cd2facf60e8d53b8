"""``signature-gate alerts``, and ``--notify`` of ``score`` and ``drift``."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ...expectations.errors import Misuse
from ..terminal import console as terminal
from .options import BROKEN, PASSED, AsJson

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from ...tasks.alerts.automations import Installed
    from ...tasks.alerts.notifier import Recipient
    from ...tasks.alerts.trial import Trial
    from ...tasks.feed.feed import Feed
    from ...tasks.feed.receipt import Receipt
    from ...tasks.feed.run_summary import RunSummary
    from ...tasks.monitoring.drift_report import DriftReport

app = typer.Typer(
    help="Have a Prefect server alert people to faults of feeds. Each once per window. "
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
ONE_HOUR = 3600.0


@app.command()
def install(
    block: Annotated[
        list[str],
        typer.Option(metavar="TYPE/NAME", help="Notification block, such as slack-webhook/ops."),
    ],
    window: Window = ONE_HOUR,
    as_json: AsJson = False,
) -> None:
    """Create or update the automations that send alerts."""
    from ...tasks.alerts.automations import install_alerts

    with terminal.spinner("installing alerts"):
        installed = install_alerts(block, window)
    show_installed(installed, as_json=as_json)


@app.command(name="list")
def list_installed(as_json: AsJson = False) -> None:
    """List the automations that send alerts."""
    from ...tasks.alerts.automations import list_alerts

    show_installed(list_alerts(), as_json=as_json)


@app.command()
def remove(as_json: AsJson = False) -> None:
    """Remove the automations that send alerts; blocks stay."""
    from ...tasks.alerts.automations import remove_alerts

    show_installed(remove_alerts(), as_json=as_json)


@app.command(name="test")
def try_out(
    block: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE/NAME",
            help="Notification block of the Prefect server; those that `install` named by default.",
        ),
    ] = None,
    notify: Notify = None,
    as_json: AsJson = False,
) -> None:
    """Send a test alert to each receiver, and say who got none.

    It is sent from this machine.
    """
    from ...tasks.alerts.trial import try_blocks, try_recipients

    addresses = recipients(notify)
    with terminal.spinner("sending"):
        tried = [*try_blocks(_blocks_to_try(block, notify)), *try_recipients(addresses)]
    if as_json:
        typer.echo(json.dumps([entry._asdict() for entry in tried], indent=2))
    else:
        _show_tried(tried)
    raise typer.Exit(PASSED if all(entry.state == "sent" for entry in tried) else BROKEN)


def _blocks_to_try(named: list[str] | None, notify: list[str] | None) -> list[str]:
    from ...tasks.alerts.automations import installed_blocks
    from ...tasks.alerts.server_blocks import is_server_named

    if named or (notify and not is_server_named()):
        return named or []
    found = installed_blocks()
    if not found and not notify:
        msg = "there is nobody to send to: no alerts are installed. Name --block or --notify."
        raise Misuse(msg)
    return found


def _show_tried(tried: list[Trial]) -> None:
    table = terminal.table_of("", "receiver", "reason")
    for entry in tried:
        mark = terminal.plain(entry.state, "green" if entry.state == "sent" else "bold red")
        table.add_row(mark, terminal.plain(entry.receiver), terminal.plain(entry.reason))
    terminal.out.print(table)
    for entry in tried:
        if entry.remedy:
            terminal.print_line(f"{entry.receiver}: {entry.remedy}")


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


@contextmanager
def reporting(feed: Feed, recipients: list[Recipient]) -> Generator[list[Receipt]]:
    """Send alerts about a run, however it ends, and about earlier runs that could not.

    The receipts of the run go into the list. What goes wrong with alerts changes no exit code.
    """
    from ...tasks.feed.receipt import Receipt
    from ...tasks.feed.untold import untold

    receipts = list[Receipt]()
    if earlier := untold(feed):
        for receipt in earlier:
            line = f"{receipt.batch.name}: {receipt.disposition}: {receipt.reason}"
            terminal.print_error(f"signature-gate: from a run that ended early: {line}")
        _notify_of_batches(feed, earlier, recipients)
    try:
        yield receipts
    finally:
        _notify_of_batches(feed, receipts, recipients)


def _notify_of_batches(feed: Feed, receipts: list[Receipt], recipients: list[Recipient]) -> None:
    from ...tasks.alerts.notifier import notify_of_batches
    from ...tasks.feed.untold import mark_told, untold

    def send() -> list[str]:
        # After a crash within the run its receipts are only in the feed.
        marked = untold(feed)
        known = {receipt.file for receipt in marked}
        unknown = [receipt for receipt in receipts if receipt.file not in known]
        failures = notify_of_batches(feed, [*marked, *unknown], recipients)
        mark_told(feed, marked)
        return failures

    _notify(send)


def notify_of_drift_in(feed: Feed, drift: DriftReport, recipients: list[Recipient]) -> None:
    """Send alerts about drift; what goes wrong with them changes no exit code."""
    if recipients and not drift.named:
        from ...tasks.alerts.notifier import notify_of_drift

        _notify(lambda: notify_of_drift(feed, drift, recipients))


def notify_of_silence_in(feed: Feed, summary: RunSummary, recipients: list[Recipient]) -> None:
    """Send alerts about a silence of the feed and its end; likewise."""
    if recipients and feed.expect_every:
        from ...tasks.alerts.notifier import notify_of_silence

        _notify(lambda: notify_of_silence(feed, summary.silent_since, recipients))


def _notify(send: Callable[[], list[str]]) -> None:
    """Send alerts; what could not be delivered is recorded for the next run."""
    try:
        failures = send()
    except OSError as error:
        failures = [f"no alert is sent, because it cannot be recorded: {error}"]
    for failure in failures:
        terminal.print_error(f"signature-gate: {failure}")


def show_installed(installed: list[Installed], *, as_json: bool) -> None:
    """Print a table of automations, or JSON."""
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
