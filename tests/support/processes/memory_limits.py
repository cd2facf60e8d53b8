"""Judge a file in another process, and report verdict, error, memory and signals.

The process is forked from a server that has imported the slow libraries. It is killed if it takes
too long or too much memory.
"""

from __future__ import annotations

import multiprocessing
import os
import resource
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forkserver import forked

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

SECONDS, MIB = 30, 1024
_SLOW = [
    "pandas",
    "signature_gate.expectations.readers.numpy_arrays",
    "signature_gate.expectations.readers.arrow_ipc",
    "signature_gate.expectations.judge.checking",
    "signature_gate.expectations.readers.csv_reader",
    "signature_gate.expectations.readers.folder",
    "signature_gate.expectations.readers.json_lines.reader",
    "signature_gate.expectations.readers.parquet",
]
_PAGE = resource.getpagesize()


class Outcome(NamedTuple):
    """The result of judging one file in another process.

    Attributes:
        verdict: The verdict as JSON; empty if there is none.
        error: Name and text of a ``GateError`` that was raised instead.
        handed: Rows of the model input; None if that raised ``BatchChanged``.
        fate: Why the process gave no result; empty if it did.
        mib: Peak memory of the process, the libraries included.
    """

    verdict: str = ""
    error: str = ""
    handed: int | None = None
    fate: str = ""
    mib: int = 0


def judge_apart(path: Path, inputs: str, policy: dict[str, Any]) -> Outcome:
    """Judge a file in another process, and make the model input if it passes.

    Args:
        path: The file.
        inputs: Inputs of the signature, as MLflow writes them.
        policy: Fields of the policy.

    Returns:
        The result.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    worker = forked(_work, theirs, str(path), inputs, policy, preload=_SLOW)
    theirs.close()
    outcome = _awaited(ours, worker)
    worker.join()
    return outcome


def _awaited(answer: Connection, worker: BaseProcess) -> Outcome:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        if answer.poll(0.05):
            try:
                return answer.recv()
            except EOFError:
                worker.join()
                return Outcome(fate=f"died with exit code {worker.exitcode}")
        if _resident(worker) > MIB:
            worker.kill()
            return Outcome(fate=f"took more than {MIB} MiB")
    worker.kill()
    return Outcome(fate=f"took longer than {SECONDS} seconds")


def _resident(worker: BaseProcess) -> int:
    try:
        pages = Path(f"/proc/{worker.pid}/statm").read_text("ascii").split()[1]
    except (FileNotFoundError, ProcessLookupError, IndexError):
        return 0
    return int(pages) * _PAGE >> 20


def _work(answer: Connection, path: str, inputs: str, policy: dict[str, Any]) -> None:
    # A panic of Rust prints to stderr: keep it out of the test's output.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    try:
        outcome = _judged(path, inputs, policy)
    except BaseException as error:  # noqa: BLE001 - whatever it is, the test is to see it
        outcome = Outcome(fate=f"raised {type(error).__name__}: {error}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
    answer.send(outcome._replace(mib=peak))


def _judged(path: str, inputs: str, policy: dict[str, Any]) -> Outcome:
    from signature_gate import Contract, GateError, Policy, check
    from signature_gate.expectations.errors import BatchChanged

    try:
        result = check(path, Contract.from_signature({"inputs": inputs}), Policy.parse(policy))
    except GateError as error:
        return Outcome(error=f"{type(error).__name__}: {error}")
    verdict = result.verdict.to_json()
    if not result.passed:
        return Outcome(verdict)
    try:
        return Outcome(verdict, handed=sum(part.rows.height for part in result.chunks(65_536)))
    except BatchChanged:
        return Outcome(verdict)
