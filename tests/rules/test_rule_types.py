"""Each type of rule and each condition on rows, kept and broken, by the gate and by stock GX."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from rule_cases import CONTRACT, FRAME, TYPES, Rule, agrees, rule, under, where
from stock_gx import Answer, ask

from signature_gate import Policy, check

if TYPE_CHECKING:
    from signature_gate.expectations.verdict.rule_result import RuleResult

ALL = list(TYPES)


# Type, arguments that hold for FRAME, arguments that do not.
CASES: list[tuple[str, Rule, Rule]] = [
    ("column_to_exist", {"column": "i"}, {"column": "i", "column_index": 2}),
    ("column_values_to_not_be_null", {"column": "i"}, {"column": "d"}),
    ("column_values_to_not_be_null", {"column": "d", "mostly": 0.75}, {"column": "u"}),
    ("column_values_to_be_null", {"column": "u", "mostly": 0.5}, {"column": "u"}),
    (
        "column_values_to_be_between",
        {"column": "d", "min_value": 1},
        {"column": "d", "min_value": 1, "strict_min": True},
    ),
    (
        "column_values_to_be_between",
        {"column": "f", "min_value": 0.1},
        {"column": "f", "max_value": 2, "strict_max": True},
    ),
    (
        "column_values_to_be_between",
        {"column": "t", "min_value": "2020-01-01T00:00:00"},
        {"column": "t", "max_value": "2021-01-01T00:00:00"},
    ),
    (
        "column_values_to_be_in_set",
        {"column": "s", "value_set": ["x", "xyz", "y\n", None]},
        {"column": "i", "value_set": [1, 2, 3]},
    ),
    (
        "column_values_to_not_be_in_set",
        {"column": "d", "value_set": [2, 7.5]},
        {"column": "b", "value_set": [False]},
    ),
    (
        "column_values_to_match_regex",
        {"column": "s", "regex": "^[xy]"},
        {"column": "s", "regex": "x$"},
    ),
    (
        "column_values_to_not_match_regex",
        {"column": "s", "regex": r"\d"},
        {"column": "s", "regex": "y$"},
    ),
    (
        "column_value_lengths_to_be_between",
        {"column": "s", "min_value": 1, "max_value": 3},
        {"column": "s", "max_value": 2},
    ),
    ("column_value_lengths_to_equal", {"column": "u", "value": 1}, {"column": "s", "value": 1}),
    ("column_values_to_be_unique", {"column": "s"}, {"column": "t"}),
    ("compound_columns_to_be_unique", {"column_list": ["t", "i"]}, {"column_list": ["t", "b"]}),
    (
        "select_column_values_to_be_unique_within_record",
        {"column_list": ["i", "f"]},
        {"column_list": ["d", "e"], "ignore_row_if": "never"},
    ),
    (
        "column_pair_values_to_be_equal",
        {"column_A": "i", "column_B": "j", "mostly": 0.75},
        {"column_A": "d", "column_B": "e", "ignore_row_if": "neither"},
    ),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "i", "column_B": "f", "ignore_row_if": "either_value_is_missing"},
        {"column_A": "j", "column_B": "i"},
    ),
    (
        "column_pair_values_a_to_be_greater_than_b",
        {"column_A": "j", "column_B": "i", "or_equal": True},
        {"column_A": "i", "column_B": "j", "or_equal": True},
    ),
    (
        "multicolumn_sum_to_equal",
        {"column_list": ["i", "j"], "sum_total": 2, "mostly": 0.25},
        {"column_list": ["i", "d"], "sum_total": 2},
    ),
    (
        "column_distinct_values_to_be_in_set",
        {"column": "b", "value_set": [True, False]},
        {"column": "s", "value_set": ["x"]},
    ),
    (
        "column_distinct_values_to_equal_set",
        {"column": "i", "value_set": [4, 3, 2, 1]},
        {"column": "u", "value_set": ["x", "q", "r"]},
    ),
    (
        "column_distinct_values_to_contain_set",
        {"column": "d", "value_set": [1, 3]},
        {"column": "f", "value_set": [0.1, 0.5]},
    ),
    (
        "column_unique_value_count_to_be_between",
        {"column": "t", "max_value": 2},
        {"column": "t", "min_value": 3},
    ),
    (
        "column_proportion_of_unique_values_to_be_between",
        {"column": "u", "min_value": 1},
        {"column": "b", "min_value": 0.9},
    ),
    (
        "column_proportion_of_non_null_values_to_be_between",
        {"column": "d", "min_value": 0.7},
        {"column": "u", "min_value": 0.7},
    ),
    (
        "column_min_to_be_between",
        {"column": "f", "min_value": 0.1},
        {"column": "i", "min_value": 2},
    ),
    (
        "column_max_to_be_between",
        {"column": "t", "max_value": "2021-06-01T12:00:00"},
        {"column": "d", "max_value": 100},
    ),
    (
        "column_mean_to_be_between",
        {"column": "i", "max_value": 2.5},
        {"column": "d", "max_value": 100},
    ),
    (
        "column_median_to_be_between",
        {"column": "d", "max_value": 3},
        {"column": "i", "max_value": 2},
    ),
    (
        "column_sum_to_be_between",
        {"column": "j", "min_value": 11},
        {"column": "j", "min_value": 12},
    ),
    (
        "column_stdev_to_be_between",
        {"column": "i", "max_value": 1.3},
        {"column": "d", "max_value": 9},
    ),
    (
        "column_quantile_values_to_be_between",
        {
            "column": "i",
            "quantile_ranges": {
                "quantiles": [0, 0.5, 1],
                "value_ranges": [[1, 1], [3, 3], [None, 4]],
            },
        },
        {
            "column": "j",
            "quantile_ranges": {"quantiles": [0.5], "value_ranges": [[1, 2]]},
        },
    ),
    ("table_row_count_to_be_between", {"min_value": 4}, {"max_value": 3}),
    ("table_row_count_to_equal", {"value": 4}, {"value": 5}),
    ("table_column_count_to_be_between", {"max_value": 9}, {"min_value": 10}),
    ("table_column_count_to_equal", {"value": 9}, {"value": 8}),
    ("table_columns_to_match_set", {"column_set": ALL[::-1]}, {"column_set": ["i", "j"]}),
    ("table_columns_to_match_ordered_list", {"column_list": ALL}, {"column_list": ALL[::-1]}),
    (
        "column_type_to_be",
        {"column": "t", "type_": "datetime64[ns]"},
        {"column": "i", "type_": "int32"},
    ),
]


# Queries in pandas' words, with the rows of FRAME that they choose.
QUERIES: list[tuple[str, list[int]]] = [
    ("i > 1", [1, 2, 3]),
    ("1 < i <= 3", [1, 2]),
    ("-1.5 < i", [0, 1, 2, 3]),
    ("i > 1 & b == True", [2, 3]),
    ("i == 1 | s == 'x'", [0]),
    ("b", [0, 2, 3]),
    ("not b", [1]),
    ("~(d > 1.2)", [0, 1]),
    ("d.isnull()", [1]),
    ("~`d`.isna() and d.notnull()", [0, 2, 3]),
    ("i.isin([1, 4])", [0, 3]),
    ("s in ['x'] or s not in ('x', 'z')", [0, 1, 2, 3]),
    ("i == [1, 2]", [0, 1]),
    ("i != [1, 2]", [2, 3]),
    ("i > d", []),
    ("i >= j", [0, 1, 2]),
    ("f == d", []),
    ("s != u", [1, 2, 3]),
    ("b == i", [0]),
    ("t == t", [0, 1, 3]),
]


# Conditions, with the rows of FRAME that meet them.
CONDITIONS: list[tuple[dict[str, Any], list[int]]] = [
    (where("i", ">", 1), [1, 2, 3]),
    (where("i", "==", 2), [1]),
    (where("d", ">=", 1.5), [2, 3]),
    (where("d", "!=", 1), [1, 2, 3]),
    (where("f", "==", 0.1), [0]),
    (where("s", "!=", "x"), [1, 2, 3]),
    (where("s", ">", "x"), [1, 3]),
    (where("b", "==", True), [0, 2, 3]),
    (where("i", "IN", [1, 4]), [0, 3]),
    (where("s", "NOT_IN", ["x"]), [1, 2, 3]),
    (where("t", ">=", "2020-06-01"), [1]),
    ({"type": "nullity", "column": {"name": "d"}, "is_null": True}, [1]),
    ({"type": "nullity", "column": {"name": "s"}, "is_null": False}, [0, 1, 3]),
    ({"type": "and", "conditions": [where("i", ">", 1), where("b", "==", True)]}, [2, 3]),
    ({"type": "or", "conditions": [where("i", ">", 3), where("s", "==", "x")]}, [0, 3]),
    (where("t", "==", "2020-01-01"), []),
    (where("t", "!=", "2020-01-01"), [0, 1, 2, 3]),
    (where("t", "IN", ["2020-01-01"]), []),
    (where("f", "IN", [0.1]), []),
    (where("i", "IN", [1.5, 2.0]), [1]),
    (where("i", "==", "x"), []),
    (where("i", "!=", "x"), [0, 1, 2, 3]),
    (where("s", "==", 1), []),
    (where("i", "==", True), [0]),
    (where("b", "==", 1), [0, 2, 3]),
    (where("b", "<", True), [1]),
    *(({"type": "pass_through", "pass_through_filter": q}, rows) for q, rows in QUERIES),
]


def _stated() -> list[Rule]:
    kept = [rule(kind, **holds) for kind, holds, _ in CASES]
    broken = [rule(kind, **fails) for kind, _, fails in CASES]
    conditional = [
        rule("column_values_to_be_null", column="i", row_condition=condition)
        for condition, _ in CONDITIONS
    ]
    return [*kept, *broken, *conditional]


@pytest.fixture(scope="module")
def judged() -> list[tuple[RuleResult, Answer]]:
    """All cases at once, by the gate and by stock GX on the frame that the model would receive."""
    rulings = check(FRAME, under(CONTRACT, *_stated())).verdict.rules
    frame: Any = check(FRAME, CONTRACT).model_input()
    return list(zip(rulings, ask(frame, [r.expectation for r in rulings]), strict=True))


@pytest.mark.parametrize("number", range(len(CASES)), ids=[kind for kind, _, _ in CASES])
def test_polars_and_gx_agree_on_each_type(number: int, judged: Any) -> None:
    """A rule that holds and one that does not: the same outcome and the same number of rows."""
    for place, holds in ((number, True), (number + len(CASES), False)):
        ruling, answer = judged[place]
        assert ruling.engine == "polars", ruling
        assert ruling.success is holds, ruling
        assert agrees(ruling, answer), (ruling, answer)


@pytest.mark.parametrize("number", range(len(CONDITIONS)))
def test_a_condition_chooses_the_rows_that_gx_chooses(number: int, judged: Any) -> None:
    """Conditions on rows mean what pandas means by them, missing values too."""
    ruling, answer = judged[2 * len(CASES) + number]

    assert ruling.engine == "polars"
    assert ruling.element_count == len(CONDITIONS[number][1])
    assert agrees(ruling, answer)


@pytest.mark.parametrize("frame", [FRAME.head(0), FRAME.select(pl.all().shift(9)).head(3)])
def test_rules_on_nothing_agree_too(frame: pl.DataFrame) -> None:
    """No rows, or nothing in them: what is vacuous for GX is vacuous here."""
    nothing = frame.with_columns(i=1, j=pl.lit(1, pl.Int32), b=True) if frame.height else frame
    rulings = check(nothing, under(CONTRACT, *_stated()), Policy(min_rows=0)).verdict.rules
    handed: Any = check(nothing, CONTRACT, Policy(min_rows=0)).model_input()

    for ruling, answer in zip(rulings, ask(handed, [r.expectation for r in rulings]), strict=True):
        assert agrees(ruling, answer), (ruling, answer)


@pytest.mark.parametrize(
    "text",
    ['col("i") > 1', "col('i') > 1.0", 'Column("i") > 1', 'col("s").notnull()', 'col("s") != "x"'],
)
def test_conditions_in_the_old_notation_are_read(text: str) -> None:
    """GX before 1.0 wrote conditions as text."""
    stated = rule("column_values_to_be_null", column="i", row_condition=text)
    stated["kwargs"]["condition_parser"] = "great_expectations"

    (ruling,) = check(FRAME, under(CONTRACT, stated)).verdict.rules

    assert (ruling.engine, ruling.element_count) == ("polars", 3)
