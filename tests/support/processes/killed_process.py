"""Worker processes that are killed by SIGKILL at a chosen checkpoint.

They are forked from a server that has imported the slow libraries.
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
    """Kills its own process when a checkpoint is reached for the n-th time."""

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
    """Score a feed in another process, which is killed when it reaches a checkpoint.

    Returns:
        The process's exit code: -9 if it was killed, 0 if it never reached the checkpoint.
    """
    worker = _start(_work, feed.model_dump_json(), point, times, dict(os.environ))
    worker.join(120)
    return worker.exitcode


def score_side_by_side(feed: Feed, workers: int) -> list[int | None]:
    """Score one feed in several processes at once.

    Returns:
        Their exit codes.
    """
    arguments = (feed.model_dump_json(), "never", 1, dict(os.environ))
    started = [_start(_work, *arguments) for _ in range(workers)]
    for worker in started:
        worker.join(120)
    return [worker.exitcode for worker in started]


def start_scoring(feed: Feed) -> BaseProcess:
    """Score a feed in another process."""
    return _start(_work, feed.model_dump_json(), "never", 1, dict(os.environ))


def _start(work: Callable[..., None], *arguments: object) -> BaseProcess:
    return forked(work, *arguments, preload=_SLOW)


def _work(feed: str, point: str, times: int, environment: dict[str, str]) -> None:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.scoring.feed_run import score_feed

    os.environ.update(environment)
    _listen(point, times)
    score_feed(Feed.model_validate_json(feed))


def follow_and_die(feed: Feed) -> int | None:
    """Follow a table in another process, which is killed before it notes how far it has come."""
    worker = _start(_follow, feed.model_dump_json(), dict(os.environ))
    worker.join(120)
    return worker.exitcode


def _follow(feed: str, environment: dict[str, str]) -> None:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.stores.documents import Document
    from signature_gate.tasks.stores.followed import deliver_versions

    os.environ.update(environment)
    Document.write = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    deliver_versions(Feed.model_validate_json(feed))


def hold_claim(feed: Feed, batch: str, holding: Path) -> BaseProcess:
    """Claim a batch in another process, which creates a file once it has the claim, then sleeps."""
    return _start(_hold, feed.model_dump_json(), batch, str(holding))


def _hold(feed: str, batch: str, holding: str) -> None:
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.storage.claims import claimed

    with claimed(Feed.model_validate_json(feed), batch) as won:
        Path(holding).write_text(str(won))
        signal.pause()


def start_command(arguments: list[str], log: Path, point: str = "never", times: int = 1) -> Any:
    """Run ``signature-gate`` in another process, which may be killed at a checkpoint.

    Args:
        arguments: The command's arguments, without the program's name.
        log: File to which its output is appended.
        point: The checkpoint at which it is killed.
        times: How often the checkpoint is reached before that; 1 for the first time.

    Returns:
        The running process.
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
    # Without this handler the command line would print every record of the logger.
    logger.propagate = False
    logger.addHandler(_Killer(point, times))
