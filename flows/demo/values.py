"""The demo's days whose values were unlike those that the model was trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...expectations.errors import GateError
from ...expectations.escaping import for_terminal
from ..terminal import console as terminal
from .flights import STORMY, UNLIKE

if TYPE_CHECKING:
    from ...tasks.feed.run_summary import RunSummary


def show_values(summary: RunSummary) -> None:
    """Print what was told of values, a line each; the stormy day has none.

    GateError is raised if a day was missed, or told by mistake.
    """
    told = {
        receipt.batch.name: found
        for receipt in summary.receipts
        if receipt.verdict
        and (found := [v for v in receipt.verdict.violations if v.kind in ("value", "shift")])
    }
    terminal.print_blank()
    terminal.print_line(
        "values unlike those learned from January to June, and scored with a warning:"
    )
    for name, found in sorted(told.items()):
        for v in found:
            said = for_terminal(f"{v.column}: expected {v.expected}, observed {v.observed}")
            terminal.print_line(f"  {name}  {said}")
    terminal.print_line(
        f"  {STORMY}  nothing: that storms held up 3 flights in 10 for an hour is usual"
    )
    if told.keys() != UNLIKE:
        msg = f"the days told to have other values are {', '.join(told)}."
        raise GateError(msg)
