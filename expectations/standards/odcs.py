"""A contract as a document of the Open Data Contract Standard, and the rules in such a document.

A rule that the standard has no word for is a quality rule of its type ``custom``, for the engine
``great-expectations``. So every rule that is written is read back. What a document demands beyond
its rules' words is refused, so that nobody relies on it; its types are the signature's to state.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic import ValidationError

from ..conform.nulls import why_null_is_forbidden
from ..contract.invalid_fields import describe_invalid
from ..documents import DocumentError, parse_yaml
from ..errors import InvalidRules, needs_extra
from ..rules.rule import refused
from .words import (
    WORDS,
    Exported,
    Words,
    expect,
    expectation_of,
    name_of,
    scalar_of,
    translate,
    words_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from ..contract.contract import Column, Contract
    from ..contract.policy import Policy
    from ..rules.rule import Rule

    _Refuse = Callable[[str], NoReturn]

_Fields = dict[str, Any]
_LOGICAL = {"integer": "integer", "long": "integer", "float": "number", "double": "number"} | {
    "boolean": "boolean",
    "string": "string",
    "binary": "string",
    "datetime": "timestamp",
}
_NO_OPTIONS = ("enum", "required", "unique")
# How numbers and times are written is for their readers; the format of a text is a demand.
_WRITTEN = ("format", "timezone", "defaultTimezone")
_NESTED = ("properties", "items", "map")
_DEMANDS = re.compile(r'"(unique|primaryKey|enum|quality|logicalTypeOptions)": (?!false|null)')
_ROWS: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "mustBe": lambda n: (n, n),
    "mustBeBetween": tuple,
    "mustBeGreaterThan": lambda n: (n + 1, None),
    "mustBeGreaterOrEqualTo": lambda n: (n, None),
    "mustBeLessThan": lambda n: (None, n - 1),
    "mustBeLessOrEqualTo": lambda n: (None, n),
}


# ----- writing -----


def to_odcs(contract: Contract, policy: Policy, rules: Iterable[Rule]) -> Exported:
    """Write a document with one table, whose properties are the columns."""
    with needs_extra("odcs"):
        from open_data_contract_standard.model import OpenDataContractStandard

    _, left_out = translate(contract, policy, (), lambda *_: None)
    left_out += [f"{c.name} may be absent" for c in contract.columns if not c.required]
    columns = {column.name: _property(column, policy) for column in contract.columns}
    table: _Fields = {"name": name_of(contract), "physicalType": "table"}
    for rule in rules:
        _add(columns.get(rule.column or "", table), rule, words_of(rule) or {"not": None})
    document: _Fields = {
        "kind": "DataContract",
        "apiVersion": "v3.2.0",
        "id": f"signature-{contract.fingerprint}",
        "name": name_of(contract),
        "version": (contract.model and contract.model.version) or contract.fingerprint,
        "status": "active",
        "schema": [table | {"properties": [*columns.values()]}],
    }
    if left_out:
        document["description"] = {"limitations": f"Not stated: {'; '.join(left_out)}."}
    return Exported(OpenDataContractStandard.model_validate(document).to_yaml(), tuple(left_out))


def _property(column: Column, policy: Policy) -> _Fields:
    listed = str(column.type).startswith(("array", "sparkml"))
    logical = _LOGICAL.get(scalar_of(column), "array" if listed else "object")
    types = {"logicalType": logical, "physicalType": str(column.type)}
    required = why_null_is_forbidden(column, policy) is not None
    return {"name": column.name, **types, "required": required}


def _add(place: _Fields, rule: Rule, words: Words) -> None:
    options: _Fields = place.get("logicalTypeOptions", {})
    kinds = {WORDS[word][0] for word in options}
    (word, *_) = words
    listed = words.get("enum", ())
    if listed and "enum" not in place and len({None, *listed}) > len(listed):
        place["enum"] = [{"value": value} for value in listed]
    elif word == "unique":
        place["unique"] = True
    elif word in WORDS and word not in _NO_OPTIONS and WORDS[word][0] not in kinds:
        place["logicalTypeOptions"] = options | words
    else:
        stated = {key: value for key, value in rule.stated.items() if value}
        native = {"type": "library", "metric": "nullValues", "mustBe": 0}
        custom = {"type": "custom", "engine": "great-expectations", "implementation": stated}
        place.setdefault("quality", []).append(native if word == "required" else custom)


# ----- reading -----


def rules_in(document: Any, contract: Contract, policy: Policy, origin: str) -> Iterator[_Fields]:
    """List the expectations that a document states beside the contract's own.

    Raises:
        InvalidRules: It is no such document, has several tables, or demands what has no
            expectation; the text names the property.
    """
    with needs_extra("odcs"):
        from open_data_contract_standard import model
    try:
        model.OpenDataContractStandard.model_validate(document, strict=True)
    except ValidationError as error:
        invalid = describe_invalid(error, origin, model.OpenDataContractStandard)
        raise InvalidRules(invalid) from error
    if len(tables := document.get("schema") or []) != 1:
        msg = f"{origin} has {len(tables)} tables. Keep the one in `schema` that the model takes."
        raise InvalidRules(msg)
    properties = tables[0].get("properties") or []
    for check in tables[0].get("quality") or []:
        yield from _of_quality(check, None, partial(_refuse, origin, "the table"))
    if key := [each["name"] for each in properties if each.get("primaryKey")]:
        yield (
            expect("compound_columns_to_be_unique", column_list=key)
            if key[1:]
            else expect("column_values_to_be_unique", column=key[0])
        )
    for stated in properties:
        refuse = partial(_refuse, origin, f"property {stated.get('name')!r}")
        for unknown in stated.keys() - model.SchemaProperty.model_fields.keys():
            refuse(unknown)
        column = contract.by_name.get(stated["name"])
        needed = stated.get("required") or stated.get("primaryKey")
        if needed and not (column and why_null_is_forbidden(column, policy)):
            yield expect("column_values_to_not_be_null", column=stated["name"])
        yield from _of_property(stated, refuse)


def _refuse(origin: str, where: str, what: str) -> NoReturn:
    remedy = "Drop it, or state it as a quality rule of type custom for great-expectations"
    raise refused(origin, where, f"{what} has no expectation here", remedy)


def _of_property(stated: _Fields, refuse: _Refuse) -> Iterator[_Fields]:
    name = stated["name"]
    listed = [each["value"] for each in stated.get("enum") or ()]
    groups = [{"unique": True}] * bool(stated.get("unique")) + [{"enum": listed}] * bool(listed)
    by_kind = dict[str, Words]()
    for option, value in (stated.get("logicalTypeOptions") or {}).items():
        if option in WORDS and option not in _NO_OPTIONS:
            by_kind.setdefault(WORDS[option][0], {})[option] = value
        elif option not in _WRITTEN or (option == "format" and stated["logicalType"] == "string"):
            refuse(f"{option} {value}")
    for words in (*groups, *by_kind.values()):
        yield expectation_of(name, words) or refuse(f"{' beside '.join(words)}")
    for check in stated.get("quality") or []:
        yield from _of_quality(check, name, refuse)
    inside = {key: stated[key] for key in _NESTED if stated.get(key)}
    if demand := _DEMANDS.search(json.dumps(inside, default=str)):
        refuse(f"{demand[1]} inside of it")


def _of_quality(check: _Fields, column: str | None, refuse: _Refuse) -> Iterator[_Fields]:
    given = check.get("severity")
    severity = given if given in ("warning", "info") else "critical"
    match check.get("type") or "library":
        case "text":
            return
        case "custom" if "expectations" in str(check.get("engine")).lower():
            stated = check.get("implementation")
            with suppress(DocumentError):
                stated = parse_yaml(stated) if isinstance(stated, str) else stated
            if not isinstance(stated, dict):
                refuse("the implementation of a quality rule")
            yield {"severity": severity, **stated}
        case "library":
            yield _of_library(check, column, refuse) | {"severity": severity}
        case kind:
            refuse(f"a quality rule of type {kind}")


def _of_library(check: _Fields, column: str | None, refuse: _Refuse) -> _Fields:
    metric = check.get("metric") or check.get("rule")
    given = check.get("arguments") or {}
    sign = {key: value for key, value in check.items() if key.startswith("must")}
    none = sign in ({"mustBe": 0}, {"mustBeLessOrEqualTo": 0})
    match metric, *given:
        case ("nullValues",) if column and none:
            return expect("column_values_to_not_be_null", column=column)
        case ("duplicateValues",) if column and none:
            return expect("column_values_to_be_unique", column=column)
        case "duplicateValues", "properties" if not column and none:
            return expect("compound_columns_to_be_unique", column_list=given["properties"])
        case "invalidValues", "validValues" if column and none:
            values = given["validValues"]
            return expect("column_values_to_be_in_set", column=column, value_set=values)
        case "invalidValues", "pattern" if column and none:
            return expect("column_values_to_match_regex", column=column, regex=given["pattern"])
        case ("rowCount",) if not column and len(sign) == 1 and sign.keys() <= _ROWS.keys():
            ((operator, value),) = sign.items()
            low, high = _ROWS[operator](value)
            return expect("table_row_count_to_be_between", min_value=low, max_value=high)
        case _:
            return refuse(f"{metric} {sign}" if metric else "a quality rule without metric")
