"""``signature-gate deploy``: feeds on a Prefect server."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from ..terminal import console as terminal
from .alerts import ONE_HOUR, Window, show_installed
from .options import AsJson, FeedFiles  # noqa: TC001 - Typer resolves them when the command runs


def deploy(
    feeds: FeedFiles,
    block: Annotated[
        list[str] | None,
        typer.Option(
            metavar="TYPE/NAME",
            help="Notification block that alerts go to, such as slack-webhook/ops; repeatable.",
        ),
    ] = None,
    window: Window = ONE_HOUR,
    as_json: AsJson = False,
) -> None:
    """Register feeds on the Prefect server.

    For each feed: scoring at its `schedule` and at an event `batch.arrived`, drift at its
    `watch_schedule`. Once: release and discard by hand, and the automations. Do it again after any
    change of a feed's file; what has not changed stays. PREFECT_API_URL names the server.
    """
    from ...tasks.feed.feed_files import load_feeds
    from ..deploying import POOL, deploy_feeds

    loaded = load_feeds(feeds)
    with terminal.spinner("deploying"):
        deployed = deploy_feeds(loaded, block or (), window)
    if as_json:
        automations = [entry._asdict() for entry in deployed.automations]
        typer.echo(json.dumps({**deployed._asdict(), "automations": automations}, indent=2))
        return
    for name in deployed.deployments:
        terminal.print_line(f"deployed   {name}")
    show_installed(list(deployed.automations), as_json=False)
    for name in deployed.left:
        terminal.print_line(f"left alone {name}")
    if deployed.left:
        terminal.print_line("           of a feed that is gone: prefect deployment delete 'NAME'")
    if not block:
        terminal.print_line("no alerts  name who gets them: --block TYPE/NAME")
    terminal.print_line(f"next       prefect worker start --pool {POOL}")
