"""What feeds did and how they are: ``overview`` and ``metrics``."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import Annotated

import typer

from ..terminal import console as terminal
from .options import FeedFiles  # noqa: TC001 - Typer resolves it when the command runs


def overview(
    feeds: FeedFiles,
    out: Annotated[
        Path, typer.Option(help="Folder for the pages; pages of an earlier run are replaced.")
    ],
) -> None:
    """Write pages about the state of feeds.

    No server is needed: open index.html.
    """
    from ...tasks.feed.feed_files import load_feeds
    from ...tasks.monitoring.pages import write_overview
    from ...tasks.stores.feed_runs import at_hand

    with terminal.spinner("writing the pages"):
        index = write_overview(list(map(at_hand, load_feeds(feeds).values())), out)
    terminal.print_line(f"overview   {index}")


def metrics(
    feeds: FeedFiles,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write, such as one that node_exporter collects; *.prom."),
    ] = None,
) -> None:
    """Print figures of feeds for Prometheus.

    What feeds did and what waits in them, in its text format. All figures come from receipts and
    names: no batch is read. A file is replaced at once.
    """
    from ...tasks.feed.feed_files import load_feeds
    from ...tasks.monitoring.metrics import write_metrics

    text = write_metrics(list(load_feeds(feeds).values()), out)
    if out is None:
        typer.echo(text, nl=False)
