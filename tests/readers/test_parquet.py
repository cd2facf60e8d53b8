"""Parquet batches: what the footer proves, what it may lie about, and what cannot be read."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_checks import (
    SPLIT,
    accepted,
    contract,
    kinds,
    mlflow_accepts,
    rows_of,
    split,
    violations_in,
)

from signature_gate import Policy, check
from signature_gate.expectations.errors import (
    BatchChanged,
    BatchNotFound,
    BatchUnavailable,
    UnsupportedBatch,
)
from signature_gate.expectations.readers import parquet_footer

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.expectations.judge.result import CheckResult

D = Decimal
ROWS = 3_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Name a Parquet file that is still to be written."""
    return tmp_path / "batch.parquet"


def write(path: Path, table: dict[str, Any] | pa.Table, **how: Any) -> Path:
    """Write a table, in several row groups unless told otherwise."""
    pq.write_table(
        table if isinstance(table, pa.Table) else pa.table(table),
        path,
        **{"row_group_size": 1_000} | how,
    )
    return path


def evidence(result: CheckResult) -> dict[str, str]:
    """Name the stage that decided each column."""
    return dict(result.verdict.evidence)


# ----- evidence -----


@pytest.mark.parametrize(
    ("target", "column", "stage"),
    [
        ("long", pa.array(range(ROWS)), "footer"),
        ("long", pa.array(range(ROWS), pa.int32()), "footer"),
        ("integer", pa.array(range(ROWS)), "footer"),
        ("integer", pa.array([2**31 - 1] * ROWS), "footer"),
        ("double", pa.array(range(ROWS)), "footer"),
        ("double", pa.array([2**53] * ROWS), "footer"),
        ("double", pa.array([2**53 + 2] * ROWS), "scan"),
        ("float", pa.array([2**24] * ROWS), "footer"),
        ("float", pa.array([2**30] * ROWS), "scan"),
        ("long", pa.array([2**63 - 1] * ROWS, pa.uint64()), "footer"),
        ("string", pa.array(["x"] * ROWS), "footer"),
        ("boolean", pa.array([True] * ROWS), "footer"),
        ("binary", pa.array([b"x"] * ROWS), "footer"),
        ("datetime", pa.array([dt.datetime(2013, 7, 1)] * ROWS), "footer"),
        ("datetime", pa.array([dt.date(2013, 7, 1)] * ROWS), "footer"),
        ("datetime", pa.array([dt.datetime(2262, 1, 1)] * ROWS), "scan"),
        ("double", pa.array([1.5] * ROWS), "scan"),
        ("double", pa.array([D(1)] * ROWS, pa.decimal128(9, 2)), "footer"),
        ("long", pa.array([D(1)] * ROWS, pa.decimal128(9, 2)), "scan"),
        ("long", pa.array([1.0] * ROWS), "scan"),
    ],
)
@pytest.mark.parametrize("how", ["as asked", "statistics not trusted", "without statistics"])
def test_what_the_statistics_prove_is_not_read(
    path: Path, target: str, column: pa.Array[Any], stage: str, how: str
) -> None:
    """Null counts and bounds decide a column unseen; without them, or distrusted, it is read."""
    write(path, {"a": column}, write_statistics=how != "without statistics")
    policy = Policy(trust_statistics=how != "statistics not trusted")

    result = check(path, contract(a=target), policy)

    assert result.passed
    assert evidence(result) == {"a": stage if how == "as asked" else "scan"}
    mlflow_accepts(result.model_input(), contract(a=target))


def test_a_type_alone_can_be_proof(path: Path) -> None:
    """An optional column whose type conforms needs neither statistics nor a scan."""
    write(path, {"a": pa.array([1.5, None])}, write_statistics=False)

    result = check(path, contract(("a",), a="double"), Policy(nan="value"))

    assert evidence(result) == {"a": "schema"}
    assert result.verdict.rows == 2


def test_a_column_of_nothing_but_null_has_no_bounds(path: Path) -> None:
    """Null counts alone decide where nothing has a value, in some row groups or in all."""
    empty = pa.nulls(ROWS, pa.int64())
    gone = pa.array([*range(1_000), *[None] * (ROWS - 1_000)], pa.int64())
    write(path, {"a": empty, "b": gone})

    result = check(path, contract(("a", "b"), a="double", b="double"), Policy(nan="value"))

    assert result.passed
    assert evidence(result) == {"a": "scan", "b": "footer"}


@pytest.mark.parametrize(("nan", "stage"), [("value", "footer"), ("null", "scan")])
def test_nan_is_not_in_the_statistics(path: Path, nan: Any, stage: str) -> None:
    """Where NaN counts as null, a required float column is always read."""
    write(path, {"a": pa.array([1.5] * ROWS)})

    assert evidence(check(path, contract(a="double"), Policy(nan=nan))) == {"a": stage}


def test_null_values_are_not_in_the_statistics(path: Path) -> None:
    """Where texts stand for null, a required text column is read."""
    write(path, {"a": ["x", "NA"]})

    result = check(path, contract(a="string"), split(null_values=["NA"]))

    assert evidence(result) == {"a": "scan"}
    assert rows_of(result, "null") == [1]


def test_only_the_columns_in_doubt_are_read(path: Path) -> None:
    """The row groups of a column that the footer decides may be rubbish: nobody looks."""
    write(path, {"a": list(range(ROWS)), "b": [1.5] * ROWS}, compression="none")
    _overwrite_pages(path, "a")

    result = check(path, contract(a="long", b="double"))

    assert result.passed
    assert evidence(result) == {"a": "footer", "b": "scan"}


def test_one_row_group_in_doubt_has_the_column_read(path: Path) -> None:
    """Statistics must cover every row group; one group's violation is found among many."""
    values: list[int | None] = [*range(ROWS)]
    values[2_500] = None
    write(path, {"a": pa.array(values, pa.int64())})

    result = check(path, contract(a="long"), SPLIT)

    assert (violations_in(result), rows_of(result, "null")) == ([("null", "a", 1)], [2_500])
    assert evidence(result) == {"a": "scan"}


@pytest.mark.parametrize("rows", [0, 1])
def test_a_file_of_no_rows_is_judged_by_its_schema(path: Path, rows: int) -> None:
    """Without rows there is nothing to prove; min_rows decides."""
    write(path, pa.table({"a": pa.array([1] * rows, pa.int64())}))

    result = check(path, contract(a="integer"), Policy(min_rows=0))

    assert result.passed
    assert str(result.model_input().dtypes["a"]) == "int32"
    assert len(result.model_input()) == rows


# ----- lies -----


def _footer(data: bytes) -> slice:
    return slice(len(data) - 8 - int.from_bytes(data[-8:-4], "little"), len(data) - 8)


def _say_nothing_is_null(path: Path) -> None:
    """Make the footer lie: a null count of 7 becomes one of 0."""
    data = bytearray(path.read_bytes())
    footer = bytes(data[_footer(data)])
    # Thrift's compact protocol: field 3 of Statistics is an i64, and zigzag writes 7 as 14.
    lie, lies = re.subn(b"([\x16\x36])\x0e", b"\\1\x00", footer)
    assert lies == 1
    data[_footer(data)] = lie
    path.write_bytes(data)


def test_a_footer_is_looked_through_once_however_often_it_is_judged(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same bytes say the same; others under the same name are looked through anew."""
    examine, looks = parquet_footer._examine, list[int]()  # noqa: SLF001
    monkeypatch.setattr(parquet_footer, "_looked_at", {})
    monkeypatch.setattr(parquet_footer, "_examine", lambda *a: (looks.append(1), examine(*a))[1])

    for value in (1, 1, None):
        write(path, {"a": pa.array([value] * ROWS, pa.int64())})
        for _ in range(3):
            assert check(path, contract(a="long")).passed is (value is not None)

    assert len(looks) == 2


def test_a_known_footer_behind_other_pages_is_looked_through_anew(path: Path) -> None:
    """A footer fits the file that it was written for, and not a shorter one or two in one."""
    whole = write(path, {"a": range(ROWS)}).read_bytes()
    assert check(path, contract(a="long")).passed

    for damaged, why in ((whole[:4] + whole[600:], "beyond the end"), (whole * 2, "several")):
        path.write_bytes(damaged)
        (violation,) = check(path, contract(a="long")).verdict.violations
        assert why in violation.observed


def test_footers_are_known_up_to_a_number(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that lives for years keeps no more of them than that."""
    monkeypatch.setattr(parquet_footer, "_MOST_KNOWN", 3)
    monkeypatch.setattr(parquet_footer, "_looked_at", known := dict[bytes, Any]())

    for number in range(5):
        check(write(path, {f"a{number}": range(ROWS)}), contract(a="long"))
        assert 1 <= len(known) <= 3


@pytest.mark.parametrize("target", ["long", "string"])
@pytest.mark.parametrize("call", ["model_input", "chunks"])
def test_a_lying_footer_is_caught_before_the_model_sees_a_row(
    path: Path, target: str, call: str
) -> None:
    """The verdict trusts the footer; handing over verifies every value again."""
    value = 1 if target == "long" else "x"
    cells = pa.array([None] * 7 + [value] * 5)
    write(path, {"a": cells}, use_dictionary=False)
    _say_nothing_is_null(path)

    trusting = check(path, contract(a=target))
    careful = check(path, contract(a=target), Policy(trust_statistics=False))

    assert trusting.passed
    assert violations_in(careful) == [("null", "a", 7)]
    with pytest.raises(BatchChanged, match="trust_statistics: false"):
        trusting.model_input() if call == "model_input" else list(trusting.chunks(1))


@pytest.mark.parametrize(
    "cells",
    [[1, 2], [1, 2, 3, 4], [1, None, 3], [1.5, 2.0, 3.0], ["x", "y", "z"]],
    ids=["shorter", "longer", "bad", "other numbers", "text"],
)
def test_a_file_altered_after_it_was_judged_is_not_scored(path: Path, cells: list[Any]) -> None:
    """Rows that came, went or went bad, or are of another type, raise; nothing is truncated."""
    result = check(write(path, {"a": [1, 2, 3]}), contract(a="long"))
    assert result.passed
    write(path, {"a": cells})

    with pytest.raises(BatchChanged):
        result.model_input()


def test_a_file_gone_after_it_was_judged_is_not_scored(path: Path) -> None:
    """A batch that vanished between judging and scoring raises."""
    result = check(write(path, {"a": [1, 2, 3]}), contract(a="long"))
    path.unlink()

    with pytest.raises(BatchChanged):
        result.model_input()


# ----- content that is not what it promises -----


def _overwrite_pages(path: Path, name: str) -> None:
    metadata = pq.ParquetFile(path).metadata
    data = bytearray(path.read_bytes())
    for group in range(metadata.num_row_groups):
        for i in range(metadata.num_columns):
            chunk = metadata.row_group(group).column(i)
            if chunk.path_in_schema == name:
                start = chunk.dictionary_page_offset or chunk.data_page_offset
                data[start : start + chunk.total_compressed_size] = (
                    b"\xff" * chunk.total_compressed_size
                )
    path.write_bytes(bytes(data))


def _with_empty_footer(data: bytes) -> bytes:
    length = _footer(data).stop - _footer(data).start
    return data[: -8 - length] + b"\0" * length + data[-8:]


SPOILT: dict[str, tuple[Any, str]] = {
    "empty": (lambda _: b"", "zero bytes"),
    "half": (lambda data: data[: len(data) // 2], "no whole Parquet file"),
    "one byte short": (lambda data: data[:-1], "no whole Parquet file"),
    "tiny": (lambda data: data[:3], "no whole Parquet file"),
    "csv": (lambda _: b"a,b\n1,2\n" * 9, "no whole Parquet file"),
    "magic": (lambda data: data[:-4] + b"PARX", "no whole Parquet file"),
    "length": (lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1", "no whole Parquet file"),
    "footer": (_with_empty_footer, "no whole Parquet file"),
}


@pytest.mark.parametrize(("spoil", "observed"), SPOILT.values(), ids=SPOILT)
def test_a_file_that_is_no_parquet_is_unreadable(path: Path, spoil: Any, observed: str) -> None:
    """Whatever was cut off or overwritten, the verdict says so and names the remedy."""
    write(path, {"a": [1, 2, 3]})
    path.write_bytes(spoil(path.read_bytes()))

    result = check(path, contract(a="long"))

    (violation,) = result.violations
    assert (violation.kind, violation.level) == ("unreadable", "batch")
    assert observed in violation.observed
    assert "write the file again" in violation.remedy
    assert (result.accepted, result.rejected, result.verdict.rows) == (None, None, None)
    assert result.verdict.batch.bytes == path.stat().st_size


@pytest.mark.parametrize("compression", ["none", "snappy", "zstd"])
@pytest.mark.parametrize("cells", [[1.5] * ROWS, [f"text {i}" for i in range(ROWS)]])
def test_a_corrupt_page_is_unreadable(path: Path, compression: str, cells: list[Any]) -> None:
    """Bytes that no page can be made of stop the judgement, not the program."""
    target = "double" if isinstance(cells[0], float) else "string"
    write(path, {"a": cells}, compression=compression)
    _overwrite_pages(path, "a")

    result = check(path, contract(a=target), Policy(trust_statistics=False))

    assert kinds(result) == ["unreadable"]
    assert "cannot be read to its end" in result.violations[0].observed


def test_a_corrupt_page_behind_the_footer_is_caught_before_the_model_sees_a_row(
    path: Path,
) -> None:
    """What the footer decided without reading is read to score, and then it shows."""
    write(path, {"a": list(range(ROWS))})
    _overwrite_pages(path, "a")
    result = check(path, contract(a="long"))

    assert result.passed
    with pytest.raises(BatchChanged):
        result.model_input()


def test_no_such_file_and_no_such_format_are_misuse(tmp_path: Path) -> None:
    """What is asked for wrongly raises, and the message says what was looked for."""
    with pytest.raises(BatchNotFound, match=r"no such batch: .*nowhere\.parquet"):
        check(tmp_path / "nowhere.parquet", contract(a="long"))
    (tmp_path / "batch.xlsx").touch()
    with pytest.raises(UnsupportedBatch, match=r"\.parquet"):
        check(tmp_path / "batch.xlsx", contract(a="long"))
    with pytest.raises(UnsupportedBatch, match="https://"):
        check("https://host/batch.parquet", contract(a="long"))


def test_a_file_that_may_not_be_read_is_unavailable(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing rights are no corrupt content: the error says what is missing."""
    write(path, {"a": [1]})

    def refuse(*_: Any, **__: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(pq, "ParquetFile", refuse)
    with pytest.raises(BatchUnavailable, match="Permission denied"):
        check(path, contract(a="long"))


def test_a_file_url_names_a_file(path: Path) -> None:
    """file:// URLs are read, escaped characters included."""
    spaced = path.with_name("my batch.pq")
    write(spaced, {"a": [1]})

    assert check(spaced.as_uri(), contract(a="long")).passed


# ----- names and types that Polars refuses -----


def test_repeated_names_are_told_apart(path: Path) -> None:
    """Parquet may repeat a name: used, it is a violation; unused, it is in nobody's way."""
    table = pa.Table.from_arrays(
        [pa.array(range(ROWS)), pa.array(["x"] * ROWS), pa.array([1.5] * ROWS)], ["a", "b", "b"]
    )
    write(path, table)

    unused = check(path, contract(a="long"), split(extra_columns="ignore"))
    used = check(path, contract(a="long", b="string"))

    assert unused.passed
    assert unused.model_input()["a"].tolist() == list(range(ROWS))
    assert ("duplicate_column", "b", None) in violations_in(used)
    assert used.rejected is not None
    rejected = used.rejected.head(2).collect()
    assert rejected.select("a", "b", "b#2").rows() == [(0, "x", 1.5), (1, "x", 1.5)]


FOREIGN = {
    "wide decimals": pa.array([D(1), D(2)], pa.decimal256(60, 2)),
    "narrow decimals": pa.array([D(1), D(2)], pa.decimal256(9, 2)),
    "list views": pa.array([[1], [2]], pa.list_view(pa.int64())),
    "an unknown zone": pa.array([1, 2], pa.timestamp("us", "Mars/Base")),
    "half an hour's offset": pa.array([1, 2], pa.timestamp("us", "+05:30")),
    "such in a struct": pa.array([{"x": D(1)}, {"x": D(2)}], pa.struct([("x", pa.decimal256(9))])),
    "json": pa.array(["1", "2"], pa.json_()),
}


@pytest.mark.parametrize("column", FOREIGN.values(), ids=FOREIGN)
def test_a_column_that_polars_refuses_is_in_nobodys_way(path: Path, column: pa.Array[Any]) -> None:
    """A type that the gate's engine does not know spoils neither judging nor quarantine."""
    write(path, {"a": [1, 2], "b": column})

    beside = check(path, contract(a="long"), split(extra_columns="ignore"))
    asked = check(path, contract(a="long", b="boolean"))

    assert beside.model_input()["a"].tolist() == [1, 2]
    assert violations_in(asked) == [("type_mismatch", "b", None)]
    assert asked.rejected is not None
    assert asked.rejected.collect()["b"].null_count() == 0


def test_narrow_decimals_of_256_bits_conform_like_others(path: Path) -> None:
    """What fits in 128 bits is a decimal like any other."""
    write(path, {"a": pa.array([D("1.50"), D(2)], pa.decimal256(9, 2))})

    assert [row["a"] for row in accepted(check(path, contract(a="double")))] == [1.5, 2.0]


# ----- timestamps of 96 bits -----


@pytest.mark.parametrize("schema", [True, False])
def test_96_bit_timestamps_are_exact_or_out_of_range(path: Path, *, schema: bool) -> None:
    """Spark's timestamps reach further than nanoseconds: none may come back as another one."""
    instants = [
        dt.datetime(2020, 1, 1, 12, 0, 0, 1),
        dt.datetime(9999, 12, 31),
        dt.datetime(1, 1, 1),
        dt.datetime(1700, 1, 1),
        dt.datetime(2262, 4, 11, 23, 47, 16, 854775),
    ]
    table = pa.table({"a": pa.array(instants, pa.timestamp("us"))})
    write(path, table, use_deprecated_int96_timestamps=True, store_schema=schema)

    result = check(path, contract(a="datetime"), SPLIT)

    assert rows_of(result, "out_of_range") == [1, 2]
    assert [row["a"] for row in accepted(result)] == [instants[i] for i in (0, 3, 4)]


def test_96_bit_timestamps_keep_their_nanoseconds(path: Path) -> None:
    """The ninth digit survives."""
    table = pa.table({"a": pa.array([1_577_836_800_000_000_001], pa.timestamp("ns"))})
    write(path, table, use_deprecated_int96_timestamps=True)

    (stamp,) = check(path, contract(a="datetime")).model_input()["a"]

    assert stamp.value == 1_577_836_800_000_000_001


@pytest.mark.parametrize("kind", [pa.timestamp("ms"), pa.timestamp("us"), pa.date32()])
def test_statistics_beyond_any_calendar_prove_nothing(path: Path, kind: pa.DataType) -> None:
    """Bounds for which Python has no date leave the column to the scan."""
    stored = pa.int32() if kind == pa.date32() else pa.int64()
    far = 2**30 if kind == pa.date32() else 2**62
    write(path, {"a": pa.array([5, far], stored).view(kind)})

    result = check(path, contract(a="datetime"), SPLIT)

    assert evidence(result) == {"a": "scan"}
    assert rows_of(result, "out_of_range") == [1]


def test_a_nested_field_of_the_same_path_is_no_column(path: Path) -> None:
    """Statistics of the field x.y within a struct say nothing of a column named "x.y"."""
    write(path, {"x": pa.array([{"y": 1}]), "x.y": pa.array([None], pa.int64())})

    result = check(path, contract(("x.y",), **{"x.y": "long"}), split(extra_columns="ignore"))

    assert violations_in(result) == [("null", "x.y", 1)]


@pytest.mark.parametrize("name", ["a b", "naïve", "select *", "[x]", "a\nb", "*", "^o.*$", "a.b"])
def test_names_of_any_kind_are_names(path: Path, name: str) -> None:
    """No name of a column is taken for a pattern, a path or a query."""
    write(path, {name: [1, 2], "other": [3, 4]})

    result = check(path, contract(**{name: "long"}), split(extra_columns="ignore"))

    assert result.model_input()[name].tolist() == [1, 2]


@pytest.mark.parametrize("name", ["[1].parquet", "*.parquet", "a=1.parquet", "what?.parquet"])
def test_names_of_files_are_no_patterns(tmp_path: Path, name: str) -> None:
    """A file is read under its own name, whatever a shell or a partition would make of it."""
    write(tmp_path / name, {"a": [1]})
    write(tmp_path / "1.parquet", {"a": [2]})

    assert [row["a"] for row in accepted(check(tmp_path / name, contract(a="long")))] == [1]


def test_rows_of_a_split_are_those_of_the_file(path: Path) -> None:
    """Filters do not follow lying statistics: each row is on one side of a split."""
    cells: list[int | None] = [None if i % 3 == 0 else i for i in range(ROWS)]
    write(path, {"a": pa.array(cells, pa.int64())}, use_dictionary=False)

    result = check(path, contract(a="long"), SPLIT)

    assert result.accepted is not None
    assert result.rejected is not None
    both = pl.concat([f.collect()["_row"] for f in (result.accepted, result.rejected)]).sort()
    assert both.to_list() == list(range(ROWS))
