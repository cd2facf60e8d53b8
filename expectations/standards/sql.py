"""A contract as a table of PostgreSQL or DuckDB that takes just the rows that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..conform.nulls import WITH_NAN, why_null_is_forbidden
from ..contract.types import Array, Scalar, Type, Vector
from ..escaping import visible
from ..rules.operands import members
from .words import Exported, Words, name_of, portable, scalar_of, translate

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy
    from ..rules.rule import Rule

_TYPES = {"boolean": "BOOLEAN", "integer": "INTEGER", "long": "BIGINT", "float": "REAL"} | {
    "double": "DOUBLE PRECISION",
    "string": "TEXT",
    "binary": "BYTEA",
    "datetime": "TIMESTAMP",
}
_TESTS = {"minimum": "{} >= {}", "exclusiveMinimum": "{} > {}", "enum": "{} IN ({})"} | {
    "maximum": "{} <= {}",
    "exclusiveMaximum": "{} < {}",
    "minLength": "char_length({}) >= {}",
    "maxLength": "char_length({}) <= {}",
    "pattern": "{} ~ {}",
}
_ANY = r"([^\n]|\n)*"
_NAN, *_INFINITIES = (f"CAST('{v}' AS DOUBLE PRECISION)" for v in ("NaN", "Infinity", "-Infinity"))


def to_sql(contract: Contract, policy: Policy, rules: Iterable[Rule]) -> Exported:
    """Write a ``CREATE TABLE`` with types, ``NOT NULL``, and a ``CHECK`` for each rule."""
    said, left_out = translate(contract, policy, rules, _constraint)
    lines = list[str]()
    for column in contract.columns:
        words = [_quoted(column.name), _type(column.type), *_of_type(column, policy)]
        lines.append(" ".join([*words, *dict.fromkeys(said[column.name])]))
        if not isinstance(column.type, Scalar):
            left_out.append(f"what is inside of {column.name}: {column.type}")
        elif not column.required and why_null_is_forbidden(column, policy):
            left_out.append(f"{column.name} may be absent, but not null")
    notes = "".join(f"-- Not stated: {visible(text)}\n" for text in left_out)
    body = ",\n    ".join(lines)
    table = f"CREATE TABLE {_quoted(name_of(contract))} (\n    {body}\n);\n"
    return Exported(notes + table, tuple(left_out))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _type(kind: Type) -> str:
    match kind:
        case Scalar(name):
            return _TYPES[name]
        case Array(items):
            return f"{_type(items)}[]"
        case _:
            return "DOUBLE PRECISION[]" if isinstance(kind, Vector) else "JSON"


def _of_type(column: Column, policy: Policy) -> Iterator[str]:
    there = column.required or policy.missing_optional == "forbid"
    never_null = there and why_null_is_forbidden(column, policy) is not None
    none = [*_INFINITIES] if policy.non_finite == "forbid" else []
    if (never_null and policy.nan == "null") or (none and policy.nan == "value"):
        none.append(_NAN)
    if never_null:
        yield "NOT NULL"
    if none and scalar_of(column) in WITH_NAN:
        yield f"CHECK ({_quoted(column.name)} NOT IN ({', '.join(none)}))"


def _constraint(column: Column, words: Words) -> str | None:
    kind, name = scalar_of(column), _quoted(column.name)
    floating = kind in WITH_NAN
    if "unique" in words:
        return None if floating else "UNIQUE"
    if "required" in words:
        return f"NOT NULL CHECK ({name} <> {_NAN})" if floating else "NOT NULL"
    value = f"CAST({name} AS DOUBLE PRECISION)" if kind == "float" else name
    literals = {word: _literals(word, v, kind) for word, v in words.get("not", words).items()}
    if None in literals.values():
        return None
    test = " AND ".join(_TESTS[word].format(value, literal) for word, literal in literals.items())
    test = f"NOT ({test})" if "not" in words else test
    # Rules pass over NaN, which SQL sorts above all numbers.
    return f"CHECK ({f'{name} = {_NAN} OR ({test})' if floating else test})"


def _literals(word: str, value: Any, kind: str) -> str | None:
    if word == "enum":
        listed = members(value, kind)
        return None if listed is None else ", ".join(map(_literal, listed.sort())) or None
    if word != "pattern":
        return f"TIMESTAMP {_literal(value)}" if kind == "datetime" else _literal(value)
    if (pattern := portable(value)) is None:
        return None
    # DuckDB's operator has meant the whole text, PostgreSQL's a part of it.
    start = pattern if pattern.startswith("^") and "|" not in pattern else f"^{_ANY}({pattern})"
    return _literal(start if start.endswith(r"\n?$") else f"{start}{_ANY}$")


def _literal(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    # With an exponent it is no decimal, which is rounded on the way to a double.
    decimal = isinstance(value, float) and "e" not in repr(value)
    return f"{value!r}e0" if decimal else str(value).upper()
