"""What runs in Spark's Python workers: the gate itself, on one piece of a partition after another.

A piece is judged as a file of a folder is, and what is counted in it travels as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa
from pydantic import BaseModel

from ..batch.columns import ROW
from ..errors import BatchChanged
from ..judge.batch_result import BatchResult
from ..judge.checking import plan
from ..judge.file_result import RuleCounts
from ..judge.rejected_rows import REASONS, reasons_of
from ..judge.scan_stage import scan_files
from ..verdict.verdict import Violation
from .frame import open_arrow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..judge.file_result import FileResult
    from ..judge.request import CheckRequest
    from ..verdict.verdict import Verdict

# Rows that are judged together: a query of Polars costs as much as some thousand rows.
_TOGETHER = 262_144
COUNTS = "counts string"
_OLDEST, _TEXTS = pl.CompatLevel.oldest(), pa.list_(pa.string())


class PartCounts(BaseModel):
    """What was counted in a part of a batch.

    Attributes:
        rows: Its rows.
        rejected: Those that break a blocking check.
        violations: One for each check that rows break.
        rules: By number, how many rows each rule was applied to, and how many break it.
    """

    rows: int = 0
    rejected: int = 0
    violations: tuple[Violation, ...] = ()
    rules: dict[int, RuleCounts] = {}

    @classmethod
    def of(cls, file: FileResult) -> PartCounts:
        """Keep what was counted."""
        counts = dict(file.rule_counts)
        return cls(
            rows=file.row_count or 0,
            rejected=file.rejected,
            violations=file.row_violations,
            rules=counts,
        )

    def counted_in(self, file: FileResult) -> FileResult:
        """Say of a planned file what was counted."""
        return replace(
            file,
            row_count=self.rows,
            rejected=self.rejected,
            row_violations=self.violations,
            rule_counts=self.rules,
        )


def merged(parts: Iterable[PartCounts], planned: FileResult, sample_rows: int) -> PartCounts:
    """Add up parts as the files of a folder are; rows of a table have no numbers."""
    counted = [part.counted_in(planned) for part in parts]
    whole = BatchResult(tuple(counted))
    rules = dict[int, RuleCounts]()
    for part in counted:
        for rule, (applied, broken) in part.rule_counts.items():
            before = rules.get(rule, RuleCounts(0, 0))
            rules[rule] = RuleCounts(before[0] + applied, before[1] + broken)
    unplaced = {"rows": (), "files": ()}
    return PartCounts(
        rows=whole.row_count or 0,
        rejected=whole.rejected,
        violations=tuple(
            violation.model_copy(update=unplaced) for violation in whole.row_violations(sample_rows)
        ),
        rules=rules,
    )


@dataclass(frozen=True)
class Worker:
    """The stages of a partition.

    Attributes:
        request: What the rows are judged by.
        names: The names of all columns as they arrived.
        used: Positions of those that the contract or ``keep`` is about.
    """

    request: CheckRequest
    names: tuple[str, ...]
    used: tuple[int, ...]

    def count(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count, in the used columns, the rows that fail each check."""
        policy, found, planned = self.request.policy, list[PartCounts](), None
        for table in _pieces(batches):
            planned = self._planned(table)
            found += map(PartCounts.of, scan_files(planned, policy).files)
        if planned:
            counts = merged(found, planned.files[0], policy.sample_rows)
            yield pa.RecordBatch.from_pydict({"counts": [counts.model_dump_json()]})

    def mark(self, batches: Iterable[pa.RecordBatch], verdict: Verdict) -> Iterator[pa.RecordBatch]:
        """Put reasons beside all columns, as they arrived; none beside good rows."""
        for table in _pieces(batches):
            (file,) = self._planned(table.select(list(self.used))).files
            found = file.batch.scan().select(ROW, reasons_of(verdict, file.plan))
            reasons = found.collect()[REASONS].to_arrow(compat_level=_OLDEST).cast(_TEXTS)
            yield from table.append_column(REASONS, reasons).to_batches()

    def accept(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Cast the used columns of good rows as the model takes them."""
        for table in _pieces(batches):
            good = accepted(self._planned(table)).collect().to_arrow(compat_level=_OLDEST)
            yield from good.rename_columns(schema.names).cast(schema).to_batches()

    def _planned(self, used: pa.Table) -> BatchResult:
        named = used.rename_columns([self.names[i] for i in self.used])
        planned = plan(open_arrow(named, self.request), self.request)
        if not planned.planned:
            msg = f"Spark hands over other columns than it was judged by: {named.schema}."
            raise BatchChanged(msg)
        return planned


def accepted(planned: BatchResult) -> pl.LazyFrame:
    """Select the good rows of a piece, without their numbers."""
    (file,) = planned.files
    assert file.plan is not None  # noqa: S101 - only such are read
    _, *values = file.plan.select_exprs()
    return file.batch.scan().filter(~file.plan.is_rejected()).select(values)


def _pieces(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Gather what Spark sends until it is worth a query."""
    gathered, rows = list[pa.RecordBatch](), 0
    for batch in batches:
        gathered.append(batch)
        rows += batch.num_rows
        if rows >= _TOGETHER:
            yield pa.Table.from_batches(gathered)
            gathered, rows = [], 0
    if rows:
        yield pa.Table.from_batches(gathered)
