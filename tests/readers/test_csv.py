"""CSV batches: what a record is, what a cell is, and what becomes of bytes that are neither."""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import subprocess
import sys
from itertools import chain
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_checks import SPLIT, accepted, contract, kinds, rows_of, split, violations_in

from signature_gate import Contract, Policy, check
from signature_gate.expectations.readers import csv_reader as csv_records
from signature_gate.expectations.readers import csv_scanner
from signature_gate.expectations.readers import text_stream as csv_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.expectations.judge.result import CheckResult

AB = contract(a="long", b="string")
TEXTS = contract(a="string", b="string")


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Write bytes to a file and judge it; every row is told apart."""

    def judge(
        data: bytes, judged_by: Contract = AB, policy: Policy = SPLIT, name: str = "batch.csv"
    ) -> CheckResult:
        path = tmp_path / name
        path.write_bytes(data)
        return check(path, judged_by, policy)

    return judge


def cells(result: CheckResult) -> list[tuple[Any, ...]]:
    """List the accepted rows without their positions."""
    return [tuple(row.values())[1:] for row in accepted(result)]


# ----- cells -----


CELLS: dict[str, tuple[bytes, list[Any]]] = {
    "plain": (b"a,b\n1,x\n2,y\n", [(1, "x"), (2, "y")]),
    "quoted": (b'"a","b"\n"1","x"\n', [(1, "x")]),
    "a delimiter in quotes": (b'a,b\n1,"x,y"\n', [(1, "x,y")]),
    "doubled quotes": (b'a,b\n1,"x ""y"""\n2,""""\n', [(1, 'x "y"'), (2, '"')]),
    "a line end in quotes": (b'a,b\n1,"x\ny"\n2,"\r\n"\n', [(1, "x\ny"), (2, "\r\n")]),
    "spaces belong to the cell": (b"a,b\n1, x \n", [(1, " x ")]),
    "a carriage return in a cell": (b"a,b\n1,x\ry\n", [(1, "x\ry")]),
    "CRLF": (b"a,b\r\n1,x\r\n2,y\r\n", [(1, "x"), (2, "y")]),
    "mixed line ends": (b"a,b\r\n1,x\n2,y\r\n3,z\n", [(1, "x"), (2, "y"), (3, "z")]),
    "no line end at the end": (b"a,b\n1,x\n2,y", [(1, "x"), (2, "y")]),
    "CR at the end": (b"a,b\r\n1,x\r\n2,y\r", [(1, "x"), (2, "y")]),
    "a quote at the end": (b'a,b\n1,"x"', [(1, "x")]),
    "blank lines": (b"\n\na,b\n\n1,x\n\r\n2,y\n\n", [(1, "x"), (2, "y")]),
    "text like null": (b"a,b\n1,NULL\n2,NA\n3,nan\n", [(1, "NULL"), (2, "NA"), (3, "nan")]),
    "NUL": (b"a,b\n1,x\0y\n", [(1, "x\0y")]),
    "BOM": (b"\xef\xbb\xbfa,b\n1,x\n", [(1, "x")]),
    "BOM before quotes": (b'\xef\xbb\xbf"a","b"\r\n1,x\r\n', [(1, "x")]),
    "U+FEFF in a cell": (
        "a,b\n1,\ufeffx\n2,\ufeff\n".encode(),
        [(1, "\ufeffx"), (2, "\ufeff")],
    ),
    "beyond ASCII": ("a,b\n1,naïve €😀\n".encode(), [(1, "naïve €😀")]),
    "a quoted empty cell": (b'a,b\n1,""\n', [(1, "")]),
}


@pytest.mark.parametrize(("data", "expected"), CELLS.values(), ids=CELLS)
def test_a_cell_is_what_the_bytes_say(judge: Any, data: bytes, expected: list[Any]) -> None:
    """Cells arrive whole, whatever stands in them, and nothing is taken for null or trimmed."""
    assert cells(judge(data)) == expected


def test_a_bare_empty_cell_is_null_and_a_quoted_one_is_text(judge: Any) -> None:
    """Empty without quotes is null in every type; empty in quotes is text, and null elsewhere."""
    data = b'a,b\n1,\n2,""\n,x\n"",y\n'

    result = judge(data)
    as_value = judge(data, policy=split(csv={"quoted_empty": "value"}))

    assert rows_of(result, "null") == [2, 3, 0]
    assert cells(result) == [(2, "")]
    assert rows_of(as_value, "null") == [2, 0]
    assert rows_of(as_value, "unparseable") == [3]


def test_null_values_are_null_too(judge: Any) -> None:
    """Policy null_values adds texts that stand for null, in every column, quoted or not."""
    policy = split(null_values=["NA", "-"], nullable=["b"])

    result = judge(b'a,b\n1,NA\n2,"-"\nNA,x\n3,na\n', policy=policy)

    assert rows_of(result, "null") == [2]
    assert cells(result) == [(1, None), (2, None), (3, "na")]


@pytest.mark.parametrize(
    ("data", "dialect", "expected"),
    [
        (b"a;b\n1;x,y\n", {"delimiter": ";"}, [(1, "x,y")]),
        (b"a\tb\n1\tx\n", {"delimiter": "\t"}, [(1, "x")]),
        (b"a|b\n1|'x|y'\n", {"delimiter": "|", "quote": "'"}, [(1, "x|y")]),
        (b'a,b\n1,"x\n2,y"z\n', {"quote": ""}, [(1, '"x'), (2, 'y"z')]),
        ("a,b\n1,é\n".encode("latin-1"), {"encoding": "latin-1"}, [(1, "é")]),
        ("a,b\n1,€\n".encode("cp1252"), {"encoding": "cp1252"}, [(1, "€")]),
        ("a,b\n1,é\n".encode("utf-16"), {"encoding": "utf-16"}, [(1, "é")]),
        ("\ufeffa,b\n1,é\n".encode("utf-16-be"), {"encoding": "utf-16-be"}, [(1, "é")]),
        ("a,b\n1,é\n".encode("utf-8-sig"), {"encoding": "utf-8-sig"}, [(1, "é")]),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_the_policy_says_how_a_file_is_written(
    judge: Any, data: bytes, dialect: dict[str, str], expected: list[Any], *, zipped: bool
) -> None:
    """Delimiter, quote and encoding are the policy's; gzip is seen from the bytes."""
    stored = gzip.compress(data, mtime=0) if zipped else data
    name = "batch.csv.gz" if zipped else "batch.csv"

    assert cells(judge(stored, policy=split(csv=dialect), name=name)) == expected


def test_a_decimal_comma_is_the_policys(judge: Any) -> None:
    """Numbers with a comma for the point are read under csv.decimal, and only there."""
    data, numbers = b"a;b\n1;2,5\n", contract(a="long", b="double")

    comma = judge(data, numbers, split(csv={"delimiter": ";", "decimal": ","}))
    point = judge(data, numbers, split(csv={"delimiter": ";"}))

    assert cells(comma) == [(1, 2.5)]
    assert kinds(point) == ["unparseable"]


# ----- headers -----


def test_a_file_without_header_serves_a_contract_without_names(judge: Any) -> None:
    """Under csv.header: false the first line is a row, and columns go by position."""
    by_position = Contract.from_signature(
        {"inputs": json.dumps([{"type": "long"}, {"type": "string"}])}
    )

    result = judge(b"1,x\n2,y\n", by_position, split(csv={"header": False}))

    assert cells(result) == [(1, "x"), (2, "y")]


def test_a_header_alone_is_a_batch_of_no_rows(judge: Any) -> None:
    """Zero rows fail under min_rows 1 and are judged by their columns under 0."""
    assert violations_in(judge(b"a,b\n")) == [("row_count", None, None)]
    result = judge(b"a,b", policy=split(min_rows=0))
    assert result.passed
    assert result.model_input().shape == (0, 2)


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n\n", gzip.compress(b"", mtime=0)])
def test_a_file_without_a_line_is_unreadable(judge: Any, data: bytes) -> None:
    """Without a header there is nothing to judge, and the message asks for one."""
    result = judge(data)

    assert kinds(result) == ["unreadable"]
    assert "header" in result.violations[0].remedy


def test_columns_of_one_name_are_seen(judge: Any) -> None:
    """A repeated name that the model uses is a violation; one that it does not is left alone."""
    used = judge(b"a,b,b\n1,x,y\n")
    unused = judge(b"a,b,c,c\n1,x,y,z\n", policy=split(extra_columns="ignore"))

    assert ("duplicate_column", "b", None) in violations_in(used)
    assert cells(unused) == [(1, "x")]


def test_columns_of_an_earlier_split_are_not_columns(judge: Any) -> None:
    """Reserved columns are stripped when a quarantined file comes back."""
    result = judge(b"_row,a,b,_violations\n7,1,x,why\n")

    assert result.verdict.batch.columns == (("a", "string"), ("b", "string"))
    assert accepted(result) == [{"_row": 0, "a": 1, "b": "x"}]


def test_one_column_has_nulls_where_lines_are_blank(judge: Any) -> None:
    """In a file of one column a blank line is a null, but not above the header."""
    result = judge(b"\nb\nx\n\r\n\ny\n", contract(b="string"), split(nulls="allow"))

    assert cells(result) == [("x",), (None,), (None,), ("y",)]


# ----- malformed records -----

TOO_FEW, TOO_MANY = "1 field where the header has 2", "3 fields where the header has 2"
STRAY = "a quote inside an unquoted field"
UNDECODABLE = "bytes that are not text in the file's encoding"


BAD_RECORDS = [
    *(b"1", b"1,x,y", b'1,5" pipe', b'1,"x"y', b'1, "x"', b'"1"2,x', b"1,\xff", b'1,"\xc3"'),
    *(b'1,x"\n1,y"', b'1,"x"\ry', b'1,""x', b'1,x""', b",,"),
]


@pytest.mark.parametrize("bad", BAD_RECORDS)
@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_malformed_record_spoils_no_other(
    judge: Any, bad: bytes, position: int, end: bytes
) -> None:
    """The good records around a malformed one are accepted, under their own numbers."""
    good = [b"7,x", b'8,"y,z"']
    lines = [b"a,b", *good[:position], bad, *good[position:]]
    count = 1 + bad.count(b"\n")

    result = judge(end.join(lines) + end)

    numbers = [i for i in range(2 + count) if not position <= i < position + count]
    assert [row["_row"] for row in accepted(result)] == numbers
    assert cells(result) == [(7, "x"), (8, "y,z")]
    assert violations_in(result) == [("malformed_row", None, count)]


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        (b"1", TOO_FEW),
        (b"1,x,y", TOO_MANY),
        (b'1,5" x', STRAY),
        (b'1,"x"y', STRAY),
        (b"1,\xff", UNDECODABLE),
    ],
)
def test_a_malformed_record_is_kept_with_its_number_and_the_reason(
    judge: Any, record: bytes, reason: str
) -> None:
    """The violation and the rejected row say what is wrong, and what the record was."""
    result = judge(b"a,b\n7,x\n" + record + b"\n8,y\n")

    (violation,) = result.violations
    (rejected,) = result.rejected.collect().to_dicts()
    written = record.decode(errors="backslashreplace")
    assert (violation.kind, violation.count, violation.rows) == ("malformed_row", 1, (1,))
    assert violation.sample == (repr(f"{reason}: {written}"),)
    assert rejected["_row"] == 1
    assert rejected["_violations"] == [f"malformed_row: {reason}: {written}"]


def test_each_cell_of_a_malformed_record_is_spared(judge: Any) -> None:
    """What has no meaning as a record has no null or unparseable cells either."""
    assert violations_in(judge(b"a,b\n7,x\n1\n")) == [("malformed_row", None, 1)]


def test_a_quote_that_is_never_closed_is_one_violation_of_the_batch(judge: Any) -> None:
    """What an open quote swallows cannot be told apart, so no row is let through."""
    result = judge(b'a,b\n1,x\n2,"y\n3,z\n')

    (violation,) = result.violations
    assert (violation.kind, violation.level) == ("malformed_row", "batch")
    assert "never closed" in violation.observed
    assert result.accepted is None


@pytest.mark.parametrize("header", [b'a,b"c', b'"a"x,b', b"a,\xff", b"a,b\r1,x"])
def test_a_malformed_header_is_one_violation_of_the_batch(judge: Any, header: bytes) -> None:
    """Without its names no record means anything."""
    result = judge(header + b"\n1,x\n")

    assert [(v.kind, v.level) for v in result.violations] == [("malformed_row", "batch")]
    assert "header" in result.violations[0].observed


def test_a_file_without_line_ends_is_given_up_in_time(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds no line end for too long is no CSV, and is not read into memory whole."""
    monkeypatch.setattr(csv_records, "LONGEST_RECORD", 1 << 20)

    result = judge(b"a,b\n1," + b"x" * (2 << 20))

    assert [(v.kind, v.level) for v in result.violations] == [("malformed_row", "batch")]
    assert "no line end" in result.violations[0].observed


def test_nothing_is_scored_where_two_readers_disagree(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The records that Polars sees are counted against those that the bytes make."""
    read = pl.read_csv
    monkeypatch.setattr(pl, "read_csv", lambda *a, **kw: read(*a, **kw).head(1))

    result = judge(b"a,b\n1,x\n2,y\n")

    assert kinds(result) == ["unreadable"]
    assert "1 records where its line ends and quotes make 2" in result.violations[0].observed


def test_many_malformed_records_take_no_longer_than_good_ones(judge: Any) -> None:
    """A file in another encoding is told record by record, in one pass."""
    data = b"a,b\n" + b'1,\xe9\n2,x\n3,5" y\n' * 20_000

    result = judge(data, policy=split(on_mismatch="quarantine"))

    assert violations_in(result) == [("malformed_row", None, 40_000)]


# ----- content that breaks off -----

GZIPPED = gzip.compress(b"a,b\n" + b"1,x\n" * 50_000, mtime=0)


BROKEN = {
    "cut short": GZIPPED[:-20],
    "cut in its header": GZIPPED[:5],
    "with a wrong checksum": GZIPPED[:-8] + b"\0" * 8,
    "in name only": b"\x1f\x8b no gzip at all",
    "with something behind": GZIPPED + b"behind",
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_gzip_that_breaks_off_is_unreadable(judge: Any, data: bytes) -> None:
    """A file that does not end as it should is not scored as far as it goes."""
    result = judge(data, name="batch.csv.gz")

    assert kinds(result) == ["unreadable"]
    assert result.violations[0].remedy.endswith(".")
    assert result.accepted is None


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("zipped", [False, True])
def test_utf_16_is_recognised_by_its_mark(judge: Any, mark: str, *, zipped: bool) -> None:
    """Where the mark contradicts the policy, the message names the policy's field."""
    data = "\ufeffa,b\n1,x\n".encode(mark)

    result = judge(gzip.compress(data, mtime=0) if zipped else data)

    assert kinds(result) == ["unreadable"]
    assert "csv.encoding: utf-16" in result.violations[0].message


def test_bytes_outside_a_narrower_encoding_are_unreadable(judge: Any) -> None:
    """What the stated encoding cannot hold is not guessed at."""
    result = judge("a,b\n1,é\n".encode(), policy=split(csv={"encoding": "ascii"}))

    assert kinds(result) == ["unreadable"]
    assert "csv.encoding" in result.violations[0].remedy


# ----- pieces -----

_ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=6)
_CELL = st.one_of(
    st.sampled_from(["", " ", '"', '""', ",", "\n", "\r\n", "\r", "x", "é", "\ufeff", "1"]), _ANY
)
_DIALECT = st.fixed_dictionaries(
    {
        "delimiter": st.sampled_from([",", ";", "\t", "|"]),
        "quotechar": st.sampled_from(['"', "'"]),
        "lineterminator": st.sampled_from(["\n", "\r\n"]),
        "quoting": st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    }
)
in_pieces = settings(
    max_examples=settings.default.max_examples // 3,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@in_pieces
@given(
    rows=st.lists(st.tuples(_CELL, _CELL), min_size=1, max_size=6),
    dialect=_DIALECT,
    piece=st.integers(1, 40),
)
@example(rows=[("\ufeff", "x")], dialect={"delimiter": ",", "quotechar": '"'}, piece=1)
def test_what_python_writes_is_read_back_equal_in_pieces_of_any_size(
    judge: Any, rows: list[tuple[str, str]], dialect: dict[str, Any], piece: int
) -> None:
    """Records of any content, in any dialect, survive, wherever a piece of the file ends."""
    stream = io.StringIO()
    # Python leaves a carriage return at the end of a line without quotes: it reads as CRLF.
    returns = {"quoting": csv.QUOTE_ALL} if "\r" in "".join(map("".join, rows)) else {}
    writer = csv.writer(stream, **dialect | returns)
    writer.writerow(["a", "b"])
    writer.writerows(rows)
    policy = split(
        nulls="allow", csv={"delimiter": dialect["delimiter"], "quote": dialect["quotechar"]}
    )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "CHUNK", piece)
        result = judge(stream.getvalue().encode(), TEXTS, policy)

        assert [tuple(cell or "" for cell in row) for row in cells(result)] == rows


_SNIPPET = st.sampled_from(
    [b"1", b"x", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\xff", b"\xc3\xa9", b'"x"', b"1,y\n"]
)


@in_pieces
@given(snippets=st.lists(_SNIPPET, max_size=25), piece=st.integers(1, 12))
@example(snippets=[b'1,5" x', b"\n", b'2,"y', b'"', b"\n"], piece=1)
def test_the_verdict_does_not_depend_on_where_pieces_end(
    judge: Any, snippets: list[bytes], piece: int
) -> None:
    """Bytes of any kind, well-formed or not, get one verdict whatever the size of the pieces."""
    data = b"a,b\n" + b"".join(snippets)
    whole = judge(data, TEXTS, split(nulls="allow", sample_rows=99))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "CHUNK", piece)
        again = judge(data, TEXTS, split(nulls="allow", sample_rows=99))
        rows = accepted(again) if again.accepted is not None else None

    assert again.verdict == whole.verdict
    assert rows == (accepted(whole) if whole.accepted is not None else None)


_FIELD = st.sampled_from(
    [b"", b"1", b"x", b" 2 ", b"\r", b"\0", b"a", b"\xef\xbb\xbf", b"\xc3\xa9"]
)
_RECORD = st.lists(_FIELD, min_size=2, max_size=2).map(b",".join)
_UNUSUAL = st.sampled_from(
    [
        b"",
        b"1",
        b"1,x,y",
        b",,",
        b"a,b",
        b'"a",b',
        b'1,"x,y"',
        b'1,"x\ny"',
        b'1,5" x',
        b"1,\xff",
        b"\r",
    ]
)
_LINES = st.lists(
    st.tuples(st.one_of(_RECORD, _RECORD, _RECORD, _UNUSUAL), st.sampled_from([b"\n", b"\r\n"])),
    max_size=8,
).map(lambda lines: b"".join(chain.from_iterable(lines)))


@in_pieces
@given(
    lines=_LINES,
    header=st.sampled_from([b"a,b\n", b"\xef\xbb\xbfa,b\r\n", b"\na,b\n", b"b,a,c\n", b"b\n"]),
    end=st.sampled_from([b"", b"1,x", b"1", b"1,x,y", b"1,x\r"]),
    piece=st.integers(1, 40),
    columns=st.sampled_from(["ab", "a", "b"]),
)
@example(lines=b"1,x,y\n1\n", header=b"a,b\n", end=b"", piece=4, columns="a")
@example(lines=b"1\n1,x,y\n", header=b"a,b\n", end=b"", piece=4, columns="ab")
def test_pieces_without_a_malformed_record_are_read_as_if_each_record_was_found(
    judge: Any, lines: bytes, header: bytes, end: bytes, piece: int, columns: str
) -> None:
    """Where no record is looked at, verdict, samples and rows are those of a look at each."""
    types = {"a": "long", "b": "string"}
    judged_by = contract(**{name: types[name] for name in columns})
    policy = split(nulls="allow", sample_rows=99, max_rejected=1, extra_columns="ignore")

    def outcome() -> list[Any]:
        result = judge(header + lines + end, judged_by, policy)
        frames = (result.accepted, result.rejected)
        return [result.verdict, *(f if f is None else f.collect().rows() for f in frames)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "CHUNK", piece)
        fast = outcome()
        patch.setattr(csv_scanner.Layout, "is_regular", lambda *_: False)
        slow = outcome()

    assert fast == slow


@pytest.mark.parametrize("line", [b"1,x\n", b" 2 ,\xc3\xa9\r\n"])
def test_records_are_found_only_in_pieces_that_may_have_a_malformed_one(
    judge: Any, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """Without quotes these are the header, looked at twice, and a piece with a fault, each time."""
    monkeypatch.setattr(csv_bytes, "CHUNK", 1_000)
    found, look = list[int](), csv_records.malformed
    monkeypatch.setattr(csv_records, "malformed", lambda *args: (found.append(1), look(*args))[1])

    judge(b"a,b\n" + line * 2_000)
    good = len(found)
    judge(b"a,b\n" + line * 1_000 + b"1,x,y\n" + line * 1_000)

    # Its samples are read once more, from its piece on.
    assert (good, len(found) - good) == (2, 4)


@pytest.mark.parametrize("line", [b"1,x\n", b'1,"x"\n\n', b"1,x\r\n"])
def test_samples_are_read_from_the_first_failing_row_on(
    judge: Any, monkeypatch: pytest.MonkeyPatch, line: bytes
) -> None:
    """Cells before it are not read again, and positions stay right."""
    monkeypatch.setattr(csv_bytes, "CHUNK", 1_000)
    read, look = list[int](), pl.read_csv
    monkeypatch.setattr(pl, "read_csv", lambda *a, **kw: (read.append(1), look(*a, **kw))[1])
    data = b"a,b\n" + line * 2_000 + b"y,x\n" + line

    result = judge(data)

    assert rows_of(result, "unparseable") == [2_000]
    # The header, each piece, what is left at the end; and from the failing row on once more.
    assert len(read) <= 1 + -(-len(data) // 1_000) + 1 + 2


@pytest.mark.parametrize("piece", [1, 1_000])
@pytest.mark.parametrize("rows", [0, 1, 3, 4, 9])
def test_the_first_rows_are_as_many_as_asked_for(
    judge: Any, monkeypatch: pytest.MonkeyPatch, rows: int, piece: int
) -> None:
    """A caller's limit on the accepted or rejected rows is kept, within a piece or over many."""
    monkeypatch.setattr(csv_bytes, "CHUNK", piece)
    good = judge(b"b\nx\ny\nz\nx\n", contract(b="string"), split(nulls="allow"))
    bad = judge(b"b\nx\ny\nz\nx\n", contract(c="string"))

    assert good.accepted is not None
    assert bad.rejected is not None
    for frame in (good.accepted, bad.rejected):
        assert frame.head(rows).collect()["_row"].to_list() == list(range(min(rows, 4)))
        assert frame.head(rows).collect(engine="streaming").height == min(rows, 4)


MEASURE = """
import resource, sys
from signature_gate import Contract, check
from signature_gate.expectations.readers import text_stream as csv_bytes
csv_bytes.CHUNK = 1 << 20
contract = Contract.from_signature({"inputs": sys.argv[1]})
for path in sys.argv[2:]:
    assert check(path, contract).passed
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


def test_a_large_file_is_judged_in_bounded_memory(tmp_path: Path) -> None:
    """What a file costs in memory is a matter of its pieces, not of its size."""
    line = b'%d,"some text, quoted, and long enough that many megabytes are soon full"\n'
    block = b"".join(line % i for i in range(10_000))
    paths = [tmp_path / "small.csv", tmp_path / "large.csv"]
    for path, megabytes in zip(paths, (10, 80), strict=True):
        with path.open("wb") as file:
            file.write(b"a,b\n")
            file.writelines(block for _ in range(megabytes * 1_000_000 // len(block)))
    command = [sys.executable, "-c", MEASURE, str(AB.signature["inputs"]), *map(str, paths)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)

    small, large = map(int, done.stdout.split())
    assert large < small + 60


@pytest.mark.parametrize("name", ["_fault", "fault", "_rowless"])
def test_a_column_of_any_name_is_a_column(name: str, tmp_path: Path) -> None:
    """No name that a producer may choose is taken for the reader's own marks."""
    (tmp_path / "named.csv").write_text(f"{name},a\n1,2\n", "utf-8")
    inputs = json.dumps([{"type": "long", "name": name}, {"type": "long", "name": "a"}])

    assert check(tmp_path / "named.csv", Contract.from_signature({"inputs": inputs})).passed
