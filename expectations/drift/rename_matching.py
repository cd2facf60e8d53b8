"""Pairs the fields before with the fields after: by equal name, else by likely rename."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from ..similarity import close_names, one_to_one

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

# The likelihood of a rename is the sum of: similar names, equal types, equal positions.
_NAME, _TYPE, _POSITION = 0.8, 0.1, 0.1


@dataclass(frozen=True)
class Field:
    """A column, param or output, or a field within one.

    Attributes:
        name: No two fields of one list have the same.
        type: MLflow's or Arrow's; its description where nothing else was recorded.
        description: The type as reports show it.
        required: False if it may be absent (MLflow) or null (Arrow).
    """

    name: str
    type: Any
    description: str
    required: bool = True


class Rename(NamedTuple):
    """A field that likely has another name now, with a likelihood from 0 to 1."""

    before: Field
    after: Field
    likelihood: float


class Alignment(NamedTuple):
    """Two lists of fields, paired; each part in the order of its own list."""

    same: list[tuple[Field, Field]]
    renamed: list[Rename]
    removed: list[Field]
    added: list[Field]


def match_renames(
    before: Sequence[Field],
    after: Sequence[Field],
    similarity: Callable[[Field, Field], float | None],
) -> Alignment:
    """Pair the fields of two lists with distinct names; swapping the lists swaps the result.

    A renamed field keeps its kind of type, and its name is close by ``similarity.close_names``.
    ``similarity`` is 1 if the types are equal, less if they are similar, None if they rule it out.
    """
    old, new = {field.name: field for field in before}, {field.name: field for field in after}
    removed = [field for field in before if field.name not in new]
    added = [field for field in after if field.name not in old]
    positions = (_positions(before), _positions(after))
    renamed = _best_renames(_possible_renames(removed, added, positions, similarity))
    old_names, new_names = {r.before.name for r in renamed}, {r.after.name for r in renamed}
    return Alignment(
        [(field, new[field.name]) for field in before if field.name in new],
        renamed,
        [field for field in removed if field.name not in old_names],
        [field for field in added if field.name not in new_names],
    )


def _positions(fields: Sequence[Field]) -> dict[str, int]:
    return {field.name: position for position, field in enumerate(fields)}


def _possible_renames(
    removed: Sequence[Field],
    added: Sequence[Field],
    positions: tuple[dict[str, int], dict[str, int]],
    similarity: Callable[[Field, Field], float | None],
) -> Iterable[Rename]:
    old_fields = {field.name: field for field in removed}
    new_fields = {field.name: field for field in added}
    for old_name, new_name, closeness in close_names(list(old_fields), list(new_fields)):
        old, new = old_fields[old_name], new_fields[new_name]
        type_similarity = similarity(old, new)
        if type_similarity is not None:
            in_place = positions[0][old_name] == positions[1][new_name]
            likelihood = _NAME * closeness + _TYPE * type_similarity + _POSITION * in_place
            yield Rename(old, new, round(likelihood, 2))


def _best_renames(possible: Iterable[Rename]) -> list[Rename]:
    # Ties are broken by names, whichever side they are on: swapping the sides must swap the result.
    ranked = sorted(possible, key=lambda r: (-r.likelihood, sorted((r.before.name, r.after.name))))
    return one_to_one(ranked, lambda rename: (rename.before.name, rename.after.name))
