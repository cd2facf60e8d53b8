"""A contract as a JSON Schema, draft 2020-12, of one record of JSON lines.

What the gate accepts is valid by it: where the schema has no word for a demand it demands less.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ..conform.nulls import why_null_is_forbidden
from ..contract.types import Array, Map, Object, Scalar, Type, Vector
from ..errors import Misuse
from ..rules.operands import members
from .words import Exported, Words, name_of, portable, scalar_of, translate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy
    from ..rules.rule import Rule

_Schema = dict[str, Any]
_BITS = {"integer": 31, "long": 63}
_NAMES = {"boolean": "boolean", "float": "number", "double": "number"}
_NULL: _Schema = {"type": "null"}
_ALWAYS = (
    "which column may be left out of all records",
    "rounding to float and double",
    "that text is base64, or ISO 8601 without a zone",
)


def to_json_schema(contract: Contract, policy: Policy, rules: Iterable[Rule]) -> Exported:
    """Write the schema of one record; what it leaves out stands in its ``description`` too."""
    if not contract.named:
        msg = "the contract matches columns by position, and records have names. Export it as sql."
        raise Misuse(msg)
    read_as_written = not policy.null_values and policy.parse_text == "forbid"
    known = _keywords if read_as_written else lambda *_: None
    said, left_out = translate(contract, policy, rules, known)
    left_out += _ALWAYS
    # A column that may be null may be left out, as long as one record of the batch has it.
    needed = [
        column.name
        for column in contract.columns
        if (column.required or policy.missing_optional == "forbid")
        and ({"not": _NULL} in said[column.name] or why_null_is_forbidden(column, policy))
    ]
    schema: _Schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": name_of(contract),
        "description": f"Not stated: {'; '.join(left_out)}.",
        "type": "object",
        "properties": {c.name: _property(c, policy, said[c.name]) for c in contract.columns},
        "required": needed,
        "additionalProperties": policy.extra_columns != "forbid",
    }
    return Exported(json.dumps(schema, indent=2) + "\n", tuple(left_out))


def _property(column: Column, policy: Policy, said: list[_Schema]) -> _Schema:
    schema = _type(column.type, policy)
    if not why_null_is_forbidden(column, policy):
        schema = {"anyOf": [_NULL, schema]}
    elif not schema:
        schema = {"not": _NULL}
    return {**schema, "allOf": said} if said else schema


def _type(kind: Type, policy: Policy) -> _Schema:
    match kind:
        case Scalar(name):
            return _scalar(name, policy)
        case Array(items):
            return {"type": "array", "items": _type(items, policy)}
        case Object(fields):
            types = {p.name: _type(p.type, policy) for p in fields}
            needed = [p.name for p in fields if p.required]
            some = {n: t if n in needed else {"anyOf": [_NULL, t]} for n, t in types.items()}
            closed = {"required": needed, "additionalProperties": False}
            return {"type": "object", "properties": some, **closed}
        case Map(values):
            return {"type": "object", "additionalProperties": _type(values, policy)}
        case _:
            listed = {"type": "array", "items": {"type": ["number", "null"]}}
            return listed if isinstance(kind, Vector) else {}


def _scalar(name: str, policy: Policy) -> _Schema:
    text = {"contentEncoding": "base64"} if name == "binary" else {}
    schema: _Schema = {"type": _NAMES.get(name, "string"), **text}
    if bits := _BITS.get(name):
        schema = {"type": "integer", "minimum": -(2**bits), "maximum": 2**bits - 1}
    return {"anyOf": [schema, {"type": "string"}]} if policy.parse_text == "allow" else schema


def _keywords(column: Column, words: Words) -> _Schema | None:
    kind, made = scalar_of(column), dict(words.get("not", words))
    if "required" in words:
        return {"not": _NULL}
    # What becomes a float is rounded before it is compared, and instants are text here.
    if "unique" in words or kind in ("float", "datetime"):
        return None
    if "pattern" in made and (made := {"pattern": portable(made["pattern"])})["pattern"] is None:
        return None
    if "enum" in made:
        values = members(made["enum"], kind)
        made = {"enum": [] if values is None else values.sort().to_list()}
    return {"anyOf": [_NULL, {"not": made} if "not" in words else made]}
