"""Lazy streams at their end: of a query, and of the process that reads them."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest
from small_checks import contract

from signature_gate.expectations.batch import streaming
from signature_gate.expectations.batch.streaming import read_ahead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
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


# ----- parts that are read while one is used -----


def part(number: int) -> pl.DataFrame:
    """Read a part; the third is broken."""
    if number == 2:
        raise OSError(number)
    return pl.DataFrame({"n": [number]})


def reads(begun: list[int]) -> Iterator[Callable[[], pl.DataFrame]]:
    """Offer the reads of six parts, and note which were taken."""
    for number in range(6):
        begun.append(number)
        yield lambda number=number: part(number)  # type: ignore[misc]


@pytest.mark.parametrize(("room", "ahead"), [(7, 0), (8, 1), (16, 2), (1 << 20, 2)])
def test_parts_are_read_ahead_as_far_as_memory_allows(
    room: int, ahead: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two parts at most wait for the one that is used, and fewer where they are large."""
    monkeypatch.setattr(streaming, "_BYTES_AHEAD", room)
    begun = list[int]()
    parts = read_ahead(reads(begun))  # of eight bytes each

    assert (next(parts)["n"].item(), len(begun)) == (0, 1 + ahead)
    assert (next(parts)["n"].item(), len(begun)) == (1, 2 + ahead)


@pytest.mark.parametrize("room", [7, 16])
def test_a_part_that_cannot_be_read_fails_at_its_place(
    room: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The parts before it are handed out first."""
    monkeypatch.setattr(streaming, "_BYTES_AHEAD", room)
    parts = read_ahead(reads([]))

    assert [next(parts)["n"].item(), next(parts)["n"].item()] == [0, 1]
    with pytest.raises(OSError, match="2"):
        next(parts)
