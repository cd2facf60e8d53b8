"""Equal violations of many columns as one block, so that each remedy is read once."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..verdict.explain import ranked

if TYPE_CHECKING:
    from ..verdict.verdict import Verdict, Violation

_EACH = "each of these columns"
_LISTED = 20


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
        return self.said(self.first.remedy)

    def said(self, text: str) -> str:
        """Make a text of the first of them one about all."""
        names = [violation.column or "" for violation in self.violations]
        if len(names) == 1:
            return text
        listed = ", ".join(names) if len(names) <= _LISTED else "all of them"
        return _without_name(self.first, text, listed)

    @property
    def samples(self) -> tuple[str, ...]:
        """The sample, if all have the same."""
        alike = len({v.sample for v in self.violations}) == 1
        return (self.first.samples if not self.violations[1:] else self.first.sample) * alike

    @property
    def rows(self) -> str:
        """How many rows have it, and the first of them if all have the same."""
        counts = [v.count for v in self.violations if v.count is not None]
        if not counts:
            return ""
        least, most = min(counts), max(counts)
        many = f"{most:,}" if least == most else f"{least:,} to {most:,}"
        each = " in each" if self.violations[1:] else ""
        alike = len({v.rows for v in self.violations}) == 1
        first = ", ".join(map(str, self.first.rows)) if alike else ""
        return f"{many}{each}{f' (first {first})' if first else ''}"

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
    others = [violation.expected, violation.observed, violation.because]
    named = violation.column is not None
    texts = [_without_name(violation, text, _EACH) for text in (violation.remedy, *others)]
    type_ = (violation.expectation or {}).get("type", "")
    marks = (violation.kind, violation.severity, violation.level, f"{named} {type_}")
    return (*marks, *texts, *violation.files)


def _without_name(violation: Violation, text: str, listed: str) -> str:
    """Say of many columns what is said of one, as text names it: quoted, or in a list of YAML."""
    if violation.column is None:
        return text
    return text.replace(repr(violation.column), _EACH).replace(
        f"[{violation.column}]", f"[{listed}]"
    )
