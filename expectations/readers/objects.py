"""Batches in object stores, pinned to what was found: of Parquet the footer first, in one request.

What is read lies in a temporary file as long as the batch is open. A Parquet file begins as a hole
of its size with only the footer in place, which is all that its schema, its statistics and often
its verdict need; the rest is fetched when somebody asks for rows. So whatever holds for a file on a
disk holds here. Other formats, and folders, are fetched when they are opened.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from os import SEEK_END
from pathlib import Path
from tempfile import mkdtemp
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal
from weakref import finalize

from ..batch.batch import OpenedBatch, UnreadableError
from ..batch.formats import format_of
from ..batch.streaming import ReadAtPlaces, ReadInPieces, WithColumns
from ..errors import BatchChanged, BatchNotFound
from ..stores.downloads import new_download
from ..stores.objects import ObjectStore
from .file import DELTA_LOG, open_file
from .folder import open_folder
from .parquet import open_parquet
from .parquet_footer import MAGIC, TAIL, end_of_another

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from ..batch.batch import Batch
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
    store, spool = ObjectStore(f"{url.partition('://')[0]}://{bucket}"), Spool()
    try:
        found = store.head(key)
    except FileNotFoundError:
        opened = _open_folder(store, key, spool, contract, policy)
    else:
        opened = _open_one(StoredFile(store, found, spool), contract, policy)
    return opened._replace(info=opened.info.model_copy(update={"uri": url}))


def _open_one(stored: StoredFile, contract: Contract, policy: Policy) -> OpenedBatch:
    kind = format_of(Path(stored.name), policy.format)
    path = stored.footer() if kind == "parquet" else stored.whole()
    file = stored.scanned(open_file(path, contract, policy))
    return OpenedBatch(file.info, (file,))


def _open_folder(
    store: ObjectStore, key: str, spool: Spool, contract: Contract, policy: Policy
) -> OpenedBatch:
    folder, there = spool.folder / key.rpartition("/")[2], list(store.list(key))
    if any(found.key.startswith(f"{key}/{DELTA_LOG}/") for found in there):
        observed = "the folder of a Delta table, where rows that were deleted lie among the others"
        remedy = f"Hand in one version of the table: delta://{store.url}/{key}@VERSION."
        raise UnreadableError(observed, remedy)
    for found in there:
        path = folder / found.key.removeprefix(f"{key}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        store.download(found, path)
    if not folder.exists():
        msg = f"no such batch: {store.url}/{key}. Check the bucket, the name and its upper case."
        raise BatchNotFound(msg)
    opened = open_folder(folder, contract, policy)
    files = tuple(replace(file, scan=_kept(file.scan, spool)) for file in opened.files)
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


class Spool:
    """A temporary folder, made when it is needed, that lasts as long as what reads there."""

    @cached_property
    def folder(self) -> Path:
        """Where it lies; for another process it is another one."""
        place = new_download()
        place.lasts_with(self)
        return place.folder

    def __reduce__(self) -> tuple[type[Spool], tuple[()]]:
        return Spool, ()

    def whole(self) -> None:
        """Fetch nothing: what lies there is whole."""


@dataclass(eq=False)
class StoredFile:
    """An object as a file: of a large one the footer first, the rest when somebody asks for it."""

    store: ObjectStore
    found: Found | None
    spool: Spool
    _has: Literal["nothing", "footer", "everything"] = "nothing"
    _one_at_a_time: Lock = field(default_factory=Lock)

    def __reduce__(self) -> tuple[type[StoredFile], tuple[Any, ...]]:
        return StoredFile, (self.store, self.found, self.spool)

    @property
    def _there(self) -> Found:
        if self.found is None:
            raise FileNotFoundError
        return self.found

    @property
    def name(self) -> str:
        """The last part of its key."""
        return self._there.key.rpartition("/")[2]

    @property
    def size(self) -> int:
        """Its bytes."""
        return self._there.size

    @cached_property
    def _path(self) -> Path:
        return Path(mkdtemp(dir=self.spool.folder), self.name)

    def open(self) -> Batch:
        """Open it by its footer."""
        return self.scanned(open_parquet(self.footer()))

    def scanned(self, file: Batch) -> Batch:
        """Have its rows fetched before they are scanned."""
        return replace(file, scan=_kept(file.scan, self))

    def footer(self) -> Path:
        """Fetch the footer to its place; FileNotFoundError if the object is gone."""
        if self.size <= _FIRST_TAIL:
            return self.whole()
        with self._one_at_a_time:
            if self._has == "nothing":
                _fetch_footer(self.store, self._there, self._path)
                self._has = "footer"
        return self._path

    def whole(self) -> Path:
        """Fetch everything; FileNotFoundError if the object is gone."""
        with self._one_at_a_time:
            if self._has != "everything":
                self.store.download(self._there, self._path)
                self._has = "everything"
        return self._path


def _kept(scan: Callable[[], pl.LazyFrame], spool: Spool | StoredFile) -> _FetchedScan:
    """Keep what is fetched as long as the reader, which is all that a lazy frame holds on to."""
    reader: Any = scan
    while isinstance(reader, WithColumns):
        reader = reader.scan
    finalize(getattr(reader, "__self__", reader), id, spool)
    return _FetchedScan(scan, spool)


@dataclass(frozen=True)
class _FetchedScan:
    """A scan that fetches what it is to read first."""

    scan: Callable[[], pl.LazyFrame]
    spool: Spool | StoredFile

    @property
    def dtypes(self) -> pl.Schema | None:
        """The types of what it scans, where they are known before."""
        return getattr(self.scan, "dtypes", None)

    def __call__(self) -> pl.LazyFrame:
        """Scan it."""
        return self._whole()()

    def pieces(self, rows: int) -> Iterator[pl.LazyFrame] | None:
        """Read piece by piece, if the file can be."""
        scan = self._whole()
        return scan.pieces(rows) if isinstance(scan, ReadInPieces) else None

    def places(self, places: Sequence[tuple[int, int]]) -> Iterator[pl.LazyFrame] | None:
        """Read runs of rows, if the file can be."""
        scan = self._whole()
        return scan.places(places) if isinstance(scan, ReadAtPlaces) else None

    def _whole(self) -> Callable[[], pl.LazyFrame]:
        try:
            self.spool.whole()
        except FileNotFoundError as error:
            msg = "an object of the batch was deleted after it was judged. Deliver it again."
            raise BatchChanged(msg) from error
        return self.scan
