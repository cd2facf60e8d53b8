"""What was found in the files of a batch, as if it had been one file."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from ..verdict.verdict import Evidence, Violation

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy

_STAGES: tuple[Evidence, ...] = get_args(Evidence)
_Key = tuple[str, str | None, str, str, str]
Rule = tuple[str, str | None, str, str]


def rule_of(rule: RowCheck | Violation) -> Rule:
    """Tell apart the rules of a batch, and the violations that come of them."""
    return rule.kind, rule.column, rule.expected, rule.observed


def merge_violations(
    found: Sequence[tuple[Sequence[Violation], int]],
    names: Sequence[str],
    policy: Policy,
    order: Sequence[Rule] = (),
) -> tuple[Violation, ...]:
    """Put the violations of several files together.

    Those that say the same become one that names its files: counts add up, and rows are positions
    in the whole batch.

    Args:
        found: For each file, its violations and the position of its first row in the batch.
        names: The files' names.
        policy: Says how many rows are shown.
        order: The rules in the order in which a single file is judged by them.

    Returns:
        The violations in that order; those without a place in it as they were first met.
    """
    merged = dict[_Key, Violation]()
    for (violations, first_row), name in zip(found, names, strict=True):
        files = (name,) if len(names) > 1 else ()
        for violation in violations:
            placed = _placed(violation, first_row, files)
            earlier = merged.get(_key(placed))
            merged[_key(placed)] = _together(earlier, placed, policy) if earlier else placed
    turns = {rule: turn for turn, rule in reversed(list(enumerate(order)))}
    return tuple(sorted(merged.values(), key=lambda v: turns.get(rule_of(v), -1)))


def merge_evidence(
    stages: Iterable[Iterable[tuple[str, Evidence]]],
) -> tuple[tuple[str, Evidence], ...]:
    """Name, for each column, the furthest stage that any file needed.

    Args:
        stages: For each file, the stage that decided each column.

    Returns:
        The merged evidence.
    """
    merged = dict[str, Evidence]()
    for evidence in stages:
        for column, stage in evidence:
            furthest = max(_STAGES.index(stage), _STAGES.index(merged.get(column, _STAGES[0])))
            merged[column] = _STAGES[furthest]
    return tuple(merged.items())


def _key(violation: Violation) -> _Key:
    words = f"{violation.observed} {violation.because}"
    # Rules of one type on one column may differ in what their words leave out.
    own = f"{violation.expectation} {violation.severity}" if violation.kind == "rule" else ""
    return violation.kind, violation.column, violation.expected, words, own


def _placed(violation: Violation, first_row: int, files: tuple[str, ...]) -> Violation:
    rows = tuple(row + first_row for row in violation.rows)
    return violation.model_copy(update={"rows": rows, "files": files})


def _together(one: Violation, other: Violation, policy: Policy) -> Violation:
    return one.model_copy(
        update={
            "count": None if one.count is None else one.count + (other.count or 0),
            "rows": (*one.rows, *other.rows)[: policy.sample_rows],
            "sample": (*one.sample, *other.sample)[: policy.sample_rows],
            "files": (*one.files, *other.files),
        }
    )
