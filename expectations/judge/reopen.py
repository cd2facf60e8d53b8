"""Rows that were rejected once, opened again: as they arrived, under the numbers they had.

A file of rejected rows is Parquet, whatever it was made from. Text that stood for values, records
that were malformed, and objects that had to be put into words are told by what was known of the
batch when it arrived.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pyarrow as pa

from ..batch.arrow_types import source_kind
from ..batch.batch import Batch, OpenedBatch, UnreadableError
from ..batch.columns import FAULT, ROW, exact_col, unused_prefix
from ..batch.formats import format_of
from ..batch.query import READ_ERRORS, unreadable
from ..conform.objects.column import target_columns
from ..contract.types import Scalar
from ..errors import BatchNotFound, Misuse
from ..readers.parquet import open_parquet
from ..verdict.verdict import BatchInfo, Violation
from .rejected_rows import REASONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..contract.contract import Column, Contract
    from ..contract.policy import CsvDialect, Policy

_MALFORMED = "malformed_row"
_TEXTS = re.compile(r"(large_)?(string|utf8)(_view)?|JSON: text|null|dictionary<values=\w*string.*")
_WITH_RECORDS = ("csv", "json lines")
_AS_TEXT = ("string", "datetime")
_HAND_IN = "Hand in a repaired file."


class Reopened(NamedTuple):
    """Rejected rows, ready to be judged again.

    Attributes:
        opened: What ``check`` takes in place of a path.
        violations: One for each column that the model takes and whose cells were put into words, so
            that nobody can tell any more what they were.
    """

    opened: OpenedBatch
    violations: tuple[Violation, ...]


def reopen_rejected(path: Path, arrived: BatchInfo, contract: Contract, policy: Policy) -> Reopened:
    """Open a file of rejected rows as a part of the batch that they arrived in.

    Args:
        path: The file, as a split has written it.
        arrived: What was known of the batch; it says which columns were text, and of what kind.
        contract: Says what the columns are to become.
        policy: Says which names are to be renamed.

    Returns:
        The rows, ``_row`` being their position in the batch as it arrived; and what is in words.

    Raises:
        UnreadableError: It is no such file.
    """
    file = open_parquet(path)
    numbers = pl.scan_parquet(path, glob=False).collect_schema().get(ROW, pl.Null())
    if not numbers.is_integer():
        observed = f"a file without the row numbers in {ROW!r}"
        raise UnreadableError(observed, _HAND_IN)
    names: list[str] = file.schema.names
    served = target_columns(names, contract, policy)
    texts = [
        (name, column)
        for name, kind, column in zip(names, file.schema.types, served, strict=True)
        if column and source_kind(kind) == "string"
    ]
    written_as = _written_as(arrived)
    any_malformed = written_as in _WITH_RECORDS and _any_malformed(path)
    fault = unused_prefix(file.sources, FAULT) if any_malformed else None
    rows = replace(
        file,
        info=file.info.model_copy(update={"format": written_as}),
        scan=_Rows(path, file.sources, fault).scan,
        # Statistics that prove a type's rules say nothing about text that stands for values.
        footer=None,
        text=_is_text(written_as, [column for _, column in texts]),
        faults=fault,
    )
    facts = arrived.model_copy(update={"uri": str(path), "bytes": file.info.bytes})
    said = dict(arrived.columns)
    worded = [column for name, column in texts if not _was_text(said.get(name, "string"))]
    return Reopened(OpenedBatch(facts, (rows,)), tuple(map(_in_words, worded)))


def renumbered(opened: OpenedBatch, numbers: pl.Series) -> OpenedBatch:
    """Give the rows of a file other numbers.

    Args:
        opened: A file, opened.
        numbers: The number of each of its rows, in order.

    Returns:
        The same, ``_row`` being those numbers.
    """

    def looked_up(positions: pl.Series) -> pl.Series:
        return numbers.gather(positions)

    def scan_of(file: Batch) -> Callable[[], pl.LazyFrame]:
        position = pl.col(ROW).cast(pl.Int64)
        number = position.map_batches(looked_up, return_dtype=pl.Int64, is_elementwise=True)
        return lambda: file.scan().with_columns(number.alias(ROW))

    files = tuple(replace(file, scan=scan_of(file)) for file in opened.files)
    return opened._replace(files=files)


def row_numbers(path: Path, dialect: CsvDialect) -> pl.Series:
    """Read the numbers that somebody kept beside rows which he repaired.

    Args:
        path: The file.
        dialect: How CSV is written.

    Returns:
        Column ``_row``, int64, no number twice.

    Raises:
        BatchNotFound: No such file.
        Misuse: It has no such column, or something else in it.
    """
    if not path.is_file():
        msg = f"there is no file {path}. Hand in one file with the repaired rows."
        raise BatchNotFound(msg)
    try:
        numbers = _READERS[format_of(path) or ""](path, dialect)[ROW].cast(pl.Int64)
    except (KeyError, *READ_ERRORS, pa.ArrowException) as error:
        msg = (
            f"cannot read the column {ROW!r} of {path}. Hand the rows in as Parquet, CSV or JSON "
            f"lines, and keep {ROW!r} of the rejected rows: it says which row each one is."
        )
        raise Misuse(msg) from error
    if numbers.null_count() or numbers.n_unique() < len(numbers):
        msg = f"{path} has no number, or one twice, in {ROW!r}. Keep that of the rejected rows."
        raise Misuse(msg)
    return numbers


# ----- what a file of rejected rows does not say of itself -----


def _written_as(arrived: BatchInfo) -> str:
    kinds = set(arrived.format.removeprefix("folder of ").split(" and "))
    return kinds.pop() if len(kinds) == 1 else "parquet"


def _is_text(written_as: str, texts: list[Column]) -> bool:
    """Tell whether text stands for values: always in CSV; in JSON, where it has no other way."""
    if written_as != "json lines":
        return written_as == "csv"
    kinds = [column.type for column in texts]
    return all(isinstance(kind, Scalar) and kind.name in _AS_TEXT for kind in kinds)


def _was_text(said: str) -> bool:
    return all(_TEXTS.fullmatch(kind) for kind in said.split(" or "))


def _in_words(column: Column) -> Violation:
    return Violation(
        kind="type_mismatch",
        column=column.name,
        expected=str(column.type),
        observed="values of several kinds, which were put into words when they were rejected",
        remedy="Hand in a repaired file with these rows.",
        because="words do not tell whether 12 was a number or text",
    )


def _any_malformed(path: Path) -> bool:
    found = pl.scan_parquet(path, glob=False).select(_fault().is_not_null().any())
    try:
        return bool(found.collect(engine="streaming").item())
    except READ_ERRORS as error:
        raise unreadable(error) from error


def _fault() -> pl.Expr:
    reason = pl.element().filter(pl.element().str.starts_with(_MALFORMED))
    first = exact_col(REASONS).list.eval(reason).list.first()
    return first.str.strip_prefix(f"{_MALFORMED}: ")


@dataclass(frozen=True)
class _Rows:
    path: Path
    sources: tuple[str, ...]
    fault: str | None

    def scan(self) -> pl.LazyFrame:
        # As in ``parquet``: lying statistics drop rows from both sides of a split.
        lazy = pl.scan_parquet(self.path, use_statistics=False, glob=False, hive_partitioning=False)
        told = [_fault().alias(self.fault)] if self.fault else []
        return lazy.select(pl.col(ROW).cast(pl.Int64), *map(exact_col, self.sources), *told)


# ----- numbers beside repaired rows -----


def _of_parquet(path: Path, _: CsvDialect) -> pl.DataFrame:
    return pl.read_parquet(path, columns=[ROW], glob=False, hive_partitioning=False)


def _of_csv(path: Path, dialect: CsvDialect) -> pl.DataFrame:
    return pl.read_csv(
        path,
        columns=[ROW],
        separator=dialect.delimiter,
        quote_char=dialect.quote or None,
        encoding=dialect.encoding,
        infer_schema=False,
        truncate_ragged_lines=True,
        glob=False,
    )


def _of_json_lines(path: Path, _: CsvDialect) -> pl.DataFrame:
    return pl.read_ndjson(path, schema={ROW: pl.Int64})


_READERS: dict[str, Callable[[Path, CsvDialect], pl.DataFrame]] = {
    "parquet": _of_parquet,
    "csv": _of_csv,
    "json lines": _of_json_lines,
}
