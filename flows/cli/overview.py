"""The command that writes the pages on which feeds are looked after."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import Annotated

import typer

from .. import console as terminal


def overview(
    feeds: Annotated[list[Path], typer.Argument(help="YAML files of the feeds.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the pages; those of an earlier run are replaced.")
    ],
) -> None:
    """Write pages that show how feeds fare: no server is needed, open index.html."""
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.pages import write_overview

    with terminal.spinner("looking back"):
        index = write_overview([Feed.load(path) for path in feeds], out)
    terminal.print_line(f"overview   {index}")
