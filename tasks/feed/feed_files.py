"""Load feeds from files and folders of files; feeds that would share folders are refused."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.errors import InvalidFeed
from .feed import Feed
from .safe_folders import refuse_shared_folders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

_ENDINGS = {".yaml", ".yml"}


def load_feeds(paths: Sequence[str | Path]) -> dict[Path, Feed]:
    """Load feeds by the absolute paths of their files.

    A folder stands for the YAML files in it. InvalidFeed is raised if one is none, or if one shares
    its name or a folder with another of them, or with another feed in the folder of its file.
    """
    files = [file for path in paths for file in _feed_files(Path(path))]
    feeds = {file.resolve(): Feed.load(file) for file in files}
    known = feeds | _neighbours(feeds)
    _refuse_namesakes(known)
    refuse_shared_folders({feed.name: feed.folder_paths() for feed in known.values()})
    return feeds


def _feed_files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = _yaml_files(path)
    if not files:
        msg = f"no feed in {path}: it has no YAML file. Write one that has a name and a model."
        raise InvalidFeed(msg)
    return files


def _yaml_files(folder: Path) -> list[Path]:
    return sorted(p for p in folder.iterdir() if p.suffix in _ENDINGS and p.is_file())


def _neighbours(feeds: Iterable[Path]) -> dict[Path, Feed]:
    known = set(feeds)
    folders = {path.parent for path in known}
    found = dict[Path, Feed]()
    for path in (file for folder in sorted(folders) for file in _yaml_files(folder)):
        if path not in known:
            try:
                found[path] = Feed.load(path)
            except InvalidFeed:
                continue  # no feed, or one that nobody asked for now
    return found


def _refuse_namesakes(feeds: Mapping[Path, Feed]) -> None:
    files = dict[str, Path]()
    for path, feed in feeds.items():
        other = files.setdefault(feed.name, path)
        if other != path:
            msg = f"{other} and {path} are both called {feed.name}. Name each feed once."
            raise InvalidFeed(msg)
