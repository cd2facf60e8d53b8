"""The changes between two MLflow types, and whether the new one takes all that the old one takes.

The answer follows from ``CONFORMS``: a scalar type takes all that another takes if it takes that
one's own values as they are, and every arriving type that the other takes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from ..conform.conversions import CONFORMS, PANDAS_DTYPES, How
from ..conform.tensors import always_exact
from ..contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from .change import make_change
from .field_diff import TypeRules
from .rename_matching import Field

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.policy import Policy
    from ..contract.signature import Column
    from ..contract.types import Property, ScalarName, Type
    from .change import Change, Consequence
    from .field_diff import Consequences, Level

_DOUBLES = Array(Scalar("double"))
UNDECLARED = "an object takes no undeclared field"


def to_field(column: Column | Property) -> Field:
    """Describe a column of a signature, or a property of an object."""
    optional = "" if column.required else ", optional"
    return Field(column.name, column.type, f"{column.type}{optional}", column.required)


@dataclass(frozen=True)
class MlflowTypeRules(TypeRules):
    """What the changes within an MLflow type mean to the batches that fitted it."""

    policy: Policy
    table: ClassVar[Consequences] = {
        "removed": ("breaking", UNDECLARED),
        "renamed": ("breaking", UNDECLARED),
    }

    def similarity(self, before: Field, after: Field) -> float | None:
        """Compare types, in either order with the same result."""
        one, other = before.type, after.type
        if one == other:
            return 1.0
        if Anything() in (one, other) or (
            why_refused(one, other, self.policy) and why_refused(other, one, self.policy)
        ):
            return None
        return 0.5

    def added(self, field: Field) -> Consequence:
        """Judge that a field is new."""
        if field.required:
            return "breaking", "the field must be there"
        return "compatible", "the field may be absent"

    def requirement(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare whether the field must be there."""
        if before.required == after.required:
            return
        if after.required:
            consequence: Consequence = ("breaking", "it may be absent or null so far")
            yield make_change("required", path, ("optional", "required"), consequence)
        else:
            consequence = ("compatible", "a field that is always there is still taken")
            yield make_change("optional", path, ("required", "optional"), consequence)

    def level(self, before: Field, after: Field) -> Level | None:
        """Open objects, maps and arrays."""
        match before.type, after.type:
            case Object(), Object():
                old, new = before.type.properties, after.type.properties
                return ".", [to_field(p) for p in old], [to_field(p) for p in new]
            case Map(old), Map(new) if not _has_anything(old) | _has_anything(new):
                return "{}", [_element(old)], [_element(new)]
            case Array(old), Array(new):
                return "[]", [_element(old)], [_element(new)]
            case _:
                return None

    def retyped(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare scalars, tensors, and types of two kinds."""
        if isinstance(before.type, Tensor) and isinstance(after.type, Tensor):
            yield from _tensor_changes(path, before.type, after.type)
            return
        why = why_refused(before.type, after.type, self.policy)
        consequence: Consequence = (
            ("breaking", why)
            if why
            else ("compatible", f"{after.type} takes all that {before.type} takes")
        )
        yield make_change("retyped", path, (str(before.type), str(after.type)), consequence)


def why_refused(before: Type, after: Type, policy: Policy) -> str:
    """Give an example of what one type takes and another refuses; empty if it takes everything."""
    before, after = _without_vectors(before), _without_vectors(after)
    match before, after:
        case _ if before == after:
            return ""
        case Scalar(old), Scalar(new):
            return _why_refused_by_table(old, new, policy)
        case Map(old), Map(new) if _has_anything(old) | _has_anything(new):
            # Values of type any keep their own types, and those of a map must have one type.
            return "the values of a map have one type, and values of type any need not"
        case _, Anything():
            return ""
        case _ if type(before) is not type(after):
            return f"{after} takes no {before}"
        case _:
            changes = MlflowTypeRules(policy).kept("", _element(before), _element(after))
            return next((c.reason for c in changes if c.effect == "breaking"), "")


def _element(element: Type) -> Field:
    return Field("", element, str(element))


def _without_vectors(mlflow_type: Type) -> Type:
    return _DOUBLES if isinstance(mlflow_type, Vector) else mlflow_type


def _why_refused_by_table(old: ScalarName, new: ScalarName, policy: Policy) -> str:
    unknown = [kind for kind in CONFORMS[old] if kind not in CONFORMS[new]]
    if unknown:
        return f"{unknown[0]} conforms to {old}, and never to {new}"
    # A double at most rounds numbers; for a float they may also be too large.
    if new == "double" and policy.lossy_floats == "allow":
        return ""
    dtype = PANDAS_DTYPES[old]
    how = CONFORMS[new].get(dtype)
    if how is How.AS_IS:
        return ""
    return f"{dtype} conforms to {new} only for {how.value}" if how else f"{new} takes no {old}"


def _has_anything(mlflow_type: Type) -> bool:
    match mlflow_type:
        case Anything():
            return True
        case Array(element) | Map(element):
            return _has_anything(element)
        case Object(properties):
            return any(_has_anything(prop.type) for prop in properties)
        case _:
            return False


def _tensor_changes(path: str, before: Tensor, after: Tensor) -> Iterator[Change]:
    if before.dtype != after.dtype:
        exact = always_exact(before.dtype, after.dtype)
        values = f"{'every' if exact else 'not every'} {before.dtype}"
        consequence: Consequence = (
            "compatible" if exact else "breaking",
            f"{after.dtype} represents {values}",
        )
        yield make_change("retyped", path, (before.dtype, after.dtype), consequence)
    if before.shape != after.shape:
        consequence = (
            ("compatible", "the shape allows other sizes too")
            if _is_wider(before.shape, after.shape)
            else ("breaking", "arrays of the old shape do not fit")
        )
        yield make_change("shape", path, (str(before.shape), str(after.shape)), consequence)


def _is_wider(before: tuple[int, ...], after: tuple[int, ...]) -> bool:
    return len(before) == len(after) and all(
        new in (-1, old) for old, new in zip(before, after, strict=True)
    )
