"""Judge a Spark DataFrame where it lies."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from ..errors import InvalidPolicy, UnsupportedBatch
from ..judge.checking import plan, verdict_of
from ..judge.column_matching import match_columns
from ..judge.rejected_rows import REASONS
from ..judge.request import check_request
from ..judge.scan_stage import scan_files
from ..rules.batch_rules import for_the_scan
from ..rules.rule import refused
from ..rules.schema_rules import SHAPE_RULES
from .frame import spark_frame
from .workers import InWorkers, Stages

if TYPE_CHECKING:
    from collections.abc import Mapping
    from os import PathLike

    from pyspark.sql import DataFrame

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..judge.batch_result import BatchResult
    from ..judge.request import CheckRequest
    from ..verdict.verdict import Verdict
    from .frame import SparkFrame
    from .native import Natively

    _Engine = Natively | InWorkers


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
    scanned = scan_files(planned, request.policy)  # of no rows: the stage that decides each column
    (empty,) = scanned.files
    if not planned.planned:
        # No row is read, not even to count them, as none is of a lazy frame of Polars.
        unread = replace(scanned, files=(replace(empty, row_count=None),))
        return SparkResult(verdict_of(opened.info, request, unread), frame)
    engine = _engine(frame, planned, request)
    counted = replace(scanned, files=(engine.counted(empty),))
    return SparkResult(verdict_of(opened.info, request, counted), frame, engine)


@dataclass(frozen=True)
class SparkResult:
    """The verdict on a Spark DataFrame, and its rows, which are read when Spark is asked for them.

    Attributes:
        verdict: What was found; row numbers are left out, because a table has none.
    """

    verdict: Verdict
    _frame: SparkFrame = field(repr=False)
    _engine: _Engine | None = field(default=None, repr=False)

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

        if self._engine is not None:
            return self._engine.marked(self.verdict)
        reasons = [sf.lit(violation.message) for violation in self.verdict.blocking]
        return self._frame.numbered.withColumn(REASONS, sf.array(*reasons))

    @property
    def accepted(self) -> DataFrame | None:
        """The good rows: the contract's columns in its types and order, and kept columns.

        None if rows cannot be told apart, or more of them fail than the policy lets a split drop.
        """
        engine = self._engine if self.verdict.separable else None
        return engine.accepted() if engine else None


def _engine(frame: SparkFrame, planned: BatchResult, request: CheckRequest) -> _Engine:
    """Have Spark judge the rows itself where it can, and the gate in its workers otherwise."""
    from .native import natively

    matching = match_columns(planned.files[0].batch, request.contract, request.policy)
    used = {position for _, position in (*matching.pairs, *matching.kept)}
    stages = Stages(request, frame.names, matching.kept, tuple(sorted(used)))
    return natively(frame, planned, stages) or InWorkers(frame, planned, stages)


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
