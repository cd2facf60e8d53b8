"""Rules that single rows break: GX's map expectations, in Polars.

``ROW_RULES`` is the table. Each entry means what GX on pandas means by it; where a rule's arguments
or the types of its columns lie outside of what both see alike, ``fits`` says no, and stock GX
judges it.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from .operands import (
    COMPARABLE,
    INTEGERS,
    LIMITS,
    NUMBERS,
    RuleOperands,
    in_order,
    is_number,
    is_whole,
    limits_in_words,
    limits_of,
    listed,
    members,
    values_in_words,
    within,
)
from .regex import translate

if TYPE_CHECKING:
    from collections.abc import Callable

    from polars._typing import ClosedInterval

    from .operands import RuleOperands


# numpy adds up rows of fewer columns than these one after the other, as Polars does.
_SUMMED_IN_PAIRS = 8


class RowRule(NamedTuple):
    """How Polars judges one type of expectation.

    Attributes:
        kwargs: Arguments of its own, besides columns, ``mostly`` and conditions.
        fits: Whether Polars and pandas see it alike.
        passes: True in rows that keep it; null counts as false.
        expected: What it asks for.
        observed: What a row that breaks it has.
        missing: Whether rows in which the column is missing are looked at too.
        repeats: Whether a row is judged by others like it: then ``passes`` is not asked.
    """

    kwargs: frozenset[str]
    fits: Callable[[RuleOperands], bool]
    passes: Callable[[RuleOperands], pl.Expr]
    expected: Callable[[RuleOperands], str]
    observed: str
    missing: bool = False
    repeats: bool = False


# ----- limits -----

# By whether the lower and the upper limit are strict: which of them Polars takes for inside.
_CLOSED: dict[tuple[bool, bool], ClosedInterval] = {
    (False, False): "both",
    (False, True): "left",
    (True, False): "right",
    (True, True): "none",
}


def _between(operands: RuleOperands) -> pl.Expr:
    column, given = operands.columns[0], operands.kwargs
    low, high = in_order(column, given.get("min_value")), in_order(column, given.get("max_value"))
    above, below = bool(given.get("strict_min")), bool(given.get("strict_max"))
    if low and high:
        return low[0].is_between(low[1], high[1], _CLOSED[above, below])
    if low:
        return low[0] > low[1] if above else low[0] >= low[1]
    if high:
        return high[0] < high[1] if below else high[0] <= high[1]
    return pl.lit(value=True)


def _orderable(operands: RuleOperands) -> bool:
    limits = limits_of(operands.kwargs)
    return bool(limits) and all(in_order(operands.columns[0], limit) for limit in limits)


def _lengths(operands: RuleOperands) -> RuleOperands:
    numbered = replace(operands.columns[0], kind="long", value=operands.value.str.len_chars())
    return replace(operands, columns=(numbered,))


def _whole_limits(operands: RuleOperands) -> bool:
    limits = limits_of(operands.kwargs)
    return operands.kind == "string" and bool(limits) and all(map(is_whole, limits))


# ----- sets and patterns -----


def _in_set(operands: RuleOperands) -> pl.Expr:
    values = members(operands.kwargs["value_set"], operands.kind)
    return pl.lit(value=True) if values is None else within(operands.columns[0], values)


def _has_set(operands: RuleOperands) -> bool:
    return members(operands.kwargs.get("value_set"), operands.kind) is not None


def _matches(operands: RuleOperands) -> pl.Expr:
    return operands.value.str.contains(translate(operands.kwargs["regex"]) or "")


def _has_pattern(operands: RuleOperands) -> bool:
    pattern = operands.kwargs.get("regex")
    return operands.kind == "string" and isinstance(pattern, str) and translate(pattern) is not None


# ----- several columns of a row -----


def _alike(operands: RuleOperands) -> bool:
    kinds = operands.kinds
    return kinds <= set(NUMBERS) or (len(kinds) == 1 and kinds <= set(COMPARABLE))


def _ordered_pair(operands: RuleOperands) -> bool:
    return _alike(operands) and operands.kinds.isdisjoint({"boolean"})


def _a_above_b(operands: RuleOperands) -> pl.Expr:
    first, second = operands.cast_to_common()
    return first >= second if operands.kwargs.get("or_equal") else first > second


def _sums_exactly(operands: RuleOperands) -> bool:
    """Tell whether pandas adds the columns up to the last digit alike."""
    whole = operands.kinds <= set(INTEGERS)
    floating = operands.kinds <= {*INTEGERS, "double"} and len(operands.columns) < _SUMMED_IN_PAIRS
    return (whole or floating) and is_number(operands.kwargs.get("sum_total"))


def _sum_is(operands: RuleOperands) -> pl.Expr:
    first, *others = operands.cast_to_common()
    total = sum(others, start=first)
    return total.cast(pl.Float64) == float(operands.kwargs["sum_total"])


def _all_differ(operands: RuleOperands) -> pl.Expr:
    """Find the rows in which no two columns are equal; two missing values are."""
    pairs = combinations(operands.cast_to_common(), 2)
    return ~pl.any_horizontal([one.eq_missing(other) for one, other in pairs])


def _names(operands: RuleOperands) -> str:
    return listed([column.name for column in operands.columns])


def _none(_: RuleOperands) -> pl.Expr:
    return pl.lit(value=True)


def _always(_: RuleOperands) -> bool:
    return True


# GX's expectation -> how Polars judges it.
ROW_RULES: dict[str, RowRule] = {
    "expect_column_values_to_not_be_null": RowRule(
        frozenset(),
        _always,
        lambda t: t.value.is_not_null(),
        lambda _: "a value",
        "null",
        missing=True,
    ),
    "expect_column_values_to_be_null": RowRule(
        frozenset(), _always, lambda t: t.value.is_null(), lambda _: "null", "values", missing=True
    ),
    "expect_column_values_to_be_between": RowRule(
        LIMITS, _orderable, _between, lambda t: f"values {limits_in_words(t.kwargs)}", "others"
    ),
    "expect_column_values_to_be_in_set": RowRule(
        frozenset({"value_set"}),
        _has_set,
        _in_set,
        lambda t: f"one of {values_in_words(t.kwargs['value_set'])}",
        "others",
    ),
    "expect_column_values_to_not_be_in_set": RowRule(
        frozenset({"value_set"}),
        _has_set,
        lambda t: ~_in_set(t),
        lambda t: f"none of {values_in_words(t.kwargs['value_set'])}",
        "some of them",
    ),
    "expect_column_values_to_match_regex": RowRule(
        frozenset({"regex"}),
        _has_pattern,
        _matches,
        lambda t: f"text that matches {t.kwargs['regex']!r}",
        "text that does not",
    ),
    "expect_column_values_to_not_match_regex": RowRule(
        frozenset({"regex"}),
        _has_pattern,
        lambda t: ~_matches(t),
        lambda t: f"text that does not match {t.kwargs['regex']!r}",
        "text that does",
    ),
    "expect_column_value_lengths_to_be_between": RowRule(
        LIMITS,
        _whole_limits,
        lambda t: _between(_lengths(t)),
        lambda t: f"text with a length {limits_in_words(t.kwargs)}",
        "longer or shorter text",
    ),
    "expect_column_value_lengths_to_equal": RowRule(
        frozenset({"value"}),
        lambda t: t.kind == "string" and is_number(t.kwargs.get("value")),
        lambda t: t.value.str.len_chars().cast(pl.Float64) == float(t.kwargs["value"]),
        lambda t: f"text of {t.kwargs['value']} characters",
        "longer or shorter text",
    ),
    "expect_column_values_to_be_unique": RowRule(
        frozenset(),
        lambda t: t.kind in COMPARABLE,
        _none,
        lambda _: "each value once",
        "values that are repeated",
        repeats=True,
    ),
    "expect_compound_columns_to_be_unique": RowRule(
        frozenset(),
        lambda t: t.kinds <= set(COMPARABLE),
        _none,
        lambda t: f"each combination of {_names(t)} once",
        "combinations that are repeated",
        repeats=True,
    ),
    "expect_select_column_values_to_be_unique_within_record": RowRule(
        frozenset(),
        _alike,
        _all_differ,
        lambda t: f"different values in {_names(t)} of a row",
        "equal ones",
    ),
    "expect_column_pair_values_to_be_equal": RowRule(
        frozenset(),
        _alike,
        lambda t: t.cast_to_common()[0] == t.cast_to_common()[1],
        lambda t: f"{t.columns[0].name!r} equal to {t.columns[1].name!r}",
        "different values",
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": RowRule(
        frozenset({"or_equal"}),
        _ordered_pair,
        _a_above_b,
        lambda t: (
            f"{t.columns[0].name!r} greater than {'or equal to ' * bool(t.kwargs.get('or_equal'))}"
            f"{t.columns[1].name!r}"
        ),
        "values in another order",
    ),
    "expect_multicolumn_sum_to_equal": RowRule(
        frozenset({"sum_total"}),
        _sums_exactly,
        _sum_is,
        lambda t: f"{_names(t)} that add up to {t.kwargs['sum_total']}",
        "another sum",
    ),
}
