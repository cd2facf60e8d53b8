"""Temporary folders for downloads; those of a worker that was killed are removed by the next."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from weakref import finalize

if TYPE_CHECKING:
    from collections.abc import Generator

    from filelock import FileLock

_PREFIX = "signature-gate-model-"
_LOCK = ".in-use"


class Download(NamedTuple):
    """A folder, and the lock that keeps others from removing it; a dead process holds no lock."""

    folder: Path
    lock: FileLock

    def lasts_with(self, reader: object) -> None:
        """Remove the folder with the last object that can read it."""
        finalize(reader, self.discard)

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.lock.release(force=True)


def new_download() -> Download:
    """Create a folder for a download, and remove those of dead processes."""
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX))
    # Locked before it gets the name by which others find it.
    lock = _lock(folder / f"{_LOCK}.new")
    lock.acquire()
    Path(lock.lock_file).rename(folder / _LOCK)
    return Download(folder, lock)


@contextmanager
def brief_download() -> Generator[str]:
    """Create a folder for a download that is read at once, and remove it."""
    download = new_download()
    try:
        yield str(download.folder)
    finally:
        download.discard()


def _sweep() -> None:
    from filelock import Timeout

    for marker in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*/{_LOCK}"):
        lock = _lock(marker)
        try:
            lock.acquire()
        except (OSError, Timeout):
            # In use, or another account's.
            continue
        Download(marker.parent, lock).discard()


def _lock(path: Path) -> FileLock:
    from filelock import FileLock

    return FileLock(path, blocking=False, thread_local=False, fallback_to_soft=False)
