"""The plan of a file: how each of its columns conforms, and the rules its rows can break."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW, exact_col

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..batch.batch import ObjectCells
    from ..batch.statistics import ColumnStatistics
    from .column import ColumnPlan
    from .row_check import RowCheck


@dataclass(frozen=True)
class Owned:
    """A rule that rows can break, and whose it is.

    Attributes:
        fault: The rule.
        column: Contract-side name of the column that it belongs to; None for whole records.
        shown: Expression of the cell to show as a sample; None for nothing.
        rule: Number of the user's rule that it is; None for the contract's own.
    """

    fault: RowCheck
    column: str | None
    shown: pl.Expr | None
    rule: int | None = None


@dataclass(frozen=True)
class BatchPlan:
    """What the schema stage makes of a file.

    Attributes:
        columns: One way for each column of the contract that arrived, in the contract's order.
        kept: Contract-side name and source of each column that is carried through.
        records: Rules about records as a whole.
        objects: Columns of Python objects, by source.
        told: Column of the scan with what is wrong with a record, and the record itself.
        rules: Rules of the user's own.
    """

    columns: tuple[ColumnPlan, ...]
    kept: tuple[tuple[str, str], ...]
    records: tuple[RowCheck, ...] = ()
    objects: Mapping[str, ObjectCells] = field(default_factory=dict[str, "ObjectCells"])
    told: str | None = None
    rules: tuple[Owned, ...] = ()

    def row_checks(self) -> list[Owned]:
        """List every rule with its owner."""
        told = pl.col(self.told) if self.told else None
        of_records = [Owned(fault, None, told) for fault in self.records]
        of_columns = [
            Owned(fault, way.column.name, self._shown(way.source))
            for way in self.columns
            for fault in way.faults
        ]
        return [*of_records, *_distinct(of_columns), *self.rules]

    def _shown(self, source: str) -> pl.Expr:
        cells = self.objects.get(source)
        return exact_col(cells.objects if cells else source)

    def is_rejected(self) -> pl.Expr:
        """True in rows that break a blocking rule."""
        masks = [
            owned.fault.mask for owned in self.row_checks() if owned.fault.severity == "critical"
        ]
        return pl.any_horizontal(masks) if masks else pl.lit(value=False)

    def select_exprs(self) -> list[pl.Expr]:
        """Select ``_row``, the contract's columns in its types, and the kept columns."""
        taken = {way.column.name for way in self.columns}
        kept = [exact_col(source).alias(name) for name, source in self.kept if name not in taken]
        return [pl.col(ROW).cast(pl.Int64), *(way.value for way in self.columns), *kept]


def _distinct(owned: Sequence[Owned]) -> list[Owned]:
    """Join the rules that say the same of a column, so that a row breaks it once."""
    joined = dict[tuple[str | None, ...], Owned]()
    for one in owned:
        fault = one.fault
        same = (one.column, fault.kind, fault.expected, fault.observed, fault.because)
        earlier = joined.get(same)
        joined[same] = replace(one, fault=_either(earlier.fault, fault)) if earlier else one
    return list(joined.values())


def _either(one: RowCheck, other: RowCheck) -> RowCheck:
    def absent(known: ColumnStatistics) -> bool:
        return one.ruled_out_by(known) and other.ruled_out_by(known)

    return replace(one, fails=one.mask | other.mask, ruled_out_by=absent)
