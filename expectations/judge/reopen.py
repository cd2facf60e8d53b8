"""Rejected rows, opened again as they arrived, under the numbers that they had.

Rejected rows are stored as Parquet, whatever they were made from. Which columns were text that
stood for values, and which records were malformed, is known from the info of the batch.
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
from ..batch.query import READ_ERRORS, collect
from ..batch.streaming import WithColumns
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
        violations: One for each column of the model's whose cells were stored as text, so that
            their types are lost.
    """

    opened: OpenedBatch
    violations: tuple[Violation, ...]


def reopen_rejected(path: Path, arrived: BatchInfo, contract: Contract, policy: Policy) -> Reopened:
    """Open a file of rejected rows as a part of the batch that they arrived in.

    Raises:
        UnreadableError: It has no row numbers, or is no Parquet file.
    """
    file = open_parquet(path)
    _refuse_without_numbers(path)
    texts = _text_columns(file, contract, policy)
    format_name = _format_of(arrived)
    any_malformed = format_name in _WITH_RECORDS and _any_malformed(path)
    faults = unused_prefix(file.sources, FAULT) if any_malformed else None
    rows = replace(
        file,
        info=file.info.model_copy(update={"format": format_name}),
        scan=_RejectedRows(path, file.sources, faults).scan,
        # Statistics that prove a type's rules say nothing about text that stands for values.
        footer=None,
        text=_is_text(format_name, [column for _, column in texts]),
        faults=faults,
    )
    info = arrived.model_copy(update={"uri": str(path), "bytes": file.info.bytes})
    types = dict(arrived.columns)
    lost = (column for name, column in texts if not _was_text(types.get(name, "string")))
    return Reopened(OpenedBatch(info, (rows,)), tuple(map(_type_lost, lost)))


def renumbered(opened: OpenedBatch, numbers: pl.Series) -> OpenedBatch:
    """Give the rows of a file other numbers, in order: ``_row`` becomes those."""

    def looked_up(positions: pl.Series) -> pl.Series:
        return numbers.gather(positions)

    position = pl.col(ROW).cast(pl.Int64)
    number = position.map_batches(looked_up, return_dtype=pl.Int64, is_elementwise=True)
    stages = ([number.alias(ROW)],)
    files = tuple(replace(f, scan=WithColumns(f.scan, stages)) for f in opened.files)
    return opened._replace(files=files)


def row_numbers(path: Path, dialect: CsvDialect) -> pl.Series:
    """Read ``_row``, int64 and distinct, of a file with repaired rows.

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


def _refuse_without_numbers(path: Path) -> None:
    numbers = pl.scan_parquet(path, glob=False).collect_schema().get(ROW, pl.Null())
    if not numbers.is_integer():
        observed = f"a file without the row numbers in {ROW!r}"
        raise UnreadableError(observed, _HAND_IN)


def _text_columns(file: Batch, contract: Contract, policy: Policy) -> list[tuple[str, Column]]:
    names: list[str] = file.schema.names
    columns = zip(names, file.schema.types, target_columns(names, contract, policy), strict=True)
    return [
        (name, target)
        for name, arrow, target in columns
        if target and source_kind(arrow) == "string"
    ]


# ----- what a file of rejected rows does not record -----


def _format_of(arrived: BatchInfo) -> str:
    formats = set(arrived.format.removeprefix("folder of ").split(" and "))
    return formats.pop() if len(formats) == 1 else "parquet"


def _is_text(format_name: str, texts: list[Column]) -> bool:
    """Tell whether text stands for values: always in CSV; in JSON for types that it lacks."""
    if format_name != "json lines":
        return format_name == "csv"
    types = [column.type for column in texts]
    return all(isinstance(type_, Scalar) and type_.name in _AS_TEXT for type_ in types)


def _was_text(type_names: str) -> bool:
    return all(_TEXTS.fullmatch(name) for name in type_names.split(" or "))


def _type_lost(column: Column) -> Violation:
    return Violation(
        kind="type_mismatch",
        column=column.name,
        expected=str(column.type),
        observed="values of several types, which were written as text when they were rejected",
        remedy="Hand in a repaired file with these rows.",
        because="the text does not say whether 12 was a number or text",
    )


def _any_malformed(path: Path) -> bool:
    rows = pl.scan_parquet(path, glob=False)
    return bool(collect(rows.select(_fault().is_not_null().any())).item())


def _fault() -> pl.Expr:
    reason = pl.element().filter(pl.element().str.starts_with(_MALFORMED))
    first = exact_col(REASONS).list.eval(reason).list.first()
    return first.str.strip_prefix(f"{_MALFORMED}: ")


@dataclass(frozen=True)
class _RejectedRows:
    path: Path
    sources: tuple[str, ...]
    faults: str | None

    def scan(self) -> pl.LazyFrame:
        # As in ``parquet``: lying statistics drop rows from both sides of a split.
        lazy = pl.scan_parquet(self.path, use_statistics=False, glob=False, hive_partitioning=False)
        faults = [_fault().alias(self.faults)] if self.faults else []
        return lazy.select(pl.col(ROW).cast(pl.Int64), *map(exact_col, self.sources), *faults)


# ----- numbers beside repaired rows -----


def _of_parquet(path: Path, _: CsvDialect) -> pl.DataFrame:
    return pl.read_parquet(path, columns=[ROW], glob=False, hive_partitioning=False)


def _of_csv(path: Path, dialect: CsvDialect) -> pl.DataFrame:
    return pl.read_csv(
        path,
        columns=[ROW],
        separator=dialect.for_file(path.name).delimiter or ",",
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
