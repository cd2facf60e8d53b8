"""Look for what commonly breaks a gate, and say how to mend it."""

from __future__ import annotations

import os
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from packaging.version import Version

from .. import console as terminal

if TYPE_CHECKING:
    from collections.abc import Callable


class Finding(NamedTuple):
    """One thing that was looked at.

    Attributes:
        subject: What was looked at.
        ok: Whether it is as it should be.
        observed: How it is.
        remedy: What to do, if anything is to be done.
    """

    subject: str
    ok: bool
    observed: str
    remedy: str = ""


# Package -> versions known to work, and what to do about others.
_SUPPORTED: dict[str, tuple[str, str, str]] = {
    "mlflow": ("3.4", "4", "Install mlflow>=3.4,<4."),
    "great-expectations": ("1.24", "2", "Install great-expectations>=1.24,<2."),
    "prefect": ("3.9", "4", "Install prefect>=3.9,<4: with 3.8 no scheduled run is created."),
    "polars": ("2", "3", "Install polars>=2,<3."),
    "pyarrow": ("20", "100", "Install pyarrow>=20."),
    "pandas": ("2.2", "4", "Install pandas>=2.2."),
}


def diagnose(timeout: float | None = None) -> list[Finding]:
    """Look at versions, registry, Prefect settings and the file system.

    Args:
        timeout: Seconds to go on trying while the registry does not answer.

    Returns:
        Everything that was looked at, sound or not.
    """
    return [
        *(_package(name) for name in _SUPPORTED),
        _guarded("registry", lambda: _registry(timeout)),
        _guarded("prefect server", _prefect_server),
        _guarded("temporary folder", _temporary_folder),
    ]


def show_findings(findings: list[Finding]) -> None:
    """Print findings as a table, remedies below the sound ones' company."""
    table = terminal.table_of("", "looked at", "found")
    for finding in findings:
        mark = terminal.plain("ok" if finding.ok else "!!", "green" if finding.ok else "bold red")
        table.add_row(mark, terminal.plain(finding.subject), terminal.plain(finding.observed))
    terminal.out.print(table)
    for finding in findings:
        if finding.remedy:
            terminal.print_blank()
            terminal.print_line(f"{finding.subject}: {finding.remedy}")


def _package(name: str) -> Finding:
    lowest, beyond, remedy = _SUPPORTED[name]
    try:
        found = version(name)
    except PackageNotFoundError:
        return Finding(name, ok=False, observed="not installed", remedy=remedy)
    ok = Version(lowest) <= Version(found) < Version(beyond)
    return Finding(name, ok, found, "" if ok else remedy)


def _guarded(subject: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except Exception as error:  # noqa: BLE001 - a doctor reports whatever the patient does
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return Finding(subject, ok=False, observed=first, remedy=_REMEDIES[subject])


_REMEDIES = {
    "registry": "Check MLFLOW_TRACKING_URI, and that the server runs and this machine reaches it.",
    "prefect server": "Start one with `prefect server start`, and check PREFECT_API_URL.",
    "temporary folder": "Free space there, or point TMPDIR to a folder that can be written.",
}


def _registry(timeout: float | None) -> Finding:
    from ...expectations.registry.client import registry_address

    return Finding("registry", ok=True, observed=f"{registry_address(timeout)} answers")


def _prefect_server() -> Finding:
    from urllib.request import urlopen

    address = os.environ.get("PREFECT_API_URL")
    if not address:
        observed = "PREFECT_API_URL is not set: each flow starts a server of its own"
        return Finding("prefect server", ok=True, observed=observed)
    with urlopen(f"{address.rstrip('/')}/health", timeout=5) as answer:  # noqa: S310 - the user's own address
        return Finding("prefect server", ok=answer.status == 200, observed=f"{address} answers")  # noqa: PLR2004 - HTTP


def _temporary_folder() -> Finding:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    return Finding("temporary folder", ok=True, observed=str(Path(tempfile.gettempdir())))
