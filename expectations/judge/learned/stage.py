"""What differs in a batch as a whole from what was learned of values, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...values.expectations import batch_expectations
from ...values.limits import A_YEAR, Known, find
from ...values.measures import measure
from ...values.scales import LINKS, family
from ...verdict.verdict import Violation
from .diagnosis import diagnose
from .words import because, expected, observed

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from ...contract.contract import Contract
    from ...contract.policy import Policy
    from ...values.limits import Finding
    from ...values.measures import Measured
    from ...values.profile import ValueProfile
    from ..request import CheckRequest

    _Found = dict[str, dict[str, Measured]]


def judge_values(
    sample: pl.DataFrame, request: CheckRequest
) -> tuple[tuple[Violation, ...], dict[str, dict[str, float]]]:
    """Compare a sample of a batch with what was learned.

    Returns:
        A violation for each column that differs, and what was measured.
    """
    profile, policy = request.values, request.policy
    if profile is None or not sample.height:
        return (), {}
    measured = measure(sample, profile.columns)
    judged = _judged(measured, profile, policy)
    level = _level(judged, request.contract, policy)
    found = {
        column: list(_findings(column, names, measured[column], level, request))
        for column, names in judged.items()
    }
    violations = [
        _violation(column, findings, sample, profile, policy)
        for column, findings in _explained(found, profile).items()
    ]
    values = {
        column: {name: _short(found.value) for name, found in statistics.items()}
        for column, statistics in measured.items()
    }
    shown = {} if policy.redact else values
    return tuple(violations), shown


def _judged(measured: _Found, profile: ValueProfile, policy: Policy) -> dict[str, list[str]]:
    return {
        column: [
            name
            for name in statistics
            if name in profile.columns[column].spreads
            and policy.on_values(column, name) != "ignore"
        ]
        for column, statistics in measured.items()
    }


def _level(judged: dict[str, list[str]], contract: Contract, policy: Policy) -> float:
    """Share the false alarms that are allowed evenly (C. E. Bonferroni, 1936)."""
    a_year = contract.past.a_year if contract.past else A_YEAR
    by_training_and_past = 2 if contract.past and contract.past.batches else 1
    tests = max(sum(map(len, judged.values())), 1) * by_training_and_past
    return policy.false_alarm_share(a_year) / tests


def _findings(
    column: str,
    names: list[str],
    measured: dict[str, Measured],
    level: float,
    request: CheckRequest,
) -> Iterator[Finding]:
    profile, past = request.values, request.contract.past
    assert profile is not None  # noqa: S101 - there is nothing to compare otherwise
    for name in names:
        before = past.of(column, name) if past else ()
        known = Known(name, profile.columns[column].spreads[name], profile, before)
        known = past.moved(column, known) if past else known
        if finding := find(known, measured[name], level):
            yield finding


def _explained(found: dict[str, list[Finding]], profile: ValueProfile) -> dict[str, list[Finding]]:
    """Leave out columns that only go no longer with one which differs by itself."""
    differs = {column for column, findings in found.items() if {f.name for f in findings} - LINKS}
    return {
        column: findings
        for column, findings in found.items()
        if findings
        and (
            column in differs
            or not (link := profile.columns[column].link)
            or link.partner not in differs
        )
    }


def _violation(
    column: str,
    findings: list[Finding],
    sample: pl.DataFrame,
    profile: ValueProfile,
    policy: Policy,
) -> Violation:
    learned = profile.columns[column]
    blocking = [f for f in findings if policy.on_values(column, f.name) == "forbid"]
    worst = min(blocking or findings, key=lambda finding: finding.odds)
    # Under redact neither a code nor a quantile is named: a batch may hold it.
    stated = [] if policy.redact else batch_expectations(worst.name, column, learned, worst.band)
    statistic = family(worst.name) if policy.redact else worst.name
    too_low = worst.observed.value < worst.band.low
    expectation = (stated[0] if too_low else stated[-1]) if stated else None
    limits = _short(worst.band.low), _short(worst.band.high)
    return Violation(
        kind="shift",
        column=column,
        expected=expected(worst, learned, redact=policy.redact),
        observed=observed(worst, learned, findings, redact=policy.redact),
        remedy=diagnose(column, sample, profile, policy),
        because=because(worst, statistic, profile),
        severity="critical" if blocking else "warning",
        expectation=expectation and {k: expectation[k] for k in ("type", "kwargs")},
        statistic=statistic,
        limits=None if policy.redact else limits,
    )


def _short(value: float) -> float:
    return float(f"{value:.4g}")
