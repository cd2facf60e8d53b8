"""Lines that stay in memory from the first reading of a file on, as columns where they can."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from .columns import TypedRecords

# Of all files that are open at the time.
_MOST_KEPT = 64 << 20


class _Room:
    """How much of it is taken; whoever takes some may be made to collect what was closed."""

    lock = RLock()
    taken = 0


class Kept:
    """All lines of a file, if these are few; while the file is as it was."""

    def __init__(self, path: Path) -> None:
        """Keep nothing yet."""
        self._path, self._stamp = path, _stamp(path)
        self._pieces: list[TypedRecords | bytes] | None = []
        self.size = 0

    def add(self, piece: TypedRecords | bytes) -> None:
        """Keep some more lines; none at all if these are too many."""
        if self._pieces is None:
            return
        size = len(piece) if isinstance(piece, bytes) else piece.table.nbytes
        with _Room.lock:
            if _Room.taken + size <= _MOST_KEPT:
                _Room.taken += size
                self.size += size
                self._pieces.append(piece)
            else:
                self._leave()

    def _leave(self) -> None:
        with _Room.lock:
            _Room.taken -= self.size
            self._pieces, self.size = None, 0

    __del__ = _leave

    def pieces(self) -> list[TypedRecords | bytes] | None:
        """Return the pieces in order; None if the file has to be read."""
        return self._pieces if self._stamp == _stamp(self._path) else None


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
