"""Rules about single columns in the words of JSON Schema, which ODCS shares and SQL can test."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from ..contract.types import Scalar, Tensor
from ..errors import Misuse
from ..escaping import slug
from ..rules.operands import is_number, limits_of
from ..rules.parse import identity

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy
    from ..rules.rule import Rule

_T = TypeVar("_T")
Words = dict[str, Any]
_BETWEEN, _LENGTHS = "column_values_to_be_between", "column_value_lengths_to_be_between"
# Word -> expectation, its argument, and the one that makes it strict.
WORDS = {
    "minimum": (_BETWEEN, "min_value", ""),
    "exclusiveMinimum": (_BETWEEN, "min_value", "strict_min"),
    "maximum": (_BETWEEN, "max_value", ""),
    "exclusiveMaximum": (_BETWEEN, "max_value", "strict_max"),
    "minLength": (_LENGTHS, "min_value", ""),
    "maxLength": (_LENGTHS, "max_value", ""),
    "pattern": ("column_values_to_match_regex", "regex", ""),
    "enum": ("column_values_to_be_in_set", "value_set", ""),
    "required": ("column_values_to_not_be_null", "", ""),
    "unique": ("column_values_to_be_unique", "", ""),
}
_OPPOSITES = {"not_match_regex": "match_regex", "not_be_in_set": "be_in_set"}
# Fields of a policy that judge the batch, or how it is written.
_UNSTATED = (
    *("column_order", "lossy_floats", "min_rows", "missing_optional"),
    *("null_values", "parse_text", "rename", "timezone"),
)
_PIECES = re.compile(
    r"""\\[.^$*+?()\[\]{}|\\/] | \[\^?[\w\ .,:;@+/\#%&=-]+\] | \(\?: | \((?!\?)
    | (?: \{\d{1,2}(?:,\d{0,2})?\} | [*+?] )(?!\+) | [)|.] | \A\^ | \$\Z
    | [\w\ ,:;@/\#%&=!<>'"~-]""",
    re.ASCII | re.VERBOSE,
)
_AS_IN_PYTHON = {".": r"[^\n]", "$": r"\n?$"}


class Exported(NamedTuple):
    """A contract in another language.

    Attributes:
        text: The document.
        left_out: What the language cannot state, each in a few words; the document has it too.
    """

    text: str
    left_out: tuple[str, ...]


def expect(kind: str, severity: str = "critical", **kwargs: Any) -> dict[str, Any]:
    """Write an expectation as GX does; ``expect_`` goes without saying."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def expectation_of(column: str, words: Words) -> dict[str, Any] | None:
    """Write the expectation that words of one kind stand for; None if they contradict."""
    kwargs: Words = {"column": column}
    kind = ""
    for word, value in words.items():
        kind, argument, strict = WORDS[word]
        if argument in kwargs:
            return None
        kwargs |= ({argument: value} if argument else {}) | ({strict: True} if strict else {})
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": "critical"}


def words_of(rule: Rule) -> Words | None:
    """Say a rule in words, a negated one under ``not``; None if they do not say all of it."""
    kind = rule.type.removeprefix("expect_")
    for negated, opposite in _OPPOSITES.items():
        kind = kind.replace(negated, opposite)
    words = {
        word: rule.kwargs.get(argument, True)
        for word, (known, argument, strict) in WORDS.items()
        if known == kind
        and (not argument or rule.kwargs.get(argument) is not None)
        and bool(strict) == bool(rule.kwargs.get(f"strict_{argument[:3]}"))
    }
    said = words and rule.column and expectation_of(rule.column, words)
    exact = all(map(_is_exact, limits_of(rule.kwargs))) and rule.engine == "polars"
    positive = {**rule.stated, "type": f"expect_{kind}"}
    if not said or not exact or identity(said) != identity(positive):
        return None
    return words if rule.stated == positive else {"not": words}


def _is_exact(limit: Any) -> bool:
    return not is_number(limit) or (math.isfinite(limit) and abs(limit) <= 2**53)


def translate(
    contract: Contract,
    policy: Policy,
    rules: Iterable[Rule],
    known: Callable[[Column, Words], _T | None],
) -> tuple[dict[str, list[_T]], list[str]]:
    """List for each column what ``known`` makes of its rules, and in words what is left out."""
    if isinstance(contract.columns[0].type, Tensor):
        msg = "arrays are neither records nor tables. Export the contract as gx."
        raise Misuse(msg)
    said: dict[str, list[_T]] = {column.name: [] for column in contract.columns}
    usual, fields = type(policy)(), ((name, getattr(policy, name)) for name in _UNSTATED)
    left_out = [f"policy {n}: {value}" for n, value in fields if value != getattr(usual, n)]
    for rule in rules:
        words = words_of(rule)
        made = known(contract.by_name[rule.column], words) if rule.column and words else None
        if rule.column is None or made is None:
            left_out.append(f"{rule.type} {rule.kwargs}")
        else:
            said[rule.column].append(made)
    return said, left_out


def scalar_of(column: Column) -> str:
    """Name the column's scalar type; empty text for a nested one."""
    return column.type.name if isinstance(column.type, Scalar) else ""


def portable(pattern: str) -> str | None:
    """Write a Python pattern for ECMAScript, RE2 and PostgreSQL; None if they differ about it."""
    pieces: list[str] = _PIECES.findall(pattern)
    as_in_python = "".join(_AS_IN_PYTHON.get(piece, piece) for piece in pieces)
    return as_in_python if "".join(pieces) == pattern else None


def name_of(contract: Contract) -> str:
    """Name what a contract is about: its model, or the batch of a bare signature."""
    return slug(contract.model.name) if contract.model and contract.model.name else "batch"
