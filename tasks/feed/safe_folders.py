"""The folders of a feed: which it may move files from and into, and which it must never touch."""

from __future__ import annotations

import hashlib
import os
import pwd
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from ...expectations.errors import InvalidFeed
from ...expectations.escaping import slug
from ...expectations.stores.objects import STORES, is_object_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .receipt import Receipt

# Folders between which batches are moved.
_BATCH_FOLDERS = ("inbox", "scored", "quarantine", "archive")
_REMEDY = "Give each folder of a feed a place of its own."


def _local(path: str) -> str:
    if "://" in path:
        msg = f"{path} is a URL; a folder lies on a local or mounted disk, or below a `root` in one"
        raise ValueError(msg)
    return path


def _root(place: str) -> str:
    if is_object_url(place):
        return place.rstrip("/")
    if "://" in place:
        known = ", ".join(f"{scheme}:// ({store})" for scheme, store in STORES.items())
        msg = f"{place} names no store that the gate knows: {known}; or give a folder"
        raise ValueError(msg)
    return place


LocalFolder = Annotated[str, StringConstraints(min_length=1), AfterValidator(_local)]
Root = Annotated[str, StringConstraints(min_length=1), AfterValidator(_root)]


def local_home(root: str) -> Path:
    """The folder of a feed; of one in a store, where this machine keeps the receipts it has read.

    What lies there can be removed: it is read again.
    """
    if not is_object_url(root):
        return Path(root)
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    digits = hashlib.sha256(root.encode()).hexdigest()[:12]
    return cache / "signature-gate" / "feeds" / f"{slug(root.partition('://')[2])}-{digits}"


class Folders(BaseModel):
    """The folders of a feed; each stands below ``root`` under its own name unless said otherwise.

    A relative path counts from the folder of the feed's YAML file.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    inbox: LocalFolder | None = Field(default=None, description="Where batches arrive.")
    scored: LocalFolder | None = Field(default=None, description="Where predictions are published.")
    quarantine: LocalFolder | None = Field(
        default=None,
        description="Where batches and rows that do not fit are kept, each with its report.",
    )
    archive: LocalFolder | None = Field(
        default=None, description="Where scored batches are kept if `archive` is true."
    )
    receipts: LocalFolder | None = Field(default=None, description="What became of each batch.")
    claims: LocalFolder | None = Field(default=None, description="Who is at work on which batch.")
    staging: LocalFolder | None = Field(
        default=None,
        description="Unfinished outputs, never read by others; `.staging` below `root`.",
    )


def refuse_unsafe_folders(feed: str, folders: Mapping[str, Path]) -> None:
    """Raise InvalidFeed if a feed could move what is not its own, or take its own for a batch."""
    resolved = {name: path.resolve() for name, path in folders.items()}
    for name in _BATCH_FOLDERS:
        if what := _protected(resolved[name]):
            msg = f"{name} of feed {feed} is {what}, {resolved[name]}. {_REMEDY}"
            raise InvalidFeed(msg)
    for (one, here), (two, there) in combinations(resolved.items(), 2):
        if here.is_relative_to(there) or there.is_relative_to(here):
            places = f"{here} and {there}"
            msg = f"{one} and {two} of feed {feed} lie within each other, {places}. {_REMEDY}"
            raise InvalidFeed(msg)


def refuse_shared_folders(feeds: Mapping[str, Mapping[str, Path]]) -> None:
    """Raise InvalidFeed if a folder of one feed lies in a folder of another."""
    placed = sorted(
        (path.resolve().parts, feed, name)
        for feed, folders in feeds.items()
        for name, path in folders.items()
    )
    # What lies in a folder comes right after it in this order.
    holder = placed[0] if placed else None
    for entry in placed[1:]:
        if not holder or entry[0][: len(holder[0])] != holder[0]:
            holder = entry
        elif entry[1] != holder[1]:
            (first, feed, one), (second, other, two) = holder, entry
            msg = (
                f"{one} of feed {feed} and {two} of feed {other} lie within each other: "
                f"{Path(*first)}, {Path(*second)}. {_REMEDY}"
            )
            raise InvalidFeed(msg)


def _protected(folder: Path) -> str | None:
    """Say what a folder is that no feed may move files from or into; None for any other."""
    if folder == Path(folder.anchor):
        return "the root of the file system"
    if folder in {Path.home().resolve(), *(Path(user.pw_dir) for user in pwd.getpwall())}:
        return "the home of a user"
    if folder == Path.cwd():
        return "the current folder"
    return "the root of a working tree" if (folder / ".git").exists() else None


class Workspace(Protocol):
    """What brings the outcome of one attempt into a store, where nothing can be renamed.

    Attributes:
        url: The feed's place in the store.
        attempt: A name that no other attempt has.
    """

    url: str
    attempt: str

    def bind(self, batch: str, intent: str) -> None:
        """Write down what is to be done, before anything is; another worker's stays."""
        ...

    def publish(self, moves: list[tuple[Path, Path]], receipt: Receipt) -> Receipt:
        """Bring what was moved into the store, and create the receipt, which is the commit."""
        ...
