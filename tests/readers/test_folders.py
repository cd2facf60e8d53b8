"""A folder of files as one batch: what belongs to it, and one verdict however it is divided."""

from __future__ import annotations

import os
import re
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from small_checks import accepted, contract, mlflow_accepts, rows_of, split, violations_in
from strategies import POLICIES, contracts, tables
from typer.testing import CliRunner

from signature_gate import Contract, Policy, check
from signature_gate.expectations.batch.formats import FORMAT_NAMES, FORMATS
from signature_gate.expectations.errors import BatchChanged, BatchUnavailable, UnsupportedBatch
from signature_gate.expectations.judge import scan_stage

if TYPE_CHECKING:
    from signature_gate.expectations.judge.result import CheckResult

AB = contract(a="long", b="string")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is going to be a batch."""
    path = tmp_path / "july"
    path.mkdir()
    return path


def write(path: Path, **columns: Any) -> Path:
    """Write columns to a file of the format that its name promises."""
    path.parent.mkdir(parents=True, exist_ok=True)
    frame = pl.DataFrame(columns)
    writers = {
        ".parquet": frame.write_parquet,
        ".csv": frame.write_csv,
        ".jsonl": frame.write_ndjson,
        ".arrow": frame.write_ipc,
    }
    writers[path.suffix](path)
    return path


def reasons(result: CheckResult) -> list[tuple[str, tuple[str, ...]]]:
    """List kind and files of each violation."""
    return [(v.kind, v.files) for v in result.violations]


# ----- what belongs to a batch -----


def test_files_follow_each_other_by_path(folder: Path) -> None:
    """Files of any format, those of subfolders too, are one batch in the order of their paths."""
    write(folder / "b.parquet", a=[3, 4], b=["z", "w"])
    write(folder / "a" / "2.csv", a=[2], b=["y"])
    write(folder / "a" / "1.jsonl", a=[1], b=["x"])
    write(folder / "c.arrow", a=[5], b=["v"])

    result = check(folder, AB)

    assert result.model_input()["a"].tolist() == [1, 2, 3, 4, 5]
    assert [row["_row"] for row in accepted(result)] == [0, 1, 2, 3, 4]


def test_a_folder_is_described_as_a_whole(folder: Path) -> None:
    """Its name, how many files and bytes, and the columns of all of them."""
    write(folder / "a.parquet", a=[1], b=["x"])
    write(folder / "b.parquet", a=[1.5], b=["x"], c=[1])

    facts = check(folder, AB).verdict.batch

    assert (facts.name, facts.format, facts.files) == ("july", "folder of parquet", 2)
    assert facts.bytes == sum(path.stat().st_size for path in folder.iterdir())
    assert facts.columns == (("a", "int64 or double"), ("b", "large_string"), ("c", "int64"))


def test_names_that_begin_with_a_dot_or_an_underscore_are_not_data(folder: Path) -> None:
    """As Hive and Spark have it: markers, metadata, files still being written, empty folders."""
    write(folder / "a.parquet", a=[1], b=["x"])
    for name in ("_SUCCESS", ".a.parquet.crc", "_metadata", ".hidden.csv"):
        (folder / name).write_text("no data")
    write(folder / "_temporary" / "b.parquet", a=[2], b=["y"])
    write(folder / ".staging" / "c.parquet", a=[3], b=["z"])
    (folder / "empty").mkdir()

    assert check(folder, AB).model_input()["a"].tolist() == [1]


def test_folders_named_key_value_are_columns(folder: Path) -> None:
    """Read with the contract's type, null and escapes understood, and kept where that is asked."""
    write(folder / "c=2" / "d=x%2Fy" / "a.parquet", a=[2], b=["y"])
    write(folder / "c=10" / "d=__HIVE_DEFAULT_PARTITION__" / "a.csv", a=[1], b=["x"])

    result = check(folder, contract(a="long", b="string", c="long"), Policy(keep=("d",)))

    assert [tuple(row.values()) for row in accepted(result)] == [
        (0, 1, "x", 10, None),
        (1, 2, "y", 2, "x/y"),
    ]


def test_a_folder_name_that_is_no_value_of_its_type_is_a_violation(folder: Path) -> None:
    """Text of a folder's name is parsed by the grammar of CSV, and its rows are told."""
    write(folder / "c=1" / "a.parquet", a=[1], b=["x"])
    write(folder / "c=one" / "a.parquet", a=[2], b=["y"])

    result = check(folder, contract(a="long", b="string", c="long"), split())

    assert violations_in(result) == [("unparseable", "c", 1)]


def test_a_column_of_the_file_comes_before_its_folder(folder: Path) -> None:
    """What the file itself says of its rows stands."""
    write(folder / "a=7" / "a.parquet", a=[1], b=["x"])

    assert check(folder, AB).model_input()["a"].tolist() == [1]


def test_names_of_folders_are_no_columns_where_the_policy_ignores_them(folder: Path) -> None:
    """``key=value`` is a path like any other."""
    write(folder / "c=2" / "a.parquet", a=[2], b=["y"])
    write(folder / "c=1" / "a.parquet", a=[1], b=["x"])

    result = check(folder, AB, Policy(extra_columns="forbid", partitions="ignore"))

    assert result.model_input()["a"].tolist() == [1, 2]
    assert list(dict(result.verdict.batch.columns)) == ["a", "b"]


@pytest.mark.parametrize("filled", [False, True])
def test_a_folder_without_files_is_unreadable(folder: Path, *, filled: bool) -> None:
    """Nothing was delivered, which is not the same as a batch of no rows."""
    if filled:
        (folder / "_SUCCESS").touch()

    (violation,) = check(folder, AB, Policy(min_rows=0)).violations

    assert violation.kind == "unreadable"
    assert "folder without files" in violation.message


def test_links_that_lead_out_of_the_folder_are_not_followed(folder: Path, tmp_path: Path) -> None:
    """Not one byte of what they lead to is read; the batch says that they are there."""
    outside = write(tmp_path / "outside.csv", a=[7], b=["secret"])
    write(folder / "a.csv", a=[1], b=["x"])
    (folder / "b.csv").symlink_to(outside)
    (folder / "c").symlink_to(tmp_path, target_is_directory=True)
    (folder / "d.csv").symlink_to(tmp_path / "nowhere.csv")

    result = check(folder, AB)

    assert reasons(result) == [("unreadable", (name,)) for name in ("b.csv", "c", "d.csv")]
    assert "secret" not in str(result.rejected.collect().to_dicts())  # type: ignore[union-attr]


def test_each_further_file_is_planned_once_and_followed_nowhere(folder: Path) -> None:
    """Polars is asked once for the schema of a file, and no path is resolved but of links."""
    calls = list[tuple[int, int]]()
    for number in range(6):
        write(folder / f"{number}.parquet", a=[number], b=["x"])
        schema, resolve = pl.LazyFrame.collect_schema, os.path.realpath
        with (
            patch.object(
                pl.LazyFrame, "collect_schema", autospec=True, side_effect=schema
            ) as asked,
            patch.object(os.path, "realpath", side_effect=resolve) as resolved,
        ):
            assert check(folder, AB).passed
        calls.append((asked.call_count, resolved.call_count))

    assert {(b[0] - a[0], b[1] - a[1]) for a, b in pairwise(calls[1:])} == {(1, 0)}


def test_links_within_the_folder_add_no_row_twice(folder: Path) -> None:
    """A file is one part of the batch, however many names it has."""
    write(folder / ".data" / "b.csv", a=[2], b=["y"])
    write(folder / "a.csv", a=[1], b=["x"])
    (folder / "again.csv").symlink_to(folder / "a.csv")
    (folder / "b.csv").symlink_to(folder / ".data" / "b.csv")

    assert check(folder, AB).model_input()["a"].tolist() == [1, 2]


def test_every_format_of_the_table_opens(folder: Path) -> None:
    """Each ending that the gate promises to read leads to a reader."""
    for i, ending in enumerate(FORMATS):
        (folder / f"{i}{ending}").write_bytes(b"\0")

    result = check(folder, AB)

    assert {name for v in result.violations for name in v.files} >= {
        # Of JSON lines, this is a malformed one.
        f"{i}{ending}"
        for i, (ending, kind) in enumerate(FORMATS.items())
        if kind != "json lines"
    }


def test_the_formats_are_told_wherever_they_are_listed(tmp_path: Path) -> None:
    """The error, the docstring and the command's help name every format, and no other."""
    from signature_gate.flows.cli.main import app

    (tmp_path / "a.dat").touch()
    with pytest.raises(UnsupportedBatch) as refused:
        check(tmp_path / "a.dat", AB)
    help_text = " ".join(CliRunner().invoke(app, ["check", "--help"]).output.split())
    for ending in FORMATS:
        plain, packed = re.fullmatch(r"(.+?)(\.gz|\.bz2|\.zst|\.zip)?", ending).groups()  # type: ignore[union-attr]
        assert plain in str(refused.value)
        assert (packed or "") in str(refused.value)
    assert set(FORMATS.values()) == set(FORMAT_NAMES)
    for name in FORMAT_NAMES.values():
        assert name.split()[0] in str(check.__doc__)
        assert name in help_text


# ----- files that differ -----


def test_faults_are_told_with_their_files(folder: Path) -> None:
    """Rows are counted through the whole batch; each violation names the files it falls on."""
    write(folder / "1.parquet", a=[1, None], b=["x", "x"])
    write(folder / "2.parquet", a=[3, 4], b=["x", None])
    write(folder / "3.parquet", a=[5, None], b=["x", "x"])

    result = check(folder, AB, split())

    assert violations_in(result) == [("null", "a", 2), ("null", "b", 1)]
    assert reasons(result) == [("null", ("1.parquet", "3.parquet")), ("null", ("2.parquet",))]
    assert rows_of(result, "null") == [1, 5, 3]
    assert [row["_row"] for row in accepted(result)] == [0, 2, 4]


def test_schemas_that_differ_are_told_file_by_file(folder: Path) -> None:
    """What is wrong with one file's columns names that file, and all such faults are listed."""
    write(folder / "1.parquet", a=[1], b=["x"])
    write(folder / "2.parquet", a=["1"], b=["x"])
    write(folder / "3.parquet", b=["x"])
    write(folder / "4.parquet", a=["1"], b=["x"])

    result = check(folder, AB)

    assert reasons(result) == [
        ("type_mismatch", ("2.parquet", "4.parquet")),
        ("missing_column", ("3.parquet",)),
    ]
    assert result.verdict.evidence == {}
    assert result.rejected.collect()["a"].to_list() == ["1", "1", None, "1"]  # type: ignore[union-attr]


def test_types_may_differ_where_all_of_them_conform(folder: Path) -> None:
    """int32 here and text of a CSV there are both the contract's long."""
    write(folder / "1.parquet", a=pl.Series([1], dtype=pl.Int32), b=["x"])
    write(folder / "2.csv", a=[2], b=["y"])

    result = check(folder, AB)

    assert result.passed
    assert result.model_input()["a"].dtype == "int64"
    assert {c.arrived for c in result.verdict.conversions} == {"int32", "text"}


def test_an_optional_column_that_only_some_files_have_is_null_in_the_others(folder: Path) -> None:
    """As it would be in one file of all rows: accepted where the type can carry null."""
    write(folder / "1.parquet", a=[1, 2], o=[1.5, 2.5])
    write(folder / "2.parquet", a=[3], n=[1])
    judged_by = contract(("o", "n"), a="long", o="double", n="long")

    result = check(folder, judged_by, split(extra_columns="forbid"))

    assert violations_in(result) == [("null", "n", 2)]
    assert accepted(result) == [{"_row": 2, "a": 3, "o": None, "n": 1}]
    mlflow_accepts(result.model_input(), judged_by)


def test_kept_columns_of_different_types_are_kept_in_words(folder: Path) -> None:
    """Nothing is rounded to make them fit into one column."""
    write(folder / "1.parquet", a=[1], b=["x"], k=[2**53 + 1])
    write(folder / "2.parquet", a=[2], b=["y"], k=[0.5])
    write(folder / "3.parquet", a=[3], b=["z"], k=[[1]])

    rows = accepted(check(folder, AB, Policy(keep=("k",))))

    assert [row["k"] for row in rows] == ["9007199254740993", "0.5", "[1]"]


def test_kept_columns_of_types_that_go_together_stay_typed(folder: Path) -> None:
    """Narrow and wide integers become wide ones, categories become text."""
    write(folder / "1.parquet", a=[1], b=["x"], k=pl.Series([1], dtype=pl.Int8))
    write(folder / "2.parquet", a=[2], b=["y"], k=[2**40])

    rows = accepted(check(folder, AB, Policy(keep=("k",))))

    assert [row["k"] for row in rows] == [1, 2**40]


def test_what_is_no_file_is_told(folder: Path) -> None:
    """A pipe would be waited for; it is not opened."""
    write(folder / "1.csv", a=[1], b=["x"])
    os.mkfifo(folder / "2.csv")

    assert reasons(check(folder, AB)) == [("unreadable", ("2.csv",))]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("2.parquet", b"PAR1"),
        ("2.csv", b"\0"),
        ("2.jsonl", '{"a": 1}'.encode("utf-16")),
        ("2.arrow", b"ARROW1\0\0"),
        ("2.npy", b"no array"),
        ("2.xlsx", b"PK"),
        ("2.json", b'[{"a": 1, "b": "x"}]'),
    ],
)
def test_an_unreadable_file_is_told_and_the_others_are_judged(
    folder: Path, name: str, content: bytes
) -> None:
    """One violation of the batch names it; what is wrong with the others is listed all the same."""
    write(folder / "1.parquet", a=[1, None], b=["x", "x"])
    (folder / name).write_bytes(content)
    write(folder / "3.parquet", a=[3], b=[None])

    result = check(folder, AB, split())

    assert reasons(result)[0] == ("unreadable", (name,))
    assert violations_in(result)[1:] == [("null", "a", 1), ("null", "b", 1)]
    assert (result.disposition, result.verdict.rows) == ("quarantined", None)
    assert result.accepted is None
    assert result.rejected.collect().height == 3  # type: ignore[union-attr]


@pytest.mark.parametrize("ending", [e for e in FORMATS if not e.endswith((".zip", ".npz"))])
def test_an_empty_part_among_others_has_no_rows(folder: Path, ending: str) -> None:
    """Jobs leave parts of zero bytes where a worker had no rows, in any format."""
    write(folder / "1.parquet", a=[1], b=["x"])
    (folder / f"2{ending}").touch()

    result = check(folder, AB)

    assert result.passed
    assert (result.verdict.rows, result.verdict.batch.files) == (1, 2)


SIDECARS = (
    *("a.csv.md5", "a.csv.sha256", "a.done", "a.ctl", "manifest.json", "README", "README.txt"),
    *("Thumbs.db", "a.parquet.crc", "_metadata", "_common_metadata", "_committed_17", "notes.md"),
)


def test_files_that_no_format_claims_are_ignored_and_counted(folder: Path) -> None:
    """Checksums, manifests and markers are no data, and the verdict names them."""
    write(folder / "a.csv", a=[1], b=["x"])
    for name in SIDECARS:
        (folder / name).write_text("x")

    result = check(folder, AB)

    assert result.passed
    assert sorted(result.verdict.batch.ignored) == sorted(SIDECARS)
    assert result.verdict.batch.files == 1


@pytest.mark.parametrize(
    ("name", "words"),
    [("a.xlsx", "Excel"), ("a.avro", "Avro"), ("a.orc", "ORC"), ("a.csv.gpg", "encrypted")],
)
def test_data_that_the_gate_does_not_read_is_told(folder: Path, name: str, words: str) -> None:
    """Rows must not go missing because nobody reads their format."""
    write(folder / "1.csv", a=[1], b=["x"])
    (folder / name).write_bytes(b"x")

    (violation,) = check(folder, AB).violations

    assert (violation.kind, violation.files) == ("unreadable", (name,))
    assert words in violation.observed


def test_parts_without_ending_are_known_by_their_first_bytes(folder: Path) -> None:
    """As Hadoop and BigQuery name them; for text the policy says what it is."""
    write(folder / "0.parquet", a=[1], b=["x"]).rename(folder / "part-00000")
    write(folder / "1.arrow", a=[2], b=["y"]).rename(folder / "000000000001")
    write(folder / "2.jsonl", a=[3], b=["z"]).rename(folder / "part-00002")
    (folder / "part-00003.dat").write_text("a,b\n4,w\n")

    assert sorted(check(folder, AB).model_input()["a"]) == [1, 2, 3]
    assert sorted(check(folder, AB, Policy(format="csv")).model_input()["a"]) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("_delta_log/00000000000000000000.json", "Delta"),
        (".hoodie/hoodie.properties", "Hudi"),
        ("metadata/v1.metadata.json", "Iceberg"),
        ("inner/_delta_log/00000000000000000000.json", "Delta"),
    ],
)
def test_the_folder_of_a_table_is_refused(folder: Path, place: str, words: str) -> None:
    """Its files hold rows of earlier versions too; the remedy says how to hand in one version."""
    write(folder / "a.parquet", a=[1], b=["x"])
    (folder / place).parent.mkdir(parents=True)
    (folder / place).touch()

    (violation,) = check(folder, AB).violations

    assert words in violation.observed
    assert "version" in violation.remedy


def test_a_file_that_breaks_off_only_when_read_is_told_too(folder: Path) -> None:
    """A corrupt page is found by the scan; the other files' faults are listed all the same."""
    write(folder / "1.csv", a=[None], b=["x"])
    path = folder / "2.parquet"
    pq.write_table(pa.table({"a": [1.0] * 5_000, "b": ["x"] * 5_000}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[40:120] = bytes(80)
    path.write_bytes(data)

    result = check(folder, AB, split())

    assert reasons(result) == [("unreadable", ("2.parquet",)), ("null", ("1.csv",))]
    assert result.rejected.collect().height == 1  # type: ignore[union-attr]


def test_a_file_gone_after_it_was_judged_is_not_scored(folder: Path) -> None:
    """The batch is no longer what was judged."""
    write(folder / "1.csv", a=[1], b=["x"])
    write(folder / "2.csv", a=[2], b=["y"])
    result = check(folder, AB)
    (folder / "2.csv").unlink()

    with pytest.raises(BatchChanged):
        result.model_input()


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is kept from root")
def test_a_file_that_may_not_be_read_is_misuse(folder: Path) -> None:
    """The machine is at fault, not the data: no verdict."""
    write(folder / "1.csv", a=[1], b=["x"]).chmod(0)

    with pytest.raises(BatchUnavailable):
        check(folder, AB)


def test_min_rows_counts_the_rows_of_all_files(folder: Path) -> None:
    """A file may be empty, the batch may not."""
    write(folder / "1.parquet", a=pl.Series([], dtype=pl.Int64), b=pl.Series([], dtype=pl.String))
    assert violations_in(check(folder, AB)) == [("row_count", None, None)]

    write(folder / "2.parquet", a=[1], b=["x"])
    assert check(folder, AB).passed


def test_tensors_are_put_together_from_files(folder: Path) -> None:
    """The rows of all files are one array."""
    spec = {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
    write(folder / "1.parquet", t=[[1.0, 2.0]])
    write(folder / "2.parquet", t=[[3.0, 4.0], [5.0, 6.0]])

    made = check(folder, contract(t=spec)).model_input()

    assert made["t"].tolist() == [[1, 2], [3, 4], [5, 6]]


# ----- any partition -----


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy, list[int]]:
    judged_by = draw(contracts())
    table = draw(tables(judged_by))
    cuts = draw(st.lists(st.integers(0, table.num_rows), max_size=3))
    policy = draw(POLICIES).model_copy(update={"keep": ("extra",) * draw(st.integers(0, 1))})
    return table, judged_by, policy, sorted(cuts)


def _partition(table: pa.Table, folder: Path, cuts: list[int]) -> pa.Table:
    """Write slices of a table to files, and put them together in the order of the paths."""
    edges, parts = [0, *cuts, table.num_rows], dict[Path, pa.Table]()
    for number, (start, end) in enumerate(pairwise(edges)):
        path = (folder / "more" if number % 3 == 1 else folder) / f"{number}.parquet"
        parts[path] = table.slice(start, end - start)
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(parts[path], path)
    return pa.concat_tables(parts[path] for path in sorted(parts))


def _said(result: CheckResult) -> list[Any]:
    verdict = result.verdict
    told = [v.model_copy(update={"files": ()}) for v in verdict.violations]
    return [told, verdict.rows, verdict.rejected, verdict.disposition, verdict.conversions]


def _assert_same_rows(many: CheckResult, one: CheckResult) -> None:
    assert (many.accepted is None) == (one.accepted is None)
    if many.accepted is not None and one.accepted is not None:
        assert_frame_equal(many.accepted.collect(), one.accepted.collect())
    assert many.rejected is not None
    assert one.rejected is not None
    # The reasons of a batch that fails as a whole name its files.
    naming = ["_violations"] if one.verdict.whole else []
    assert_frame_equal(many.rejected.collect().drop(naming), one.rejected.collect().drop(naming))


def _uncategorized(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns of any type keep the categories of their file, of which a folder has several."""
    dtypes = frame.dtypes.items()
    return frame.astype({c: "str" for c, dtype in dtypes if isinstance(dtype, pd.CategoricalDtype)})


@given(case=cases())
def test_any_partition_into_files_gives_the_same_verdict(case: Any) -> None:
    """Merge: violations, rows and what the model receives are those of one file of all rows."""
    table, judged_by, policy, cuts = case
    assume(not any("struct<>" in str(kind) for kind in table.schema.types))  # Parquet has none
    with TemporaryDirectory() as root:
        whole, folder = Path(root, "whole.parquet"), Path(root, "parts")
        try:
            pq.write_table(_partition(table, folder, cuts), whole)
        except pa.ArrowNotImplementedError:
            assume(condition=False)  # Arrow writes no string views within null structs

        one, many = check(whole, judged_by, policy), check(folder, judged_by, policy)

        assert _said(many) == _said(one)
        with patch.object(scan_stage, "_count_together", return_value=()):  # the slow way
            assert check(folder, judged_by, policy).verdict == many.verdict
        _assert_same_rows(many, one)
        if one.disposition in ("passed", "split"):
            made = many.model_input()
            pd.testing.assert_frame_equal(_uncategorized(made), _uncategorized(one.model_input()))
            mlflow_accepts(made, judged_by)  # last, because it changes dictionaries in place
