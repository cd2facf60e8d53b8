"""How to know a batch again: by its path, size, stamp, and the content of its edges."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ...expectations.escaping import slug

if TYPE_CHECKING:
    from collections.abc import Iterator

# Names that Hive, Spark and most copying tools give to what is not data, or not yet.
HIDDEN_PREFIXES = (".", "_")

_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")
_EDGE = 64 * 1024  # bytes of each end that the digest covers
_NAME = 67  # of the 80 characters of an id; hyphen and digest take the rest
_DIGITS = 12


class Identity(BaseModel):
    """What makes a batch this batch and no other.

    Attributes:
        path: Its path from the inbox.
        bytes: Its size; of a folder, that of all files in it.
        stamp: When it was last written, in nanoseconds since 1970; of a folder, the latest.
        digest: SHA-256 of the first and last 64 KiB of each file, in hexadecimal.
    """

    model_config = ConfigDict(frozen=True)

    path: str
    bytes: int
    stamp: int
    digest: str

    @property
    def id(self) -> str:
        """A name for people and paths: slug of the stem, and 12 digits that tell it apart."""
        whole = "\n".join((self.path, str(self.bytes), str(self.stamp), self.digest))
        digits = hashlib.sha256(whole.encode()).hexdigest()[:_DIGITS]
        stem = slug(_split(self.path)[0])[:_NAME].rstrip("-.")
        return f"{stem}-{digits}"

    @property
    def file(self) -> str:
        """A file name for the batch elsewhere: its id, with the ending that tells its format."""
        suffix = _split(self.path)[1]
        ending = "".join(f".{slug(part)}" for part in suffix.split(".") if part)
        return f"{self.id}{ending}"


def identify(path: Path, known_as: str) -> Identity:
    """Take a batch's identity.

    Args:
        path: The file or folder.
        known_as: Its path from the inbox, where it may no longer lie.

    Returns:
        The identity.

    Raises:
        OSError: It cannot be read.
    """
    digest = hashlib.sha256()
    size = stamp = 0
    for file in files_of(path):
        # Of a link that took a file's place the link itself, which is nothing that was judged.
        facts = file.lstat()
        size += facts.st_size
        stamp = max(stamp, facts.st_mtime_ns)
        digest.update(str(file.relative_to(path)).encode("utf-8", "surrogateescape"))
        digest.update(_edges(file, facts.st_size))
    return Identity(path=known_as, bytes=size, stamp=stamp, digest=digest.hexdigest())


def files_of(path: Path) -> Iterator[Path]:
    """List the files that make up a batch, in the order of their paths.

    Args:
        path: The file, or the folder.

    Yields:
        The file itself, or every file below the folder whose path holds no hidden name.

    Raises:
        OSError: A folder may not be listed.
    """
    if not path.is_dir():
        yield path
        return
    yield from sorted(file for file in below(path) if file.is_file())


def below(folder: Path) -> Iterator[Path]:
    """List what a folder holds of data: files, folders, and links, which are not followed.

    Raises:
        OSError: A folder may not be listed: what it holds must not be missing in silence.
    """
    for root, folders, files in os.walk(folder, onerror=_raised):
        folders[:] = [name for name in folders if not name.startswith(HIDDEN_PREFIXES)]
        names = (*folders, *(name for name in files if not name.startswith(HIDDEN_PREFIXES)))
        yield from (Path(root) / name for name in names)


def _raised(error: OSError) -> None:
    raise error


def _edges(file: Path, size: int) -> bytes:
    with file.open("rb") as content:
        first = content.read(_EDGE)
        content.seek(max(size - _EDGE, content.tell()))
        return first + content.read(_EDGE)


def _split(path: str) -> tuple[str, str]:
    name = path.rsplit("/", 1)[-1]
    stem, dot, suffix = name.rpartition(".")
    if not (dot and stem):
        return name, ""
    if dot + suffix.lower() in _COMPRESSED and "." in stem.strip("."):
        stem, _, inner = stem.rpartition(".")
        suffix = f"{inner}.{suffix}"
    return stem, f".{suffix}"
