"""Users' rules on a batch: what needs the whole of it is settled before it is scanned.

Rules about single rows become faults like the contract's own. They run in the same pass, and the
same masks split the rows. Some need the whole batch before that: rules about the whole, rules that
most rows must keep, rules by which rows are judged by each other, and what only GX can judge.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.query import collect
from ..verdict.rule_result import RuleResult
from ..verdict.verdict import Violation
from .aggregate_rules import TABLE_RULES
from .pattern_timer import SLOW, are_slow
from .row_checks import RuleState, masks
from .row_rules import ROW_RULES
from .rule import applies_to, columns_in_reach, pandas_types, refused
from .schema_rules import SHAPE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

    from ..gx.results import GxResult
    from .conformed_batch import ConformedBatch, RowLocations
    from .metrics import Measured
    from .operands import RuleOperands
    from .rule import Rule


def unjudged(rule: Rule) -> RuleState:
    """Say nothing about a rule but that it is there."""
    scope = "row" if _stands_alone(rule) else "batch"
    return RuleState(RuleResult(expectation=rule.stated, scope=scope, engine=rule.engine))


def _stands_alone(rule: Rule) -> bool:
    known = ROW_RULES.get(rule.type)
    return rule.engine == "polars" and known is not None and not known.repeats and rule.mostly == 1


def for_the_scan(rule: Rule) -> RuleState:
    """Leave a rule to the scan, if that alone can judge it; any other stays unjudged."""
    return replace(unjudged(rule), scanned=_stands_alone(rule))


def settle(
    rules: list[Rule], whole: ConformedBatch, *, redact: bool, by_gx: bool
) -> list[RuleState]:
    """Judge what needs the whole batch: one outcome for each rule, in their order."""
    outcomes = {number: for_the_scan(rule) for number, rule in enumerate(rules)}
    judgeable = {
        number: rule
        for number, rule in enumerate(rules)
        if set(rule.columns) <= whole.operands.keys()
    }
    outcomes |= {n: unjudged(rule) for n, rule in enumerate(rules) if n not in judgeable}
    to_gx = {n: rule for n, rule in judgeable.items() if by_gx or rule.engine == "gx"}
    ours = {n: rule for n, rule in judgeable.items() if n not in to_gx}
    outcomes |= _by_shape(ours, whole)
    outcomes |= _by_measure(ours, whole, redact=redact)
    outcomes |= _by_likeness(ours, whole)
    outcomes |= _by_gx(to_gx, whole, redact=redact)
    return [outcomes[number] for number in range(len(rules))]


# ----- by Polars -----


def _by_shape(rules: Mapping[int, Rule], whole: ConformedBatch) -> Iterator[tuple[int, RuleState]]:
    types = pandas_types(whole.columns)
    for number, rule in rules.items():
        if rule.type in SHAPE_RULES:
            measured = SHAPE_RULES[rule.type].conclude(rule.kwargs, types)
            yield number, _of_whole(rule, measured, redact=False)


def _by_measure(
    rules: Mapping[int, Rule], whole: ConformedBatch, *, redact: bool
) -> Iterator[tuple[int, RuleState]]:
    measured = {
        number: rule
        for number, rule in rules.items()
        if rule.type in TABLE_RULES or _is_for_most(rule)
    }
    if not measured:
        return
    about = {number: _about(rule, whole) for number, rule in measured.items()}
    aggregates = {n: _aggregates(rule, about[n]) for n, rule in measured.items()}
    named = [e.alias(f"{n} {i}") for n, exprs in aggregates.items() for i, e in enumerate(exprs)]
    needed = {name for rule in measured.values() for name in rule.columns}
    row = collect(whole.valid_rows(needed).select(named)).row(0, named=True)
    for number, rule in measured.items():
        values = [row[f"{number} {i}"] for i in range(len(aggregates[number]))]
        if rule.type in TABLE_RULES:
            result = TABLE_RULES[rule.type].conclude(about[number], values)
            yield number, _of_whole(rule, result, redact=redact)
        else:
            yield number, _of_most(rule, *map(int, values))


def _is_for_most(rule: Rule) -> bool:
    return rule.mostly < 1 and rule.type in ROW_RULES and not ROW_RULES[rule.type].repeats


def _about(rule: Rule, whole: ConformedBatch) -> RuleOperands:
    operands = rule.about(whole.operands, pl.col(whole.is_valid))
    if rule.type not in TABLE_RULES or rule.condition is None:
        return operands
    chosen = [
        replace(column, value=column.value.filter(operands.rows)) for column in operands.columns
    ]
    return replace(operands, columns=tuple(chosen))


def _aggregates(rule: Rule, operands: RuleOperands) -> list[pl.Expr]:
    if rule.type in TABLE_RULES:
        return TABLE_RULES[rule.type].measure(operands)
    applies, failing = masks(rule, operands)
    return [failing.sum(), applies.sum()]


def _by_likeness(
    rules: Mapping[int, Rule], whole: ConformedBatch
) -> Iterator[tuple[int, RuleState]]:
    for number, rule in rules.items():
        if rule.type in ROW_RULES and ROW_RULES[rule.type].repeats:
            operands = rule.about(whole.operands, pl.col(whole.is_valid))
            keys = [column.value for column in operands.columns]
            rows = whole.valid_rows(rule.columns).filter(applies_to(rule, operands))
            alike = (pl.len().over(keys) > 1).alias("repeated")
            judged = collect(rows.select(*whole.place, alike))
            repeated = judged.filter(pl.col("repeated"))
            outcome = _of_most(rule, repeated.height, judged.height)
            failed = outcome.ruling.success is False
            places = whole.places(repeated) if failed else None
            yield number, replace(outcome, scanned=False, places=places)


def _of_most(rule: Rule, unexpected: int, judged: int) -> RuleState:
    holds = not judged or (judged - unexpected) / judged >= rule.mostly
    ruling = RuleResult(
        expectation=rule.stated, success=holds, element_count=judged, unexpected_count=unexpected
    )
    return RuleState(ruling, scanned=not holds)


def _of_whole(rule: Rule, measured: Measured, *, redact: bool) -> RuleState:
    hidden = redact and measured.reveals
    observed = None if hidden else measured.observed
    ruling = RuleResult(expectation=rule.stated, success=measured.success, observed=observed)
    if measured.success:
        return RuleState(ruling)
    return RuleState(
        ruling, _violation(rule, "something else" if hidden else _observation(observed))
    )


def _observation(observed: Any) -> str:
    if isinstance(observed, list):
        return ", ".join(map(repr, observed)) or "none"  # pyright: ignore[reportUnknownArgumentType]
    return "no value" if observed is None else str(observed)


def _violation(rule: Rule, observed: str, engine: Any = "polars") -> Violation:
    return Violation(
        kind="rule",
        column=rule.column,
        expected=rule.expected,
        observed=observed,
        remedy="Look for what changed where the batch is made, or change the rule in "
        f"{rule.origin}.",
        because=f"rule {rule.type}",
        severity=rule.severity,
        expectation={"type": rule.type, "kwargs": rule.kwargs},
        engine=engine,
    )


# ----- by GX -----


def _by_gx(
    rules: Mapping[int, Rule], whole: ConformedBatch, *, redact: bool
) -> Iterator[tuple[int, RuleState]]:
    if not rules:
        return
    from ..gx.engine import judge_frame

    names = [column.name for column in whole.columns]
    frames = dict[tuple[str, ...], list[int]]()
    for number, rule in rules.items():
        reach = names if rule.type in SHAPE_RULES else columns_in_reach(rule, names)
        frames.setdefault((repr(rule.condition), *reach), []).append(number)
    for (_, *reach), numbers in frames.items():
        # GX would hand a condition to pandas.eval: the rows are chosen here instead.
        frame, places = whole.in_pandas(reach, rules[numbers[0]].condition)
        for number in numbers:
            _refuse_slow_patterns(rules[number], frame)
        results = judge_frame(frame, [rules[n].without_condition for n in numbers])
        for number, result in zip(numbers, results, strict=True):
            yield number, _of_gx(rules[number], result, places, redact=redact)


def _refuse_slow_patterns(rule: Rule, frame: pd.DataFrame) -> None:
    columns = [frame[name].tolist() for name in rule.subjects if name in frame]
    texts = {value for values in columns for value in values if isinstance(value, str)}
    if are_slow(rule.kwargs, texts):
        remedy = "Write them without one repetition within another"
        raise refused(rule.origin, f"{rule.type} {rule.kwargs}", SLOW, remedy)


def _of_gx(rule: Rule, result: GxResult, places: RowLocations, *, redact: bool) -> RuleState:
    ruling = RuleResult(
        expectation=rule.stated,
        success=result.success,
        element_count=result.element_count,
        unexpected_count=result.unexpected_count,
        observed=None if redact else result.observed,
        engine="gx",
    )
    if result.success:
        return RuleState(ruling)
    if result.positions:
        return RuleState(ruling, places=places.take(result.positions))
    observed = "something else" if redact else _observation(result.observed)
    if result.error is not None:
        observed = "that GX cannot judge it" + ("" if redact else f" ({result.error})")
    return RuleState(ruling, _violation(rule, observed, "gx"))
