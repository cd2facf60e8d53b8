"""A zoo of broken inputs: one table of what can lie where a batch should, and what it must come to.

Each file is made by code, so that a reader sees what is wrong with it. Most have the columns ``a``
(double) and ``n`` (long), because that is what the contract asks for.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import os
import socket
import struct
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from forged_parquet import (
    COLUMNS,
    COMPRESSED,
    DATA_PAGE,
    GROUP_ROWS,
    MAX_VALUE,
    META,
    NULL_COUNT,
    NUM_ROWS,
    NUM_VALUES,
    ROW_GROUPS,
    STATISTICS,
    Struct,
    chunk,
    forge,
    nested_footer,
)
from pyarrow import ipc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MIB = 1 << 20
BILLION = 10**9
ROWS = 1_000
LINE = {"a": "double", "n": "long"}
INT32 = {"a": "double", "n": "integer"}
TEXT = {"a": "string"}
ARRAY = {"a": {"type": "array", "items": {"type": "double"}}}
WIDE = {f"c{i}": "double" for i in range(10_000)}
TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
NAMED_TENSOR = [{**TENSOR[0], "name": "x"}]
OPEN_TENSOR = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, -1]}}]


@dataclass(frozen=True)
class Broken:
    """A file, and what judging it must come to.

    Attributes:
        file: Its name, which promises a format.
        make: Writes it.
        kinds: Kinds of the blocking violations, in order; none if the content is sound after all.
        says: Part of what the first of them says was observed.
        handed: Rows that the model receives if it passes; None if the content then turns out to
            contradict what was judged.
        raises: Name of the error, where it is no batch at all.
        contract: Columns by name, or a signature's inputs.
        policy: Fields of the policy.
    """

    file: str
    make: Callable[[Path], object]
    kinds: tuple[str, ...] = ("unreadable",)
    says: str = ""
    handed: int | None = None
    raises: str = ""
    contract: dict[str, Any] | list[dict[str, Any]] = field(default_factory=lambda: LINE)
    policy: dict[str, Any] = field(default_factory=dict[str, Any])

    @property
    def inputs(self) -> str:
        """The signature's inputs as MLflow writes them."""
        if isinstance(self.contract, list):
            return json.dumps(self.contract)
        columns = [
            {**({"type": kind} if isinstance(kind, str) else kind), "name": name, "required": True}
            for name, kind in self.contract.items()
        ]
        return json.dumps(columns)


def sound(file: str, make: Callable[[Path], object], rows: int, **more: Any) -> Broken:
    """Say that a file only looks broken."""
    return Broken(file, make, (), handed=rows, **more)


def lying(file: str, make: Callable[[Path], object], **more: Any) -> Broken:
    """Say that a file passes by what it says of itself, and is found out before it is scored."""
    return Broken(file, make, (), **more)


def refused(
    file: str, make: Callable[[Path], object], says: str, *kinds: str, **more: Any
) -> Broken:
    """Say that a file fails, as unreadable unless other kinds are named."""
    return Broken(file, make, kinds or ("unreadable",), says, **more)


def misused(file: str, make: Callable[[Path], object], raises: str) -> Broken:
    """Say that it is no batch at all."""
    return Broken(file, make, raises=raises)


# ----- content of any format -----

HTML = b"<!DOCTYPE html>\n<html><body><h1>502 Bad Gateway</h1></body></html>\n"
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def table(rows: int = ROWS) -> pa.Table:
    """Make rows that the contract takes."""
    return pa.table({"a": [float(i) for i in range(rows)], "n": list(range(rows))})


def content(*parts: bytes) -> Callable[[Path], object]:
    """Write these bytes."""
    return lambda path: path.write_bytes(b"".join(parts))


def spoilt(
    make: Callable[[Path], object], spoil: Callable[[bytes], bytes]
) -> Callable[[Path], object]:
    """Write a file, then spoil its bytes."""

    def write(path: Path) -> None:
        make(path)
        path.write_bytes(spoil(path.read_bytes()))

    return write


def cut(share: float) -> Callable[[bytes], bytes]:
    """Keep the first part."""
    return lambda data: data[: int(len(data) * share)]


def twice(data: bytes) -> bytes:
    """Put a file behind itself, as ``cat`` does."""
    return data + data


# ----- Parquet -----


def parquet(columns: pa.Table | None = None, **options: Any) -> Callable[[Path], object]:
    """Write a Parquet file."""
    return lambda path: pq.write_table(table() if columns is None else columns, path, **options)


def forged(
    lie: Callable[[Struct], None], columns: pa.Table | None = None, **options: Any
) -> Callable[[Path], object]:
    """Write a Parquet file whose footer lies."""

    def write(path: Path) -> None:
        parquet(columns, **options)(path)
        forge(path, lie)

    return write


def counting(whole: int, group: int = ROWS, values: int = ROWS) -> Callable[[Struct], None]:
    """Lie about the number of rows: of the file, of its row group, of its columns."""

    def lie(footer: Struct) -> None:
        footer[NUM_ROWS] = whole
        footer[ROW_GROUPS][0][GROUP_ROWS] = group
        for column in footer[ROW_GROUPS][0][COLUMNS]:
            column[META][NUM_VALUES] = values

    return lie


def saying(number: int, value: int, column: int = 0) -> Callable[[Struct], None]:
    """Lie about a column."""

    def lie(footer: Struct) -> None:
        chunk(footer, column)[number] = value

    return lie


def nothing_is_null(footer: Struct) -> None:
    """Lie about null."""
    chunk(footer, 1)[STATISTICS][NULL_COUNT] = 0


def all_are_small(footer: Struct) -> None:
    """Lie about the largest value, in the field of today and in that of old readers."""
    for number in (MAX_VALUE, 1):
        chunk(footer, 1)[STATISTICS][number] = (5).to_bytes(8, "little")


def of_another_type(footer: Struct) -> None:
    """Make a column of doubles one of integers, but not in the schema."""
    chunk(footer)[1] = 2


def with_a_short_bound(footer: Struct) -> None:
    """Give a bound of 64 bits only three bytes."""
    chunk(footer, 1)[STATISTICS][MAX_VALUE] = b"\1\2\3"


def with_spoilt_pages(path: Path) -> None:
    """Overwrite the middle of the pages."""
    parquet(use_dictionary=False)(path)
    data = bytearray(path.read_bytes())
    data[200:2_000] = b"\xff" * 1_800
    path.write_bytes(data)


def encrypted(*, footer: bool) -> Callable[[Path], object]:
    """Write an encrypted Parquet file, its footer with it or not."""
    from pyarrow.parquet import encryption

    class Keys(encryption.KmsClient):
        def __init__(self, _: Any) -> None:
            super().__init__()

        def wrap_key(self, key_bytes: bytes, _master: str) -> bytes:
            return base64.b64encode(key_bytes)

        def unwrap_key(self, wrapped_key: bytes, _master: str) -> bytes:
            return base64.b64decode(wrapped_key)

    def write(path: Path) -> None:
        how = encryption.EncryptionConfiguration(
            footer_key="footer", column_keys={"column": ["a", "n"]}, plaintext_footer=not footer
        )
        factory = encryption.CryptoFactory(Keys)
        properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), how)
        parquet(encryption_properties=properties)(path)

    return write


def one_value_for_all(path: Path) -> None:
    """Write 48 million zeros as one row group of a few bytes."""
    zeros = pa.chunked_array([pa.array(np.zeros(MIB))] * 48)
    pq.write_table(pa.table({"a": zeros}), path, row_group_size=48 * MIB)


def one_text_for_all(path: Path) -> None:
    """Repeat one text of 10 MB: a terabyte as cells, half a megabyte as a file."""
    indices = pa.array(np.zeros(100_000, np.int32))
    texts = pa.DictionaryArray.from_arrays(indices, pa.array(["x" * 10_000_000]))
    pq.write_table(pa.table({"a": texts}), path)


def wide_table(cell: float | None = 1.5) -> pa.Table:
    """Make a table of ten thousand columns."""
    return pa.table({name: pa.array([cell, 2.5]) for name in WIDE})


PARQUET = {
    "an empty Parquet file": refused("b.parquet", content(), "zero bytes"),
    "the magic alone": refused("b.parquet", content(b"PAR1"), "no whole Parquet"),
    "half a Parquet file": refused("b.parquet", spoilt(parquet(), cut(0.5)), "no whole Parquet"),
    "a Parquet file short of a byte": refused(
        "b.parquet", spoilt(parquet(), lambda data: data[:-1]), "no whole Parquet"
    ),
    "a Parquet file without its start": refused(
        "b.parquet", spoilt(parquet(), lambda data: data[9_000:]), "beyond the end"
    ),
    "a page of HTML": refused("b.parquet", content(HTML), "no whole Parquet"),
    "a picture": refused("b.pq", content(PNG), "no whole Parquet"),
    "CSV in Parquet's clothes": refused("b.parquet", content(b"a,n\n1,2\n"), "no whole Parquet"),
    "an encrypted file": refused("b.parquet", encrypted(footer=True), "encrypted"),
    "encrypted columns": refused("b.parquet", encrypted(footer=False), "encrypted"),
    "a footer of zeros": refused(
        "b.parquet",
        spoilt(parquet(), lambda data: data[:-1_200] + bytes(1_192) + data[-8:]),
        "no whole Parquet",
    ),
    "a footer that claims a billion rows": refused(
        "b.parquet", forged(counting(BILLION)), "counts 1,000,000,000 rows"
    ),
    "a row group that claims a billion rows": refused(
        "b.parquet", forged(counting(BILLION, BILLION)), "1,000 values of a column"
    ),
    "columns that claim a billion rows": refused(
        "b.parquet", forged(counting(BILLION, BILLION, BILLION)), "lack 999,999,000 of the rows"
    ),
    "columns that claim rows without end": refused(
        "b.parquet", forged(counting(2**62, 2**62, 2**62)), "of the rows"
    ),
    "fewer rows than none": refused("b.parquet", forged(counting(-5, -5, -5)), "counts -5 rows"),
    "twice the rows of the pages": refused(
        "b.parquet", forged(counting(2_000, 2_000, 2_000)), "cannot be read to its end"
    ),
    # What the footer does not count is no row of the file: all readers agree on that.
    "half the rows of the pages": sound("b.parquet", forged(counting(500, 500, 500)), 500),
    "a row group of fewer rows than its columns": refused(
        "b.parquet", forged(counting(500, 500)), "1,000 values of a column in 500 rows"
    ),
    "a column beyond the end": refused(
        "b.parquet", forged(saying(DATA_PAGE, 10**12)), "beyond the end"
    ),
    "a column of a terabyte": refused(
        "b.parquet", forged(saying(COMPRESSED, 10**12)), "beyond the end"
    ),
    "a column of fewer bytes than none": refused(
        "b.parquet", forged(saying(COMPRESSED, -5)), "beyond the end"
    ),
    "a column of another type": refused("b.parquet", forged(of_another_type), "another type"),
    "a bound that is too short": refused(
        "b.parquet", forged(with_a_short_bound), "statistics that are not"
    ),
    "a null count that lies": lying(
        "b.parquet", forged(nothing_is_null, pa.table({"a": [1.0, 2.0, 3.0], "n": [1, None, 3]}))
    ),
    "a null count that lies to nobody": refused(
        "b.parquet",
        forged(nothing_is_null, pa.table({"a": [1.0, 2.0, 3.0], "n": [1, None, 3]})),
        "null",
        "null",
        policy={"trust_statistics": False},
    ),
    "a bound that lies": lying(
        "b.parquet",
        forged(all_are_small, pa.table({"a": [1.0, 2.0], "n": [1, 2**40]})),
        contract=INT32,
    ),
    "a bound that lies to nobody": refused(
        "b.parquet",
        forged(all_are_small, pa.table({"a": [1.0, 2.0], "n": [1, 2**40]})),
        "int64 beyond it",
        "out_of_range",
        contract=INT32,
        policy={"trust_statistics": False},
    ),
    "spoilt pages": refused("b.parquet", with_spoilt_pages, "cannot be read to its end"),
    "two Parquet files in one": refused(
        "b.parquet", spoilt(parquet(), twice), "several Parquet files"
    ),
    "groups 20,000 deep": refused("b.parquet", content(nested_footer(20_000)), "nested"),
    "groups 900 deep": refused("b.parquet", content(nested_footer(900)), "nested"),
    "one value for 48 million rows": sound(
        "b.parquet",
        one_value_for_all,
        48 * MIB,
        contract={"a": "double"},
        policy={"trust_statistics": False},
    ),
    "one text of 10 MB for 100,000 rows": refused(
        "b.parquet", one_text_for_all, "unpacks into", contract=TEXT
    ),
    "10,000 columns in Parquet": refused(
        "b.parquet", parquet(wide_table()), "no such column", "missing_column", "missing_column"
    ),
    "10,000 columns, all missing": refused(
        "b.parquet", parquet(), "no such column", *["missing_column"] * 10_000, contract=WIDE
    ),
    "a name that comes twice": refused(
        "b.parquet",
        parquet(pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], ["a", "a"])),
        "no such column",
        "missing_column",
        "duplicate_column",
    ),
}

# ----- CSV -----

HEAD = b"a,n\n"
GOOD = HEAD + b"1.5,1\n2.5,2\n"


def zipped(block: bytes, times: int, head: bytes = b"") -> Callable[[Path], object]:
    """Write a gzip file that unpacks into a block, over and over."""

    def write(path: Path) -> None:
        member = gzip.compress(block)
        with path.open("wb") as file:
            file.write(gzip.compress(head))
            file.writelines(member for _ in range(times))

    return write


def wide_csv(names: Iterable[str], cell: str) -> Callable[[Path], object]:
    """Write a header and one record."""
    header = list(names)
    return content(f"{','.join(header)}\n{','.join([cell] * len(header))}\n".encode())


def encoded(encoding: str) -> Callable[[Path], object]:
    """Write the good CSV in another encoding."""
    return content(GOOD.decode().encode(encoding))


MISSING = ("missing_column", "missing_column")
CSV = {
    "an empty CSV file": refused("b.csv", content(), "no header"),
    "nothing but line ends": refused("b.csv", content(b"\n" * 9), "no header"),
    "a header alone": refused("b.csv", content(HEAD), "0", "row_count"),
    "no header": refused("b.csv", content(b"1.5,1\n2.5,2\n"), "no such column", *MISSING),
    "blank names": refused("b.csv", content(b",\n1.5,1\n"), "no such column", *MISSING),
    "nothing but separators": refused("b.csv", content(b",,,\n" * 9), "no such column", *MISSING),
    "a header that repeats a name": refused(
        "b.csv", content(b"a,n,a\n1,2,3\n"), "2 of them", "duplicate_column"
    ),
    "a quote that opens the file": refused(
        "b.csv", content(b'"' + GOOD), "never closed", "malformed_row"
    ),
    "a quote that opens in the middle": refused(
        "b.csv", content(GOOD, b'"3.5,3\n', b"4.5,4\n" * 99), "never closed", "malformed_row"
    ),
    "a quote that opens at the end": refused(
        "b.csv", content(GOOD, b'3.5,"'), "never closed", "malformed_row"
    ),
    "carriage returns alone": refused(
        "b.csv", content(GOOD.replace(b"\n", b"\r")), "carriage returns", "malformed_row"
    ),
    "line ends of two kinds": sound("b.csv", content(HEAD, b"1.5,1\r\n2.5,2\n3.5,3\r\n"), 3),
    "line ends of three kinds": refused(
        "b.csv", content(HEAD, b"1.5,1\r\n2.5,2\n3.5,3\r4.5,4\n"), "records", "malformed_row"
    ),
    "a mark of UTF-8": sound("b.csv", content(b"\xef\xbb\xbf", GOOD), 2),
    "UTF-16 with its mark": refused("b.csv", encoded("utf-16"), "text in utf-16"),
    "UTF-16 the other way round": refused(
        "b.csv", content(b"\xfe\xff", GOOD.decode().encode("utf-16-be")), "text in utf-16"
    ),
    "UTF-32 with its mark": refused("b.csv", encoded("utf-32"), "text in utf-32"),
    "UTF-16 without a mark": refused("b.csv", encoded("utf-16-le"), "NUL bytes"),
    "UTF-16 as the policy says": sound(
        "b.csv", encoded("utf-16-le"), 2, policy={"csv": {"encoding": "utf-16-le"}}
    ),
    "Latin letters of one byte": refused(
        "b.csv", content(GOOD, "3,é\n".encode("latin-1")), "records", "malformed_row"
    ),
    "NUL in a cell": refused(
        "b.csv", content(GOOD, b"3\0,3\n"), "text that is none", "unparseable"
    ),
    "a PNG": refused("b.csv", content(PNG), "header", "malformed_row"),
    "a page of HTML in CSV's clothes": refused("b.csv", content(HTML), "no such column", *MISSING),
    "Parquet in CSV's clothes": refused("b.csv", parquet(), "header"),
    "a zip archive in gzip's clothes": refused(
        "b.csv.gz",
        lambda path: zipfile.ZipFile(path, "w").writestr("b.csv", GOOD),
        "header",
    ),
    "half a gzip file": refused(
        "b.csv.gz", spoilt(zipped(b"1.5,1\n" * 9_999, 1, HEAD), cut(0.6)), "breaks off"
    ),
    "gzip without its checksum": refused(
        "b.csv.gz", spoilt(zipped(b"1.5,1\n", 1, HEAD), lambda data: data[:-8]), "breaks off"
    ),
    "gzip with something behind": refused(
        "b.csv.gz", spoilt(zipped(b"1.5,1\n", 1, HEAD), lambda data: data + b"more"), "breaks off"
    ),
    "gzip of 2 GiB without a line end": refused(
        "b.csv.gz", zipped(bytes(16 * MIB), 128, HEAD), "no line end", "malformed_row"
    ),
    "gzip of 1 GiB of quotes": refused(
        "b.csv.gz", zipped(b'"' * (16 * MIB), 64, HEAD), "no line end", "malformed_row"
    ),
    "gzip of 1 GiB of separators": refused(
        "b.csv.gz", zipped(b"," * (16 * MIB), 64), "no line end", "malformed_row"
    ),
    "gzip of blank lines": sound("b.csv.gz", zipped(b"\n" * (16 * MIB), 1, GOOD), 2),
    "a million short records": refused(
        "b.csv.gz", zipped(b"x\n" * 1_000_000, 1, HEAD), "records", "malformed_row"
    ),
    "a million columns": refused("b.csv", content(b"," * 1_000_000, b"\n"), "1,000,001 columns"),
    "10,000 columns in CSV": refused("b.csv", wide_csv(WIDE, "1.5"), "no such column", *MISSING),
}

# ----- JSON lines -----


def jsonl(*lines: str) -> Callable[[Path], object]:
    """Write lines, the first of them a good one."""
    return content(*(f"{line}\n".encode() for line in ('{"a": 1.5, "n": 1}', *lines)))


JSON_LINES = {
    "an empty file of JSON lines": refused("b.jsonl", content(), "0", "row_count"),
    "one array of objects": refused(
        "b.jsonl", content(b'[{"a": 1.5, "n": 1}, {"a": 2.5, "n": 2}]'), "not", "malformed_row"
    ),
    "one array over many lines": refused(
        "b.jsonl", content(json.dumps([{"a": 1, "n": 1}], indent=1).encode()), "", "malformed_row"
    ),
    "arrays instead of objects": refused("b.jsonl", jsonl("[1.5, 1]"), "not", "malformed_row"),
    "100,000 levels": refused(
        "b.jsonl", jsonl('{"a": ' + "[" * 100_000 + "]" * 100_000 + "}"), "not", "malformed_row"
    ),
    "brackets that never close": refused("b.jsonl", jsonl("[" * 100_000), "not", "malformed_row"),
    "NaN": refused("b.jsonl", jsonl('{"a": NaN, "n": 1}'), "null", "null"),
    "infinity": refused(
        "b.jsonl",
        jsonl('{"a": Infinity, "n": 1}'),
        "infinity",
        "non_finite",
        policy={"non_finite": "forbid"},
    ),
    "an integer of 4,000 digits": refused(
        "b.jsonl", jsonl('{"a": 1.5, "n": ' + "9" * 4_000 + "}"), "", "out_of_range"
    ),
    "an integer of 100,000 digits": refused(
        "b.jsonl", jsonl('{"a": 1.5, "n": ' + "9" * 100_000 + "}"), "not", "malformed_row"
    ),
    "an exponent of nine digits": refused(
        "b.jsonl", jsonl('{"a": 1.5, "n": 1e999999999}'), "", "out_of_range"
    ),
    "a key that comes twice": refused(
        "b.jsonl", jsonl('{"a": 1.5, "a": 2.5, "n": 1}'), "not", "malformed_row"
    ),
    "half a surrogate pair": refused(
        "b.jsonl", jsonl(r'{"a": 1.5, "n": 1, "t": "\ud800"}'), "not", "malformed_row"
    ),
    "UTF-16 lines": refused("b.jsonl", content('{"a": 1}'.encode("utf-16")), "text in utf-16"),
    "bytes that are no text": refused(
        "b.jsonl", content(b'{"a": 1.5, "n": 1}\n\xff\xfe\xfd\n'), "not", "malformed_row"
    ),
    "gzip of 1 GiB in one line": refused(
        "b.jsonl.gz", zipped(b"0" * (16 * MIB), 64), "no line end", "malformed_row"
    ),
    "gzip of empty lines": sound(
        "b.jsonl.gz", zipped(b"\n" * (16 * MIB), 2, b'{"a": 1.5, "n": 1}\n'), 1
    ),
    "two million empty lists in a line": refused(
        "b.jsonl",
        content(b'{"n": 1, "a": [', b"[]," * 2_000_000, b"[]]}\n"),
        "no cell of it fits",
        "nested_mismatch",
        contract=ARRAY,
    ),
    "10,000 keys": refused(
        "b.jsonl",
        content(json.dumps(dict.fromkeys(WIDE, 1.5)).encode()),
        "no such column",
        *MISSING,
    ),
    "half a gzip file of lines": refused(
        "b.jsonl.gz", spoilt(zipped(b'{"a": 1.5, "n": 1}\n' * 9_999, 1), cut(0.6)), "breaks off"
    ),
}

# ----- Arrow -----


def arrow(
    columns: pa.Table | None = None,
    *,
    stream: bool = False,
    rows: int | None = 100,
    compression: Any = None,
) -> Callable[[Path], object]:
    """Write an Arrow file or stream."""

    def write(path: Path) -> None:
        written = table() if columns is None else columns
        options = ipc.IpcWriteOptions(compression=compression)
        open_writer: Any = ipc.new_stream if stream else ipc.new_file
        with open_writer(str(path), written.schema, options=options) as writer:
            writer.write_table(written, max_chunksize=rows)

    return write


def cut_between_messages(data: bytes) -> bytes:
    """Keep the schema and half of the record batches, each of them whole."""
    source, ends = pa.BufferReader(data), list[int]()
    while True:
        try:
            ipc.read_message(source)
        except EOFError:
            return data[: ends[len(ends) // 2]]
        ends.append(source.tell())


def bomb(**options: Any) -> Callable[[Path], object]:
    """Write 400 MB of zeros as one compressed record batch."""

    def write(path: Path) -> None:
        arrow(pa.table({"a": np.zeros(50_000_000)}), rows=None, **options)(path)

    return write


def with_bad_offsets(path: Path) -> None:
    """Have the offsets of a text column point outside of its text."""
    texts = pa.array(["one", "two", "three"])
    _, _, data = texts.buffers()
    offsets = pa.py_buffer(struct.pack("<4i", 0, 3, 1_000_000, 11))
    broken = pa.Array.from_buffers(pa.string(), 3, [None, offsets, data])
    arrow(pa.table({"a": broken}))(path)


def one_text_for_all_in_arrow(path: Path) -> None:
    """Repeat one text of a megabyte a hundred thousand times."""
    indices = pa.array(np.zeros(100_000, np.int32))
    arrow(
        pa.table({"a": pa.DictionaryArray.from_arrays(indices, pa.array(["x" * MIB]))}), rows=None
    )(path)


def nulls_without_end(path: Path) -> None:
    """Claim ten trillion nulls, which take no bytes, where 12,345 were written."""
    arrow(pa.table({"a": pa.nulls(12_345)}), rows=None)(path)
    written, claimed = (struct.pack("<q", rows) for rows in (12_345, 10**13))
    path.write_bytes(path.read_bytes().replace(written, claimed))


ARROW = {
    "an empty Arrow file": refused("b.arrow", content(), "zero bytes"),
    "half an Arrow file": refused("b.arrow", spoilt(arrow(), cut(0.5)), "no whole Arrow file"),
    "half an Arrow stream": refused(
        "b.arrow", spoilt(arrow(stream=True), cut(0.55)), "no whole Arrow stream"
    ),
    "an Arrow stream cut between two messages": refused(
        "b.arrow", spoilt(arrow(stream=True), cut_between_messages), "mark of its end"
    ),
    "two Arrow streams in one": refused(
        "b.arrow", spoilt(arrow(stream=True), twice), "more than its own parts make"
    ),
    "two Arrow files in one": refused(
        "b.arrow", spoilt(arrow(), twice), "more than its own parts make"
    ),
    "Parquet in Arrow's clothes": refused("b.feather", parquet(), "no whole Arrow"),
    "a page of HTML in Arrow's clothes": refused("b.ipc", content(HTML), "no whole Arrow"),
    "offsets that point nowhere": refused(
        "b.arrow", with_bad_offsets, "no whole Arrow file", contract=TEXT
    ),
    "a record batch that unpacks into 400 MB": refused(
        "b.arrow", bomb(compression="zstd"), "unpacks into 381 MiB"
    ),
    "the same in a stream": refused(
        "b.arrow", bomb(stream=True, compression="lz4"), "unpacks into 381 MiB"
    ),
    "nulls without end": refused("b.arrow", nulls_without_end, "claims 10,000,000,000,000 rows"),
    "one text of a megabyte for 100,000 rows": refused(
        "b.arrow", one_text_for_all_in_arrow, "values of up to 1 MiB", contract=TEXT
    ),
}

# ----- arrays -----

PAIRS = np.arange(20.0).reshape(10, 2)


def npy(array: np.ndarray[Any, Any]) -> bytes:
    """Write an array as numpy does."""
    written = io.BytesIO()
    np.lib.format.write_array(written, array)
    return written.getvalue()


def promising(shape: str, dtype: str = "'<f8'", *, fortran: bool = False, held: int = 64) -> bytes:
    """Write a header that promises anything, and a few bytes behind it."""
    header = f"{{'descr': {dtype}, 'fortran_order': {fortran}, 'shape': {shape}, }}".encode()
    return b"\x93NUMPY\1\0" + struct.pack("<H", len(header) + 1) + header + b"\n" + bytes(held)


def archive(*members: tuple[str, bytes]) -> Callable[[Path], object]:
    """Write a compressed archive."""

    def write(path: Path) -> None:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, data in members:
                file.writestr(name, data)

    return write


def archived_zeros(shape: str, size: int, *, fortran: bool = False) -> Callable[[Path], object]:
    """Write an archive with an array of so many bytes of zeros."""

    def write(path: Path) -> None:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as file,
            file.open("x.npy", "w", force_zip64=True) as member,
        ):
            member.write(promising(shape, fortran=fortran, held=0))
            for _ in range(size // (4 * MIB)):
                member.write(bytes(4 * MIB))

    return write


def with_flag(place: int, in_directory: int, value: int) -> Callable[[bytes], bytes]:
    """Set a byte of a zip member's header, and the same in the directory."""

    def spoil(data: bytes) -> bytes:
        spoilt_data = bytearray(data)
        spoilt_data[place] = value
        spoilt_data[data.rindex(b"PK\1\2") + in_directory] = value
        return bytes(spoilt_data)

    return spoil


class _Pickled:
    """Leaves a trace when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("unpickled",)


def pickled(path: Path) -> None:
    """Write an array of an object that runs code when it is loaded."""
    np.save(path, np.array([_Pickled()], dtype=object), allow_pickle=True)


def tensor(*parts: bytes) -> dict[str, Any]:
    """Say that a ``.npy`` file of these bytes is judged by a contract of one tensor."""
    return {"file": "b.npy", "make": content(*parts), "contract": TENSOR}


ARRAYS = {
    "an empty array file": refused(**tensor(), says="no whole array file"),
    "half an array": refused(**tensor(npy(PAIRS)[:-80]), says="promises 160 bytes where 80"),
    "half a header": refused(**tensor(npy(PAIRS)[:20]), says="no whole array file"),
    "two arrays in one file": refused(**tensor(npy(PAIRS) * 2), says="promises 160 bytes"),
    "a trillion rows": refused(**tensor(promising("(10**12, 2)")), says="no whole array file"),
    "a trillion rows, in digits": refused(
        **tensor(promising("(1000000000000, 2)")), says="promises 16,000,000,000,000 bytes"
    ),
    "more rows than any machine counts": refused(
        **tensor(promising("(99999999999999999999999, 2)")), says="promises"
    ),
    "a trillion rows of nothing": refused(
        **tensor(promising("(1000000000000, 0)", held=0)), says="promises 1,000,000,000,000 rows"
    ),
    "a negative shape": refused(**tensor(promising("(-5, 2)")), says="a shape of (-5, 2)"),
    "a shape of truth values": refused(**tensor(promising("(True, 2)", held=16)), says="a shape"),
    "a header that ends too soon": refused(**tensor(promising("(1, 2")), says="no whole array"),
    "an unknown dtype": refused(**tensor(promising("(5, 2)", "'<zz'")), says="no whole array file"),
    "records of several fields": Broken(
        "b.npy",
        content(npy(np.zeros(5, [("a", "f8"), ("n", "i8")]))),
        ("nested_mismatch",),
        "where",
        contract=TENSOR,
    ),
    "a single number": Broken(
        "b.npy",
        content(npy(np.array(3.0))),
        ("shape_mismatch",),
        "of shape ()",
        contract=TENSOR,
    ),
    "columns first": sound(**tensor(npy(np.asfortranarray(PAIRS))), rows=10),
    "the other byte order": sound(**tensor(npy(PAIRS.astype(">f8"))), rows=10),
    "pickled objects": refused("b.npy", pickled, "never loaded", contract=TENSOR),
    "pickled objects in an archive": refused(
        "b.npz",
        archive(("x.npy", promising("(1,)", "'|O'") + b"cos\nmkdir\n(S'unpickled'\ntR.")),
        "never loaded",
        contract=NAMED_TENSOR,
    ),
    "an encrypted archive": refused(
        "b.npz",
        spoilt(archive(("x.npy", npy(PAIRS))), with_flag(6, 8, 1)),
        "encrypted",
        contract=NAMED_TENSOR,
    ),
    "an archive packed by an unknown method": refused(
        "b.npz",
        spoilt(archive(("x.npy", npy(PAIRS))), with_flag(8, 10, 97)),
        "no whole array file",
        contract=NAMED_TENSOR,
    ),
    "half an archive": refused(
        "b.npz", spoilt(archive(("x.npy", npy(PAIRS))), cut(0.5)), "no whole array file"
    ),
    "an archive of text": refused("b.npz", archive(("x.txt", b"hello")), "no whole array file"),
    "an archive of nothing": refused("b.npz", archive(), "none at all", "shape_mismatch"),
    "an archive that names an array twice": refused(
        "b.npz", archive(("x.npy", npy(PAIRS)), ("x", npy(PAIRS))), "several arrays of one name"
    ),
    "an archived trillion rows": refused(
        "b.npz", archive(("x.npy", promising("(1000000000000, 2)"))), "promises"
    ),
    "an archived array that breaks off": lying(
        "b.npz",
        spoilt(
            archive(("x.npy", npy(np.random.default_rng(0).random((10_000, 2))))),
            lambda data: data[:9_000] + bytes(1_000) + data[10_000:],
        ),
        contract=NAMED_TENSOR,
    ),
    "an archive of 5,000 arrays": refused(
        "b.npz",
        archive(*((f"c{i}.npy", npy(PAIRS[:, 0])) for i in range(5_000))),
        "no such column",
        "missing_column",
        contract=NAMED_TENSOR,
    ),
    "an archive that unpacks into 1.2 GB": sound(
        "b.npz", archived_zeros(f"({75 * MIB}, 2)", 1_200 * MIB), 75 * MIB, contract=NAMED_TENSOR
    ),
    "an archive of columns that unpacks into 512 MiB": refused(
        "b.npz", archived_zeros(f"({32 * MIB}, 2)", 512 * MIB, fortran=True), "Fortran order"
    ),
    "an archive of rows of 256 MiB": refused(
        "b.npz", archived_zeros(f"(2, {32 * MIB})", 512 * MIB), "rows of 256 MiB each"
    ),
}

# ----- what is no file -----


def folder(**files: Callable[[Path], object]) -> Callable[[Path], object]:
    """Make a folder of files; ``_`` in a keyword stands for the dot before the ending."""

    def write(path: Path) -> None:
        path.mkdir()
        for name, make in files.items():
            stem, _, ending = name.rpartition("_")
            make(path / f"{stem}.{ending}")

    return write


def link_to(target: str) -> Callable[[Path], object]:
    """Make a symbolic link."""
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    """Make a socket; a short name is enough, wherever the folder lies."""
    here = Path.cwd()
    os.chdir(path.parent)
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


PLACES = {
    "a folder named like a file": sound("b.parquet", folder(part_parquet=parquet()), ROWS),
    "an empty folder": refused("batch", folder(), "a folder without files"),
    "a folder of hidden files": refused(
        "batch", lambda path: (path.mkdir(), parquet()(path / ".b.parquet")), "without files"
    ),
    "one broken file among good ones": refused(
        "batch",
        folder(a_parquet=parquet(), b_parquet=content(HTML), c_csv=content(GOOD)),
        "no whole Parquet file",
    ),
    "a folder with a link in a circle": sound(
        "batch",
        folder(a_parquet=parquet(), again_d=lambda path: path.symlink_to(path.parent)),
        ROWS,
    ),
    "a folder with a link to itself": refused(
        "batch", folder(a_parquet=parquet(), b_csv=link_to("b.csv")), "neither a file nor a folder"
    ),
    "a folder with a pipe": refused(
        "batch", folder(a_parquet=parquet(), b_csv=os.mkfifo), "neither a file nor a folder"
    ),
    "a pipe": misused("b.parquet", os.mkfifo, "UnsupportedBatch"),
    "a socket": misused("b.csv", listening, "UnsupportedBatch"),
    "a file without end": misused("b.csv", link_to("/dev/zero"), "UnsupportedBatch"),
    "a link to itself": misused("b.csv", link_to("b.csv"), "BatchNotFound"),
    "a link to nowhere": misused("b.csv", link_to("nowhere"), "BatchNotFound"),
    "a name that promises nothing": misused("b.xlsx", content(b"PK"), "UnsupportedBatch"),
}

ZOO: dict[str, Broken] = PARQUET | CSV | JSON_LINES | ARROW | ARRAYS | PLACES
