"""What became of a feed's arriving schema: from one batch to the next, or beside a contract."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from ..batch.arrow_types import source_kind
from ..batch.columns import deduplicate
from ..conform.conversions import CONFORMS, How
from ..contract.types import Scalar
from .arrow_type_diff import Field, arriving_changes, fields_of, kinship_of
from .change import POLICY_EFFECTS, Change, order_changes
from .recorded_schema import judge_schema
from .rename_matching import match_renames
from .type_diff import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..contract.signature import Column
    from ..verdict.verdict import BatchInfo, Kind, Violation
    from .change import ChangeKind, Effect

_KINDS: dict[Kind, ChangeKind] = {
    "missing_column": "removed",
    "extra_column": "added",
    "duplicate_column": "added",
    "column_order": "order",
    "shape_mismatch": "shape",
}


def batch_changes(
    before: BatchInfo, after: BatchInfo, contract: Contract | None, policy: Policy
) -> Iterator[Change]:
    """Compare the schemas in which two batches arrived.

    Args:
        before: The earlier one, as recorded.
        after: The later one.
        contract: Whose model they are for: a change is breaking if this contract turns the later
            batch away for the column. Without one, see ``arriving_changes``.
        policy: What the contract leaves open.

    Yields:
        The changes of arriving columns.
    """
    judged = _Judged(after, contract, policy) if contract else None
    for change in _between(before, after, policy):
        told = judged.told(change) if judged else change
        yield told.model_copy(update={"between": "batches"})


def _between(before: BatchInfo, after: BatchInfo, policy: Policy) -> Iterator[Change]:
    sides = match_renames(_fields(before), _fields(after), kinship_of)
    for renamed in sides.renamed:
        yield Change(
            kind="renamed",
            path=renamed.before.name,
            renamed_to=renamed.after.name,
            before=renamed.before.said,
            after=renamed.after.said,
            effect="breaking",
            reason="whoever takes the old name no longer finds it",
            likelihood=renamed.likelihood,
        )
    for field in sides.removed:
        reason = "whoever takes it no longer finds it"
        yield Change(
            kind="removed", path=field.name, before=field.said, effect="breaking", reason=reason
        )
    for field in sides.added:
        reason = "nobody has asked for it"
        yield Change(
            kind="added", path=field.name, after=field.said, effect="compatible", reason=reason
        )
    for one, other in sides.same:
        yield from arriving_changes(one.name, one, other)
    was, now = ([field.name for field in _fields(info)] for info in (before, after))
    yield from order_changes(was, now, policy)


def _fields(info: BatchInfo) -> list[Field]:
    return fields_of(info, deduplicate([name for name, _ in info.columns]))


@dataclass(frozen=True)
class _Judged:
    """What a contract makes of an arriving schema."""

    info: BatchInfo
    contract: Contract
    policy: Policy

    @cached_property
    def blocking(self) -> tuple[Violation, ...]:
        found = judge_schema(self.info, self.contract, self.policy).violations
        return tuple(v for v in found if v.severity == "critical")

    @cached_property
    def by_column(self) -> dict[str | None, Violation]:
        return {v.column: v for v in reversed(self.blocking)}

    def told(self, change: Change) -> Change:
        """Say what a change means to the model."""
        if change.effect == "cosmetic" or not change.path:
            return change
        effect, reason = self._effect(change)
        return change.model_copy(update={"effect": effect, "reason": reason})

    def _effect(self, change: Change) -> tuple[Effect, str]:
        if not self.contract.named or self.contract.tensors:
            first = next(iter(self.blocking), None)
            return ("breaking", _said(first)) if first else ("compatible", "the batch fits still")
        names = [self._meant(path) for path in (change.path, change.renamed_to) if path]
        broken = [self.by_column[name] for name in names if name in self.by_column]
        if broken:
            return "breaking", _said(broken[0])
        if any(name == c.name for c in self.contract.columns for name in names):
            return "compatible", "the model's contract takes it"
        if change.kind in ("added", "renamed"):
            return _of_extra(names[-1], self.policy)
        return "cosmetic", "the model does not take the column"

    def _meant(self, path: str) -> str:
        known = [name for name, _ in self.info.columns] + [c.name for c in self.contract.columns]
        # Names may hold the marks of a path: the longest that is known is meant.
        roots = [name for name in known if path == name or path.startswith(_below(name))]
        root = max(roots, key=len, default=path)
        return self.policy.rename.get(root, root)


def _below(name: str) -> tuple[str, ...]:
    return tuple(f"{name}{mark}" for mark in (".", "[]", "{}"))


def _said(violation: Violation) -> str:
    where = f" in {violation.column!r}" if violation.column else ""
    return f"{violation.kind}{where}: expected {violation.expected}, observed {violation.observed}"


def _of_extra(name: str, policy: Policy) -> tuple[Effect, str]:
    if name in policy.keep:
        return "cosmetic", "policy keep carries it through"
    return POLICY_EFFECTS[policy.extra_columns], f"policy extra_columns: {policy.extra_columns}"


# ----- beside a contract -----


def contract_deviations(info: BatchInfo, contract: Contract, policy: Policy) -> Iterator[Change]:
    """Compare the schema in which a batch arrived with what a contract asks for.

    Args:
        info: The batch, as recorded.
        contract: What the model expects; it is what was before.
        policy: What the contract leaves open.

    Yields:
        What is missing, surplus, of another type or out of order; breaking where the schema stage
        turns the batch away. Types that the model receives unchanged are no change.
    """
    judged = _Judged(info, contract, policy)
    if contract.named and not contract.tensors:
        found = _by_name(judged)
    else:
        found = (_of_violation(violation) for violation in judged.blocking)
    for change in found:
        yield change.model_copy(update={"between": "batch and contract"})


def _of_violation(violation: Violation) -> Change:
    return Change(
        kind=_KINDS.get(violation.kind, "retyped"),
        path=violation.column or "",
        before=violation.expected,
        after=violation.observed,
        effect="breaking",
        reason=violation.because,
    )


def _by_name(judged: _Judged) -> Iterator[Change]:
    info, contract, policy = judged.info, judged.contract, judged.policy
    names = deduplicate([policy.rename.get(name, name) for name, _ in info.columns])
    fields = fields_of(info, names)
    asked = {column.name: column for column in contract.columns}
    wanted = [Field(c.name, described(c.type, required=c.required), None) for c in contract.columns]
    sides = match_renames(
        wanted, fields, lambda a, b: _takes(asked.get(a.name) or asked[b.name], a, b)
    )
    for renamed in sides.renamed:
        column = asked[renamed.before.name]
        entry = f"policy rename: {{{renamed.after.name}: {column.name}}} maps it"
        yield Change(
            kind="renamed",
            path=column.name,
            renamed_to=renamed.after.name,
            before=renamed.before.said,
            after=renamed.after.said,
            effect="breaking" if column.name in judged.by_column else "compatible",
            reason=entry,
            likelihood=renamed.likelihood,
        )
    for field in sides.removed:
        broken = judged.by_column.get(field.name) or judged.by_column.get(None)
        yield Change(
            kind="removed",
            path=field.name,
            before=field.said,
            effect="breaking" if broken else "compatible",
            reason=broken.because if broken else "the column may be absent",
        )
    for field in sides.added:
        effect, reason = _of_extra(field.name, policy)
        yield Change(kind="added", path=field.name, after=field.said, effect=effect, reason=reason)
    for one, other in sides.same:
        yield from _beside(asked[one.name], other, judged.by_column.get(one.name))
    yield from order_changes([column.name for column in contract.columns], names, policy)


def _takes(column: Column, one: Field, other: Field) -> float | None:
    arrived = other.kind if one.kind is None else one.kind
    if arrived is None or not isinstance(column.type, Scalar):
        return 1.0
    return 1.0 if source_kind(arrived) in CONFORMS[column.type.name] else None


def _beside(column: Column, field: Field, broken: Violation | None) -> Iterator[Change]:
    how = None
    if field.kind is not None and isinstance(column.type, Scalar):
        how = CONFORMS[column.type.name].get(source_kind(field.kind))
    if broken or how not in (None, How.AS_IS, How.IN_NANOSECONDS):
        yield Change(
            kind="retyped",
            path=column.name,
            before=str(column.type),
            after=broken.observed if broken else field.said,
            effect="breaking" if broken else "compatible",
            reason=broken.because if broken else f"it takes {how.value if how else ''}",
        )
