"""How far a long run is, where a terminal shows it."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.batch.reading import watched
from ...expectations.errors import UnsupportedBatch
from ...expectations.escaping import for_terminal
from ...expectations.wording import cut, listed
from .console import err

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Sequence

    from rich.progress import Progress as Bar

    from ...expectations.batch.reading import Reading
    from ...tasks.scoring.feed_run import Progress

_LONGEST_NAME = 18


def _bar(width: int, *, of_bytes: bool) -> Bar:
    from rich import progress as rich

    far = (rich.TransferSpeedColumn(), rich.TimeRemainingColumn(compact=True))
    return rich.Progress(
        rich.SpinnerColumn(),
        rich.TextColumn("{task.description}", markup=False),
        rich.BarColumn(width),
        *(() if of_bytes else (rich.MofNCompleteColumn(),)),
        rich.TextColumn("{task.fields[rows]}", markup=False),
        *(far if of_bytes else ()),
        console=err,
        transient=True,
        disable=not err.watched,
    )


@contextmanager
def progress() -> Generator[Callable[[Progress], None]]:
    """Show the progress of a feed's run; yields the function that takes each step."""
    with _bar(40, of_bytes=False) as bar:
        task = bar.add_task("", total=None, rows="")

        def show(step: Progress) -> None:
            done = step.position if step.outcome else step.position - 1
            rows = f"{step.scored:,} rows scored" if step.scored else ""
            batch = for_terminal(step.batch, limit=40)
            bar.update(task, total=step.batches, completed=done, description=batch, rows=rows)

        yield show


# ----- the reading of one batch -----


@contextmanager
def reading(*batches: str, doing: str = "judging") -> Generator[None]:
    """Show how much of batches has been read, how fast, and how long the rest will take."""
    if not err.watched or not batches:
        yield
        return
    with _bar(12, of_bytes=True) as bar, watched(_Gauge(bar, batches, doing).show):
        yield


class _Gauge:
    """Adds up what is told of the files of a batch; what is read again begins anew."""

    def __init__(self, bar: Bar, batches: Sequence[str], doing: str) -> None:
        self._bar = bar
        self._sizes = {file: size for batch in batches for file, size in _sizes(batch).items()}
        self._rows, self._bytes = dict[Path, int](), dict[Path, int]()
        self._total, self._done = sum(self._sizes.values()), 0
        self._name = cut(for_terminal(listed((Path(b).name for b in batches), 1)), _LONGEST_NAME)
        self._task = bar.add_task(f"{doing} {self._name}", total=self._total or None, rows="")

    def show(self, now: Reading) -> None:
        size = self._sizes.get(now.path, 0)
        if self._total and self._done >= self._total and _begins(now, size):
            self._done = 0
            self._rows.clear()
            self._bytes.clear()
            self._bar.reset(self._task, description=f"{self._name} again")
        before = self._bytes.get(now.path, 0)
        self._bytes[now.path] = max(before, _position(now, size))
        self._done += self._bytes[now.path] - before
        if now.rows:
            self._rows[now.path] = max(now.rows, self._rows.get(now.path, 0))
        rows = f"{sum(self._rows.values()):,} rows" if self._rows else ""
        self._bar.update(self._task, completed=self._done, rows=rows)


def _position(now: Reading, size: int) -> int:
    by_rows = size * (now.rows or 0) // now.height if now.height else 0
    return by_rows if now.position is None else now.position


def _begins(now: Reading, size: int) -> bool:
    # Rows alone tell of a reading that goes on: its last bytes were counted before.
    return (now.position is not None or bool(now.height)) and _position(now, size) < size


def _sizes(batch: str) -> dict[Path, int]:
    from ...expectations.readers.file import DELTA_LOG
    from ...expectations.readers.open import local_path

    try:
        path = local_path(batch)
    except UnsupportedBatch:  # which of its files are read, its own log alone knows
        return {}
    if (path / DELTA_LOG).exists():
        return {}
    files = path.rglob("*") if path.is_dir() else [path]
    return {file: file.stat().st_size for file in files if file.is_file()}
