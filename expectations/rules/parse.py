"""From the JSON of a suite to rules that can be judged, or the reason why one cannot be meant."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from .condition_parser import InvalidConditionError, parse_condition
from .conditions import columns_of, mask_of
from .operands import instant, is_number
from .rule import SEVERITIES, SUBJECTS, Rule, placeholders, polars_knows, refused
from .schema_rules import SHAPE_RULES
from .trial import why_unjudgeable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..contract.contract import Contract
    from ..gx.results import Expectation
    from .condition_parser import Condition

# Arguments that say what GX would say without them; and those that steer only GX's own output.
_DEFAULTS: dict[str, Any] = {
    "mostly": 1,
    "strict_min": False,
    "strict_max": False,
    "or_equal": False,
    "exact_match": True,
    "allow_relative_error": False,
}
_ABOUT_OUTPUT = ("batch_id", "result_format", "catch_exceptions", "include_config", "windows")
# What arguments of another type or size than GX's raise.
_MALFORMED = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
_KEPT = ("description", "notes")
_NOTES = {"description": (str,), "notes": (str, list), "meta": (dict,)}
# Expectations that an absent column does not leave open, but breaks.
_ABOUT_ABSENCE = set(SHAPE_RULES) - {"expect_column_type_to_be"}


def plain(expectation: Expectation) -> Expectation:
    """Write an expectation without defaults, so that two with the same meaning are equal."""
    given = cast("dict[str, Any]", expectation.get("kwargs") or {})
    kwargs = {
        key: value
        for key, value in given.items()
        if key not in _ABOUT_OUTPUT and (value is not None or key == "exact_match")
    }
    kwargs = {k: v for k, v in kwargs.items() if k not in _DEFAULTS or v != _DEFAULTS[k]}
    if "exact_match" in kwargs:
        kwargs["exact_match"] = bool(kwargs["exact_match"])
    noted = {key: expectation[key] for key in _KEPT if expectation.get(key)}
    return {
        "type": expectation.get("type"),
        "kwargs": kwargs,
        "severity": expectation.get("severity") or "critical",
        "meta": expectation.get("meta") or {},
        **noted,
    }


def identity(expectation: Expectation) -> str:
    """Write a text that two expectations share exactly if they require the same."""
    content = {key: expectation[key] for key in ("type", "kwargs", "severity")}
    return json.dumps(_leveled(content), sort_keys=True, default=str)


def _leveled(value: Any, key: str = "") -> Any:
    """GX writes 1 as 1.0, and keeps sets as lists in any order."""
    if isinstance(value, dict):
        return {k: _leveled(v, k) for k, v in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        items = [_leveled(item) for item in cast("list[Any]", value)]
        return sorted(items, key=str) if key == "column_set" else items
    return int(value) if isinstance(value, float) and value.is_integer() else value


def parse_rule(stated: Any, contract: Contract, origin: str) -> Rule:
    """Read a rule, and refuse one that cannot be meant.

    Raises:
        InvalidRules: No such expectation, no such column, or arguments that cannot be; the text
            names the rule and the remedy.
    """
    if not is_expectation(stated):
        reason = "it has no type, or arguments that are no mapping"
        raise refused(origin, repr(stated), reason, "Write rules as GX does")
    try:
        rule = _parsed(plain(stated), contract, origin)
    except _MALFORMED as error:
        reason = f"its arguments cannot be read: {error}"
        raise refused(origin, repr(stated), reason, "Write rules as GX does") from error
    if reason := why_unjudgeable(rule, contract.by_name):
        remedy = "Correct the rule, or drop it"
        raise refused(origin, f"{rule.type} {rule.kwargs}", reason, remedy)
    return rule


def is_expectation(stated: Any) -> bool:
    """Tell whether plain data has the form of an expectation."""
    if not isinstance(stated, dict):
        return False
    given = cast("Expectation", stated)
    return isinstance(given.get("type"), str) and isinstance(given.get("kwargs") or {}, dict)


def _parsed(expectation: Expectation, contract: Contract, origin: str) -> Rule:
    kwargs: dict[str, Any] = expectation["kwargs"]
    _refuse_impossible(expectation, contract, origin)
    condition = None
    if "row_condition" in kwargs:
        condition, as_mapping = _condition(expectation, contract, origin)
        kwargs = {k: v for k, v in kwargs.items() if k != "condition_parser"}
        kwargs["row_condition"] = as_mapping
    subjects = tuple(_subjects(expectation))
    expectation = {**expectation, "kwargs": _with_midnights(kwargs, contract, subjects)}
    needed = tuple(dict.fromkeys((*subjects, *(columns_of(condition) if condition else ()))))
    if expectation["type"] in _ABOUT_ABSENCE:
        needed = ()
    rule = Rule(expectation, subjects, needed, "polars", origin, condition)
    if polars_knows(rule, contract.by_name):
        return rule
    _refuse_unknown(expectation, origin)
    return replace(rule, engine="gx")


def _refuse_impossible(expectation: Expectation, contract: Contract, origin: str) -> None:
    kwargs: dict[str, Any] = expectation["kwargs"]

    def refuse(reason: str, remedy: str) -> None:
        raise refused(origin, f"{expectation['type']} {kwargs}", reason, remedy)

    foreign = [n for n in _all_columns(expectation) if n not in contract.by_name]
    if foreign:
        columns = ", ".join(contract.by_name)
        known = f"The contract's columns are {columns}: name one of them, or drop the rule"
        refuse(f"the contract has no column {', '.join(map(repr, foreign))}", known)
    if parameter := next(_parameters(kwargs), None):
        refuse(f"it leaves {parameter!r} open", "Write the value itself into the rule")
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if _crossed(low, high):
        refuse(f"min_value {low!r} is greater than max_value {high!r}", "Exchange the two")
    mostly = kwargs.get("mostly", 1)
    if not is_number(mostly) or not 0 <= mostly <= 1:
        refuse(f"mostly is {mostly!r}", "Set it to a share between 0 and 1")
    if expectation["severity"] not in SEVERITIES:
        known = f"Set it to one of {', '.join(SEVERITIES)}"
        refuse(f"severity is {expectation['severity']!r}", known)
    odd = [
        k for k, types in _NOTES.items() if not isinstance(expectation.get(k, types[0]()), types)
    ]
    if odd:
        refuse(f"its {odd[0]} is {expectation[odd[0]]!r}", "Correct or drop it")
    if reason := _why_no_regex(kwargs.get("regex")):
        refuse(f"its regex cannot be read: {reason}", "Correct the regex")


def _why_no_regex(pattern: Any) -> str | None:
    try:
        re.compile(pattern if isinstance(pattern, str) else "")
    except (re.error, RecursionError, OverflowError) as error:
        return str(error)
    return None


def _crossed(low: Any, high: Any) -> bool:
    if is_number(low) and is_number(high):
        return low > high
    first, last = instant(low), instant(high)
    return first is not None and last is not None and first > last


def _parameters(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        if "$PARAMETER" in given:
            yield str(given["$PARAMETER"])
        for inner in given.values():
            yield from _parameters(inner)
    elif isinstance(value, list):
        for inner in cast("list[Any]", value):
            yield from _parameters(inner)


def _condition(
    expectation: Expectation, contract: Contract, origin: str
) -> tuple[Condition, Condition]:
    kwargs: dict[str, Any] = expectation["kwargs"]
    text, rule = kwargs["row_condition"], f"{expectation['type']} {kwargs}"
    try:
        condition, stated = parse_condition(text, kwargs.get("condition_parser"))
    except InvalidConditionError as error:
        reason = f"its row_condition {text!r} cannot be read: {error}"
        remedy = 'Write it as GX does: Column("a") > 5, or a > 5 with condition_parser "pandas"'
        raise refused(origin, rule, reason, remedy) from error
    named = dict.fromkeys(columns_of(condition))
    foreign = [name for name in named if name not in contract.by_name]
    if foreign:
        reason = f"the contract has no column {', '.join(map(repr, foreign))}"
        raise refused(origin, rule, reason, "Name one of the contract's columns, or drop the rule")
    try:
        mask_of(condition, placeholders(contract.by_name[name] for name in named))
    except InvalidConditionError as error:
        remedy = "Compare the column with values of its own type"
        raise refused(origin, rule, f"in its row_condition, {error}", remedy) from error
    return condition, stated


def _with_midnights(
    kwargs: dict[str, Any], contract: Contract, subjects: tuple[str, ...]
) -> dict[str, Any]:
    """Dates as limits of datetimes: GX reads them as dates, which pandas does not compare."""
    if not any(str(contract.by_name[name].type) == "datetime" for name in subjects):
        return kwargs
    dates = {
        key: f"{kwargs[key]}T00:00:00"
        for key in ("min_value", "max_value")
        if re.fullmatch(r"\d{4}-\d\d-\d\d", str(kwargs.get(key)))
    }
    return {**kwargs, **dates}


def _subjects(expectation: Expectation) -> Iterator[str]:
    if expectation["type"] == "expect_table_columns_to_match_ordered_list":
        return
    yield from _columns_under(SUBJECTS, expectation["kwargs"])


def _all_columns(expectation: Expectation) -> Iterator[str]:
    yield from _columns_under((*SUBJECTS, "column_set"), expectation["kwargs"])


def _columns_under(keys: tuple[str, ...], kwargs: dict[str, Any]) -> Iterator[str]:
    for key in keys:
        value = kwargs.get(key)
        if isinstance(value, str):
            yield value
        elif isinstance(value, list):
            yield from map(str, cast("list[Any]", value))


def _refuse_unknown(expectation: Expectation, origin: str) -> None:
    from ..gx.engine import why_refused

    reason = why_refused(expectation)
    if reason is None:
        return
    rule = f"{expectation['type']} {expectation['kwargs']}"
    remedy = (
        "Correct it as GX's documentation has it; if it is an expectation of your own, import the "
        "module that defines it first"
    )
    raise refused(origin, rule, reason, remedy)
