"""docs/benchmarks.md: a section for each row, replaced when the row is measured anew."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from rows import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rows import Entry, Row

_HEAD = """# Benchmarks

Made by `make bench`; `make bench ROW=csv` measures one table anew, `BENCH='--rounds 3'` in fewer
rounds, which each table states. Each call has a process of its own, contenders take turns, figures
are medians. *CPU* is processor time of the first call in a
process, *first* its wall time, *again* the best of three more; *times* is CPU over that of the
table's base; *peak* is the process's memory, libraries included; *read* is what was read by calls,
which leaves out files that are mapped. Imports and preparation are not timed.
"""
_NAMES = (
    *("signature-gate", "polars", "pyarrow", "pandas", "mlflow", "great-expectations", "prefect"),
    *("pandera", "dataframely", "pointblank", "patito", "duckdb"),
)
_SECTION = re.compile(r"^<!-- (\S+) -->$", re.MULTILINE)


def update(page: Path, name: str, row: Row, figures: dict[str, Any], rounds: int) -> str:
    """Write the section of a row into the page, in the order of rows, and return it."""
    text = page.read_text("utf-8") if page.exists() else ""
    parts = _SECTION.split(text)[1:]
    sections = dict(zip(parts[::2], parts[1::2], strict=True))
    sections[name] = "\n".join(_section(row, figures, rounds))
    known = [f"<!-- {each} -->\n{sections[each].strip()}\n" for each in ROWS if each in sections]
    page.write_text(f"{_HEAD}\n" + "\n".join(known), "utf-8")
    return sections[name]


def _section(row: Row, figures: dict[str, Any], rounds: int) -> Iterator[str]:
    yield f"## {row.title}\n"
    yield f"{row.about}\n"
    each = f" | CPU ms a {row.each[1]} above |" if row.each else " |"
    yield f"| | CPU s | times | first s | again s | peak MiB | read MB{each}"
    yield "| --- | --- | --- | --- | --- | --- | ---" + (" | --- |" if row.each else " |")
    for entry in row.entries:
        yield _line(row, entry, figures)
    yield f"\n{_conditions(rounds)}"


def _line(row: Row, entry: Entry, figures: dict[str, Any]) -> str:
    found, base = figures[entry.label], figures[entry.than or row.base]
    if isinstance(found, str):
        return f"| {entry.label} | {found.replace('|', ' ')} |" + " |" * (5 + bool(row.each))
    known = isinstance(base, dict) and base["cpu"]
    cells = [
        _short(found["cpu"]),
        f"{found['cpu'] / base['cpu']:.2f}" if known else "",
        _short(found["wall"]),
        _short(found["warm"]) if row.warm else "",
        f"{found['peak']:.0f}",
        _short(found["read"]),
    ]
    if row.each:
        above = (found["cpu"] - base["cpu"]) / row.each[0] * 1000 if known else None
        cells.append("" if above is None else f"{above:.1f}")
    fits = "" if found["passed"] else " (does not fit)"
    return f"| {entry.label}{fits} | {' | '.join(cells)} |"


def _short(figure: float) -> str:
    return f"{figure:.4f}" if figure < 0.01 else f"{figure:.3g}"


def _conditions(rounds: int) -> str:
    cores, load = len(os.sched_getaffinity(0)), os.getloadavg()[0]
    day = datetime.now(UTC).date().isoformat()
    return (
        f"{day}, {cores} cores, {platform.machine()}, Python {platform.python_version()}, "
        f"{rounds} rounds, load {load:.1f}: {', '.join(_versions())}."
    )


def _versions() -> Iterator[str]:
    for name in _NAMES:
        try:
            yield f"{name} {version(name)}"
        except PackageNotFoundError:
            continue
