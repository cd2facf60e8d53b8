"""Rules that single rows break: GX's map expectations, said for Polars.

``ROW_RULES`` is the table. Each entry means what GX on pandas means by it; where a rule's arguments
or the types of its columns lie outside of what both see alike, ``fits`` says no, and stock GX
judges it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from .operands import (
    COMPARABLE,
    in_order,
    is_number,
    is_whole,
    members,
    within,
)
from .regex import translate
from .rule_words import LIMITS, limits_in_words, limits_of, values_in_words
from .side_by_side import (
    a_above_b,
    alike,
    all_differ,
    names,
    ordered_pair,
    sum_is,
    sums_exactly,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .operands import RuleOperands


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


def _between(terms: RuleOperands) -> pl.Expr:
    masks, column = list[pl.Expr](), terms.columns[0]
    low, high = terms.kwargs.get("min_value"), terms.kwargs.get("max_value")
    if low is not None and (sides := in_order(column, low)):
        value, limit = sides
        masks.append(value > limit if terms.kwargs.get("strict_min") else value >= limit)
    if high is not None and (sides := in_order(column, high)):
        value, limit = sides
        masks.append(value < limit if terms.kwargs.get("strict_max") else value <= limit)
    return pl.all_horizontal(masks)


def _orderable(terms: RuleOperands) -> bool:
    limits = limits_of(terms.kwargs)
    return bool(limits) and all(in_order(terms.columns[0], limit) for limit in limits)


def _lengths(terms: RuleOperands) -> RuleOperands:
    numbered = replace(terms.columns[0], kind="long", value=terms.value.str.len_chars())
    return replace(terms, columns=(numbered,))


def _whole_limits(terms: RuleOperands) -> bool:
    limits = limits_of(terms.kwargs)
    return terms.kind == "string" and bool(limits) and all(map(is_whole, limits))


# ----- sets and patterns -----


def _in_set(terms: RuleOperands) -> pl.Expr:
    values = members(terms.kwargs["value_set"], terms.kind)
    return pl.lit(value=True) if values is None else within(terms.columns[0], values)


def _has_set(terms: RuleOperands) -> bool:
    return members(terms.kwargs.get("value_set"), terms.kind) is not None


def _matches(terms: RuleOperands) -> pl.Expr:
    return terms.value.str.contains(translate(terms.kwargs["regex"]) or "")


def _has_pattern(terms: RuleOperands) -> bool:
    pattern = terms.kwargs.get("regex")
    return terms.kind == "string" and isinstance(pattern, str) and translate(pattern) is not None


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
        lambda t: f"each combination of {names(t)} once",
        "combinations that are repeated",
        repeats=True,
    ),
    "expect_select_column_values_to_be_unique_within_record": RowRule(
        frozenset(),
        alike,
        all_differ,
        lambda t: f"different values in {names(t)} of a row",
        "equal ones",
    ),
    "expect_column_pair_values_to_be_equal": RowRule(
        frozenset(),
        alike,
        lambda t: t.cast_to_common()[0] == t.cast_to_common()[1],
        lambda t: f"{t.columns[0].name!r} equal to {t.columns[1].name!r}",
        "different values",
    ),
    "expect_column_pair_values_a_to_be_greater_than_b": RowRule(
        frozenset({"or_equal"}),
        ordered_pair,
        a_above_b,
        lambda t: (
            f"{t.columns[0].name!r} greater than {'or equal to ' * bool(t.kwargs.get('or_equal'))}"
            f"{t.columns[1].name!r}"
        ),
        "values in another order",
    ),
    "expect_multicolumn_sum_to_equal": RowRule(
        frozenset({"sum_total"}),
        sums_exactly,
        sum_is,
        lambda t: f"{names(t)} that add up to {t.kwargs['sum_total']}",
        "another sum",
    ),
}
