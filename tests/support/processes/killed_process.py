"""Workers that die at a chosen write, for real: by SIGKILL, in a process of their own.

The processes are forked from a server that has the slow libraries imported, so that each costs
little more than its work.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from forkserver import forked

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.process import BaseProcess

    from signature_gate.tasks.feed.feed import Feed

_SLOW = [
    "mlflow.pyfunc",
    "mlflow.store.tracking.sqlalchemy_store",
    "signature_gate.expectations.report.batch_report",
    "signature_gate.flows.cli.main",
    "signature_gate.tasks.scoring.feed_run",
    "sklearn.linear_model",
    "warm",
]


class _Killer(logging.Handler):
    """Ends the process, without a chance to tidy up, the so-manieth time a point is reached."""

    def __init__(self, point: str, times: int) -> None:
        super().__init__(logging.DEBUG)
        self._point = point
        self._left = times

    def emit(self, record: logging.LogRecord) -> None:
        if record.args and record.args[1] == self._point:  # pyright: ignore[reportArgumentType]
            self._left -= 1
        if not self._left:
            os.kill(os.getpid(), signal.SIGKILL)


def score_and_die(feed: Feed, point: str, times: int = 1) -> int | None:
    """Score a feed in another process, which dies when it reaches a point of the order of writes.

    Returns:
        The process's exit code: minus 9 if it died, 0 if it never got there.
    """
    worker = _start(_work, feed.model_dump_json(), point, times, dict(os.environ))
    worker.join(120)
    return worker.exitcode


def score_side_by_side(feed: Feed, workers: int) -> list[int | None]:
    """Score one feed in several processes at a time.

    Returns:
        Their exit codes.
    """
    arguments = (feed.model_dump_json(), "never", 1, dict(os.environ))
    started = [_start(_work, *arguments) for _ in range(workers)]
    for worker in started:
        worker.join(120)
    return [worker.exitcode for worker in started]


def _start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    return forked(work, *arguments, preload=_SLOW)


def _work(feed: str, point: str, times: int, environment: dict[str, str]) -> None:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.scoring.feed_run import score_feed

    os.environ.update(environment)
    _listen(point, times)
    score_feed(Feed.model_validate_json(feed))


def hold_claim(feed: Feed, batch: str, holding: Path) -> BaseProcess:
    """Claim a batch in another process, which says so by making a file, and then sleeps."""
    return _start(_hold, feed.model_dump_json(), batch, str(holding))


def _hold(feed: str, batch: str, holding: str) -> None:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.storage.intent import claimed

    with claimed(Feed.model_validate_json(feed), batch) as won:
        Path(holding).write_text(str(won))
        signal.pause()


def start_command(arguments: list[str], log: Path, point: str = "never", times: int = 1) -> Any:
    """Run ``signature-gate`` in another process, which may die at a point of the order of writes.

    Args:
        arguments: Of the command, without the program's name.
        log: Where what it prints is appended.
        point: Where it dies.
        times: The how manieth time it gets there.

    Returns:
        The process, under way.
    """
    return _start(_command, arguments, str(log), point, times, dict(os.environ))


def _command(
    arguments: list[str], log: str, point: str, times: int, environment: dict[str, str]
) -> None:
    from signature_gate.flows.cli.main import main

    os.environ.update(environment)
    tempfile.tempdir = None
    with Path(log).open("ab") as printed:
        os.dup2(printed.fileno(), 1)
        os.dup2(printed.fileno(), 2)
    _listen(point, times)
    sys.argv = ["signature-gate", *arguments]
    main()


def _listen(point: str, times: int) -> None:
    logger = logging.getLogger("signature_gate.storage")
    logger.setLevel(logging.DEBUG)
    # Without one of its own the command line would have logging set up to print all of it.
    logger.propagate = False
    logger.addHandler(_Killer(point, times))
