"""Rows of a followed table on their way into the inbox: one Parquet file, whole or not at all."""

from __future__ import annotations

from filecmp import cmp
from typing import TYPE_CHECKING

import polars as pl

from ...expectations.batch.columns import exact_col
from ...expectations.errors import Misuse
from ..storage.atomic import flush, partial_of, publish_new

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from ...expectations.batch.batch import Batch


def frame_of(files: Iterable[Batch]) -> pl.LazyFrame:
    """Select the rows of some files of a table."""
    return pl.concat(file.scan().select(map(exact_col, file.sources)) for file in files)


def publish_rows(path: Path, rows: pl.LazyFrame) -> None:
    """Write rows into the inbox; Misuse if other rows have the name."""
    partial = partial_of(path)
    try:
        rows.sink_parquet(partial, engine="streaming")
        flush(partial)
        publish_new(path, partial)
    except FileExistsError:
        if not cmp(path, partial, shallow=False):
            msg = f"{path} is there already, with other rows. Move it away, and run again."
            raise Misuse(msg) from None
    finally:
        partial.unlink(missing_ok=True)
