"""Why a column is missing: it has another name, or the header is not divided into columns."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa

from ..batch.arrow_types import source_kind
from ..conform.conversions import CONFORMS
from ..contract.types import Scalar
from ..similarity import close_names, one_to_one
from ..wording import listed

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from ..batch.batch import Batch
    from ..contract.contract import Column
    from ..contract.policy import Policy
    from ..similarity import NamePair

# Scores that lie as close to each other decide nothing.
_TIE = 0.02
_LIKELY = 0.9
_CHOOSE = "say which it is in policy rename"


class LikelyRename(NamedTuple):
    """The extra columns that may be a missing one; several, or rivals, where that is ambiguous.

    Attributes:
        extra: Arriving names, the closest first.
        rivals: Other missing columns that the closest may be as well.
        score: How close the closest is, up to 1 for a name that differs in spelling only.
    """

    extra: tuple[str, ...]
    rivals: tuple[str, ...]
    score: float

    @property
    def is_likely(self) -> bool:
        """Whether the names are too close for two different columns."""
        return self.score >= _LIKELY

    def remedy(self, name: str, *, redact: bool) -> str:
        """Say which entry of the policy maps the column, or that its name does not decide it."""
        if redact:
            return f"A column of a name like {name!r} arrived: if it is the same, {_CHOOSE}."
        first, *others = self.extra
        if others:
            return f"More than one column may be it, {listed(map(repr, self.extra))}: {_CHOOSE}."
        if self.rivals:
            return f"{first!r} may be it, or {listed(map(repr, self.rivals))}: {_CHOOSE}."
        entry = json.dumps({first: name}, ensure_ascii=False)
        return f"If {first!r} is the same column, set policy rename: {entry}."


def likely_renames(
    missing: Sequence[Column], extra: Mapping[str, pa.DataType], batch: Batch, policy: Policy
) -> dict[str, LikelyRename]:
    """Assign extra columns of a fitting type to missing ones, one to one, the closest first."""
    columns = {column.name: column for column in missing}
    pairs = [
        pair
        for pair in close_names(list(columns), list(extra))
        if _may_conform(columns[pair.left], extra[pair.right], batch, policy)
    ]
    # Ties are broken by the order of the names, and told.
    ranked = sorted(pairs, key=lambda pair: -pair.score)
    assigned = one_to_one(ranked, lambda pair: (pair.left, pair.right))
    return dict(_with_rivals(assigned, ranked))


def _with_rivals(
    assigned: Sequence[NamePair], ranked: Sequence[NamePair]
) -> Iterator[tuple[str, LikelyRename]]:
    lefts, rights = {pair.left for pair in assigned}, {pair.right for pair in assigned}
    free = [pair for pair in ranked if pair.right not in rights]
    unassigned = [pair for pair in ranked if pair.left not in lefts]
    for best in assigned:
        names = (p.right for p in free if p.left == best.left and _ties(p, best))
        rivals = tuple(p.left for p in unassigned if p.right == best.right and _ties(p, best))
        yield best.left, LikelyRename((best.right, *names), rivals, best.score)


def _ties(pair: NamePair, best: NamePair) -> bool:
    return pair.score >= best.score - _TIE


def _may_conform(column: Column, arrow: pa.DataType, batch: Batch, policy: Policy) -> bool:
    if batch.text or batch.objects or not isinstance(column.type, Scalar):
        return True
    if pa.types.is_null(arrow):
        return True
    kind = source_kind(arrow)
    is_parsed = policy.parse_text == "allow" or "json" in batch.info.format
    return kind in CONFORMS[column.type.name] or (kind == "string" and is_parsed)
