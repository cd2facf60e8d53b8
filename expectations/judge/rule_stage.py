"""The user's rules, and stock GX where it is asked for, put to the files of a batch."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from ..batch.batch import UnreadableError
from ..rules.batch_rules import for_the_scan, settle, unjudged
from ..rules.conformed_batch import ConformedBatch
from ..rules.row_checks import RuleState, rule_checks
from ..rules.schema_rules import SHAPE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..batch.batch import Batch
    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..rules.rule import Rule
    from ..verdict.verdict import Engine, Evidence, RuleResult, Violation
    from .scan_stage import Scan
    from .schema_stage import SchemaResult


class CheckRequest(NamedTuple):
    """What a batch is to be judged by.

    Attributes:
        contract: The columns that the model takes.
        policy: The choices that the contract leaves open.
        rules: The user's own rules.
        engine: What evaluates the expectations.
    """

    contract: Contract
    policy: Policy
    rules: tuple[Rule, ...] = ()
    engine: Engine = "polars"


@dataclass(frozen=True)
class Applied:
    """A batch that is ready to be scanned under rules.

    Attributes:
        batches: Its files; their scans hold what rules need.
        schemas: Their plans, with the rules that rows can break.
        rules: The user's rules.
        outcomes: What is known of each.
        violations: What the batch as a whole is found to break.
        enough: Whether GX finds rows enough; None if it was not asked.
    """

    batches: Sequence[Batch]
    schemas: Sequence[SchemaResult]
    rules: tuple[Rule, ...] = ()
    outcomes: tuple[RuleState, ...] = ()
    violations: tuple[Violation, ...] = ()
    enough: bool | None = None

    def rulings(self, scans: Iterable[Scan], *, complete: bool) -> tuple[RuleResult, ...]:
        """Say what became of each rule.

        Args:
            scans: What the scan of each file found.
            complete: Whether all files could be read.

        Returns:
            The rulings; rules whose rows were not all seen are only known if they are broken.
        """
        unexpected, looked_at = Counter[int](), Counter[int]()
        for scan in scans:
            for number, failing, seen in scan.tallies:
                unexpected[number] += failing
                looked_at[number] += seen
        return tuple(
            outcome.ruling
            if number not in looked_at or outcome.ruling.success is not None
            else outcome.ruling.model_copy(
                update={
                    "success": False if unexpected[number] else True if complete else None,
                    "unexpected_count": unexpected[number],
                    "element_count": looked_at[number],
                }
            )
            for number, outcome in enumerate(self.outcomes)
        )

    @property
    def evidence(self) -> tuple[tuple[str, Evidence], ...]:
        """The columns that rules had to read."""
        judged = (
            rule
            for rule, outcome in zip(self.rules, self.outcomes, strict=True)
            if outcome.scanned
            or (outcome.ruling.success is not None and rule.type not in SHAPE_RULES)
        )
        return tuple((name, "scan") for rule in judged for name in rule.columns)


def apply_rules(
    batches: Sequence[Batch],
    schemas: Sequence[SchemaResult],
    asked: CheckRequest,
    *,
    readable: bool,
) -> Applied:
    """Settle what needs the whole batch, and hand the rest to the scan.

    Args:
        batches: The files of the batch.
        schemas: The way of each into the contract.
        asked: What the batch is to be judged by.
        readable: Whether no file of the batch was found unreadable so far.

    Returns:
        Files and plans to be scanned.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    if not asked.rules and asked.engine == "polars":
        return Applied(batches, schemas)
    pairs = zip(batches, schemas, strict=True)
    files = tuple((batch, schema.plan) for batch, schema in pairs if schema.plan is not None)
    whole = ConformedBatch(files, asked.contract.columns)
    if not readable:
        return _for_the_scan(whole, schemas, asked)
    try:
        return _settled(whole, schemas, asked)
    except UnreadableError:
        # Of a folder the scan finds out which file it is, and judges the others all the same.
        if len(batches) == 1:
            raise
        return _for_the_scan(whole, schemas, asked)


def _settled(
    whole: ConformedBatch, schemas: Sequence[SchemaResult], asked: CheckRequest
) -> Applied:
    violations, enough = (), None
    if asked.engine == "gx":
        from .gx_reference import judge_by_gx

        whole, enough, violations = judge_by_gx(whole, asked.contract, asked.policy)
    rules = list(asked.rules)
    outcomes = settle(rules, whole, redact=asked.policy.redact, by_gx=asked.engine == "gx")
    applied = _laid_out(whole, schemas, asked, outcomes)
    broken = (outcome.violation for outcome in outcomes if outcome.violation is not None)
    return replace(applied, violations=(*violations, *broken), enough=enough)


def _for_the_scan(
    whole: ConformedBatch, schemas: Sequence[SchemaResult], asked: CheckRequest
) -> Applied:
    return _laid_out(whole, schemas, asked, [for_the_scan(rule) for rule in asked.rules])


def _laid_out(
    whole: ConformedBatch,
    schemas: Sequence[SchemaResult],
    asked: CheckRequest,
    outcomes: list[RuleState],
) -> Applied:
    batches: list[Batch] = []
    planned: list[SchemaResult] = []
    for number, ((_, plan), schema) in enumerate(zip(whole.files, schemas, strict=True)):
        checks = rule_checks(list(asked.rules), outcomes, whole, number)
        batches.append(whole.with_conformed(number))
        planned.append(replace(schema, plan=replace(plan, rule_checks=checks)))
    return Applied(batches, planned, asked.rules, tuple(outcomes))


def unjudged_rules(asked: CheckRequest) -> tuple[RuleResult, ...]:
    """List the rules of a batch that was stopped before them."""
    return tuple(unjudged(rule).ruling for rule in asked.rules)
