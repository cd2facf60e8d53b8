"""One change between two contracts, two batches, or a batch and a contract: plain data."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, computed_field

from ..escaping import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..contract.policy import Policy

Effect = Literal["breaking", "compatible", "cosmetic"]
Between = Literal["contracts", "batches", "batch and contract"]
Part = Literal["column", "param", "output"]
ChangeKind = Literal[
    "added",
    "removed",
    "renamed",
    "retyped",
    "shape",
    "required",
    "optional",
    "nullability",
    "default",
    "order",
    "values",
]

# What a change means, and why.
Consequence = tuple[Effect, str]

EFFECTS: tuple[Effect, ...] = ("breaking", "compatible", "cosmetic")
# What a policy that forbids, warns of or ignores something makes of it.
POLICY_EFFECTS: dict[str, Effect] = {
    "forbid": "breaking",
    "warn": "compatible",
    "ignore": "cosmetic",
}
_OPPOSITE: dict[ChangeKind, ChangeKind] = {
    "added": "removed",
    "removed": "added",
    "required": "optional",
    "optional": "required",
}
_LONGEST = 200
# What changed is told by what was and what became.
_UNNAMED = ("retyped", "values")


class Change(BaseModel):
    """One change from what was before to what is after.

    Attributes:
        kind: ``required`` and ``optional``: what the field became; the others: what happened to it.
        part: A column, an inference param, or an output of the model.
        path: The column's name; within nested types ``order.lines[].price``, ``scores{}`` for the
            values of a map. Empty if the change concerns the columns as a whole.
        renamed_to: The path after; None unless ``renamed``.
        before: The type before, or whatever else changed; None if ``added``.
        after: Likewise after; None if ``removed``.
        effect: ``breaking``: what fitted before may not fit after; ``compatible``: all of it still
            fits; ``cosmetic``: nobody will notice.
        reason: Why it has this effect.
        likelihood: From 0 to 1: that the field was renamed, rather than removed and another one
            added; None unless ``renamed``.
        between: What was compared.
    """

    model_config = ConfigDict(frozen=True)

    kind: ChangeKind
    part: Part = "column"
    path: str = ""
    renamed_to: str | None = None
    before: str | None = None
    after: str | None = None
    effect: Effect
    reason: str
    likelihood: float | None = None
    between: Between = "contracts"

    @computed_field
    @property
    def message(self) -> str:
        """The change in one line; control characters in names are escaped."""
        reason = visible(self.reason, limit=_LONGEST)
        return f"{self.effect}: {self.what} (between {self.between}); {reason}"

    @property
    def what(self) -> str:
        """What happened, without its effect."""
        where = f"{self.part} {_shown(self.path)!r}" if self.path else f"the {self.part}s"
        match self.kind:
            case "added":
                return f"{where} added ({_shown(self.after)})"
            case "removed":
                return f"{where} removed (was {_shown(self.before)})"
            case "renamed":
                likely = f"{self.likelihood or 0:.0%} likely"
                return f"{where} renamed to {_shown(self.renamed_to)!r} ({likely})"
            case "required" | "optional":
                return f"{where} became {self.kind}"
            case kind:
                moved = f"{_shown(self.before)} became {_shown(self.after)}"
                return f"{where}: {'' if kind in _UNNAMED else f'{kind}, '}{moved}"

    def inverted(self) -> Change:
        """The same change, seen from after to before; its effect is not judged anew."""
        return self.model_copy(
            update={
                "kind": _OPPOSITE.get(self.kind, self.kind),
                "path": self.renamed_to or self.path,
                "renamed_to": None if self.renamed_to is None else self.path,
                "before": self.after,
                "after": self.before,
            }
        )


def make_change(
    kind: ChangeKind,
    path: str,
    sides: tuple[str | None, str | None],
    consequence: Consequence,
    part: Part = "column",
) -> Change:
    """Build a change from what was there before and after, and what that means."""
    (before, after), (effect, reason) = sides, consequence
    return Change(
        kind=kind, part=part, path=path, before=before, after=after, effect=effect, reason=reason
    )


def fingerprint_of(changes: Iterable[Change]) -> str:
    """Sixteen hexadecimal digits that are equal for equal changes, whatever their order."""
    facts = {
        (c.part, c.kind, c.path, c.renamed_to, c.before, c.after, c.effect, c.between)
        for c in changes
    }
    return hashlib.sha256("\n".join(sorted(map(repr, facts))).encode()).hexdigest()[:16]


def worst_first(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Sort changes by effect, and leave those of one effect in their order."""
    return tuple(sorted(changes, key=lambda change: EFFECTS.index(change.effect)))


def order_changes(before: Sequence[str], after: Sequence[str], policy: Policy) -> list[Change]:
    """Report that the names which both sides have are in another order: one change, or none."""
    old = [name for name in before if name in set(after)]
    new = [name for name in after if name in set(before)]
    if old == new:
        return []
    reason = f"policy column_order: {policy.column_order}"
    consequence = (POLICY_EFFECTS[policy.column_order], reason)
    return [make_change("order", "", (", ".join(old), ", ".join(new)), consequence)]


def _shown(text: str | None) -> str:
    return visible(text or "", limit=_LONGEST)
