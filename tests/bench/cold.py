"""Commands as a shell starts them: the whole process, imports and all."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from judging import contract_of
from scoring import registry

if TYPE_CHECKING:
    from collections.abc import Callable

    from batches import Column

# The peak is that of the process itself: what the system tells of children survives exec.
_TOLD = """
import atexit, runpy, sys
atexit.register(lambda: print(open("/proc/self/status").read(), file=sys.stderr))
"""

_BYTECODE = str(Path(tempfile.gettempdir()) / "signature-gate-bytecode")


def python(path: Path, columns: list[Column], code: str) -> Callable[[], bool]:
    """A process that runs some code."""
    return _process(code)


def command(
    path: Path, columns: list[Column], arguments: list[str], *, kept: bool = False
) -> Callable[[], bool]:
    """A command of ours, called before if ``kept``; ``BATCH`` and ``SUITE`` stand for files."""
    from signature_gate.expectations.suite import to_suite

    suite = path.parent / "suite.json"
    if "SUITE" in arguments and not suite.exists():
        suite.write_text(json.dumps(to_suite(contract_of(columns))), "utf-8")
    if any(argument.startswith("models:") for argument in arguments):
        registry(path, columns)
        os.environ |= {"XDG_CACHE_HOME": str(path.parent / "cache")}
        os.environ |= {} if kept else {"SIGNATURE_GATE_CACHE": "off"}
    files = {"BATCH": str(path), "SUITE": str(suite)}
    words = ["signature-gate", *(files.get(each, each) for each in arguments)]
    return _process(
        f"sys.argv = {words!r}\nrunpy.run_module('signature_gate', run_name='__main__')"
    )


def _process(code: str) -> Callable[[], bool]:
    # Installed packages have their bytecode; so has ours from the second process on.
    environment = os.environ | {"PYTHONPYCACHEPREFIX": _BYTECODE, "PYTHONDONTWRITEBYTECODE": ""}

    def run() -> bool:
        out = subprocess.run(
            [sys.executable, "-c", _TOLD + code],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        run.peak = int(re.findall(r"VmHWM:\s+(\d+)", out.stderr)[-1]) / 1024
        return out.returncode == 0

    return run
