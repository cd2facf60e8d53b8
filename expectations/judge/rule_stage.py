"""The rule stage: the user's rules, and stock GX where it is asked for, before the scan."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..batch.batch import UnreadableError
from ..conform.plan import BatchPlan
from ..rules.batch_rules import for_the_scan, settle, unjudged
from ..rules.conformed_batch import ConformedBatch
from ..rules.row_checks import rule_checks
from .file_result import FileResult

if TYPE_CHECKING:
    from ..rules.row_checks import RuleState
    from ..rules.rule import Rule
    from .batch_result import BatchResult
    from .request import CheckRequest


def unjudged_rules(request: CheckRequest) -> tuple[tuple[Rule, RuleState], ...]:
    """List the rules, none of which is judged yet."""
    return tuple((rule, unjudged(rule)) for rule in request.rules)


def apply_rules(result: BatchResult, request: CheckRequest) -> BatchResult:
    """Settle what needs the whole batch, and hand the rest to the scan.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    if not request.rules and request.engine == "polars":
        return result
    files = tuple((file.batch, file.plan) for file in result.files if file.plan)
    conformed = ConformedBatch(files, request.contract.columns)
    if result.unopened:
        return _left_to_the_scan(result, conformed, request)
    try:
        return _settled(result, conformed, request)
    except UnreadableError:
        # Of a folder the scan finds out which file it is, and judges the others all the same.
        if len(result.files) == 1:
            raise
        return _left_to_the_scan(result, conformed, request)


def _settled(result: BatchResult, conformed: ConformedBatch, request: CheckRequest) -> BatchResult:
    if request.engine == "gx":
        from .gx_reference import judge_by_gx

        conformed, enough, violations = judge_by_gx(conformed, request.contract, request.policy)
        result = replace(result, enough_rows=enough, violations=violations)
    redact, by_gx = request.policy.redact, request.engine == "gx"
    states = settle(list(request.rules), conformed, redact=redact, by_gx=by_gx)
    broken = (state.violation for state in states if state.violation is not None)
    result = replace(result, violations=(*result.violations, *broken))
    return _with_row_checks(result, conformed, request, states)


def _left_to_the_scan(
    result: BatchResult, conformed: ConformedBatch, request: CheckRequest
) -> BatchResult:
    states = [for_the_scan(rule) for rule in request.rules]
    return _with_row_checks(result, conformed, request, states)


def _with_row_checks(
    result: BatchResult,
    conformed: ConformedBatch,
    request: CheckRequest,
    states: list[RuleState],
) -> BatchResult:
    rules, files, plans = list(request.rules), list[FileResult](), dict[int, BatchPlan]()
    by_place = any(state.places is not None for state in states)
    for number, (file, (_, plan)) in enumerate(zip(result.files, conformed.files, strict=True)):
        # Files of one plan share its checks, unless those name rows of a file.
        key = number if by_place else id(plan)
        if key not in plans:
            checks = rule_checks(rules, states, conformed, number)
            plans[key] = replace(plan, rule_checks=checks)
        files.append(replace(file, batch=conformed.with_conformed(number), plan=plans[key]))
    return replace(result, files=tuple(files), rules=tuple(zip(rules, states, strict=True)))
