"""Read every file that a feed publishes, as soon as it appears, and report what is not whole."""

from __future__ import annotations

import hashlib
import json
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from signature_gate.tasks.feed.feed import Feed

_PUBLIC = ("scored", "quarantine", "archive", "receipts")


class _Stamp(NamedTuple):
    inode: int
    size: int
    written: int


class Reader(threading.Thread):
    """A thread that reads the files in a feed's public folders until ``stop``.

    Attributes:
        looks: How often it has listed the folders.
        files: How many files it has read.
        faults: Files that were incomplete, changed, or gone again.
    """

    def __init__(self, feed: Feed) -> None:
        """Name the feed; ``start`` begins to read."""
        super().__init__(daemon=True)
        self.looks = self.files = 0
        self.faults: list[str] = []
        self._folders = [Path(feed.root) / name for name in _PUBLIC]
        self._seen: dict[Path, tuple[_Stamp, str]] = {}
        self._over = threading.Event()

    def run(self) -> None:
        """Read the folders again and again."""
        while not self._over.is_set():
            began = time.monotonic()
            self._look()
            # Leave half of the time to the workers.
            self._over.wait(time.monotonic() - began)

    def stop(self) -> None:
        """Stop the thread, then read everything once more."""
        self._over.set()
        self.join()
        self._look()
        for path, (_, digest) in self._seen.items():
            if path.exists() and hashlib.sha256(path.read_bytes()).hexdigest() != digest:
                self.faults.append(f"{path} has changed")

    def _look(self) -> None:
        self.looks += 1
        found = [
            path
            for folder in self._folders
            for path in folder.rglob("*")
            # Marks of receipts that nobody was told of, and their count, are no outputs.
            if path.is_file() and not {".untold", ".published"} & {*path.parts}
        ]
        for path in found:
            stamp = _stamp_of(path)
            known = self._seen.get(path)
            if known is None:
                self._read(path, stamp)
            elif stamp != known[0]:
                self.faults.append(f"{path} was written anew")
        gone = self._seen.keys() - set(found)
        self.faults += [f"{path} was there and is gone" for path in gone]
        for path in gone:
            del self._seen[path]

    def _read(self, path: Path, stamp: _Stamp) -> None:
        content = path.read_bytes()
        self.files += 1
        self._seen[path] = (stamp, hashlib.sha256(content).hexdigest())
        if not _is_whole(path, content):
            self.faults.append(f"{path} was seen in part, {len(content)} bytes of it")


def _stamp_of(path: Path) -> _Stamp:
    facts = path.stat()
    return _Stamp(facts.st_ino, facts.st_size, facts.st_mtime_ns)


def _is_whole(path: Path, content: bytes) -> bool:
    """Whether a file can be read to its end; batches as they arrived are compared elsewhere."""
    if path.name.startswith("."):
        return False
    try:
        match path.suffix:
            case ".json":
                return isinstance(json.loads(content), dict)
            case ".html":
                return content.rstrip().endswith(b"</html>")
            case ".parquet" if "scored" in path.parts or path.name == "rejected.parquet":
                return pq.read_table(pa.BufferReader(content)).num_columns > 0
    except (ValueError, pa.ArrowException):
        return False
    return True
