"""values.md: what the page says to write and to run works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
from page_commands import follow

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["page_commands", "page_workplace"]


def test_the_page_learns_and_judges(workplace: Path, execute: Callable[..., str]) -> None:
    """values.md: a profile is learned by either way, and the batch is judged by it."""
    batch = pl.read_csv(workplace / "2013-07-12.csv")
    pl.concat([batch] * 20).write_parquet(workplace / "train.parquet")

    assert "passed  2013-07-12.csv" in follow("values.md", execute)
