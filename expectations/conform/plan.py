"""The plan of a file: how each of its columns is cast, and the checks that its rows can fail."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW, exact_col
from .row_check import RowCheck

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from ..batch.batch import ObjectCells
    from ..batch.statistics import ColumnStatistics
    from .column import ColumnPlan


_UUID_PARTS = ((0, 8), (8, 4), (12, 4), (16, 4), (20, 12))


@dataclass(frozen=True)
class BatchPlan:
    """What the schema stage makes of a file.

    Attributes:
        columns: One plan for each column of the contract that arrived, in the contract's order.
        kept: Contract-side name and cells of each column that is carried through.
        record_checks: Checks of records as a whole.
        objects: Columns of Python objects, by scan name.
        record_fault: Column of the scan that holds what is wrong with a record.
        rule_checks: Checks of the user's own rules.
    """

    columns: tuple[ColumnPlan, ...]
    kept: tuple[tuple[str, pl.Expr], ...]
    record_checks: tuple[RowCheck, ...] = ()
    objects: Mapping[str, ObjectCells] = field(default_factory=dict[str, "ObjectCells"])
    record_fault: str | None = None
    rule_checks: tuple[RowCheck, ...] = ()

    @cached_property
    def row_checks(self) -> tuple[RowCheck, ...]:
        """Every check of the file, those of records first, the user's rules last."""
        fault = pl.col(self.record_fault) if self.record_fault else None
        of_columns = [
            replace(check, column=plan.column.name, sample=self._cell(plan.source_name))
            for plan in self.columns
            for check in plan.checks
        ]
        return (
            *(replace(check, sample=fault) for check in self.record_checks),
            *_without_repeats(of_columns),
            *self.rule_checks,
        )

    def _cell(self, source_name: str) -> pl.Expr:
        objects = self.objects.get(source_name)
        return exact_col(objects.objects if objects else source_name)

    def is_rejected(self) -> pl.Expr:
        """True in rows that fail a blocking check."""
        masks = [check.mask for check in self.row_checks if check.blocks]
        return pl.any_horizontal(masks) if masks else pl.lit(value=False)

    def select_exprs(self) -> list[pl.Expr]:
        """Select ``_row``, the contract's columns in its types, and the kept columns."""
        taken = {plan.column.name for plan in self.columns}
        kept = [cells.alias(name) for name, cells in self.kept if name not in taken]
        return [pl.col(ROW).cast(pl.Int64), *(plan.value for plan in self.columns), *kept]


def _without_repeats(checks: Sequence[RowCheck]) -> list[RowCheck]:
    """Join the checks that say the same of a column, so that a row fails them once."""
    joined = dict[tuple[str | None, ...], RowCheck]()
    for check in checks:
        words = (check.column, check.kind, check.expected, check.observed, check.because)
        joined[words] = _either(joined[words], check) if words in joined else check
    return list(joined.values())


def _either(one: RowCheck, other: RowCheck) -> RowCheck:
    def ruled_out_by(known: ColumnStatistics) -> bool:
        return one.ruled_out_by(known) and other.ruled_out_by(known)

    return replace(one, fails=one.mask | other.mask, ruled_out_by=ruled_out_by)


def kept_cells(source_name: str, arrow: pa.DataType) -> pl.Expr:
    """Select a column that is carried through; UUIDs as text, because Polars has only bytes."""
    cells = exact_col(source_name)
    if getattr(arrow, "extension_name", "") != "arrow.uuid":
        return cells
    digits = cells.cast(pl.Binary).bin.encode("hex")
    parts = [digits.str.slice(start, length) for start, length in _UUID_PARTS]
    return pl.concat_str(parts, separator="-")
