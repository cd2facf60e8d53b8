"""How to know a batch again: by its path and the content of all its files."""

from __future__ import annotations

import hashlib
import os
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel, ConfigDict

from ...expectations.escaping import slug

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# Names that Hive, Spark and most copying tools give to what is not data, or not yet.
HIDDEN_PREFIXES = (".", "_")
# Names that uploaders, editors and browsers give to a file that they have not finished.
UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload", "~")

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_ALGORITHM = "blake2b"
_CHUNK = 1 << 20
_EDGE = 64 * 1024  # bytes of each end that digests of before covered
_NAME = 67  # of the 80 characters of an id; hyphen and digits take the rest
_DIGITS = 12
_SECOND = 1_000_000_000


def lexists(path: Path) -> bool:
    """Whether a name is taken, be it by a dangling link.

    ``os.path.lexists`` says no where the disk does not answer: what is there would be overwritten,
    or given up as moved.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


class Identity(BaseModel):
    """What makes a batch this batch and no other: its path and its content.

    Attributes:
        path: Its path from the inbox.
        bytes: Its size; of a folder, that of all files in it.
        stamp: When it was last written, in nanoseconds since 1970; of a folder, the latest.
        digest: Of the whole content, ``blake2b:`` and 32 hexadecimal digits. Receipts of before
            have the SHA-256 of the first and last 64 KiB of each file; there size and stamp are
            part of the identity.
        seal: Digest of the names, sizes, stamps and inodes of its files.
        changed: When the system last noted a change of a file, in nanoseconds since 1970; 0 where
            that was too short before the content was read to prove anything.
        etag: Of an object in a store, what the store changes with its content; of a folder, a
            digest of those of its objects. A batch is known by it before it is read.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    stamp: int
    digest: str
    seal: str = ""
    changed: int = 0
    etag: str = ""

    @cached_property
    def id(self) -> str:
        """A name for people and paths: slug of the stem, and 12 digits that tell it apart."""
        parts = (self.path, self.etag or self.digest)
        if self.is_by_edges and not self.etag:
            parts = (self.path, str(self.bytes), str(self.stamp), self.digest)
        digits = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:_DIGITS]
        return f"{stem_of(self.path)}-{digits}"

    @property
    def file(self) -> str:
        """A file name for the batch elsewhere: its id, with the ending that tells its format."""
        suffix = _split(self.path)[1]
        ending = "".join(f".{slug(part)}" for part in suffix.split(".") if part)
        return f"{self.id}{ending}"

    @property
    def is_by_edges(self) -> bool:
        """Whether it was written before identities covered the whole content."""
        return not self.digest.startswith(_ALGORITHM)


class _Facts(NamedTuple):
    bytes: int
    stamp: int
    seal: str
    changed: int


def stem_of(path: str) -> str:
    """Return what the ids of all batches of that path begin with."""
    return slug(_split(path)[0])[:_NAME].rstrip("-.")


def identify(path: Path, known_as: str, known: Iterable[Identity] = ()) -> Identity:
    """Take a batch's identity; OSError if it cannot be read.

    Args:
        path: The file or folder.
        known_as: Its path from the inbox, where it may no longer lie.
        known: Identities from receipts. One of an untouched file is returned as it is, and spares
            reading the content; so is one of before, whose batch must stay what it was.
    """
    facts = _facts(path)
    for identity in known:
        if identity.path == known_as and _is_untouched(path, identity, facts):
            return identity
    digest = _content_digest(path)
    age = time.time_ns() - facts.changed
    # A system with coarse clocks could note a later change under the same time.
    grain = 2 * _SECOND if facts.changed % _SECOND == 0 else _SECOND // 10
    return Identity(
        path=known_as,
        bytes=facts.bytes,
        stamp=facts.stamp,
        digest=digest,
        seal=facts.seal,
        changed=facts.changed if age > grain else 0,
    )


def identify_by_edges(path: Path, known_as: str) -> Identity:
    """Take the identity that a batch had before identities covered the whole content."""
    facts = _facts(path)
    digest = hashlib.sha256()
    for file in files_of(path):
        digest.update(_name_in(path, file) + _edges(file))
    return Identity(path=known_as, bytes=facts.bytes, stamp=facts.stamp, digest=digest.hexdigest())


def is_same(path: Path, known: Identity, *, moved: bool = False) -> bool:
    """Whether what lies at a path has the content of a known batch; OSError if it cannot be read.

    Args:
        path: The file or folder.
        known: The batch.
        moved: Whether the gate itself moved it there; the system notes that as a change.
    """
    facts = _facts(path)
    if known.seal and known.seal == facts.seal and (moved or known.changed == facts.changed):
        return True
    if known.is_by_edges:
        found = identify_by_edges(path, known.path)
        return (found.bytes, found.digest) == (known.bytes, known.digest)
    return identify(path, known.path).digest == known.digest


def _is_untouched(path: Path, known: Identity, facts: _Facts) -> bool:
    if known.is_by_edges:
        alike = (known.bytes, known.stamp) == (facts.bytes, facts.stamp)
        return alike and identify_by_edges(path, known.path).digest == known.digest
    return known.seal == facts.seal and known.changed == facts.changed


def _facts(path: Path) -> _Facts:
    seal = hashlib.blake2b(digest_size=8)
    size = stamp = changed = 0
    for file in files_of(path):
        # Of a link that took a file's place the link itself, which is nothing that was judged.
        found = file.lstat()
        size += found.st_size
        stamp = max(stamp, found.st_mtime_ns)
        changed = max(changed, found.st_ctime_ns)
        name = _name_in(path, file).decode("utf-8", "replace")
        seal.update(f"{name}\0{found.st_size} {found.st_mtime_ns} {found.st_ino}\n".encode())
    return _Facts(size, stamp, seal.hexdigest(), changed)


def _content_digest(path: Path) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for file in files_of(path):
        # Names and sizes first: no two folders whose files are cut differently are the same.
        digest.update(_name_in(path, file) + b"\0%d\n" % file.lstat().st_size)
        if file.is_symlink():
            digest.update(os.fsencode(file.readlink()))
            continue
        with file.open("rb") as content:
            while chunk := content.read(_CHUNK):
                digest.update(chunk)
    return f"{_ALGORITHM}:{digest.hexdigest()}"


def _edges(file: Path) -> bytes:
    size = file.lstat().st_size
    with file.open("rb") as content:
        first = content.read(_EDGE)
        content.seek(max(size - _EDGE, content.tell()))
        return first + content.read(_EDGE)


def _name_in(path: Path, file: Path) -> bytes:
    name = "." if file is path else str(file.relative_to(path))
    return name.encode("utf-8", "surrogateescape")


def files_of(path: Path) -> Iterator[Path]:
    """List a file itself, or the files below a folder whose paths hold no hidden name, in order."""
    if not path.is_dir():
        yield path
        return
    yield from sorted(file for file in below(path) if file.is_file())


def below(folder: Path) -> Iterator[Path]:
    """List what a folder holds of data: files, folders, and links, which are not followed.

    A folder that may not be listed raises OSError: what it holds must not be missing in silence.
    """
    for root, folders, files in os.walk(folder, onerror=_raised):
        folders[:] = [name for name in folders if not name.startswith(HIDDEN_PREFIXES)]
        names = (*folders, *(name for name in files if not name.startswith(HIDDEN_PREFIXES)))
        yield from (Path(root) / name for name in names)


def _raised(error: OSError) -> None:
    raise error


def _split(path: str) -> tuple[str, str]:
    name = path.rsplit("/", 1)[-1]
    stem, dot, suffix = name.rpartition(".")
    if not (dot and stem):
        return name, ""
    if dot + suffix.lower() in _COMPRESSED and "." in stem.strip("."):
        stem, _, inner = stem.rpartition(".")
        suffix = f"{inner}.{suffix}"
    return stem, f".{suffix}"
