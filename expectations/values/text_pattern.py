"""The pattern that all texts of a column have in common, if they have one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

# What stands for a class of characters, and the class as a regular expression.
_CLASSES = {"A": "[A-Z]", "a": "[a-z]", "9": "[0-9]"}
_MOST_SHAPES = 3
_FEWEST_TEXTS = 1_000
_LONGEST = 60


def common_pattern(texts: pl.Series) -> str | None:
    """Write the regular expression of at most three shapes that all texts have.

    A shape has runs of capitals, small letters and digits, each of a fixed length where all texts
    share it, and every other character as it is; None if there are more shapes, or few texts.
    """
    if texts.n_unique() < _FEWEST_TEXTS or (texts.str.len_chars().max() or 0) > _LONGEST:  # type: ignore[operator]
        return None
    shapes = texts
    for mark, characters in _CLASSES.items():
        shapes = shapes.str.replace_all(characters, {"A": "\x01", "a": "\x02", "9": "\x03"}[mark])
    exact = shapes.unique()
    if exact.len() <= _MOST_SHAPES:
        return _either(map(_regex, exact))
    runs = shapes.str.replace_all("\x01+", "\x01").str.replace_all("\x02+", "\x02")
    runs = runs.str.replace_all("\x03+", "\x03").unique()
    return _either(_regex(run, "+") for run in runs) if runs.len() <= _MOST_SHAPES else None


def _regex(shape: str, times: str = "") -> str:
    classes = dict(zip("\x01\x02\x03", _CLASSES.values(), strict=True))
    parts = list[str]()
    for run in re.findall(r"(?s)(.)(\1*)", shape):
        mark, length = run[0], 1 + len(run[1])
        if mark in classes:
            parts.append(classes[mark] + (times or (f"{{{length}}}" if length > 1 else "")))
        else:
            parts.append(re.escape(mark) * length)
    return "".join(parts)


def _either(shapes: Iterable[str]) -> str:
    return f"^(?:{'|'.join(sorted(shapes))})$"
