"""``signature-gate overview``: static pages about feeds."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 - Typer resolves it when the command runs
from typing import Annotated

import typer

from .. import console as terminal


def overview(
    feeds: Annotated[list[Path], typer.Argument(help="YAML files of the feeds.")],
    out: Annotated[
        Path, typer.Option(help="Folder for the pages; pages of an earlier run are replaced.")
    ],
) -> None:
    """Write pages about the state of feeds; no server is needed, open index.html."""
    from ...tasks.feed.feed import Feed
    from ...tasks.monitoring.pages import write_overview

    with terminal.spinner("writing the pages"):
        index = write_overview([Feed.load(path) for path in feeds], out)
    terminal.print_line(f"overview   {index}")
