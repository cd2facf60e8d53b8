"""Prefect's tables, laid out by the first server: the next ones start with a copy.

To lay them out takes a server longer than all else that it does at its start.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

# A later Prefect lays its tables out anew: the copy lives no longer than a run of the tests.
_COPY = "prefect-tables.db"


def lay_out(database: Path) -> None:
    """Put the copy where a server looks for its database, if there is one."""
    if (copy := _shared(database) / _COPY).exists():
        database.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(copy, database)


def keep(database: Path) -> None:
    """Copy the database of a server that has just started."""
    copy = _shared(database) / _COPY
    if copy.exists():
        return
    own = copy.with_suffix(f".{os.getpid()}")
    with closing(sqlite3.connect(database)) as source, closing(sqlite3.connect(own)) as target:
        source.backup(target)
    own.replace(copy)


def _shared(database: Path) -> Path:
    """Find the folder of this run of the tests, which its processes share."""
    return next(folder for folder in database.parents if folder.name.startswith("pytest-"))
