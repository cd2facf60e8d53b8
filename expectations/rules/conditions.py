"""The rows that a rule is about: GX's ``row_condition``, as Polars sees it.

GX writes ``Column("a") > 5`` as a mapping, and knew ``col("a") > 5`` as text before. Both are read.
What pandas alone understands, a ``pass_through`` query, is left to GX.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterator, Mapping
from functools import reduce
from typing import Any, cast

import polars as pl

from .operands import INTEGERS, NUMBERS, Operand, in_order, members, within

Condition = dict[str, Any]
_Compare = Callable[[Any, Any], pl.Expr]

_ORDER: dict[str, _Compare] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SAME: dict[str, _Compare] = {"==": operator.eq, "!=": operator.ne}
# pandas orders datetimes by text that stands for one, but finds none equal to it.
_SIGNS = {"boolean": _SAME, "datetime": _ORDER}
_TEXT = re.compile(
    r"""\s*(?:col|Column)\(\s*(["'])(?P<name>.+?)\1\s*\)\s*
    (?: \.(?P<null>notnull|is_not_null|is_null)\(\)
      | (?P<operator>==|!=|<=|>=|<|>)\s*
        (?: (?P<number>[+-]?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)
          | (?:date\()?(["'])(?P<text>.*?)\6\)? ) )\s*""",
    re.VERBOSE | re.DOTALL,
)


def as_mapping(condition: object, parser: object) -> Condition | None:
    """Read a condition in any form in which GX keeps one.

    Args:
        condition: A mapping as GX writes it, or text.
        parser: GX's ``condition_parser``, which says whose text it is.

    Returns:
        The mapping; None if it is neither that nor text that can be read.
    """
    if isinstance(condition, dict):
        return cast("Condition", condition)
    if not isinstance(condition, str):
        return None
    if parser in ("pandas", "spark"):
        return {"type": "pass_through", "pass_through_filter": condition}
    found = _TEXT.fullmatch(condition)
    return _from_text(found) if found else None


def _from_text(found: re.Match[str]) -> Condition:
    column = {"name": found["name"]}
    if found["null"]:
        return {"type": "nullity", "column": column, "is_null": found["null"] == "is_null"}
    number, text = found["number"], found["text"]
    whole = number and re.fullmatch(r"[+-]?\d+", number)
    value = int(number) if whole else float(number) if number else text
    return {
        "type": "comparison",
        "column": column,
        "operator": found["operator"],
        "parameter": value,
    }


def columns_of(condition: Condition) -> Iterator[str]:
    """Name the columns that a condition speaks of; none for a pandas query."""
    for part in condition.get("conditions") or ():
        yield from columns_of(part)
    name = (condition.get("column") or {}).get("name")
    if isinstance(name, str):
        yield name


def rows_of(condition: Condition, terms: Mapping[str, Operand]) -> pl.Expr | None:
    """Find the rows that meet a condition.

    Args:
        condition: As ``as_mapping`` gives it.
        terms: The conformed columns by name.

    Returns:
        True in these rows, never null; None if only pandas can say.
    """
    match condition.get("type"):
        case "and" | "or" as kind:
            return _together(kind, condition.get("conditions") or (), terms)
        case "nullity":
            value = terms[condition["column"]["name"]].value
            return value.is_null() if condition.get("is_null") else value.is_not_null()
        case "comparison":
            column = terms[condition["column"]["name"]]
            return _compared(column, condition.get("operator", ""), condition.get("parameter"))
        case _:
            return None


def _together(kind: str, parts: Any, terms: Mapping[str, Operand]) -> pl.Expr | None:
    masks = [rows_of(part, terms) for part in parts]
    known = [mask for mask in masks if mask is not None]
    if not known or len(known) < len(masks):
        return None
    return reduce(operator.and_ if kind == "and" else operator.or_, known)


def _compared(column: Operand, sign: str, parameter: object) -> pl.Expr | None:
    if sign in ("IN", "NOT_IN"):
        values = None if column.kind == "float" else members(parameter, column.kind)
        if values is None:
            return None
        mask = within(column, values).fill_null(value=False)
        return ~mask if sign == "NOT_IN" else mask
    sides = _sides(column, parameter)
    compare = _SIGNS.get(column.kind, {**_SAME, **_ORDER}).get(sign)
    if sides is None or compare is None:
        return None
    # As in pandas, a missing value equals nothing and differs from everything.
    return compare(*sides).fill_null(value=sign == "!=")


def _sides(column: Operand, parameter: object) -> tuple[pl.Expr, pl.Expr] | None:
    if column.kind == "float":
        # pandas narrows the constant to the column's precision, not the other way round.
        sides = in_order(column, parameter)
        return sides and (column.value, sides[1].cast(pl.Float32))
    if column.kind in INTEGERS and type(parameter) is int:
        return column.value.cast(pl.Int64), pl.lit(parameter)
    if column.kind in (*NUMBERS, "datetime"):
        return in_order(column, parameter)
    wanted = {"string": str, "boolean": bool}.get(column.kind)
    if wanted is None or not isinstance(parameter, wanted):
        return None
    return column.value, pl.lit(parameter)


def in_words(condition: Condition) -> str:
    """Say a condition as one would write it: ``a > 5 and b is null``."""
    match condition.get("type"):
        case "and" | "or" as kind:
            parts = [in_words(part) for part in condition.get("conditions") or ()]
            return f" {kind} ".join(f"({p})" if " or " in p else p for p in parts)
        case "nullity":
            missing = "is null" if condition.get("is_null") else "is not null"
            return f"{condition['column']['name']} {missing}"
        case "comparison":
            sign = str(condition.get("operator")).replace("_", " ").lower()
            return f"{condition['column']['name']} {sign} {condition.get('parameter')!r}"
        case _:
            return str(condition.get("pass_through_filter"))
