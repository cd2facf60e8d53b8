"""Broken CSV files: wrong encodings, quotes, line ends and headers."""

from __future__ import annotations

import gzip
import zipfile
from typing import TYPE_CHECKING

from broken import HTML, MIB, PNG, WIDE, WIDE_LINE, content, cut, refused, sound, spoilt
from broken_parquet import parquet

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path


HEAD = b"a,n\n"
GOOD = HEAD + b"1.5,1\n2.5,2\n"


def zipped(block: bytes, times: int, head: bytes = b"") -> Callable[[Path], object]:
    """Write a gzip file of one block, repeated."""

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
        "b.csv", content(GOOD, b"3\0,3\n"), "text that is not a number", "unparseable"
    ),
    "a PNG": refused("b.csv", content(PNG), "header", "malformed_row"),
    "a page of HTML in CSV's clothes": refused("b.csv", content(HTML), "no such column", *MISSING),
    "Parquet in CSV's clothes": refused("b.csv", parquet(), "header"),
    # The first bytes tell how it is packed.
    "a zip archive in gzip's clothes": sound(
        "b.csv.gz", lambda path: zipfile.ZipFile(path, "w").writestr("b.csv", GOOD), 2
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
    "2,000 columns in CSV, all of them the model's": sound(
        "b.csv", wide_csv(WIDE_LINE, "1.5"), 1, contract=WIDE_LINE
    ),
    "10,000 columns in CSV": refused("b.csv", wide_csv(WIDE, "1.5"), "no such column", *MISSING),
}
