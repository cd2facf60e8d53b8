"""What lies in a feed's inbox: which batches are ready, and why the others are not."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict

from ...expectations.errors import InvalidFeed
from ...expectations.escaping import visible
from .identity import HIDDEN_PREFIXES, Identity, below, files_of, identify

if TYPE_CHECKING:
    from pathlib import Path

    from .feed import Feed

# A batch folder is complete when it holds one of these; a batch file when `<file><marker>` lies
# beside it, or `<file>._SUCCESS`.
MARKERS = ("_SUCCESS", ".ready")
_UNFINISHED_SUFFIXES = (".tmp", ".part", ".partial", ".filepart", ".crdownload")


class SkippedBatch(BaseModel):
    """A batch, or what looked like one, that a run did not touch.

    Attributes:
        batch: Its path from the inbox, or its id.
        why: ``unsettled``: it may still be growing; ``waiting``: the pause after a failed attempt;
            ``parked``: it failed too often; ``claimed``: another worker has it; ``changed``: it is
            no longer what was listed; ``unfinished``: a crashed attempt cannot be completed;
            ``inaccessible``: the disk, or its permissions, do not give it; ``skipped``: it is
            nothing the gate takes.
        detail: The same in words, with what to do about it.
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
    ]
    detail: str


class Inbox(NamedTuple):
    """What a look into an inbox found.

    Attributes:
        ready: Batches that stand still, sorted by path.
        left: What is not ready, or nothing to score.
    """

    ready: list[Identity]
    left: list[SkippedBatch]


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
        seen = _looked_at(feed, path, now)
        if isinstance(seen, Identity):
            found.ready.append(seen)
        elif seen:
            found.left.append(seen)
    return found


def _looked_at(feed: Feed, path: Path, now: float) -> Identity | SkippedBatch | None:
    try:
        if not _is_candidate(feed, path):
            return None
        return _untakable(path) or _unsettled(feed, path, now) or identify(path, path.name)
    except FileNotFoundError:
        # Another worker has taken it away between the listing and this look.
        return None
    except OSError as error:
        detail = f"cannot be read: {error.strerror}. Look after its permissions and the disk"
        return SkippedBatch(batch=visible(path.name), why="inaccessible", detail=detail)


def marker_of(path: Path) -> Path | None:
    """Find the marker that says a batch is complete."""
    beside = [path.with_name(path.name + marker) for marker in (".ready", "._SUCCESS")]
    inside = [path / marker for marker in MARKERS]
    return next((m for m in (inside if path.is_dir() else beside) if m.is_file()), None)


def _is_candidate(feed: Feed, path: Path) -> bool:
    name = path.name
    if name.startswith(HIDDEN_PREFIXES) or name.endswith((*_UNFINISHED_SUFFIXES, *MARKERS)):
        return False
    if path.is_symlink() or not path.is_dir():
        return True
    # An inbox may hold the folders of its own feed, or a feed of its own.
    own = {folder.resolve() for folder in feed.own_folders()}
    return path.resolve() not in own and not (path / "inbox").is_dir()


def _untakable(path: Path) -> SkippedBatch | None:
    link = _link_in(path)
    if link == path:
        detail = "is a symbolic link, whose content could change place; deliver the file itself"
    elif link:
        name = visible(link.relative_to(path))
        detail = f"holds a symbolic link, {name}, whose content stays elsewhere; deliver the file"
    elif not _is_text(path.name):
        detail = "has a name that is not UTF-8; rename it"
    elif not (path.is_file() or path.is_dir()):
        detail = "is neither a file nor a folder"
    else:
        return None
    return SkippedBatch(batch=visible(path.name), why="skipped", detail=detail)


def _link_in(path: Path) -> Path | None:
    # Moved with its folder a link would break, or mean something else.
    if path.is_symlink():
        return path
    inside = below(path) if path.is_dir() else ()
    return next((file for file in inside if file.is_symlink()), None)


def _is_text(name: str) -> bool:
    # The file system's bytes that are no UTF-8 reach Python as lone surrogates.
    return not any("\ud800" <= character <= "\udfff" for character in name)


def _unsettled(feed: Feed, path: Path, now: float) -> SkippedBatch | None:
    stamps = [file.stat().st_mtime for file in files_of(path)]
    if not stamps:
        return SkippedBatch(batch=path.name, why="unsettled", detail="is an empty folder")
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
    return SkippedBatch(batch=path.name, why="unsettled", detail=detail)
