"""What the commands share: arguments, options, exit codes, and a clean stdout."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Generator
    from datetime import timedelta

PASSED, NOT_PASSED, WRONG_USAGE, BROKEN = range(4)
INTERRUPTED, UNREAD = 130, 141  # as shells report SIGINT and SIGPIPE

Model = Annotated[str, typer.Argument(help="MLflow model URI, MLmodel folder or suite JSON.")]
FeedFile = Annotated[Path, typer.Argument(help="YAML file of the feed.")]
FeedFiles = Annotated[
    list[Path], typer.Argument(help="YAML files of feeds, or folders of them.", metavar="FEED...")
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="YAML file with the policy's fields.")
]
Workers = Annotated[
    str | None,
    typer.Option(
        metavar="N|dask://…|ray://…",
        help="Have so many processes, or a cluster, do it; the outcome is the same.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--registry-timeout",
        help="Seconds to go on trying while the registry does not answer.",
        envvar="SIGNATURE_GATE_REGISTRY_TIMEOUT",
        show_default="30",
    ),
]


def duration(text: str) -> timedelta:
    """Read a duration such as ``90d``; a usage error if it is none."""
    from ...tasks.feed.duration import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


@contextmanager
def stdout_to_stderr() -> Generator[None]:
    """Send what MLflow and a model print to stderr, C code and child processes included."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(stdout, 1)
        os.close(stdout)
