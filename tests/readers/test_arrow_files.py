"""Arrow IPC files and streams: the same verdict as their table, read batch by batch."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pyarrow import feather, ipc
from small_checks import accepted, contract, mlflow_accepts, split, violations_in
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import BatchChanged

if TYPE_CHECKING:
    from collections.abc import Callable

AB = contract(a="long", b="string")
TABLE = pa.table({"a": [1, 2, None, 4], "b": ["x", "y", "z", None]})


def write(path: Path, table: pa.Table, *, stream: bool = False, **options: Any) -> Path:
    """Write a table in record batches of two rows."""
    make: Any = ipc.new_stream if stream else ipc.new_file
    how = ipc.IpcWriteOptions(**options)
    with path.open("wb") as file, make(file, table.schema, options=how) as writer:
        writer.write_table(table, max_chunksize=2)
    return path


FORMS: dict[str, Callable[[Path, pa.Table], Path]] = {
    "file": lambda folder, table: write(folder / "b.arrow", table),
    "file with lz4": lambda folder, table: write(folder / "b.ipc", table, compression="lz4"),
    "file with zstd": lambda folder, table: write(folder / "b.feather", table, compression="zstd"),
    "stream": lambda folder, table: write(folder / "b.arrow", table, stream=True),
    "stream with zstd": lambda folder, table: write(
        folder / "b.ipc", table, stream=True, compression="zstd"
    ),
}
in_every_form = pytest.mark.parametrize("form", FORMS)


@in_every_form
def test_rows_are_numbered_through_all_record_batches(tmp_path: Path, form: str) -> None:
    """File or stream, compressed or not: one batch, its rows told apart."""
    result = check(FORMS[form](tmp_path, TABLE), AB, split())

    assert violations_in(result) == [("null", "a", 1), ("null", "b", 1)]
    assert accepted(result) == [{"_row": 0, "a": 1, "b": "x"}, {"_row": 1, "a": 2, "b": "y"}]
    assert result.rejected.collect()["_row"].to_list() == [2, 3]  # type: ignore[union-attr]
    assert result.verdict.batch.format == "arrow"


@in_every_form
def test_a_type_that_never_conforms_is_refused_unread(tmp_path: Path, form: str) -> None:
    """The schema is enough; the metadata of the messages tells how many rows there are."""
    result = check(FORMS[form](tmp_path, TABLE), contract(a="string"))

    assert violations_in(result)[-1] == ("type_mismatch", "a", None)
    assert result.verdict.rows == 4


@in_every_form
@pytest.mark.parametrize("keep", [0.05, 0.5, 0.9])
def test_content_that_breaks_off_is_unreadable(tmp_path: Path, form: str, keep: float) -> None:
    """Wherever it ends, it is one violation of the batch."""
    table = pa.table({"a": list(range(1_000)), "b": [str(i) for i in range(1_000)]})
    path = FORMS[form](tmp_path, table)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * keep)])

    (violation,) = check(path, AB).violations

    assert (violation.kind, violation.level) == ("unreadable", "batch")
    assert "Arrow" in violation.observed


@pytest.mark.parametrize(
    ("content", "observed"),
    [
        (b"", "zero bytes"),
        (b"PAR1", "no whole Arrow stream"),
        (b"ARROW1", "no whole Arrow file"),
        (b"FEA1\0\0\0\0", "Feather file of version 1"),
        (bytes(100), "no whole Arrow stream"),
        (b"\xff" * 100, "no whole Arrow stream"),
    ],
)
def test_what_is_no_arrow_is_unreadable(tmp_path: Path, content: bytes, observed: str) -> None:
    """Nothing of what the bytes are makes the judgement break."""
    path = tmp_path / "b.arrow"
    path.write_bytes(content)

    result = check(path, AB)

    assert result.disposition == "quarantined"
    assert observed in result.violations[0].message


@given(spoilt=st.lists(st.tuples(st.integers(0, 961), st.integers(0, 255)), min_size=1, max_size=4))
@example(spoilt=[(238, 0), (868, 2)])  # another name, and a length that is not the batch's
def test_no_spoiled_byte_breaks_the_judgement(spoilt: list[tuple[int, int]]) -> None:
    """Content that points outside of itself is found before anybody follows it.

    Rows that were judged are handed over; those of a batch that its schema condemned were not read.
    """
    with TemporaryDirectory() as root:
        path = write(Path(root, "b.arrow"), TABLE)
        content = bytearray(path.read_bytes())
        for position, value in spoilt:
            content[position % len(content)] = value
        path.write_bytes(content)

        result = check(path, AB, split())

        if result.verdict.evidence:
            assert result.rejected is None or result.rejected.collect().height <= 4
        else:
            assert result.disposition == "quarantined"
            with suppress(BatchChanged):
                assert result.rejected is None or result.rejected.collect().height


def test_feather_as_pandas_writes_it_is_read(tmp_path: Path) -> None:
    """So are categories, and the columns that pandas makes of an index."""
    frame = pd.DataFrame({"a": [1, 2], "b": pd.Categorical(["x", "y"])})
    feather.write_feather(frame, str(tmp_path / "b.feather"))

    assert check(tmp_path / "b.feather", AB).passed


def test_what_polars_writes_is_read(tmp_path: Path) -> None:
    """Views of text and categories of its own too."""
    frame = pl.DataFrame({"a": [1, 2], "b": pl.Series(["x", "y"], dtype=pl.Categorical)})
    frame.write_ipc(tmp_path / "b.arrow")
    frame.write_ipc_stream(tmp_path / "c.arrow")

    assert check(tmp_path / "b.arrow", AB).passed
    assert check(tmp_path / "c.arrow", AB).passed


def test_repeated_names_are_told_apart(tmp_path: Path) -> None:
    """A name that the contract uses must mean one column; others may repeat."""
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2]), pa.array(["x"])], ["a", "a", "b"])
    path = write(tmp_path / "b.arrow", table)

    assert ("duplicate_column", "a", None) in violations_in(check(path, AB))
    assert check(path, contract(b="string")).model_input()["b"].tolist() == ["x"]


@pytest.mark.parametrize("target", ["long", "any"])
def test_types_that_polars_refuses_are_in_nobodys_way(tmp_path: Path, target: str) -> None:
    """They are judged, carried along, and handed over where the contract leaves the type open."""
    unions = pa.UnionArray.from_sparse(
        pa.array([0, 1], pa.int8()), [pa.array([1, 2]), pa.array(["x", "y"])]
    )
    path = write(tmp_path / "b.arrow", pa.table({"a": unions, "b": ["x", None]}))

    result = check(path, contract(a=target), split(extra_columns="ignore"))
    beside = check(path, contract(b="string"), split(extra_columns="ignore", keep=["a"]))

    assert result.passed == (target == "any")
    if target == "any":
        assert result.model_input()["a"].tolist() == [1, "y"]
    assert [row["a"] for row in accepted(beside)] == ["1"]
    assert beside.rejected.collect()["a"].to_list() == ["y"]  # type: ignore[union-attr]


def test_columns_of_an_earlier_split_are_not_columns(tmp_path: Path) -> None:
    """Rejected rows that come back carry them."""
    table = pa.table({"_row": [7], "a": [1], "b": ["x"], "_violations": [["null"]]})

    assert accepted(check(write(tmp_path / "b.arrow", table), AB)) == [
        {"_row": 0, "a": 1, "b": "x"}
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_file_of_no_rows_is_judged_by_its_schema(tmp_path: Path, *, stream: bool) -> None:
    """Without a record batch, too."""
    path = write(tmp_path / "b.arrow", TABLE.slice(0, 0), stream=stream)

    assert violations_in(check(path, AB)) == [("row_count", None, None)]
    assert check(path, AB, Policy(min_rows=0)).model_input().empty


def test_a_file_altered_after_it_was_judged_is_not_scored(tmp_path: Path) -> None:
    """The rows are counted again as they are handed over."""
    path = write(tmp_path / "b.arrow", TABLE.slice(0, 2))
    result = check(path, AB)
    write(path, TABLE)

    with pytest.raises(BatchChanged):
        result.model_input()


# ----- properties -----


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy, bool]:
    judged_by = draw(contracts())
    return draw(tables(judged_by)), judged_by, draw(POLICIES), draw(st.booleans())


@given(case=cases())
def test_a_file_is_judged_as_its_table(case: Any) -> None:
    """Violations, rows and model input are those of the table in memory; MLflow accepts it."""
    table, judged_by, policy, stream = case
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        return  # PyArrow makes lists of nulls whose hidden elements point outside a dictionary
    with TemporaryDirectory() as root:
        path = write(Path(root, "b.arrow"), table, stream=stream)

        of_table, of_file = check(table, judged_by, policy), check(path, judged_by, policy)

        assert of_file.violations == of_table.violations
        assert of_file.verdict.conversions == of_table.verdict.conversions
        assert (of_file.accepted is None) == (of_table.accepted is None)
        if of_file.accepted is not None and of_table.accepted is not None:
            assert_frame_equal(of_file.accepted.collect(), of_table.accepted.collect())
        if of_file.disposition in ("passed", "split"):
            made = of_file.model_input()
            pd.testing.assert_frame_equal(made, of_table.model_input())
            mlflow_accepts(made, judged_by)  # last, because it changes dictionaries in place


# ----- size -----


MEASURE = """
import resource, sys
from signature_gate import Contract, check
contract = Contract.from_signature({"inputs": sys.argv[1]})
for path in sys.argv[2:]:
    assert check(path, contract).passed
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def test_a_large_stream_is_judged_in_bounded_memory(tmp_path: Path) -> None:
    """What a stream costs in memory is a matter of its record batches, not of its size."""
    rows = 50_000
    batch = pa.table({"a": range(rows), "b": ["some text, and not so little"] * rows})
    paths = [tmp_path / "small.arrow", tmp_path / "large.arrow"]
    options = ipc.IpcWriteOptions(compression="zstd")
    for path, batches in zip(paths, (4, 100), strict=True):
        with path.open("wb") as file, ipc.new_stream(file, batch.schema, options=options) as made:
            for _ in range(batches):
                made.write_table(batch)
    command = [sys.executable, "-c", MEASURE, str(AB.signature["inputs"]), *map(str, paths)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)

    small, large = map(int, done.stdout.split())
    assert large < small + 60
