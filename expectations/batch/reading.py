"""Tell whoever watches how far the files of a batch have been read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


class Reading(NamedTuple):
    """How far the present reading of a file is.

    Attributes:
        path: The file.
        rows: Rows read of it so far.
        height: Rows that it has, where that is known.
        position: Where in its bytes the reader stands, where that is known.
    """

    path: Path
    rows: int | None = None
    height: int | None = None
    position: int | None = None


# Polars reads in threads of its own, which know no context variables.
_watchers = list["Callable[[Reading], None]"]()


@contextmanager
def watched(watcher: Callable[[Reading], None]) -> Generator[None]:
    """Have a function told of each piece that this process reads, in any thread."""
    _watchers.append(watcher)
    try:
        yield
    finally:
        _watchers.remove(watcher)


def tell(reading: Reading) -> None:
    """Tell that a piece was read."""
    for watcher in tuple(_watchers):
        watcher(reading)
