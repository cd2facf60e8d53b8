"""What lies in a feed's inbox: which batches are ready, and why the others are not."""

from __future__ import annotations

import os
from contextlib import suppress
from datetime import UTC, datetime
from fnmatch import fnmatchcase
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from ...expectations.batch.formats import is_ignored
from ...expectations.errors import InvalidFeed
from ...expectations.escaping import visible
from .identity import (
    HIDDEN_PREFIXES,
    UNFINISHED_SUFFIXES,
    Identity,
    below,
    files_of,
    identify,
    identify_by_edges,
    is_same,
)
from .receipt_store import ReceiptStore

if TYPE_CHECKING:
    from os import DirEntry

    from .feed import Feed

# A batch folder is complete when it holds one of these; a batch file when `<file><marker>` lies
# beside it, or `<file>._SUCCESS`.
MARKERS, BESIDE = ("_SUCCESS", ".ready"), (".ready", "._SUCCESS")
# Folders in which a job keeps what it has not finished.
_IN_PROGRESS = ("_temporary",)


class SkippedBatch(BaseModel):
    """A batch, or what looked like one, that a run did not touch.

    Attributes:
        batch: Its path from the inbox, or its id.
        why: ``unsettled``: it may still be growing; ``waiting``: the pause after a failed attempt;
            ``parked``: it failed too often; ``claimed``: another worker has it; ``changed``: it is
            no longer what was listed; ``unfinished``: a crashed attempt cannot be completed;
            ``inaccessible``: the disk, or its permissions, do not give it; ``skipped``: it is
            nothing the gate takes; ``ignored``: no format claims its name, or the feed's
            ``include`` and ``exclude`` leave it out; ``duplicate``: its content was scored under
            another name.
        detail: The same in words, with what to do about it.
        age: Seconds since it was last written, where it only has to stand still for longer.
        ready_in: Seconds after which it is taken if it stands still; None if time does not help.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    why: Literal[
        "unsettled",
        "waiting",
        "parked",
        "claimed",
        "changed",
        "unfinished",
        "inaccessible",
        "skipped",
        "ignored",
        "duplicate",
    ]
    detail: str
    age: float | None = None
    ready_in: float | None = None


class Inbox(NamedTuple):
    """What a look into an inbox found.

    Attributes:
        ready: Batches that stand still, sorted by path.
        left: What is not ready, or nothing to score.
    """

    ready: list[Identity]
    left: list[SkippedBatch]


def look_into(feed: Feed, store: ReceiptStore | None = None) -> Inbox:
    """List the batches of a feed's inbox: the files and folders directly in it.

    A batch is ready once its marker exists and is no older than itself, or once it stood still for
    ``settle_seconds``. Names that begin with a dot or an underscore, or end like an unfinished copy
    (``.tmp``, ``.part`` …), are passed over. No inbox raises InvalidFeed; a disk that fails on the
    inbox itself, OSError.
    """
    if not feed.inbox.is_dir():
        msg = f"the inbox of feed {feed.name} is no folder: {feed.inbox}. Make it, or mend `root`."
        raise InvalidFeed(msg)
    store = store or ReceiptStore(feed).indexed()
    found = Inbox([], [])
    now = datetime.now(UTC).timestamp()
    entries = _entries(feed)
    names = {entry.name for entry in entries}
    for entry in entries:
        seen = _looked_at(feed, entry, names, now, store)
        if isinstance(seen, Identity):
            found.ready.append(seen)
        elif seen:
            found.left.append(seen)
    return found


def waiting_since(feed: Feed) -> list[float]:
    """List since when each batch of the inbox waits that is not done, in seconds since 1970.

    A new batch is not read: only what has the size of a batch that is done, and no longer its
    stamps, is compared with it.
    """
    store, since = ReceiptStore(feed).indexed(), list[float]()
    for entry in _entries(feed) if feed.inbox.is_dir() else ():
        with suppress(OSError):
            if not _is_candidate(feed, entry) or _untakable(entry) or _ignored(feed, entry):
                continue
            path = Path(entry)
            sizes = [file.lstat() for file in files_of(path)]
            heads = store.deliveries(path.name).heads.values()
            done = [h.identity for h in heads if h.final]
            alike = [d for d in done if d.bytes == sum(found.st_size for found in sizes)]
            if not any(is_same(path, identity, moved=True) for identity in alike):
                # The system's own note of the last change: copies keep the time of the original.
                since.append(max((found.st_ctime for found in sizes), default=path.stat().st_ctime))
    return sorted(since)


def ignored_in(feed: Feed) -> tuple[str, ...]:
    """List what lies in a feed's inbox and is no batch, by name; nothing is opened."""
    entries = _entries(feed) if feed.inbox.is_dir() else ()
    return tuple(e.name for e in entries if _is_candidate(feed, e) and _ignored(feed, e))


def marker_of(path: Path) -> Path | None:
    """Find the marker that says a batch is complete."""
    beside = [path.with_name(path.name + marker) for marker in BESIDE]
    inside = [path / marker for marker in MARKERS]
    return next((m for m in (inside if path.is_dir() else beside) if m.is_file()), None)


def _entries(feed: Feed) -> list[DirEntry[str]]:
    """List an inbox by name; whether an entry is a folder or a link comes with its name."""
    with os.scandir(feed.inbox) as entries:
        return sorted(entries, key=attrgetter("name"))


def _looked_at(
    feed: Feed, entry: DirEntry[str], names: set[str], now: float, store: ReceiptStore
) -> Identity | SkippedBatch | None:
    try:
        if not _is_candidate(feed, entry):
            return None
        path, left = Path(entry), _untakable(entry) or _ignored(feed, entry)
        return left or _unsettled(feed, path, names, now) or _identity(path, store)
    except FileNotFoundError:
        # Another worker has taken it away between the listing and this look.
        return None
    except OSError as error:
        detail = f"cannot be read: {error.strerror}. Look after its permissions and the disk"
        return SkippedBatch(batch=visible(entry.name), why="inaccessible", detail=detail)


def _identity(path: Path, store: ReceiptStore) -> Identity:
    earlier = store.deliveries(path.name)
    known = (head.identity for head in earlier.heads.values())
    identity = identify(path, path.name, known)
    if earlier.unreadable and identity.id not in earlier.unreadable:
        # A receipt that nobody can read may be of this very batch, under an identity of before.
        before = identify_by_edges(path, path.name)
        return before if before.id in earlier.unreadable else identity
    return identity


def _is_candidate(feed: Feed, entry: DirEntry[str]) -> bool:
    name = entry.name
    if name.startswith(HIDDEN_PREFIXES) or name.endswith((*UNFINISHED_SUFFIXES, *MARKERS)):
        return False
    if not entry.is_dir(follow_symlinks=False):
        return True
    path = Path(entry)
    # An inbox may hold the folders of its own feed, or a feed of its own.
    own = {folder.resolve() for folder in feed.folder_paths().values()}
    return path.resolve() not in own and not (path / "inbox").is_dir()


def _ignored(feed: Feed, entry: DirEntry[str]) -> SkippedBatch | None:
    return left_out(feed, entry.name, is_folder=_is_folder(entry), path=Path(entry))


def left_out(
    feed: Feed, name: str, *, is_folder: bool, path: Path | None = None
) -> SkippedBatch | None:
    """Say why a name is nothing that the feed takes; None if it may be a batch."""
    if feed.include and not _matches(name, feed.include):
        detail = f"matches no `include` of the feed: {', '.join(feed.include)}"
    elif _matches(name, feed.exclude):
        detail = f"matches `exclude` of the feed: {', '.join(feed.exclude)}"
    elif feed.include or is_folder or not is_ignored(path or Path(name), feed.policy.format):
        return None
    else:
        detail = "has a name that no format claims; list it in `include` if it is data"
    return SkippedBatch(batch=visible(name), why="ignored", detail=detail)


def _is_folder(entry: DirEntry[str]) -> bool:
    # The entry itself knows, but for links, some of which lead in circles.
    return Path(entry).is_dir() if entry.is_symlink() else entry.is_dir()


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _untakable(entry: DirEntry[str]) -> SkippedBatch | None:
    # Moved with its folder a link would break, or mean something else.
    if entry.is_symlink():
        detail = "is a symbolic link, whose content could change place; deliver the file itself"
    elif entry.is_dir() and (link := _link_in(Path(entry))):
        name = visible(link.relative_to(entry))
        detail = f"holds a symbolic link, {name}, whose content stays elsewhere; deliver the file"
    elif not _is_text(entry.name):
        detail = "has a name that is not UTF-8; rename it"
    elif not (entry.is_file() or entry.is_dir()):
        detail = "is neither a file nor a folder"
    else:
        return None
    return SkippedBatch(batch=visible(entry.name), why="skipped", detail=detail)


def _link_in(folder: Path) -> Path | None:
    return next((file for file in below(folder) if file.is_symlink()), None)


def _is_text(name: str) -> bool:
    # The file system's bytes that are no UTF-8 reach Python as lone surrogates.
    return name.isascii() or not any("\ud800" <= character <= "\udfff" for character in name)


def _unsettled(feed: Feed, path: Path, names: set[str], now: float) -> SkippedBatch | None:
    is_folder = path.is_dir()
    stamps = [file.stat().st_mtime for file in (files_of(path) if is_folder else (path,))]
    if is_folder and (unfinished := _unfinished_in(path)):
        detail = f"is still being written: it holds {visible(unfinished)}"
        return SkippedBatch(batch=path.name, why="unsettled", detail=detail)
    if not stamps:
        return SkippedBatch(batch=path.name, why="unsettled", detail="is an empty folder")
    is_marked = is_folder or any(f"{path.name}{end}" in names for end in BESIDE)
    marker = marker_of(path) if is_marked else None
    # A marker of an earlier file of the same name says nothing about one that came after it.
    if marker and marker.stat().st_mtime >= max(stamps):
        return None
    if feed.require_marker:
        name = f"{path.name}/_SUCCESS" if path.is_dir() else f"{path.name}.ready"
        detail = f"has no marker as new as itself; create {visible(name)} once it is complete"
        return SkippedBatch(batch=path.name, why="unsettled", detail=detail)
    age = now - max(stamps)
    if age >= feed.settle_seconds:
        return None
    if age < 0:
        detail = f"was written {-age:.0f} s in the future: compare the clocks, or use a marker"
        return SkippedBatch(batch=path.name, why="unsettled", detail=detail)
    detail = f"was written {age:.0f} s ago; it is taken at {feed.settle_seconds:g} s"
    wait = feed.settle_seconds - age
    return SkippedBatch(batch=path.name, why="unsettled", detail=detail, age=age, ready_in=wait)


def _unfinished_in(folder: Path) -> str | None:
    """Name what shows that a job or an uploader is still at work in a folder."""
    for parent, folders, files in os.walk(folder):
        names = [name for name in folders if name in _IN_PROGRESS]
        names += [name for name in files if name.endswith(UNFINISHED_SUFFIXES)]
        if names:
            return os.path.relpath(os.path.join(parent, min(names)), folder)  # noqa: PTH118
    return None
