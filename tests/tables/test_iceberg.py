"""Iceberg tables as batches: the live rows of one snapshot, found by a catalog of pyiceberg's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import polars as pl
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_tables import commit_file, delete_rows, rows_in
from polars.testing import assert_frame_equal
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import IntegerType, LongType
from small_checks import SPLIT, contract, kinds, split, violations_in

from signature_gate import Policy, check
from signature_gate.expectations.errors import BatchNotFound, BatchUnavailable, Misuse

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table import Table


A = contract(a="long")
URI = "iceberg://lake/sales.t"
SCHEMA = pa.schema({"a": pa.int32(), "p": pa.string(), "f": pa.float64()})


def table_of(lake: SqlCatalog, rows: pa.Table, name: str = "sales.t") -> Table:
    """Make a table with a first snapshot."""
    table = lake.create_table(name, schema=rows.schema)
    table.append(rows)
    return table


def data_files(table: Table) -> list[str]:
    """List the paths of the data files of the current snapshot, in its order."""
    return [task.file.file_path for task in table.scan().plan_files()]


# ----- which rows live -----

FRAMES = st.builds(
    lambda cells: pa.Table.from_pylist(
        [dict(zip(SCHEMA.names, row, strict=True)) for row in cells], SCHEMA
    ),
    st.lists(
        st.tuples(
            st.none() | st.integers(-3, 2**31 - 1),
            st.sampled_from(["x", "y/%é =", None]),
            st.sampled_from([0.5, float("nan"), None]),
        ),
        min_size=1,
        max_size=5,
    ),
)


def _append(table: Table, rows: pa.Table) -> None:
    wanted = table.schema().as_arrow()
    cells = {
        field.name: rows[field.name].cast(field.type)
        if field.name in rows.column_names and (field.name != "p" or field.type != pa.int32())
        else pa.array(range(rows.num_rows)).cast(field.type)
        for field in wanted
    }
    table.append(pa.table(cells))


def _widen(table: Table, _: pa.Table) -> None:
    with table.update_schema() as update:
        update.update_column("a", LongType())


def _add(table: Table, _: pa.Table) -> None:
    if "z" not in table.schema().column_names:
        with table.update_schema() as update:
            update.add_column("z", IntegerType())


def _rename(table: Table, _: pa.Table) -> None:
    """Let two columns change names, so that each file has the other's values under one."""
    with table.update_schema() as update:
        update.rename_column("p", "q")
        update.delete_column("f")
    with table.update_schema() as update:
        update.rename_column("q", "f")
        update.add_column("p", IntegerType())


def _delete_by_position(table: Table, _: pa.Table) -> None:
    if files := data_files(table):
        folder = Path(files[0].removeprefix("file://")).parent
        delete_rows(table, folder, {path: [0] for path in files[:2]})
        table.refresh()


WRITES: dict[str, Callable[[Table, pa.Table], object]] = {
    "append": _append,
    "overwrite": lambda table, _: table.overwrite(table.scan().to_arrow().slice(0, 2)),
    "delete": lambda table, _: table.delete("a < 2"),
    "widen": _widen,
    "add": _add,
    "rename": _rename,
    "position": _delete_by_position,
}


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=FRAMES,
    partitioned=st.booleans(),
    writes=st.lists(
        st.tuples(st.sampled_from(sorted(WRITES)), FRAMES), max_size=4, unique_by=lambda w: w[0]
    ),
)
def test_the_verdict_is_that_of_a_frame_with_the_live_rows(
    lake: SqlCatalog, first: pa.Table, partitioned: bool, writes: list[tuple[str, pa.Table]]
) -> None:
    """Whatever was written, deleted, renamed, widened and added; so are the rows."""
    by = contract(("p", "f", "z"), a="integer", p="string", f="double", z="long")
    policy = split(nan="null", nulls="allow", min_rows=0)
    name = f"sales.t{uuid4().hex}"
    table = lake.create_table(name, schema=SCHEMA)
    if partitioned:
        with table.update_spec() as spec:
            spec.add_field("a", IdentityTransform(), "by_a")
    table.append(first)
    for how, rows in writes:
        if not (partitioned and how in ("position", "rename")):
            WRITES[how](table, rows)
    live = table.scan().to_arrow()

    judged, frame = check(f"iceberg://lake/{name}", by, policy), check(live, by, policy)

    assert judged.verdict.rows == frame.verdict.rows
    assert judged.verdict.rejected == frame.verdict.rejected
    assert sorted(map(str, violations_in(judged))) == sorted(map(str, violations_in(frame)))
    assert [name for name, _ in judged.verdict.batch.columns] == live.column_names
    if frame.accepted is not None:
        assert_frame_equal(rows_in(judged), rows_in(frame), check_row_order=False)


def test_a_split_gives_exactly_the_live_rows(lake: SqlCatalog, tmp_path: Path) -> None:
    """Rows that a file of positional deletes names are on neither side, and prove nothing."""
    table = table_of(lake, pa.table({"a": [1, 2, None, 4, None]}))
    _append(table, pa.table({"a": [7]}))
    first = next(path for path in data_files(table) if _rows(path) == 5)
    delete_rows(table, tmp_path, {first: [1, 2]})

    result = check(URI, A, SPLIT)
    result.split(tmp_path / "good.parquet", tmp_path / "bad.parquet")

    assert sorted(pl.read_parquet(tmp_path / "good.parquet")["a"]) == [1, 4, 7]
    assert pl.read_parquet(tmp_path / "bad.parquet")["a"].to_list() == [None]
    assert violations_in(result) == [("null", "a", 1)]


def _rows(path: str) -> int:
    return pl.scan_parquet(path.removeprefix("file://")).select(pl.len()).collect().item()


def test_a_snapshot_is_judged_and_named_whatever_is_written_meanwhile(lake: SqlCatalog) -> None:
    """Both the snapshot that a URI names and the current one of the moment of opening."""
    table = table_of(lake, pa.table({"a": [1]}))
    current = check(URI, A)
    snapshot = table.snapshots()[0].snapshot_id
    table.append(pa.table({"a": pa.array([None], pa.int64())}))

    info = current.verdict.batch
    assert (info.format, info.files, info.name) == ("iceberg", 1, f"sales.t@{snapshot}")
    assert info.uri == f"{URI}@{snapshot}"
    assert current.model_input()["a"].tolist() == [1]
    assert check(f"{URI}@{snapshot}", A).passed
    assert kinds(check(URI, A)) == ["null"]


def test_a_snapshot_has_the_columns_of_its_time(lake: SqlCatalog) -> None:
    """A column that was renamed later has the new name in the current one alone."""
    table = table_of(lake, pa.table({"a": [1]}))
    snapshot = table.snapshots()[0].snapshot_id
    with table.update_schema() as update:
        update.rename_column("a", "b")

    assert check(f"{URI}@{snapshot}", A).passed
    assert check(URI, contract(b="long")).passed


def test_nested_columns_are_read_by_their_ids(lake: SqlCatalog) -> None:
    """A part that was renamed keeps its values, one that was made anew under its name has none."""
    parts = pa.struct({"x": pa.int64(), "y": pa.int64()})
    schema = {"s": parts, "l": pa.list_(pa.int64()), "m": pa.map_(pa.string(), pa.int64())}
    row = {"s": {"x": 1, "y": 2}, "l": [1, 2], "m": [("k", 1)]}
    table = table_of(lake, pa.Table.from_pylist([row], pa.schema(schema)))
    assert _rejected(URI) == {"s": {"x": 1, "y": 2}, "l": [1, 2], "m": {"k": 1}}

    with table.update_schema() as update:
        update.rename_column(("s", "x"), "old")
        update.delete_column(("s", "y"))
    with table.update_schema() as update:
        update.add_column(("s", "x"), LongType())

    assert _rejected(URI)["s"] == {"old": 1, "x": None}

    with table.update_schema() as update:
        update.delete_column(("s", "old"))
    with table.update_schema() as update:
        update.add_column(("s", "y"), LongType())

    assert _rejected(URI)["s"] == {"x": None, "y": None}


def test_a_partition_that_a_file_lacks_is_known_from_the_manifest(
    lake: SqlCatalog, tmp_path: Path
) -> None:
    """As in files that were written for Hive; other columns that a file lacks are null."""
    schema = pa.schema({"a": pa.int64(), "p": pa.string(), "z": pa.int64()})
    table = lake.create_table("sales.t", schema)
    with table.update_spec() as spec:
        spec.add_field("p", IdentityTransform(), "by_p")
    table.append(pa.table({"a": [1], "p": ["x"], "z": [0]}, schema))
    a = pa.field("a", pa.int64()).with_metadata({"PARQUET:field_id": "1"})
    commit_file(table, tmp_path / "bare.parquet", pa.table({"a": [2]}, pa.schema([a])))

    accepted = check(URI, contract(("z",), a="long", p="string", z="double")).accepted

    assert accepted is not None
    assert sorted(accepted.drop("_row").collect().rows()) == [(1, "x", 0.0), (2, "x", None)]


def _rejected(uri: str) -> dict[str, Any]:
    rejected = check(uri, contract(("n",), n="long"), Policy(extra_columns="forbid")).rejected
    assert rejected is not None
    (row,) = rejected.drop("_row", "_violations").collect().to_dicts()
    return row


def test_files_without_ids_are_read_by_the_mapping_of_names(
    lake: SqlCatalog, tmp_path: Path
) -> None:
    """As files are that were added to a table after another engine had written them."""
    table = table_of(lake, pa.table({"a": [1]}))
    pl.DataFrame({"a": [2, None]}).write_parquet(tmp_path / "added.parquet")
    table.add_files([str(tmp_path / "added.parquet")])

    assert violations_in(check(URI, A, SPLIT)) == [("null", "a", 1)]
    assert check(URI, A, SPLIT).verdict.rows == 3


# ----- what manifests prove -----


def test_statistics_of_manifests_prove_what_no_file_is_opened_for(
    lake: SqlCatalog, opened: list[Path]
) -> None:
    """Rows, absent nulls and bounds of integers are in them, and the verdict says so."""
    table = table_of(lake, pa.table({"a": [1, 2**31 - 1], "p": ["x", "y"]}))
    _append(table, pa.table({"a": [3], "p": ["z"]}))

    result = check(URI, contract(a="integer", p="string"), Policy(min_rows=3))

    assert result.passed
    assert result.verdict.evidence == {"a": "table", "p": "table"}
    assert opened == []
    assert sorted(result.model_input()["a"]) == [1, 3, 2**31 - 1]
    assert len(opened) == 2


def test_manifests_never_prove_the_absence_of_nan(lake: SqlCatalog) -> None:
    """Where NaN counts as null, the values are scanned."""
    table_of(lake, pa.table({"f": [1.0, float("nan")]}))

    result = check(URI, contract(f="double"), Policy(nan="null"))

    assert kinds(result) == ["null"]
    assert result.verdict.evidence == {"f": "scan"}


# ----- what is gone, refused or unknown -----


def test_a_file_that_is_gone_is_named(lake: SqlCatalog) -> None:
    """A snapshot outlives its files: each that is gone is told."""
    table = table_of(lake, pa.table({"a": [1]}))
    (gone,) = data_files(table)
    _append(table, pa.table({"a": [2]}))
    Path(gone.removeprefix("file://")).unlink()

    (violation,) = check(URI, A).violations

    assert violation.kind == "unreadable"
    assert [Path(name).name for name in violation.files] == [Path(gone).name]
    assert "gone" in violation.observed


def test_equality_deletes_are_refused_by_name(lake: SqlCatalog, tmp_path: Path) -> None:
    """Pyiceberg does not read them: no row is judged that they may have deleted."""
    table = table_of(lake, pa.table({"a": [1]}))
    delete_rows(table, tmp_path, {data_files(table)[0]: [0]}, "EQUALITY_DELETES")

    (violation,) = check(URI, A).violations

    assert "equality deletes" in violation.observed
    assert "rewrite_data_files" in violation.remedy


def test_a_table_without_a_snapshot_is_judged_by_its_columns(lake: SqlCatalog) -> None:
    """It has no rows yet, and its types are known."""
    lake.create_table("sales.t", schema=pa.schema({"a": pa.string()}))

    assert kinds(check(URI, A)) == ["type_mismatch"]
    assert check(URI, A).verdict.batch.uri == URI


def test_what_is_no_table_is_an_error_that_says_so(lake: SqlCatalog) -> None:
    """Catalogs, tables and snapshots that are not there, and names that cannot be."""
    table_of(lake, pa.table({"a": [1]}))
    for batch, error, words in (
        ("iceberg://nowhere/sales.t", BatchUnavailable, "PYICEBERG_CATALOG__NOWHERE__URI"),
        ("iceberg://lake/sales.none", BatchNotFound, "no table sales.none in the catalog lake"),
        (f"{URI}@5", BatchNotFound, "no snapshot 5 of sales.t"),
        ("iceberg://lake", Misuse, "CATALOG/namespace.table"),
    ):
        with pytest.raises(error, match=words):
            check(batch, A)


def test_a_password_of_the_catalog_is_never_shown(
    lake: SqlCatalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where the catalog does not answer nor in what a verdict says of the batch."""
    table_of(lake, pa.table({"a": [1]}))
    assert "lake.db" not in check(URI, A).verdict.to_json()

    address = "postgresql+psycopg://gate:hunter2-secret@127.0.0.1:1/lake"
    monkeypatch.setenv("PYICEBERG_CATALOG__LAKE__URI", address)
    with pytest.raises(BatchUnavailable) as caught:
        check(URI, A)

    assert "hunter2" not in str(caught.value)
