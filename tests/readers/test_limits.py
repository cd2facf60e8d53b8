"""docs/limits.md says what the code has."""

# ruff: noqa: SLF001 - the bounds are private to their modules; the page is what is public
from __future__ import annotations

import pytest
from repository import ROOT

from signature_gate.expectations import documents
from signature_gate.expectations.batch import arrow_types as arrivals
from signature_gate.expectations.contract import signature
from signature_gate.expectations.readers import arrow_ipc as arrow_files
from signature_gate.expectations.readers import csv_reader as csv_records
from signature_gate.expectations.readers import npy_files as array_files
from signature_gate.expectations.readers import parquet_footer as footer_bytes
from signature_gate.expectations.readers.json_lines import kept
from signature_gate.expectations.readers.json_lines import parser as json_records
from signature_gate.expectations.rules import condition_parser, pattern_timer
from signature_gate.expectations.verdict import verdict

PAGE = ROOT / "docs" / "limits.md"
MIB, GIB = 20, 30
# What the page names, the bounds in force, and how the page puts them.
LIMITS = {
    "one CSV record, one JSON line": (
        {csv_records.LONGEST_RECORD, json_records._LONGEST_LINE},
        lambda bound: f"{bound >> MIB} MiB",
    ),
    "JSON lines of all open files that are kept for the next reading": (
        {kept._MOST_KEPT},
        lambda bound: f"{bound >> MIB} MiB",
    ),
    "columns of a CSV file, of a signature": (
        {csv_records.MOST_COLUMNS, signature._MOST_COLUMNS},
        lambda bound: f"{bound:,}",
    ),
    "levels of nesting in a schema": ({arrivals.DEEPEST}, str),
    "an Arrow record batch, unpacked": (
        {(arrow_files._MUCH, arrow_files._MANIFOLD)},
        lambda bound: f"{bound[0] >> MIB} MiB, or {bound[1]} times the file if that is more",
    ),
    "a page of a Parquet column, unpacked": (
        {(footer_bytes.MUCH, footer_bytes._MANIFOLD)},
        lambda bound: f"{bound[0] >> MIB} MiB, or {bound[1]} times the file if that is more",
    ),
    "rows of one Arrow record batch": ({arrow_files._MOST_ROWS}, {2**31: "2³¹"}.get),
    "one row of an array; an archived array in Fortran order": (
        {array_files._WHOLE},
        lambda bound: f"{bound >> MIB} MiB",
    ),
    "arrays in one `.npz`": ({array_files._MOST_ARRAYS}, lambda bound: f"{bound:,}"),
    "text repeated by a dictionary, in one row group or record batch": (
        {footer_bytes._MOST_TEXT, arrow_files._MOST_TEXT},
        lambda bound: f"{bound >> GIB} GiB",
    ),
    "a policy, feed, suite, rules or `MLmodel` file": (
        {(documents._LARGEST, documents._DEEPEST, documents._MOST_VALUES)},
        lambda bound: f"{bound[0] >> MIB} MiB, {bound[1]} levels, {bound[2]:,} values",
    ),
    "comparisons in a rule's `row_condition`": (
        {(condition_parser._MOST_CONDITIONS, condition_parser._DEEPEST)},
        lambda bound: f"{bound[0]}, nested {bound[1]} deep",
    ),
    "processor time of a rule's patterns that only Python's `re` knows": (
        {(pattern_timer._SECONDS, pattern_timer._AT_ONCE)},
        lambda bound: f"{bound[0]} s for {bound[1]:,} distinct texts",
    ),
    "violations listed in an error's text": (
        {verdict._LISTED},
        lambda bound: f"{bound}; the verdict has all",
    ),
}


@pytest.mark.parametrize("what", LIMITS)
def test_the_page_names_the_bound_that_is_in_force(what: str) -> None:
    """A bound that is changed in the code alone makes the page wrong."""
    (bound,), words = LIMITS[what]

    assert f"| {what} | {words(bound)} |" in PAGE.read_text("utf-8").splitlines()


def test_every_bound_of_the_page_is_held_to_the_code() -> None:
    """No row of the page is typed alone."""
    rows = [line for line in PAGE.read_text("utf-8").splitlines() if line.startswith("| ")]

    assert [row.split(" | ")[0].removeprefix("| ") for row in rows[1:]] == list(LIMITS)
