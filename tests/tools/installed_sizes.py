"""Measure what each library costs, for docs/install.md; ``make sizes`` prints the table.

Space is that of the library and of all that nothing else needs; seconds are the best of three.
"""

from __future__ import annotations

import re
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import NamedTuple

from field_tables import table
from packaging.requirements import Requirement

ROOT = "signature-gate"
_EXTRAS = ("demo", "metrics")
_MIB = 2**20
_TIMED = "import time; t = time.perf_counter(); import {}; print(time.perf_counter() - t)"


class Library(NamedTuple):
    """A distribution, the module that is imported of it, and what needs it."""

    name: str
    module: str
    use: str


LIBRARIES = (
    Library("polars", "polars", "every judgement"),
    Library("pyarrow", "pyarrow.parquet", "every judgement; files of each format"),
    Library("pandas", "pandas", "model input, when a batch is scored; pandas frames as batches"),
    Library("mlflow", "mlflow", "`models:/…` and `runs:/…`; loading and running models"),
    Library("prefect", "prefect", "flows, `deploy`, `alerts`"),
    Library("great-expectations", "great_expectations", "rules only GX knows; `docs`; `engine=gx`"),
    Library("apprise", "apprise", "`--notify`, and notification blocks of Prefect"),
    Library("prometheus-client", "prometheus_client", "`metrics`"),
    Library("opentelemetry-api", "opentelemetry.metrics", "measurements of a run"),
    Library("scikit-learn", "sklearn", "`demo`; models that need it"),
)


def measured() -> str:
    """Measure all libraries, and write the table."""
    everything = _reachable(ROOT, _EXTRAS)
    rows = [
        (
            f"`{library.name}`",
            library.use,
            f"{_mib({name for name in everything if name not in _without(library.name)}):,.0f}",
            f"{_seconds(library.module):.1f}",
        )
        for library in LIBRARIES
    ]
    rows.append(("all", "", f"{_mib(everything):,.0f}", ""))
    return table(("library", "what needs it", "MiB", "seconds to import"), rows)


def _without(name: str) -> set[str]:
    return _reachable(ROOT, _EXTRAS, leaving_out=_plain(name))


def _reachable(name: str, extras: tuple[str, ...] = (), leaving_out: str = "") -> set[str]:
    """List what is installed if a distribution is, in plain names, one library left out."""
    found, waiting = set[str](), {(_plain(name), extras)}
    seen = set[tuple[str, tuple[str, ...]]]()
    while waiting:
        here = waiting.pop()
        seen.add(here)
        found.add(here[0])
        waiting |= {need for need in _needs(*here) if need[0] != leaving_out} - seen
    return found


@cache
def _needs(name: str, extras: tuple[str, ...]) -> frozenset[tuple[str, tuple[str, ...]]]:
    try:
        stated = map(Requirement, distribution(name).requires or ())
    except PackageNotFoundError:  # for another system or Python
        return frozenset()
    return frozenset(
        (_plain(need.name), tuple(sorted(need.extras)))
        for need in stated
        if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in ("", *extras))
    )


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _mib(names: set[str]) -> float:
    return sum(map(_bytes, names)) / _MIB


@cache
def _bytes(name: str) -> int:
    try:
        files = distribution(name).files or ()
    except PackageNotFoundError:
        return 0
    paths = (file.locate() for file in files if file.suffix != ".pyc")
    return sum(path.stat().st_size for path in paths if path.is_file())


def _seconds(module: str) -> float:
    command = [sys.executable, "-c", _TIMED.format(module)]
    runs = (subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(3))
    return min(float(run.stdout.splitlines()[-1]) for run in runs)


if __name__ == "__main__":
    sys.stdout.write(measured())
