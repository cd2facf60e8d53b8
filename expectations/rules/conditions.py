"""The rows that a rule is about: a condition that was read, as Polars sees it."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any, cast

import polars as pl

from .condition_parser import InvalidConditionError
from .operands import INTEGERS, NUMBERS, Operand, RuleOperands, in_order

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from .condition_parser import Condition

_ORDERS: dict[str, Callable[[Any, Any], pl.Expr]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_SIGNS = {"==": operator.eq, "!=": operator.ne, **_ORDERS}
# pandas compares these with each other.
_NUMERIC = (*NUMBERS, "boolean")


def columns_of(condition: Condition) -> Iterator[str]:
    """Name the columns that a condition is about."""
    parts = condition.get("conditions") or [condition.get("condition")]
    for part in filter(None, parts):
        yield from columns_of(part)
    for key in ("column", "other"):
        if key in condition:
            yield condition[key]["name"]


def mask_of(condition: Condition, operands: Mapping[str, Operand]) -> pl.Expr:
    """Select the rows that meet a condition: true in these rows, never null.

    Raises:
        InvalidConditionError: pandas does not compare the types that it compares.
    """
    match condition:
        case {"conditions": parts}:
            masks = [mask_of(part, operands) for part in parts]
            join = pl.all_horizontal if condition["type"] == "and" else pl.any_horizontal
            return join(masks)
        case {"type": "not", "condition": part}:
            return ~mask_of(part, operands)
        case {"type": "nullity", "column": {"name": name}, "is_null": is_null}:
            value = operands[name].value
            return value.is_null() if is_null else value.is_not_null()
        case {"type": "is_true", "column": {"name": name}}:
            return _is_true(operands[name])
        case {"other": other, "operator": sign}:
            pair = (operands[condition["column"]["name"]], operands[other["name"]])
            return _compare_columns(*pair, sign)
        case _:
            column = operands[condition["column"]["name"]]
            return _compare(column, condition["operator"], condition["parameter"])


def _is_true(column: Operand) -> pl.Expr:
    if column.kind != "boolean":
        msg = f"{column.name} is no boolean column: compare it with something"
        raise InvalidConditionError(msg)
    return column.value.fill_null(value=False)


def _compare_columns(one: Operand, other: Operand, sign: str) -> pl.Expr:
    if one.kind in _NUMERIC and other.kind in _NUMERIC:
        sides = RuleOperands((_as_number(one), _as_number(other)), {}, pl.lit(value=True))
        return _SIGNS[sign](*sides.cast_to_common()).fill_null(value=sign == "!=")
    if one.kind != other.kind or one.kind not in ("string", "datetime"):
        raise _incomparable(one, f"{other.name} ({other.kind or 'nested'})")
    return _SIGNS[sign](one.value, other.value).fill_null(value=sign == "!=")


def _as_number(column: Operand) -> Operand:
    if column.kind != "boolean":
        return column
    return Operand(column.name, "integer", column.value.cast(pl.Int32))


def _compare(column: Operand, sign: str, constant: Any) -> pl.Expr:
    if column.kind in ("", "binary"):
        raise _incomparable(column, repr(constant))
    if sign in ("IN", "NOT_IN"):
        is_member = _is_in(column, cast("list[Any]", constant)).fill_null(value=False)
        return ~is_member if sign == "NOT_IN" else is_member
    sides = _sides(column, sign, constant)
    if sides is None and sign in _ORDERS:
        raise _incomparable(column, repr(constant))
    if sides is None:  # pandas finds no value equal to one of another type
        return pl.lit(value=sign == "!=")
    # As in pandas, a missing value equals nothing and differs from everything.
    return _SIGNS[sign](*sides).fill_null(value=sign == "!=")


def _is_in(column: Operand, values: list[Any]) -> pl.Expr:
    texts = [value for value in values if isinstance(value, str)]
    if column.kind == "string":
        return column.value.is_in(pl.Series(texts, dtype=pl.String).implode())
    numbers = [value for value in values if not isinstance(value, str)]
    if column.kind == "datetime":
        if numbers:
            raise _incomparable(column, repr(numbers))
        return pl.lit(value=False)
    if column.kind in INTEGERS and all(type(number) is int for number in numbers):
        return column.value.cast(pl.Int64).is_in(pl.Series(numbers, dtype=pl.Int64).implode())
    floats = pl.Series(list(map(float, numbers)), dtype=pl.Float64)
    return column.value.cast(pl.Float64).is_in(floats.implode())


def _sides(column: Operand, sign: str, constant: Any) -> tuple[pl.Expr, pl.Expr] | None:
    """Both sides of a comparison in one type; None where pandas finds them never equal."""
    if column.kind == "datetime":
        sides = in_order(column, constant)
        if sides is None:
            raise _incomparable(column, repr(constant))
        # pandas orders datetimes by text that stands for one, but finds none equal to it.
        return sides if sign in _ORDERS else None
    if (column.kind == "string") != isinstance(constant, str):
        return None
    if column.kind == "string":
        return column.value, pl.lit(constant)
    if column.kind == "float":
        # pandas narrows the constant to the column's precision, not the other way round.
        return column.value, pl.lit(float(constant)).cast(pl.Float32)
    if column.kind in INTEGERS and not isinstance(constant, float):
        return column.value.cast(pl.Int64), pl.lit(int(constant), pl.Int64)
    return column.value.cast(pl.Float64), pl.lit(float(constant))


def _incomparable(column: Operand, other: str) -> InvalidConditionError:
    kind = column.kind or "nested"
    return InvalidConditionError(f"{column.name} ({kind}) cannot be compared with {other}")


def in_words(condition: Condition) -> str:
    """Write a condition as a user would: ``a > 5 and b is null``."""
    match condition:
        case {"type": "and" | "or" as kind, "conditions": parts}:
            texts = map(in_words, parts)
            return f" {kind} ".join(f"({text})" if " or " in text else text for text in texts)
        case {"type": "not", "condition": part}:
            return f"not ({in_words(part)})"
        case {"type": "nullity", "column": {"name": name}, "is_null": is_null}:
            return f"{name} is {'null' if is_null else 'not null'}"
        case {"type": "is_true", "column": {"name": name}}:
            return name
        case {"column": {"name": name}, "operator": sign}:
            other = condition.get("other", {}).get("name") or repr(condition.get("parameter"))
            return f"{name} {sign.replace('_', ' ').lower()} {other}"
        case _:
            return str(condition)
