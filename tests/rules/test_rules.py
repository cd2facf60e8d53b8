"""Users' own rules: each type against stock GX, and how they join the contract."""

from __future__ import annotations

import datetime as dt
import json
import re
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from small_checks import SPLIT, contract, rows_of, split, violations_in
from stock_gx import Answer, ask

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.rules.regex import translate
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from pathlib import Path

    from signature_gate.expectations.verdict.verdict import RuleResult

Rule = dict[str, Any]


def rule(kind: str, /, severity: str = "critical", **kwargs: Any) -> Rule:
    """Write a rule as GX does; ``expect_`` goes without saying."""
    return {"type": f"expect_{kind}", "kwargs": kwargs, "severity": severity}


def under(contract: Contract, *rules: Rule) -> Contract:
    """Add rules to a contract."""
    return replace(contract, rules=rules)


def where(column: str, sign: str, parameter: Any) -> dict[str, Any]:
    """Write a condition on rows as GX does."""
    stated = {"column": {"name": column}, "operator": sign, "parameter": parameter}
    return {"type": "comparison", **stated}


# ----- each type of rule, kept and broken -----

TYPES = {"i": "long", "j": "integer", "f": "float", "d": "double", "e": "double"} | {
    "s": "string",
    "u": "string",
    "b": "boolean",
    "t": "datetime",
}
CONTRACT = contract(optional=("f", "d", "e", "s", "u", "t"), **TYPES)
_DAYS = [dt.datetime(2020, 1, 1), dt.datetime(2021, 6, 1, 12), None, dt.datetime(2020, 1, 1)]
FRAME = pl.DataFrame(
    {
        "i": [1, 2, 3, 4],
        "j": pl.Series([1, 2, 3, 5], dtype=pl.Int32),
        "f": pl.Series([0.1, 0.5, None, 2.0], dtype=pl.Float32),
        "d": [1.0, None, 3.0, float("inf")],
        "e": [1.0, None, 2.5, float("inf")],
        "s": ["x", "y\n", None, "xyz"],
        "u": ["x", None, None, "q"],
        "b": [True, False, True, True],
        "t": pl.Series(_DAYS, dtype=pl.Datetime("ns")),
    }
)
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


def _agrees(ruling: RuleResult, answer: Answer) -> bool:
    counted = answer.unexpected_count is None or answer.unexpected_count == ruling.unexpected_count
    return ruling.success == answer.success and counted


@pytest.mark.parametrize("number", range(len(CASES)), ids=[kind for kind, _, _ in CASES])
def test_polars_and_gx_agree_on_each_type(number: int, judged: Any) -> None:
    """A rule that holds and one that does not: the same outcome and the same number of rows."""
    for place, holds in ((number, True), (number + len(CASES), False)):
        ruling, answer = judged[place]
        assert ruling.engine == "polars", ruling
        assert ruling.success is holds, ruling
        assert _agrees(ruling, answer), (ruling, answer)


@pytest.mark.parametrize("number", range(len(CONDITIONS)))
def test_a_condition_chooses_the_rows_that_gx_chooses(number: int, judged: Any) -> None:
    """Conditions on rows mean what pandas means by them, missing values too."""
    ruling, answer = judged[2 * len(CASES) + number]

    assert ruling.engine == "polars"
    assert ruling.element_count == len(CONDITIONS[number][1])
    assert _agrees(ruling, answer)


@pytest.mark.parametrize("frame", [FRAME.head(0), FRAME.select(pl.all().shift(9)).head(3)])
def test_rules_on_nothing_agree_too(frame: pl.DataFrame) -> None:
    """No rows, or nothing in them: what is vacuous for GX is vacuous here."""
    nothing = frame.with_columns(i=1, j=pl.lit(1, pl.Int32), b=True) if frame.height else frame
    rulings = check(nothing, under(CONTRACT, *_stated()), Policy(min_rows=0)).verdict.rules
    handed: Any = check(nothing, CONTRACT, Policy(min_rows=0)).model_input()

    for ruling, answer in zip(rulings, ask(handed, [r.expectation for r in rulings]), strict=True):
        assert _agrees(ruling, answer), (ruling, answer)


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


# ----- what a rule does to a batch -----

SMALL = contract(optional=("b",), a="long", b="double", s="string")
ROWS = pl.DataFrame({"a": [1, 2, 50, 60], "b": [1.0, None, 3.0, 0.5], "s": ["x", "y", "x", "z"]})
AT_MOST_9 = rule("column_values_to_be_between", column="a", max_value=9)


def test_a_rule_splits_the_rows_like_the_contract() -> None:
    """Rows that break a rule are set apart, and each says which rule and what it expects."""
    result = check(ROWS, under(SMALL, AT_MOST_9), SPLIT)

    rejected = result.rejected.collect()  # type: ignore[union-attr]
    assert result.disposition == "split"
    assert result.accepted.collect()["_row"].to_list() == [0, 1]  # type: ignore[union-attr]
    assert rejected["_row"].to_list() == [2, 3]
    assert rejected["_violations"].to_list()[0] == [
        "rule expect_column_values_to_be_between in 'a': expected values of at most 9"
    ]
    assert result.model_input()["a"].tolist() == [1, 2]  # type: ignore[call-overload]


def test_a_violation_of_a_rule_says_all_that_others_say() -> None:
    """Kind, reason, words, rows, sample, remedy and the expectation itself."""
    verdict = check(ROWS, under(SMALL, AT_MOST_9)).verdict

    (violation,) = verdict.violations
    assert verdict.rules[0].scope == "row"
    assert (violation.kind, violation.column, violation.count) == ("rule", "a", 2)
    assert (violation.rows, violation.sample) == ((2, 3), ("50", "60"))
    assert violation.because == "rule expect_column_values_to_be_between"
    assert violation.expectation == {k: AT_MOST_9[k] for k in ("type", "kwargs")}
    assert violation.message == (
        "rule in column 'a': expected values of at most 9, observed others (50, 60) in 2 rows "
        "(first: 2, 3). Correct such rows where the batch is made, or change the rule in the suite."
    )


def test_a_rule_about_several_columns_shows_their_values() -> None:
    """What is compared is shown together."""
    stated = rule("column_pair_values_a_to_be_greater_than_b", column_A="b", column_B="a")

    (violation,) = check(ROWS.tail(2), under(SMALL, stated)).violations

    assert violation.column is None
    assert violation.sample == ("{'b': 3.0, 'a': 50}", "{'b': 0.5, 'a': 60}")


def test_a_rule_about_the_whole_stops_the_whole() -> None:
    """An aggregate cannot be laid to single rows."""
    stated = rule("column_mean_to_be_between", column="a", max_value=9)

    result = check(ROWS, under(SMALL, stated), SPLIT)

    assert violations_in(result) == [("rule", "a", None)]
    assert result.violations[0].observed == "28.25"
    assert result.disposition == "quarantined"


@pytest.mark.parametrize(
    ("severity", "passed"), [("critical", False), ("warning", True), ("info", True)]
)
def test_only_critical_rules_block(severity: str, passed: bool) -> None:
    """GX's warning and info are reported, and block nothing."""
    rules = (
        rule("column_values_to_be_between", severity, column="a", max_value=9),
        rule("column_max_to_be_between", severity, column="a", max_value=9),
    )

    result = check(ROWS, under(SMALL, *rules))

    assert result.passed is passed
    assert [v.severity for v in result.violations] == [
        "critical" if severity == "critical" else "warning"
    ] * 2


@pytest.mark.parametrize(("mostly", "rejected"), [(0.5, 0), (0.51, 2), (0, 0), (1, 2)])
def test_rows_within_mostly_are_not_rejected(mostly: float, rejected: int) -> None:
    """Up to the limit nothing is wrong; beyond it every row that breaks the rule counts."""
    stated = rule("column_values_to_be_between", column="a", max_value=9, mostly=mostly)

    verdict = check(ROWS, under(SMALL, stated), SPLIT).verdict

    assert verdict.rejected == rejected
    assert [v.count for v in verdict.violations] == ([rejected] if rejected else [])
    assert verdict.rules[0].unexpected_count == 2


def test_mostly_counts_present_values_but_for_null() -> None:
    """As in GX, the share is one of present values; that of presence itself is one of all rows."""
    frame = pl.DataFrame({"a": [1] * 4, "b": [9.0, 1.0, None, None], "s": ["x"] * 4})
    shares = {
        "column_values_to_be_between": {"max_value": 5, "mostly": 0.6},
        "column_values_to_not_be_null": {"mostly": 0.6},
    }

    rulings = check(
        frame, under(SMALL, *(rule(k, column="b", **v) for k, v in shares.items()))
    ).verdict.rules

    assert [(r.success, r.unexpected_count, r.element_count) for r in rulings] == [
        (False, 1, 2),
        (False, 2, 4),
    ]


def test_rules_speak_about_rows_that_meet_the_contract() -> None:
    """What the model would never receive is not held against a rule."""
    frame = pl.DataFrame({"a": [1.0, 2.5, 70.0, None], "b": [1.0] * 4, "s": ["x"] * 4})
    rules = (AT_MOST_9, rule("column_max_to_be_between", column="a", max_value=70))

    verdict = check(frame, under(SMALL, *rules), split()).verdict

    assert [(r.success, r.element_count, r.observed) for r in verdict.rules] == [
        (False, 2, None),
        (True, None, 70),
    ]
    assert verdict.rejected == 3


def test_rules_speak_about_conformed_values_under_contract_names() -> None:
    """A CSV's text is parsed and renamed before a rule sees it."""
    frame = pl.DataFrame({"A": ["1", "20"], "b": ["1", "2"], "s": ["x", "y"]})
    policy = split(parse_text="allow", rename={"A": "a"})

    result = check(frame, under(SMALL, AT_MOST_9), policy)

    assert rows_of(result, "rule") == [1]


def test_repeated_values_are_found_across_files(tmp_path: Path) -> None:
    """A folder is one batch: values that two files share are not unique."""
    for number, rows in enumerate((ROWS.head(2), ROWS.tail(2))):
        rows.write_parquet(tmp_path / f"{number}.parquet")
    rules = (
        rule("column_values_to_be_unique", column="s"),
        rule("column_sum_to_be_between", column="a", max_value=112),
    )

    result = check(tmp_path, under(SMALL, *rules), SPLIT)

    assert rows_of(result, "rule") == [0, 2]
    assert [r.observed for r in result.verdict.rules] == [None, 113]
    assert {r.scope for r in result.verdict.rules} == {"batch"}


def test_an_unreadable_file_of_a_folder_leaves_rules_open(tmp_path: Path) -> None:
    """What is not known of the whole is not claimed; what is broken elsewhere is still said."""
    ROWS.write_parquet(tmp_path / "0.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1 cut short")
    mean = rule("column_mean_to_be_between", column="a", max_value=99)

    verdict = check(tmp_path, under(SMALL, AT_MOST_9, mean)).verdict

    assert [r.success for r in verdict.rules] == [False, None]
    assert {v.kind for v in verdict.violations} == {"unreadable", "rule"}


def test_a_rule_about_an_optional_column_waits_until_it_arrives() -> None:
    """GX has no conditional expectation: one on an absent optional column is not judged."""
    rules = (
        rule("column_values_to_be_between", column="b", max_value=0),
        rule("column_pair_values_to_be_equal", column_A="a", column_B="b"),
        rule("column_type_to_be", column="b", type_="float64"),
        rule("column_to_exist", column="b"),
    )

    for engine in ("polars", "gx"):
        verdict = check(ROWS.drop("b"), under(SMALL, *rules), engine=engine).verdict

        assert [r.success for r in verdict.rules] == [None, None, None, False]


def test_rules_are_listed_unjudged_where_the_batch_was_stopped_before() -> None:
    """A verdict names all rules, whatever became of them."""
    verdict = check(ROWS.drop("a"), under(SMALL, AT_MOST_9)).verdict

    assert [(r.expectation["type"], r.success) for r in verdict.rules] == [
        (AT_MOST_9["type"], None)
    ]


def test_columns_that_rules_read_are_said_to_be_scanned(tmp_path: Path) -> None:
    """Evidence is honest about what had to be read."""
    ROWS.write_parquet(tmp_path / "rows.parquet")
    stated = rule("column_pair_values_to_be_equal", "warning", column_A="a", column_B="b")

    without = check(tmp_path / "rows.parquet", SMALL).verdict
    under_it = check(tmp_path / "rows.parquet", under(SMALL, stated)).verdict

    assert (without.evidence["a"], under_it.evidence["a"]) == ("footer", "scan")
    assert under_it.evidence["s"] == "footer"


def test_redacted_rules_show_no_value_of_the_batch() -> None:
    """Under redact neither samples nor measured values leave the gate."""
    rules = (
        rule("column_values_to_be_between", column="a", max_value=9),
        rule("column_max_to_be_between", column="a", max_value=9),
        rule("column_distinct_values_to_be_in_set", column="s", value_set=["x"]),
        rule("column_values_to_match_regex", column="s", regex="(?!z)[xy]"),
        rule("column_most_common_value_to_be_in_set", column="a", value_set=[3]),
    )
    frame = ROWS.with_columns(a=pl.col("a") * 1111, s=pl.lit("secret"))

    text = check(frame, under(SMALL, *rules), Policy(redact=True)).verdict.to_json()

    assert "55550" not in text
    assert "secret" not in text


# ----- where rules come from -----


def _written(path: Path, *rules: Rule) -> Path:
    path.write_text(json.dumps({"name": "mine", "expectations": list(rules), "meta": {}}))
    return path


def test_rules_of_the_policy_join_the_contract(tmp_path: Path) -> None:
    """A GX suite that the policy names is judged with the contract, and named in remedies."""
    path = _written(tmp_path / "mine.json", AT_MOST_9)

    (violation,) = check(ROWS, SMALL, Policy(rules=str(path))).violations

    assert violation.kind == "rule"
    assert violation.remedy.endswith(f"or change the rule in {path}.")


def test_what_is_added_to_a_suite_becomes_a_rule() -> None:
    """Expectations beside the generated ones are the user's own; they come back as such."""
    suite = to_suite(SMALL)
    suite["expectations"].append(AT_MOST_9)

    again = from_suite(json.loads(json.dumps(suite)))

    assert [r["type"] for r in again.rules] == [AT_MOST_9["type"]]
    assert from_suite(to_suite(again)) == again
    assert rows_of(check(ROWS, again), "rule") == [2, 3]


def test_what_is_edited_in_a_suite_becomes_a_rule() -> None:
    """An edited expectation is a rule of its own."""
    suite = to_suite(SMALL)
    (rows,) = (e for e in suite["expectations"] if "row_count" in e["type"])
    rows["kwargs"]["min_value"] = 5

    result = check(ROWS, from_suite(suite))

    assert violations_in(result) == [("rule", None, None)]
    assert result.violations[0].expected == "a number of rows of at least 5"


def test_what_is_taken_out_of_a_suite_does_not_weaken_the_contract() -> None:
    """The contract is the signature's: a suite without its expectations judges as before."""
    suite = to_suite(SMALL) | {"expectations": []}
    frame = ROWS.with_columns(a=pl.Series([1, 2, None, 4]))

    assert violations_in(check(frame, from_suite(suite))) == [("null", "a", 1)]


def test_a_suite_that_gx_has_saved_holds_no_rule_of_its_own() -> None:
    """GX writes numbers as floats and drops defaults: that is no edit."""
    import great_expectations as gx

    whole = to_suite(replace(CONTRACT, rules=()), Policy(column_order="forbid"))
    saved = gx.ExpectationSuite(**whole).to_json_dict()

    assert from_suite(json.loads(json.dumps(saved))).rules == ()


def test_the_suite_of_a_batch_holds_no_rule_of_its_own() -> None:
    """A suite made for the columns of one batch is read back as that of the contract."""
    assert from_suite(to_suite(SMALL, columns=["a", "s"])).rules == ()
    assert from_suite(to_suite(SMALL, columns=["a", "b", "s"])).rules == ()


def test_a_suite_carries_the_rules_of_its_policy(tmp_path: Path) -> None:
    """A suite is enough to judge: the file of rules may stay behind."""
    path = _written(tmp_path / "mine.json", AT_MOST_9)
    suite = to_suite(SMALL, Policy(rules=str(path)))
    path.unlink()

    again = from_suite(suite)

    assert again.policy == Policy()
    assert rows_of(check(ROWS, again), "rule") == [2, 3]


def test_a_rule_stated_twice_is_judged_once(tmp_path: Path) -> None:
    """The same rule in the suite and in the policy is one rule, however its numbers are written."""
    again = rule("column_values_to_be_between", column="a", max_value=9.0, mostly=1.0)
    path = _written(tmp_path / "mine.json", again)

    verdict = check(ROWS, under(SMALL, AT_MOST_9), Policy(rules=str(path))).verdict

    assert len(verdict.rules) == len(verdict.violations) == 1


def test_rules_that_differ_in_what_is_not_said_are_told_apart() -> None:
    """Two rules of one type on one column keep their own counts."""
    many = list(range(100))
    rules = (
        rule("column_values_to_be_in_set", column="a", value_set=[*many[:50], 50]),
        rule("column_values_to_be_in_set", column="a", value_set=[*many[:50], 60, 50]),
    )

    verdict = check(ROWS, under(SMALL, *rules)).verdict

    assert [v.count for v in verdict.violations] == [1]
    assert [r.unexpected_count for r in verdict.rules] == [1, 0]


# ----- what only GX knows -----


@pytest.mark.parametrize(
    ("stated", "rows"),
    [
        (rule("column_values_to_match_regex", column="s", regex="(?!x)."), [0, 2]),
        (
            rule("column_values_to_match_strftime_format", column="s", strftime_format="%Y"),
            [0, 1, 2, 3],
        ),
        (rule("column_values_to_be_increasing", column="b"), [3]),
        (
            rule(
                "column_values_to_be_increasing",
                column="b",
                row_condition="a != 50",
                condition_parser="pandas",
            ),
            [3],
        ),
    ],
    ids=["lookahead", "strftime", "unknown to Polars", "under a condition"],
)
def test_gx_judges_what_polars_cannot(stated: Rule, rows: list[int]) -> None:
    """The rows are told apart all the same, and verdict and violation name the engine."""
    result = check(ROWS, under(SMALL, AT_MOST_9, stated), SPLIT)

    assert result.verdict.engine == "polars+gx"
    assert [r.engine for r in result.verdict.rules] == ["polars", "gx"]
    assert [v.rows for v in result.violations if v.engine == "gx"] == [tuple(rows)]
    assert result.verdict.rejected == len({2, 3, *rows})


def test_gx_says_of_the_whole_what_it_measures() -> None:
    """An aggregate that only GX knows is a violation of the batch."""
    stated = rule("column_most_common_value_to_be_in_set", column="s", value_set=["y"])

    (violation,) = check(ROWS, under(SMALL, stated)).violations

    assert (violation.engine, violation.level, violation.observed) == ("gx", "batch", "'x'")


def test_a_rule_that_gx_cannot_judge_blocks() -> None:
    """Fail closed: an expectation that raises in GX is not taken for met."""
    stated = rule("column_values_to_match_json_schema", column="s", json_schema={})

    result = check(ROWS, under(SMALL, stated))

    assert not result.passed
    assert result.violations[0].observed.startswith("that GX cannot judge it")


# ----- rules that cannot be meant -----


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            rule("column_values_to_be_between", column="z", max_value=1),
            "the contract has no column 'z'",
        ),
        (
            rule("table_columns_to_match_set", column_set=["a", "z"]),
            "the contract has no column 'z'",
        ),
        (
            rule("table_row_count_to_equal", value=1, row_condition=where("z", ">", 1)),
            "the contract has no column 'z'",
        ),
        (
            rule("column_values_to_be_between", column="a", min_value=5, max_value=1.5),
            "min_value 5 is greater than max_value 1.5",
        ),
        (rule("column_values_to_be_between", column="a", max_value=1, mostly=2), "mostly is 2"),
        (rule("column_values_to_match_regex", column="s", regex="("), "its regex cannot be read"),
        (rule("column_values_to_be_null", "grave", column="a"), "severity is 'grave'"),
        (
            rule("column_values_to_be_between", column="a", max_value={"$PARAMETER": "top"}),
            "it leaves 'top' open",
        ),
        (rule("column_values_to_be_null", column="a", row_condition="a > 5"), "cannot be read"),
        (rule("column_values_to_be_between", column="a"), "cannot both be None"),
        (rule("column_max_to_be_between", column="a", max_value="2020-13-01"), "not a valid float"),
        (rule("column_values_to_be_between", column="a", max_value=1, upto=2), "extra fields"),
        (rule("column_to_be_blue", column="a"), "GX knows no expectation of this name"),
        ({"kwargs": {}}, "it has no type"),
        ("nonsense", "it has no type"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused(stated: Any, said: str, tmp_path: Path) -> None:
    """Misuse at load, before any batch: the text names the file, the rule and the remedy."""
    path = _written(tmp_path / "mine.json", stated)

    with pytest.raises(Misuse) as refused:
        check(ROWS, SMALL, Policy(rules=str(path)))

    assert said in str(refused.value)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith(".")
    with pytest.raises(Misuse, match="cannot be judged"):
        from_suite(to_suite(SMALL) | {"expectations": [stated]})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (None, "cannot read the rules"),
        ("{", "is not a suite"),
        ("[]", "has no list of expectations"),
    ],
)
def test_a_file_of_rules_that_is_none_is_refused(
    text: str | None, said: str, tmp_path: Path
) -> None:
    """No file, no JSON, no suite."""
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(Misuse, match=said):
        check(ROWS, SMALL, Policy(rules=str(path)))


def test_rules_that_polars_knows_do_not_load_gx() -> None:
    """Judging pays for GX's import only where a rule needs it."""
    code = f"""
import sys, polars as pl
from signature_gate import Contract, check
from dataclasses import replace
contract = Contract.from_signature({SMALL.signature!r})
frame = pl.DataFrame({ROWS.to_dict(as_series=False)!r})
verdict = check(frame, replace(contract, rules=({AT_MOST_9!r},))).verdict
assert verdict.rules[0].success is False
assert not {{"great_expectations", "pandas", "mlflow"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ----- what pandas and Polars see alike -----

_TEXTS = ["", "a", "a\n", "\n", "ab", "a.b", "é", "e\u0301", "½", "²", "٣", "a\x1cb", "1-2"]


@pytest.mark.parametrize(
    "pattern",
    [
        *("^a", "a$", "^$", "a|b$", "(a|b)$", "(?:a$|b)", r"\Aa\Z", "a{1,2}b?", "a??", "[^ab]+"),
        *(
            r"\d",
            r"\D",
            r"\w",
            r"\W",
            r"\s",
            r"\S",
            r"[\w.-]",
            r"[^\W\d]",
            "[a&&b]",
            "[[a]",
            "[a-c]",
        ),
        *("a{", ".", "(?s).", "(?x) a  b # ab", "(?P<x>a)", "[^a]", "", "a|", r"\x61"),
    ],
)
def test_patterns_find_what_python_finds(pattern: str) -> None:
    """A pattern that Polars takes over is found in the texts in which `re.search` finds it."""
    translated = translate(pattern)

    assert translated is not None
    assert pl.Series(_TEXTS).str.contains(translated).to_list() == [
        bool(re.search(pattern, text)) for text in _TEXTS
    ]


@pytest.mark.parametrize(
    "pattern",
    [
        "(?=a)",
        "(?<!a)b",
        r"(a)\1",
        r"\ba",
        "a$b",
        "(a$)*",
        "(?i)a",
        "(?m)^a",
        "(?i:a)",
        "(?>a)b",
        "(?:a{999}){999}",
    ],
)
def test_patterns_with_another_meaning_are_left_to_gx(pattern: str) -> None:
    """Lookaround, references, word edges, case: Polars has none of them, or others."""
    assert translate(pattern) is None


@pytest.mark.parametrize(
    "stated",
    [
        rule("column_values_to_be_between", column="b", max_value=1),
        rule("column_values_to_be_in_set", column="s", value_set=["x", 1]),
        rule("column_values_to_be_in_set", column="i", value_set=[1.5]),
        rule("column_values_to_be_in_set", column="t", value_set=["2020-01-01"]),
        rule("column_value_lengths_to_equal", column="i", value=1),
        rule("column_values_to_match_regex", column="i", regex="1"),
        rule("column_pair_values_to_be_equal", column_A="i", column_B="s"),
        rule("multicolumn_sum_to_equal", column_list=["i", "f"], sum_total=1),
        rule("column_max_to_be_between", column="b", max_value=1),
        rule("column_type_to_be", column="t", type_="datetime64"),
        rule(
            "column_quantile_values_to_be_between",
            column="i",
            allow_relative_error="linear",
            quantile_ranges={"quantiles": [0.5], "value_ranges": [[1, 2]]},
        ),
    ],
)
def test_what_pandas_may_see_otherwise_is_left_to_gx(stated: Rule) -> None:
    """Outside of what both engines mean alike, stock GX judges: no guess of ours stands in."""
    verdict = check(FRAME, under(CONTRACT, stated)).verdict
    handed: Any = check(FRAME, CONTRACT).model_input()

    (ruling,) = verdict.rules
    (answer,) = ask(handed, [ruling.expectation])
    assert ruling.engine == "gx"
    assert _agrees(ruling, answer)


@pytest.mark.parametrize(
    ("method", "half"), [("nearest", 3.0), ("lower", 2.0), ("higher", 3.0), (False, 3.0)]
)
def test_quantiles_are_taken_where_numpy_takes_them(method: Any, half: float) -> None:
    """Between two values the even position, or the side that is asked for."""
    ranges = {"quantiles": [0.5], "value_ranges": [[half, half]]}
    stated = rule(
        "column_quantile_values_to_be_between",
        column="i",
        quantile_ranges=ranges,
        allow_relative_error=method,
    )

    (ruling,) = check(FRAME, under(CONTRACT, stated)).verdict.rules
    handed: Any = check(FRAME, CONTRACT).model_input()

    assert (ruling.engine, ruling.success) == ("polars", True)
    assert _agrees(ruling, ask(handed, [ruling.expectation])[0])


def test_no_name_of_a_column_gets_in_the_way() -> None:
    """Columns may be called what the gate calls its own."""
    names = ["#good", "##0", "file", "#row", "rows", "value"]
    frame = pl.DataFrame({name: [1, 2] for name in names})
    rules = (
        *(rule("column_values_to_be_between", column=name, max_value=1) for name in names),
        rule("compound_columns_to_be_unique", column_list=names),
    )

    for engine in ("polars", "gx"):
        judged_by = under(contract(**dict.fromkeys(names, "long")), *rules)
        result = check(frame, judged_by, SPLIT, engine=engine)

        assert [v.rows for v in result.violations] == [(1,)] * len(names)


def _with_a_corrupt_page(path: Path) -> None:
    ROWS.write_parquet(path, compression="uncompressed", statistics=False)
    data = bytearray(path.read_bytes())
    data[4:40] = b"\xff" * 36
    path.write_bytes(bytes(data))


def test_content_that_breaks_off_under_a_rule_is_unreadable(tmp_path: Path) -> None:
    """A whole footer does not save a broken page; in a folder the other files are judged."""
    mean = rule("column_mean_to_be_between", column="a", max_value=99)
    _with_a_corrupt_page(tmp_path / "1.parquet")

    alone = check(tmp_path / "1.parquet", under(SMALL, AT_MOST_9, mean)).verdict
    ROWS.write_parquet(tmp_path / "0.parquet")
    folder = check(tmp_path, under(SMALL, AT_MOST_9, mean)).verdict

    assert [v.kind for v in alone.violations] == ["unreadable"]
    assert [r.success for r in alone.rules] == [None, None]
    assert [(v.kind, v.files) for v in folder.violations] == [
        ("unreadable", ("1.parquet",)),
        ("rule", ("0.parquet",)),
    ]
    assert [r.success for r in folder.rules] == [False, None]
