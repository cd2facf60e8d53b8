"""Which violations share rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from ..errors import BatchChanged
from ..judge.rejected_rows import REASONS
from ..verdict.explain import ranked
from ..wording import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..verdict.verdict import Verdict, Violation

_MOST = 8


@dataclass(frozen=True)
class Reason:
    """Why rows were rejected.

    Attributes:
        kind: The kind of violation; of a user's rule, what it asks for.
        column: The column, if it has one.
        rows: Rows that have it.
        alone: Rows that have it and no other reason that is shown.
    """

    kind: str
    column: str | None
    rows: int
    alone: int


@dataclass(frozen=True)
class Overlaps:
    """How often the most frequent reasons share rows.

    Attributes:
        reasons: At most eight, the most frequent first.
        shared: Rows that have both, for each pair of positions in ``reasons``, the lower one first.
        rows: Rejected rows.
        several: Those that have more than one of the reasons.
        left_out: Further reasons.
    """

    reasons: tuple[Reason, ...]
    shared: dict[tuple[int, int], int]
    rows: int
    several: int
    left_out: int

    @property
    def caption(self) -> str:
        """The chart in one or two sentences."""
        rejected = counted(self.rows, "rejected row")
        if not self.several:
            return f"No row has more than one reason, of {rejected}."
        (first, second), rows = max(self.shared.items(), key=lambda pair: pair[1])
        pair = f"reasons {first + 1} and {second + 1}, in {counted(rows, 'row')}"
        several = f"{self.several:,} of {rejected} have more than one reason"
        return f"{several}. Most often together: {pair}."

    def both(self, first: int, second: int) -> int:
        """Rows with both of two reasons; for the same reason twice, all its rows."""
        if first == second:
            return self.reasons[first].rows
        return self.shared[min(first, second), max(first, second)]


def overlaps_in(rejected: pl.LazyFrame | None, verdict: Verdict) -> Overlaps | None:
    """Count the rejected rows that reasons share, in one streaming pass over ``_violations``.

    None if there are less than two reasons to compare, if the batch is rejected as a whole, or if
    its rows can no longer be read.
    """
    violations = _comparable(verdict)
    if rejected is None or verdict.whole or len(violations) < 2:  # noqa: PLR2004 - a pair
        return None
    shown = violations[:_MOST]
    try:
        counts = _counted(rejected, shown)
    except (BatchChanged, OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException):
        # A changed or removed batch is reported elsewhere; here only the chart is left out.
        return None
    return Overlaps(
        reasons=tuple(
            Reason(_said(v), v.column, counts[f"{n}"], counts[f"{n} alone"])
            for n, v in enumerate(shown)
        ),
        shared={(a, b): counts[f"{a} {b}"] for a, b in combinations(range(len(shown)), 2)},
        rows=counts["rows"],
        several=counts["several"],
        left_out=len(violations) - len(shown),
    )


def _comparable(verdict: Verdict) -> list[Violation]:
    rows = [v for v in ranked(verdict.blocking) if v.level == "row"]
    return list({_opening(violation): violation for violation in rows}.values())


def _opening(violation: Violation) -> str:
    """How the reasons of a violation begin in ``_violations``."""
    where = f" in {violation.column!r}" if violation.column else ""
    return f"{_said(violation)}{where}"


def _said(violation: Violation) -> str:
    return violation.because if violation.kind == "rule" else violation.kind


def _counted(rejected: pl.LazyFrame, shown: Sequence[Violation]) -> dict[str, int]:
    masks = [_has(_opening(violation)).alias(f"{n}") for n, violation in enumerate(shown)]
    flags = [pl.col(f"{n}") for n in range(len(shown))]
    number = pl.sum_horizontal(flags)
    pairs = combinations(range(len(shown)), 2)
    totals = (
        rejected.select(REASONS)
        .select(masks)
        .select(
            pl.len().alias("rows"),
            (number > 1).sum().alias("several"),
            *(flag.sum().alias(f"{n}") for n, flag in enumerate(flags)),
            *((flag & (number == 1)).sum().alias(f"{n} alone") for n, flag in enumerate(flags)),
            *((flags[a] & flags[b]).sum().alias(f"{a} {b}") for a, b in pairs),
        )
    )
    return totals.collect(engine="streaming").row(0, named=True)


def _has(opening: str) -> pl.Expr:
    reason = pl.element()
    ends = [reason == opening, reason.str.starts_with(f"{opening}: ")]
    return pl.col(REASONS).list.eval(pl.any_horizontal(ends)).list.any()
