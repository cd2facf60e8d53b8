"""What was learned and what was observed, in words."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...values.scales import family, scale_of
from ...verdict.explain import percent

if TYPE_CHECKING:
    from collections.abc import Callable

    from ...values.column_values import ColumnValues
    from ...values.limits import Finding
    from ...values.profile import ValueProfile

_RAREST = 1e-12


def _cut(name: str, column: ColumnValues) -> str:
    return number(column.cuts[name.removeprefix("length_")])


# Family of a share -> the rows that it counts; under redact nothing is said of values.
_COUNTED: dict[str, Callable[[str, ColumnValues], str]] = {
    "null": lambda *_: "null or NaN",
    "below": lambda name, column: f"values of at most {_cut(name, column)}",
    "length_below": lambda name, column: f"text of at most {_cut(name, column)} characters",
    "code": lambda name, _: f"the value {name.removeprefix('code ')!r}",
    "unseen": lambda _, column: f"values other than the {len(column.codes)} that were learned",
    "spike": lambda *_: "one and the same value",
    "repeated": lambda *_: "values that were there before",
    "whole": lambda *_: "whole numbers",
    "zero": lambda *_: "zeros",
    "true": lambda *_: "true",
    "sentinel": lambda _, column: f"the value {number(column.sentinel or 0)}",
    "midnight": lambda *_: "midnight",
}


def expected(finding: Finding, column: ColumnValues, *, redact: bool) -> str:
    """Say within which limits a statistic was expected."""
    band, name = finding.band, finding.name
    back = scale_of(name).back
    told = [_written(name, value, column) for value in (band.low, band.high, back(band.centre))]
    if redact:
        return f"{_noun(name, column, redact=True)} as {finding.origin}"
    limits = f"from {told[0]} to {told[1]} ({told[2]} {finding.origin})"
    return f"{_noun(name, column, redact=False)} {limits}"


def observed(
    finding: Finding, column: ColumnValues, findings: list[Finding], *, redact: bool
) -> str:
    """Say what a statistic is in the batch, and which others are beyond their limits too."""
    others = sorted({family(f.name) for f in findings} - {family(finding.name)})
    also = f"; differing too: {', '.join(others)}" if others else ""
    value = _written(finding.name, finding.observed.value, column)
    return ("another one" if redact else value) + also


def because(finding: Finding, statistic: str, profile: ValueProfile) -> str:
    """Say from how many rows it was learned, and how unlikely the difference is by chance."""
    chance = (
        "less than 1 in a trillion" if finding.odds < _RAREST else f"1 in {1 / finding.odds:,.0f}"
    )
    return (
        f"{statistic} was learned from {profile.rows:,} rows in {profile.blocks:,} blocks; by "
        f"chance a batch is as far away in {chance}"
    )


def _noun(name: str, column: ColumnValues, *, redact: bool) -> str:
    if name == "median":
        return "a median"
    if name == "width":
        return "a middle half whose range is"
    if name == "goes_with":
        return f"a rank correlation with {column.link.partner!r}" if column.link else ""
    counted = family(name) if redact else _COUNTED[family(name)](name, column)
    return f"a share of {counted}"


def _written(name: str, value: float, column: ColumnValues) -> str:
    if name == "median":
        middle = column.quantile(0.5) + value * column.width
        return _moment(middle) if column.kind == "time" else number(middle)
    if name == "width":
        return number(math.exp(value) * column.width)
    # A band of shares may reach beyond none, and all.
    return f"{value:.2f}" if name == "goes_with" else percent(min(max(value, 0.0), 1.0))


def number(value: float) -> str:
    """Write a number as a message does."""
    return f"{value:,.0f}" if value == round(value) and abs(value) < 1e15 else f"{value:,.4g}"  # noqa: PLR2004


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat()
