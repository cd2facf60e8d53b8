"""The closest name among several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rapidfuzz import fuzz, process

if TYPE_CHECKING:
    from collections.abc import Sequence

# Of the 100 that rapidfuzz gives to equal names.
_CLOSE_ENOUGH = 75
_LONGEST_GUESS = 200


def closest(name: str, candidates: Sequence[str]) -> str | None:
    """Find the candidate of which a name is likely a misspelling.

    Args:
        name: The name that is missing.
        candidates: The names that are there.

    Returns:
        The one that is closest by edit distance, case, spaces and punctuation aside; None if none
        is close.
    """
    if len(name) > _LONGEST_GUESS:
        return None
    candidates = [other for other in candidates if len(other) <= _LONGEST_GUESS]
    best = process.extractOne(
        name, candidates, scorer=fuzz.ratio, processor=_folded, score_cutoff=_CLOSE_ENOUGH
    )
    return None if best is None else best[0]


def _folded(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())
