"""Rules and files of rules that cannot be meant are refused when they are read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from rule_cases import ROWS, SMALL, rule, where, write_rules

from signature_gate import Policy, check
from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("stated", "reason"),
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
def test_a_rule_that_cannot_be_meant_is_refused(stated: Any, reason: str, tmp_path: Path) -> None:
    """Misuse at load, before any batch: the text names the file, the rule and the remedy."""
    path = write_rules(tmp_path / "mine.json", stated)

    with pytest.raises(Misuse) as refused:
        check(ROWS, SMALL, Policy(rules=str(path)))

    assert reason in str(refused.value)
    assert str(path) in str(refused.value)
    assert str(refused.value).endswith(".")
    with pytest.raises(Misuse, match="cannot be judged"):
        from_suite(to_suite(SMALL) | {"expectations": [stated]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "cannot read the rules"),
        ("{", "is not a suite"),
        ("[]", "has no list of expectations"),
    ],
)
def test_a_file_of_rules_that_is_none_is_refused(
    text: str | None, reason: str, tmp_path: Path
) -> None:
    """No file, no JSON, no suite."""
    path = tmp_path / "mine.json"
    if text is not None:
        path.write_text(text)

    with pytest.raises(Misuse, match=reason):
        check(ROWS, SMALL, Policy(rules=str(path)))
