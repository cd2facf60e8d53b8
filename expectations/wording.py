"""Lists, counts and long text as messages write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Write a number with its noun: ``1 row``, ``2,000 rows``."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def listed(words: Iterable[str], most: int = 20, total: int | None = None) -> str:
    """Write the first words of a list and count the others; ``total`` where not all are given."""
    words = list(words)
    more = (len(words) if total is None else total) - min(len(words), most)
    return ", ".join(words[:most]) + (f" and {more:,} more" if more > 0 else "")


def cut(text: str, length: int) -> str:
    """Shorten text to so many characters, and mark where it goes on."""
    return text if len(text) <= length else f"{text[:length]}…"
