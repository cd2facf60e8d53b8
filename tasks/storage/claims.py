"""One worker for a batch at a time."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..feed.feed import Feed


@contextmanager
def claimed(feed: Feed, batch: str) -> Generator[bool]:
    """Hold a batch against every other worker on its disk; yield whether the claim was won.

    The claim is a lock of the operating system, so the kernel frees it when its holder dies. Its
    file is removed while the lock is held: another worker that has opened it meanwhile sees that
    it has no name any more, and starts again.
    """
    path = feed.claim(batch)
    # Where the disk knows no locks, marker files would let two workers win: rather fail.
    lock = FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
    try:
        lock.acquire()
    except Timeout:
        yield False
        return
    try:
        yield True
    finally:
        path.unlink(missing_ok=True)
        lock.release()
