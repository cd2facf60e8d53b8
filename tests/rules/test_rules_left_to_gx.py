"""Which engine judges a rule: GX what Polars cannot, or would see otherwise."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import Any

import polars as pl
import pytest
from rule_cases import AT_MOST_9, CONTRACT, FRAME, ROWS, SMALL, Rule, agrees, rule, under
from small_checks import SPLIT
from stock_gx import ask

from signature_gate import check
from signature_gate.expectations.rules.regex import translate


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
    assert agrees(ruling, answer)


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
    assert agrees(ruling, ask(handed, [ruling.expectation])[0])
