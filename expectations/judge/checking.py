"""The public call: a batch and a contract in, a verdict and the rows out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import polars as pl

from ..batch.batch import UnreadableError
from ..batch.columns import ROW, exact_col
from ..batch.query import READ_ERRORS, collect, raise_if_changed
from ..conform.model_input import concat_model_input, to_model_input
from ..conform.objects.checks import objects_to_hand_over, with_objects
from ..contract.policy import Policy
from ..errors import BatchChanged, Misuse
from ..readers.folder import stacked
from ..readers.open import describe_batch, open_batch
from ..suite import rules_of
from ..verdict.verdict import GATE_VERSION, BatchInfo, BatchRejected, Engine, Verdict, Violation
from .rejected_rows import rejected_rows
from .rule_stage import CheckRequest, unjudged_rules
from .stages import Judgement, Part, judge, unreadable_violation

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..conform.model_input import ModelInput
    from ..conform.plan import BatchPlan
    from ..contract.contract import Contract
    from ..errors import NoContract
    from ..verdict.verdict import Disposition

_BAD = "_bad"


@dataclass(frozen=True)
class Chunk:
    """A piece of the accepted rows.

    Attributes:
        rows: ``_row`` and the kept columns.
        model_input: The same rows as ``predict`` receives them.
    """

    rows: pl.DataFrame
    model_input: ModelInput


@dataclass(frozen=True)
class CheckResult:
    """The verdict on a batch, and the batch's rows on either side of it.

    Attributes:
        verdict: What was found.
        contract: What it was judged by, if there was something.
    """

    verdict: Verdict
    contract: Contract | None = None
    _parts: tuple[Part, ...] = ()

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
        plans = self._plans()
        if not plans or not self.verdict.separable:
            return None
        good = [
            part.rows().filter(~plan.is_rejected()).select(*plan.select_exprs())
            for part, plan in plans
        ]
        return stacked(good)

    @property
    def rejected(self) -> pl.LazyFrame | None:
        """The bad rows as they arrived, with ``_row`` and the reasons in ``_violations``.

        Cells of Python objects stand there in words, unless one type could hold the whole column.
        After a batch-level violation these are all rows; None if the batch cannot be read.
        """
        if not self._parts:
            return None
        return rejected_rows(self._parts, self.verdict)

    def model_input(self) -> ModelInput:
        """Return what ``predict`` receives: the accepted rows, whole.

        Returns:
            A frame in the contract's order and dtypes; for tensors an ndarray or, if they are
            named, a dictionary of ndarrays. MLflow's enforcement accepts it.

        Raises:
            BatchRejected: The batch neither passed nor was split.
            BatchChanged: Its values contradict what was judged.
        """
        pieces = [chunk.model_input for chunk in self.chunks(max(self.verdict.accepted, 1))]
        return pieces[0] if len(pieces) == 1 else concat_model_input(pieces)

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
        plans = self._plans()
        if not plans or self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)
        empty = True
        for frame, plan in self._verified(plans, rows):
            yield self._chunk(frame, plan)
            empty = False
        if empty:
            part, plan = plans[0]
            wanted = (*plan.select_exprs(), *objects_to_hand_over(plan))
            yield self._chunk(collect(part.rows().head(0).select(*wanted)), plan)

    def raise_if_rejected(self) -> None:
        """Raise if the batch may not be scored.

        Raises:
            BatchRejected: The batch neither passed nor was split.
        """
        if self.disposition not in ("passed", "split"):
            raise BatchRejected(self.verdict)

    def _chunk(self, frame: pl.DataFrame, plan: BatchPlan) -> Chunk:
        columns = [way.column for way in plan.columns]
        carried = [name for name, _ in plan.kept]
        named = self.contract is not None and self.contract.named
        made = with_objects(to_model_input(frame, columns, named=named), frame, plan)
        return Chunk(frame.select(ROW, *map(exact_col, carried)), made)

    def _plans(self) -> list[tuple[Part, BatchPlan]]:
        return [(part, part.plan) for part in self._parts if part.plan is not None]

    def _verified(
        self, plans: list[tuple[Part, BatchPlan]], rows: int
    ) -> Iterator[tuple[pl.DataFrame, BatchPlan]]:
        seen = rejected = 0
        for part, plan in plans:
            _refuse_other_types(part, plan, self.verdict)
            wanted = (*plan.select_exprs(), *objects_to_hand_over(plan))
            for frame in _read(part, (*wanted, plan.is_rejected().alias(_BAD)), rows, self.verdict):
                seen += frame.height
                rejected += int(frame[_BAD].sum())
                if rejected > self.verdict.rejected:
                    raise _changed(self.verdict, seen, rejected)
                good = frame.filter(~pl.col(_BAD)).drop(_BAD)
                if good.height:
                    yield good, plan
        if (seen, rejected) != (self.verdict.rows, self.verdict.rejected):
            raise _changed(self.verdict, seen, rejected)


def check(
    batch: Any, contract: Contract, policy: Policy | None = None, engine: Engine = "polars"
) -> CheckResult:
    """Judge a batch by a model's contract, before the model sees a row.

    Args:
        batch: A path or ``file://`` URL of a file (Parquet, CSV, JSON lines, Arrow IPC, ``.npy``,
            ``.npz``) or of a folder of such files; a pandas, Polars or Arrow frame, an ndarray, or
            a dictionary of ndarrays.
        contract: What the model expects.
        policy: What the contract leaves open; by default the one saved with the contract's suite,
            else ``Policy()``.
        engine: What evaluates the expectations: Polars, with GX for the rules that only GX knows;
            or stock GX, which is slow and the reference.

    Returns:
        The verdict and the rows. Bad data, corrupt content included, is a verdict.

    Raises:
        BatchNotFound: No such file.
        UnsupportedBatch: An object or a format that the gate does not read.
        Misuse: A rule of the contract's or the policy's that cannot be meant, or no such engine.
    """
    if engine not in get_args(Engine):
        msg = f"no such engine: {engine!r}. Choose one of {', '.join(get_args(Engine))}."
        raise Misuse(msg)
    policy = policy or contract.policy or Policy()
    asked = CheckRequest(contract, policy, rules_of(contract, policy), engine)
    try:
        opened = open_batch(batch, contract, policy)
    except UnreadableError as error:
        return _unreadable(describe_batch(batch), asked, error)
    try:
        found = judge(opened.files, asked, opened.unreadable)
    except UnreadableError as error:
        return _unreadable(opened.info, asked, error)
    return CheckResult(_verdict(opened.info, asked, found), contract, found.parts)


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
            gate_version=GATE_VERSION,
        )
    )


def _verdict(facts: BatchInfo, asked: CheckRequest, found: Judgement) -> Verdict:
    helped = asked.engine == "polars" and any(ruling.engine == "gx" for ruling in found.rulings)
    return Verdict(
        batch=facts,
        model=asked.contract.model,
        contract=asked.contract.fingerprint,
        policy=asked.policy,
        rows=found.rows,
        rejected=found.rejected,
        violations=found.violations,
        conversions=found.conversions,
        evidence=dict(found.evidence),
        rules=found.rulings,
        signature=asked.contract.signature,
        engine="polars+gx" if helped else asked.engine,
        gate_version=GATE_VERSION,
    )


def _unreadable(facts: BatchInfo, asked: CheckRequest, error: UnreadableError) -> CheckResult:
    violation = unreadable_violation(error, facts.format, (), asked.policy)
    found = Judgement((), (violation,), rulings=unjudged_rules(asked))
    return CheckResult(_verdict(facts, asked, found), asked.contract)


def _changed(verdict: Verdict, seen: int, rejected: int) -> BatchChanged:
    msg = (
        f"{verdict.batch.name} is not what was judged: {seen:,} rows with {rejected:,} bad ones "
        f"where {verdict.rows:,} with {verdict.rejected:,} were. The file was altered meanwhile, "
        "or its statistics are false: deliver it whole, or set policy trust_statistics: false."
    )
    return BatchChanged(msg)


def _refuse_other_types(part: Part, plan: BatchPlan, verdict: Verdict) -> None:
    """Casts verify values of the types that were judged: other types they would bend."""
    found, unread = pl.Schema(), None
    try:
        found = part.batch.scan().collect_schema()
    except READ_ERRORS as error:
        unread = error
    raise_if_changed(unread, redact=verdict.policy.redact)
    other = [w.column.name for w in plan.columns if found.get(w.source_name) != w.source.dtype]
    if other:
        msg = f"{verdict.batch.name} is not what was judged: {other} are of other types now."
        raise BatchChanged(msg)


def _read(part: Part, wanted: Sequence[pl.Expr], rows: int, of: Verdict) -> Iterator[pl.DataFrame]:
    unread = None
    try:
        yield from part.in_pieces(wanted, rows)
    except READ_ERRORS as error:
        unread = error
    raise_if_changed(unread, redact=of.policy.redact)
