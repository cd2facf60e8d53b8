"""Parse GX's ``row_condition`` by a whitelist grammar: no text of a file reaches an evaluator.

GX hands conditions to ``pandas.eval``, which calls any method of any object that a text names. Here
a condition may hold columns, constants, comparisons, ``and``, ``or``, ``not``, ``isin`` and tests
for null. Anything else is refused.
"""

from __future__ import annotations

import ast
import math
import re
import warnings
from typing import Any, cast

Condition = dict[str, Any]

_LONGEST_TEXT = 10_000
_DEEPEST = 20
_MOST_CONDITIONS = 100
_INT64 = range(-(2**63), 2**63)
_TOKENS = re.compile(
    r"""(?P<text>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')|`(?P<name>[^`"'\\\#\n]+)`|(?P<sign>[&|`])"""
)
# pandas reads these so, with the precedence of the words.
_WORDS = {"&": " and ", "|": " or "}
_SIGNS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "IN",
    ast.NotIn: "NOT_IN",
}
_MIRRORED = {"==": "==", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OF_LISTS = {"==": "IN", "!=": "NOT_IN", "IN": "IN", "NOT_IN": "NOT_IN"}
_NULL_TESTS = {"isnull": True, "isna": True, "is_null": True} | {
    "notnull": False,
    "notna": False,
    "is_not_null": False,
}
_ALLOWED = (
    "A condition may hold columns, constants, comparisons, and, or, not, isin and tests for null"
)


class InvalidConditionError(ValueError):
    """A condition that cannot be read, or that the types of its columns do not allow."""


def parse_condition(condition: object, parser: object) -> tuple[Condition, Condition]:
    """Parse a condition in any form that GX writes.

    Returns:
        The condition to judge by, and the same in GX's form.

    Raises:
        InvalidConditionError: It is no condition, or contains what is not allowed.
    """
    stated = condition
    if isinstance(condition, str) and parser in ("pandas", "spark"):
        stated = {"type": "pass_through", "pass_through_filter": condition}
    elif isinstance(condition, str):
        stated = _parse_text(condition, bare_names=False)
        if stated["type"] not in ("comparison", "nullity") or "other" in stated:
            msg = 'GX states only one comparison so; use condition_parser "pandas"'
            raise InvalidConditionError(msg)
    parsed = _from_mapping(stated, 0)
    if _count(parsed) > _MOST_CONDITIONS:
        msg = f"it holds more than {_MOST_CONDITIONS} comparisons"
        raise InvalidConditionError(msg)
    return parsed, cast("Condition", stated)


def _count(condition: Condition) -> int:
    match condition:
        case {"conditions": parts}:
            return sum(map(_count, parts))
        case {"condition": part}:
            return _count(part)
        case _:
            return 1


def _from_mapping(stated: object, depth: int) -> Condition:
    _refuse_depth(depth)
    match stated:
        case {"type": "and" | "or" as kind, "conditions": [_, *_] as parts}:
            return {"type": kind, "conditions": [_from_mapping(p, depth + 1) for p in parts]}
        case {"type": "nullity", "column": {"name": str(name)}}:
            is_null = bool(cast("Condition", stated).get("is_null"))
            return {"type": "nullity", "column": {"name": name}, "is_null": is_null}
        case {
            "type": "comparison",
            "column": {"name": str(name)},
            "operator": str(sign),
            "parameter": value,
        }:
            return _compare({"name": name}, sign, value)
        case {"type": "pass_through", "pass_through_filter": str(text)} if not depth:
            return _parse_text(text, bare_names=True)
        case _:
            msg = f"{stated!r} is no condition of GX"
            raise InvalidConditionError(msg)


def _refuse_depth(depth: int) -> None:
    if depth > _DEEPEST:
        msg = f"it is nested more than {_DEEPEST} deep"
        raise InvalidConditionError(msg)


def _compare(column: dict[str, str], sign: str, value: object) -> Condition:
    if isinstance(value, list):
        sign = _OF_LISTS.get(sign, "")
        values = cast("list[Any]", value)
    else:
        values = [value]
    is_membership = sign in ("IN", "NOT_IN")
    if sign not in _SIGNS.values() or is_membership != isinstance(value, list):
        msg = f"{column['name']} is compared by {sign or 'an order'!r} with {value!r}"
        raise InvalidConditionError(msg)
    if not all(map(_is_constant, values)) or len({isinstance(v, str) for v in values}) > 1:
        msg = f"{column['name']} is compared with {value!r}: give numbers, text, true or false"
        raise InvalidConditionError(msg)
    return {"type": "comparison", "column": column, "operator": sign, "parameter": value}


def _is_constant(value: object) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, str | bool) or (isinstance(value, int) and value in _INT64)


# ----- text -----


def _parse_text(text: str, *, bare_names: bool) -> Condition:
    if len(text) > _LONGEST_TEXT:
        msg = f"it is longer than {_LONGEST_TEXT:,} characters"
        raise InvalidConditionError(msg)
    source, quoted = _unquoted(text)
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(source.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        msg = "it is no expression that can be read"
        raise InvalidConditionError(msg) from error
    return _TextReader(quoted, bare_names=bare_names).condition(tree.body, 0)


def _unquoted(text: str) -> tuple[str, dict[str, str]]:
    """Put identifiers in place of names in backticks, and words in place of ``&`` and ``|``."""
    mark = "quoted"
    while mark in text:
        mark += "_"
    quoted = dict[str, str]()

    def replaced(token: re.Match[str]) -> str:
        if "`" in (token["text"] or token["sign"] or ""):
            msg = "it has a backtick that does not quote a name"
            raise InvalidConditionError(msg)
        if token["name"]:
            return quoted.setdefault(token["name"], f"{mark}{len(quoted)}")
        return token["text"] or _WORDS[token["sign"]]

    source = _TOKENS.sub(replaced, text)
    return source, {alias: name for name, alias in quoted.items()}


class _TextReader:
    """Turns a syntax tree into a condition, node by node."""

    def __init__(self, quoted: dict[str, str], *, bare_names: bool) -> None:
        self._quoted = quoted
        self._bare_names = bare_names

    def condition(self, node: ast.expr, depth: int) -> Condition:
        _refuse_depth(depth)
        match node:
            case ast.BoolOp(op=op, values=parts):
                kind = "and" if isinstance(op, ast.And) else "or"
                return {"type": kind, "conditions": [self.condition(p, depth + 1) for p in parts]}
            case ast.UnaryOp(op=ast.Not() | ast.Invert(), operand=part):
                return {"type": "not", "condition": self.condition(part, depth + 1)}
            case ast.Compare(left=left, ops=signs, comparators=others):
                return self._comparisons([left, *others], [_SIGNS.get(type(s), "") for s in signs])
            case ast.Call(func=ast.Attribute(value=target, attr="isin"), args=[values]) if (
                not node.keywords
            ):
                return self._comparisons([target, values], ["IN"])
            case ast.Call(func=ast.Attribute(value=target, attr=test), args=[]) if (
                test in _NULL_TESTS and not node.keywords
            ):
                column = self._column(target)
                return {"type": "nullity", "column": column, "is_null": _NULL_TESTS[test]}
            case _:
                return {"type": "is_true", "column": self._column(node)}

    def _comparisons(self, sides: list[ast.expr], signs: list[str]) -> Condition:
        pairs = zip(sides, signs, sides[1:], strict=False)
        parts = [self._comparison(*pair) for pair in pairs]
        return parts[0] if len(parts) == 1 else {"type": "and", "conditions": parts}

    def _comparison(self, left: ast.expr, sign: str, right: ast.expr) -> Condition:
        if not self._is_column(left) and not self._is_column(right):
            raise _not_allowed(right if isinstance(left, ast.Constant) else left)
        if not self._is_column(left):
            left, right, sign = right, left, _MIRRORED.get(sign, "")
        column = self._column(left)
        if self._is_column(right):
            if sign not in _MIRRORED:
                raise _not_allowed(right)
            other = self._column(right)
            return {"type": "comparison", "column": column, "operator": sign, "other": other}
        return _compare(column, sign, self._constant(right))

    def _is_column(self, node: ast.expr) -> bool:
        match node:
            case ast.Name() | ast.Call(func=ast.Name(id="col" | "Column")):
                return True
            case _:
                return False

    def _column(self, node: ast.expr) -> dict[str, str]:
        match node:
            case ast.Name(id=name) if self._bare_names:
                return {"name": self._quoted.get(name, name)}
            case ast.Call(
                func=ast.Name(id="col" | "Column"), args=[ast.Constant(value=str(name))]
            ) if not node.keywords:
                return {"name": name}
            case _:
                raise _not_allowed(node)

    def _constant(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant(value=str() | int() | float() as value):
                return value
            case ast.UnaryOp(
                op=ast.USub() | ast.UAdd() as sign,
                operand=ast.Constant(value=int() | float() as value),
            ) if not isinstance(value, bool):
                return -value if isinstance(sign, ast.USub) else value
            case ast.List(elts=items) | ast.Tuple(elts=items):
                return [self._constant(item) for item in items]
            case ast.Call(func=ast.Name(id="date"), args=[ast.Constant(value=str(value))]):
                return value
            case _:
                raise _not_allowed(node)


def _not_allowed(node: ast.expr) -> InvalidConditionError:
    return InvalidConditionError(f"{ast.unparse(node)!r} is not allowed. {_ALLOWED}")
