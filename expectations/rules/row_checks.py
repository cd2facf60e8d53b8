"""Users' rules as row checks, which run in the same pass as the contract's own."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING, Any

import polars as pl

from ..conform.row_check import RowCheck, never_ruled_out
from ..values.expectations import learned_statistic, told_of
from .metrics import against_limits
from .operands import INTEGERS, NUMBERS, instant
from .row_rules import ROW_RULES
from .rule import applies_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..batch.statistics import ColumnStatistics
    from ..verdict.rule_result import RuleResult
    from ..verdict.verdict import Violation
    from .conformed_batch import ConformedBatch, RowLocations
    from .operands import RuleOperands
    from .rule import Rule


_TRUE = pl.lit(value=True)


@dataclass(frozen=True)
class RuleState:
    """What is known of a rule before the scan.

    Attributes:
        ruling: What became of it, as far as it is known.
        violation: The violation of the batch as a whole, if it is one.
        places: The rows that break it, where they are known.
        scanned: Whether the scan is to find the rows that break it.
    """

    ruling: RuleResult
    violation: Violation | None = None
    places: RowLocations | None = None
    scanned: bool = False


def masks(rule: Rule, operands: RuleOperands) -> tuple[pl.Expr, pl.Expr]:
    """Find the rows that a rule is about, and those of them that break it."""
    applies = applies_to(rule, operands)
    return applies, applies & ROW_RULES[rule.type].passes(operands).ne_missing(_TRUE)


def _keeps_limits(operands: RuleOperands, known: ColumnStatistics) -> bool:
    """Tell whether the smallest and the largest value are within limits: so is each between."""
    scale: Any = instant if operands.kind == "datetime" else float
    if known.nulls is None or not (
        known.bounds and isinstance(known.bounds[0], int | float | date)
    ):
        return False
    limits = {key: scale(v) for key, v in operands.kwargs.items() if key.endswith("_value")}
    kwargs = operands.kwargs | limits
    return all(against_limits(scale(bound), kwargs).success for bound in known.bounds)


# Rules of one column -> whether statistics of it prove that no row breaks them.
_PROOFS: dict[str, Callable[[RuleOperands, ColumnStatistics], bool]] = {
    "expect_column_values_to_be_between": _keeps_limits,
    "expect_column_values_to_not_be_null": lambda _, known: known.nulls == 0,
}


def rule_checks(
    rules: list[Rule], outcomes: list[RuleState], whole: ConformedBatch, number: int
) -> tuple[RowCheck, ...]:
    """State one check for each rule that the scan is to judge, or whose failing rows are known."""
    arrived = {plan.column.name for plan in whole.files[number][1].columns}
    checks = list[RowCheck]()
    for place, (rule, outcome) in enumerate(zip(rules, outcomes, strict=True)):
        applies, proof = None, never_ruled_out
        if outcome.places is not None:
            failing = outcome.places.among(number, whole.row)
        elif outcome.scanned and set(rule.columns) <= arrived:
            about = rule.about(whole.operands, pl.col(whole.is_valid))
            applies, failing = masks(rule, about)
            # In other types there is NaN, of which statistics do not tell, or no order of numbers.
            is_learned = bool(learned_statistic(rule.stated))  # there NaN is missing like null
            exact = {*(NUMBERS if is_learned else INTEGERS), "datetime"}
            is_exact = about.kinds <= exact and rule.type in _PROOFS
            if is_exact and rule.condition is None and rule.mostly == 1:
                proof = partial(_PROOFS[rule.type], about)
        else:
            continue
        check = _check(rule, failing, applies, outcome.ruling.engine)
        shown = _shown(rule, whole)
        checks.append(replace(check, sample=shown, rule=place, ruled_out_by=proof))
    return tuple(checks)


def _check(rule: Rule, failing: pl.Expr, applies: pl.Expr | None, engine: Any) -> RowCheck:
    known = ROW_RULES.get(rule.type)
    statistic = learned_statistic(rule.stated)
    return RowCheck(
        kind="value" if statistic else "rule",
        fails=failing,
        expected=rule.expected,
        observed=known.observed if known else "rows that break it",
        remedy=_remedy(rule, statistic),
        because=told_of(rule.stated) if statistic else f"rule {rule.type}",
        severity=rule.severity,
        expectation={"type": rule.type, "kwargs": rule.kwargs},
        applies=applies,
        engine=engine,
        column=rule.column,
        statistic=statistic,
    )


def _remedy(rule: Rule, statistic: str) -> str:
    if statistic:
        key = f"{rule.column}/{statistic}"
        return (
            "Look for what changed where the batch is made; if such values are right, learn anew, "
            f"or set policy values_of: {{{json.dumps(key, ensure_ascii=False)}: ignore}}."
        )
    return f"Correct such rows where the batch is made, or change the rule in {rule.origin}."


def _shown(rule: Rule, whole: ConformedBatch) -> pl.Expr | None:
    values = {n: whole.operands[n].value for n in rule.subjects if n in whole.operands}
    if len(values) == 1:
        return next(iter(values.values()))
    return pl.struct(value.alias(name) for name, value in values.items()) if values else None
