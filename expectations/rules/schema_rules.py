"""Rules about names and types: GX's table expectations that no value decides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .metrics import Measured, against_limits
from .operands import is_number, is_whole, limits_in_words, limits_of, values_in_words

if TYPE_CHECKING:
    from collections.abc import Callable


class ShapeRule(NamedTuple):
    """How names and types alone decide one type of expectation.

    Attributes:
        kwargs: Its arguments.
        fits: Whether its arguments can be read without pandas.
        conclude: From arguments, names and pandas types to the outcome.
        expected: What it asks for.
    """

    kwargs: frozenset[str]
    fits: Callable[[dict[str, Any], dict[str, str]], bool]
    conclude: Callable[[dict[str, Any], dict[str, str]], Measured]
    expected: Callable[[dict[str, Any]], str]


def _exists(kwargs: dict[str, Any], types: dict[str, str]) -> Measured:
    names, index = list(types), kwargs.get("column_index")
    there = kwargs["column"] in names
    if index:  # GX takes 0 for no index
        there = -len(names) <= index < len(names) and names[index] == kwargs["column"]
    return Measured(there, "there" if there else "not there")


def _is_name_list(key: str) -> Callable[[dict[str, Any], dict[str, str]], bool]:
    return lambda kwargs, _: isinstance(kwargs.get(key), list)


def _match_set(kwargs: dict[str, Any], types: dict[str, str]) -> Measured:
    expected, there = set[str](kwargs["column_set"]), set(types)
    exact = kwargs.get("exact_match", True)
    holds = expected == there if exact else expected <= there
    return Measured(holds, sorted(there))


_PANDAS_NAMES = {"bool", "int32", "int64", "float32", "float64", "str", "object", "datetime64[ns]"}


def _knows_type(kwargs: dict[str, Any], types: dict[str, str]) -> bool:
    # The same names on both sides: aliases and the like are pandas' to resolve.
    return (
        kwargs.get("type_") in _PANDAS_NAMES
        and types.get(kwargs.get("column", "")) in _PANDAS_NAMES
    )


SHAPE_RULES: dict[str, ShapeRule] = {
    "expect_column_to_exist": ShapeRule(
        frozenset({"column_index"}),
        lambda kwargs, _: "column" in kwargs and type(kwargs.get("column_index", 0)) is int,
        _exists,
        lambda kwargs: (
            f"the column at position {kwargs['column_index']}"
            if kwargs.get("column_index")
            else "the column"
        ),
    ),
    "expect_column_type_to_be": ShapeRule(
        frozenset({"type_"}),
        _knows_type,
        lambda kwargs, types: Measured(
            types[kwargs["column"]] == kwargs["type_"], types[kwargs["column"]]
        ),
        lambda kwargs: f"the pandas type {kwargs['type_']}",
    ),
    "expect_table_columns_to_match_set": ShapeRule(
        frozenset({"column_set", "exact_match"}),
        _is_name_list("column_set"),
        _match_set,
        lambda kwargs: f"the columns {values_in_words(kwargs['column_set'])}",
    ),
    "expect_table_columns_to_match_ordered_list": ShapeRule(
        frozenset({"column_list"}),
        _is_name_list("column_list"),
        lambda kwargs, types: Measured(kwargs["column_list"] == list(types), list(types)),
        lambda kwargs: f"the columns {values_in_words(kwargs['column_list'])} in this order",
    ),
    "expect_table_column_count_to_equal": ShapeRule(
        frozenset({"value"}),
        lambda kwargs, _: is_whole(kwargs.get("value")),
        lambda kwargs, types: Measured(len(types) == kwargs["value"], len(types)),
        lambda kwargs: f"{kwargs['value']} columns",
    ),
    "expect_table_column_count_to_be_between": ShapeRule(
        frozenset({"min_value", "max_value"}),
        lambda kwargs, _: all(map(is_number, limits_of(kwargs))),
        lambda kwargs, types: against_limits(len(types), kwargs),
        lambda kwargs: f"a number of columns {limits_in_words(kwargs)}",
    ),
}
