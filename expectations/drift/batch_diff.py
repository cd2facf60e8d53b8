"""The changes of an arriving schema: from one batch to another, and against a contract."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

from ..batch.arrow_types import source_kind
from ..batch.columns import deduplicate
from ..conform.conversions import CONFORMS, How
from ..contract.types import Scalar
from .arrow_type_diff import ArrowTypeRules, recorded_fields
from .change import POLICY_EFFECTS, Change, make_change, order_changes
from .field_diff import FieldRules, field_changes
from .recorded_schema import judge_schema
from .type_diff import to_field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..verdict.verdict import BatchInfo, Kind, Violation
    from .change import ChangeKind, Consequence
    from .field_diff import Consequences
    from .rename_matching import Field

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

    With a contract, a change is breaking if the schema stage turns the later batch away for the
    column; without one, if some MLflow type took the old schema better than the new one.
    """
    old, new = _fields(before), _fields(after)
    changes = [*field_changes(old, new, _ArrivingRules())]
    changes += order_changes([field.name for field in old], [field.name for field in new], policy)
    judgement = _Judgement(after, contract, policy) if contract else None
    for change in changes:
        judged = judgement.with_effect(change) if judgement else change
        yield judged.model_copy(update={"between": "batches"})


def contract_deviations(info: BatchInfo, contract: Contract, policy: Policy) -> Iterator[Change]:
    """Compare what a contract expects (before) with the schema in which a batch arrived (after).

    A change is breaking where the schema stage turns the batch away. Types that the model receives
    unchanged are no change.
    """
    judgement = _Judgement(info, contract, policy)
    if contract.named and not contract.tensors:
        changes = _deviations_by_name(judgement)
    else:
        changes = (_from_violation(violation) for violation in judgement.blocking)
    for change in changes:
        yield change.model_copy(update={"between": "batch and contract"})


def _fields(info: BatchInfo) -> list[Field]:
    return recorded_fields(info, deduplicate([name for name, _ in info.columns]))


class _ArrivingRules(FieldRules):
    """What changes of whole columns mean where no contract is known."""

    types = ArrowTypeRules()
    table: ClassVar[Consequences] = {
        "removed": ("breaking", "whoever reads the column no longer finds it"),
        "added": ("compatible", "nobody reads the column yet"),
        "renamed": ("breaking", "whoever reads the old name no longer finds it"),
    }

    def similarity(self, before: Field, after: Field) -> float | None:
        return self.types.similarity(before, after)

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        return self.types.kept(path, before, after)


@dataclass(frozen=True)
class _Judgement:
    """What the schema stage says of a recorded schema."""

    info: BatchInfo
    contract: Contract
    policy: Policy

    @cached_property
    def blocking(self) -> tuple[Violation, ...]:
        violations = judge_schema(self.info, self.contract, self.policy).schema_violations
        return tuple(v for v in violations if v.severity == "critical")

    @cached_property
    def by_column(self) -> dict[str | None, Violation]:
        return {v.column: v for v in reversed(self.blocking)}

    def with_effect(self, change: Change) -> Change:
        """Say what a change between two batches means to the model."""
        if change.effect == "cosmetic" or not change.path:
            return change
        effect, reason = self._consequence(change)
        return change.model_copy(update={"effect": effect, "reason": reason})

    def _consequence(self, change: Change) -> Consequence:
        if not self.contract.named or self.contract.tensors:
            if self.blocking:
                return "breaking", _described(self.blocking[0])
            return "compatible", "the batch still conforms"
        names = [self._column_of(path) for path in (change.path, change.renamed_to) if path]
        broken = [self.by_column[name] for name in names if name in self.by_column]
        if broken:
            return "breaking", _described(broken[0])
        if any(name == c.name for c in self.contract.columns for name in names):
            return "compatible", "it conforms to the model's contract"
        if change.kind in ("added", "renamed"):
            return _extra_column(names[-1], self.policy)
        return "cosmetic", "the model does not use the column"

    def _column_of(self, path: str) -> str:
        names = [name for name, _ in self.info.columns] + [c.name for c in self.contract.columns]
        # Names may hold the marks of a path, so the longest known name is the column.
        prefixes = [name for name in names if _is_at_or_below(path, name)]
        column = max(prefixes, key=len, default=path)
        return self.policy.rename.get(column, column)


def _is_at_or_below(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}[]", f"{name}{{}}"))


def _described(violation: Violation) -> str:
    where = f" in {violation.column!r}" if violation.column else ""
    return f"{violation.kind}{where}: expected {violation.expected}, observed {violation.observed}"


def _extra_column(name: str, policy: Policy) -> Consequence:
    if name in policy.keep:
        return "cosmetic", "policy keep carries it through"
    return POLICY_EFFECTS[policy.extra_columns], f"policy extra_columns: {policy.extra_columns}"


def _from_violation(violation: Violation) -> Change:
    return make_change(
        _KINDS.get(violation.kind, "retyped"),
        violation.column or "",
        (violation.expected, violation.observed),
        ("breaking", violation.because),
    )


def _deviations_by_name(judgement: _Judgement) -> Iterator[Change]:
    info, contract, policy = judgement.info, judgement.contract, judgement.policy
    names = deduplicate([policy.rename.get(name, name) for name, _ in info.columns])
    expected = [to_field(column) for column in contract.columns]
    yield from field_changes(expected, recorded_fields(info, names), _DeviationRules(judgement))
    yield from order_changes([field.name for field in expected], names, policy)


@dataclass(frozen=True)
class _DeviationRules(FieldRules):
    """What it means that a batch (after) deviates from a contract (before)."""

    judgement: _Judgement

    def similarity(self, before: Field, after: Field) -> float | None:
        convertible = isinstance(after.type, str) or not isinstance(before.type, Scalar)
        return 1.0 if convertible or _how(before, after) else None

    def removed(self, field: Field) -> Consequence:
        by_column = self.judgement.by_column
        broken = by_column.get(field.name) or by_column.get(None)
        if broken:
            return "breaking", broken.because
        allowed = self.judgement.policy.missing_optional
        return POLICY_EFFECTS[allowed], f"policy missing_optional: {allowed}"

    def added(self, field: Field) -> Consequence:
        return _extra_column(field.name, self.judgement.policy)

    def renamed(self, before: Field, after: Field) -> Consequence:
        breaks = before.name in self.judgement.by_column
        reason = f"policy rename: {{{after.name}: {before.name}}} maps it"
        return "breaking" if breaks else "compatible", reason

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        how = _how(before, after)
        if broken := self.judgement.by_column.get(before.name):
            sides = (str(before.type), broken.observed)
            yield make_change("retyped", path, sides, ("breaking", broken.because))
        elif how not in (None, How.AS_IS, How.IN_NANOSECONDS):
            sides = (str(before.type), after.description)
            yield make_change("retyped", path, sides, ("compatible", f"it takes {how.value}"))


def _how(expected: Field, arrived: Field) -> How | None:
    if isinstance(arrived.type, str) or not isinstance(expected.type, Scalar):
        return None
    return CONFORMS[expected.type.name].get(source_kind(arrived.type))
