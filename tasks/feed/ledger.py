"""Ledgers: one Parquet file for each month whose receipts were compacted, with their exact text."""

from __future__ import annotations

import os
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from pydantic import AliasPath, BaseModel, ConfigDict, Field

from ...expectations.errors import GateError
from .identity import Identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import BinaryIO

    import polars as pl
    import pyarrow as pa

_FOLDER, _SUFFIX = "ledgers", ".parquet"
ROWS_IN_GROUP = 256  # so many texts are decoded to read one


class ReceiptFacts(BaseModel):
    """What lookups need of a receipt; read from its JSON, or from the columns of a ledger."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    batch: str = Field("", validation_alias=AliasPath("batch", "id"))
    identity: Identity = Field(validation_alias=AliasPath("batch", "identity"))
    disposition: str = ""
    final: bool
    started: datetime | None = None
    finished: datetime
    rows: int | None = Field(None, validation_alias=AliasPath("batch", "rows"))
    scored: int = Field(0, validation_alias=AliasPath("outputs", "scored"))
    rejected: int | None = Field(None, validation_alias=AliasPath("outputs", "rejected"))
    predictions: str | None = Field(None, validation_alias=AliasPath("outputs", "predictions"))
    quarantine: str | None = Field(None, validation_alias=AliasPath("outputs", "quarantine"))
    released: str | None = Field(None, validation_alias=AliasPath("release", "entry"))
    released_to: str | None = Field(None, validation_alias=AliasPath("release", "archive"))
    discarded_to: str | None = Field(None, validation_alias=AliasPath("discard", "archive"))


@dataclass(frozen=True)
class NameIndex:
    """File names of receipts, found by batch, and batches, found by what their ids begin with."""

    names: Iterable[str]

    @cached_property
    def of_batch(self) -> dict[str, list[str]]:
        """The names of each batch's receipts."""
        return _grouped(self.names, "@", str.partition)

    @cached_property
    def of_stem(self) -> dict[str, list[str]]:
        """The ids of the batches with each stem."""
        return _grouped(self.of_batch, "-", str.rpartition)

    def add(self, name: str) -> None:
        """Take in one more name."""
        batch = name.partition("@")[0]
        if batch not in self.of_batch:
            self.of_stem.setdefault(batch.rpartition("-")[0], []).append(batch)
        if name not in (known := self.of_batch.setdefault(batch, [])):
            known.append(name)


def _grouped(
    names: Iterable[str], mark: str, parted: Callable[[str, str], tuple[str, str, str]]
) -> dict[str, list[str]]:
    groups = defaultdict[str, list[str]](list)
    for name in names:
        groups[parted(name, mark)[0]].append(name)
    return groups


class Ledger(NamedTuple):
    """A ledger as it was when somebody looked.

    Attributes:
        path: The file.
        positions: The row of each receipt by its file name.
        names: The same names, found by batch.
        written: When each receipt was written, in nanoseconds since 1970.
        facts: All columns but the text.
    """

    path: Path
    positions: dict[str, int]
    names: NameIndex
    written: list[int]
    facts: pl.DataFrame

    def facts_of(self, name: str) -> ReceiptFacts:
        """Return the facts of one receipt."""
        row = self.facts.row(self.positions[name], named=True)
        return ReceiptFacts.model_validate(row)

    def settled_with_content(self, digest: str) -> list[tuple[int, str]]:
        """List when batches of a content were done, each with its id."""
        import polars as pl

        same = pl.col("final") & (pl.col("identity").struct.field("digest") == digest)
        return self.facts.filter(same).select("written", "batch").rows()


_seen: dict[Path, tuple[tuple[int, int, int], Ledger]] = {}


def ledger_path(folder: Path, month: str) -> Path:
    """Name the ledger of a month, such as ``2026-08``, below the folder of receipts."""
    return folder / _FOLDER / f"{month}{_SUFFIX}"


def ledgers_in(folder: Path) -> list[Ledger]:
    """Read which receipts the ledgers below a folder hold; GateError if one is damaged."""
    home = folder / _FOLDER
    names = sorted(os.listdir(home)) if home.is_dir() else []  # noqa: PTH208 - bare names
    return [_read(home / n) for n in names if n.endswith(_SUFFIX) and not n.startswith(".")]


def ledger_with(folder: Path, name: str) -> Ledger | None:
    """Find the ledger that holds a receipt."""
    return next((ledger for ledger in ledgers_in(folder) if name in ledger.positions), None)


def receipt_text(path: Path, name: str) -> str:
    """Read the text of a receipt out of a ledger that holds it."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # A ledger may be replaced by a longer one at any moment: all is read from one open file.
    with path.open("rb") as file:
        group, row = divmod(_index(path, file).positions[name], ROWS_IN_GROUP)
        try:
            return pq.ParquetFile(file).read_row_group(group, ["text"])["text"][row].as_py()
        except pa.ArrowException as error:
            raise _damaged(path, error) from error


def ledger_schema() -> pa.Schema:
    """Return the columns of a ledger: name and stamp of a receipt, its facts, and its text."""
    import pyarrow as pa

    text, number, when = pa.string(), pa.int64(), pa.timestamp("us", "UTC")
    fields = [name for name in Identity.model_fields if name != "etag"]  # of no file on a disk
    identity = dict.fromkeys(fields, text)
    identity |= dict.fromkeys(("bytes", "stamp", "changed"), number)
    columns = dict.fromkeys(("file", "written", *ReceiptFacts.model_fields, "text"), text)
    columns |= dict.fromkeys(("written", "rows", "scored", "rejected"), number)
    columns |= dict.fromkeys(("started", "finished"), when)
    columns |= {"identity": pa.struct(list(identity.items())), "final": pa.bool_()}
    return pa.schema(list(columns.items()))


def _read(path: Path) -> Ledger:
    known = _seen.get(path)
    if known and known[0] == _version(path.stat()):
        return known[1]
    with path.open("rb") as file:
        return _index(path, file)


def _index(path: Path, file: BinaryIO) -> Ledger:
    import polars as pl
    import pyarrow as pa
    import pyarrow.parquet as pq

    version = _version(os.fstat(file.fileno()))
    known = _seen.get(path)
    if known and known[0] == version:
        return known[1]
    try:
        parquet = pq.ParquetFile(file)
        columns = [name for name in parquet.schema_arrow.names if name != "text"]
        facts = pl.DataFrame(parquet.read(columns=columns))
        positions = {name: row for row, name in enumerate(facts["file"])}
        ledger = Ledger(path, positions, NameIndex(positions), facts["written"].to_list(), facts)
    except (pa.ArrowException, pl.exceptions.PolarsError) as error:
        raise _damaged(path, error) from error
    _seen[path] = version, ledger
    return ledger


def _version(found: os.stat_result) -> tuple[int, int, int]:
    return found.st_ino, found.st_mtime_ns, found.st_size


def _damaged(path: Path, error: Exception) -> GateError:
    msg = f"{path} is no ledger of receipts that can be read: {error}. Restore it from a backup."
    return GateError(msg)
