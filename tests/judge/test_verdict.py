"""Verdicts as data: what policy makes of them, and that they survive as JSON."""

from __future__ import annotations

import json
import pickle
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from small_checks import contract, split

from signature_gate import BatchRejected, Policy, check
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.verdict.conversion import Conversion
from signature_gate.expectations.verdict.verdict import KINDS, BatchInfo, Verdict, Violation

WHERE = BatchInfo(name="day.parquet", format="parquet")


def violation(**fields: Any) -> Violation:
    """Make a violation that falls on one of ten rows."""
    said = {"expected": "a long", "observed": "null", "remedy": "Fill it."}
    return Violation.model_validate({"kind": "null", "column": "a", "count": 1} | said | fields)


def verdict(*violations: Violation, rejected: int = 1, **policy: Any) -> Verdict:
    """Make a verdict on ten rows."""
    return Verdict(
        batch=WHERE,
        policy=Policy.parse(policy),
        rows=10,
        rejected=rejected,
        violations=violations,
    )


ROW, WARNING = violation(), violation(severity="warning")
BATCH = violation(kind="type_mismatch", count=None)
LOSSY = violation(kind="not_representable")

# Violations, rejected rows, on_mismatch and max_rejected, and what becomes of the batch.
DISPOSITIONS: list[tuple[tuple[Violation, ...], int, str, float, str]] = [
    ((), 0, "quarantine", 0.1, "passed"),
    ((), 0, "split", 0.0, "passed"),
    ((), 0, "fail", 0.1, "passed"),
    ((WARNING,), 0, "quarantine", 0.0, "passed"),
    ((WARNING,), 0, "fail", 0.0, "passed"),
    ((ROW,), 1, "quarantine", 1.0, "quarantined"),
    ((ROW,), 1, "fail", 1.0, "failed"),
    ((ROW,), 1, "split", 0.1, "split"),
    ((ROW, WARNING), 1, "split", 0.1, "split"),
    ((ROW,), 2, "split", 0.1, "quarantined"),
    ((ROW,), 2, "split", 0.2, "split"),
    ((ROW,), 10, "split", 1.0, "split"),
    ((ROW,), 1, "split", 0.0, "quarantined"),
    ((BATCH,), 0, "split", 1.0, "quarantined"),
    ((BATCH,), 0, "fail", 1.0, "failed"),
    ((BATCH, ROW), 1, "split", 1.0, "quarantined"),
    ((LOSSY,), 1, "split", 1.0, "quarantined"),
    ((LOSSY, ROW), 1, "split", 1.0, "quarantined"),
    ((LOSSY,), 1, "fail", 1.0, "failed"),
]


@pytest.mark.parametrize(("found", "rejected", "on_mismatch", "share", "becomes"), DISPOSITIONS)
def test_the_disposition_is_what_policy_makes_of_the_violations(
    found: tuple[Violation, ...], rejected: int, on_mismatch: Any, share: float, becomes: str
) -> None:
    """One table decides what becomes of a batch."""
    judged = verdict(*found, rejected=rejected, on_mismatch=on_mismatch, max_rejected=share)

    assert judged.disposition == becomes
    assert judged.passed is (becomes == "passed")


def test_rows_are_counted_where_they_can_be_told_apart() -> None:
    """Accepted rows are the others; after a violation of the batch as a whole there are none."""
    assert (verdict(ROW, rejected=3).accepted, verdict(ROW, rejected=3).rejected_share) == (7, 0.3)
    assert verdict(BATCH, rejected=0).accepted == 0
    assert Verdict(batch=WHERE, violations=(BATCH,)).accepted == 0
    assert Verdict(batch=WHERE, violations=(BATCH,)).rejected_share == 0.0


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "null in column 'a': expected a long, observed null in 1 row. Fill it."),
        (
            {"count": 1_234, "rows": (3, 5), "remedy": "Fill."},
            "null in column 'a': expected a long, observed null in 1,234 rows (first: 3, 5). Fill.",
        ),
        ({"count": None}, "null in column 'a': expected a long, observed null. Fill it."),
        (
            {"column": None, "count": None, "kind": "unreadable"},
            "unreadable: expected a long, observed null. Fill it.",
        ),
    ],
)
def test_a_message_is_the_whole_violation_in_a_sentence(
    fields: dict[str, Any], message: str
) -> None:
    """Where, expected, observed, how often, which rows, what to do."""
    assert violation(**fields).message == message


def test_a_summary_is_one_line_and_one_for_each_violation() -> None:
    """What a log shows first is the name, the rows and the disposition."""
    first, *others = verdict(ROW, WARNING, on_mismatch="split").summary().splitlines()

    assert first == "day.parquet of 10 rows: split, 1 rejected"
    assert others == [f" - {ROW.message}", f" - {WARNING.message}"]
    assert Verdict(batch=WHERE).summary() == "day.parquet: passed"


_TEXT = st.text(max_size=5)
_VIOLATIONS = st.builds(
    Violation,
    kind=st.sampled_from(KINDS),
    column=st.none() | _TEXT,
    expected=_TEXT,
    observed=_TEXT,
    remedy=_TEXT,
    because=_TEXT,
    count=st.none() | st.integers(1, 10**12),
    rows=st.lists(st.integers(0, 10**12), max_size=3).map(tuple),
    sample=st.lists(_TEXT, max_size=3).map(tuple),
    severity=st.sampled_from(["critical", "warning"]),
    expectation=st.none() | st.just({"type": "expect_column_to_exist", "kwargs": {"column": "a"}}),
)
_VERDICTS = st.builds(
    Verdict,
    batch=st.builds(
        BatchInfo,
        name=_TEXT,
        format=_TEXT,
        uri=st.none() | _TEXT,
        bytes=st.none() | st.integers(0),
        columns=st.lists(st.tuples(_TEXT, _TEXT), max_size=3).map(tuple),
    ),
    model=st.none() | st.builds(ModelVersion, uri=_TEXT, pinned=_TEXT, name=_TEXT),
    contract=_TEXT,
    policy=st.builds(Policy, keep=st.lists(_TEXT, max_size=2).map(tuple), min_rows=st.integers(0)),
    rows=st.none() | st.integers(0),
    rejected=st.integers(0),
    violations=st.lists(_VIOLATIONS, max_size=3).map(tuple),
    conversions=st.just((Conversion(column="a", arrived="int64", becomes="double"),)),
    evidence=st.dictionaries(_TEXT, st.sampled_from(["schema", "footer", "scan"]), max_size=3),
)


@settings(max_examples=settings.default.max_examples // 4)
@given(judged=_VERDICTS)
def test_a_verdict_survives_as_json(judged: Verdict) -> None:
    """What is written down is read back equal, and other tools read it as plain JSON."""
    text = judged.to_json()

    assert Verdict.from_json(text) == judged
    plain = json.loads(text)
    assert (plain["disposition"], plain["passed"]) == (judged.disposition, judged.passed)
    assert [v["message"] for v in plain["violations"]] == [v.message for v in judged.violations]


def test_a_verdict_on_a_batch_survives_as_json() -> None:
    """A judged batch's own verdict too; the error that carries it survives a pickle.

    Only receipts keep the serialized Arrow schema.
    """
    batch = pa.table({"a": [1, None], "z": [1, 2]})
    judged = check(batch, contract(a="long"), split(max_rejected=0)).verdict

    written = judged.batch.model_copy(update={"arrow_schema": ""})
    assert Verdict.from_json(judged.to_json()) == judged.model_copy(update={"batch": written})
    error = pickle.loads(pickle.dumps(BatchRejected(judged)))  # noqa: S301 - our own
    assert (error.verdict, str(error)) == (judged, judged.summary())


def test_a_verdict_does_not_change() -> None:
    """Who holds a verdict holds what was found."""
    with pytest.raises(ValidationError):
        verdict().rows = 3


def test_a_summary_of_very_many_violations_stays_readable() -> None:
    """Twenty are listed, those that block first, and the rest is counted."""
    warnings = [violation(severity="warning", column=f"w{i}") for i in range(30)]

    lines = verdict(*warnings, violation(column="last")).summary().splitlines()

    assert len(lines) == 1 + 20 + 1
    assert "'last'" in lines[1]
    assert lines[-1] == " - and 11 more, all of them in the verdict"


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"batch": 1}'])
def test_what_is_no_verdict_is_refused(text: str) -> None:
    """Other JSON is not taken for a verdict."""
    with pytest.raises(ValidationError):
        Verdict.from_json(text)
