"""The changes between two contracts: columns, inference params and outputs."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from ..contract.contract import Contract
from ..contract.params import param_faults
from ..contract.signature import read_signature
from ..contract.types import parse_type
from ..errors import NoContract
from .change import Change, make_change, order_changes
from .field_diff import FieldRules, field_changes
from .rename_matching import Field
from .type_diff import MlflowTypeRules, to_field, why_refused
from .values_diff import values_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.policy import Policy
    from ..contract.signature import Column
    from .change import Consequence, Effect
    from .field_diff import Consequences

# One value of each kind that a feed's YAML can set a param to: what the first contract takes of
# them, the second should take too.
_PARAM_VALUES = (True, 7, 2**40, 0.5, "text", "2013-07-01", None, {"a": 1})


def contract_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    """Compare two contracts.

    A change is breaking if a batch that fits the first may not fit the second, if the second may
    refuse a param that the first takes, or if readers of the predictions no longer get what they
    got. A batch is one that has the first contract's columns and no others.
    """
    yield from _column_changes(before, after, policy)
    yield from field_changes(_params(before), _params(after), _ParamRules(), part="param")
    yield from _output_changes(before, after, policy)
    if before.values and after.values:
        yield from values_changes(before.values, after.values, policy)


# ----- columns -----


def _column_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    if (before.named, before.tensors) != (after.named, after.tensors):
        old, new = (
            ("tensors" if c.tensors else "columns") + (" by name" if c.named else " by position")
            for c in (before, after)
        )
        reason = "a batch for the first cannot be matched to the second"
        yield make_change("shape", "", (old, new), ("breaking", reason))
        return
    rules = _ColumnRules(MlflowTypeRules(policy), after, policy, _may_be_empty(before, after))
    old, new = ([to_field(column) for column in c.columns] for c in (before, after))
    yield from field_changes(old, new, rules)
    yield from order_changes([field.name for field in old], [field.name for field in new], policy)


def _may_be_empty(before: Contract, after: Contract) -> bool:
    """Tell whether a batch that fits the first contract may have no column of the second.

    Where nothing is required, MLflow drops every row of a batch that has none of them.
    """
    if any(column.required for column in after.columns):
        return False
    names = {column.name for column in after.columns}
    required = [column.name for column in before.columns if column.required]
    if required:
        return names.isdisjoint(required)
    return not all(column.name in names for column in before.columns)


@dataclass(frozen=True)
class _ColumnRules(FieldRules):
    types: MlflowTypeRules
    after: Contract
    policy: Policy
    may_be_empty: bool

    def similarity(self, before: Field, after: Field) -> float | None:
        return self.types.similarity(before, after)

    def removed(self, field: Field) -> Consequence:
        forbidden = self.after.named and self.policy.extra_columns == "forbid"
        if forbidden and field.name not in self.policy.keep:
            return "breaking", "policy extra_columns: forbid"
        if self.may_be_empty:
            return "breaking", "a batch may have none of the model's columns"
        return "compatible", "the model no longer receives the column"

    def added(self, field: Field) -> Consequence:
        if field.required:
            return "breaking", "the column must be there"
        return "compatible", "the column may be absent"

    def renamed(self, _: Field, after: Field) -> Consequence:
        if after.required or self.may_be_empty:
            return "breaking", "batches have the old name; policy rename can map it"
        return (
            "compatible",
            "the column may be absent, but the model no longer receives values under the old name",
        )

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        return self.types.kept(path, before, after)


# ----- inference params -----


def _params(contract: Contract) -> list[Field]:
    return [Field(str(p["name"]), p, _param_type(p)) for p in contract.params]


def _param_type(param: dict[str, Any]) -> str:
    try:
        name = str(parse_type(dict(param)))
    except (ValueError, KeyError, TypeError, AttributeError):
        name = "unknown"
    return f"list of {name}" if param.get("shape") else name


class _ParamRules(FieldRules):
    table: ClassVar[Consequences] = {
        "removed": ("breaking", "a feed that sets it is refused"),
        "added": ("compatible", "it has a default"),
    }

    def similarity(self, _before: Field, _after: Field) -> None:
        # A param of another name is another param.
        return None

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        if before.description != after.description:
            refused = [
                value
                for single in _PARAM_VALUES
                for value in (single, [single])
                if _takes(before, value) and not _takes(after, value)
            ]
            consequence: Consequence = (
                ("breaking", f"{refused[0]!r} is refused now")
                if refused
                else ("compatible", "every value that was taken still is")
            )
            sides = (before.description, after.description)
            yield make_change("retyped", path, sides, consequence, "param")
        old, new = before.type.get("default"), after.type.get("default")
        if old != new:
            reason = "feeds that do not set it get the new default"
            sides = (repr(old), repr(new))
            yield make_change("default", path, sides, ("compatible", reason), "param")


def _takes(param: Field, value: Any) -> bool:
    stated = {"inputs": None, "outputs": None, "params": json.dumps([dict(param.type)])}
    try:
        return not param_faults({param.name: value}, Contract((), named=True, signature=stated))
    except NoContract:
        return False


# ----- outputs -----


def _output_changes(before: Contract, after: Contract, policy: Policy) -> Iterator[Change]:
    old, new = _outputs(before), _outputs(after)
    if bool(old) == bool(new):
        rules = _OutputRules(MlflowTypeRules(policy))
        before_fields, after_fields = ([_output(c) for c in columns] for columns in (old, new))
        yield from field_changes(before_fields, after_fields, rules, part="output")
    elif new:
        reason = "predictions are checked now"
        yield make_change("added", "", (None, _listed(new)), ("compatible", reason), "output")
    else:
        reason = "predictions are no longer checked"
        yield make_change("removed", "", (_listed(old), None), ("compatible", reason), "output")


@dataclass(frozen=True)
class _OutputRules(FieldRules):
    """For outputs the direction is reversed: readers of predictions can take a narrower type."""

    types: MlflowTypeRules
    table: ClassVar[Consequences] = {
        "removed": ("breaking", "readers of the predictions no longer find it"),
        "added": ("compatible", "readers of the predictions can ignore it"),
        "renamed": ("breaking", "readers of the predictions find another name"),
    }

    def similarity(self, before: Field, after: Field) -> float | None:
        return self.types.similarity(before, after)

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        for change in self.types.requirement(path, before, after):
            effect: Effect = "compatible" if after.required else "breaking"
            reason = "it is always there now" if after.required else "it may be absent now"
            yield change.model_copy(update={"part": "output", "effect": effect, "reason": reason})
        if before.type != after.type:
            why = why_refused(after.type, before.type, self.types.policy)
            consequence: Consequence = (
                ("breaking", f"readers expect {before.type}: {why}")
                if why
                else ("compatible", "readers can take it as before")
            )
            sides = (before.description, after.description)
            yield make_change("retyped", path, sides, consequence, "output")


def _output(column: Column) -> Field:
    return Field(column.name, column.type, str(column.type), column.required)


def _outputs(contract: Contract) -> tuple[Column, ...]:
    try:
        stated = {"inputs": contract.signature.get("outputs")}
        return read_signature(stated, "the output schema").columns
    except NoContract:
        # Such a schema refuses all predictions, before and after.
        return ()


def _listed(columns: tuple[Column, ...]) -> str:
    return ", ".join(f"{column.name}: {column.type}" for column in columns)
