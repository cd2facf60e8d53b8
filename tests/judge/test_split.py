"""Accepted and rejected rows written in one pass: the same as each of them read by itself.

The slow twins are ``accepted`` and ``rejected``, which scan the batch once for each.
"""

from __future__ import annotations

import resource
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_checks import contract, split
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import BatchChanged, Misuse
from signature_gate.expectations.readers import parquet
from signature_gate.expectations.verdict.verdict import BatchRejected

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from pytest import MonkeyPatch  # noqa: PT013 - type only

    from signature_gate.expectations.judge.result import CheckResult

AB = contract(a="long", b="string")
FRAME = pl.DataFrame({"a": [1, 2, None, 4], "x": [1.5] * 4, "b": ["x", None, "z", "w"]})
WRITERS: dict[str, Callable[[pl.DataFrame, Path], object]] = {
    "b.parquet": lambda frame, path: frame.write_parquet(path, row_group_size=2),
    "b.csv": pl.DataFrame.write_csv,
    "b.jsonl": pl.DataFrame.write_ndjson,
    "b.arrow": pl.DataFrame.write_ipc,
}


def written(result: CheckResult, folder: Path) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split, and read both files back."""
    paths = folder / "good.parquet", folder / "bad.parquet"
    result.split(*paths)
    assert {path.name for path in folder.iterdir()} == {path.name for path in paths}
    good, bad = (pl.read_parquet(path, glob=False) for path in paths)
    return good, bad


def assert_split_as_scanned(result: CheckResult, folder: Path) -> None:
    good, bad = written(result, folder)
    assert result.accepted is not None
    assert result.rejected is not None
    assert_frame_equal(good, result.accepted.collect(), categorical_as_str=True)
    assert_frame_equal(bad, result.rejected.collect(), categorical_as_str=True)


@pytest.mark.parametrize("name", WRITERS)
def test_both_sides_of_a_file_are_written(tmp_path: Path, name: str) -> None:
    """Good rows in the model's types, bad ones as they arrived, with all columns and reasons."""
    WRITERS[name](FRAME, tmp_path / name)
    (tmp_path / "out").mkdir()

    assert_split_as_scanned(check(tmp_path / name, AB, split()), tmp_path / "out")


def test_files_of_a_folder_come_into_one_pair(tmp_path: Path) -> None:
    """Columns that only some files have, or that are of other types there, as if read at once."""
    parts, out = tmp_path / "parts", tmp_path / "out"
    parts.mkdir()
    out.mkdir()
    FRAME.write_parquet(parts / "0.parquet")
    FRAME.with_columns(pl.col("a").cast(pl.Int8), x=pl.lit("text")).write_parquet(
        parts / "1.parquet"
    )
    FRAME.drop("x").with_columns(y=pl.lit(1)).write_csv(parts / "2.csv")

    assert_split_as_scanned(check(parts, AB, split()), out)


def test_a_batch_without_bad_rows_has_an_empty_second_file(tmp_path: Path) -> None:
    """It has the columns all the same, so that whoever reads both files needs no exception."""
    good, bad = written(check(FRAME.head(1), AB, split()), tmp_path)

    assert (good.height, bad.height) == (1, 0)
    assert bad.columns == ["_row", "a", "x", "b", "_violations"]


def test_what_contradicts_the_verdict_is_not_written(tmp_path: Path) -> None:
    """A batch that was altered since leaves neither file, and nothing half written."""
    path, out = tmp_path / "b.parquet", tmp_path / "out"
    out.mkdir()
    FRAME.write_parquet(path)
    result = check(path, AB, split())
    FRAME.reverse().extend(FRAME).write_parquet(path)

    with pytest.raises(BatchChanged):
        result.split(out / "good.parquet", out / "bad.parquet")

    assert list(out.iterdir()) == []


def test_no_file_is_overwritten(tmp_path: Path) -> None:
    """Neither the batch itself, nor what an earlier run has written, nor one side by the other."""
    path, free = tmp_path / "b.parquet", tmp_path / "free.parquet"
    FRAME.write_parquet(path)
    content = path.read_bytes()
    result = check(path, AB, split())

    for pair in ((path, free), (free, path), (free, free)):
        with pytest.raises(Misuse, match="overwritten"):
            result.split(*pair)

    assert path.read_bytes() == content
    assert not free.exists()


@pytest.mark.parametrize("bad", [0, 2])
def test_a_full_disk_is_told_as_such_and_leaves_nothing(tmp_path: Path, bad: int) -> None:
    """Whichever side finds no room, it is no fault of the columns' types."""
    path = tmp_path / "b.parquet"
    rows = pl.DataFrame({"a": range(200_000)}).with_columns(b=pl.col("a").cast(pl.String))
    gaps = pl.when(pl.col("a") % 2 >= bad - 1).then("a").alias("a") if bad else pl.col("a")
    rows.with_columns(gaps).write_parquet(path)
    result = check(path, AB, split(max_rejected=1.0))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(OSError, match="too large"):
            result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

    assert [each.name for each in tmp_path.iterdir()] == ["b.parquet"]


def test_a_quarantined_batch_is_not_split(tmp_path: Path) -> None:
    """What the policy holds back whole stays whole."""
    result = check(FRAME, AB, Policy(on_mismatch="quarantine"))

    with pytest.raises(BatchRejected):
        result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")


def test_a_split_reads_a_parquet_file_once(tmp_path: Path, monkeypatch: MonkeyPatch) -> None:
    """Each row group is decoded once for both sides, a few of them at a time."""
    path, read = tmp_path / "b.parquet", list[int]()
    pl.concat([FRAME] * 100).write_parquet(path, row_group_size=40)
    result = check(path, AB, split())
    read_ahead = parquet.read_ahead

    def counted(reads: Iterable[Callable[[], pl.DataFrame]]) -> Iterator[pl.DataFrame]:
        for part in read_ahead(reads):
            read.append(part.height)
            yield part

    monkeypatch.setattr(parquet, "read_ahead", counted)
    monkeypatch.setattr(parquet, "_TOGETHER", 80)

    result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")

    assert read == [80] * 5 + [0]


# ----- properties -----


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy, int]:
    judged_by = draw(contracts())
    return draw(tables(judged_by)), judged_by, draw(POLICIES), draw(st.integers(1, 4))


@given(case=cases(), in_file=st.booleans())
def test_a_split_writes_what_two_scans_find(case: Any, in_file: bool) -> None:
    """Whatever arrives, in memory or as Parquet in row groups of any size."""
    table, judged_by, policy, group = case
    with TemporaryDirectory() as root:
        path = Path(root, "b.parquet")
        if in_file:
            try:
                pq.write_table(table, path, row_group_size=group)
            except pa.ArrowException:
                return  # a type that Parquet does not have
        result = check(path if in_file else table, judged_by, policy)
        if result.disposition not in ("passed", "split"):
            return
        out = Path(root, "out")
        out.mkdir()

        try:
            assert_split_as_scanned(result, out)
        except Misuse:
            assert list(out.iterdir()) == []
            with pytest.raises((pl.exceptions.PolarsError, pa.ArrowException)):
                in_parquet(result, out)


def in_parquet(result: CheckResult, folder: Path) -> None:
    """Write both sides by the same libraries, one after the other."""
    assert result.accepted is not None
    assert result.rejected is not None
    result.accepted.sink_parquet(folder / "good.parquet")
    bad = result.rejected.collect().to_arrow(compat_level=pl.CompatLevel.oldest())
    pq.write_table(bad, folder / "bad.parquet")


@given(case=cases(), size=st.integers(1, 5))
def test_pieces_of_a_file_are_its_scan(case: Any, size: int) -> None:
    """Read group by group, a Parquet file has the rows, types and numbers that it has at once."""
    table, _, _, group = case
    with TemporaryDirectory() as root:
        path = Path(root, "b.parquet")
        try:
            pq.write_table(table, path, row_group_size=group)
        except pa.ArrowException:
            return
        scan: Any = parquet.open_parquet(path).scan
        pieces = scan.pieces(size)

        if pieces is not None:
            frames = [piece.collect() for piece in pieces]
            assert max((frame.height for frame in frames), default=0) <= size
            assert_frame_equal(pl.concat([scan().head(0).collect(), *frames]), scan().collect())
