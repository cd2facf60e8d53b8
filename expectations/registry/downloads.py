"""Folders for what is downloaded, which a worker that is killed leaves to the next one to sweep."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from collections.abc import Generator

_PREFIX = "signature-gate-model-"
_LOCK = ".in-use"


class Download(NamedTuple):
    """A folder of one's own, for as long as its lock is held.

    Attributes:
        folder: Where the download goes.
        lock: The kernel frees it when its holder dies.
    """

    folder: Path
    lock: FileLock

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.release(force=True)


def new_download() -> Download:
    """Make a folder for a download, and sweep those whose owners are dead.

    Returns:
        An empty folder but for the hidden lock in it.

    Raises:
        OSError: It cannot be made.
    """
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked before it has the name by which others know it: they never find it free.
    lock = _lock(folder / f"{_LOCK}.new")
    lock.acquire()
    Path(lock.lock_file).rename(folder / _LOCK)
    return Download(folder, lock)


@contextmanager
def brief_download() -> Generator[str]:
    """Make a folder for a download that is read at once, and remove it.

    Yields:
        The folder's path.

    Raises:
        OSError: It cannot be made.
    """
    download = new_download()
    try:
        yield str(download.folder)
    finally:
        download.discard()


def _sweep() -> None:
    for marker in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        lock = _lock(marker)
        try:
            lock.acquire()
        except (OSError, Timeout):
            # In use, or another account's.
            continue
        Download(marker.parent, lock).discard()


def _lock(path: Path) -> FileLock:
    return FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
