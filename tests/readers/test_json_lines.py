"""JSON lines: what a record is, what its values become, and what of a file is no record."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from equivalent_batches import assert_same_verdict, python_cells
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
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
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.contract.types import Scalar
from signature_gate.expectations.readers import text_stream as csv_bytes

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.expectations.judge.result import CheckResult

NO_EXTRAS = split(extra_columns="ignore")
AB = contract(a="long", b="string")


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Write bytes to a file and judge it; every row is told apart."""

    def judge(
        data: bytes | str,
        judged_by: Contract = AB,
        policy: Policy = NO_EXTRAS,
        name: str = "b.jsonl",
    ) -> CheckResult:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return check(path, judged_by, policy)

    return judge


def fate(judge: Any, cell: str, target: Any, **fields: Any) -> str:
    """Judge one value, as JSON has it, among one that conforms to nothing: what becomes of it."""
    judged_by = contract(a=target)
    result = judge(f'{{"a": {cell}}}\n{{"a": {{"?": [[{{}}]]}}}}\n', judged_by, split(**fields))
    if result.disposition == "split":
        mlflow_accepts(result.model_input(), judged_by)
    return next((v.kind for v in result.violations if not v.rows or 0 in v.rows), "ok")


# ----- values -----


VALUES: list[tuple[str, str, str]] = [
    ("1", "long", "ok"),
    ("1.0", "long", "ok"),
    ("1e3", "long", "ok"),
    ("1.5", "long", "not_representable"),
    ("9223372036854775808", "long", "out_of_range"),
    ("1e400", "long", "out_of_range"),
    ("2147483648", "integer", "out_of_range"),
    ("true", "long", "type_mismatch"),
    ('"1"', "long", "type_mismatch"),
    ("9007199254740992", "double", "ok"),
    ("9007199254740993", "double", "not_representable"),
    ("0.1", "double", "ok"),
    ("1e400", "double", "out_of_range"),
    ("-1E+400", "double", "out_of_range"),
    ("1" * 400 + ".5", "double", "out_of_range"),
    ("Infinity", "double", "ok"),
    ("0.1", "float", "ok"),
    ("1e300", "float", "out_of_range"),
    ("16777217", "float", "not_representable"),
    ("true", "boolean", "ok"),
    ("1", "boolean", "type_mismatch"),
    ('"x"', "string", "ok"),
    ('"\\ud83d\\ude00"', "string", "ok"),
    ("1", "string", "type_mismatch"),
    ('"eA=="', "binary", "ok"),
    ('"e=x"', "binary", "unparseable"),
    ('"2020-01-01T05:00:00.000000001"', "datetime", "ok"),
    ('"2020-01-01"', "datetime", "ok"),
    ('"2020-01-01T05:00:00Z"', "datetime", "unparseable"),
    ('"July"', "datetime", "unparseable"),
    ('"9999-01-01"', "datetime", "out_of_range"),
    ("1577836800", "datetime", "type_mismatch"),
]


@pytest.mark.parametrize(
    ("cell", "target", "expected"), VALUES, ids=[f"{c[:25]}-{t}" for c, t, _ in VALUES]
)
def test_a_value_is_judged_by_what_json_says(
    judge: Any, cell: str, target: str, expected: str
) -> None:
    """Numbers are decimal text, datetimes are text, nothing else is anything but itself."""
    assert fate(judge, cell, target) == expected


@pytest.mark.parametrize("cell", ["null", "NaN"])
@pytest.mark.parametrize("target", ["long", "double"])
def test_null_and_nan_are_null(judge: Any, cell: str, target: str) -> None:
    """NaN, which Python and others write, is what the policy says of NaN."""
    assert violations_in(judge(f'{{"a": 1}}\n{{"a": {cell}}}\n', contract(a=target))) == [
        ("null", "a", 1)
    ]


@pytest.mark.parametrize(
    ("cell", "target", "fields"),
    [
        ('"1"', "long", {"parse_text": "allow"}),
        ('"2020-01-01T05:00:00Z"', "datetime", {"timezone": "utc"}),
        ("9007199254740993", "double", {"lossy_floats": "allow"}),
    ],
)
def test_the_policy_decides_where_the_format_leaves_a_choice(
    judge: Any, cell: str, target: str, fields: Any
) -> None:
    """Text, zones and rounding are what the policy says, as everywhere."""
    assert fate(judge, cell, target) != "ok"
    assert fate(judge, cell, target, **fields) == "ok"


ARRAY = {"type": "array", "items": {"type": "double"}}
POINT = {
    "type": "object",
    "properties": {
        "x": {"type": "long"},
        "t": {"type": "datetime", "required": False},
    },
}


@pytest.mark.parametrize(
    ("cell", "target", "expected"),
    [
        ("[1, 2.5]", ARRAY, "ok"),
        ("[]", ARRAY, "ok"),
        ('["x"]', ARRAY, "nested_mismatch"),
        ("[9007199254740993]", ARRAY, "not_representable"),
        ('{"x": 1}', POINT, "ok"),
        ('{"x": 1, "t": "2020-01-01"}', POINT, "ok"),
        ('{"x": 1, "t": "July"}', POINT, "unparseable"),
        ('{"t": null}', POINT, "nested_mismatch"),
        ('{"x": 1, "z": 1}', POINT, "nested_mismatch"),
        ('{"k": [1]}', {"type": "map", "values": ARRAY}, "ok"),
        ('{"k": null}', {"type": "map", "values": ARRAY}, "nested_mismatch"),
    ],
)
def test_arrays_and_objects_are_judged_through_all_their_levels(
    judge: Any, cell: str, target: Any, expected: str
) -> None:
    """What is wrong somewhere within a value is a violation of its line."""
    assert fate(judge, cell, target) == expected


def test_absent_keys_and_open_types_reach_the_model_as_they_are(judge: Any) -> None:
    """An absent property stays absent, and ``any`` is what the line says."""
    lines = '{"a": {"x": 1}, "b": {"k": [1, null]}}\n{"a": {"x": 2, "t": null}, "b": "x"}\n'

    made = judge(lines, contract(a=POINT, b="any")).model_input()

    assert made["a"].tolist() == [{"x": 1}, {"x": 2, "t": None}]
    assert made["b"].tolist() == [{"k": [1, None]}, "x"]


def test_nanoseconds_are_kept(judge: Any) -> None:
    """Text for datetimes is exact to the nanosecond."""
    made = judge('{"a": "2020-01-01T00:00:00.123456789"}', contract(a="datetime")).model_input()

    assert made["a"].tolist() == [pd.Timestamp("2020-01-01T00:00:00.123456789")]


# ----- columns -----


def test_a_key_that_a_line_lacks_is_null(judge: Any) -> None:
    """Keys may differ from line to line, in order too."""
    result = judge('{"a": 1, "b": "x"}\n{"b": "y"}\n{"b": "z", "a": 3}\n')

    assert violations_in(result) == [("null", "a", 1)]
    assert [row["a"] for row in accepted(result)] == [1, 3]


def test_a_key_that_no_line_has_is_a_missing_column(judge: Any) -> None:
    """The whole file is looked through before a column counts as missing."""
    assert violations_in(judge('{"a": 1}\n{"a": 2}\n')) == [("missing_column", "b", None)]
    assert violations_in(judge('{"a": 1}\n{"a": 2, "b": "x"}\n')) == [("null", "b", 1)]


def test_keys_beyond_the_contract_are_extra_columns(judge: Any) -> None:
    """They are named in the order in which the lines first have them."""
    lines = '{"a": 1, "b": "x", "z": 1}\n{"a": 1, "b": "x", "y": {"k": 1}}\n'

    result = judge(lines, policy=split(extra_columns="warn"))

    (violation,) = result.violations
    assert violation.kind == "extra_column"
    assert violation.observed == "2 more: 'z', 'y'"


def test_extra_keys_of_any_content_are_kept(judge: Any) -> None:
    """What is kept keeps its type where it has one, and is JSON where it has none."""
    lines = '{"a": 1, "b": "x", "n": 1, "m": 1}\n{"a": 2, "b": "y", "n": 2, "m": {"k": [true]}}\n'

    rows = accepted(judge(lines, policy=split(keep=["n", "m"], extra_columns="ignore")))

    assert [row["n"] for row in rows] == [1, 2]
    assert [row["m"] for row in rows] == ["1", '{"k": [true]}']


def test_columns_of_one_kind_are_typed(judge: Any) -> None:
    """The verdict names their types; mixed ones are named in the words of JSON."""
    result = judge(
        '{"a": 1, "b": "x", "c": 1.5, "d": true, "e": 1}\n'
        '{"a": 2, "b": null, "c": 2, "d": null, "e": "x", "f": {}}\n'
    )

    assert dict(result.verdict.batch.columns) == {
        "a": "int64",
        "b": "string",
        "c": "double",
        "d": "bool",
        "e": "JSON: number, text",
        "f": "JSON: object",
    }


def test_a_column_of_which_no_value_conforms_is_refused_as_a_whole(judge: Any) -> None:
    """As for a typed column of a type that never conforms."""
    assert violations_in(judge('{"a": "x", "b": "x"}\n{"a": "y", "b": "y"}\n')) == [
        ("type_mismatch", "a", None)
    ]
    assert violations_in(judge('{"a": [1], "b": "x"}\n{"a": {}, "b": "y"}\n')) == [
        ("type_mismatch", "a", None)
    ]


def test_columns_of_an_earlier_split_are_not_columns(judge: Any) -> None:
    """Rejected rows that come back carry them."""
    result = judge('{"_row": 7, "a": 1, "b": "x", "_violations": ["null"]}\n')

    assert [name for name, _ in result.verdict.batch.columns] == ["a", "b"]
    assert accepted(result) == [{"_row": 0, "a": 1, "b": "x"}]


def test_a_contract_without_names_takes_the_keys_in_order(judge: Any) -> None:
    """The first key that the lines have is the first column."""
    specs = json.dumps([{"type": "long"}, {"type": "string"}])

    made = judge('{"z": 1, "y": "x"}\n', Contract.from_signature({"inputs": specs})).model_input()

    assert made.to_dict("list") == {0: [1], 1: ["x"]}


@pytest.mark.parametrize("data", ["", "\n\n", " \r\n"])
def test_a_file_without_a_line_is_a_batch_of_no_rows(judge: Any, data: str) -> None:
    """No line could have had a key, so none is missing; the policy says if that is a batch."""
    assert kinds(judge(data)) == ["row_count"]
    assert judge(data, policy=Policy(min_rows=0)).passed
    assert judge(data, policy=Policy(min_rows=0)).model_input().empty


# ----- lines -----


def test_blank_lines_and_other_line_ends_are_no_records(judge: Any) -> None:
    """Spaces around an object are nothing, and the last line needs no end."""
    data = '\ufeff\n{"a": 1, "b": "x"}\r\n   \n\t{"a": 2, "b": "y"} \n\n{"a": 3, "b": "z"}'

    assert [row["a"] for row in accepted(judge(data))] == [1, 2, 3]


def test_a_line_separator_within_text_ends_no_line(judge: Any) -> None:
    """Only a line feed ends a line, whatever else Unicode calls one."""
    result = judge('{"a": 1, "b": "x\u2028y\u0085z"}\n')

    assert accepted(result) == [{"_row": 0, "a": 1, "b": "x\u2028y\u0085z"}]


MALFORMED: dict[str, tuple[bytes, str]] = {
    "no JSON": (b'{"a": 1, ', "no JSON (Expecting property name"),
    "two objects": (
        b'{"a": 1, "b": "x"} {"a": 1, "b": "x"}',
        "no JSON (Extra data at character 20)",
    ),
    "single quotes": (b"{'a': 1}", "no JSON (Expecting property name"),
    "an array": (b"[1, 2]", "no object"),
    "a number": (b"1", "no object"),
    "null": (b"null", "no object"),
    "a repeated key": (b'{"a": 1, "a": 1}', "an object that repeats a key"),
    "a repeated key inside": (b'{"a": {"k": 1, "k": 1}}', "an object that repeats a key"),
    "no UTF-8": (b'{"a": 1, "b": "\xff"}', "bytes that are not UTF-8 text"),
    "half a pair": (b'{"a": 1, "b": "\\ud800"}', "text with half a surrogate pair"),
    "half a pair as key": (b'{"\\uDFFF": 1}', "text with half a surrogate pair"),
    "deep": (b'{"a": ' + b"[" * 300 + b"]" * 300 + b"}", "values nested more than 200 deep"),
    "deeper than Python": (b"[" * 100_000, "values nested more than 200 deep"),
    "a long number": (b'{"a": ' + b"9" * 5_000 + b"}", "a number too long for any type"),
    "a long exponent": (b'{"a": 1e' + b"9" * 30 + b"}", "a number too long for any type"),
}


@pytest.mark.parametrize("name", MALFORMED)
def test_a_malformed_line_spoils_no_other(judge: Any, name: str) -> None:
    """It is a violation with its number; the rejected row says what is wrong, and has the line."""
    line, reason = MALFORMED[name]

    result = judge(b'{"a": 7, "b": "x"}\n\n' + line + b'\n{"a": 8, "b": "y"}\n')

    assert violations_in(result) == [("malformed_row", None, 1)]
    assert rows_of(result, "malformed_row") == [1]
    assert [row["a"] for row in accepted(result)] == [7, 8]
    (rejected,) = result.rejected.collect().to_dicts()
    (told,) = rejected["_violations"]
    assert told.startswith(f"malformed_row: {reason}")
    assert told.endswith(line.decode(errors="backslashreplace"))
    assert rejected["a"] is None


def test_a_file_of_nothing_but_malformed_lines_says_so(judge: Any) -> None:
    """JSON that spans lines is no JSON lines; no column counts as missing for it."""
    result = judge(json.dumps([{"a": 1, "b": "x"}], indent=1))

    assert violations_in(result) == [("malformed_row", None, 6)]


def test_values_of_the_deepest_kind_are_read(judge: Any) -> None:
    """Nesting far beyond any contract is still no fault of a column that nobody asked for."""
    deep = "[" * 198 + "]" * 198

    assert judge(f'{{"a": 1, "b": "x", "c": {deep}}}').passed


def test_under_redact_no_line_is_told(judge: Any) -> None:
    """The verdict has the number of a malformed line, and nothing of what it says."""
    result = judge('{"a": 1, "b": "secret"', policy=split(redact=True))

    assert "secret" not in result.verdict.to_json()


@pytest.mark.parametrize("name", ["b.jsonl.gz", "b.ndjson.gz", "b.jsonl"])
def test_gzip_is_known_by_its_bytes(judge: Any, name: str) -> None:
    """Whatever the name says."""
    assert judge(gzip.compress(b'{"a": 1, "b": "x"}\n', mtime=0), name=name).passed


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b'{"a": 1, "b": "x"}\n' * 1_000, mtime=0)[:-9],
        gzip.compress(b'{"a": 1, "b": "x"}\n' * 1_000, mtime=0)[:40],
        '{"a": 1}'.encode("utf-16"),
    ],
)
def test_content_that_breaks_off_is_unreadable(judge: Any, data: bytes) -> None:
    """One violation of the batch, with a remedy that speaks of JSON lines."""
    (violation,) = judge(data).violations

    assert (violation.kind, violation.level) == ("unreadable", "batch")
    assert "csv" not in violation.message


def test_a_file_without_line_ends_is_given_up_in_time(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No more than one piece and the longest line are ever in memory."""
    from signature_gate.expectations.readers.json_lines import parser as json_records

    monkeypatch.setattr(csv_bytes, "CHUNK", 1_000)
    monkeypatch.setattr(json_records, "_LONGEST_LINE", 10_000)

    assert violations_in(judge(b'{"a": "' + b"x" * 50_000)) == [("malformed_row", None, None)]


def test_more_keys_than_columns_can_be_are_unreadable(
    judge: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is one object spread over lines has a key for each of them."""
    from signature_gate.expectations.readers.json_lines import survey

    monkeypatch.setattr(survey, "_MOST_KEYS", 99)

    assert violations_in(judge("".join(f'{{"k{i}": 1}}\n' for i in range(100)))) == [
        ("unreadable", None, None)
    ]


def test_a_file_altered_after_it_was_opened_is_not_scored(tmp_path: Path) -> None:
    """Values of another kind are noticed, not cast."""
    from signature_gate.expectations.errors import BatchChanged

    path = tmp_path / "b.jsonl"
    path.write_text('{"a": 1, "b": "x"}\n')
    result = check(path, AB)
    path.write_text('{"a": "x", "b": "x"}\n')

    with pytest.raises(BatchChanged):
        result.model_input()


# ----- properties -----


_JSON_KINDS = (pa.types.is_boolean, pa.types.is_integer, pa.types.is_float64, pa.types.is_string)


def _in_json(kind: Any) -> bool:
    if pa.types.is_map(kind):
        return _in_json(kind.item_type)
    if pa.types.is_nested(kind):
        return all(_in_json(kind.field(i).type) for i in range(kind.num_fields))
    return any(holds(kind) for holds in _JSON_KINDS)


def _means_the_same(kind: Any, target: Any) -> bool:
    """JSON has no datetimes and no floats of 32 bits: there, text and decimals mean more."""
    if "datetime" in str(target) or "float" in str(target):
        return not any(word in str(kind) for word in ("string", "double"))
    return True


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy]:
    judged_by = draw(contracts())
    table = draw(tables(judged_by))
    types = {column.name: column.type for column in judged_by.columns}
    fit = [
        name
        for name, kind in zip(table.column_names, table.schema.types, strict=True)
        if _in_json(kind) and _means_the_same(kind, types.get(name))
    ]
    return table.select(fit), judged_by, draw(POLICIES)


def lines_of(table: pa.Table) -> str:
    """Write a table as JSON lines."""
    columns = [python_cells(table[name]) for name in table.column_names]
    rows = zip(*columns, strict=True) if columns else []
    return "".join(
        json.dumps(dict(zip(table.column_names, row, strict=True))) + "\n" for row in rows
    )


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(case=cases())
def test_json_lines_are_judged_as_the_types_they_could_have_been(judge: Any, case: Any) -> None:
    """A batch as JSON lines gets the verdict of its typed twin, and MLflow accepts it."""
    table, judged_by, policy = case
    if not (table.num_rows and table.num_columns):
        return
    # Text is base64 for binary in JSON lines alone, which a test of its own holds.
    assume("binary" not in judged_by.signature["inputs"])

    typed, untyped = check(table, judged_by, policy), judge(lines_of(table), judged_by, policy)

    assert_same_verdict(typed, untyped, table, judged_by)
    if untyped.disposition in ("passed", "split"):
        made = untyped.model_input()
        mlflow_accepts(made, judged_by)
        if typed.disposition in ("passed", "split"):
            scalars = [c.label for c in judged_by.columns if isinstance(c.type, Scalar)]
            present = [label for label in scalars if label in made.columns]
            pd.testing.assert_frame_equal(made[present], typed.model_input()[present])


_LINE = st.sampled_from(
    [
        b'{"a": 1, "b": "x"}',
        b'{"a": 2.0, "b": null}',
        b'{"b": "\xc3\xa9", "a": "x"}',
        b'{"a": [1], "c": {"k": 1}}',
        b'{"a": 1e400}',
        b"",
        b"  ",
        b"[1]",
        b'{"a": 1, "a": 1}',
        b'{"a": "\xff"}',
        b'{"b": "\\ud800"}',
        b"{",
    ]
)
_END = st.sampled_from([b"\n", b"\r\n"])


@in_one_folder
@given(lines=st.lists(st.tuples(_LINE, _END), max_size=12), piece=st.integers(1, 40))
def test_the_verdict_does_not_depend_on_where_pieces_end(
    judge: Any, lines: list[tuple[bytes, bytes]], piece: int
) -> None:
    """Lines of any kind get one verdict, and the same rows, whatever the size of the pieces."""
    data = b"".join(line + end for line, end in lines)
    policy = split(nulls="allow", sample_rows=99)
    whole = judge(data, policy=policy)
    rows = None if whole.rejected is None else whole.rejected.collect().to_dicts()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_bytes, "CHUNK", piece)
        again = judge(data, policy=policy)
        assert again.verdict == whole.verdict
        assert (None if again.rejected is None else again.rejected.collect().to_dicts()) == rows
        if whole.accepted is not None:
            assert accepted(again) == accepted(whole)


# ----- size -----


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
    text = "some text, long enough that many megabytes are soon full" * 3
    block = "".join(json.dumps({"a": i, "b": text, "c": [i]}) + "\n" for i in range(1_000))
    paths = [tmp_path / "small.jsonl", tmp_path / "large.jsonl"]
    for path, megabytes in zip(paths, (5, 30), strict=True):
        path.write_text(block * (megabytes * 1_000_000 // len(block)))
    judged_by = contract(a="long", b="string", c={"type": "array", "items": {"type": "long"}})
    command = [sys.executable, "-c", MEASURE, str(judged_by.signature["inputs"]), *map(str, paths)]

    done = subprocess.run(command, capture_output=True, text=True, check=True, env=os.environ)

    small, large = map(int, done.stdout.split())
    assert large < small + 40


def test_the_policy_split_is_the_same_for_lines(judge: Any) -> None:
    """Good lines go on under the policy's own rules, bad ones are kept with their reasons."""
    result = judge('{"a": 1, "b": "x"}\n{"a": null, "b": 5}\n', policy=SPLIT)

    (rejected,) = result.rejected.collect().to_dicts()
    assert rejected == {
        "_row": 1,
        "a": None,
        "b": "5",
        "_violations": ["null in 'a': null", "type_mismatch in 'b': other types"],
    }
