"""Which thing before is which thing after, under the same name or, likely, under another."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, NamedTuple, Protocol, TypeVar

import numpy as np
from rapidfuzz import fuzz, process, utils

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

# What a likelihood is made of: likeness of the names, the same type, the same place.
_NAME, _TYPE, _PLACE = 0.8, 0.1, 0.1
# Of the 100 that rapidfuzz gives to equal names; ``matching.closest`` asks for as much.
_ALIKE = 75
# More names than that on both sides are another table, not a renamed one.
_AT_MOST = 3_000
_DIGITS = re.compile(r"\d+")


class Named(Protocol):
    """Anything that has a name."""

    @property
    def name(self) -> str:
        """The name, which nothing else on its side has."""
        ...


Thing = TypeVar("Thing", bound=Named)


class Renamed(NamedTuple, Generic[Thing]):
    """A thing that likely has another name now.

    Attributes:
        before: As it was.
        after: As it likely is.
        likelihood: From 0 to 1.
    """

    before: Thing
    after: Thing
    likelihood: float


@dataclass(frozen=True)
class Alignment(Generic[Thing]):
    """Two lists of named things, side by side.

    Attributes:
        same: Those with one name on both sides, in the order of the first.
        renamed: Those that are likely the same under another name.
        removed: What only the first list has.
        added: What only the second list has.
    """

    same: tuple[tuple[Thing, Thing], ...]
    renamed: tuple[Renamed[Thing], ...]
    removed: tuple[Thing, ...]
    added: tuple[Thing, ...]


def match_renames(
    before: Sequence[Thing],
    after: Sequence[Thing],
    kinship: Callable[[Thing, Thing], float | None],
) -> Alignment[Thing]:
    """Find each thing on the other side.

    A renamed thing keeps its kind of type, and its name differs in case, punctuation or a few
    letters. Names that differ in their digits are siblings (``lag_1``, ``lag_2``), not renames.
    Swapping the sides swaps the answer.

    Args:
        before: Things with distinct names.
        after: The same.
        kinship: 1 if two things are of the same type, less if of a similar one, None if of types
            that exclude that they are the same thing.

    Returns:
        Both lists side by side.
    """
    old, new = {thing.name: thing for thing in before}, {thing.name: thing for thing in after}
    removed = [thing for thing in before if thing.name not in new]
    added = [thing for thing in after if thing.name not in old]
    places = (_places(before), _places(after))
    renamed = _renamed(removed, added, places, kinship)
    gone, come = {r.before.name for r in renamed}, {r.after.name for r in renamed}
    return Alignment(
        tuple((thing, new[thing.name]) for thing in before if thing.name in new),
        tuple(renamed),
        tuple(thing for thing in removed if thing.name not in gone),
        tuple(thing for thing in added if thing.name not in come),
    )


def _places(things: Sequence[Thing]) -> dict[str, int]:
    return {thing.name: place for place, thing in enumerate(things)}


def _renamed(
    removed: Sequence[Thing],
    added: Sequence[Thing],
    places: tuple[dict[str, int], dict[str, int]],
    kinship: Callable[[Thing, Thing], float | None],
) -> list[Renamed[Thing]]:
    found = list[Renamed[Thing]]()
    for old, new, alike in _alike(removed, added):
        kin = kinship(old, new)
        if kin is None:
            continue
        in_place = places[0][old.name] == places[1][new.name]
        likelihood = round(_NAME * alike + _TYPE * kin + _PLACE * in_place, 2)
        found.append(Renamed(old, new, likelihood))
    # Ties are broken by names without regard to sides, or swapping these would change the answer.
    found.sort(key=lambda r: (-r.likelihood, sorted((r.before.name, r.after.name))))
    taken: set[tuple[int, str]] = set()
    best = list[Renamed[Thing]]()
    for one in found:
        ends = {(0, one.before.name), (1, one.after.name)}
        if not ends & taken:
            taken |= ends
            best.append(one)
    return best


def _alike(removed: Sequence[Thing], added: Sequence[Thing]) -> list[tuple[Thing, Thing, float]]:
    if not removed or not added or max(len(removed), len(added)) > _AT_MOST:
        return []
    likeness = process.cdist(
        [_plain(thing.name) for thing in removed],
        [_plain(thing.name) for thing in added],
        scorer=fuzz.ratio,
        score_cutoff=_ALIKE,
        dtype=np.float32,
    )
    pairs = ((removed[i], added[j], float(likeness[i, j]) / 100) for i, j in np.argwhere(likeness))
    return [pair for pair in pairs if _digits(pair[0].name) == _digits(pair[1].name)]


def _plain(name: str) -> str:
    # Where names are nothing but punctuation, that is what they differ in.
    return utils.default_process(name).replace(" ", "") or name


def _digits(name: str) -> list[str]:
    return _DIGITS.findall(name)
