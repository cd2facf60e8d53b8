"""Text files as producers write them: packed, escaped, without header, or for a spreadsheet."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import zipfile
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest
from small_checks import accepted, contract, kinds, rows_of, split

from signature_gate import Policy, check
from signature_gate.expectations.contract.policy import CsvDialect
from signature_gate.expectations.readers import text_stream

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

AB = contract(a="long", b="string")
CSV, JSON = b"a,b\n1,x\n2,y\n", b'{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n'


def zipped(*contents: bytes) -> bytes:
    """Archive each content as a file of its own."""
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, content in enumerate(contents):
            archive.writestr(f"{number}.csv", content)
    return stored.getvalue()


def zstd(content: bytes) -> bytes:
    """Compress as Zstandard does."""
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(content)
    return sink.getvalue().to_pybytes()


PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".zst": zstd,
    ".zip": zipped,
}


@pytest.mark.parametrize("packed", PACKERS)
@pytest.mark.parametrize(
    ("ending", "content"),
    [
        (".csv", CSV),
        (".txt", CSV),
        (".tsv", CSV.replace(b",", b"\t")),
        (".json", JSON),
        (".jsonl", JSON),
        (".ndjson", JSON),
    ],
)
def test_text_is_read_in_any_packing(
    tmp_path: Path, ending: str, content: bytes, packed: str
) -> None:
    """The ending names the format, the first bytes the packing; .tsv has tabs by default."""
    path = tmp_path / f"b{ending}{packed}"
    path.write_bytes(PACKERS[packed](content))

    rows = accepted(check(path, AB))

    assert [(row["a"], row["b"]) for row in rows] == [(1, "x"), (2, "y")]


@pytest.mark.parametrize("packed", [".gz", ".bz2", ".zst", ".zip"])
@pytest.mark.parametrize("keep", [0.3, 0.6, 0.95])
def test_packed_text_that_breaks_off_is_unreadable(
    tmp_path: Path, packed: str, keep: float
) -> None:
    """However much of it could be unpacked, a part is never taken for the whole."""
    content = PACKERS[packed](b"a,b\n" + b"".join(b"%d,x%d\n" % (i, i * i) for i in range(5_000)))
    path = tmp_path / f"b.csv{packed}"
    path.write_bytes(content[: int(len(content) * keep)])

    assert kinds(check(path, AB)) == ["unreadable"]


def test_an_archive_holds_one_file(tmp_path: Path) -> None:
    """Which of several would be the batch nobody says; a folder may hold them."""
    (tmp_path / "b.csv.zip").write_bytes(zipped(CSV, CSV))

    (violation,) = check(tmp_path / "b.csv.zip", AB).violations

    assert "archive of 2 files" in violation.observed


def test_a_json_array_is_told_and_how_to_write_lines(tmp_path: Path) -> None:
    """The first byte tells an array from lines; what the remedy asks for passes."""
    path = tmp_path / "b.json"
    path.write_text('\n [{"a": 1, "b": "x"}]')

    (violation,) = check(path, AB).violations

    assert "JSON array" in violation.observed
    assert "lines=True" in violation.remedy
    path.write_text("\n".join(json.dumps(row) for row in json.loads(path.read_text())))
    assert check(path, AB).passed


# ----- dialects -----


@pytest.fixture
def judge(tmp_path: Path) -> Any:
    """Write bytes to a CSV file and judge it under a dialect."""

    def judge(data: bytes, judged_by: Any = AB, **dialect: Any) -> Any:
        (tmp_path / "b.csv").write_bytes(data)
        return check(tmp_path / "b.csv", judged_by, split(csv=dialect))

    return judge


@pytest.mark.parametrize("size", [1, 2, 3, 2 << 20])
def test_an_escape_makes_quotes_and_itself_literal(
    judge: Any, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Spark and MySQL write them, wherever the file is cut into pieces."""
    monkeypatch.setattr("signature_gate.expectations.readers.text_stream.CHUNK", size)
    data = rb"""a,b
1,"say \"hi\", twice"
2,"C:\\"
3,"\\\""
4,\N
"""

    rows = accepted(judge(data, escape="\\"))

    assert [row["b"] for row in rows] == ['say "hi", twice', "C:\\", '\\"', "\\N"]


def test_columns_without_header_go_by_position(judge: Any) -> None:
    """Under csv.header: false the contract's order names them, or rename by their numbers."""
    assert accepted(judge(b"1,x\n", header=False)) == [{"_row": 0, "a": 1, "b": "x"}]
    assert kinds(judge(b"1\n", header=False)) == ["missing_column"]


def test_numbered_columns_are_renamed(tmp_path: Path) -> None:
    """Where rename speaks of positions, they name all columns."""
    (tmp_path / "b.csv").write_bytes(b"x,9,1\n")
    policy = Policy(csv={"header": False}, rename={"2": "a", "0": "b"}, extra_columns="ignore")  # type: ignore[arg-type]

    assert accepted(check(tmp_path / "b.csv", AB, policy)) == [{"_row": 0, "a": 1, "b": "x"}]


@pytest.mark.parametrize(("mark", "words"), [(";", "';'"), ("\t", r'"\t"'), ("|", "'|'")])
def test_a_header_of_one_column_names_the_delimiter(judge: Any, mark: str, words: str) -> None:
    """One column with marks in its name was written with another delimiter; the remedy helps."""
    data = CSV.replace(b",", mark.encode())

    (violation,) = judge(data).violations

    assert violation.remedy == f"Set policy csv.delimiter: {words}."
    assert judge(data, delimiter=mark).passed


def test_a_mark_in_a_name_that_the_contract_has_is_a_name(judge: Any) -> None:
    """Nothing is suspected where the column is the one that is asked for."""
    assert judge(b"a|b\n1\n", contract(**{"a|b": "long"})).passed


def test_the_line_by_which_a_spreadsheet_learns_the_delimiter_is_no_record(judge: Any) -> None:
    """It is passed over where it says what the policy says, else the remedy says what it says."""
    data = b"sep=;\r\na;b\r\n1;x\r\n"

    assert accepted(judge(data, delimiter=";")) == [{"_row": 0, "a": 1, "b": "x"}]
    (violation,) = judge(data).violations
    assert violation.remedy == "Set policy csv.delimiter: ';'."


def test_a_header_in_the_midst_is_a_malformed_record(judge: Any) -> None:
    """As files have it that were put together; the reason says what it is."""
    result = judge(b"a,b\r\n1,x\r\na,b\r\n2,y\n")

    assert rows_of(result, "malformed_row") == [1]
    assert "the header once more" in str(result.rejected.collect()["_violations"].to_list())


def test_bytes_that_are_no_text_point_at_the_encoding(judge: Any) -> None:
    """In the header and in records; the encoding that the remedy asks for helps."""
    header, record = "é,a,b\n1,1,x\n".encode("cp1252"), "a,b\n1,é\n".encode("cp1252")

    assert "csv.encoding" in judge(header).violations[0].remedy
    assert "csv.encoding" in judge(record).violations[0].remedy
    assert judge(record, encoding="cp1252").passed


def test_rows_are_counted_though_a_column_is_missing(judge: Any) -> None:
    """The file can be read: nobody has to guess how much of it there is."""
    result = judge(b"a\n1\n2\n")

    assert kinds(result) == ["missing_column"]
    assert result.verdict.rows == 2


@pytest.mark.parametrize(("line", "times"), [(b"1\n", 1), (b"1," * 100 + b"1\n", 2)])
def test_long_lines_are_read_in_larger_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: bytes, times: int
) -> None:
    """A piece of few lines would cost each of their many columns as much as one of many."""
    monkeypatch.setattr(text_stream, "CHUNK", 20_000)
    path = tmp_path / "b.csv"
    path.write_bytes(line * (200_000 // len(line)))

    sizes = [len(piece) for piece in text_stream.pieces_of(path, CsvDialect())]

    assert sizes[:3] == [20_000, times * 20_000, times * 20_000]
