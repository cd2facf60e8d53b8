"""The changes between the Arrow types in which two batches arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa
import pyarrow.types as is_

from ..batch.arrow_types import element_type, is_list, source_kind
from ..conform.conversions import CONFORMS, How
from .change import make_change
from .field_diff import TypeRules
from .recorded_schema import recorded_types
from .rename_matching import Field
from .type_diff import UNDECLARED

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..verdict.verdict import BatchInfo
    from .change import Change, Consequence
    from .field_diff import Consequences, Level

_OTHER = "other"
_JSON = "JSON:"


def recorded_fields(info: BatchInfo, names: Sequence[str]) -> list[Field]:
    """List the recorded columns of a batch under these distinct names."""
    if "csv" in info.format:
        return [Field(name, "text", "text") for name in names]
    return [
        Field(name, kind or text, text)
        for name, (_, text), kind in zip(names, info.columns, recorded_types(info), strict=True)
    ]


class ArrowTypeRules(TypeRules):
    """What the changes within an arriving type mean where no contract is known.

    A change is breaking if some MLflow type takes the old type better than the new one.
    """

    table: ClassVar[Consequences] = {
        "removed": ("breaking", "an object may require the field"),
        "added": ("breaking", UNDECLARED),
        "renamed": ("breaking", UNDECLARED),
    }

    def similarity(self, before: Field, after: Field) -> float | None:
        """Compare types: similar ones conform to some MLflow type both."""
        if before.type == after.type:
            return 1.0
        if isinstance(before.type, str) or isinstance(after.type, str):
            return None
        kinds = {source_kind(before.type), source_kind(after.type)}
        if kinds == {_OTHER}:
            return 0.5 if before.type.id == after.type.id else None
        if len(kinds) == 1:
            return 1.0
        return 0.5 if any(kinds <= known.keys() for known in CONFORMS.values()) else None

    def requirement(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare whether there may be nulls, and the lengths of lists."""
        if before.required != after.required:
            old, new = ("never null" if f.required else "nullable" for f in (before, after))
            yield make_change("nullability", path, (old, new), _nullability_consequence(after))
        if not isinstance(before.type, str) and not isinstance(after.type, str):
            yield from _length_changes(path, before.type, after.type)

    def level(self, before: Field, after: Field) -> Level | None:
        """Open lists, structs and maps."""
        old, new = before.type, after.type
        if isinstance(old, str) or isinstance(new, str):
            return None
        if is_list(old) and is_list(new):
            return "[]", [_element(old)], [_element(new)]
        if is_.is_struct(old) and is_.is_struct(new):
            return ".", [_field(f) for f in old], [_field(f) for f in new]
        if is_.is_map(old) and is_.is_map(new):
            return "{}", [_field(old.item_field)], [_field(new.item_field)]
        return None

    def retyped(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare types that have no level in common."""
        sides = (before.description, after.description)
        yield make_change("retyped", path, sides, _retype_consequence(before, after))


def _length_changes(path: str, old: pa.DataType, new: pa.DataType) -> Iterator[Change]:
    lengths = [getattr(list_type, "list_size", None) for list_type in (old, new)]
    if not is_list(old) or not is_list(new) or lengths[0] == lengths[1]:
        return
    before, after = (f"{length} elements" if length else "any length" for length in lengths)
    consequence: Consequence = (
        ("compatible", "each row is checked")
        if None in lengths
        else ("breaking", "rows have another shape")
    )
    yield make_change("shape", path, (before, after), consequence)


def _nullability_consequence(after: Field) -> Consequence:
    if after.required:
        return "cosmetic", "nulls cannot arrive any more"
    return "compatible", "each value is checked"


def _retype_consequence(before: Field, after: Field) -> Consequence:
    old, new = before.type, after.type
    if any(field.description.startswith(_JSON) for field in (before, after)):
        # How a JSON type is described depends on the contract that was read with it.
        return "cosmetic", "JSON is read as the model asks for it"
    if isinstance(old, str) or isinstance(new, str):
        return "compatible", "each value is checked"
    if source_kind(old) == source_kind(new) != _OTHER:
        return "cosmetic", f"both are read as {source_kind(old)}"
    why = _why_worse(old, new)
    if why:
        return "breaking", why
    return "compatible", f"whatever takes {source_kind(old)} takes {source_kind(new)}"


def _why_worse(old: pa.DataType, new: pa.DataType) -> str:
    old_kind, new_kind = source_kind(old), source_kind(new)
    if old_kind == _OTHER:
        return f"what takes {old} takes no {new}"
    for target, known in CONFORMS.items():
        how = known.get(new_kind)
        if old_kind in known and _strictness(how) > _strictness(known[old_kind]):
            condition = f"only for {how.value}" if how else "never"
            return f"{old_kind} conforms to {target}, {new_kind} {condition}"
    return ""


def _strictness(how: How | None) -> int:
    # A policy decides whether instants with a zone are taken at all.
    return 2 if how in (None, How.IN_UTC) else int(how is not How.AS_IS)


def _element(list_type: pa.DataType) -> Field:
    field: Any = list_type
    element = element_type(list_type)
    return Field("", element, str(element), not field.value_field.nullable)


def _field(field: Any) -> Field:
    return Field(field.name, field.type, str(field.type), not field.nullable)
