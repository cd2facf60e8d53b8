"""A disk that fails at any call of a run loses nothing and condemns nothing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

PROCESSES = Path(__file__).parents[2] / "support" / "processes"
COMPILER = shutil.which("cc")
# Each call takes a run with the failure and one after it: make chaos tries them all.
STEP = os.environ.get("SIGNATURE_GATE_FAILING_STEP", "60")


@pytest.mark.skipif(not COMPILER or sys.platform != "linux", reason="no C compiler for the shim")
def test_a_failing_call_delays_a_batch_and_no_more(tmp_path: Path) -> None:
    """One open, read, write, sync, rename, link, stat or listing fails, whichever it is.

    The run scores the batch all the same, or ends in an error that blames the machinery. The next
    run leaves each row in the predictions or among the rejected rows, once, and nothing else.
    """
    library, feeds = tmp_path / "failing_calls.so", tmp_path / "injected-feeds"
    feeds.mkdir()
    source = PROCESSES / "failing_calls.c"
    command = [str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"]
    subprocess.run(command, check=True)
    score = [sys.executable, str(PROCESSES / "score_with_failures.py"), str(feeds)]
    environment = {
        "LD_PRELOAD": str(library),
        "FAILING_PATH": feeds.name,
        "FAILING_CALL": "0",
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
    }

    done = subprocess.run(
        [*score, f"sqlite:///{tmp_path}/registry.db", "--step", STEP],
        env={k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")} | environment,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    ends = Counter[str]()
    for line in done.stdout.splitlines():
        name, counts, faults = json.loads(line)
        assert faults == [], name
        assert counts["errored"], name  # so that the claim could have failed
        ends.update(counts)
    assert set(ends) <= {"split", "errored", "left", "OSError", "PermissionError"}, ends
    sys.stdout.write(f"{ends.total():,} failing calls: {dict(ends)}\n")
