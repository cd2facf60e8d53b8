"""What arrives once it is open: its schema is known, its rows are read when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ..verdict.verdict import BatchInfo
from .arrow_types import type_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    import polars as pl
    import pyarrow as pa

    from ..verdict.verdict import Evidence, Kind
    from .statistics import ColumnStatistics, Statistics


class UnreadableError(Exception):
    """The content is not what its format promises; judging turns this into a violation."""

    def __init__(
        self, observed: str, remedy: str, kind: Kind = "unreadable", quoted: str = ""
    ) -> None:
        """Keep the parts from which the violation is made."""
        super().__init__(f"{observed} ({quoted})" if quoted else observed)
        self.observed = observed
        self.remedy = remedy
        self.kind: Kind = kind
        self.quoted = quoted

    def __reduce__(self) -> tuple[type[UnreadableError], tuple[str, str, Kind, str]]:
        """Pickle by parts: workers find some too."""
        return type(self), (self.observed, self.remedy, self.kind, self.quoted)

    def describe(self, *, redact: bool) -> str:
        """Say what was found; under redact without what a library said."""
        return self.observed if redact else str(self)


class EmptyFileError(UnreadableError):
    """The file holds nothing at all: among other files of a folder it has no rows."""


@dataclass(frozen=True)
class ObjectCells:
    """Where a scan has a column of Python objects; under its own name it has their typed form.

    Attributes:
        objects: Name of the column with the objects themselves.
        faults: Name of the column with the faults of each cell, as bits; None if there can be none.
        words: The objects in words.
        unconvertible: Whether no cell has a typed form, so that no row can conform.
    """

    objects: str
    faults: str | None
    words: pl.Expr = field(compare=False)
    unconvertible: bool = False


@dataclass(frozen=True)
class Batch:
    """A batch, or one file of a folder, that has been opened and not yet read.

    Attributes:
        info: Name, place, size and columns.
        schema: Arrow types by arriving name, reserved columns left out, duplicates kept.
        sources: The name by which ``scan`` knows each column of the schema, in its order.
        scan: Makes a lazy frame of ``_row`` (position from 0) and the sources.
        rows: How many rows there are, where that is known without reading them.
        table: By source, what the log of the table says of which it is a file.
        footer: Parquet's statistics, where there are some.
        text: Whether every cell is text that stands for a value.
        texts: Sources whose cells are such text where those of the others are not.
        faults: Column of ``scan`` that says why a record is malformed, if there is one.
        nullable: Whether its cells can be null at all; those of numpy arrays cannot.
        objects: Columns of Python objects, by source.
        parsed: Where ``scan`` has the values of columns of text, by source.
    """

    info: BatchInfo
    schema: pa.Schema
    sources: tuple[str, ...]
    scan: Callable[[], pl.LazyFrame]
    rows: int | None = None
    table: Mapping[str, ColumnStatistics] = field(default_factory=dict[str, "ColumnStatistics"])
    footer: Statistics | None = None
    text: bool = False
    texts: frozenset[str] = frozenset()
    faults: str | None = None
    nullable: bool = True
    objects: Mapping[str, ObjectCells] = field(default_factory=dict[str, ObjectCells])
    parsed: Mapping[str, ParsedText] = field(default_factory=dict[str, "ParsedText"])

    @property
    def is_parsed(self) -> bool:
        """Whether a scan makes values of characters, in whatever format."""
        return self.text or "json" in self.info.format

    @cached_property
    def dtypes(self) -> pl.Schema:
        """The Polars type of each column of ``scan``."""
        stated: pl.Schema | None = getattr(self.scan, "dtypes", None)
        return stated or self.scan().collect_schema()

    def known(self, source: str) -> Iterator[tuple[Evidence, ColumnStatistics]]:
        """Say what is known of a column, by the stages that know it; the first costs least."""
        if source in self.table:
            yield "table", self.table[source]
        if self.footer and (known := self.footer.statistics(source)):
            yield "footer", known

    def is_text(self, source: str) -> bool:
        """Tell whether the cells of a column are text that stands for values."""
        return self.text or source in self.texts


class OpenedBatch(NamedTuple):
    """What arrived as a unit.

    Attributes:
        info: Of the unit.
        files: What can be judged: the files of a folder, or the only file or frame.
        unreadable: Files of a folder that cannot be opened, and why.
    """

    info: BatchInfo
    files: tuple[Batch, ...]
    unreadable: tuple[tuple[str, UnreadableError], ...] = ()


def file_facts(path: Path, written_as: str, schema: pa.Schema) -> BatchInfo:
    """Describe a file by its name, place, size and columns."""
    return BatchInfo(
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


class ParsedText(NamedTuple):
    """Cells of text as values.

    Attributes:
        cell: The text, null where the cell is null.
        value: The value in the model's type; null where the cell holds none.
        unparseable: True where the text is not of the type's grammar.
        out_of_range: True where the type has no such magnitude.
        not_representable: True where the type would have to round an integer.
        example: What such text looks like.
    """

    cell: pl.Expr
    value: pl.Expr
    unparseable: pl.Expr
    out_of_range: pl.Expr
    not_representable: pl.Expr
    example: str
