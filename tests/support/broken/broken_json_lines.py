"""Broken JSON lines: values that are no objects, invalid JSON, and oversized lines."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from broken import ARRAY, MIB, WIDE, content, cut, refused, sound, spoilt
from broken_csv import MISSING, zipped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def jsonl(*lines: str) -> Callable[[Path], object]:
    """Write a valid line, then these."""
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
