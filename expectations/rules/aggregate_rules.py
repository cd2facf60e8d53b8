"""Rules about a batch as a whole: GX's aggregate expectations, in Polars.

``TABLE_RULES`` is the table. Each entry means what GX on pandas means by it; sums, means and
deviations agree up to the last digits of a float, which depend on the order of adding.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from .metrics import (
    Measured,
    all_there,
    as_float,
    count,
    distinct,
    extreme,
    has_numeric_limits,
    has_quantiles,
    has_values,
    inside,
    is_numeric,
    is_ordered,
    just_these,
    limited,
    middle,
    middles,
    no_others,
    number,
    outside,
    physical,
    quantiles,
    quantiles_between,
    quantiles_in_words,
    share,
    total,
    valued,
)
from .operands import COMPARABLE, LIMITS, is_whole, limits_of

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from .operands import RuleOperands


class TableRule(NamedTuple):
    """How Polars judges one type of expectation.

    Attributes:
        kwargs: Arguments of its own, besides the column and conditions.
        fits: Whether Polars and pandas see it alike.
        measure: Aggregates over the column's values, or over the rows.
        conclude: From the aggregates to the outcome.
        expected: What it asks for.
    """

    kwargs: frozenset[str]
    fits: Callable[[RuleOperands], bool]
    measure: Callable[[RuleOperands], list[pl.Expr]]
    conclude: Callable[[RuleOperands, list[Any]], Measured]
    expected: Callable[[RuleOperands], str]


# GX's expectation -> how Polars judges it.
TABLE_RULES: dict[str, TableRule] = {
    "expect_column_min_to_be_between": TableRule(
        LIMITS, is_ordered, lambda t: [physical(t).min()], extreme, limited("a minimum")
    ),
    "expect_column_max_to_be_between": TableRule(
        LIMITS, is_ordered, lambda t: [physical(t).max()], extreme, limited("a maximum")
    ),
    "expect_column_mean_to_be_between": TableRule(
        LIMITS, is_numeric, lambda t: [as_float(t).mean()], number, limited("a mean")
    ),
    "expect_column_median_to_be_between": TableRule(
        LIMITS, is_numeric, middles, middle, limited("a median")
    ),
    "expect_column_sum_to_be_between": TableRule(
        LIMITS, is_numeric, total, number, limited("a sum")
    ),
    "expect_column_stdev_to_be_between": TableRule(
        LIMITS,
        is_numeric,
        lambda t: [as_float(t).std()],
        number,
        limited("a standard deviation"),
    ),
    "expect_column_quantile_values_to_be_between": TableRule(
        frozenset({"quantile_ranges", "allow_relative_error"}),
        has_quantiles,
        quantiles,
        quantiles_between,
        quantiles_in_words,
    ),
    "expect_column_unique_value_count_to_be_between": TableRule(
        LIMITS,
        lambda t: t.kind in COMPARABLE and all(map(is_whole, limits_of(t.kwargs))),
        lambda t: [distinct(t)],
        count,
        limited("a number of distinct values"),
    ),
    "expect_column_proportion_of_unique_values_to_be_between": TableRule(
        LIMITS,
        lambda t: t.kind in COMPARABLE and has_numeric_limits(t),
        lambda t: [distinct(t), t.value.count()],
        share,
        limited("a share of distinct values"),
    ),
    "expect_column_proportion_of_non_null_values_to_be_between": TableRule(
        LIMITS,
        has_numeric_limits,
        lambda t: [t.value.count(), t.value.len()],
        share,
        limited("a share of present values"),
    ),
    "expect_column_distinct_values_to_be_in_set": TableRule(
        frozenset({"value_set"}), has_values, outside, no_others, valued("no values but")
    ),
    "expect_column_distinct_values_to_contain_set": TableRule(
        frozenset({"value_set"}), has_values, inside, all_there, valued("among the values")
    ),
    "expect_column_distinct_values_to_equal_set": TableRule(
        frozenset({"value_set"}),
        has_values,
        lambda t: [*outside(t), *inside(t)],
        just_these,
        valued("just the values"),
    ),
    "expect_table_row_count_to_be_between": TableRule(
        LIMITS,
        lambda t: all(map(is_whole, limits_of(t.kwargs))),
        lambda t: [t.rows.sum()],
        count,
        limited("a number of rows"),
    ),
    "expect_table_row_count_to_equal": TableRule(
        frozenset({"value"}),
        lambda t: is_whole(t.kwargs.get("value")),
        lambda t: [t.rows.sum()],
        lambda t, values: Measured(values[0] == t.kwargs["value"], int(values[0])),
        lambda t: f"{t.kwargs['value']:,} rows",
    ),
}
