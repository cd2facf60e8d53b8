"""``signature-gate diff``: what changed from one contract, or batch, to another."""

from __future__ import annotations

from typing import Annotated

import typer

from ...expectations.credentials import mask_uri
from ..terminal import console as terminal
from ..terminal.changes import table_of_changes
from .options import NOT_PASSED, PASSED, AsJson, PolicyFile, Timeout

_SIDE = (
    "MODEL as above; or a verdict or receipt JSON, or a batch's file or folder, for the schema it "
    "holds."
)


def diff(
    before: Annotated[str, typer.Argument(metavar="A", help=_SIDE)],
    after: Annotated[str, typer.Argument(metavar="B", help="The same.")],
    policy: PolicyFile = None,
    as_json: AsJson = False,
    timeout: Timeout = None,
) -> None:
    """Report what changed from A to B, and whether it breaks.

    Exits with 1 if a change is breaking: a batch that fits A may not fit B.
    """
    from ...expectations.contract.policy import Policy
    from ...expectations.drift.compare import Comparison, compare
    from ...expectations.drift.sources import read_comparands

    chosen = Policy.load(policy) if policy else None
    shown = mask_uri(before), mask_uri(after)
    with terminal.spinner(f"comparing {shown[0]} and {shown[1]}"):
        sides = read_comparands(before, after, chosen, timeout)
        changes = compare(*sides, chosen)
    comparison = Comparison(before=shown[0], after=shown[1], changes=changes)
    if as_json:
        terminal.print_json(comparison.model_dump_json(indent=2))
    elif comparison.changes:
        terminal.out.print(table_of_changes(comparison.changes))
    else:
        terminal.print_line(f"nothing changed from {shown[0]} to {shown[1]}")
    raise typer.Exit(NOT_PASSED if comparison.breaking else PASSED)
