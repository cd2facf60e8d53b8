"""Processes of this machine; they are kept for the next call, until this process ends."""

from __future__ import annotations

import os
import signal
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from functools import lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from ..errors import WorkerDied
from .call import work

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .call import Call

# Pools that break in a row, without anything done.
_TRIES = 3


class Processes:
    """So many processes on this machine."""

    def __init__(self, number: int) -> None:
        """Start nothing yet."""
        self.number = number

    def done(self, call: Call) -> Iterator[tuple[int, Any]]:
        """Do a call; what a process that died had begun, another pool does again."""
        left, tries = dict(enumerate(call.items)), 0
        while left:
            tries += 1
            try:
                for position, result in _attempted(_pool(self.number), call, left):
                    del left[position]
                    tries = 0
                    yield position, result
            except BrokenProcessPool:
                _pool.cache_clear()
                if tries == _TRIES:
                    yield from ((position, _died(self.number)) for position in left)
                    return


def _attempted(
    pool: ProcessPoolExecutor, call: Call, left: dict[int, bytes]
) -> Iterator[tuple[int, Any]]:
    here = (str(Path.cwd()), dict(os.environ), call.head)
    futures = {pool.submit(_work_there, *here, item): n for n, item in left.items()}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _work_there(folder: str, environ: dict[str, str], head: bytes, item: bytes) -> Any:
    """Work as if in the caller's process, whatever it has changed since the worker began."""
    os.chdir(folder)
    if os.environ != environ:
        os.environ.clear()
        os.environ.update(environ)
    return work(item, head)


@lru_cache(maxsize=1)
def _pool(number: int) -> ProcessPoolExecutor:
    # A fork would copy the locks of Polars' threads, and wait for them for ever.
    return ProcessPoolExecutor(number, get_context("spawn"), _begin)


def _died(number: int) -> WorkerDied:
    msg = (
        f"{number} worker processes ended without a word, {_TRIES} times in a row. Look for what "
        "kills them, such as a limit of memory; in a script, call the gate below "
        "`if __name__ == '__main__':`, since each worker imports the script."
    )
    return WorkerDied(msg)


def _begin() -> None:
    # The caller hears of an interrupt, and ends what was not begun.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
    os._exit(1)
