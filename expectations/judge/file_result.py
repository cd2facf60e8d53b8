"""One file of a batch, with the result of each stage."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..batch.columns import ROW
from ..batch.statistics import ColumnValues, ScannedColumn, values_in
from ..batch.streaming import ReadInPieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..batch.batch import Batch, UnreadableError
    from ..conform.plan import BatchPlan
    from ..conform.row_check import RowCheck
    from ..verdict.conversion import Conversion
    from ..verdict.verdict import Evidence, Violation
    from .learned.sample import Sampler


class RuleCounts(NamedTuple):
    """How many rows a user's rule applies to, and how many of these break it."""

    element_count: int
    unexpected_count: int


@dataclass(frozen=True)
class FileResult:
    """A file of a batch, or the only file or frame.

    Attributes:
        batch: The opened file.
        plan: How its columns conform; None if rows cannot be judged for names or types.
        schema_violations: Names and types that do not fit.
        conversions: Columns that arrive in another type.
        first_row: Position of its first row in the whole batch.
        row_count: Rows in it, as the scan counted them; None for a lazy frame that was not scanned.
        rejected: Rows that break a blocking check.
        run: Positions in it of the first rejected row and of the last, if the scan numbers rows.
        row_violations: One for each check that rows break.
        undecided: The checks that no statistics settle.
        evidence: For each column, the stage that decided it.
        rule_counts: By key, the users' rules that the scan judged.
        scanned: What the scan saw of the values of columns, by arriving name.
        unreadable: Why its rows could not be read to the end.
        sampler: Takes rows on the way of the scan; None where nothing was learned of values.
    """

    batch: Batch
    plan: BatchPlan | None
    schema_violations: tuple[Violation, ...] = ()
    conversions: tuple[Conversion, ...] = ()
    first_row: int = 0
    row_count: int | None = 0
    rejected: int = 0
    run: tuple[int, int] | None = None
    row_violations: tuple[Violation, ...] = ()
    undecided: tuple[RowCheck, ...] = ()
    evidence: Mapping[str, Evidence] = field(default_factory=dict[str, "Evidence"])
    rule_counts: Mapping[int, RuleCounts] = field(default_factory=dict[int, RuleCounts])
    scanned: Mapping[str, ColumnValues] = field(default_factory=dict[str, ColumnValues])
    unreadable: UnreadableError | None = None
    sampler: Sampler | None = None

    @property
    def name(self) -> str:
        """The file's name, or the kind of object."""
        return self.batch.info.name

    def values(self) -> dict[str, ColumnValues]:
        """Say what is known of columns without reading them once more, by arriving name."""
        batch, values = self.batch, dict(self.scanned)
        for source, name in zip(batch.sources, batch.schema.names, strict=True):
            for _, known in islice(batch.known(source), 1):
                values[name] = values_in(known)
        return values

    def parsed_columns(self) -> list[ScannedColumn]:
        """List the columns that a scan parses: a look at values costs more in Arrow's formats."""
        batch = self.batch
        if self.plan is None or not batch.is_parsed:
            return []
        # Of names that are repeated, nothing could be told apart.
        once = {name for name, times in Counter(batch.schema.names).items() if times == 1}
        names = {s: n for s, n in zip(batch.sources, batch.schema.names, strict=True) if n in once}
        columns = [(c, c.source, names.get(c.source_name)) for c in self.plan.columns]
        return [
            ScannedColumn(name, source.parsed.cell, source.parsed.value, column.dtype)
            if source.parsed
            else ScannedColumn(name, source.expr, source.expr, source.dtype)
            for column, source, name in columns
            if name is not None
        ]

    def rows(self) -> pl.LazyFrame:
        """Scan it, with ``_row`` as the position within the whole batch."""
        return self.numbered(self.batch.scan())

    def in_pieces(self, exprs: Sequence[pl.Expr], rows: int) -> Iterator[pl.DataFrame]:
        """Read expressions of its rows, in order and so many at a time, in bounded memory."""
        scan = self.batch.scan
        pieces = scan.pieces(rows) if isinstance(scan, ReadInPieces) else None
        if pieces is None:
            query = self.rows().select(*exprs)
            pieces = query.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")
            yield from pieces
            return
        for piece in pieces:
            yield self.numbered(piece).select(*exprs).collect()

    def numbered(self, rows: pl.LazyFrame) -> pl.LazyFrame:
        """Make the numbers of rows, from 0 in this file, those of the whole batch."""
        return rows.with_columns(pl.col(ROW).cast(pl.Int64) + self.first_row)
