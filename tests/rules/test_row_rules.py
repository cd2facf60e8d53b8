"""What a rule on rows does to a batch, and what its violation shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from rule_cases import AT_MOST_9, ROWS, SMALL, rule, under
from small_checks import SPLIT, contract, rows_of, split

from signature_gate import Policy, check

if TYPE_CHECKING:
    from pathlib import Path


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
