"""Lazy streams at their end: of a query, and of the process that reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

from small_checks import contract

if TYPE_CHECKING:
    from pathlib import Path

AB = contract(a="long", b="string")

JUDGE = """
import sys
from signature_gate import Contract, check
assert not check(sys.argv[2], Contract.from_signature({"inputs": sys.argv[1]})).passed
"""


def test_a_process_ends_well_while_polars_reads_on(tmp_path: Path) -> None:
    """Once five samples are found nothing more is asked for, and the process may be over."""
    path = tmp_path / "bad.csv"
    path.write_bytes(b"a,b\n" + b"too,many,fields\n" * 1_000_000)
    command = [sys.executable, "-c", JUDGE, str(AB.signature["inputs"]), str(path)]

    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=os.environ)

    assert (ended.returncode, ended.stderr) == (0, "")


JUDGE_AT_EXIT = """
import atexit, sys
def judge():
    verdict = check(sys.argv[2], Contract.from_signature({"inputs": sys.argv[1]})).verdict
    print(verdict.rows, [violation.kind for violation in verdict.violations])
atexit.register(judge)
from signature_gate import Contract, check
import signature_gate.expectations.batch.streaming
"""


def test_a_file_that_is_read_no_further_is_no_shorter_file(tmp_path: Path) -> None:
    """While the interpreter shuts down nothing is read, and that is not taken for the end."""
    path = tmp_path / "good.csv"
    path.write_bytes(b"a,b\n1,x\n")
    command = [sys.executable, "-c", JUDGE_AT_EXIT, str(AB.signature["inputs"]), str(path)]

    ended = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)

    assert ended.stdout == "None ['unreadable']\n"
