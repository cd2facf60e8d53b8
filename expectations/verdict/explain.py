"""Explain a verdict: the reason for its disposition, and the state of each column."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from ..escaping import visible
from ..wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .verdict import Evidence, Kind, Verdict, Violation

KINDS_IN_WORDS: dict[Kind, str] = {
    "missing_column": "a column of the model is missing",
    "extra_column": "a column that the contract does not know",
    "duplicate_column": "a column that arrives more than once",
    "column_order": "columns in another order than the contract's",
    "type_mismatch": "a type that cannot become the model's",
    "null": "no value where one is required",
    "out_of_range": "values beyond the type's range",
    "not_representable": "values that the type cannot hold unchanged",
    "unparseable": "text that does not stand for a value",
    "non_finite": "infinity or NaN",
    "shape_mismatch": "a tensor of another shape",
    "nested_mismatch": "lists, records or maps that do not fit inside",
    "row_count": "fewer rows than make a batch",
    "malformed_row": "rows that do not divide into the columns",
    "rule": "a rule of your own does not hold",
    "value": "a value unlike those that the model was trained on",
    "shift": "values that as a whole are unlike those that the model was trained on",
    "unreadable": "content that cannot be read",
    "no_contract": "a model without a usable contract",
    "output_mismatch": "predictions that do not fit the output schema",
}
_WHOLE_IN_WORDS: dict[Kind, str] = {
    "unreadable": "The batch cannot be read.",
    "no_contract": "The model has no usable contract.",
}
_TOLD = 5  # columns that are named in a count of batches
EVIDENCE_IN_WORDS: dict[Evidence, str] = {
    "schema": "The arriving type alone proves it; no value was read to judge.",
    "table": "Statistics in the table's log prove it; no value was read to judge.",
    "footer": "Statistics stored in the file prove it; no value was read to judge.",
    "scan": "Every value was read.",
}
_TENTH = 0.001  # of a percent, the last place that is shown
State = Literal["blocked", "warned", "good", "unjudged", "foreign"]


@dataclass(frozen=True)
class ColumnFinding:
    """The state of one column.

    Attributes:
        name: The column's name as the contract has it.
        arrived_as: Its name in the batch; None if it did not arrive.
        type: Its arriving type; None if it did not arrive.
        evidence: The stage that decided it; None if none did.
        state: ``blocked`` or ``warned`` by violations; ``good``; ``unjudged`` since the batch was
            stopped before; ``foreign`` to the contract.
        bad: Rows with a blocking violation, at most; None where the column fails as a whole.
        warned: Rows with a warning, at most.
        kinds: The kinds of its violations.
    """

    name: str
    arrived_as: str | None
    type: str | None
    evidence: Evidence | None
    state: State
    bad: int | None
    warned: int
    kinds: tuple[Kind, ...]


def percent(share: float) -> str:
    """Write a share of 0 to 1 as a percentage that is never rounded to none or all."""
    if 0 < share < _TENTH:
        return "under 0.1%"
    if 1 - _TENTH < share < 1:
        return "over 99.9%"
    return f"{share * 100:.1f}".removesuffix(".0") + "%"


def unlike_learned(violations: Iterable[Violation]) -> tuple[str, ...]:
    """Name the columns whose values are told to be unlike the learned ones, with the statistic."""
    return tuple(
        f"{v.column} ({v.statistic or v.kind})" for v in violations if v.kind in ("value", "shift")
    )


def told_in_words(told: Iterable[Sequence[str]]) -> str:
    """Count the batches that are told to have other values, and by what; empty for none."""
    batches = [named for named in told if named]
    if not batches:
        return ""
    counts = Counter(name for named in batches for name in named).most_common()
    words = listed([f"{visible(name)} {count:,}" for name, count in counts], _TOLD)
    return f"{len(batches):,} with values unlike those learned: {words}"


def ranked(violations: tuple[Violation, ...]) -> list[Violation]:
    """Sort violations by weight: blocking first, then whole-batch ones, then by rows."""
    return sorted(
        violations, key=lambda v: (v.severity == "warning", v.level == "row", -(v.count or 0))
    )


def why(verdict: Verdict) -> str:
    """Give the reason for the disposition in one or two sentences, without names from data."""
    if verdict.passed:
        return _why_passed(verdict)
    return f"{_fault(verdict)} {_consequence(verdict)}"


def _why_passed(verdict: Verdict) -> str:
    warnings = len(verdict.violations)
    noted = f", with {counted(warnings, 'warning')}" if warnings else ""
    if verdict.rows is None:
        return f"Nothing speaks against the batch{noted}."
    if verdict.rows == 0:
        return f"The batch has no rows, which the policy allows: there is nothing to score{noted}."
    every = "The one row meets" if verdict.rows == 1 else f"All {verdict.rows:,} rows meet"
    return f"{every} the model's contract{noted}."


def _fault(verdict: Verdict) -> str:
    whole: list[Kind] = [v.kind for v in verdict.blocking if v.level == "batch"]
    if len(whole) == 1:
        stated = f"The batch as a whole is at fault: {KINDS_IN_WORDS[whole[0]]}."
        return _WHOLE_IN_WORDS.get(whole[0], stated)
    if whole:
        return f"The batch as a whole is at fault, for {len(whole):,} reasons."
    kinds: set[Kind] = {v.kind for v in verdict.blocking}
    why = f": {KINDS_IN_WORDS[kinds.pop()]}" if len(kinds) == 1 else ""
    verb = "does" if verdict.rejected == 1 else "do"
    share = percent(verdict.rejected_share)
    rows = counted(verdict.rows or 0, "row")
    return f"{verdict.rejected:,} of {rows} ({share}) {verb} not meet the model's contract{why}."


def _consequence(verdict: Verdict) -> str:
    policy = verdict.policy
    if verdict.disposition == "split":
        apart = "It is" if verdict.rejected == 1 else "They are"
        return f"{apart} set apart; the other {verdict.accepted:,} go on to the model."
    if verdict.disposition == "failed":
        return "The policy on_mismatch: fail stops the batch here."
    if any(v.level == "batch" for v in verdict.blocking):
        return "None of it reaches the model."
    if policy.on_mismatch == "quarantine":
        return "The policy on_mismatch: quarantine holds back the batch whole."
    if any(v.kind == "not_representable" for v in verdict.blocking):
        return (
            "Leaving out rows whose values the type cannot hold would bias the scores, "
            "so the batch is held back whole."
        )
    return (
        f"That is more than the {percent(policy.max_rejected)} that max_rejected lets a split "
        "set apart, so the batch is held back whole."
    )


def column_findings(verdict: Verdict) -> list[ColumnFinding]:
    """List the state of each column.

    Returns:
        One entry per column that the contract, the batch or a violation names: blocked ones first,
        then warned ones, then the others in the contract's and the batch's order.
    """
    faults: dict[str, list[Violation]] = defaultdict(list)
    for violation in ranked(verdict.violations):
        if violation.column is not None:
            faults[violation.column].append(violation)
    arrived: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for name, type_ in verdict.batch.columns:
        arrived[verdict.policy.rename.get(name, name)].append((name, type_))
    stopped = not verdict.evidence or any(v.level == "batch" for v in verdict.blocking)
    findings = [
        _finding(verdict, name, arrived[name], faults[name], "unjudged" if stopped else "foreign")
        for name in dict.fromkeys([*faults, *verdict.evidence, *arrived])
    ]
    weight = {"blocked": 0, "warned": 1}
    return sorted(findings, key=lambda f: weight.get(f.state, 2))


def _finding(
    verdict: Verdict,
    name: str,
    arrived: list[tuple[str, str]],
    faults: list[Violation],
    undecided: State,
) -> ColumnFinding:
    blocking = [v for v in faults if v.severity == "critical"]
    warning = [v for v in faults if v.severity == "warning"]
    decided: State = "good" if name in verdict.evidence else undecided
    return ColumnFinding(
        name=name,
        arrived_as=arrived[0][0] if arrived else None,
        type=", ".join(type_ for _, type_ in arrived) or None,
        evidence=verdict.evidence.get(name),
        state="blocked" if blocking else "warned" if warning else decided,
        bad=_rows_hit(verdict, blocking),
        warned=_rows_hit(verdict, warning) or 0,
        kinds=tuple(dict.fromkeys(v.kind for v in faults)),
    )


def _rows_hit(verdict: Verdict, faults: list[Violation]) -> int | None:
    counts = [v.count for v in faults if v.count is not None]
    if len(counts) < len(faults):
        return None
    return min(sum(counts), verdict.rows or 0)
