"""How far a long run is, where a terminal shows it."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn
from rich.progress import Progress as Bar

from ...expectations.escaping import for_terminal
from .console import err

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from ...tasks.scoring.feed_run import Progress

_PROGRESS = (
    SpinnerColumn(),
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    MofNCompleteColumn(),
    TextColumn("{task.fields[rows]}", markup=False),
)


@contextmanager
def progress() -> Generator[Callable[[Progress], None]]:
    """Show the progress of a feed's run; yields the function that takes each step."""
    with Bar(*_PROGRESS, console=err, transient=True, disable=not err.watched) as bar:
        task = bar.add_task("", total=None, rows="")

        def show(step: Progress) -> None:
            done = step.position if step.outcome else step.position - 1
            rows = f"{step.scored:,} rows scored" if step.scored else ""
            batch = for_terminal(step.batch, limit=40)
            bar.update(task, total=step.batches, completed=done, description=batch, rows=rows)

        yield show
