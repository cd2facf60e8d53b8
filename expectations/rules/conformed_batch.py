"""The conformed rows of a batch, laid out for rules: file by file, and as one whole.

Rules speak about rows that meet the contract. So each file's scan is given, under names that no
file has, the conformed value of each column, whether the row is good, and its position.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.columns import ROW, unused_prefix
from ..batch.query import collect
from ..batch.streaming import WithColumns
from ..conform.model_input import to_pandas
from .conditions import columns_of, mask_of
from .operands import Operand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import pandas as pd

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..contract.contract import Column
    from .condition_parser import Condition


@dataclass(frozen=True)
class RowLocations:
    """Where rows are.

    Attributes:
        files: Number of the file of each row.
        rows: Its position within the file.
    """

    files: pl.Series
    rows: pl.Series

    def among(self, file: int, row: str) -> pl.Expr:
        """Select the rows of one file that are here."""
        here = self.rows.filter(self.files == file).cast(pl.Int64)
        return pl.col(row).cast(pl.Int64).is_in(here.implode())

    def take(self, positions: Sequence[int]) -> RowLocations:
        """Choose some by their position in this list."""
        chosen = pl.Series(positions, dtype=pl.Int64)
        return RowLocations(self.files.gather(chosen), self.rows.gather(chosen))


@dataclass(frozen=True)
class ConformedBatch:
    """A batch whose files all conform to the contract.

    Attributes:
        files: Each file with the plan of its columns.
        contract: The contract's columns.
    """

    files: tuple[tuple[Batch, BatchPlan], ...]
    contract: tuple[Column, ...]

    @cached_property
    def _mark(self) -> str:
        sources = [s for batch, _ in self.files for s in batch.scan().collect_schema()]
        return unused_prefix(sources, "#")

    @property
    def is_valid(self) -> str:
        """Name of the column that says whether a row meets the contract."""
        return f"{self._mark}good"

    @property
    def row(self) -> str:
        """Name of the column that holds a row's position within its file."""
        return f"{self._mark}row"

    @property
    def _file(self) -> str:
        return f"{self._mark}file"

    @cached_property
    def columns(self) -> list[Column]:
        """The columns that arrived in any file, in the contract's order."""
        arrived = {way.column.name for _, plan in self.files for way in plan.columns}
        return [column for column in self.contract if column.name in arrived]

    @cached_property
    def operands(self) -> dict[str, Operand]:
        """These columns, as rules see them."""
        return {column.name: Operand.of(column, self._name(column)) for column in self.columns}

    @cached_property
    def _numbers(self) -> dict[str, int]:
        return {column.name: number for number, column in enumerate(self.contract)}

    def _name(self, column: Column) -> str:
        return f"{self._mark}{self._numbers[column.name]}"

    def with_conformed(self, number: int) -> Batch:
        """Lay out one file.

        Returns:
            The same file, whose scan has the columns of ``operands``, ``good`` and ``row`` too.
        """
        batch, plan = self.files[number]
        if id(plan) not in self._stages:
            self._stages[id(plan)] = self._conformed(plan)
        return replace(batch, scan=WithColumns(batch.scan, self._stages[id(plan)]))

    @cached_property
    def _stages(self) -> dict[int, tuple[list[pl.Expr], ...]]:
        return {}

    def _conformed(self, plan: BatchPlan) -> tuple[list[pl.Expr], ...]:
        values = [
            (way.value.fill_nan(None) if way.dtype.is_float() else way.value).alias(
                self._name(way.column)
            )
            for way in plan.columns
        ]
        is_valid = (~plan.is_rejected()).alias(self.is_valid)
        return [pl.col(ROW).alias(self.row)], [is_valid, *values]

    def valid_rows(self, names: Iterable[str]) -> pl.LazyFrame:
        """Put the good rows of all files together.

        Returns:
            The columns of these ``operands``, ``good``, ``row``, and the number of the file.
        """
        named = set(names)
        wanted = [column for column in self.columns if column.name in named]
        files = [self._good_rows(number, wanted) for number in range(len(self.files))]
        return pl.concat(files, how="diagonal_relaxed") if len(files) > 1 else files[0]

    def _good_rows(self, number: int, wanted: list[Column]) -> pl.LazyFrame:
        there = {way.column.name for way in self.files[number][1].columns}
        names = [self._name(column) for column in wanted if column.name in there]
        rows = self.with_conformed(number).scan().filter(pl.col(self.is_valid))
        return rows.select(pl.lit(number).alias(self._file), self.row, self.is_valid, *names)

    @property
    def place(self) -> tuple[str, str]:
        """Names of the columns of ``good_rows`` that say where a row is."""
        return self._file, self.row

    def places(self, rows: pl.DataFrame) -> RowLocations:
        """Tell where rows of ``good_rows`` are."""
        return RowLocations(rows[self._file], rows[self.row])

    def in_pandas(
        self, names: Sequence[str], condition: Condition | None = None
    ) -> tuple[pd.DataFrame, RowLocations]:
        """Collect the good rows as GX receives them.

        Returns:
            The model's own types under the contract's names, rows numbered from 0; and where the
            rows are.
        """
        if condition is None:
            rows = collect(self.valid_rows(names))
        else:
            valid = self.valid_rows([*names, *columns_of(condition)])
            rows = collect(valid.filter(mask_of(condition, self.operands)))
        named = set(names)
        chosen = [column for column in self.columns if column.name in named]
        labels = {self._name(column): column.name for column in chosen}
        frame: Any = to_pandas(rows.rename(labels), chosen)
        frame.columns = [column.name for column in chosen]
        return frame, self.places(rows)
