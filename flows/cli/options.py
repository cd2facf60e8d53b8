"""What the commands have in common: arguments, options and exit codes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PASSED, NOT_PASSED, WRONG_USAGE, BROKEN = range(4)

Model = Annotated[str, typer.Argument(help="MLflow model URI, MLmodel folder or suite JSON.")]
FeedFile = Annotated[Path, typer.Argument(help="YAML file of the feed.")]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", help="YAML file with the policy's fields.")
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
