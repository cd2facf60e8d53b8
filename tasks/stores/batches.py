"""The inbox of a feed in a store: which objects are batches, and which of them are ready.

An object appears whole, so it is ready at once; a folder of objects is once it holds its marker.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ...expectations.stores.objects import ObjectStore
from ..feed.identity import HIDDEN_PREFIXES, UNFINISHED_SUFFIXES, Identity
from ..feed.inbox import BESIDE, MARKERS, Inbox, SkippedBatch, left_out

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed

INBOX = "inbox"


def look_into_store(feed: Feed, store: ObjectStore) -> Inbox:
    """List the batches of a feed's inbox, in one pass over its objects."""
    groups = defaultdict[str, list["Found"]](list)
    for found in store.list(INBOX):
        groups[PurePosixPath(found.key).parts[1]].append(found)
    inbox = Inbox([], [])
    for name, found in sorted(groups.items()):
        if name.startswith(HIDDEN_PREFIXES) or name.endswith((*UNFINISHED_SUFFIXES, *MARKERS)):
            continue
        left = _left(feed, name, found, groups)
        if left:
            inbox.left.append(left)
        elif data := data_of(found):
            inbox.ready.append(_identity(name, data))
    return inbox


def _left(
    feed: Feed, name: str, found: list[Found], groups: dict[str, list[Found]]
) -> SkippedBatch | None:
    is_folder = found[0].key != f"{INBOX}/{name}"
    if out := left_out(feed, name, is_folder=is_folder):
        return out
    if is_folder:
        markers = [one for one in found if one.key.rpartition("/")[2] in MARKERS]
        missing = f"{name}/_SUCCESS"
    else:
        markers = [one for end in BESIDE for one in groups.get(name + end, [])]
        missing = f"{name}.ready"
    newest = max(one.written for one in found)
    if any(marker.written >= newest for marker in markers):
        return None
    if not (is_folder or feed.require_marker):
        return None
    detail = f"has no marker as new as itself; create {missing} once it is complete"
    return SkippedBatch(batch=name, why="unsettled", detail=detail) if data_of(found) else None


def _identity(name: str, data: list[Found]) -> Identity:
    stamp = int(max(one.written for one in data).timestamp() * 1e9)
    size = sum(one.size for one in data)
    return Identity(path=name, bytes=size, stamp=stamp, digest="", etag=etag_of(data))


def objects_at(store: ObjectStore, place: str) -> list[Found]:
    """List the objects that hold a batch's data, of a folder those that are not hidden."""
    try:
        return [store.head(place)]
    except FileNotFoundError:
        return data_of(store.list(place))


def arrived(store: ObjectStore, name: str) -> float:
    """Tell when a batch of the inbox was written, in seconds since 1970; 0 if it is gone."""
    found = objects_at(store, f"{INBOX}/{name}")
    return max((one.written.timestamp() for one in found), default=0.0)


def batch_url(feed: Feed, place: str, known: Identity) -> str | None:
    """Find a batch where its receipt says; None where it is gone, or is another by now."""
    store = ObjectStore(feed.root)
    found = objects_at(store, place)
    # Only the inbox is written to by others.
    is_known = etag_of(found) == known.etag or not place.startswith(f"{INBOX}/")
    return f"{store.url}/{place}" if found and is_known else None


def data_of(found: Iterable[Found]) -> list[Found]:
    """Leave out what only helps to write a batch."""
    return [one for one in found if not _is_hidden(one.key)]


def _is_hidden(key: str) -> bool:
    return any(part.startswith(HIDDEN_PREFIXES) for part in PurePosixPath(key).parts[2:])


def etag_of(found: list[Found]) -> str:
    """What changes with a batch's content: of one object its etag, of several a digest of all."""
    if len(found) == 1 and found[0].key.count("/") == 1:
        return found[0].etag
    text = "\n".join(f"{one.key}\0{one.etag}" for one in sorted(found))
    return hashlib.sha256(text.encode()).hexdigest()[:32] if found else ""
