"""A cluster of Ray by its address: its client's server passes the tasks on."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_STARTS_WITHIN = 90
_CHECK = """
import sys
from signature_gate import Contract, check

contract = Contract.from_signature({"inputs": '[{"name": "a", "type": "double"}]'})
plain, divided = (check(sys.argv[1], contract, workers=w).verdict for w in (None, sys.argv[2]))
assert divided.violations == plain.violations
print(divided.rejected)
"""
_QUIET = os.environ | {"RAY_AUTH_MODE": "disabled", "RAY_USAGE_STATS_ENABLED": "0"}


@pytest.fixture
def address() -> Iterator[str]:
    """Start a cluster with one processor in processes of its own, and stop it."""
    with socket.socket() as one, socket.socket() as other:
        ports = []
        for each in (one, other):
            each.bind(("127.0.0.1", 0))
            ports.append(each.getsockname()[1])
    program = Path(sys.executable).with_name("ray")
    options = ["--node-ip-address=127.0.0.1", f"--port={ports[0]}", "--num-cpus=1"]
    options += [f"--ray-client-server-port={ports[1]}", "--include-dashboard=false"]
    options += ["--object-store-memory=134217728", "--block"]
    quiet = subprocess.DEVNULL
    head = subprocess.Popen(
        [program, "start", "--head", *options],
        env=_QUIET,
        stdout=quiet,
        stderr=quiet,
        start_new_session=True,
    )
    try:
        _wait_for(ports[1])
        yield f"ray://127.0.0.1:{ports[1]}"
    finally:
        os.killpg(head.pid, signal.SIGTERM)
        head.wait(60)


def _wait_for(port: int) -> None:
    ends = time.monotonic() + _STARTS_WITHIN
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            if time.monotonic() > ends:
                raise
            time.sleep(0.2)
        else:
            return


def test_files_are_judged_through_the_address_of_a_cluster(address: str, tmp_path: Path) -> None:
    """The verdict is that of one process; another process is the client, as a worker is."""
    for number in range(3):
        pl.DataFrame({"a": [1.0, None]}).write_parquet(tmp_path / f"{number}.parquet")

    done = subprocess.run(
        [sys.executable, "-c", _CHECK, tmp_path, address],
        env=_QUIET,
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "3"
