"""Where rules come from: files that a policy names, and suites."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl
from rule_cases import AT_MOST_9, CONTRACT, ROWS, SMALL, rule, under, write_rules
from small_checks import rows_of, violations_in

from signature_gate import Policy, check
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from pathlib import Path


def test_rules_of_the_policy_join_the_contract(tmp_path: Path) -> None:
    """A GX suite that the policy names is judged with the contract, and named in remedies."""
    path = write_rules(tmp_path / "mine.json", AT_MOST_9)

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
    path = write_rules(tmp_path / "mine.json", AT_MOST_9)
    suite = to_suite(SMALL, Policy(rules=str(path)))
    path.unlink()

    again = from_suite(suite)

    assert again.policy == Policy()
    assert rows_of(check(ROWS, again), "rule") == [2, 3]


def test_a_rule_stated_twice_is_judged_once(tmp_path: Path) -> None:
    """The same rule in the suite and in the policy is one rule, however its numbers are written."""
    again = rule("column_values_to_be_between", column="a", max_value=9.0, mostly=1.0)
    path = write_rules(tmp_path / "mine.json", again)

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
