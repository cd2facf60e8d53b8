"""Tables of a lake to which rows are appended, of Delta and of Iceberg by the same words."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest
from deltalake import DeltaTable, write_deltalake
from feeds import rows
from lake_tables import compact

from signature_gate.expectations.stores.objects import ObjectStore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl
    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table


class Growing(Protocol):
    """A table whose versions add rows.

    Attributes:
        follow: Its URI.
    """

    follow: str

    def append(self, *keys: str, **columns: Sequence[int]) -> None:
        """Add rows with these keys in one version; of other columns it makes partitions."""

    def delete(self, key: str) -> None:
        """Delete the rows with a key."""

    def compact(self) -> None:
        """Put the rows of all files into one."""

    def make_anew(self) -> None:
        """Remove it, and begin another one of the same name."""

    def files(self) -> Sequence[Path | Stored]:
        """List its data files, the oldest first."""

    def version(self) -> int:
        """Name the newest."""

    def batches(self) -> list[str]:
        """Name the batches of its versions."""


class Stored:
    """An object, by the words of a path."""

    def __init__(self, store: ObjectStore, key: str) -> None:
        """Name it."""
        self.store, self.key = store, key

    def read_bytes(self) -> bytes:
        """Read it."""
        return self.store.read(self.key)[0]

    def write_bytes(self, body: bytes) -> None:
        """Write it."""
        self.store.write(self.key, body)

    def unlink(self) -> None:
        """Delete it."""
        self.store.delete(self.key)


class DeltaFlights:
    """A Delta table."""

    def __init__(self, folder: Path | str) -> None:
        """Have it lie in a folder, or in a bucket; it is made by the first rows."""
        self.folder, self.follow = folder, f"delta://{folder}"

    def append(self, *keys: str, **columns: Sequence[int]) -> None:
        """Add rows."""
        frame = _frame(keys, columns).to_arrow()
        write_deltalake(self.folder, frame, mode="append", partition_by=[*columns] or None)

    def delete(self, key: str) -> None:
        """Delete rows."""
        DeltaTable(self.folder).delete(f"key = '{key}'")

    def compact(self) -> None:
        """Put files together."""
        DeltaTable(self.folder).optimize.compact()

    def make_anew(self) -> None:
        """Begin another table."""
        if isinstance(self.folder, Path):
            shutil.rmtree(self.folder)
        else:
            for stored in self._stored(self.folder):
                stored.unlink()

    def files(self) -> Sequence[Path | Stored]:
        """List data files."""
        if isinstance(self.folder, Path):
            return sorted(self.folder.rglob("*.parquet"), key=lambda path: path.stat().st_mtime_ns)
        return [stored for stored in self._stored(self.folder) if stored.key.endswith(".parquet")]

    def _stored(self, url: str) -> list[Stored]:
        store = ObjectStore(url)
        found = sorted(store.list(), key=lambda found: found.written)
        return [Stored(store, each.key) for each in found]

    def version(self) -> int:
        """Name the newest version."""
        return DeltaTable(self.folder).version()

    def batches(self) -> list[str]:
        """Name batches."""
        return [f"flights-v{n:08d}.parquet" for n in range(self.version() + 1)]


class IcebergFlights:
    """An Iceberg table."""

    def __init__(self, lake: SqlCatalog, folder: Path, **properties: str) -> None:
        """Have it lie in a catalog; it is made by the first rows."""
        self.lake, self.folder, self.follow = lake, folder, "iceberg://lake/sales.flights"
        self.properties = properties

    @property
    def table(self) -> Table:
        """As it is now."""
        return self.lake.load_table("sales.flights")

    def append(self, *keys: str, **columns: Sequence[int]) -> None:
        """Add rows."""
        from pyiceberg.transforms import IdentityTransform

        frame = _frame(keys, columns).to_arrow()
        if not self.lake.table_exists("sales.flights"):
            made = self.lake.create_table("sales.flights", frame.schema, properties=self.properties)
            with made.update_spec() as spec:
                for name in columns:
                    spec.add_field(name, IdentityTransform(), f"by_{name}")
        self.table.append(frame)

    def delete(self, key: str) -> None:
        """Delete rows."""
        self.table.delete(f"key == '{key}'")

    def compact(self) -> None:
        """Put files together."""
        compact(self.table, self.folder / f"compacted-{len(self.table.snapshots())}.parquet")

    def make_anew(self) -> None:
        """Begin another table."""
        self.lake.drop_table("sales.flights")

    def files(self) -> list[Path]:
        """List data files."""
        found = (self.folder / "warehouse").rglob("data/**/*.parquet")
        return sorted(found, key=lambda path: path.stat().st_mtime_ns)

    def version(self) -> int:
        """Name the current snapshot."""
        snapshot = self.table.current_snapshot()
        assert snapshot is not None
        return snapshot.snapshot_id

    def batches(self) -> list[str]:
        """Name batches."""
        numbered = enumerate(self.table.snapshots(), 1)
        return [f"flights-s{n:08d}-{s.snapshot_id}.parquet" for n, s in numbered]


def _frame(keys: Sequence[str], columns: dict[str, Sequence[int]]) -> pl.DataFrame:
    return rows(len(keys), key=list(keys), **columns)


@pytest.fixture(name="growing", params=["delta", "delta in a bucket", "iceberg"])
def growing_flights(request: pytest.FixtureRequest, tmp_path: Path) -> Growing:
    """A table of each kind, to which rows are appended."""
    if request.param == "delta":
        return DeltaFlights(tmp_path / "flights")
    if request.param == "delta in a bucket":
        return DeltaFlights(f"{request.getfixturevalue('bucket')}/lake/flights")
    return IcebergFlights(request.getfixturevalue("lake"), tmp_path)
