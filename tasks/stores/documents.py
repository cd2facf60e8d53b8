"""Documents of a feed that several processes write, one at a time: on a disk, or in its store."""

from __future__ import annotations

import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from ...expectations.errors import StoreUnavailable
from ...expectations.stores.objects import ObjectStore
from ..feed.records import parse_record, read_record
from ..storage.atomic import atomic_write, locked
from .lease import leased

if TYPE_CHECKING:
    from collections.abc import Generator

    from ..feed.feed import Feed
    from ..feed.records import Record

_HOME = "state"
_PATIENCE = 120  # seconds


class Document:
    """A document of a feed: beside its receipts, or in its store."""

    def __init__(self, feed: Feed, name: str) -> None:
        """Read nothing yet."""
        self._path, self._key = feed.receipts / name, f"{_HOME}/{name}"
        self._store = ObjectStore(feed.root) if feed.url else None
        self._etag: str | None = None

    def read(self) -> bytes:
        """Read it as it is now; empty if there is none."""
        with suppress(FileNotFoundError):
            if self._store is None:
                return self._path.read_bytes()
            body, found = self._store.read(self._key)
            self._etag = found.etag
            return body
        return b""

    def record(self, form: type[Record], kind: str) -> Record | None:
        """Read it as a record, None if there is none; GateError if it is no record."""
        if self._store is None:
            return read_record(self._path, form, kind)
        body = self.read()
        place = f"{self._store.url}/{self._key}"
        return parse_record(body, form, place, kind) if self._etag else None

    def write(self, text: str) -> None:
        """Replace what was read; StoreUnavailable if another process has done so meanwhile."""
        if self._store is None:
            atomic_write(self._path, text)
            return
        body = text.encode()
        if self._etag:
            self._etag = self._store.replace(self._key, body, self._etag)
        else:
            self._etag = self._store.create(self._key, body)
        if self._etag is None:
            msg = (
                f"another process went on with {self._store.url}/{self._key}, for this one stood "
                "still for longer than its lease. Run it again."
            )
            raise StoreUnavailable(msg)


def current(feed: Feed, name: str) -> bytes:
    """Read a document as it is now; empty if there is none."""
    return Document(feed, name).read()


@contextmanager
def written_alone(feed: Feed, name: str) -> Generator[Document]:
    """Hold a document against others while it is read and written; TimeoutError after 2 minutes."""
    with locked(feed.receipts / name):
        if not feed.url:
            yield Document(feed, name)
            return
        with _leased_soon(ObjectStore(feed.root), name):
            yield Document(feed, name)


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
