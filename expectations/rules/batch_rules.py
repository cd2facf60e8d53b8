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
from ..verdict.verdict import RuleResult, Violation
from .aggregate_rules import TABLE_RULES
from .row_checks import RuleState, masks
from .row_rules import ROW_RULES
from .rule import applies_to, columns_in_reach, pandas_types
from .schema_rules import SHAPE_RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

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
    """Leave a rule to the scan, if that alone can judge it.

    Args:
        rule: Any rule.

    Returns:
        An open outcome; of a rule that needs the whole batch, that it is not judged.
    """
    return replace(unjudged(rule), scanned=_stands_alone(rule))


def settle(
    rules: list[Rule], whole: ConformedBatch, *, redact: bool, by_gx: bool
) -> list[RuleState]:
    """Judge what needs the whole batch.

    Args:
        rules: The user's rules.
        whole: The conformed batch.
        redact: Whether values of the batch are to be kept out of what is said.
        by_gx: Whether stock GX judges all of them.

    Returns:
        One outcome for each rule, in their order.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    outcomes = {number: for_the_scan(rule) for number, rule in enumerate(rules)}
    there = {
        number: rule for number, rule in enumerate(rules) if set(rule.columns) <= set(whole.terms)
    }
    outcomes |= {n: unjudged(rule) for n, rule in enumerate(rules) if n not in there}
    to_gx = {n: rule for n, rule in there.items() if by_gx or rule.engine == "gx"}
    ours = {n: rule for n, rule in there.items() if n not in to_gx}
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
    asked = {n: _aggregates(rule, about[n]) for n, rule in measured.items()}
    named = [e.alias(f"{n} {i}") for n, found in asked.items() for i, e in enumerate(found)]
    needed = {name for rule in measured.values() for name in rule.columns}
    row = collect(whole.valid_rows(needed).select(named)).row(0, named=True)
    for number, rule in measured.items():
        values = [row[f"{number} {i}"] for i in range(len(asked[number]))]
        if rule.type in TABLE_RULES:
            found = TABLE_RULES[rule.type].conclude(about[number], values)
            yield number, _of_whole(rule, found, redact=redact)
        else:
            yield number, _of_most(rule, *map(int, values))


def _is_for_most(rule: Rule) -> bool:
    return rule.mostly < 1 and rule.type in ROW_RULES and not ROW_RULES[rule.type].repeats


def _about(rule: Rule, whole: ConformedBatch) -> RuleOperands:
    terms = rule.about(whole.terms, pl.col(whole.is_valid))
    if rule.type not in TABLE_RULES or rule.condition is None:
        return terms
    chosen = [replace(column, value=column.value.filter(terms.rows)) for column in terms.columns]
    return replace(terms, columns=tuple(chosen))


def _aggregates(rule: Rule, terms: RuleOperands) -> list[pl.Expr]:
    if rule.type in TABLE_RULES:
        return TABLE_RULES[rule.type].measure(terms)
    seen, failing = masks(rule, terms)
    return [failing.sum(), seen.sum()]


def _by_likeness(
    rules: Mapping[int, Rule], whole: ConformedBatch
) -> Iterator[tuple[int, RuleState]]:
    for number, rule in rules.items():
        if rule.type in ROW_RULES and ROW_RULES[rule.type].repeats:
            terms = rule.about(whole.terms, pl.col(whole.is_valid))
            keys = [column.value for column in terms.columns]
            rows = whole.valid_rows(rule.columns).filter(applies_to(rule, terms))
            alike = (pl.len().over(keys) > 1).alias("repeated")
            found = collect(rows.select(*whole.place, alike))
            repeated = found.filter(pl.col("repeated"))
            outcome = _of_most(rule, repeated.height, found.height)
            failed = outcome.ruling.success is False
            places = whole.places(repeated) if failed else None
            yield number, replace(outcome, scanned=False, places=places)


def _of_most(rule: Rule, unexpected: int, seen: int) -> RuleState:
    holds = not seen or (seen - unexpected) / seen >= rule.mostly
    ruling = RuleResult(
        expectation=rule.stated, success=holds, element_count=seen, unexpected_count=unexpected
    )
    return RuleState(ruling, scanned=not holds)


def _of_whole(rule: Rule, found: Measured, *, redact: bool) -> RuleState:
    hidden = redact and found.reveals
    observed = None if hidden else found.observed
    ruling = RuleResult(expectation=rule.stated, success=found.success, observed=observed)
    if found.success:
        return RuleState(ruling)
    return RuleState(ruling, _violation(rule, "something else" if hidden else _said(observed)))


def _said(observed: Any) -> str:
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
        found = judge_frame(frame, [rules[number].without_condition for number in numbers])
        for number, judged in zip(numbers, found, strict=True):
            yield number, _of_gx(rules[number], judged, places, redact=redact)


def _of_gx(rule: Rule, found: GxResult, places: RowLocations, *, redact: bool) -> RuleState:
    ruling = RuleResult(
        expectation=rule.stated,
        success=found.success,
        element_count=found.element_count,
        unexpected_count=found.unexpected_count,
        observed=None if redact else found.observed,
        engine="gx",
    )
    if found.success:
        return RuleState(ruling)
    if found.positions:
        return RuleState(ruling, places=places.take(found.positions))
    observed = "something else" if redact else _said(found.observed)
    if found.error is not None:
        observed = "that GX cannot judge it" + ("" if redact else f" ({found.error})")
    return RuleState(ruling, _violation(rule, observed, "gx"))
