"""Open what arrives: its schema at once, its rows only when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast
from urllib.parse import unquote, urlparse

import numpy as np
import pyarrow as pa

from ..errors import UnsupportedBatch
from ..verdict.verdict import BatchFacts
from .arrow_types import RESERVED, type_name, unique
from .formats import format_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import polars as pl

    from ..conform.text import Parsed
    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..verdict.verdict import Kind
    from .statistics import Footer

ROW = "_row"


class UnreadableError(Exception):
    """The content is not what its format promises; judging turns this into a violation."""

    def __init__(
        self, observed: str, remedy: str, kind: Kind = "unreadable", quoted: str = ""
    ) -> None:
        """Keep the parts from which the violation is made.

        Args:
            observed: What was found, in words that hold no value of the batch.
            remedy: What to do about it.
            kind: Of which kind the violation is.
            quoted: What a library said of it, which may hold values.
        """
        super().__init__(f"{observed} ({quoted})" if quoted else observed)
        self.observed = observed
        self.remedy = remedy
        self.kind: Kind = kind
        self.quoted = quoted

    def told(self, *, redact: bool) -> str:
        """Say what was found; under redact without what a library said."""
        return self.observed if redact else str(self)


@dataclass(frozen=True)
class ObjectCells:
    """Where a scan has a column of Python objects; under its own name it has their typed form.

    Attributes:
        objects: Name of the column with the objects themselves.
        faults: Name of the column with the faults of each cell, as bits; None if there can be none.
        words: The objects in words.
        hopeless: Whether no cell has a typed form, so that the column as a whole does not conform.
    """

    objects: str
    faults: str | None
    words: pl.Expr = field(compare=False)
    hopeless: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch, or one file of a folder, that has been opened and not yet read.

    Attributes:
        facts: Name, place, size and columns.
        schema: Arrow types by arriving name, reserved columns left out, duplicates kept.
        sources: The name by which ``scan`` knows each column of the schema, in its order.
        scan: Makes a lazy frame of ``_row`` (position from 0) and the sources.
        rows: How many rows there are, where that is known without reading them.
        footer: Parquet's statistics, where there are some.
        text: Whether every cell is text that stands for a value.
        faults: Column of ``scan`` that says why a record is malformed, if there is one.
        nullable: Whether its cells can be null at all; those of numpy arrays cannot.
        objects: Columns of Python objects, by source.
        parsed: Where ``scan`` has the values of columns of text, by source.
    """

    facts: BatchFacts
    schema: pa.Schema
    sources: tuple[str, ...]
    scan: Callable[[], pl.LazyFrame]
    rows: int | None = None
    footer: Footer | None = None
    text: bool = False
    faults: str | None = None
    nullable: bool = True
    objects: Mapping[str, ObjectCells] = field(default_factory=dict[str, ObjectCells])
    parsed: Mapping[str, Parsed] = field(default_factory=dict[str, "Parsed"])


class Opened(NamedTuple):
    """What arrived as a unit.

    Attributes:
        facts: Of the unit.
        files: What can be judged: the files of a folder, or the only file or frame.
        unreadable: Files of a folder that cannot be opened, and why.
    """

    facts: BatchFacts
    files: tuple[Batch, ...]
    unreadable: tuple[tuple[str, UnreadableError], ...] = ()


def open_batch(batch: Any, contract: Contract, policy: Policy) -> Opened:
    """Open a batch of any kind that the gate reads.

    Args:
        batch: A path or ``file://`` URL of a file or of a folder of files, a pandas, Polars or
            Arrow frame, an ndarray, or a dictionary of ndarrays; or one that is open already.
            ``formats.FORMATS`` lists the files.
        contract: Says how a bare array is to be named, and what cells of objects are to become.
        policy: Says how CSV is written, and how text is understood.

    Returns:
        The batch, its schema known; rows are unread, but for those of objects and JSON lines.

    Raises:
        BatchNotFound: No such file.
        UnsupportedBatch: An object or a format that the gate does not read.
        UnreadableError: The content is not what its format promises.
    """
    if isinstance(batch, Opened):
        return batch
    if isinstance(batch, str | Path):
        from ..readers.file import open_path

        return open_path(local_path(batch), contract, policy)
    if _is_array(batch):
        from ..readers.numpy_arrays import open_arrays

        return _alone(open_arrays(batch, contract))
    from ..readers.frames import open_frame

    return _alone(open_frame(batch, contract, policy))


def _alone(batch: Batch) -> Opened:
    return Opened(batch.facts, (batch,))


def _is_array(batch: Any) -> bool:
    if isinstance(batch, dict):
        return all(isinstance(value, np.ndarray) for value in cast("Any", batch).values())
    return isinstance(batch, np.ndarray)


def describe_batch(batch: Any) -> BatchFacts:
    """Say what can be said of a batch that could not be opened."""
    if not isinstance(batch, str | Path):
        return BatchFacts(name=type(batch).__name__, format=type(batch).__module__.split(".")[0])
    path = local_path(batch)
    written_as = "folder" if path.is_dir() else format_of(path) or path.suffix.lstrip(".")
    return file_facts(path, written_as, pa.schema([]))


def file_facts(path: Path, written_as: str, schema: pa.Schema) -> BatchFacts:
    """Describe a file by its name, place, size and columns."""
    return BatchFacts(
        name=in_unicode(path.name),
        format=written_as,
        uri=in_unicode(str(path)),
        bytes=path.stat().st_size if path.is_file() else None,
        columns=columns_of(schema),
    )


def in_unicode(name: str) -> str:
    """Name the bytes that are no UTF-8: Python has them as half characters, which no file takes."""
    return name.encode("utf-8", "backslashreplace").decode()


def columns_of(schema: pa.Schema) -> tuple[tuple[str, str], ...]:
    """List names and types as they arrived."""
    return tuple((field.name, type_name(field.type)) for field in schema)


def sources_of(schema: pa.Schema) -> tuple[str, ...]:
    """Give each column of a schema a name of its own."""
    return tuple(unique(schema.names))


def exactly(name: str) -> pl.Expr:
    """Mean the column of this very name: Polars takes some, such as ``*``, for patterns."""
    import polars as pl
    import polars.selectors as cs

    # Selectors look at every column each time: with hundreds of columns that takes minutes.
    is_pattern = name == "*" or (name.startswith("^") and name.endswith("$"))
    return cs.by_name(name).as_expr() if is_pattern else pl.col(name)


def without_reserved(schema: pa.Schema) -> pa.Schema:
    """Leave out the columns that an earlier split added."""
    return pa.schema([field for field in schema if field.name not in RESERVED])


def numbered(frame: pl.LazyFrame, arrived: list[str]) -> pl.LazyFrame:
    """Put row positions in front, in place of reserved columns from an earlier split."""
    stale = [name for name in arrived if name in RESERVED]
    return frame.drop(stale).with_row_index(ROW)


def local_path(batch: str | Path) -> Path:
    """Turn a path or a ``file://`` URL into a path.

    Raises:
        UnsupportedBatch: A URL of another scheme.
    """
    text = str(batch)
    if text.startswith("file://"):
        return Path(unquote(urlparse(text).path))
    if "://" in text:
        scheme = text.split("://", 1)[0]
        msg = f"cannot read {scheme}:// batches; bring the file to a local path first."
        raise UnsupportedBatch(msg)
    return Path(batch)
