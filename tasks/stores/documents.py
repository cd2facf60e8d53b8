"""Documents of a feed that several processes write, one at a time: on a disk, or in its store."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
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


def latest(feed: Feed, name: str) -> Path:
    """Say where a document lies here; of a feed in a store as it is there now."""
    path = feed.receipts / name
    if feed.url:
        try:
            body, _ = ObjectStore(feed.root).read(f"{_HOME}/{name}")
            atomic_write(path, body.decode())
        except FileNotFoundError:
            path.unlink(missing_ok=True)
    return path


@contextmanager
def written_alone(feed: Feed, name: str) -> Generator[Path]:
    """Hold a document against others while it is read and written; TimeoutError after 2 minutes."""
    with ExitStack() as held:
        held.enter_context(locked(feed.receipts / name))
        if feed.url:
            held.enter_context(_leased_soon(ObjectStore(feed.root), name))
        path = latest(feed, name)
        try:
            yield path
        finally:
            if feed.url and path.exists():
                ObjectStore(feed.root).write(f"{_HOME}/{name}", path.read_bytes())


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
