"""Which names likely mean the same: for renamed columns, misspelt params and misspelt fields."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

CLOSE_ENOUGH = 0.75
# How much an abbreviation (dep for departure) counts, and a word with a slip in it at least.
_ABBREVIATED, _SLIP = 0.9, 0.8
# Names whose letters differ more are not looked at word by word, and longer ones not at all.
_ALIKE, _LONGEST = 60, 200
# More names than that on a side are another table, not a renamed one.
_MOST_NAMES = 3_000
_MOST_BY_WORD = 10_000
_DIGITS = re.compile(r"\d+")
_WORDS = re.compile(r"[^\W\d_]+|\d+")
_HUMPS = re.compile(r"(?<=[^\W\d_A-Z])(?=[A-Z])")


class NamePair(NamedTuple):
    """Two names that likely mean the same; a score of 1 if they differ in spelling only."""

    left: str
    right: str
    score: float


_Ranked = TypeVar("_Ranked")


def close_names(left: Sequence[str], right: Sequence[str]) -> Iterator[NamePair]:
    """Pair each name with those of the other side that are close; swapping sides swaps the pairs.

    Names are equal but for case, blanks, punctuation and Unicode form; or close by edit distance or
    word by word, where words may be abbreviated. Names that differ in their digits are siblings
    (``lag_1``, ``lag_2``) and never close.
    """
    by_form = defaultdict[str, list[str]](list)
    for name in right:
        by_form[_form(name)].append(name)
    for name in left:
        yield from (NamePair(name, other, 1.0) for other in by_form[_form(name)])
    yield from _close_by_letters_or_words(left, right)


def one_to_one(
    ranked: Iterable[_Ranked], sides: Callable[[_Ranked], tuple[str, str]]
) -> list[_Ranked]:
    """Assign names one to one: keep of pairs, the best first, those whose names are both free."""
    lefts, rights = set[str](), set[str]()
    assigned = list[_Ranked]()
    for pair in ranked:
        left, right = sides(pair)
        if left not in lefts and right not in rights:
            lefts.add(left)
            rights.add(right)
            assigned.append(pair)
    return assigned


def closest(name: str, candidates: Sequence[str]) -> str | None:
    """Find the candidate that a typing slip would make of a name; None if none is close."""
    pairs = sorted(close_names([name], candidates), key=lambda pair: -pair.score)
    return pairs[0].right if pairs else None


def _close_by_letters_or_words(left: Sequence[str], right: Sequence[str]) -> Iterator[NamePair]:
    if max(len(left), len(right)) > _MOST_NAMES:
        return
    lefts, rights = _by_digits(left), _by_digits(right)
    for digits, names in lefts.items():
        if digits in rights:
            yield from _close_of_siblings(names, rights[digits])


def _by_digits(names: Sequence[str]) -> dict[tuple[str, ...], list[str]]:
    groups = defaultdict[tuple[str, ...], list[str]](list)
    for name in names:
        if len(name) <= _LONGEST:
            groups[tuple(_DIGITS.findall(name))].append(name)
    return groups


def _close_of_siblings(left: Sequence[str], right: Sequence[str]) -> Iterator[NamePair]:
    import numpy as np
    from rapidfuzz import fuzz, process

    forms = list(map(_form, left)), list(map(_form, right))
    scores = process.cdist(*forms, scorer=fuzz.ratio, score_cutoff=_ALIKE, dtype=np.float32) / 100
    by_word = np.count_nonzero(scores) <= _MOST_BY_WORD
    looked_at = np.argwhere(scores if by_word else scores >= CLOSE_ENOUGH)
    for i, j in ((int(i), int(j)) for i, j in looked_at):
        if forms[0][i] != forms[1][j]:
            words = _by_words(left[i], right[j]) if by_word else 0
            score = max(float(scores[i, j]), words)
            if score >= CLOSE_ENOUGH:
                yield NamePair(left[i], right[j], min(score, 0.99))


def _by_words(one: str, other: str) -> float:
    """Compare word by word, in whatever order, from 0 to 1."""
    words, others = _words(one), _words(other)
    pairs = ((_word_score(a, b), i, j) for i, a in enumerate(words) for j, b in enumerate(others))
    ranked = sorted((pair for pair in pairs if pair[0]), reverse=True)
    best = one_to_one(ranked, lambda pair: (str(pair[1]), str(pair[2])))
    return 2 * sum(score for score, *_ in best) / (len(words) + len(others))


def _word_score(one: str, other: str) -> float:
    from rapidfuzz import fuzz

    if one == other:
        return 1.0
    short, long = sorted((one, other), key=len)
    if len(short) > 1 and short[0] == long[0] and _is_within(short, long):
        return _ABBREVIATED
    ratio = fuzz.ratio(one, other) / 100
    return ratio if ratio >= _SLIP else 0.0


def _is_within(short: str, long: str) -> bool:
    letters = iter(long)
    return all(letter in letters for letter in short)


def _form(name: str) -> str:
    """Fold case, blanks, punctuation and Unicode form; names of nothing else stay as they are."""
    folded = unicodedata.normalize("NFC", name.casefold())
    return "".join(letter for letter in folded if letter.isalnum()) or name


def _words(name: str) -> list[str]:
    parted = _HUMPS.sub(" ", unicodedata.normalize("NFC", name))
    return _WORDS.findall(parted.casefold()) or [name]
