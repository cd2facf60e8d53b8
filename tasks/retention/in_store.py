"""Free a feed in a store: objects of places that receipts name, each deleted while it is unchanged.

Nothing goes at once there: what a kill leaves of an entry the next call finds by the same receipts.
Receipts stay objects of their own, for their numbers are what decides between two workers.
"""

from __future__ import annotations

from collections import defaultdict
from contextlib import suppress
from filecmp import cmp
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from ...expectations.errors import BatchChanged, GateError, Misuse
from ...expectations.stores.objects import ObjectStore, deletes_if_unchanged
from ..storage.atomic import flush, make_folder, partial_of, publish_new
from ..storage.journal import log_checkpoint
from ..stores.lease import leased
from ..stores.receipts import fetch_receipts, open_mirror
from ..stores.workspace import intent_key

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed

AT_WORK = "a worker is at work on its batch"
DELETED = "deleted"
_UNFINISHED = "an earlier run left its batch unfinished: score the feed, then prune it again"


class StoredFeed:
    """A feed in a store, whose receipts are read."""

    def __init__(self, feed: Feed) -> None:
        """Read them as far as they are new; Misuse if the store cannot delete what is unchanged."""
        if not deletes_if_unchanged(feed.root):
            msg = (
                f"feed {feed.name} lies in {feed.url}, where no object can be deleted on condition "
                "that it is unchanged: prune works in s3:// and az://."
            )
            raise Misuse(msg)
        self._feed, self._store = feed, ObjectStore(feed.root)
        open_mirror(feed, self._store)
        fetch_receipts(feed, self._store)

    def objects(self, home: str, places: Collection[str]) -> Mapping[str, list[Found]]:
        """List the objects of places below a folder: those of that name, or below it."""
        found = defaultdict[str, list["Found"]](list)
        for one in self._store.list(home):
            for place in (one.key, *map(str, PurePosixPath(one.key).parents)):
                if place in places and place != home:
                    found[place].append(one)
        return found

    def free(self, batch: str, objects: Collection[Found], to: Path | None) -> bool:
        """Delete objects, or move them to a folder; GateError if a worker has their batch."""
        with leased(self._store, batch) as lease:
            if lease is None:
                raise GateError(AT_WORK)
            with suppress(FileNotFoundError):
                self._store.head(intent_key(batch))
                raise GateError(_UNFINISHED)  # its rows may not be in the feed's table yet
            if fetch_receipts(self._feed, self._store, batch) == 1:
                msg = "its receipts are gone: it is no batch of the feed any more"
                raise GateError(msg)
            for one in objects:
                if to:
                    self._copy(one, to / one.key)
                if not self._store.delete_unchanged(one):
                    msg = f"{one.key} was replaced meanwhile"
                    raise BatchChanged(msg)
                log_checkpoint(batch, DELETED)
        return True

    def _copy(self, one: Found, path: Path) -> None:
        make_folder(path.parent)
        partial = partial_of(path)
        try:
            self._store.download(one, partial)
            flush(partial)
            publish_new(path, partial)
        except FileExistsError:
            if not cmp(path, partial, shallow=False):
                raise
        finally:
            partial.unlink(missing_ok=True)
