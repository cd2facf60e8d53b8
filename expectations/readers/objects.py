"""Batches in object stores, pinned to what was found: of Parquet the footer first, in one request.

What is read lies in a temporary file as long as the batch is open. A Parquet file begins as a hole
of its size with only the footer in place, which is all that its schema, its statistics and often
its verdict need; the rest is fetched when somebody asks for rows. So whatever holds for a file on a
disk holds here. Other formats, and folders, are fetched when they are opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from os import SEEK_END
from threading import Lock
from typing import TYPE_CHECKING

from ..batch.batch import OpenedBatch
from ..batch.formats import format_of
from ..batch.streaming import ReadAtPlaces, ReadInPieces
from ..errors import BatchNotFound
from ..stores.downloads import new_download
from ..stores.objects import ObjectStore
from .file import open_file
from .folder import open_folder
from .parquet_footer import MAGIC, TAIL, end_of_another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..stores.objects import Found

_FIRST_TAIL = 64 << 10  # bytes, in which most footers fit


def open_object(url: str, contract: Contract, policy: Policy) -> OpenedBatch:
    """Open an object, or the objects below a prefix as one batch.

    Raises:
        BatchNotFound: There is none.
        StoreUnavailable: The store does not answer as it should.
    """
    bucket, _, key = url.rstrip("/").partition("://")[2].partition("/")
    store = ObjectStore(f"{url.partition('://')[0]}://{bucket}")
    place = new_download()
    spool = _Spool(place.folder)
    place.lasts_with(spool)
    try:
        found = store.head(key)
    except FileNotFoundError:
        opened = _open_folder(store, key, spool, contract, policy)
    else:
        opened = _open_one(store, found, spool, contract, policy)
    return opened._replace(info=opened.info.model_copy(update={"uri": url}))


def _open_one(
    store: ObjectStore, found: Found, spool: _Spool, contract: Contract, policy: Policy
) -> OpenedBatch:
    path = spool.folder / found.key.rpartition("/")[2]
    if format_of(path, policy.format) == "parquet" and found.size > _FIRST_TAIL:
        _fetch_footer(store, found, path)
        spool.missing = (store, found, path)
    else:
        store.download(found, path)
    file = open_file(path, contract, policy)
    file = replace(file, scan=_FetchedScan(file.scan, spool))
    return OpenedBatch(file.info, (file,))


def _open_folder(
    store: ObjectStore, key: str, spool: _Spool, contract: Contract, policy: Policy
) -> OpenedBatch:
    folder = spool.folder / key.rpartition("/")[2]
    for found in store.list(key):
        path = folder / found.key.removeprefix(f"{key}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download(found, path)
    if not folder.exists():
        msg = f"no such batch: {store.url}/{key}. Check the bucket, the name and its upper case."
        raise BatchNotFound(msg)
    opened = open_folder(folder, contract, policy)
    files = tuple(replace(file, scan=_FetchedScan(file.scan, spool)) for file in opened.files)
    return opened._replace(files=files)


def _fetch_footer(store: ObjectStore, found: Found, path: Path) -> None:
    """Put the footer at its place in a file that is otherwise a hole."""
    first = found.size - _FIRST_TAIL
    with path.open("wb") as file:
        file.truncate(found.size)
    store.download(found, path, first)
    with path.open("rb") as file:
        file.seek(-TAIL, SEEK_END)
        end = file.read()
    start = max(found.size - TAIL - int.from_bytes(end[:4], "little"), 0)
    if end.endswith(MAGIC) and start < first:
        store.download(found, path, start, first)
    if other := end_of_another(path):
        store.download(found, path, other, min(other + 2 * len(MAGIC), found.size))


@dataclass(eq=False)
class _Spool:
    """A temporary folder, and what of it is still to be fetched."""

    folder: Path
    missing: tuple[ObjectStore, Found, Path] | None = None
    _one_at_a_time: Lock = field(default_factory=Lock)

    def complete(self) -> None:
        with self._one_at_a_time:
            if self.missing:
                store, found, path = self.missing
                store.download(found, path)
                self.missing = None


@dataclass(frozen=True)
class _FetchedScan:
    """A scan that fetches what it is to read first, and keeps it as long as it is there itself."""

    scan: Callable[[], pl.LazyFrame]
    spool: _Spool

    @property
    def dtypes(self) -> pl.Schema | None:
        """The types of what it scans, where they are known before."""
        return getattr(self.scan, "dtypes", None)

    def __call__(self) -> pl.LazyFrame:
        """Scan it."""
        self.spool.complete()
        return self.scan()

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece, if the file can be."""
        self.spool.complete()
        return self.scan.pieces(rows) if isinstance(self.scan, ReadInPieces) else None

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, if the file can be."""
        self.spool.complete()
        return self.scan.places(places) if isinstance(self.scan, ReadAtPlaces) else None
