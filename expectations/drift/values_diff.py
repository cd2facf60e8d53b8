"""The changes between what was learned of values for two versions of a model."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..judge.learned.words import number
from ..values.column_values import MOST_CODES
from ..values.scales import scale_of
from ..verdict.explain import percent
from ..wording import counted, listed
from .change import POLICY_EFFECTS, make_change

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.policy import Policy
    from ..values.column_values import ColumnValues
    from ..values.profile import ValueProfile
    from .change import Change

    # The statistic, and what it was before and is after, in words.
    _Difference = tuple[str, str, str]
    _Both = tuple[ColumnValues, ColumnValues]

_NAMED = 5
_DEVIATIONS = 3  # standard ones, beyond which sampling is not the reason
_NARROWEST = 1e-3


def values_changes(before: ValueProfile, after: ValueProfile, policy: Policy) -> Iterator[Change]:
    """Compare what was learned of the columns that both know.

    A difference counts if it is as large as the smallest that is ever told of a batch, and not by
    chance. Of a redacted profile only shares are compared: its numbers are rounded, and it has no
    domains.
    """
    rounded = before.redacted or after.redacted
    for name, old in before.columns.items():
        new = after.columns.get(name)
        if new is None or new.kind != old.kind:
            continue
        both = old, new
        found = [*_of_shares(both), *(() if rounded else _of_values(both))]
        for statistic, was, became in found:
            action = policy.on_values(name, statistic)
            reason = f"batches are judged by the later; policy values: {action}"
            consequence = (POLICY_EFFECTS[action], reason)
            yield make_change("values", name, (was, became), consequence)


def _of_shares(both: _Both) -> Iterator[_Difference]:
    nulls = [column.nulls / max(column.rows, 1) for column in both]
    yield from _shares("null", "null or NaN", nulls, both)
    for statistic, words in (("true", "true"), ("whole", "whole numbers"), ("zero", "zeros")):
        spreads = [column.spreads[statistic] for column in both if statistic in column.spreads]
        if len(spreads) == len(both):
            means = [scale_of(statistic).back(spread.mean) for spread in spreads]
            yield from _shares(statistic, words, means, both)


def _shares(statistic: str, words: str, shares: list[float], both: _Both) -> Iterator[_Difference]:
    old, new = shares
    if _differs(statistic, old, new, both):
        yield statistic, f"{percent(old)} {words}", percent(new)


def _differs(statistic: str, old: float, new: float, both: _Both) -> bool:
    """Tell whether a statistic differs by more than matters, and than sampling would give."""
    scale = scale_of(statistic)
    sampling = scale.sampling * sum(1 / max(column.rows, 1) for column in both)
    apart = abs(scale.to(new) - scale.to(old))
    return abs(new - old) >= scale.effect and apart > _DEVIATIONS * math.sqrt(sampling)


def _of_values(both: _Both) -> Iterator[_Difference]:
    old, new = both
    if old.kind == "number" and old.quantiles and new.quantiles:
        yield from _of_numbers(both)
    elif bool(old.codes) != bool(new.codes):
        yield "unseen", _counted(old), _counted(new)
    elif old.codes:
        yield from _of_codes(both)


def _of_numbers(both: _Both) -> Iterator[_Difference]:
    (was, is_now), widths = ([c.quantile(0.5) for c in both], [c.width for c in both])
    unit = widths[0] or widths[1] or abs(is_now - was)
    if unit and _differs("median", 0, (is_now - was) / unit, both):
        yield "median", f"a median of {number(was)}", number(is_now)
    old, new = (math.log(max(width / unit, _NARROWEST)) if unit else 0.0 for width in widths)
    if _differs("width", old, new, both):
        yield "width", f"a middle half whose range is {number(widths[0])}", number(widths[1])


def _of_codes(both: _Both) -> Iterator[_Difference]:
    old, new = (
        {code: count / sum(column.codes.values()) for code, count in column.codes.items()}
        for column in both
    )
    added, gone = ([c for c in one if c not in other] for one, other in ((new, old), (old, new)))
    unseen = max(sum(new[code] for code in added), sum(old[code] for code in gone))
    if _differs("unseen", 0, unseen, both):
        changed = [
            f"{how} {listed(map(repr, codes), _NAMED)}"
            for how, codes in (("with", added), ("without", gone))
            if codes
        ]
        yield "unseen", counted(len(old), "value"), f"{len(new):,}, {' and '.join(changed)}"
    most = max(old.keys() & new.keys(), key=lambda code: abs(new[code] - old[code]), default=None)
    if most is not None:
        yield from _shares(f"code {most}", repr(most), [old[most], new[most]], both)


def _counted(column: ColumnValues) -> str:
    codes = len(column.codes)
    if column.nulls == column.rows:
        return "no value"
    return counted(codes, "value") if codes else f"more than {MOST_CODES} values"
