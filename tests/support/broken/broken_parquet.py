"""Broken Parquet files: footers that are false or contradict themselves, damaged pages."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from broken import (
    BILLION,
    HTML,
    INT32,
    MIB,
    PNG,
    ROWS,
    TEXT,
    WIDE,
    WIDE_LINE,
    content,
    cut,
    lying,
    refused,
    sound,
    spoilt,
    table,
    twice,
)
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

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def parquet(columns: pa.Table | None = None, **options: Any) -> Callable[[Path], object]:
    """Write a Parquet file."""
    return lambda path: pq.write_table(table() if columns is None else columns, path, **options)


def forged(
    lie: Callable[[Struct], None], columns: pa.Table | None = None, **options: Any
) -> Callable[[Path], object]:
    """Write a Parquet file with a false footer."""

    def write(path: Path) -> None:
        parquet(columns, **options)(path)
        forge(path, lie)

    return write


def counting(whole: int, group: int = ROWS, values: int = ROWS) -> Callable[[Struct], None]:
    """State a false number of rows: of the file, of its row group, of its columns."""

    def lie(footer: Struct) -> None:
        footer[NUM_ROWS] = whole
        footer[ROW_GROUPS][0][GROUP_ROWS] = group
        for column in footer[ROW_GROUPS][0][COLUMNS]:
            column[META][NUM_VALUES] = values

    return lie


def saying(number: int, value: int, column: int = 0) -> Callable[[Struct], None]:
    """State something false about a column."""

    def lie(footer: Struct) -> None:
        chunk(footer, column)[number] = value

    return lie


def nothing_is_null(footer: Struct) -> None:
    """State that a column has no null."""
    chunk(footer, 1)[STATISTICS][NULL_COUNT] = 0


def all_are_small(footer: Struct) -> None:
    """State a false maximum, in the current field and in the deprecated one."""
    for number in (MAX_VALUE, 1):
        chunk(footer, 1)[STATISTICS][number] = (5).to_bytes(8, "little")


def of_another_type(footer: Struct) -> None:
    """Change a column's physical type to integer, but not in the schema."""
    chunk(footer)[1] = 2


def with_a_short_bound(footer: Struct) -> None:
    """Write a bound of 64 bits as three bytes."""
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
        "b.parquet", forged(counting(2_000, 2_000, 2_000)), "pages that lack 1,000 of the rows"
    ),
    # Rows that the footer does not count are no rows of the file: all readers agree.
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
    "2,000 columns of text in Parquet, all of them numbers": sound(
        "b.parquet",
        parquet(pa.table(dict.fromkeys(WIDE_LINE, pa.array(["1.5"])))),
        1,
        contract=WIDE_LINE,
        policy={"parse_text": "allow"},
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
