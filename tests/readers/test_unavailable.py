"""A disk that fails is no fault of the batch: no injected error comes to a verdict against it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

SHIM = Path(__file__).parents[1] / "support" / "processes" / "failing_calls.c"
JUDGE = Path(__file__).parents[1] / "support" / "processes" / "judge_with_failures.py"
COMPILER = shutil.which("cc")


@pytest.mark.skipif(not COMPILER or sys.platform != "linux", reason="no C compiler for the shim")
def test_an_error_of_the_disk_is_never_the_fault_of_a_batch(tmp_path: Path) -> None:
    """Each call on a file of each format fails once, with EIO, EACCES or ESTALE.

    The batch passes all the same, or the machinery is said to be broken: in over 500 injections
    there is no other end.
    """
    library, batches = tmp_path / "failing_calls.so", tmp_path / "injected-batches"
    batches.mkdir()
    subprocess.run(
        [str(COMPILER), "-shared", "-fPIC", "-o", str(library), str(SHIM), "-ldl"], check=True
    )
    environment = {"LD_PRELOAD": str(library), "FAILING_PATH": batches.name, "FAILING_CALL": "0"}

    done = subprocess.run(
        [sys.executable, str(JUDGE), str(batches)],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )

    ends = Counter[str]()
    for line in done.stdout.splitlines():
        name, counts = json.loads(line)
        assert counts["BatchUnavailable"], name  # so that the claim could have failed
        ends.update(counts)
    assert set(ends) == {"BatchUnavailable", "passed"}
    assert ends.total() > 500, ends
