"""Text that stands for values: the grammar, cell by cell, against exact arithmetic."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from fractions import Fraction
from functools import reduce
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from small_checks import (
    SPLIT,
    accepted,
    check_column,
    contract,
    kinds,
    mlflow_accepts,
    rows_of,
    split,
    violations_in,
)

from signature_gate import Policy, check
from signature_gate.expectations.conform import text as grammar
from signature_gate.expectations.conform.text import parse_column, usual_instants
from signature_gate.expectations.contract.policy import CsvDialect

if TYPE_CHECKING:
    from pathlib import Path

# Each example holds many cells.
few = settings(max_examples=settings.default.max_examples // 4)
PARSED = ["boolean", "integer", "long", "float", "double", "datetime"]
TEXT = split(parse_text="allow", sample_rows=10_000, csv={"quoted_empty": "value"})
OK, BEYOND, LOSSY, NONSENSE = "ok", "out_of_range", "not_representable", "unparseable"
LONG_MAX, INT_MAX = 2**63 - 1, 2**31 - 1


def fates(texts: list[str], target: Any, **policy: Any) -> list[str]:
    """Judge texts for a type; say what becomes of each."""
    chosen = TEXT.model_copy(update=policy)
    result = check_column(pa.table({"a": pa.array(texts, pa.string())}), target, chosen)
    seen = {row: violation.kind for violation in result.violations for row in violation.rows}
    return [seen.get(row, OK) for row in range(len(texts))]


def values(texts: list[str], target: Any, **policy: Any) -> list[Any]:
    """Have texts of a type handed over; every one of them must be accepted."""
    chosen = TEXT.model_copy(update=policy)
    result = check_column(pa.table({"a": pa.array(texts, pa.string())}), target, chosen)
    assert result.passed, result.violations
    frame = result.model_input()
    mlflow_accepts(frame, contract(a=target))
    return frame["a"].tolist()


# ----- numbers -----

WHOLE = {
    "0": 0,
    "-0": 0,
    "+7": 7,
    "007": 7,
    " 42 ": 42,
    "\t42\u00a0": 42,
    "42.": 42,
    "42.000": 42,
    "-1.0": -1,
    "1e3": 1000,
    "1.5E+1": 15,
    "120e-1": 12,
    "0.0": 0,
    ".0": 0,
    "0e9": 0,
    "1.000000000000000000e+03": 1000,
    "2147483647": INT_MAX,
    "-2147483648": -(2**31),
}
NO_NUMBER = [
    *("", " ", "x", "1x", "0x10", "1_000", "1,000", "1 000", "--1", "+-1", "1-", "+", ".", "e5"),
    *(
        "1e",
        "1e+",
        "1e1.0",
        "1..0",
        "1.0.0",
        "\uff15",
        "\u0663",
        "1\u0660",
        "\u00bd",
        "1\n2",
        "1\0",
        "True",
    ),
    *("NULL", "None", "NA", "1 e3", "$1", "1%", "(1)"),
]
NOT_WHOLE = ["0.5", "1.0000000000000000001", "1e-1", "1e-400", "nan", "inf", "-Infinity", "1.1e0"]


@pytest.mark.parametrize("target", ["integer", "long"])
def test_whole_numbers_are_read_in_every_spelling(target: str) -> None:
    """Digits, with sign, point, exponent or spaces, are the integer that they spell."""
    assert values([*WHOLE], target) == [*WHOLE.values()]


@pytest.mark.parametrize("text", [*NO_NUMBER, *NOT_WHOLE])
@pytest.mark.parametrize("target", ["integer", "long"])
def test_what_is_no_whole_number_is_unparseable_for_an_integer(target: str, text: str) -> None:
    """No text is rounded, truncated or guessed into an integer."""
    assert fates([text], target) == [NONSENSE]


@pytest.mark.parametrize("text", NO_NUMBER)
@pytest.mark.parametrize("target", ["float", "double"])
def test_what_is_no_number_is_unparseable_for_a_float(target: str, text: str) -> None:
    """No text that merely resembles a number becomes one, or null."""
    assert fates([text], target) == [NONSENSE]


@pytest.mark.parametrize(
    ("target", "edges"),
    [
        ("integer", {INT_MAX + 1: BEYOND, -(2**31) - 1: BEYOND, "1e10": BEYOND, "1e400": BEYOND}),
        ("integer", {"2147483647.0": OK, "2147483648.00": BEYOND, "-2147483648.": OK}),
        ("long", {LONG_MAX: OK, LONG_MAX + 1: BEYOND, -(2**63): OK, -(2**63) - 1: BEYOND}),
        ("long", {2**53 + 1: OK, f"{LONG_MAX}.0": OK, "9007199254740993.0": OK, 10**40: BEYOND}),
        ("long", {"1e15": OK, "9e15": OK, "1e18": BEYOND, "1e19": BEYOND, "1e400": BEYOND}),
        ("long", {"9007199254740993e0": NONSENSE, "90071992547409930e-1": NONSENSE}),
        ("double", {2**53: OK, 2**53 + 1: LOSSY, -(2**53) - 1: LOSSY, 2**53 + 2: OK}),
        ("double", {LONG_MAX: LOSSY, 2**63: OK, 10**22: OK, 10**23: LOSSY, 10**60: LOSSY}),
        ("double", {"9007199254740993.0": OK, "1e308": OK, "1e309": BEYOND, "-1e400": BEYOND}),
        ("double", {"1e-400": OK, "0.1": OK, "1" * 400: BEYOND}),
        ("float", {2**24: OK, 2**24 + 1: LOSSY, -(2**24) - 1: LOSSY, 2**24 + 2: OK}),
        ("float", {"16777217.0": OK, "0.1": OK, "3.4e38": OK, "3.5e38": BEYOND, "-1e39": BEYOND}),
    ],
)
def test_numbers_are_judged_to_the_last_digit(target: str, edges: dict[Any, str]) -> None:
    """Ranges and exactness hold for the number as written, not for what a float makes of it."""
    assert fates([str(text) for text in edges], target) == [*edges.values()]


def test_integer_text_is_rounded_where_the_policy_allows_it() -> None:
    """lossy_floats: allow takes the nearest double; what overflows stays out of range."""
    texts = [str(2**53 + 1), str(LONG_MAX)]

    assert values(texts, "double", lossy_floats="allow") == [2.0**53, 2.0**63]
    assert fates(["1" * 400, "x"], "double", lossy_floats="allow") == [BEYOND, NONSENSE]


@pytest.mark.parametrize("target", ["float", "double"])
def test_words_for_infinity_and_nan_are_numbers_of_a_float_type(target: str) -> None:
    """inf, infinity and nan are read in any case, with a sign; the policy says what NaN is."""
    words = ["inf", "+INF", "-inf", "Infinity", "-infinity", "nan", "NaN", "+nan", "-NAN"]

    handed = values(words, target, nan="value")

    assert handed[:5] == [np.inf, np.inf, -np.inf, np.inf, -np.inf]
    assert np.isnan(handed[5:]).all()
    assert fates(words, target)[5:] == ["null"] * 4


_ASCII_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHORT = re.compile(r"[+-]?([0-9]{1,20}\.?[0-9]{0,20}|\.[0-9]{1,20})([eE][+-]?[0-9]{1,3})?")
_PLAIN = re.compile(r"[+-]?[0-9]+(\.0*)?")
_NUMBER_LIKE = st.one_of(
    st.text("0123456789+-.eE _,\uff15\u0663 \t", max_size=8),
    st.from_regex(_SHORT, fullmatch=True),
    st.integers(-(2**70), 2**70).map(str),
    st.integers(-(2**70), 2**70).map("{}.0".format),
    st.floats().map(repr),
    st.floats(width=32).map(repr),
    st.decimals(allow_nan=False, allow_infinity=False, places=3).map(str),
)


def _fate_of_integer(text: str, low: int, high: int) -> str:
    if not _ASCII_NUMBER.fullmatch(text):
        return NONSENSE
    if _PLAIN.fullmatch(text):
        return OK if low <= int(text.split(".", maxsplit=1)[0]) <= high else BEYOND
    mantissa, _, exponent = text.lower().partition("e")
    digits = re.sub("[^0-9]", "", mantissa).strip("0")
    if not digits:
        return OK
    if abs(int(exponent or 0)) > 400:
        return BEYOND if int(exponent) > 0 and len(digits) <= 15 else NONSENSE
    number = Fraction(text)
    if number.denominator != 1 or len(digits) > 15:
        return NONSENSE
    return OK if max(low, -(2**53)) <= number <= min(high, 2**53) else BEYOND


@few
@given(texts=st.lists(_NUMBER_LIKE, min_size=1, max_size=40))
@example(texts=["1.0000000000000000001", "90071992547409930e-1", "1e-400"])
@pytest.mark.parametrize(
    ("target", "low", "high"), [("integer", -(2**31), INT_MAX), ("long", -(2**63), LONG_MAX)]
)
def test_integers_agree_with_exact_arithmetic(target: str, low: int, high: int, texts: Any) -> None:
    """For any text the fate and the value are those of exact arithmetic."""
    expected = [_fate_of_integer(text.strip(), low, high) for text in texts]

    assert fates(texts, target) == expected
    good = [text for text, fate in zip(texts, expected, strict=True) if fate == OK]
    if good:
        assert values(good, target) == [int(_exact(text.strip())) for text in good]


_NEAREST = {"float": np.float32, "double": np.float64}


@few
@given(texts=st.lists(_NUMBER_LIKE, min_size=1, max_size=40))
@pytest.mark.parametrize("target", ["float", "double"])
def test_floats_are_the_nearest_of_their_type(target: str, texts: list[str]) -> None:
    """For any number as text no other value of the type is nearer; integers are exact."""
    dtype = _NEAREST[target]
    stripped = [text.strip() for text in texts]
    numbers = [t for t in stripped if _ASCII_NUMBER.fullmatch(t) and len(t) < 300]
    seen = dict(zip(stripped, fates(stripped, target), strict=True))

    assert all((seen[t] == NONSENSE) != bool(_is_float(t)) for t in stripped)
    good = [text for text in numbers if seen[text] == OK]
    for text, value in zip(good, values(good, target) if good else [], strict=True):
        gap = abs(Fraction(value) - _exact(text))
        with np.errstate(over="ignore"):
            beside = [np.nextafter(dtype(value), dtype(way)) for way in (-np.inf, np.inf)]
        finite = [Fraction(float(other)) for other in beside if np.isfinite(other)]
        assert all(gap <= abs(other - _exact(text)) for other in finite)
        if re.fullmatch("[+-]?[0-9]+", text):
            assert gap == 0


def _is_float(text: str) -> bool:
    words = r"[+-]?(inf|infinity|nan)"
    return bool(_ASCII_NUMBER.fullmatch(text) or re.fullmatch(words, text, re.IGNORECASE))


def _exact(text: str) -> Fraction:
    number = Decimal(text)
    return Fraction(number) if number and number.adjusted() > -400 else Fraction(0)


# ----- decimal comma -----


@pytest.mark.parametrize(
    ("text", "fate"),
    [
        ("1,5", OK),
        ("-1,5e2", OK),
        (",5", OK),
        ("7", OK),
        ("1.5", NONSENSE),
        ("1.500", NONSENSE),
        ("1.234,5", NONSENSE),
        ("1,234,5", NONSENSE),
        (",", NONSENSE),
    ],
)
def test_a_decimal_comma_is_the_only_point(text: str, fate: str) -> None:
    """Under csv.decimal "," a point is no decimal point: 1.500 may mean fifteen hundred."""
    assert fates([text], "double", csv=_COMMA) == [fate]


def test_a_decimal_comma_is_read_for_floats_and_integers() -> None:
    """The comma stands where the point would, in an integer with a gap too."""
    assert values(["1,5", ",25", "-2,0e1"], "double", csv=_COMMA) == [1.5, 0.25, -20.0]
    assert values(["42,0", "7"], "long", csv=_COMMA) == [42, 7]


_COMMA = split(csv={"decimal": ","}).csv


# ----- booleans -----


def test_booleans_are_two_words_and_two_digits() -> None:
    """true, false, 1 and 0 in any case, with spaces around."""
    texts = ["true", "False", "TRUE", "1", "0", " false "]

    assert values(texts, "boolean") == [True, False, True, True, False, False]


@pytest.mark.parametrize("text", ["", "yes", "no", "y", "2", "-1", "1.0", "01", "on", "nan"])
def test_no_other_word_is_a_boolean(text: str) -> None:
    """Words that some readers take for booleans are unparseable."""
    assert fates([text], "boolean") == [NONSENSE]


# ----- datetimes -----

_MIDNIGHT = "2013-07-01"
INSTANTS = {
    _MIDNIGHT: "2013-07-01",
    f" {_MIDNIGHT} ": "2013-07-01",
    "2013-07-01T05:06": "2013-07-01T05:06",
    "2013-07-01 05:06:07": "2013-07-01T05:06:07",
    "2013-07-01T05:06:07.1": "2013-07-01T05:06:07.1",
    "2013-07-01T05:06:07,25": "2013-07-01T05:06:07.25",
    "2013-07-01T05:06:07.123456789": "2013-07-01T05:06:07.123456789",
    "2016-02-29": "2016-02-29",
    "1677-09-21T00:12:43.145224193": "1677-09-21T00:12:43.145224193",
    "2262-04-11T23:47:16.854775807": "2262-04-11T23:47:16.854775807",
}
WITH_OFFSET = {
    "2013-07-01T05:06:07Z": "2013-07-01T05:06:07",
    "2013-07-01T05:06:07z": "2013-07-01T05:06:07",
    "2013-07-01T05:06:07.5+02:00": "2013-07-01T03:06:07.5",
    "2013-07-01 05:06+0530": "2013-06-30T23:36",
    "2013-07-01T20:30-0430": "2013-07-02T01:00",
    "2013-07-01T05:06-09": "2013-07-01T14:06",
    "2013-07-01T00:00:00-00:00": "2013-07-01",
    "2013-07-01+02:00": "2013-06-30T22:00",
    "2262-04-12T00:47:16.854775807+01:00": "2262-04-11T23:47:16.854775807",
    # As BigQuery, Snowflake and SQL Server write them.
    "2013-07-01 05:06:07 UTC": "2013-07-01T05:06:07",
    "2013-07-01 05:06:07.123456 +0000": "2013-07-01T05:06:07.123456",
    "2013-07-01 05:06:07 Z": "2013-07-01T05:06:07",
    "2013-07-01 05:06:07.1234567 +00:00": "2013-07-01T05:06:07.1234567",
    "2013-07-01 05:06 +02:00": "2013-07-01T03:06",
}


def _numbers(instants: Any) -> list[int]:
    return [pd.Timestamp(text).as_unit("ns").value for text in instants]


@pytest.mark.parametrize("zone", ["forbid", "utc"])
def test_instants_are_read_to_the_nanosecond(zone: str) -> None:
    """ISO 8601 without offset means what it says, whatever the policy on zones."""
    handed = values([*INSTANTS], "datetime", timezone=zone)

    assert [stamp.value for stamp in handed] == _numbers(INSTANTS.values())


def test_an_offset_is_converted_to_utc_where_the_policy_says_so() -> None:
    """Under timezone: utc offsets of every spelling are subtracted; else they are unparseable."""
    handed = values([*WITH_OFFSET], "datetime", timezone="utc")

    assert [stamp.value for stamp in handed] == _numbers(WITH_OFFSET.values())
    assert fates([*WITH_OFFSET], "datetime") == [NONSENSE] * len(WITH_OFFSET)


NO_ISO = """
    x now 2013 2013-07 20130701 01/07/2013 2013-7-1 13-07-01 12013-07-01 -2013-07-01 1372654800
    2013-02-29 2013-13-01 2013-00-01 2013-01-32 2013-07-01T 2013-07-01T05 2013-07-01T5:06
    2013-07-01T24:00 2013-07-01T05:60 2013-07-01T05:06:60 2013-07-01T05:06:07. 2013-07-01X05:06
    2013-07-01T05:06:07.1234567890 2013-07-01T05:06+24:00 2013-07-01T05:06+2 2013-07-01T05:06+02:60
    \uff12013-07-01 2013-07-01T0\uff15:06 2013-07-01T05:06:07.\uff15
"""


@pytest.mark.parametrize("text", ["", "2013-07-01  05:06", *NO_ISO.split()])
def test_what_is_no_iso_8601_is_unparseable(text: str) -> None:
    """Nothing is completed, reordered or guessed into an instant."""
    assert fates([text], "datetime", timezone="utc") == [NONSENSE]


@pytest.mark.parametrize(
    "text",
    [
        "0000-01-01",
        "0001-01-01",
        "1677-09-21T00:12:43.145224192",
        "1677-09-21",
        "9999-12-31",
        "2262-04-11T23:47:16.854775808",
        "2262-04-12",
        "2262-04-11T23:47:16.854775807-00:01",
    ],
)
def test_instants_beyond_nanoseconds_are_out_of_range(text: str) -> None:
    """An instant that datetime64[ns] cannot hold is named as such, never wrapped around."""
    assert fates([text], "datetime", timezone="utc") == [BEYOND]


@few
@given(
    instants=st.lists(
        st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1), timezones=st.timezones()),
        min_size=1,
        max_size=9,
    )
)
def test_what_python_writes_is_read_as_the_same_instant(instants: list[dt.datetime]) -> None:
    """isoformat with an offset of whole minutes, read under timezone: utc, is the same instant."""
    whole = [
        i for i in instants if not (i.utcoffset() or dt.timedelta(0)) % dt.timedelta(minutes=1)
    ]
    if not whole:
        return

    handed = values([i.isoformat() for i in whole], "datetime", timezone="utc")

    assert handed == [i.astimezone(dt.UTC).replace(tzinfo=None) for i in whole]


# ----- text in sources of either kind -----


every_parsed_type = pytest.mark.parametrize("target", PARSED)


@every_parsed_type
def test_typed_text_is_a_mismatch_unless_the_policy_has_it_parsed(target: str) -> None:
    """In a source with types text is text; the message says how to have it parsed."""
    result = check_column(pa.table({"a": ["1"]}), target)

    assert kinds(result) == ["type_mismatch"]
    assert "parse_text: allow" in result.violations[0].remedy


@few
@given(texts=st.lists(_NUMBER_LIKE, min_size=1, max_size=20), target=st.sampled_from(PARSED))
def test_csv_and_typed_text_follow_one_grammar(
    target: str, texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A cell means the same in a CSV file and in a text column."""
    path: Path = tmp_path_factory.getbasetemp() / "grammar.csv"
    path.write_text("a\n" + "".join(f'"{text}"\n' for text in texts), "utf-8")

    in_csv = check_column(path, target, TEXT)
    in_arrow = check_column(pa.table({"a": pa.array(texts, pa.string())}), target, TEXT)

    assert [(v.kind, v.rows) for v in in_csv.violations] == [
        (v.kind, v.rows) for v in in_arrow.violations
    ]


@every_parsed_type
def test_null_among_text_is_null_and_nothing_else(target: str) -> None:
    """A null cell is no unparseable one, and parsing makes no null of a value."""
    good = {"datetime": _MIDNIGHT}.get(target, "1")
    batch = pa.table({"a": pa.array([None, good, "?"], pa.string())})

    result = check_column(batch, target, TEXT)

    assert rows_of(result, "null") == [0]
    assert rows_of(result, NONSENSE) == [2]


def test_text_for_text_is_left_alone() -> None:
    """A string column takes text as it is: spaces, digits and words for nothing in particular."""
    texts = [" 1 ", "", "nan", "true", "2013-07-01", "\u00a0"]

    result = check(pa.table({"a": texts}), contract(a="string"), TEXT)

    assert result.model_input()["a"].tolist() == texts


# ----- notations that the policy names -----


def test_grouped_digits_are_read_where_the_policy_names_the_mark() -> None:
    """Groups of three, and of two as in India; a mark elsewhere makes no number."""
    commas, points = CsvDialect(thousands=","), CsvDialect(thousands=".", decimal=",")

    assert values(["1,234", "-12,34,567", "5"], "long", csv=commas) == [1234, -1234567, 5]
    assert values(["1,234.50", "+1,000e2"], "double", csv=commas) == [1234.5, 100_000]
    assert values(["1.234,50", "1.000"], "double", csv=points) == [1234.5, 1000]
    wrong = ["1,23", "1,2345", ",123", "1,,234", "1234,567", "1.234,567"]
    assert fates(wrong, "double", csv=commas) == [NONSENSE] * len(wrong)


def test_words_of_the_policy_are_booleans_beside_the_usual_ones() -> None:
    """In any case, as the usual ones."""
    dialect = CsvDialect(true_values=("Y", "ja"), false_values=("N",))

    assert values(["y", "JA", "t", "1"], "boolean", csv=dialect) == [True] * 4
    assert values(["n", "N", "f", "0"], "boolean", csv=dialect) == [False] * 4
    assert fates(["Y"], "boolean") == [NONSENSE]


def test_a_format_of_the_policy_takes_the_place_of_iso_8601() -> None:
    """To the nanosecond, and what nanoseconds cannot hold is out of range."""
    dialect = CsvDialect(datetime_format="%d.%m.%Y %H:%M:%S.%f")

    handed = values(["31.12.2020 23:59:59.123456789"], "datetime", csv=dialect)
    assert [stamp.value for stamp in handed] == _numbers(["2020-12-31T23:59:59.123456789"])
    odd = ["31.12.9999 00:00:00.0", "2020-12-31", "31.02.2020 00:00:00.0", ""]
    assert fates(odd, "datetime", csv=dialect) == [BEYOND, *[NONSENSE] * 3]


def test_a_format_with_an_offset_is_converted_to_utc() -> None:
    """Under timezone: utc, without which the policy is refused."""
    dialect = CsvDialect(datetime_format="%d/%m/%Y %H:%M %z")

    handed = values(["01/07/2013 05:06 +0200"], "datetime", csv=dialect, timezone="utc")

    assert [stamp.value for stamp in handed] == _numbers(["2013-07-01T03:06"])


@pytest.mark.parametrize("target", PARSED)
def test_a_quoted_empty_cell_is_null_in_all_columns_but_text(target: str, tmp_path: Path) -> None:
    """As pandas and ``QUOTE_ALL`` write null; the policy can have it as a value."""
    (tmp_path / "a.csv").write_text('n,a\n1,""\n')
    judged_by = contract(("n", "a"), n="long", a=target)
    text = check(tmp_path / "a.csv", contract(n="long", a="string"))
    value = Policy.parse({"csv": {"quoted_empty": "value"}})

    assert {v.kind for v in check(tmp_path / "a.csv", judged_by).violations} <= {"null"}
    assert kinds(check(tmp_path / "a.csv", judged_by, value)) == [NONSENSE]
    assert text.model_input()["a"].tolist() == [""]


def test_text_that_commonly_stands_for_null_is_warned_of(tmp_path: Path) -> None:
    """In columns of text, with counts; a policy with null values decides, and nothing is said."""
    (tmp_path / "a.csv").write_text("a\nNA\nx\n\\N\nNAN\n")

    result = check(tmp_path / "a.csv", contract(a="string"))
    decided = check(tmp_path / "a.csv", contract(a="string"), Policy(null_values=("-",)))

    assert result.passed
    assert [(v.kind, v.count, v.severity) for v in result.violations] == [("null", 2, "warning")]
    assert result.model_input()["a"].tolist() == ["NA", "x", "\\N", "NAN"]
    assert decided.violations == ()


# ----- bytes that stand for text, and text for bytes -----


def test_bytes_are_text_where_the_policy_says_so(tmp_path: Path) -> None:
    """UTF-8 only, at any depth; other bytes are set apart."""
    cells = pa.array([b"north", "süd".encode(), b"\xff", None])
    result = check_column(pa.table({"a": cells}), "string", split(binary_as_text="allow"))
    lists = {"type": "array", "items": {"type": "string"}}
    nested = check(
        pa.table({"a": [[b"x", b"y"]]}), contract(a=lists), Policy(binary_as_text="allow")
    )

    assert violations_in(result) == [("null", "a", 1), (NONSENSE, "a", 1)]
    assert [row["a"] for row in accepted(result)] == ["north", "süd"]
    assert nested.model_input()["a"][0].tolist() == ["x", "y"]


def test_json_has_bytes_in_base64(tmp_path: Path) -> None:
    """As MLflow's server takes them, nested ones too; other text is set apart."""
    lines = ['{"a": "YWI=", "b": ["YWI="]}', '{"a": "a b", "b": []}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    lists = {"type": "array", "items": {"type": "binary"}}

    result = check(tmp_path / "a.jsonl", contract(a="binary", b=lists), SPLIT)

    assert violations_in(result) == [(NONSENSE, "a", 1)]
    assert result.violations[0].remedy == "Deliver 'a' in base64, as JSON has no bytes."
    assert [(row["a"], row["b"]) for row in accepted(result)] == [(b"ab", [b"ab"])]


# ----- values that stand for null in typed columns -----


@pytest.mark.parametrize(
    ("cells", "target", "text"),
    [
        (pa.array([-9999, 1]), "double", "-9999"),
        (pa.array([-9999, 1], pa.int16()), "double", "-9999"),
        (pa.array([-9.5, 1.0]), "double", "-9.5"),
        (pa.array([dt.date(9999, 12, 31), dt.date(2020, 1, 1)]), "datetime", "9999-12-31"),
        *(
            (
                pa.array([dt.datetime(9999, 12, 31), dt.datetime(2020, 1, 1)], pa.timestamp(unit)),
                "datetime",
                text,
            )
            for unit in ("s", "ms", "us")
            for text in ("9999-12-31", "9999-12-31T00:00:00Z")
        ),
        (pa.array([dt.datetime(1900, 1, 1), None], pa.timestamp("ns")), "datetime", "1900-01-01"),
    ],
)
def test_null_values_of_typed_columns_are_null(cells: Any, target: str, text: str) -> None:
    """A sentinel is null where the type holds it, and nothing else is."""
    batch = pa.table({"a": cells})

    result = check(batch, contract(("a",), a=target), Policy(null_values=(text, "x", "1e999")))

    assert result.passed, result.violations
    handed = result.model_input()
    mlflow_accepts(handed, contract(("a",), a=target))
    assert handed["a"].isna().tolist()[0]
    assert handed["a"].isna().tolist()[1] == (cells[1].as_py() is None)


# ----- datetimes in their usual form -----

PARTS = st.tuples(
    st.sampled_from(["1699", "1700", "2013", "2199", "2200", "2262", "0000", "13"]),
    st.sampled_from(["-07-01", "-02-29", "-13-01", "-7-1"]),
    st.sampled_from(["T", " ", "t", ""]),
    st.sampled_from(
        ["05:00:00", "\u0660\u0665:00:00", "24:00:00", "23:59:60", "23:60:00", "05:00", ""]
    ),
    st.sampled_from(["", ".5", ".123456789", ".1234567891", ",5", "Z", "+02:00", " "]),
)


@given(texts=st.lists(PARTS.map("".join) | st.just("2013-07-01T05:00:00"), min_size=1, max_size=3))
def test_usual_datetimes_are_read_as_any_others(texts: list[str]) -> None:
    """What is read at once is what the grammar of ISO 8601 makes of each, to the nanosecond."""

    def read(policy: Policy) -> list[Any]:
        stages, parsed = parse_column(pl.col("t"), "datetime", policy, "part of ")
        frame = reduce(lambda frame, stage: frame.with_columns(**stage), stages, rows)
        return frame.select(parsed.value, parsed.unparseable, parsed.out_of_range).rows()

    rows = pl.DataFrame({"t": texts})
    for policy in (Policy(), Policy(timezone="utc")):
        at_once = read(policy)
        with patch.object(grammar, "usual_instants", lambda *_: pl.lit(None, pl.Datetime("ns"))):
            assert at_once == read(policy)


@pytest.mark.parametrize("between", ["T", " "])
def test_the_datetimes_of_most_files_are_read_at_once(between: str) -> None:
    """What pandas, Polars and databases write needs no slow twin."""
    texts = [f"2013-07-01{between}05:00:00", f"1999-12-31{between}23:59:59.123456"]
    read = pl.select(usual_instants(pl.lit(pl.Series(texts)), Policy())).to_series()
    assert not read.null_count()
