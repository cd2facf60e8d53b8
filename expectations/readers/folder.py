"""A folder of files as one batch: the files in the order of their paths, one after the other.

Names that begin with a dot or an underscore are not data, as Hive and Spark have it, nor are files
that no format claims, such as checksums: they are ignored and counted. Every other file belongs to
the batch: one that cannot be read is a fault of it, never left out. Folders such as
``day=2013-07-01`` are columns of the files in them, unless the policy says otherwise.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import polars as pl
import pyarrow as pa

from ..batch.batch import Batch, EmptyFileError, OpenedBatch, UnreadableError
from ..batch.columns import RESERVED, with_row_number
from ..batch.formats import foreign_data, format_of, formats_in_words, is_ignored
from ..batch.streaming import WithColumns
from ..errors import BatchNotFound
from ..escaping import visible
from ..verdict.verdict import BatchInfo
from .file import DELTA_LOG, open_file
from .parquet import ParquetScan, scan_by_polars
from .tables.live_file import LiveFile

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..contract.contract import Contract
    from ..contract.policy import Policy

_NOT_DATA = (".", "_")
_HIDE = "take it away, or give it a name that begins with `_`"
_NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"
# What lies in the folder of a table -> whose it is, and how one version of it is handed in.
_TABLES = {
    DELTA_LOG: ("a Delta table", "as a batch of its own, delta://PATH@VERSION"),
    ".hoodie": ("a Hudi table", "by a snapshot query of Spark, written to Parquet"),
    "metadata/*.metadata.json": ("an Iceberg table", "as iceberg://CATALOG/namespace.table"),
}


def open_folder(path: Path, contract: Contract, policy: Policy) -> OpenedBatch:
    """Open every file of a folder, those of its subfolders too.

    An optional column that only some of the files have is null in the others.
    """
    listing = _list_files(path, policy)
    opened = _open_files(path, listing.data, contract, policy)
    if not listing.data:
        remedy = "Deliver its files first; names that begin with `_` or `.` do not count as data."
        observed = "a folder without files"
        raise UnreadableError(observed, remedy)
    formats = " and ".join(sorted({file.info.format for file in opened.files}))
    info = BatchInfo(
        name=visible(path.resolve().name),
        format=f"folder of {formats}" if formats else "folder",
        uri=str(path),
        bytes=sum(opened.sizes),
        columns=_columns_of(opened.files),
        files=len(opened.sizes),
        ignored=tuple(listing.ignored),
    )
    files = tuple(_completed(opened.files, contract, policy))
    return OpenedBatch(info, files, tuple(opened.unreadable))


@dataclass(frozen=True)
class _Listing:
    """The files of a folder by their paths in it: those of data, and those that are ignored."""

    data: list[tuple[str, Path]] = field(default_factory=list[tuple[str, Path]])
    ignored: list[str] = field(default_factory=list[str])


@dataclass(frozen=True)
class _OpenedFiles:
    files: list[Batch] = field(default_factory=list[Batch])
    unreadable: list[tuple[str, UnreadableError]] = field(
        default_factory=list[tuple[str, UnreadableError]]
    )
    sizes: list[int] = field(default_factory=list[int])


def _list_files(folder: Path, policy: Policy) -> _Listing:
    """List what a folder holds, by path; links too, wherever they lead."""
    paths, hidden = list[Path](), list[Path]()
    for root, folders, files in os.walk(folder, followlinks=False, onerror=_raise):
        here = Path(root)
        _refuse_table(here)
        folders[:] = [name for name in folders if not name.startswith(_NOT_DATA)]
        links = [name for name in folders if (here / name).is_symlink()]
        for name in (*files, *links):
            (hidden if name.startswith(_NOT_DATA) else paths).append(here / name)
    linked = {file for file in paths if file.is_symlink()}
    whole = {_resolved(file) for file in paths if linked and file not in linked}
    listing = _Listing()
    for file in sorted({*paths, *hidden}):
        name = visible(file.relative_to(folder).as_posix())
        if file in hidden or _is_sidecar(file, policy):
            listing.ignored.append(name)
        # A link to a file that is listed anyway would read its rows twice.
        elif not (file in linked and _within(file, folder, whole)):
            listing.data.append((name, file))
    return listing


def _raise(error: OSError) -> None:
    raise error


def _refuse_table(folder: Path) -> None:
    """Refuse the folder of a table: files of its earlier versions lie there too."""
    for pattern, (table, version) in _TABLES.items():
        if next(folder.glob(pattern), None):
            observed = f"the folder of {table}, where rows that were deleted lie among the others"
            remedy = f"Hand in one version of the table, {version}."
            raise UnreadableError(observed, remedy)


def _is_sidecar(file: Path, policy: Policy) -> bool:
    return file.is_file() and not file.is_symlink() and is_ignored(file, policy.format)


def _within(link: Path, folder: Path, listed: set[Path]) -> bool:
    target = _resolved(link)
    return target in listed or (target.is_dir() and target.is_relative_to(_resolved(folder)))


def _resolved(path: Path) -> Path:
    """Follow links to their end; unlike ``Path.resolve`` also those that lead in a circle."""
    return Path(os.path.realpath(path))


def _open_files(
    folder: Path, data: Sequence[tuple[str, Path]], contract: Contract, policy: Policy
) -> _OpenedFiles:
    opened, empty = _OpenedFiles(), list[tuple[str, UnreadableError]]()
    for name, file in data:
        try:
            opened.sizes.append(file.lstat().st_size)
            batch = _open(file, folder, contract, policy)
            if policy.partitions == "hive":
                batch = _with_partitions(batch, file.relative_to(folder).parent)
            opened.files.append(replace(batch, info=batch.info.model_copy(update={"name": name})))
        except EmptyFileError as error:
            empty.append((name, error))
        except UnreadableError as error:
            opened.unreadable.append((name, error))
        except (BatchNotFound, FileNotFoundError):
            gone = UnreadableError("a file that went away meanwhile", "Deliver the folder at once.")
            opened.unreadable.append((name, gone))
    if not opened.files:
        # Where all files are empty nothing says what their columns would be.
        opened.unreadable.extend(empty)
    return opened


def _open(file: Path, folder: Path, contract: Contract, policy: Policy) -> Batch:
    # Folders that are links are not walked into: what lies in the others is in the folder.
    if file.is_symlink() and not _resolved(file).is_relative_to(_resolved(folder)):
        observed = "a symbolic link that leads out of the folder"
        raise UnreadableError(observed, f"Deliver the file itself, or {_HIDE}.")
    if not file.is_file():
        observed = "neither a file nor a folder"
        raise UnreadableError(observed, f"Deliver a file, or {_HIDE}.")
    if format_of(file, policy.format) is None:
        observed = f"{foreign_data(file) or 'a file of no format'}, which the gate does not read"
        remedy = f"Deliver one of {formats_in_words()}; else {_HIDE}."
        raise UnreadableError(observed, remedy)
    return open_file(file, contract, policy)


def _columns_of(files: Iterable[Batch]) -> tuple[tuple[str, str], ...]:
    types = dict[str, dict[str, None]]()
    for file in files:
        for name, type_name in file.info.columns:
            types.setdefault(name, {})[type_name] = None
    return tuple((name, " or ".join(type_names)) for name, type_names in types.items())


def scan_together(scans: Sequence[Any], path: str) -> pl.LazyFrame | None:
    """Scan files of the same columns at once, with the path of each row's; None if one differs."""
    if all(isinstance(scan, LiveFile) for scan in scans):
        scans = [scan.where_it_lies for scan in scans]
    first = scans[0]
    if all(isinstance(scan, ParquetScan) and scan.is_like(first) for scan in scans):
        rows = scan_by_polars([str(scan.path) for scan in scans], include_file_paths=path)
        return with_row_number(rows, first.schema.names)
    if not all(isinstance(scan, WithColumns) and scan.stages is first.stages for scan in scans):
        return None
    rows = scan_together([scan.scan for scan in scans], path)
    return None if rows is None else first.completed(rows)


# ----- folders that are columns -----


def _with_partitions(batch: Batch, folders: Path) -> Batch:
    """Add the columns that the names of folders hold, but for those that the file has itself."""
    taken = {*batch.schema.names, *RESERVED}
    cells = dict[str, str | None]()
    for name, is_column, value in (part.partition("=") for part in folders.parts):
        if is_column and name and unquote(name) not in taken:
            cells[unquote(name)] = None if value == _NULL_PARTITION else unquote(value)
    return _with_constants(batch, cells, pa.string()) if cells else batch


def _with_constants(batch: Batch, cells: dict[str, str | None], kind: pa.DataType) -> Batch:
    """Add columns that have the same cell in every row; text stands for values there."""
    is_text = pa.types.is_string(kind)
    dtype = pl.String() if is_text else pl.Null()
    literals = [pl.lit(cell, dtype=dtype).alias(name) for name, cell in cells.items()]
    columns = (*batch.info.columns, *((name, str(kind)) for name in cells))
    return replace(
        batch,
        info=batch.info.model_copy(update={"columns": columns}),
        schema=pa.schema([*batch.schema, *(pa.field(name, kind) for name in cells)]),
        sources=(*batch.sources, *cells),
        scan=WithColumns(batch.scan, (literals,)),
        texts=batch.texts | frozenset(cells if is_text else ()),
    )


# ----- files that differ -----


def _completed(files: Sequence[Batch], contract: Contract, policy: Policy) -> Iterator[Batch]:
    """Add to each file, as nulls, the optional columns that only others have."""
    names = [{policy.rename.get(name, name) for name in file.schema.names} for file in files]
    anywhere = set[str]().union(*names)
    optional = [
        column.name
        for column in contract.columns
        if contract.named and not column.required and column.name in anywhere
        if column.name not in policy.rename
    ]
    for file, present in zip(files, names, strict=True):
        absent = [n for n in optional if n not in present]
        yield _with_constants(file, dict.fromkeys(absent), pa.null()) if absent else file
