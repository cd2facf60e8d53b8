"""Delta tables as batches: the live rows of one version, and nothing else of the folder."""

from __future__ import annotations

import datetime as dt
import json
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake
from hypothesis import given, settings
from hypothesis import strategies as st
from lake_tables import deletion_vector, delta_field, rows_in, stated, write_delta
from polars.testing import assert_frame_equal
from small_checks import SPLIT, contract, kinds, split, violations_in

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import BatchChanged, BatchNotFound, UnsupportedBatch
from signature_gate.expectations.readers.tables import live_file

if TYPE_CHECKING:
    from collections.abc import Callable


A = contract(a="long")


def uri(folder: Path, version: int | None = None) -> str:
    """Name a table, or a version of it."""
    return f"delta://{folder}" + ("" if version is None else f"@{version}")


# ----- which rows live -----

FRAMES = st.builds(
    lambda cells: pa.table(
        {
            "a": pa.array([a for a, _, _ in cells], pa.int64()),
            "p": pa.array([p for _, p, _ in cells], pa.string()),
            "f": pa.array([f for _, _, f in cells], pa.float64()),
        }
    ),
    st.lists(
        st.tuples(
            st.none() | st.integers(-3, 2**40),
            st.sampled_from(["x", "y/%é =", None]),
            st.sampled_from([0.5, float("nan"), None]),
        ),
        min_size=1,
        max_size=5,
    ),
)


def _widened(rows: pa.Table) -> pa.Table:
    return rows.append_column("z", pa.array(range(rows.num_rows), pa.int32()))


WRITES: dict[str, Callable[[str, pa.Table], object]] = {
    "append": lambda place, rows: write_deltalake(place, rows, mode="append", schema_mode="merge"),
    "overwrite": lambda place, rows: write_deltalake(
        place, rows, mode="overwrite", schema_mode="overwrite"
    ),
    "widen": lambda place, rows: write_deltalake(
        place, _widened(rows), mode="append", schema_mode="merge"
    ),
    "delete": lambda place, _: DeltaTable(place).delete("a < 2"),
    "update": lambda place, _: DeltaTable(place).update({"a": "a + 1"}, predicate="a > 0"),
    "compact": lambda place, _: DeltaTable(place).optimize.compact(),
    "checkpoint": lambda place, _: DeltaTable(place).create_checkpoint(),
}


@settings(max_examples=12)
@given(
    first=FRAMES,
    partitioned=st.booleans(),
    writes=st.lists(st.tuples(st.sampled_from(sorted(WRITES)), FRAMES), max_size=3),
)
def test_the_verdict_is_that_of_a_frame_with_the_live_rows(
    first: pa.Table, partitioned: bool, writes: list[tuple[str, pa.Table]]
) -> None:
    """Whatever was written, deleted, updated, compacted and added as a column; so are the rows."""
    by = contract(("p", "f", "z"), a="integer", p="string", f="double", z="long")
    policy = split(nan="null", nulls="allow", min_rows=0)
    with TemporaryDirectory() as place:
        write_deltalake(place, first, partition_by=["p"] if partitioned else None)
        for how, rows in writes:
            WRITES[how](place, rows)
        live = DeltaTable(place).to_pyarrow_table()

        table, frame = check(uri(Path(place)), by, policy), check(live, by, policy)

        assert table.verdict.rows == frame.verdict.rows
        assert table.verdict.rejected == frame.verdict.rejected
        assert sorted(violations_in(table)) == sorted(violations_in(frame))
        assert [name for name, _ in table.verdict.batch.columns] == live.column_names
        assert_frame_equal(rows_in(table), rows_in(frame), check_row_order=False)


def test_a_split_gives_exactly_the_live_rows(tmp_path: Path) -> None:
    """Rows that were overwritten or deleted are on neither side."""
    table = tmp_path / "table"
    write_deltalake(table, pa.table({"a": [7, 8]}))
    write_deltalake(table, pa.table({"a": [1, 2, None, 4]}), mode="overwrite")
    DeltaTable(table).delete("a = 2")

    result = check(uri(table), A, SPLIT)
    result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")

    assert sorted(pl.read_parquet(tmp_path / "good.parquet")["a"]) == [1, 4]
    assert pl.read_parquet(tmp_path / "bad.parquet")["a"].to_list() == [None]


def test_a_version_is_judged_and_named_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    """Both the version that a URI names and the newest of the moment at which it was opened."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    newest = check(uri(tmp_path), A)
    write_deltalake(tmp_path, pa.table({"a": [None]}, pa.schema({"a": pa.int64()})), mode="append")

    assert newest.model_input()["a"].tolist() == [1]
    assert newest.verdict.batch.uri == uri(tmp_path, 0)
    assert newest.verdict.batch.name == f"{tmp_path.name}@0"
    assert check(uri(tmp_path, 0), A).passed
    assert kinds(check(uri(tmp_path), A)) == ["null"]
    assert check(uri(tmp_path), A).verdict.batch.uri == uri(tmp_path, 1)


def test_a_folder_with_a_log_is_the_table(tmp_path: Path) -> None:
    """By its path or as a string it is what its URI is: format, files and bytes are told."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    write_deltalake(tmp_path, pa.table({"a": [2]}), mode="overwrite")

    for batch in (tmp_path, str(tmp_path), tmp_path.as_uri(), uri(tmp_path)):
        info = check(batch, A).verdict.batch
        assert (info.format, info.files, info.uri) == ("delta", 1, uri(tmp_path, 1))
        (live,) = DeltaTable(tmp_path).file_uris()
        assert info.bytes == Path(live).stat().st_size


def test_a_table_without_rows_is_judged_by_its_columns(tmp_path: Path) -> None:
    """Its verdict is that of a frame without rows: types and names as well as min_rows."""
    empty = pa.table({"a": pa.array([], pa.string())})
    write_deltalake(tmp_path, empty)
    DeltaTable(tmp_path).optimize.compact()

    assert violations_in(check(uri(tmp_path), A)) == violations_in(check(empty, A))
    assert kinds(check(uri(tmp_path), contract(a="string"))) == ["row_count"]


def test_partitions_are_columns_of_their_types(tmp_path: Path) -> None:
    """Their values stand in the log alone, as text; each comes back as what it is, null too."""
    zone = dt.UTC
    rows = pa.table(
        {
            "a": [1, 2],
            "day": [dt.date(2024, 5, 1), None],
            "at": pa.array([dt.datetime(2024, 5, 1, 7, 8, 9, 10, zone), None]),
            "price": pa.array([Decimal("1.50"), None], pa.decimal128(9, 2)),
            "good": [True, None],
            "code": pa.array([3, None], pa.int16()),
            "name": ["a=b/c %20", None],
        }
    )
    write_deltalake(tmp_path, rows, partition_by=rows.column_names[1:])
    any_column = contract(tuple(rows.column_names), **dict.fromkeys(rows.column_names, "string"))
    frame = check(uri(tmp_path), any_column).rejected

    assert frame is not None
    found = frame.collect().drop("_row", "_violations").sort("a")
    assert_frame_equal(found, pl.DataFrame(rows), check_dtypes=True)


def test_names_of_columns_are_taken_as_they_are(tmp_path: Path) -> None:
    """Names that are patterns or paths elsewhere; reserved ones of an earlier split are dropped."""
    names = ["*", "^a$", "a.b", "select", "_row"]
    rows = pa.table({name: [place] for place, name in enumerate(names)})
    write_deltalake(tmp_path, rows, partition_by=["^a$"])

    result = check(uri(tmp_path), contract(**dict.fromkeys(names[:-1], "long")))

    assert result.passed
    assert result.model_input().iloc[0].to_dict() == {"*": 0, "^a$": 1, "a.b": 2, "select": 3}


def test_partitions_by_bytes_are_refused(tmp_path: Path) -> None:
    """Writers differ over the text that stands for them, so that no value would be certain."""
    write_deltalake(tmp_path, pa.table({"a": [1], "b": [b"x"]}), partition_by=["b"])

    assert "partitions by bytes" in check(uri(tmp_path), A).violations[0].observed


# ----- features of readers -----


def test_deleted_rows_are_told_by_deletion_vectors(tmp_path: Path) -> None:
    """A file with one loses these rows, and its statistics, which count them, prove nothing."""
    files = {
        "x.parquet": (
            pa.table({"a": [1, None, 3, None, 5]}),
            stated(5, a=0) | deletion_vector([1, 2]),
        ),
        "y.parquet": (pa.table({"a": [6]}), stated(1, a=0)),
    }
    table = write_delta(tmp_path / "t", [delta_field("a")], files, ["deletionVectors"])

    result = check(table, A, SPLIT)

    assert violations_in(result) == [("null", "a", 1)]
    assert result.verdict.rows == 4
    assert result.accepted is not None
    assert result.accepted.collect().rows() == [(0, 1), (2, 5), (3, 6)]


def test_rows_are_at_hand_after_the_result_is_gone(tmp_path: Path) -> None:
    """The live rows of a file with a deletion vector stay where a lazy frame finds them."""
    files = {"x.parquet": (pa.table({"a": [1, 2]}), stated(2) | deletion_vector([0]))}
    table = write_delta(tmp_path / "t", [delta_field("a")], files, ["deletionVectors"])

    accepted = check(table, A).accepted

    assert accepted is not None
    assert accepted.collect()["a"].to_list() == [2]


def test_renamed_columns_are_found_by_their_mapping(tmp_path: Path) -> None:
    """A name that another column had before does not bring that one's values back."""
    fields = [
        delta_field("new", id=1, physicalName="old"),
        delta_field("old", id=2, physicalName="col-2"),
    ]
    files = {
        "x.parquet": (pa.table({"old": [1, 2], "rejected": [0, 0]}), stated(2, old=0)),
        "y.parquet": (pa.table({"col-2": [7], "old": [3]}), stated(1, old=0)),
    }
    table = write_delta(tmp_path / "t", fields, files, mapping="name")
    by = contract(("old",), new="long", old="double")

    result = check(table, by, SPLIT)

    assert result.accepted is not None
    assert result.accepted.collect().rows() == [(0, 1, None), (1, 2, None), (2, 3, 7.0)]
    assert result.verdict.evidence["new"] == "table"
    result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")
    assert pl.read_parquet(tmp_path / "good.parquet").columns == ["_row", "new", "old"]


def test_widened_columns_have_the_type_of_the_table(tmp_path: Path) -> None:
    """Also in files from before; what fits no longer, such as text, is told for its file."""
    fields = [delta_field("a"), delta_field("d", "double")]
    narrow = pa.table({"a": pa.array([1], pa.int32()), "d": pa.array([1], pa.float32())})
    text = pa.table({"a": ["2"], "d": [2.0]})
    files = {"x.parquet": (narrow, stated(1)), "y.parquet": (text, stated(1))}
    table = write_delta(tmp_path / "t", fields, files, ["typeWidening"])

    result = check(table, contract(a="long", d="double"))

    assert [(v.kind, v.files) for v in result.violations] == [("unreadable", ("y.parquet",))]
    assert "'a' of type string where the table has int64" in result.violations[0].observed


def test_instants_of_96_bits_are_those_of_the_table(tmp_path: Path) -> None:
    """Spark writes them by default: microseconds hold years that nanoseconds do not."""
    years = [dt.datetime(year, 1, 2, 3, 4, 5, 6, dt.UTC) for year in (1, 2024, 9999)]
    files = {"x.parquet": (pa.table({"at": years}), stated(3, at=0))}
    table = write_delta(
        tmp_path / "t",
        [delta_field("at", "timestamp")],
        files,
        use_deprecated_int96_timestamps=True,
        store_schema=False,
    )
    rejected = check(table, contract(at="string")).rejected

    assert rejected is not None
    assert rejected.collect()["at"].to_list() == years


NESTED = {"type": "struct", "fields": [delta_field("q", id=2, physicalName="col-2")]}


@pytest.mark.parametrize(
    ("feature", "field", "mapping"),
    [
        ("variantType", delta_field("a"), "none"),
        ("brandNew", delta_field("a"), "none"),
        ("columnMapping", delta_field("a", NESTED, id=1, physicalName="a"), "name"),
        ("columnMapping", delta_field("a", id=1, physicalName="a"), "id"),
    ],
)
def test_a_feature_that_is_not_honoured_is_refused_by_its_name(
    tmp_path: Path, feature: str, field: dict[str, Any], mapping: str
) -> None:
    """No row is read without it; the remedy says how the table does without it."""
    table = write_delta(tmp_path / "t", [field], {}, [feature], mapping)

    (violation,) = check(table, A, Policy(redact=True)).violations

    assert violation.kind == "unreadable"
    assert feature in violation.observed
    assert "table" in violation.remedy


def test_a_deletion_vector_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """It is never left out: the remedy is to rewrite the files."""
    vector = {"storageType": "u", "pathOrInlineDv": "ab^-aqEH.-t@S}K{vb[*k^", "offset": 1}
    vector |= {"sizeInBytes": 36, "cardinality": 1}
    more = stated(2) | {"deletionVector": vector}
    files = {"x.parquet": (pa.table({"a": [1, 2]}), more)}
    table = write_delta(tmp_path / "t", [delta_field("a")], files, ["deletionVectors"])

    (violation,) = check(table, A).violations

    assert "deletionVectors" in violation.observed
    assert "APPLY (PURGE)" in violation.remedy


# ----- what the log proves -----


def test_statistics_of_the_log_prove_what_no_file_is_opened_for(
    tmp_path: Path, opened: list[Path]
) -> None:
    """Rows and absent nulls are in it, and the verdict says so; the rows are read when wanted."""
    for start in (0, 3):
        rows = pa.table({"a": range(start, start + 3), "p": ["x", "x", "y"], "f": [0.5] * 3})
        write_deltalake(tmp_path / "t", rows, partition_by=["p"], mode="append")
    by = contract(a="long", p="string")

    result = check(uri(tmp_path / "t"), by, Policy(extra_columns="ignore", min_rows=6))

    assert result.passed
    assert result.verdict.evidence == {"a": "table", "p": "table"}
    assert opened == []
    assert sorted(result.model_input()["a"]) == list(range(6))
    assert len(opened) == 4


def test_bounds_in_the_log_prove_a_narrower_type(tmp_path: Path, opened: list[Path]) -> None:
    """Int64 that fits int32 is passed by its smallest and largest value; larger is scanned."""
    write_deltalake(tmp_path / "t", pa.table({"a": [1, 2**31 - 1]}))
    assert check(uri(tmp_path / "t"), contract(a="integer")).passed
    assert opened == []

    write_deltalake(tmp_path / "t", pa.table({"a": [2**31]}), mode="append")
    assert kinds(check(uri(tmp_path / "t"), contract(a="integer"))) == ["out_of_range"]


def test_the_log_never_proves_the_absence_of_nan(tmp_path: Path) -> None:
    """Its bounds leave NaN out: where NaN counts as null, the values are scanned."""
    write_deltalake(tmp_path, pa.table({"f": [1.0, float("nan")]}))

    result = check(uri(tmp_path), contract(f="double"), Policy(nan="null"))

    assert kinds(result) == ["null"]
    assert result.verdict.evidence == {"f": "scan"}


def test_footers_prove_what_the_log_leaves_out(tmp_path: Path) -> None:
    """Without statistics in the log the stages are those of a folder."""
    files = {"x.parquet": (pa.table({"a": [1]}), {}), "y.parquet": (pa.table({"a": [2]}), {})}
    result = check(write_delta(tmp_path / "t", [delta_field("a")], files), A)

    assert result.passed
    assert result.verdict.evidence == {"a": "footer"}


def test_a_log_that_lies_is_found_out_before_a_row_is_handed_over(tmp_path: Path) -> None:
    """Nulls that it denies, and rows that it adds, end as a batch that is not as judged."""
    nulls = {"x.parquet": (pa.table({"a": [1, None]}), stated(2, a=0))}
    fewer = {"x.parquet": (pa.table({"a": [1, 2]}), stated(3, a=0))}
    for name, files in {"nulls": nulls, "fewer": fewer}.items():
        table = write_delta(tmp_path / name, [delta_field("a")], files)
        result = check(table, A)
        assert result.passed
        with pytest.raises(BatchChanged):
            result.model_input()

        assert not check(table, A, Policy(trust_statistics=False)).passed


def test_counts_that_cannot_be_are_no_counts(tmp_path: Path) -> None:
    """Fewer than no rows or nulls prove nothing: the footer and the scan decide."""
    for name, counts in {"rows": stated(-1, a=0), "nulls": stated(2, a=-1)}.items():
        files = {"x.parquet": (pa.table({"a": [1, None]}), counts)}
        result = check(write_delta(tmp_path / name, [delta_field("a")], files), A)

        assert violations_in(result) == [("null", "a", 1)]
        assert result.verdict.rows == 2


# ----- what is gone or broken -----


def test_a_vacuumed_file_is_named(tmp_path: Path) -> None:
    """A version outlives its files: each that is gone is told, and no other version is judged."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    (gone,) = DeltaTable(tmp_path).file_uris()
    write_deltalake(tmp_path, pa.table({"a": [2]}), mode="overwrite")
    DeltaTable(tmp_path).vacuum(0, dry_run=False, enforce_retention_duration=False)

    (violation,) = check(uri(tmp_path, 0), A).violations

    assert violation.kind == "unreadable"
    assert violation.files == (Path(gone).name,)
    assert "vacuum" in violation.observed
    assert check(uri(tmp_path), A).passed


def test_a_replaced_file_is_found_out_by_its_size(tmp_path: Path) -> None:
    """The log knows how long each file is: another one was put in its place."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    (live,) = DeltaTable(tmp_path).file_uris()
    pl.DataFrame({"a": range(100)}).write_parquet(live)

    assert "where the table's log has" in check(uri(tmp_path), A).violations[0].observed


def test_a_file_that_goes_after_opening_is_a_verdict_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Statistics of the log do not settle NaN; the file is gone when its values are read."""
    write_deltalake(tmp_path, pa.table({"f": [1.0]}))
    write_deltalake(tmp_path, pa.table({"f": [2.0]}), mode="append")
    first = min(tmp_path.glob("*.parquet"))
    judged = live_file.open_live

    def open_live(*arguments: Any) -> Any:
        opened = judged(*arguments)
        first.unlink()
        return opened

    monkeypatch.setattr("signature_gate.expectations.readers.tables.delta.open_live", open_live)
    (violation,) = check(uri(tmp_path), contract(f="double"), Policy(nan="null")).violations

    assert (violation.kind, violation.files) == ("unreadable", (first.name,))


def test_what_is_no_table_is_an_error_that_says_so(tmp_path: Path) -> None:
    """Paths and versions that are not there, and places that no client reaches."""
    write_deltalake(tmp_path / "t", pa.table({"a": [1]}))
    for batch, error, words in (
        (uri(tmp_path / "nowhere"), BatchNotFound, "no Delta table at"),
        (uri(tmp_path / "t", 9), BatchNotFound, "no version 9 of .*: its newest is 0"),
        ("delta://hdfs://user:secret@host/t", UnsupportedBatch, "a path, or a URL of s3://"),
    ):
        with pytest.raises(error, match=words) as caught:
            check(batch, A)
        assert "secret" not in str(caught.value)


def test_a_log_that_cannot_be_read_is_a_verdict(tmp_path: Path) -> None:
    """Cut off, of another format, or bytes: the batch is unreadable, and names its log."""
    write_deltalake(tmp_path, pa.table({"a": [1]}))
    (log,) = (tmp_path / "_delta_log").glob("*.json")
    text = log.read_bytes()
    for broken in (b"", text[: len(text) // 2], b"[1, 2]", b"\xff\x00\n" * 9, b'{"add": 3}'):
        log.write_bytes(broken)
        assert kinds(check(uri(tmp_path), A)) == ["unreadable"], broken


def test_contracts_see_what_a_table_has(tmp_path: Path) -> None:
    """Missing and extra columns are told once for all files."""
    write_deltalake(tmp_path, pa.table({"a": [1], "b": [2]}))
    write_deltalake(tmp_path, pa.table({"a": [1], "b": [2]}), mode="append")
    spec = json.dumps([{"type": "long", "name": "c", "required": True}])

    result = check(uri(tmp_path), Contract.from_signature({"inputs": spec}))

    assert sorted(kinds(result)) == ["extra_column", "missing_column"]
    assert result.verdict.rows == 2
