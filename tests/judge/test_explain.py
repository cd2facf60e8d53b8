from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sample_verdicts
from markupsafe import escape

from signature_gate.expectations.report.batch_report import render_report
from signature_gate.expectations.verdict.explain import (
    EVIDENCE_IN_WORDS,
    KINDS_IN_WORDS,
    column_findings,
    percent,
    why,
)
from signature_gate.expectations.verdict.verdict import KINDS, Verdict, Violation

if TYPE_CHECKING:
    from collections.abc import Callable


def test_every_kind_and_every_evidence_has_its_words() -> None:
    """No kind of violation is ever shown bare."""
    assert set(KINDS_IN_WORDS) == set(KINDS)
    assert set(EVIDENCE_IN_WORDS) == {"schema", "table", "footer", "scan"}


def _over_the_limit() -> Verdict:
    return sample_verdicts.flights(
        sample_verdicts.LATE_DEPARTURES.model_copy(update={"count": 132}),
        policy=sample_verdicts.policy(on_mismatch="split"),
    )


def _lost_by_type() -> Verdict:
    return sample_verdicts.flights(
        sample_verdicts.FRACTIONS, policy=sample_verdicts.policy(on_mismatch="split")
    )


def _single() -> Verdict:
    one = sample_verdicts.LATE_DEPARTURES.model_copy(update={"count": 1})
    return sample_verdicts.flights(one, policy=sample_verdicts.policy(on_mismatch="split"))


def _no_contract() -> Verdict:
    lacking = Violation(kind="no_contract", expected="a signature", observed="none", remedy="Log.")
    return sample_verdicts.flights(lacking, rows=None)


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (sample_verdicts.passed, "All 971 rows meet the model's contract, with 1 warning."),
        (lambda: sample_verdicts.flights(rows=1), "The one row meets the model's contract."),
        (lambda: sample_verdicts.flights(rows=None), "Nothing speaks against the batch."),
        (
            sample_verdicts.empty,
            "The batch has no rows, which the policy allows: there is nothing to score.",
        ),
        (
            sample_verdicts.split,
            (
                "32 of 971 rows (3.3%) do not meet the model's contract: no value where one is "
                "required. They are set apart; the other 939 go on to the model."
            ),
        ),
        (
            _single,
            (
                "1 of 971 rows (0.1%) does not meet the model's contract: no value where one is "
                "required. It is set apart; the other 970 go on to the model."
            ),
        ),
        (
            sample_verdicts.quarantined,
            (
                "35 of 971 rows (3.6%) do not meet the model's contract. "
                "The policy on_mismatch: quarantine holds back the batch whole."
            ),
        ),
        (
            _over_the_limit,
            (
                "132 of 971 rows (13.6%) do not meet the model's contract: no value where one is "
                "required. That is more than the 10% that max_rejected lets a split set apart, "
                "so the batch is held back whole."
            ),
        ),
        (
            _lost_by_type,
            (
                "3 of 971 rows (0.3%) do not meet the model's contract: values that the type "
                "cannot hold unchanged. Leaving out rows whose values the type cannot hold would "
                "bias the scores, so the batch is held back whole."
            ),
        ),
        (
            sample_verdicts.failed,
            (
                "32 of 971 rows (3.3%) do not meet the model's contract: no value where one is "
                "required. The policy on_mismatch: fail stops the batch here."
            ),
        ),
        (
            sample_verdicts.misshapen,
            "The batch as a whole is at fault, for 2 reasons. None of it reaches the model.",
        ),
        (
            lambda: sample_verdicts.flights(sample_verdicts.MISSING_CARRIER),
            (
                "The batch as a whole is at fault: a column of the model is missing. "
                "None of it reaches the model."
            ),
        ),
        (sample_verdicts.unreadable, "The batch cannot be read. None of it reaches the model."),
        (_no_contract, "The model has no usable contract. None of it reaches the model."),
    ],
)
def test_one_or_two_plain_sentences_say_why(make: Callable[[], Verdict], expected: str) -> None:
    """The reason names the fault, how much of the batch it concerns, and what follows."""
    assert why(make()) == expected
    assert str(escape(expected)) in render_report(make())


@pytest.mark.parametrize(
    ("share", "written"),
    [
        (0, "0%"),
        (1e-9, "under 0.1%"),
        (0.001, "0.1%"),
        (0.0329, "3.3%"),
        (0.1, "10%"),
        (0.9999, "over 99.9%"),
        (1, "100%"),
    ],
)
def test_a_share_is_never_rounded_to_none_or_all(share: float, written: str) -> None:
    """One bad row in a billion is not 0%."""
    assert percent(share) == written


def test_columns_with_violations_come_first_and_every_column_is_told() -> None:
    """Blocked before warned before good, each with what arrived and what decided it."""
    findings = {f.name: f for f in column_findings(sample_verdicts.quarantined())}

    assert list(findings)[:3] == ["dep_time", "arr_time", "note"]
    assert [findings[n].state for n in ("dep_time", "note", "year")] == [
        "blocked",
        "warned",
        "good",
    ]
    assert (findings["dep_time"].bad, findings["arr_time"].bad, findings["year"].bad) == (32, 3, 0)
    assert findings["air_time"].arrived_as == "Air Time"
    assert findings["year"].type == "int32"
    assert findings["carrier"].evidence == "footer"


def test_a_batch_level_fault_leaves_the_undecided_columns_unjudged() -> None:
    """Where values were never read, no column is called good for want of violations."""
    findings = {f.name: f for f in column_findings(sample_verdicts.misshapen())}

    assert findings["distance"].bad is None
    assert findings["dep_time"].state == "unjudged"
    assert findings["year"].state == "good"
    assert "not judged" in render_report(sample_verdicts.misshapen())


def test_a_column_that_the_contract_does_not_know_is_called_so() -> None:
    """An extra column that the policy ignores is neither good nor bad."""
    findings = {f.name: f for f in column_findings(sample_verdicts.flights())}

    assert findings["note"].state == "foreign"


def test_rows_with_two_faults_never_make_more_bad_rows_than_there_are() -> None:
    """The bar of a column stays within its frame."""
    faults = [
        sample_verdicts.LATE_DEPARTURES.model_copy(update={"kind": kind, "count": 900})
        for kind in ("null", "rule")
    ]

    assert column_findings(sample_verdicts.flights(*faults, rejected=971))[0].bad == 971
