"""What lies in a feed's inbox: which batches are ready, and how to know one again."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from ..expectations.display import slug, visible
from ..expectations.errors import InvalidFeed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from .feed import Feed

# A batch folder is complete when it holds one of these; a batch file when `<file><marker>` lies
# beside it, or `<file>._SUCCESS`.
MARKERS = ("_SUCCESS", ".ready")
# Names that Hive, Spark and most copying tools give to what is not data, or not yet.
_HIDDEN_PREFIXES = (".", "_")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload")
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


class LeftAlone(BaseModel):
    """A batch, or what looked like one, that a run did not touch.

    Attributes:
        batch: Its path from the inbox, or its id.
        why: ``unsettled``: it may still be growing; ``waiting``: the pause after a failed attempt;
            ``parked``: it failed too often; ``claimed``: another worker has it; ``changed``: it is
            no longer what was listed; ``unfinished``: a crashed attempt cannot be completed;
            ``skipped``: it is nothing the gate takes.
        detail: The same in words, with what to do about it.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    why: Literal["unsettled", "waiting", "parked", "claimed", "changed", "unfinished", "skipped"]
    detail: str


class Inbox(NamedTuple):
    """What a look into an inbox found.

    Attributes:
        ready: Batches that stand still, sorted by path.
        left: What is not ready, or nothing to score.
    """

    ready: list[Identity]
    left: list[LeftAlone]


def look_into(feed: Feed) -> Inbox:
    """List the batches of a feed's inbox.

    A batch is a file or a folder directly in the inbox. It is ready once its marker exists and is
    no older than itself, or once it stood still for ``settle_seconds``. Names that begin with a dot
    or an underscore, or end like an unfinished copy (``.tmp``, ``.part`` …), are passed over.

    Args:
        feed: The feed.

    Returns:
        Ready batches, and what is left alone with the reason.

    Raises:
        InvalidFeed: There is no inbox.
        OSError: It cannot be read.
    """
    if not feed.inbox.is_dir():
        msg = f"the inbox of feed {feed.name} is no folder: {feed.inbox}. Make it, or mend `root`."
        raise InvalidFeed(msg)
    found = Inbox([], [])
    now = datetime.now(UTC).timestamp()
    for path in sorted(feed.inbox.iterdir()):
        if not _is_candidate(feed, path):
            continue
        # Another worker may take a batch away between the listing and the look at it.
        with suppress(FileNotFoundError):
            left = _untakable(path) or _unsettled(feed, path, now)
            if left:
                found.left.append(left)
            else:
                found.ready.append(identify(path, path.name))
    return found


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
    for file in _files(path):
        facts = file.stat()
        size += facts.st_size
        stamp = max(stamp, facts.st_mtime_ns)
        digest.update(str(file.relative_to(path)).encode("utf-8", "surrogateescape"))
        digest.update(_edges(file, facts.st_size))
    return Identity(path=known_as, bytes=size, stamp=stamp, digest=digest.hexdigest())


def marker_of(path: Path) -> Path | None:
    """Find the marker that says a batch is complete."""
    beside = [path.with_name(path.name + marker) for marker in (".ready", "._SUCCESS")]
    inside = [path / marker for marker in MARKERS]
    return next((m for m in (inside if path.is_dir() else beside) if m.is_file()), None)


def _is_candidate(feed: Feed, path: Path) -> bool:
    name = path.name
    if name.startswith(_HIDDEN_PREFIXES) or name.endswith((*_UNFINISHED_SUFFIXES, *MARKERS)):
        return False
    if path.is_symlink() or not path.is_dir():
        return True
    # An inbox may hold the folders of its own feed, or a feed of its own.
    return path not in feed.own_folders() and not (path / "inbox").is_dir()


def _untakable(path: Path) -> LeftAlone | None:
    if path.is_symlink():
        detail = "is a symbolic link, whose content could change place; deliver the file itself"
    elif not _is_text(path.name):
        detail = "has a name that is not UTF-8; rename it"
    elif not (path.is_file() or path.is_dir()):
        detail = "is neither a file nor a folder"
    else:
        return None
    return LeftAlone(batch=visible(path.name), why="skipped", detail=detail)


def _is_text(name: str) -> bool:
    # The file system's bytes that are no UTF-8 reach Python as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _unsettled(feed: Feed, path: Path, now: float) -> LeftAlone | None:
    stamps = [file.stat().st_mtime for file in _files(path)]
    if not stamps:
        return LeftAlone(batch=path.name, why="unsettled", detail="is an empty folder")
    marker = marker_of(path)
    # A marker of an earlier file of the same name says nothing about one that came after it.
    if marker and marker.stat().st_mtime >= max(stamps):
        return None
    age = now - max(stamps)
    if age >= feed.settle_seconds:
        return None
    detail = f"was written {age:.0f} s ago; it is taken at {feed.settle_seconds:g} s"
    if age < 0:
        detail = f"was written {-age:.0f} s in the future: compare the clocks, or use a marker"
    return LeftAlone(batch=path.name, why="unsettled", detail=detail)


def _files(path: Path) -> Iterator[Path]:
    if not path.is_dir():
        yield path
        return
    for file in sorted(path.rglob("*")):
        hidden = any(p.startswith(_HIDDEN_PREFIXES) for p in file.relative_to(path).parts)
        if file.is_file() and not hidden:
            yield file


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
