"""Whoever watches a judgement is told how far it has read."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import polars as pl
import pytest
from small_checks import contract

from signature_gate import check
from signature_gate.expectations.batch.reading import Reading, watched

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

ROWS = 400_000
FRAME = pl.DataFrame({"a": range(ROWS), "b": ["some text"] * ROWS})


def _write_gz(path: Path) -> None:
    path.write_bytes(gzip.compress(FRAME.write_csv().encode(), 1))


WRITERS: dict[str, Callable[[Path], object]] = {
    "a.csv": FRAME.write_csv,
    "a.csv.gz": _write_gz,
    "a.jsonl": FRAME.write_ndjson,
    "a.parquet": lambda path: FRAME.write_parquet(path, statistics=False, row_group_size=50_000),
    "a.arrow": lambda path: FRAME.write_ipc(path, record_batch_size=50_000),
}


@pytest.mark.parametrize("name", WRITERS)
def test_each_format_tells_how_far_it_was_read(name: str, tmp_path: Path) -> None:
    """Rows to the last one, and either bytes to the end of the file or how many rows there are."""
    path, told = tmp_path / name, list[Reading]()
    WRITERS[name](path)

    with watched(told.append):
        assert check(path, contract(a="double", b="string")).passed
    seen = len(told)
    check(path, contract(a="double", b="string"))

    assert {reading.path for reading in told} == {path}
    assert max(reading.rows or 0 for reading in told) == ROWS
    ends = {reading.height for reading in told if reading.rows == ROWS}
    positions = [reading.position or 0 for reading in told]
    assert ends == {ROWS} or path.stat().st_size * 0.9 < max(positions) <= path.stat().st_size
    assert len({reading.rows for reading in told}) > 2
    assert len(told) == seen


def test_what_a_footer_proves_is_not_told(tmp_path: Path) -> None:
    """A file that is not read has no progress."""
    path, told = tmp_path / "a.parquet", list[Reading]()
    FRAME.write_parquet(path)

    with watched(told.append):
        assert check(path, contract(a="long", b="string")).passed

    assert told == []
