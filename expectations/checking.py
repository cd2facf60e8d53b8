"""The public call: a batch and a contract in, a verdict and the rows out."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Literal, cast

import polars as pl

from .batch import ROW, Batch, UnreadableError, describe_batch, open_batch
from .errors import BatchChanged, BatchRejected
from .judging import Judgement, Plan, collect, judge, unreadable
from .policy import Policy
from .verdict import BatchFacts, Kind, Verdict, Violation

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from .contract import Contract
    from .errors import NoContract
    from .verdict import Disposition

REASONS = "_violations"
_BAD = "_bad"
Engine = Literal["polars"]


@dataclass(frozen=True)
class Chunk:
    """A piece of the accepted rows.

    Attributes:
        rows: ``_row`` and the kept columns.
        model_input: The same rows as ``predict`` receives them.
    """

    rows: pl.DataFrame
    model_input: pd.DataFrame


@dataclass(frozen=True)
class CheckResult:
    """The verdict on a batch, and the batch's rows on either side of it.

    Attributes:
        verdict: What was found.
        contract: What it was judged by, if there was something.
    """

    verdict: Verdict
    contract: Contract | None = None
    _batch: Batch | None = None
    _plan: Plan | None = None

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

    @property
    def accepted(self) -> pl.LazyFrame | None:
        """The good rows: ``_row``, the contract's columns in its types and order, kept columns.

        None if rows cannot be told apart, or more of them fail than the policy lets a split drop.
        """
        if self._plan is None or not self.verdict.separable:
            return None
        return self._scan().filter(~self._plan.bad()).select(*self._conformed())

    @property
    def rejected(self) -> pl.LazyFrame | None:
        """The bad rows as they arrived, with ``_row`` and the reasons in ``_violations``.

        After a batch-level violation these are all rows; None if the batch cannot be read.
        """
        if self._batch is None:
            return None
        if self._plan is None or self.verdict.whole:
            return self._scan().select(*self._arrived(), self._reasons(None))
        bad = self._scan().filter(self._plan.bad())
        return bad.select(*self._arrived(), self._reasons(self._plan))

    def model_input(self) -> pd.DataFrame:
        """Return what ``predict`` receives: the accepted rows, whole.

        Returns:
            A frame in the contract's order and dtypes, which MLflow's enforcement accepts.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged.
        """
        pieces = [chunk.model_input for chunk in self.chunks(max(self.verdict.accepted, 1))]
        if len(pieces) == 1:
            return pieces[0]
        import pandas as pd

        return pd.concat(pieces, ignore_index=True)

    def chunks(self, rows: int) -> Iterator[Chunk]:
        """Yield the accepted rows in pieces, each value verified again as it is read.

        Args:
            rows: Rows in a piece, at most.

        Yields:
            At least one piece, which may be empty; together they are the accepted rows, in order.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged: the file was altered meanwhile, or
                its footer lied.
        """
        if self._plan is None or self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)
        empty = True
        for frame in self._verified(self._plan, rows):
            yield self._chunk(frame)
            empty = False
        if empty:
            yield self._chunk(collect(self._scan().head(0).select(*self._conformed())))

    def raise_if_rejected(self) -> None:
        """Raise if the batch may not be scored.

        Raises:
            BatchRejected: The batch neither passed nor was split.
        """
        if self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)

    def _verified(self, plan: Plan, rows: int) -> Iterator[pl.DataFrame]:
        query = self._scan().select(*self._conformed(), plan.bad().alias(_BAD))
        seen = rejected = 0
        for frame in _in_chunks(query, rows):
            seen += frame.height
            rejected += int(frame[_BAD].sum())
            if rejected > self.verdict.rejected:
                raise _changed(self.verdict, seen, rejected)
            good = frame.filter(~pl.col(_BAD)).drop(_BAD)
            if good.height:
                yield good
        if (seen, rejected) != (self.verdict.rows, self.verdict.rejected):
            raise _changed(self.verdict, seen, rejected)

    def _scan(self) -> pl.LazyFrame:
        return cast("Batch", self._batch).scan()

    def _conformed(self) -> list[pl.Expr]:
        plan = cast("Plan", self._plan)
        values = [way.value for way in plan.columns]
        taken = {way.column.name for way in plan.columns}
        kept = [pl.col(source).alias(name) for name, source in plan.kept if name not in taken]
        return [pl.col(ROW).cast(pl.Int64), *values, *kept]

    def _arrived(self) -> list[pl.Expr]:
        return [pl.col(ROW).cast(pl.Int64), *map(pl.col, cast("Batch", self._batch).sources)]

    def _reasons(self, plan: Plan | None) -> pl.Expr:
        whole = [v.message for v in self.verdict.blocking if v.level == "batch"]
        reasons: list[pl.Expr] = [pl.lit(text) for text in whole]
        found = {(v.kind, v.column) for v in self.verdict.blocking}
        for way, fault in plan.owned_faults() if plan else ():
            column = way.column.name if way else None
            if (fault.kind, column) in found:
                text = f"{fault.kind} in {column!r}: {fault.observed}" if column else fault.kind
                reasons.append(pl.when(fault.mask).then(pl.lit(text)))
        none = pl.lit([], dtype=pl.List(pl.String))
        listed = pl.concat_list(reasons).list.drop_nulls() if reasons else none
        return listed.alias(REASONS)

    def _chunk(self, frame: pl.DataFrame) -> Chunk:
        plan = cast("Plan", self._plan)
        columns = [way.column for way in plan.columns]
        model_input = frame.select(column.name for column in columns).to_pandas()
        model_input.columns = [column.label for column in columns]
        carried = [name for name, _ in plan.kept]
        return Chunk(frame.select(ROW, *carried), model_input)


def check(
    batch: Any, contract: Contract, policy: Policy | None = None, engine: Engine = "polars"
) -> CheckResult:
    """Judge a batch by a model's contract, before the model sees a row.

    Args:
        batch: A path or ``file://`` URL of a Parquet or CSV file (gzip too), or a pandas, Polars
            or Arrow frame.
        contract: What the model expects.
        policy: What the contract leaves open; by default the one saved with the contract's suite,
            else ``Policy()``.
        engine: What evaluates the expectations.

    Returns:
        The verdict and the rows. Bad data, corrupt content included, is a verdict.

    Raises:
        BatchNotFound: No such file.
        UnsupportedBatch: An object or a format that the gate does not read.
    """
    policy = policy or contract.policy or Policy()
    try:
        opened = open_batch(batch, policy)
    except UnreadableError as error:
        return _unreadable(describe_batch(batch), contract, policy, error)
    try:
        found = judge(opened, contract, policy)
    except UnreadableError as error:
        return _unreadable(opened.facts, contract, policy, error)
    return CheckResult(
        _verdict(opened.facts, contract, policy, found, engine), contract, opened, found.plan
    )


def refuse(batch: Any, error: NoContract, policy: Policy | None = None) -> CheckResult:
    """Turn away a batch whose model has no usable contract.

    Args:
        batch: The batch; it is not opened.
        error: Why there is no contract.
        policy: The policy in force.

    Returns:
        A verdict with the violation ``no_contract``, and no rows.
    """
    violation = Violation(
        kind="no_contract",
        expected=f"a signature on {error.model} that decides what fits",
        observed=error.reason,
        remedy=error.remedy,
        because="what cannot be judged is not scored",
    )
    return CheckResult(
        Verdict(
            batch=describe_batch(batch),
            policy=policy or Policy(),
            violations=(violation,),
            gate_version=version("signature-gate"),
        )
    )


def _verdict(
    facts: BatchFacts, contract: Contract, policy: Policy, found: Judgement, engine: str = "polars"
) -> Verdict:
    return Verdict(
        batch=facts,
        model=contract.model,
        contract=contract.fingerprint,
        policy=policy,
        rows=found.rows,
        rejected=found.rejected,
        violations=found.violations,
        conversions=found.conversions,
        evidence=dict(found.evidence),
        engine=engine,
        gate_version=version("signature-gate"),
    )


def _unreadable(
    facts: BatchFacts, contract: Contract, policy: Policy, error: UnreadableError
) -> CheckResult:
    violation = Violation(
        kind=cast("Kind", error.kind),
        expected=f"a whole {facts.format} batch",
        observed=error.observed,
        remedy=error.remedy,
        because="what cannot be read cannot be judged",
    )
    found = Judgement(None, (violation,))
    return CheckResult(_verdict(facts, contract, policy, found), contract)


def _changed(verdict: Verdict, seen: int, rejected: int) -> BatchChanged:
    msg = (
        f"{verdict.batch.name} is not what was judged: {seen:,} rows with {rejected:,} bad ones "
        f"where {verdict.rows:,} with {verdict.rejected:,} were. The file was altered meanwhile, or "
        "its statistics are false: deliver it whole, or set policy trust_statistics: false."
    )
    return BatchChanged(msg)


def _in_chunks(query: pl.LazyFrame, rows: int) -> Iterator[pl.DataFrame]:
    try:
        yield from query.collect_batches(chunk_size=rows, maintain_order=True, engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise BatchChanged(str(unreadable(error))) from error
