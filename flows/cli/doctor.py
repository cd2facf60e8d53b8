"""``signature-gate doctor``: check what commonly breaks, and say how to repair it."""

from __future__ import annotations

import json
import os
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

import typer

from ..terminal import console as terminal
from .options import BROKEN, PASSED, AsJson, Timeout

if TYPE_CHECKING:
    from collections.abc import Callable

    from .prefect_server import DeploymentState


class Finding(NamedTuple):
    """The result of one check.

    Attributes:
        subject: What was checked.
        ok: Whether it is as it should be.
        observed: How it is.
        remedy: What to do, if anything.
    """

    subject: str
    ok: bool
    observed: str
    remedy: str = ""


# Package -> versions known to work, from and below, and what to do about others.
_SUPPORTED: dict[str, tuple[str, str, str]] = {
    "mlflow": ("3.4", "4", "Install mlflow>=3.4,<4."),
    "great-expectations": ("1.24", "2", "Install great-expectations>=1.24,<2."),
    "prefect": ("3.9", "4", "Install prefect>=3.9,<4: with 3.8 no scheduled run is created."),
    "whenever": ("0.11", "1", "Install whenever>=0.11: with 0.10 cron schedules create no run."),
    "polars": ("2", "3", "Install polars>=2,<3."),
    "pyarrow": ("20", "100", "Install pyarrow>=20."),
    "pandas": ("2.2", "4", "Install pandas>=2.2."),
}
_REMEDIES = {
    "registry": "Check MLFLOW_TRACKING_URI, and that the server runs and this machine reaches it.",
    "prefect server": "Start one with `prefect server start`, and check PREFECT_API_URL.",
    "deployments": "Check PREFECT_API_URL, and PREFECT_API_AUTH_STRING if the server wants one.",
    "temporary folder": "Free space there, or point TMPDIR to a folder that can be written.",
}
_NO_RUN = (
    "The server's scheduler creates runs within a minute. If none comes: is the server's Prefect "
    "3.9 or newer, and what does its log say?"
)
_LATE = timedelta(minutes=2)


def doctor(as_json: AsJson = False, timeout: Timeout = None) -> None:
    """Check what commonly breaks.

    Versions, the registry, the Prefect server, deployments and the disk.
    """
    with terminal.spinner("checking"):
        findings = diagnose(timeout)
    if as_json:
        typer.echo(json.dumps([finding._asdict() for finding in findings], indent=2))
    else:
        _show(findings)
    raise typer.Exit(PASSED if all(finding.ok for finding in findings) else BROKEN)


def diagnose(timeout: float | None = None) -> list[Finding]:
    """Make all checks; return all results, good and bad."""
    return [
        *(_package(name) for name in _SUPPORTED),
        *_guarded("registry", lambda: [_registry(timeout)]),
        *_guarded("prefect server", lambda: [_prefect_server()]),
        *_guarded("deployments", _deployments),
        *_guarded("temporary folder", lambda: [_temporary_folder()]),
    ]


def _show(findings: list[Finding]) -> None:
    table = terminal.table_of("", "checked", "found")
    for finding in findings:
        mark = terminal.plain("ok" if finding.ok else "!!", "green" if finding.ok else "bold red")
        table.add_row(mark, terminal.plain(finding.subject), terminal.plain(finding.observed))
    terminal.out.print(table)
    for finding in findings:
        if finding.remedy:
            terminal.print_blank()
            terminal.print_line(f"{finding.subject}: {finding.remedy}")


def _guarded(subject: str, check: Callable[[], list[Finding]]) -> list[Finding]:
    try:
        return check()
    except Exception as error:  # noqa: BLE001 - whatever a check raises is a finding
        first = str(error).splitlines()[0] if str(error) else type(error).__name__
        return [Finding(subject, ok=False, observed=first, remedy=_REMEDIES[subject])]


def _package(name: str) -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    from packaging.version import Version

    lowest, beyond, remedy = _SUPPORTED[name]
    try:
        installed = version(name)
    except PackageNotFoundError:
        return Finding(name, ok=False, observed="not installed", remedy=remedy)
    ok = Version(lowest) <= Version(installed) < Version(beyond)
    return Finding(name, ok, installed, "" if ok else remedy)


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


def _deployments() -> list[Finding]:
    if not os.environ.get("PREFECT_API_URL"):
        return []
    from .prefect_server import deployment_states

    states = deployment_states()
    pools = sorted({(state.pool, state.polled) for state in states})
    return [*(_schedule(state) for state in states if state.scheduled), *map(_pool, pools)]


def _schedule(state: DeploymentState) -> Finding:
    """Check that runs are due, and that none is overdue although the scheduler made it."""
    if state.next_run is None:
        return Finding(
            state.name, ok=False, observed="scheduled, but no run is due", remedy=_NO_RUN
        )
    when = f"{state.next_run:%Y-%m-%d %H:%M} UTC"
    if state.next_run < datetime.now(UTC) - _LATE:
        remedy = f"Start a worker: prefect worker start --pool {state.pool}"
        return Finding(state.name, ok=False, observed=f"late since {when}", remedy=remedy)
    return Finding(state.name, ok=True, observed=f"next run {when}")


def _pool(pool: tuple[str, bool]) -> Finding:
    name, polled = pool
    remedy = "" if polled else f"Start a worker: prefect worker start --pool {name}"
    observed = "a worker polls it" if polled else "no worker polls it"
    return Finding(f"work pool {name}", ok=polled, observed=observed, remedy=remedy)


def _temporary_folder() -> Finding:
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"x")
    return Finding("temporary folder", ok=True, observed=tempfile.gettempdir())
