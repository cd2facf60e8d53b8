"""A PostgreSQL server on loopback, with its files in a temporary folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from live_platform import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

_PROGRAMS = ("initdb", "pg_ctl", "postgres", "psql", "createdb")


@contextmanager
def postgres() -> Iterator[dict[str, str]]:
    """Run the server; yield the variables by which its clients find it, or skip the test."""
    missing = [program for program in _PROGRAMS if not shutil.which(program)]
    if missing:
        pytest.skip(f"no {', '.join(missing)} on the path (Debian: apt-get install postgresql)")
    port = str(free_port())
    # A socket's path is short, so the folder is none of pytest's.
    with tempfile.TemporaryDirectory() as folder:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        _as_owner("initdb", "-D", f"{folder}/db", "-A", "trust", "-U", "postgres")
        options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        log = f"{folder}/log"
        _as_owner("pg_ctl", "-D", f"{folder}/db", "-l", log, "-o", options, "-w", "start")
        try:
            yield {"PGHOST": "127.0.0.1", "PGPORT": port, "PGUSER": "postgres"}
        finally:
            _as_owner("pg_ctl", "-D", f"{folder}/db", "-m", "immediate", "-w", "stop")


def _as_owner(*command: str) -> None:
    """Run a command as a user who is not root, which PostgreSQL refuses."""
    prefix = ("runuser", "-u", "postgres", "--") if os.geteuid() == 0 else ()
    subprocess.run([*prefix, *command], cwd="/", stdout=subprocess.DEVNULL, check=True)
