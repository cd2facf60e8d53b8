"""Documents of a feed that several processes write, one at a time: on a disk, or in its store."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ...expectations.stores.objects import ObjectStore
from ..storage.atomic import atomic_write, locked
from .lease import leased

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from ..feed.feed import Feed

_HOME = "state"
_PATIENCE = 120  # seconds


def current(feed: Feed, name: str) -> bytes:
    """Read a document as it is now, beside the receipts or in the store; empty if there is none."""
    with suppress(FileNotFoundError):
        if feed.url:
            return ObjectStore(feed.root).read(f"{_HOME}/{name}")[0]
        return (feed.receipts / name).read_bytes()
    return b""


@contextmanager
def written_alone(feed: Feed, name: str) -> Generator[Path]:
    """Hold a document against others while it is read and written; TimeoutError after 2 minutes."""
    path = feed.receipts / name
    with locked(path):
        if not feed.url:
            yield path
            return
        store = ObjectStore(feed.root)
        with _leased_soon(store, name):
            before = current(feed, name)
            atomic_write(path, before.decode())
            try:
                yield path
            finally:
                if (after := path.read_bytes()) != before:
                    store.write(f"{_HOME}/{name}", after)


@contextmanager
def _leased_soon(store: ObjectStore, name: str) -> Generator[None]:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        with leased(store, name) as lease:
            if lease:
                yield
                return
        time.sleep(1)
    msg = f"another process has held {name} of {store.url} for {_PATIENCE} seconds."
    raise TimeoutError(msg)
