"""JSON lines read as typed columns: what the slow parser would have read, cell by cell."""

# ruff: noqa: SLF001 - bounds are private to their modules
from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_checks import contract, kinds, split

from signature_gate import Contract, Policy, check
from signature_gate.expectations.readers import text_stream
from signature_gate.expectations.readers.json_lines import columns, kept, parser, reader, survey
from signature_gate.expectations.readers.json_lines.reader import open_json_lines

if TYPE_CHECKING:
    from pathlib import Path

    import polars as pl

TYPES = ("long", "integer", "double", "float", "string", "boolean", "datetime", "any")
KEYS = ("a", "b", "c")

# ----- lines -----

# What most lines of a file have in a column; a few have anything.
COLUMNS: list[st.SearchStrategy[str]] = [
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.integers(-9, 9).map(str),
    st.sampled_from(["-0", "0", "7"]),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.floats().map(json.dumps),
    st.sampled_from(["0.5", "1", "-0", "-0.0", "2.0", "1e3", "NaN"]),
    st.sampled_from(["0.5", "9007199254740991", "9007199254740993", "9007199254740993.0", "1e20"]),
    st.text(max_size=5).map(json.dumps),
    st.text(max_size=5).map(lambda text: json.dumps(text, ensure_ascii=False)),
    st.sampled_from(['"2024-01-01"', '"2024-01-01T10:00:00"', '"July"']),
    st.sampled_from(["true", "false"]),
    st.just("null"),
    st.sampled_from(['{"k": 1}', '{"k": [1.5, null]}', "[1, 2]", "{}", "[]"]),
]
ODD_CELLS = st.sampled_from(
    [
        *("null", "1", "1.0", "-0", "-0.0", "0E+99", "1e400", "-1E400", "1e-400", "9" * 20),
        *("9" * 400, "9007199254740993", "0." + "1" * 400, "01", "1.", ".5", "+1", "-", "0x1"),
        *("NaN", "-NaN", "Infinity", "-Infinity", "Inf", "nan", "true", "True", "tru", "1 2", "1,"),
        *('"x"', '"\\ud83d\\ude00"', '"\\ud800"', '"\\udc00"', '"\\u0000"', '"\\x"', "'x'"),
        *('"a\tb"', '"}\\n{"', '"\\": 1, "', '"\ufeff"', '"\x7f"'),
        *('"\\/"', "[1]", "{}", "[{}]", '{"k": 1, "k": 2}'),
    ]
)
ODD_LINES = st.sampled_from(
    [
        *(b"", b"  ", b"\t", b"{}", b"[1]", b"null", b"1", b"{", b"}", b"\x00", b"{'a': 1}"),
        *(b'{"a": 1', b'{"a": 1}}', b'{"a": 1},', b'{"a": 1,}', b'{"a": 1} // x'),
        *(b'{"a": 1, "a": 1}', b'{"a": null, "a": null}', b'{"a": 1, "\\u0061": 1}'),
        *(b'{"a": 1}{"a": 2}', b'{"a": 1} {"a": 2}', b'{"a" : 1}', b' {"a": 1}', b'{"a": 1} '),
        *(b'\xef\xbb\xbf{"a": 1}', b'{"new": 1}', b'{"": 1}', b'{"a\\u0000": 1}', b'{"_row": 1}'),
        *(b'{"a": "\xff"}', b'{"\xff": 1}', b'{"a": "\xed\xa0\x80"}'),
        # An object from the end of one line to the start of the next.
        *(b'{"a": 1}{"b": [{}', b"{}]}", b'{"a": {"k": 1}', b'{"a":', b'1}{"a": 2}'),
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw lines that agree, but for a few."""
    columns = [draw(st.sampled_from(COLUMNS)) for _ in KEYS]
    keys = KEYS[: draw(st.integers(1, len(KEYS)))]

    def line() -> bytes:
        cells = [
            f'"{key}": {draw(ODD_CELLS if draw(st.integers(0, 30)) == 0 else column)}'
            for key, column in zip(keys, columns, strict=False)
            if draw(st.integers(0, 15))
        ]
        return ("{" + ", ".join(cells) + "}").encode()

    lines = [
        draw(ODD_LINES) if draw(st.integers(0, 20)) == 0 else line()
        for _ in range(draw(st.integers(0, 25)))
    ]
    return draw(st.sampled_from([b"\n", b"\n", b"\r\n"])).join(lines) + draw(
        st.sampled_from([b"\n", b""])
    )


# ----- what is read of them -----


def _cells(series: pl.Series) -> list[str]:
    return [f"{type(value).__name__} {value!r}" for value in series.to_list()]


def _opened(path: Path, judged_by: Contract, policy: Policy) -> Any:
    batch = open_json_lines(path, judged_by, policy)
    frame = batch.scan().collect()
    cells = {name: (frame[name].dtype, _cells(frame[name])) for name in frame.columns}
    return batch.info, batch.schema, batch.sources, batch.rows, batch.objects, cells


def _judged(path: Path, judged_by: Contract, policy: Policy) -> Any:
    result = check(path, judged_by, policy)
    rows = [
        None if frame is None else [_cells(series) for series in frame.collect()]
        for frame in (result.accepted, result.rejected)
    ]
    return result.verdict, rows


class Spy:
    """Counts the lines that were read as columns, and those that the slow parser was given."""

    def __init__(self, patch: pytest.MonkeyPatch, *, slow: bool = False) -> None:
        """Watch both; let the slow parser read all lines where told so."""
        self.typed = self.slow = 0
        self._typed_records, self._parsed = columns.typed_records, parser.parsed
        for module in (survey, reader):
            patch.setattr(module, "typed_records", (lambda *_: None) if slow else self._as_columns)
            patch.setattr(module, "parsed", self._one_by_one)

    def _as_columns(self, *given: Any) -> Any:
        records = self._typed_records(*given)
        self.typed += 0 if records is None else len(records)
        return records

    def _one_by_one(self, lines: bytes) -> Any:
        records = self._parsed(lines)
        self.slow += len(records)
        return records


in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@in_one_folder
@given(
    data=files(),
    piece=st.sampled_from([30, 100, 300, 9_999]),
    part=st.sampled_from([20, 60, 9_999]),
    targets=st.tuples(*[st.sampled_from(TYPES)] * len(KEYS)),
    most=st.sampled_from([0, 1 << 20]),
    fields=st.sampled_from([{}, {"nan": "value"}, {"parse_text": "allow", "nulls": "allow"}]),
)
@example(b'{"a": 0.5}\n{"a": 1}\n{"a": -0}\n{"a": 1e20}\n', 9, 20, 0, ("float", "any", "any"), {})
@example(b'{"a": 1}\n\n\n{"a\\u0000": 1}\n{"a": 1}', 30, 20, 0, ("long", "any", "any"), {})
@example(
    b'{"a": 1}\n' + b'{"a": 9007199254740993}\n' * 2 + b'{"a": 0.5}\n' * 2,
    *(30, 20, 0, ("double", "any", "any"), {}),
)
@example(b'{"": 1}\n{}', 9, 20, 0, ("double", "any", "any"), {})
@example(b'{"a": 0.5}\n{"a": 9007199254740993}\n', 9, 20, 0, ("double", "any", "any"), {})
@example(b'{"a": 1}\n{"a": 1}{"b": [{}\n{}]}\n', 9, 20, 0, ("double", "any", "any"), {})
def test_typed_columns_are_what_the_slow_parser_reads(
    tmp_path: Path, data: bytes, piece: int, part: int, most: int, targets: Any, fields: Any
) -> None:
    """Schema, cells, faults, verdict, accepted and rejected rows are the same, whoever read."""
    path = tmp_path / "b.jsonl"
    path.write_bytes(data)
    judged_by = contract(**dict(zip(KEYS, targets, strict=True)))
    policy = split(extra_columns="ignore", sample_rows=99, keep=["new"], **fields)

    read = []
    for slow in (False, True):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(text_stream, "CHUNK", piece)
            patch.setattr(survey, "_SMALLEST_PART", part)
            patch.setattr(kept, "_MOST_KEPT", most)
            Spy(patch, slow=slow)
            read.append((_opened(path, judged_by, policy), _judged(path, judged_by, policy)))

    assert read[0][0] == read[1][0]
    assert read[0][1] == read[1][1]


# ----- how much is read so -----


def _written(path: Path, rows: int, **odd: Any) -> Path:
    """Write lines with a column of each kind; in the last line some of them are odd."""
    lines = [
        {"a": i, "b": i / 7, "c": f"text {i} é", "d": i % 2 == 0, "e": None if i % 9 else i + 1e17}
        for i in range(rows)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in [*lines[:-1], lines[-1] | odd]))
    return path


MADE = contract(a="long", b="double", c="string", d="boolean", e="double")
ROWS = 20_000


@pytest.mark.parametrize("odd", [{}, {"a": "x", "b": None, "new": [1]}])
def test_only_parts_that_are_odd_take_the_slow_parser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, odd: Any
) -> None:
    """A clean file is read as columns but for the part that shows what to expect, others nearly."""
    path = _written(tmp_path / "b.jsonl", ROWS, **odd)
    monkeypatch.setattr(survey, "_SMALLEST_PART", 4_096)
    spy = Spy(monkeypatch)

    rows = open_json_lines(path, MADE, Policy()).rows

    assert rows == ROWS
    assert spy.slow < ROWS / 15 * (1 + bool(odd))


def test_nothing_is_tried_that_was_found_not_to_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The scan reads as columns what the survey could, and attempts no more."""
    path = _written(tmp_path / "b.jsonl", ROWS, a="x")
    monkeypatch.setattr(kept, "_MOST_KEPT", 0)
    opened = open_json_lines(path, MADE, Policy())
    failed = []

    def watched(*given: Any) -> Any:
        records = columns.typed_records(*given)
        failed.append(records is None)
        return records

    monkeypatch.setattr(reader, "typed_records", watched)

    assert opened.scan().collect().height == ROWS
    assert failed
    assert not any(failed)


@pytest.mark.parametrize(("most", "readings"), [(0, 4), (kept._MOST_KEPT, 1)])
@pytest.mark.parametrize(("end", "faults"), [(b"", set()), (b'{"a": 1,\n', {"malformed_row"})])
def test_a_small_file_is_read_once(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    most: int,
    readings: int,
    end: bytes,
    faults: set[str],
) -> None:
    """Its lines stay in memory, malformed ones too; else the common cause needs one reading."""
    path = _written(tmp_path / "b.jsonl", ROWS, b=None)
    path.write_bytes(path.read_bytes() + end)
    monkeypatch.setattr(kept, "_MOST_KEPT", most)
    begun = []

    def portions_in(path: Path) -> Any:
        begun.append(path)
        return parser.portions_in(path)

    monkeypatch.setattr(reader, "portions_in", portions_in)

    result = check(path, MADE, Policy())

    assert set(kinds(result)) == {"null", *faults}
    assert len(begun) == readings


def test_what_is_kept_of_open_files_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of many files the first are kept; the room of one that is no longer open is free again."""
    path = _written(tmp_path / "b.jsonl", ROWS)
    first = open_json_lines(path, MADE, Policy()).scan.__self__
    monkeypatch.setattr(kept, "_MOST_KEPT", kept._Room.taken + first.kept.size // 2)

    assert first.kept.pieces()
    assert not open_json_lines(path, MADE, Policy()).scan.__self__.kept.pieces()
    del first
    assert open_json_lines(path, MADE, Policy()).scan.__self__.kept.pieces()


def test_a_file_that_is_written_again_is_read_again(tmp_path: Path) -> None:
    """What was kept of it is no longer what it holds."""
    path = _written(tmp_path / "b.jsonl", ROWS)
    opened = open_json_lines(path, MADE, Policy())
    _written(path, ROWS, a=-1)

    assert opened.scan().collect()["a"].min() == -1


def test_keys_that_few_lines_have_make_no_table_of_nulls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table has a cell for each line and key, however few of them the file holds."""
    path = tmp_path / "b.jsonl"
    path.write_text("".join(f'{{"k{i % 500}": 1}}\n' for i in range(5_000)))
    monkeypatch.setattr(text_stream, "CHUNK", 5_000)
    spy = Spy(monkeypatch)

    result = check(path, contract(k1="long"), split(extra_columns="ignore"))

    assert kinds(result) == ["null"]
    assert spy.typed == 0
