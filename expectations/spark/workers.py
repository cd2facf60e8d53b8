"""The gate itself in Spark's Python workers, on one piece of a partition after another.

A piece is judged as a file of a folder is, and what is counted in it travels as JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

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
    from collections.abc import Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame

    from ..judge.file_result import FileResult
    from ..judge.request import CheckRequest
    from ..verdict.verdict import Verdict
    from .frame import SparkFrame

# Rows that are judged together: a query of Polars costs as much as some thousand rows.
_TOGETHER = 262_144
_OLDEST, _TEXTS = pl.CompatLevel.oldest(), pa.list_(pa.string())


class Counts(BaseModel):
    """What was counted in a part of a table: fields of ``FileResult``."""

    row_count: int
    rejected: int
    row_violations: tuple[Violation, ...]
    rule_counts: dict[int, RuleCounts]


def merged(files: Sequence[FileResult], sample_rows: int) -> FileResult:
    """Add up what was counted in parts as in files of a folder; rows of a table have no numbers."""
    whole, rules = BatchResult(tuple(files)), dict[int, RuleCounts]()
    for file in files:
        for rule, (applied, broken) in file.rule_counts.items():
            before = rules.get(rule, RuleCounts(0, 0))
            rules[rule] = RuleCounts(before[0] + applied, before[1] + broken)
    found = whole.row_violations(sample_rows)
    return replace(
        files[0],
        row_count=whole.row_count,
        rejected=whole.rejected,
        row_violations=tuple(v.model_copy(update={"rows": (), "files": ()}) for v in found),
        rule_counts=rules,
    )


@dataclass(frozen=True)
class Stages:
    """What a worker does with the batches of a partition.

    Attributes:
        request: What the rows are judged by.
        names: The names of all columns as they arrived.
        kept: Names of ``keep``, each with its position.
        used: Positions of the columns that the contract or ``keep`` is about.
    """

    request: CheckRequest
    names: tuple[str, ...]
    kept: tuple[tuple[str, int], ...]
    used: tuple[int, ...]

    def count(self, batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Count, in the used columns, the rows that fail each check."""
        policy = self.request.policy
        found = [scan_files(self.planned(t), policy).files[0] for t in _pieces(batches)]
        if found:
            counts = Counts.model_validate(merged(found, policy.sample_rows), from_attributes=True)
            yield pa.RecordBatch.from_pydict({"counts": [counts.model_dump_json()]})

    def mark(self, batches: Iterable[pa.RecordBatch], verdict: Verdict) -> Iterator[pa.RecordBatch]:
        """Put reasons beside all columns, as they arrived; none beside good rows."""
        for table in _pieces(batches):
            (file,) = self.planned(table.select(list(self.used))).files
            found = file.batch.scan().select(ROW, reasons_of(verdict, file.plan))
            reasons = found.collect()[REASONS].to_arrow(compat_level=_OLDEST).cast(_TEXTS)
            yield from table.append_column(REASONS, reasons).to_batches()

    def accept(
        self, batches: Iterable[pa.RecordBatch], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        """Cast the used columns of good rows as the model takes them."""
        for table in _pieces(batches):
            good = _accepted(self.planned(table)).collect().to_arrow(compat_level=_OLDEST)
            yield from good.rename_columns(schema.names).cast(schema).to_batches()

    def planned(self, used: pa.Table) -> BatchResult:
        """Plan how the used columns of some rows are judged."""
        named = used.rename_columns([self.names[i] for i in self.used])
        planned = plan(open_arrow(named, self.request), self.request)
        if not planned.planned:
            msg = f"Spark hands over other columns than it was judged by: {named.schema}."
            raise BatchChanged(msg)
        return planned


class InWorkers(NamedTuple):
    """A DataFrame whose rows the gate judges in Python workers, by such stages."""

    frame: SparkFrame
    planned: BatchResult
    stages: Stages

    def counted(self, empty: FileResult) -> FileResult:
        """Count the rows that fail each check, beginning with what is known of no rows."""
        rows = self.frame.through(self.stages.count, self.stages.used, "counts string").collect()
        parts = [replace(empty, **dict(Counts.model_validate_json(row[0]))) for row in rows]
        return merged([empty, *parts], self.stages.request.policy.sample_rows)

    def marked(self, verdict: Verdict) -> DataFrame:
        """Put the reasons against each row beside it."""
        from pyspark.sql.types import ArrayType, StringType, StructField, StructType

        reasons = StructField(REASONS, ArrayType(StringType()))
        schema = StructType([*self.frame.numbered.schema.fields, reasons])
        mark = partial(self.stages.mark, verdict=verdict)
        return self.frame.through(mark, range(len(self.frame.names)), schema)

    def accepted(self) -> DataFrame:
        """Cast the good rows."""
        from pyspark.sql.pandas.types import from_arrow_schema

        good = _accepted(self.planned).collect()
        arrow = good.to_arrow(compat_level=_OLDEST).schema
        numbered = pa.schema([arrow.field(i).with_name(f"c{i}") for i in range(len(arrow))])
        schema = from_arrow_schema(numbered, prefer_timestamp_ntz=True)
        session = self.frame.numbered.sparkSession
        target = session.createDataFrame([], schema).toArrow().schema
        accept = partial(self.stages.accept, schema=target)
        return self.frame.through(accept, self.stages.used, schema).toDF(*good.columns)


def _accepted(planned: BatchResult) -> pl.LazyFrame:
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
