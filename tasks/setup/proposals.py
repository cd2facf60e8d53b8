"""Tables of policy changes that may answer a violation, each with its reason.

Nothing here decides: a proposal is taken only if the sample fits better under it.
"""

from __future__ import annotations

import ast
from datetime import datetime
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import yaml

from ...expectations.wording import listed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from ...expectations.verdict.verdict import Kind, Violation


class Proposal(NamedTuple):
    """Policy fields, nested ones as ``csv.decimal``, with values that may fit, and why."""

    fields: dict[str, Any]
    reason: str

    def __str__(self) -> str:
        return ", ".join(f"{name}: {in_yaml(value)}" for name, value in self.fields.items())


def in_yaml(value: Any) -> str:
    """Write a value as YAML on one line, quoted where it must be."""
    text = _dumped(value)
    return text if len(text.splitlines()) == 1 else _dumped(value, '"')


def _dumped(value: Any, style: str | None = None) -> str:
    text = yaml.safe_dump(
        [value],
        default_flow_style=True,
        default_style=style,  # pyright: ignore[reportArgumentType]
        allow_unicode=style is None,
        width=10**9,
    )
    return text.strip()[1:-1]


_DELIMITERS = (None, ";", "\t", "|", ",")
_ENCODINGS = (None, "cp1252", "utf-16")
_QUOTING: tuple[Proposal, ...] = (
    Proposal({"csv.escape": "\\"}, "a backslash makes the quote after it part of the value"),
    Proposal({"csv.quote": "'"}, "fields stand in single quotes"),
    Proposal({"csv.quote": ""}, "quotes are part of the values"),
)
_NUMBERS: tuple[Proposal, ...] = (
    Proposal({"csv.decimal": ","}, "numbers have a decimal comma"),
    Proposal({"csv.thousands": ","}, "commas group digits"),
    Proposal({"csv.thousands": " "}, "blanks group digits"),
    Proposal({"csv.thousands": "'"}, "apostrophes group digits"),
    Proposal({"csv.decimal": ",", "csv.thousands": "."}, "decimal comma, points group digits"),
    Proposal({"csv.decimal": ",", "csv.thousands": " "}, "decimal comma, blanks group digits"),
)
_NULLS = frozenset(
    ("", "na", "n/a", "#n/a", "nan", "null", "none", "nil", "-", "--", "?", ".", "missing", "\\n")
)
_TRUE_AND_FALSE = (
    *(("yes", "no"), ("y", "n"), ("on", "off"), ("ja", "nein"), ("j", "n"), ("oui", "non")),
    *(("si", "no"), ("sí", "no"), ("sim", "não"), ("wahr", "falsch"), ("vrai", "faux"), ("x", "-")),
)
_DATES = (
    *("%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%y", "%d/%m/%y", "%m/%d/%y", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%Y%m%d"),
)
_TIMES = ("", " %H:%M", " %H:%M:%S", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p")
_FLAGS: tuple[Proposal, ...] = (
    Proposal({"parse_text": "allow"}, "text stands for values"),
    Proposal({"binary_as_text": "allow"}, "text arrives as UTF-8 bytes"),
    Proposal({"timezone": "utc"}, "datetimes have a zone"),
)


def families(violation: Violation) -> Iterable[Sequence[Proposal]]:
    """Give the proposals for a violation; those of one family exclude each other."""
    for make in _FAMILIES.get(violation.kind, ()):
        yield list(make(violation))


def _files(_: Violation) -> Iterable[Proposal]:
    for delimiter, encoding in product(_DELIMITERS, _ENCODINGS):
        marks = {"csv.delimiter": delimiter, "csv.encoding": encoding}
        fields = {name: value for name, value in marks.items() if value}
        reasons = {
            "csv.delimiter": f"it divides the header into columns: {delimiter!r}",
            "csv.encoding": "the bytes are not UTF-8; look whether names and text read well",
        }
        if fields:
            yield Proposal(fields, "; ".join(reasons[name] for name in fields))


def _quoting(_: Violation) -> Iterable[Proposal]:
    return _QUOTING


def _numbers(violation: Violation) -> Iterable[Proposal]:
    values = "".join(_values(violation))
    return [p for p in _NUMBERS if any(mark in values for mark in p.fields.values())]


def _nulls(violation: Violation) -> Iterable[Proposal]:
    words = [value for value in _values(violation) if value.strip().casefold() in _NULLS]
    if words:
        yield Proposal({"null_values": words}, f"{listed(map(repr, words))} stands for null")


def _booleans(violation: Violation) -> Iterable[Proposal]:
    words = {value.strip().casefold() for value in _values(violation)}
    for true, false in _TRUE_AND_FALSE:
        if words & {true, false}:
            fields = {"csv.true_values": [true], "csv.false_values": [false]}
            yield Proposal(fields, f"{true!r} and {false!r} stand for true and false")


def _datetimes(violation: Violation) -> Iterable[Proposal]:
    values = [value for value in _values(violation) if value.strip().casefold() not in _NULLS]
    for date, time in product(_DATES, _TIMES):
        if values and all(_is_written(value, date + time) for value in values):
            yield Proposal({"csv.datetime_format": date + time}, f"such as {values[0]!r}")


def _is_written(value: str, pattern: str) -> bool:
    try:
        datetime.strptime(value, pattern)  # noqa: DTZ007
    except ValueError:
        return False
    return True


def _flag(proposal: Proposal) -> Callable[[Violation], Iterable[Proposal]]:
    return lambda _: [proposal]


def _values(violation: Violation) -> list[str]:
    """Read the sample back: text is shown as Python writes it."""
    return [ast.literal_eval(shown) for shown in violation.sample if _is_text(shown)]


def _is_text(shown: str) -> bool:
    try:
        return isinstance(ast.literal_eval(shown), str)
    except (ValueError, SyntaxError):
        return False


_Family = tuple["Callable[[Violation], Iterable[Proposal]]", ...]
_FAMILIES: dict[Kind, _Family] = {
    "malformed_row": (_files, _quoting),
    "unreadable": (_files,),
    "type_mismatch": (_nulls, *map(_flag, _FLAGS)),
    "unparseable": (_nulls, _numbers, _datetimes, _booleans, *map(_flag, _FLAGS)),
}
