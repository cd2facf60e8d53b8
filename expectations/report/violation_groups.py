"""Equal violations of many columns as one block, so that each remedy is read once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..verdict.explain import ranked

if TYPE_CHECKING:
    from ..verdict.verdict import Verdict, Violation

_EACH = "each of these columns"


@dataclass(frozen=True)
class ViolationGroup:
    """Violations that say the same of one or more columns.

    Attributes:
        violations: The violations, those of most rows first.
        number: Which remedy it has, from 1.
        of: How many remedies the report has.
    """

    violations: tuple[Violation, ...]
    number: int
    of: int

    @property
    def first(self) -> Violation:
        """The weightiest of them."""
        return self.violations[0]

    @property
    def remedy(self) -> str:
        """What to do about all of them."""
        return _said_of(self.first, self.first.remedy, _EACH if self.violations[1:] else None)

    @property
    def cause(self) -> str:
        """What the remedy is against, in a few words without values."""
        if self.first.column is None:
            return self.first.kind
        where = f"{len(self.violations):,} columns" if self.violations[1:] else self.first.column
        return f"{self.first.kind} in {where}"


def grouped(verdict: Verdict) -> list[ViolationGroup]:
    """Join violations that differ in nothing but their column, rows and values."""
    alike = defaultdict[tuple[str, ...], list["Violation"]](list)
    for violation in ranked(verdict.violations):
        alike[_shape(violation)].append(violation)
    return [
        ViolationGroup(tuple(group), number, len(alike))
        for number, group in enumerate(alike.values(), 1)
    ]


def _shape(violation: Violation) -> tuple[str, ...]:
    texts = (violation.expected, violation.observed, violation.remedy, violation.because)
    type_ = (violation.expectation or {}).get("type", "")
    named = "" if violation.column is None else "of a column"
    marks = (violation.kind, violation.severity, violation.level, named, str(type_))
    return (*marks, *(_said_of(violation, text, _EACH) for text in texts), *violation.files)


def _said_of(violation: Violation, text: str, others: str | None) -> str:
    if violation.column is None or others is None:
        return text
    return text.replace(repr(violation.column), others)
