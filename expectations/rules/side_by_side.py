"""Rules about several columns of one row."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import polars as pl

from .operands import COMPARABLE, INTEGERS, NUMBERS, is_number
from .rule_words import listed

if TYPE_CHECKING:
    from .operands import RuleOperands

# numpy adds up rows of fewer columns than these one after the other, as Polars does.
_SUMMED_IN_PAIRS = 8


def alike(terms: RuleOperands) -> bool:
    """Tell whether pandas compares the columns, and as what they are."""
    kinds = terms.kinds
    return kinds <= set(NUMBERS) or (len(kinds) == 1 and kinds <= set(COMPARABLE))


def ordered_pair(terms: RuleOperands) -> bool:
    """Tell whether pandas puts the columns in an order."""
    return alike(terms) and terms.kinds.isdisjoint({"boolean"})


def a_above_b(terms: RuleOperands) -> pl.Expr:
    """Find the rows in which the first column is above the second."""
    first, second = terms.cast_to_common()
    return first >= second if terms.kwargs.get("or_equal") else first > second


def sums_exactly(terms: RuleOperands) -> bool:
    """Tell whether pandas adds the columns up to the last digit alike."""
    whole = terms.kinds <= set(INTEGERS)
    floating = terms.kinds <= {*INTEGERS, "double"} and len(terms.columns) < _SUMMED_IN_PAIRS
    return (whole or floating) and is_number(terms.kwargs.get("sum_total"))


def sum_is(terms: RuleOperands) -> pl.Expr:
    """Find the rows that add up to the wanted sum."""
    first, *others = terms.cast_to_common()
    total = sum(others, start=first)
    return total.cast(pl.Float64) == float(terms.kwargs["sum_total"])


def all_differ(terms: RuleOperands) -> pl.Expr:
    """Find the rows in which no two columns are equal; two missing values are."""
    pairs = combinations(terms.cast_to_common(), 2)
    return ~pl.any_horizontal([one.eq_missing(other) for one, other in pairs])


def names(terms: RuleOperands) -> str:
    """Name the columns."""
    return listed([column.name for column in terms.columns])
