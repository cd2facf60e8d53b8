"""A feed's history for its pages: plain data, made from receipts each time."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from ..conform.conversions import NEVER_NULL
from ..contract.types import required
from ..verdict.explain import ranked
from ..verdict.verdict import Disposition

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from ..verdict.verdict import Severity, Verdict, Violation

Fare = Disposition | Literal["errored", "discarded"]
# Text files have no types: only the reading of their values can change.
_UNTYPED = {"csv": "text"}
# Layouts of one type; the writer's choice among them means nothing.
_SAME = {
    "large_string": "string",
    "string_view": "string",
    "large_binary": "binary",
    "binary_view": "binary",
}


@dataclass(frozen=True)
class EntryFacts:
    """The facts of a verdict that charts show; empty without a verdict.

    Attributes:
        rows: Rows that arrived; None if unknown.
        bad: Rows with a blocking violation; None where rows were not judged one by one.
        allowed: The share of bad rows up to which the policy splits; None where it never does.
        columns: Arriving type by contract-side name; empty if unknown.
        null_shares: Null cells per row, from 0 to 1, by column, as far as they are known.
        marks: The highest severity of the violations of each column with violations.
        faults: The violations, the most severe first, without values: ``null in 'dep_time'``.
        values: Statistics that were compared with learned ones, by column; empty under ``redact``.
        shifts: The columns whose values were told to differ, each with the violation.
    """

    rows: int | None = None
    bad: int | None = None
    allowed: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict[str, str])
    null_shares: Mapping[str, float] = field(default_factory=dict[str, float])
    marks: Mapping[str, Severity] = field(default_factory=dict[str, "Severity"])
    faults: tuple[str, ...] = ()
    values: Mapping[str, Mapping[str, float]] = field(default_factory=dict[str, dict[str, float]])
    shifts: Mapping[str, Violation] = field(default_factory=dict[str, "Violation"])

    @property
    def share(self) -> float | None:
        """Bad rows per arrived row, from 0 to 1; None if unknown."""
        return self.bad / self.rows if self.rows and self.bad is not None else None


@dataclass(frozen=True)
class HistoryEntry:
    """One batch of a feed's history.

    Attributes:
        name: Its path from the inbox.
        fare: Its disposition on arrival.
        when: When that was, in UTC.
        version: The label of the model's version.
        known: The facts of its verdict.
        report: Its quarantine report, as a path relative to the page; None if there is none.
        predictions: Its predictions, likewise.
        earlier: What it repeats or replaces, in words.
        after: ``released`` or ``discarded`` if it was reviewed in quarantine; else empty.
    """

    name: str
    fare: Fare
    when: datetime
    version: str
    known: EntryFacts = field(default_factory=EntryFacts)
    report: str | None = None
    predictions: str | None = None
    earlier: tuple[str, ...] = ()
    after: str = ""


@dataclass(frozen=True)
class FeedHistory:
    """The last batches of a feed.

    Attributes:
        feed: The feed's name.
        batches: The oldest first.
        total: How many batches the feed has had.
        unreadable: Names of receipts among the last that could not be read, and are left out.
    """

    feed: str
    batches: tuple[HistoryEntry, ...] = ()
    total: int = 0
    unreadable: tuple[str, ...] = ()


def known_from(verdict: Verdict, null_counts: Mapping[str, int]) -> EntryFacts:
    """Extract the facts that charts show from a verdict; of values only statistics.

    ``null_counts`` has the arriving columns whose null cells are known without reading.
    """
    apart = verdict.rows is not None and not verdict.whole
    policy = verdict.policy
    return EntryFacts(
        rows=verdict.rows,
        bad=verdict.rejected if apart else None,
        allowed=policy.max_rejected if policy.on_mismatch == "split" else None,
        columns=_columns(verdict),
        null_shares=_null_shares(verdict, null_counts) if verdict.rows else {},
        marks={v.column: v.severity for v in reversed(ranked(verdict.violations)) if v.column},
        faults=tuple(
            f"{v.kind} in {v.column!r}" if v.column else v.kind for v in ranked(verdict.violations)
        ),
        values=verdict.values,
        shifts=shifts_in(verdict),
    )


def shifts_in(verdict: Verdict) -> dict[str, Violation]:
    """Find the columns whose values as a whole were told to be unlike the learned ones."""
    return {v.column: v for v in verdict.violations if v.kind == "shift" and v.column}


def _columns(verdict: Verdict) -> dict[str, str]:
    types: dict[str, list[str]] = defaultdict(list)
    for name, type_ in verdict.batch.columns:
        shown = _UNTYPED.get(verdict.batch.format, _SAME.get(type_, type_))
        types[verdict.policy.rename.get(name, name)].append(shown)
    return {name: ", ".join(shown) for name, shown in types.items()}


def _null_shares(verdict: Verdict, null_counts: Mapping[str, int]) -> dict[str, float]:
    rows = verdict.rows or 1
    arrived = {name for name, _ in verdict.batch.columns}
    counts: dict[str, int] = dict.fromkeys(_proven_full(verdict), 0)
    # A footer also counts the fields of nested columns, under names of their own.
    for name in arrived & null_counts.keys():
        counts[verdict.policy.rename.get(name, name)] = null_counts[name]
    for violation in verdict.violations:
        # The verdict may count NaN too, which footers do not.
        if violation.kind == "null" and violation.column is not None and violation.count:
            counts[violation.column] = max(counts.get(violation.column, 0), violation.count)
    return {name: min(count / rows, 1.0) for name, count in counts.items()}


def _proven_full(verdict: Verdict) -> list[str]:
    """List the columns in which a null would have been a violation."""
    policy = verdict.policy
    return [
        str(spec["name"])
        for spec in json.loads(verdict.signature.get("inputs") or "[]")
        if str(spec.get("name")) in verdict.evidence
        and (
            spec["type"] in NEVER_NULL
            or (required(spec) and policy.nulls == "forbid" and spec["name"] not in policy.nullable)
        )
    ]
