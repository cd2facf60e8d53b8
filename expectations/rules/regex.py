"""Python's regular expressions in the dialect of Polars, where both mean the same.

GX searches with Python's ``re``. Polars' engine is faster and knows less: no lookaround, no
backreference, other word characters, another ``$``. A pattern is taken apart by Python's own parser
and put together again piece by piece; one piece without an equal, and there is no translation.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterable

_ALLOWED_FLAGS = re.UNICODE | re.DOTALL | re.VERBOSE
_FOREVER = 2**32 - 1  # how Python's parser writes "any number of times"; newer ones have an object

# What Python's classes hold, written for Polars: letters and numbers of every script, no marks.
_CLASSES = {
    "CATEGORY_DIGIT": r"\p{Nd}",
    "CATEGORY_NOT_DIGIT": r"\P{Nd}",
    "CATEGORY_WORD": r"[\p{L}\p{N}_]",
    "CATEGORY_NOT_WORD": r"[^\p{L}\p{N}_]",
    "CATEGORY_SPACE": r"[\s\x{1c}-\x{1f}]",
    "CATEGORY_NOT_SPACE": r"[^\s\x{1c}-\x{1f}]",
}


class _UntranslatableError(Exception):
    """A piece means something else in Polars, or nothing."""


@lru_cache(maxsize=256)
def translate(pattern: str) -> str | None:
    """Translate a Python pattern for Polars' ``str.contains``; None if it has none like it.

    Raises:
        re.error: It is no pattern at all.
    """
    with warnings.catch_warnings(action="ignore"):
        re.compile(pattern)
        tree: Any = import_module("re._parser").parse(pattern)
    if tree.state.flags & ~_ALLOWED_FLAGS:
        return None
    try:
        translated = _sequence(tree, _Place(dot_all=bool(tree.state.flags & re.DOTALL), last=True))
    except _UntranslatableError:
        return None
    return translated if _compiles(translated) else None


class _Place(NamedTuple):
    """Where in the pattern a piece stands: ``$`` has an equal only at the very end."""

    dot_all: bool
    last: bool

    def inside(self, *, last: bool) -> _Place:
        return self._replace(last=self.last and last)


def _sequence(pieces: Iterable[Any], place: _Place) -> str:
    listed = list(pieces)
    ends = len(listed) - 1
    return "".join(
        _piece(str(kind), given, place.inside(last=i == ends))
        for i, (kind, given) in enumerate(listed)
    )


def _piece(kind: str, given: Any, place: _Place) -> str:
    match kind:
        case "LITERAL":
            return _literal(given)
        case "NOT_LITERAL":
            return f"[^{_literal(given)}]"
        case "ANY":
            return r"(?s:.)" if place.dot_all else r"[^\n]"
        case "IN":
            return _class(given)
        case "BRANCH":
            return f"(?:{'|'.join(_sequence(branch, place) for branch in given[1])})"
        case "SUBPATTERN" if not (given[1] or given[2]):
            return f"(?:{_sequence(given[3], place)})"
        case "MAX_REPEAT" | "MIN_REPEAT":
            least, most, pieces = given
            return _repeated(least, most, pieces, place)
        case "AT":
            return _anchor(str(given), place)
        case _:
            raise _UntranslatableError


def _repeated(least: int, most: Any, pieces: Any, place: _Place) -> str:
    upto = "" if int(most) >= _FOREVER else str(int(most))
    return f"(?:{_sequence(pieces, place.inside(last=False))}){{{int(least)},{upto}}}"


def _anchor(name: str, place: _Place) -> str:
    if name in ("AT_BEGINNING", "AT_BEGINNING_STRING"):
        return r"\A"
    if name == "AT_END_STRING":
        return r"\z"
    if name == "AT_END" and place.last:
        return r"\n?\z"  # Python's $ also stands before a line end that ends the text
    raise _UntranslatableError


def _class(given: Iterable[Any]) -> str:
    parts = [(str(kind), value) for kind, value in given]
    negated = bool(parts) and parts[0][0] == "NEGATE"
    held = "".join(_member(kind, value) for kind, value in parts[negated:])
    return f"[{'^' if negated else ''}{held}]"


def _member(kind: str, value: Any) -> str:
    match kind:
        case "LITERAL":
            return _literal(value)
        case "RANGE":
            return f"{_literal(value[0])}-{_literal(value[1])}"
        case "CATEGORY" if str(value) in _CLASSES:
            return _CLASSES[str(value)]
        case _:
            raise _UntranslatableError


def _literal(code: int) -> str:
    return rf"\x{{{code:x}}}"


def _compiles(pattern: str) -> bool:
    try:
        pl.select(pl.lit("").str.contains(pattern))
    except pl.exceptions.PolarsError:
        return False
    return True
