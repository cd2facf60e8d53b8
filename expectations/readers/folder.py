"""A folder of files as one batch: the files in the order of their paths, one after the other.

Names that begin with a dot or an underscore are not data, as Hive and Spark have it. Whatever else
lies there belongs to the batch: a file that cannot be read is a fault of it, never left out.
Folders such as ``day=2013-07-01`` are only folders: their names are no columns.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ..batch.batch import Batch, OpenedBatch, UnreadableError
from ..batch.formats import endings, format_of
from ..errors import BatchNotFound
from ..escaping import visible
from ..verdict.verdict import BatchInfo
from .file import open_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from ..contract.contract import Contract
    from ..contract.policy import Policy

_NOT_DATA = (".", "_")
_HIDE = "take it away, or give it a name that begins with `_`"


def open_folder(path: Path, contract: Contract, policy: Policy) -> OpenedBatch:
    """Open every file of a folder, those of its subfolders too."""
    files, unreadable = list[Batch](), list[tuple[str, UnreadableError]]()
    sizes = list[int]()
    for name, file in _files_in(path):
        try:
            sizes.append(file.lstat().st_size)
            batch = _open(file, _resolved(path), contract, policy)
            files.append(replace(batch, info=batch.info.model_copy(update={"name": name})))
        except UnreadableError as error:
            unreadable.append((name, error))
        except (BatchNotFound, FileNotFoundError):
            gone = UnreadableError("a file that went away meanwhile", "Deliver the folder at once.")
            unreadable.append((name, gone))
    if not sizes and not unreadable:
        remedy = "Deliver its files first; names that begin with `_` or `.` do not count as data."
        observed = "a folder without files"
        raise UnreadableError(observed, remedy)
    facts = BatchInfo(
        name=visible(path.resolve().name),
        format=f"folder of {' and '.join(sorted({file.info.format for file in files}))}"
        if files
        else "folder",
        uri=str(path),
        bytes=sum(sizes),
        columns=_columns_of(files),
        files=len(sizes),
    )
    return OpenedBatch(facts, tuple(_completed(files, contract, policy)), tuple(unreadable))


def _files_in(folder: Path) -> list[tuple[str, Path]]:
    """List what a folder holds of data, by path; links too, wherever they lead."""
    found = list[Path]()
    for root, folders, files in os.walk(folder, followlinks=False):
        folders[:] = [name for name in folders if not name.startswith(_NOT_DATA)]
        here = Path(root)
        links = [name for name in folders if (here / name).is_symlink()]
        found += [here / name for name in (*files, *links) if not name.startswith(_NOT_DATA)]
    whole = {_resolved(file) for file in found if not file.is_symlink()}
    # A link to a file that is listed anyway would read its rows twice.
    once = (file for file in found if not (file.is_symlink() and _within(file, folder, whole)))
    return [(visible(file.relative_to(folder).as_posix()), file) for file in sorted(once)]


def _within(link: Path, folder: Path, listed: set[Path]) -> bool:
    target = _resolved(link)
    return target in listed or (target.is_dir() and target.is_relative_to(_resolved(folder)))


def _resolved(path: Path) -> Path:
    """Follow links to their end; unlike ``Path.resolve`` also those that lead in a circle."""
    return Path(os.path.realpath(path))


def _open(file: Path, folder: Path, contract: Contract, policy: Policy) -> Batch:
    if not _resolved(file).is_relative_to(folder):
        observed = "a symbolic link that leads out of the folder"
        raise UnreadableError(observed, f"Deliver the file itself, or {_HIDE}.")
    if not file.is_file():
        observed = "neither a file nor a folder"
        raise UnreadableError(observed, f"Deliver a file, or {_HIDE}.")
    if format_of(file) is None:
        observed = "a name that promises no format"
        remedy = f"End the name in one of {endings()}; else {_HIDE}."
        raise UnreadableError(observed, remedy)
    return open_file(file, contract, policy)


def _columns_of(files: Iterable[Batch]) -> tuple[tuple[str, str], ...]:
    said = dict[str, dict[str, None]]()
    for file in files:
        for name, kind in file.info.columns:
            said.setdefault(name, {})[kind] = None
    return tuple((name, " or ".join(kinds)) for name, kinds in said.items())


# ----- files that differ -----


def _completed(files: Sequence[Batch], contract: Contract, policy: Policy) -> Iterator[Batch]:
    """Add to each file, as nulls, the optional columns that only others have."""
    names = [{policy.rename.get(name, name) for name in file.schema.names} for file in files]
    anywhere = set[str]().union(*names)
    optional = [c.name for c in contract.columns if contract.named and not c.required]
    for file, present in zip(files, names, strict=True):
        absent = [n for n in optional if n in anywhere - present and n not in policy.rename]
        yield _with_nulls(file, absent) if absent else file


def _with_nulls(file: Batch, names: Sequence[str]) -> Batch:
    def scan() -> pl.LazyFrame:
        return file.scan().with_columns(pl.lit(None).alias(name) for name in names)

    schema = pa.schema([*file.schema, *(pa.field(name, pa.null()) for name in names)])
    said = (*file.info.columns, *((name, "null") for name in names))
    return replace(
        file,
        info=file.info.model_copy(update={"columns": said}),
        schema=schema,
        sources=(*file.sources, *names),
        scan=scan,
    )
