"""Runs over a feed in an object store: as over one on a disk, each batch in a workspace."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from ...expectations.documents import staged
from ...expectations.errors import GateError
from ...expectations.stores.objects import ObjectStore
from ..feed import inbox as local
from ..feed.inbox import SkippedBatch
from ..feed.receipt_store import ReceiptStore
from ..feed.untold import marked
from ..storage.atomic import locked, make_folder, remove
from ..storage.journal import append_rows, tabled
from .batches import arrived, look_into_store, objects_at
from .lease import CLAIMS, is_held
from .leftovers import remove_leftovers
from .receipts import fetch_accepted, fetch_receipts, open_mirror
from .workspace import StoreWorkspace, intent_key, workspace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed
    from ..feed.inbox import Inbox


_REPORTS = ("verdict", "report")
_ENTRY = re.compile(r"(\.release-\d+)?(@.*)?$")


def ready_batches(feed: Feed, *, tidy: bool = True) -> Inbox:
    """Tidy up after dead workers, list the inbox, and read the receipts of what is not known done.

    Returns:
        The batches that are ready, and what is left alone.
    """
    store = ObjectStore(feed.root)
    open_mirror(feed, store)
    inbox = look_into_store(feed, store)
    known = ReceiptStore(feed).indexed()
    for batch in inbox.ready:
        if not known.is_settled(batch.id):
            fetch_receipts(feed, store, batch.id)
    for name in marked(feed):
        fetch_receipts(feed, store, name.partition("@")[0])
    if tidy:
        inbox.left.extend(_tidied(feed, store, {batch.id for batch in inbox.ready}))
    return inbox


def _tidied(feed: Feed, store: ObjectStore, in_inbox: Collection[str]) -> Iterator[SkippedBatch]:
    """Finish what workers left that died after their commit; the others' leases have heirs."""
    claims = {found.key.rpartition("/")[2]: found for found in store.list(CLAIMS)}
    for batch in sorted({name.removesuffix(".intent") for name in claims if name[0] != "."}):
        lease = claims.get(batch)
        if lease and is_held(store, lease):
            continue
        try:
            if batch in in_inbox and not ReceiptStore(feed).is_settled(batch):
                continue
            with workspace(feed, batch) as work:
                if work:
                    tidy_batch(work)
        except (GateError, OSError) as error:
            yield SkippedBatch(batch=batch, why="unfinished", detail=str(error))


def tidy_batch(work: StoreWorkspace) -> None:
    """Do what remains after the commits of a batch."""
    for receipt in ReceiptStore(work.feed).for_batch(work.batch):
        for place in tabled(work.feed, receipt).values():
            work.fetch(objects_at(work.store, place))  # what is gone has been appended
        append_rows(work.feed, receipt, work.feed.resolve)
        remove_leftovers(work.store, receipt)
    work.store.delete(intent_key(work.batch))


def waiting_since(feed: Feed) -> list[float]:
    """List since when each batch of the inbox waits that is not done, in seconds since 1970."""
    if not feed.url:
        return local.waiting_since(feed)
    found, known = ready_batches(feed, tidy=False), ReceiptStore(feed).indexed()
    since = [batch.stamp / 1e9 for batch in found.ready if not known.is_settled(batch.id)]
    growing = [left.batch for left in found.left if left.why == "unsettled"]
    return sorted([*since, *(arrived(ObjectStore(feed.root), name) for name in growing)])


def at_hand(feed: Feed) -> Feed:
    """Return a feed whose receipts and quarantine can be looked up here; one on a disk is.

    Of one in a store the receipts and reports are read, as far as they are new; batches and
    rejected rows stay where they are, and stand here as empty files.
    """
    if not feed.url:
        return feed
    store = ObjectStore(feed.root)
    open_mirror(feed, store)
    fetch_receipts(feed, store)
    fetch_accepted(feed, store)
    here = feed.model_copy(update={"root": str(feed.receipts.parent)})
    _mirror_quarantine(here, store)
    return here


def _mirror_quarantine(here: Feed, store: ObjectStore) -> None:
    home, listed = here.quarantined(""), set[Path]()
    with locked(home):
        for one in store.list("quarantine"):
            path, entry = here.resolve(one.key), "/".join(one.key.split("/")[:2])
            if not (here.resolve(entry).exists() or _is_named(here, entry)):
                continue  # a worker is about to commit it, or died before
            listed.add(path)
            if not path.exists():
                _mirror(store, one, path)
        for folder in list(home.iterdir()) if home.is_dir() else ():
            if not any(path.is_relative_to(folder) for path in listed):
                remove(folder)


def _mirror(store: ObjectStore, one: Found, path: Path) -> None:
    make_folder(path.parent)
    when = one.written.timestamp()
    with staged(path) as partial:
        partial.touch()
        if path.name.startswith(_REPORTS):
            store.download(one, partial)
        os.utime(partial, (when, when))


def _is_named(here: Feed, entry: str) -> bool:
    batch = _ENTRY.sub("", entry.partition("/")[2])
    return any(r.outputs.quarantine == entry for r in ReceiptStore(here).for_batch(batch))
