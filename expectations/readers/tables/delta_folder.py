"""Where a Delta table lies: in a folder of this machine, or below a URL of a bucket.

The client of the tables and that of object stores take their credentials from the same environment.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError, TableNotFoundError

from ...batch.batch import UnreadableError
from ...errors import BatchNotFound, UnsupportedBatch
from ...stores.objects import STORES, ObjectStore, is_object_url
from ...wording import listed
from ..file import DELTA_LOG
from ..objects import Spool, StoredFile
from .live_file import OnDisk

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Mapping

    from .live_file import Stored


class DeltaFolder:
    """The folder of a table.

    Attributes:
        place: Its absolute path, or its URL.
    """

    def __init__(self, place: str | Path) -> None:
        """Look at nothing yet; a URL of another kind, or with credentials, is refused."""
        text = str(place)
        self._store = ObjectStore(text) if is_object_url(text) else None
        if "://" in text and not self._store:
            known = listed([f"{scheme}://" for scheme in STORES])
            msg = f"delta:// takes a path, or a URL of {known}, not {text}. Copy the table there."
            raise UnsupportedBatch(msg)
        self.place = self._store.url if self._store else str(Path(place).absolute())

    @property
    def name(self) -> str:
        """The last part of its path."""
        return Path(self.place).resolve().name

    def table(self, version: int | None = None) -> DeltaTable:
        """Load the log up to a version, the newest if none is named.

        Raises:
            BatchNotFound: There is no table, or it has no such version.
            StoreUnavailable: The store does not answer as it should.
            DeltaError: The log cannot be read.
        """
        missing = f"no Delta table at {self.place}: it has no {DELTA_LOG}. Check the path."
        if not (self._store or Path(self.place, DELTA_LOG).is_dir()):
            raise BatchNotFound(missing)
        try:
            with self.asked():
                return DeltaTable(self.place, version=version)
        except DeltaError as error:
            if self._store and isinstance(error, TableNotFoundError):
                raise BatchNotFound(missing) from error
            if version is None:
                raise
            newest = self.table().version()
            msg = f"no version {version} of {self.place}: its newest is {newest}, old ones expire."
            raise BatchNotFound(msg) from error

    def log(self, version: int) -> str | None:
        """Read what a version did; None if that has expired."""
        name = f"{DELTA_LOG}/{version:020d}.json"
        with suppress(FileNotFoundError):
            path = Path(self.place, name)
            return (self._store.read(name)[0] if self._store else path.read_bytes()).decode()
        return None

    @contextmanager
    def asked(self) -> Generator[None]:
        """Tell that a store failed, as its own client does."""
        try:
            yield
        except OSError as error:
            if self._store is None:
                raise
            raise self._store.failed(DELTA_LOG, str(error)) from None

    def files(self, names: Collection[str]) -> Mapping[str, Stored]:
        """Find data files, of a store by one list of what lies there."""
        if elsewhere := [name for name in names if "://" in name]:
            observed = f"a Delta table with a file on {elsewhere[0].partition('://')[0]}://"
            raise UnreadableError(observed, "Copy the table to one place as a whole.")
        if self._store is None:
            return {name: OnDisk(Path(self.place, name)) for name in names}
        there, spool = {found.key: found for found in self._store.list()}, Spool()
        return {name: StoredFile(self._store, there.get(name), spool) for name in names}
