"""The changes between two lists of fields, and between two types, level by level.

What a change means depends on whose fields they are: ``FieldRules`` say it for one list, and
``TypeRules`` also lead into the types of MLflow or of Arrow.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from .change import ChangeKind, Consequence, make_change
from .rename_matching import match_renames

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .change import Change, Part
    from .rename_matching import Field

# A mark of a path (``.`` for fields, ``[]`` for elements, ``{}`` for values) and both sides.
Level = tuple[str, "Sequence[Field]", "Sequence[Field]"]


Consequences = dict[ChangeKind, Consequence]


class FieldRules(ABC):
    """What the changes of one list of fields mean: by the table, or as a method decides."""

    table: ClassVar[Consequences] = {}

    def removed(self, _field: Field, /) -> Consequence:
        """Judge that a field is gone."""
        return self.table["removed"]

    def added(self, _field: Field, /) -> Consequence:
        """Judge that a field is new."""
        return self.table["added"]

    def renamed(self, _before: Field, _after: Field, /) -> Consequence:
        """Judge that a field has another name."""
        return self.table["renamed"]

    @abstractmethod
    def similarity(self, before: Field, after: Field, /) -> float | None:
        """Tell how similar two types are, for ``match_renames``."""

    @abstractmethod
    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare a field that has its name on both sides."""


class TypeRules(FieldRules):
    """What the changes within types mean; a field that is kept is compared level by level."""

    @abstractmethod
    def requirement(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare whether the field must be there, and how many elements it has."""

    @abstractmethod
    def level(self, before: Field, after: Field) -> Level | None:
        """Open both types by one level; None if they have no such level in common."""

    @abstractmethod
    def retyped(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare types that have no level in common."""

    def kept(self, path: str, before: Field, after: Field) -> Iterator[Change]:
        """Compare a field that has its name on both sides."""
        yield from self.requirement(path, before, after)
        if before.type == after.type:
            return
        level = self.level(before, after)
        if level is None:
            yield from self.retyped(path, before, after)
        elif level[0] == ".":
            yield from field_changes(level[1], level[2], self, prefix=f"{path}.")
        else:
            yield from self.kept(f"{path}{level[0]}", level[1][0], level[2][0])


def field_changes(
    before: Sequence[Field],
    after: Sequence[Field],
    rules: FieldRules,
    *,
    prefix: str = "",
    part: Part = "column",
) -> Iterator[Change]:
    """Compare two lists of fields with distinct names; paths begin with the prefix."""
    sides = match_renames(before, after, rules.similarity)
    for old, new, likelihood in sides.renamed:
        change = make_change(
            "renamed",
            f"{prefix}{old.name}",
            (old.description, new.description),
            rules.renamed(old, new),
            part,
        )
        new_path = f"{prefix}{new.name}"
        yield change.model_copy(update={"renamed_to": new_path, "likelihood": likelihood})
    for field in sides.removed:
        shown = (field.description, None)
        yield make_change("removed", f"{prefix}{field.name}", shown, rules.removed(field), part)
    for field in sides.added:
        shown = (None, field.description)
        yield make_change("added", f"{prefix}{field.name}", shown, rules.added(field), part)
    for old, new in sides.same:
        yield from rules.kept(f"{prefix}{old.name}", old, new)
