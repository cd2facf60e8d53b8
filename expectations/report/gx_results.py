"""A saved verdict as GX would report it: one result for each expectation of its suite.

Plain data: ``gx`` makes GX's own objects of it.
"""

from __future__ import annotations

import ast
import html
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from ..contract.contract import Contract
from ..errors import Misuse
from ..gx.results import Answer
from ..suite import to_suite

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..gx.results import Expectation
    from ..verdict.rule_result import RuleResult
    from ..verdict.verdict import Verdict, Violation

_OF_COLUMNS = ("expect_table_columns_to_match_set", "expect_table_columns_to_match_ordered_list")
_OF_TYPE = ("expect_column_type_to_be", "expect_column_to_exist")
_LEARNED = ("value", "shift")
_ROW_COUNT = "expect_table_row_count_to_be_between"


def contract_of(verdict: Verdict) -> Contract:
    """Restore the contract, with the user's rules, by which a verdict was reached.

    Misuse is raised if the model had none, or if the verdict's version did not keep it.
    """
    if not verdict.signature:
        msg = (
            f"the verdict on {verdict.batch.name} was reached without a contract, so it has no "
            "suite. Log the model with a signature, check the batch again, and publish that."
        )
        raise Misuse(msg)
    contract = Contract.from_signature(verdict.signature, verdict.model)
    rules = tuple(ruling.expectation for ruling in verdict.rules)
    no_files = {"rules": None, "values_from": None}
    return replace(contract, rules=rules).under(verdict.policy.model_copy(update=no_files))


def suite_of(verdict: Verdict, *, whole: bool = False) -> dict[str, Any]:
    """Build the suite of a verdict as plain data."""
    contract = contract_of(verdict)
    columns = None if whole or not verdict.evidence else list(verdict.evidence)
    return to_suite(contract, contract.policy, columns)


def answers(verdict: Verdict) -> list[Answer]:
    """List the results of the contract's expectations, then of the user's rules.

    Those that were not judged, because the batch was stopped before, are left out.
    """
    contract = replace(contract_of(verdict), rules=())
    columns = list(verdict.evidence) or None
    stated: list[Expectation] = to_suite(contract, contract.policy, columns)["expectations"]
    blamed = _blamed(stated, verdict)
    judged = [
        _answer(expectation, blamed[number], verdict)
        for number, expectation in enumerate(stated)
        if blamed[number] or _was_judged(expectation, verdict)
    ]
    learned = [v for v in verdict.violations if v.kind in _LEARNED and v.expectation]
    return [
        *judged,
        *(_of_rule(r, verdict) for r in verdict.rules if r.success is not None),
        *(
            _answer({**(v.expectation or {}), "severity": v.severity}, [v], verdict)
            for v in learned
        ),
    ]


def _blamed(stated: list[Expectation], verdict: Verdict) -> list[list[Violation]]:
    """Assign each blocking violation to the closest expectation."""
    blamed: list[list[Violation]] = [[] for _ in stated]
    for violation in verdict.blocking:
        if violation.kind not in ("rule", *_LEARNED):
            blamed[next(_closest(violation, stated))].append(violation)
    return blamed


def _closest(violation: Violation, stated: list[Expectation]) -> Iterator[int]:
    named = (violation.expectation or {}).get("type")
    column = violation.column
    for number, expectation in enumerate(stated):
        same = expectation["kwargs"].get("column") == column
        if expectation["type"] == named and (same or "column" not in expectation["kwargs"]):
            yield number
    for number, expectation in enumerate(stated):
        if expectation["type"] in _OF_TYPE and expectation["kwargs"].get("column") == column:
            yield number
    yield 0  # the columns as a whole: there is always an expectation on them


def _was_judged(expectation: Expectation, verdict: Verdict) -> bool:
    if any(v.kind == "unreadable" for v in verdict.blocking):
        return False
    return bool(verdict.evidence) or expectation["type"] in (*_OF_COLUMNS, *_OF_TYPE)


def _answer(expectation: Expectation, violations: list[Violation], verdict: Verdict) -> Answer:
    rows = verdict.rows or 0
    answer = Answer(
        expectation,
        not violations,
        rows=rows,
        observed=safe(_observed(expectation, violations, verdict)),
        messages=tuple(violation.message for violation in violations),
        error=safe(next((v.message for v in violations if v.kind == "unreadable"), None)),
    )
    by_row = expectation["type"] == "expect_column_values_to_not_be_null"
    return _with_rows(answer._replace(element_count=rows), violations) if by_row else answer


def _with_rows(answer: Answer, violations: list[Violation]) -> Answer:
    if not violations or violations[0].count is None:
        return answer
    return answer._replace(
        unexpected_count=violations[0].count,
        positions=violations[0].rows,
        values=tuple(safe(_value(text)) for text in violations[0].sample),
    )


def _observed(expectation: Expectation, violations: list[Violation], verdict: Verdict) -> Any:
    if expectation["type"] == _ROW_COUNT:
        return verdict.rows
    if expectation["type"] in _OF_COLUMNS and not violations:
        return list(verdict.evidence)
    if violations:
        return "; ".join(violation.observed for violation in violations)
    return expectation["kwargs"].get("type_")


def _of_rule(ruling: RuleResult, verdict: Verdict) -> Answer:
    asked = {key: ruling.expectation[key] for key in ("type", "kwargs")}
    violations = [v for v in verdict.violations if v.kind == "rule" and v.expectation == asked]
    looked_at = ruling.element_count
    conditional = "row_condition" in ruling.expectation["kwargs"]
    answer = Answer(
        ruling.expectation,
        bool(ruling.success),
        rows=(looked_at if conditional else None) or verdict.rows or 0,
        element_count=looked_at,
        unexpected_count=ruling.unexpected_count or 0,
        observed=safe(_measured(ruling, violations)),
        messages=tuple(violation.message for violation in violations),
    )
    return _with_rows(answer, violations) if looked_at is not None else answer


def _measured(ruling: RuleResult, violations: list[Violation]) -> Any:
    if ruling.observed is not None or ruling.element_count is not None:
        return ruling.observed
    return "; ".join(violation.observed for violation in violations) or None


def safe(value: Any) -> Any:
    """Escape text, at any depth: GX's pages escape nothing."""
    if isinstance(value, str):
        return html.escape(value, quote=False)
    if isinstance(value, dict):
        return {safe(key): safe(inner) for key, inner in cast("dict[Any, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [safe(inner) for inner in cast("list[Any]", value)]
    return value


def _value(text: str) -> Any:
    """A sample in its type before serialization, where that is known."""
    if text == "null":
        return None
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text
