"""Find and read the receipts of a feed."""

from __future__ import annotations

import fcntl
import os
from contextlib import suppress
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple, Self

from ...expectations.errors import GateError
from .identity import stem_of
from .ledger import NameIndex, ReceiptFacts, ledgers_in
from .receipt import receipt_prefix
from .receipt_files import own_files, read_facts, read_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from pathlib import Path

    from .feed import Feed
    from .identity import Identity
    from .receipt import Receipt

_CONTENTS = ".contents"  # a folder for each content, with a file for each of its batches
# Grows by a byte with each receipt: who has listed the names sees whether another has added any.
_COUNT = ".published"
# Of the feeds looked at last: a process may score hundreds, with as many names each.
_known: dict[Path, tuple[int, NameIndex]] = {}
_MOST_KNOWN = 8
_one_at_a_time = Lock()


class Head(NamedTuple):
    """What is kept of a receipt that was read: of so many, whole records would fill the memory."""

    identity: Identity
    final: bool
    finished: datetime


class Deliveries(NamedTuple):
    """Batches that arrived under one path.

    Attributes:
        heads: By id, the head of one receipt each, of a final one if there is one.
        unreadable: Ids of batches none of whose receipts can be read.
    """

    heads: dict[str, Head]
    unreadable: tuple[str, ...]


class ReceiptStore:
    """The receipts of a feed, looked up by batch; each file is read when somebody asks for it."""

    def __init__(self, feed: Feed) -> None:
        """Look nowhere yet: names are matched when somebody asks for a batch."""
        self.feed = feed
        self._folder = feed.receipts
        self._names: list[NameIndex] | None = None
        self._heads: dict[str, Head] = {}

    def indexed(self, *, anew: bool = True) -> Self:
        """List all names once; or take what this process listed, unless another has added any."""
        self._names = self._and_ledgers(_names_in(self._folder, anew=anew))
        return self

    def batches(self) -> list[str]:
        """List the ids of all batches that have a receipt."""
        # Copied at once, for other threads add to them.
        return sorted({batch for names in self._beginning("") for batch in list(names.of_batch)})

    def for_batch(self, batch: str) -> list[Receipt]:
        """Read a batch's receipts, the oldest first; GateError if one of them cannot be read."""
        return _in_order({n: read_receipt(self._folder / n) for n in self._names_of(batch)})

    def is_settled(self, batch: str) -> bool:
        """Whether a batch has a final receipt; of each file no more is understood than that."""
        return any(self._head(name).final for name in self._names_of(batch))

    def deliveries(self, path: str) -> Deliveries:
        """Find the batches that arrived under a path, by what their ids begin with."""
        heads, unreadable = dict[str, Head](), list[str]()
        for batch in self._ids_like(stem_of(path)):
            try:
                found = [self._head(name) for name in self._names_of(batch)]
            except (GateError, OSError):
                unreadable.append(batch)
                continue
            if found and found[0].identity.path == path:
                heads[batch] = max(found, key=lambda head: (head.final, head.finished))
        return Deliveries(heads, tuple(unreadable))

    def superseded(self, batch: Identity) -> str | None:
        """Return the id of the newest batch that is done and arrived under the same path before."""
        heads = self.deliveries(batch.path).heads
        done = [(h.finished, other) for other, h in heads.items() if h.final and other != batch.id]
        return max(done)[1] if done else None

    def same_content(self, batch: Identity) -> str | None:
        """Return the id of the first other batch that is done and has the same content."""
        done = _marks_in(self._contents_of(batch))
        for ledger in () if batch.is_by_edges else ledgers_in(self._folder):
            done += ledger.settled_with_content(batch.digest)
        others = (other for _, other in sorted(done) if other != batch.id)
        return next((other for other in others if self.is_settled(other)), None)

    def note_content(self, batch: Identity) -> None:
        """Note which content a batch has, before its receipt is published."""
        if not batch.is_by_edges:
            mark = self._contents_of(batch) / batch.id
            while not mark.exists():  # its stamp says which batch came first
                mark.parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # a compaction removed the empty folder
                    mark.touch()

    def drop_content(self, facts: ReceiptFacts) -> None:
        """Remove the note of a content, once a ledger knows it."""
        mark = self._contents_of(facts.identity) / facts.batch
        mark.unlink(missing_ok=True)
        with suppress(OSError):  # other batches have the same content
            mark.parent.rmdir()

    def next_attempt(self, batch: str, version: str) -> int:
        """Number the next attempt on a batch under a version, from 1."""
        start = receipt_prefix(batch, version)
        numbers = [
            name.removeprefix(start).removesuffix(".json")
            for name in self._names_of(batch)
            if name.startswith(start)
        ]
        return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)

    def _contents_of(self, batch: Identity) -> Path:
        return self._folder / _CONTENTS / batch.digest.rpartition(":")[2]

    def _head(self, name: str) -> Head:
        if name not in self._heads:
            facts = read_facts(self._folder / name)
            self._heads[name] = Head(facts.identity, facts.final, facts.finished)
        return self._heads[name]

    def _ids_like(self, stem: str) -> Iterable[str]:
        listed = self._beginning(f"{stem}-")
        return dict.fromkeys(batch for names in listed for batch in names.of_stem.get(stem, ()))

    def _names_of(self, batch: str) -> list[str]:
        listed = self._beginning(f"{batch}@")
        return list(dict.fromkeys(n for names in listed for n in names.of_batch.get(batch, ())))

    def _beginning(self, start: str) -> list[NameIndex]:
        """Take the names that were listed, else list those that begin so."""
        return self._names or self._and_ledgers(NameIndex(own_files(self._folder, start)))

    def _and_ledgers(self, own: NameIndex) -> list[NameIndex]:
        # After the files: what is compacted meanwhile is in a ledger before its file goes.
        return [own, *(ledger.names for ledger in ledgers_in(self._folder))]


def _names_in(folder: Path, *, anew: bool) -> NameIndex:
    with _one_at_a_time:
        published = _published(folder)
        known = _known.get(folder)
        if anew or known is None or known[0] != published:
            known = (published, NameIndex(own_files(folder)))
            _known.pop(folder, None)
            _known[folder] = known
            if len(_known) > _MOST_KNOWN:
                del _known[next(iter(_known))]
        return known[1]


def note_published(path: Path) -> None:
    """Have others list names again; called once a receipt is there, before its claim is let go."""
    with _one_at_a_time, (path.parent / _COUNT).open("ab", buffering=0) as count:
        # Network disks do not append as one step.
        fcntl.flock(count, fcntl.LOCK_EX)
        count.write(b".")
        if known := _known.get(path.parent):
            known[1].add(path.name)
            _known[path.parent] = (known[0] + 1, known[1])


def _published(folder: Path) -> int:
    # Opened, because network disks answer a bare look from memory.
    with suppress(FileNotFoundError), (folder / _COUNT).open("rb") as count:
        return os.fstat(count.fileno()).st_size
    return 0


def _marks_in(folder: Path) -> list[tuple[int, str]]:
    marks = list[tuple[int, str]]()
    # A compaction may remove marks, and an empty folder, once a ledger has their receipts.
    with suppress(FileNotFoundError):
        for mark in folder.iterdir():
            with suppress(FileNotFoundError):
                marks.append((mark.stat().st_mtime_ns, mark.name))
    return marks


def last_final(receipts: list[Receipt]) -> Receipt | None:
    """Return the newest final receipt of a batch as a whole, if it is done."""
    return next((r for r in reversed(receipts) if r.is_final_for_batch), None)


def _in_order(by_file: Mapping[str, Receipt]) -> list[Receipt]:
    """Sort by what follows up what: clocks are set back, and differ from worker to worker."""
    depths = _depths(by_file)
    files = sorted(by_file, key=lambda f: (depths[f], by_file[f].finished, by_file[f].attempt))
    return [by_file[file] for file in files]


def _depths(by_file: Mapping[str, Receipt]) -> dict[str, int]:
    """Count the receipts that each one follows up, one after the other."""
    depths: dict[str, int] = {}
    for file in by_file:
        chain, link = dict[str, None](), file
        while link in by_file and link not in depths and link not in chain:
            chain[link] = None
            link = by_file[link].previous or ""
        before = depths.get(link, -1)
        depths |= {link: before + n for n, link in enumerate(reversed(chain), 1)}
    return depths
