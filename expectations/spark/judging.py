"""Judge a Spark DataFrame where it lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa

from ..errors import InvalidPolicy, UnsupportedBatch
from ..judge.checking import plan, verdict_of
from ..judge.column_matching import match_columns
from ..judge.rejected_rows import REASONS
from ..judge.request import check_request
from ..judge.scan_stage import scan_files
from ..rules.batch_rules import for_the_scan
from ..rules.rule import refused
from ..rules.schema_rules import SHAPE_RULES
from ..verdict.verdict import BatchRejected
from .frame import spark_frame
from .workers import COUNTS, PartCounts, Worker, accepted, merged

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from pyspark.sql import DataFrame

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..judge.batch_result import BatchResult
    from ..judge.request import CheckRequest
    from ..verdict.verdict import Disposition, Verdict, Violation
    from .frame import SparkFrame


def check(
    df: Any,
    contract: Contract | str | PathLike[str],
    policy: Policy | Mapping[str, Any] | str | PathLike[str] | None = None,
) -> SparkResult:
    """Judge a Spark DataFrame by a model's contract, without collecting its rows.

    Names and types are judged at once; one job counts the rows that fail each check. The frame is
    read again where ``rows``, ``accepted`` or ``rejected`` are: it must have the same rows then.

    Args:
        df: The rows.
        contract: What the model expects, as ``signature_gate.check`` takes it.
        policy: What the contract leaves open, as ``signature_gate.check`` takes it.

    Returns:
        The verdict, of the kinds, columns and counts that ``signature_gate.check`` finds in the
        same rows, and the rows on either side.

    Raises:
        Misuse: Spark is not installed, or ``df`` is something else.
        UnsupportedBatch: The model takes tensors, or Spark cannot hand over a column.
        InvalidRules: A rule that needs the whole table at once; the message names it.
        GateError: What ``signature_gate.check`` raises for a contract or a policy.
    """
    request = check_request(contract, policy, "polars")
    frame = spark_frame(df)
    _refuse_what_needs_all_rows(request)
    opened = frame.open(request)
    planned = plan(opened, request)
    if not planned.planned:
        # No row is read, not even to count them, as none is of a lazy frame of Polars.
        return SparkResult(
            verdict_of(opened.info, request, _of_counts(planned, None, request.policy)), frame
        )
    worker = Worker(request, frame.names, _used(planned, request))
    counts = _counted(frame, worker, planned)
    verdict = verdict_of(opened.info, request, _of_counts(planned, counts, request.policy))
    return SparkResult(verdict, frame, worker, planned)


@dataclass(frozen=True)
class SparkResult:
    """The verdict on a Spark DataFrame, and its rows, which are read when Spark is asked for them.

    Attributes:
        verdict: What was found; row numbers are left out, because a table has none.
    """

    verdict: Verdict
    _frame: SparkFrame = field(repr=False)
    _worker: Worker | None = field(default=None, repr=False)
    _planned: BatchResult | None = field(default=None, repr=False)

    @property
    def passed(self) -> bool:
        """No blocking violation, whatever the policy."""
        return self.verdict.passed

    @property
    def disposition(self) -> Disposition:
        """What the policy makes of the verdict."""
        return self.verdict.disposition

    @property
    def violations(self) -> tuple[Violation, ...]:
        """All violations, blocking or not."""
        return self.verdict.violations

    def raise_if_rejected(self) -> None:
        """Raise if the batch may not be scored.

        Raises:
            BatchRejected: The batch neither passed nor was split.
        """
        if self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)

    @property
    def rows(self) -> DataFrame:
        """All rows as they arrived, with the reasons against each in ``_violations``."""
        return self._marked.toDF(*self._frame.names, REASONS)

    @property
    def rejected(self) -> DataFrame:
        """The bad rows as they arrived, with ``_violations``; all after a batch-level violation."""
        from pyspark.sql import functions as sf

        bad = self._marked.filter(sf.size(REASONS) > 0)
        return bad.toDF(*self._frame.names, REASONS)

    @property
    def _marked(self) -> DataFrame:
        from pyspark.sql import functions as sf
        from pyspark.sql.types import ArrayType, StringType, StructField, StructType

        frame = self._frame
        if self._worker is None:
            reasons = [sf.lit(violation.message) for violation in self.verdict.blocking]
            return frame.numbered.withColumn(REASONS, sf.array(*reasons))
        listed = StructField(REASONS, ArrayType(StringType()))
        schema = StructType([*frame.numbered.schema.fields, listed])
        mark = partial(self._worker.mark, verdict=self.verdict)
        return frame.through(mark, range(len(frame.names)), schema)

    @property
    def accepted(self) -> DataFrame | None:
        """The good rows: the contract's columns in its types and order, and kept columns.

        None if rows cannot be told apart, or more of them fail than the policy lets a split drop.
        """
        if self._worker is None or self._planned is None or not self.verdict.separable:
            return None
        from pyspark.sql.pandas.types import from_arrow_schema

        good = accepted(self._planned).collect()
        arrow = good.to_arrow(compat_level=pl.CompatLevel.oldest()).schema
        numbered = [arrow.field(i).with_name(f"c{i}") for i in range(len(arrow))]
        schema = from_arrow_schema(pa.schema(numbered), prefer_timestamp_ntz=True)
        session = self._frame.numbered.sparkSession
        target = session.createDataFrame([], schema).toArrow().schema
        accept = partial(self._worker.accept, schema=target)
        return self._frame.through(accept, self._worker.used, schema).toDF(*good.columns)


def _used(planned: BatchResult, request: CheckRequest) -> tuple[int, ...]:
    """Find the positions of the columns that the contract or ``keep`` is about."""
    matching = match_columns(planned.files[0].batch, request.contract, request.policy)
    return tuple(sorted({position for _, position in (*matching.pairs, *matching.kept)}))


def _counted(frame: SparkFrame, worker: Worker, planned: BatchResult) -> PartCounts:
    found = frame.through(worker.count, worker.used, COUNTS).collect()
    parts = [PartCounts.model_validate_json(row[0]) for row in found]
    return merged(parts, planned.files[0], worker.request.policy.sample_rows)


def _of_counts(planned: BatchResult, counts: PartCounts | None, policy: Policy) -> BatchResult:
    scanned = scan_files(planned, policy)  # of no rows: what stage decides each column
    (file,) = scanned.files
    if counts is None:
        return replace(scanned, files=(replace(file, row_count=None),))
    counted = counts.counted_in(file)
    rules = {**file.rule_counts, **counted.rule_counts}
    return replace(scanned, files=(replace(counted, rule_counts=rules),))


def _refuse_what_needs_all_rows(request: CheckRequest) -> None:
    """Refuse what a part of a table cannot be judged by, and what parts do not add up to."""
    if request.contract.tensors:
        msg = "a model of tensors takes no Spark DataFrame. Judge files or arrays by check()."
        raise UnsupportedBatch(msg)
    if request.values is not None:
        msg = (
            "Spark tables are not compared with learned values. Set policy values: ignore, and "
            "judge a sample of the rows by signature_gate.check()."
        )
        raise InvalidPolicy(msg)
    for rule in request.rules:
        by_rows = for_the_scan(rule).scanned or (
            rule.type in SHAPE_RULES and rule.engine == "polars"
        )
        if not by_rows:
            remedy = "Take it out, and ask Spark for it, or judge a file by signature_gate.check()"
            raise refused(rule.origin, rule.type, "it needs all rows of a Spark table", remedy)
