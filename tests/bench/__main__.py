"""``make bench``: measure all rows of docs/benchmarks.md, or the one that ``ROW`` names.

Each call of a contender has a process of its own. Contenders take turns, so that what else the
machine does meets all of them alike; the figures are medians. A peer that is not installed, or that
has no answer, is left out by name.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from page import update
from rich.console import Console
from rich.progress import track
from rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rows import Entry, Row

_HERE = Path(__file__).parent
_LIMIT = 600  # seconds after which a call is given up
Figures = dict[str, float]


def main() -> None:
    """Measure, print, and write the page."""
    options = _options()
    out = Console()
    for name in [options.row] if options.row else list(ROWS):
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            row = ROWS[name].scaled(options.share)
            measured = measure(row, Path(folder), options.rounds)
        text = update(options.page, name, row, measured, options.rounds)
        out.print(text, markup=False, soft_wrap=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument("--row", choices=ROWS, help="measure one row alone")
    parser.add_argument("--rounds", type=int, default=5, help="calls of each contender")
    parser.add_argument("--share", type=float, default=1.0, help="share of the rows of each batch")
    parser.add_argument("--folder", type=Path, help="where batches are written; several GB")
    parser.add_argument("--page", type=Path, default=_HERE.parents[1] / "docs" / "benchmarks.md")
    return parser.parse_args()


def measure(row: Row, folder: Path, rounds: int) -> dict[str, Figures | str]:
    """Call all contenders of a row in turn; a text is why one has no figures."""
    told: dict[str, list[Figures] | str] = {entry.label: [] for entry in row.entries}
    turns = [entry for _ in range(rounds) for entry in row.entries]
    for entry in track(turns, row.title, console=Console(stderr=True), transient=True):
        found = told[entry.label]
        if not isinstance(found, str):
            one = call(entry, folder, warm=row.warm)
            told[entry.label] = one if isinstance(one, str) else [*found, one]
    return {label: each if isinstance(each, str) else _middle(each) for label, each in told.items()}


def call(entry: Entry, folder: Path, *, warm: bool) -> Figures | str:
    """Run one contender once, in a process of its own."""
    order = {
        "contender": entry.contender,
        "batch": entry.batch._asdict(),
        "path": str(entry.batch.write(folder)),
        "arguments": entry.arguments,
        "warm": warm,
    }
    command = [sys.executable, str(_HERE / "one.py"), json.dumps(order)]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, timeout=_LIMIT
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {_LIMIT} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["no word"])[-1]
    return json.loads(done.stdout.strip().splitlines()[-1])


def _middle(figures: Iterable[Figures]) -> Figures:
    rows: list[dict[str, Any]] = list(figures)
    return {name: median(row[name] for row in rows) for name in rows[0]}


if __name__ == "__main__":
    main()
