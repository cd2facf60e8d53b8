"""The suite: the contract as stock GX expectations, validated by GX."""

from __future__ import annotations

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from small_checks import contract, split

from signature_gate import Contract, Policy, check
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.errors import InvalidPolicy, Misuse, NoContract
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Validate = Callable[[pd.DataFrame, dict[str, Any]], dict[str, bool]]

ALL = contract(
    ("extra",),
    flag="boolean",
    count="integer",
    total="long",
    ratio="float",
    price="double",
    name="string",
    blob="binary",
    at="datetime",
    extra="double",
)
BATCH = pa.table(
    {
        "flag": [True, False],
        "count": [1, 2],
        "total": [1, 2],
        "ratio": [0.5, 1.0],
        "price": [1, 2],
        "name": ["x", "y"],
        "blob": [b"x", b"y"],
        "at": [dt.datetime(2013, 7, 1)] * 2,
    }
)
FLIGHTS = ModelVersion(
    uri="models:/flights@champion", pinned="models:/flights/3", name="flights", version="3"
)


@pytest.fixture(scope="session")
def validate() -> Validate:
    """Validate a frame by a suite in GX: success by type and column of each expectation."""
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("frames").add_dataframe_asset("frame")
    whole = asset.add_batch_definition_whole_dataframe("whole")

    def validate(frame: pd.DataFrame, suite: dict[str, Any]) -> dict[str, bool]:
        # Through JSON, as a file would: that is what another GX project loads.
        loaded = gx.ExpectationSuite(**json.loads(json.dumps(suite)))
        result = whole.get_batch({"dataframe": frame}).validate(loaded)
        assert result.success is all(one.success for one in result.results)
        stated = [(one.expectation_config, bool(one.success)) for one in result.results]
        return {f"{c.type} {c.kwargs.get('column', '')}": success for c, success in stated}

    return validate


def failed(outcome: dict[str, bool]) -> list[str]:
    """List the expectations that were not met."""
    return sorted(name.strip() for name, success in outcome.items() if not success)


def test_gx_agrees_on_what_the_gate_hands_over(validate: Validate) -> None:
    """A conformed batch meets every expectation, for each of MLflow's types."""
    result = check(BATCH, ALL)
    frame = result.model_input()

    outcome = validate(frame, to_suite(ALL, columns=frame.columns))

    assert failed(outcome) == []
    assert len(outcome) == 2 + 8 * 2


def test_without_a_batch_optional_columns_have_no_expectation(validate: Validate) -> None:
    """The suite of the contract alone holds for batches with and without them."""
    frame = check(BATCH, ALL).model_input()

    for given in (frame, frame.assign(extra=0.5)):
        assert failed(validate(given, to_suite(ALL))) == []


def _with(**columns: Any) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda frame: frame.assign(**columns)


PLANTED: dict[str, tuple[Any, list[str]]] = {
    "a missing column": (
        lambda frame: frame.drop(columns="name"),
        [
            "expect_column_type_to_be name",
            "expect_column_values_to_not_be_null name",
            "expect_table_columns_to_match_set",
        ],
    ),
    "a column too many": (_with(other=1), ["expect_table_columns_to_match_set"]),
    "wide integers": (
        _with(count=pd.Series([1, 2], dtype="int64")),
        ["expect_column_type_to_be count"],
    ),
    "wide floats": (_with(ratio=pd.Series([0.5, 1.0])), ["expect_column_type_to_be ratio"]),
    "text for numbers": (_with(price=["1", "2"]), ["expect_column_type_to_be price"]),
    "another unit": (
        _with(at=pd.Series([dt.datetime(2013, 7, 1)] * 2, dtype="datetime64[us]")),
        ["expect_column_type_to_be at"],
    ),
    "NaN": (_with(price=[1.0, float("nan")]), ["expect_column_values_to_not_be_null price"]),
    "null text": (
        _with(name=pd.Series(["x", None], dtype="str")),
        ["expect_column_values_to_not_be_null name"],
    ),
    "no instant": (
        _with(at=pd.Series([pd.NaT, "2013-07-01"], dtype="datetime64[ns]")),
        ["expect_column_values_to_not_be_null at"],
    ),
    "no row": (lambda frame: frame.head(0), ["expect_table_row_count_to_be_between"]),
}


@pytest.mark.parametrize(("plant", "caught"), PLANTED.values(), ids=PLANTED)
def test_gx_catches_a_planted_fault(validate: Validate, plant: Any, caught: list[str]) -> None:
    """A value that the gate would reject fails exactly the expectation about it."""
    frame = plant(check(BATCH, ALL).model_input())

    assert failed(validate(frame, to_suite(ALL, columns=ALL_BUT_EXTRA))) == caught


ALL_BUT_EXTRA = [column.name for column in ALL.columns if column.required]


@pytest.mark.parametrize(
    ("fields", "absent"),
    [
        ({"nulls": "allow"}, ["at", "blob", "name", "price", "ratio"]),
        ({"nullable": ["name", "at"]}, ["at", "name"]),
        ({"nan": "value"}, ["price", "ratio"]),
        ({}, []),
    ],
)
def test_null_is_expected_where_the_policy_lets_it_stand(
    fields: dict[str, Any], absent: list[str]
) -> None:
    """The suite forbids null where the gate does, and where GX can tell it from NaN."""
    suite = to_suite(ALL, Policy.parse(fields))

    stated = {
        one["kwargs"]["column"]
        for one in suite["expectations"]
        if one["type"] == "expect_column_values_to_not_be_null"
    }
    assert sorted(set(ALL_BUT_EXTRA) - stated) == absent


def test_a_forbidden_order_is_an_expectation(validate: Validate) -> None:
    """column_order: forbid is an ordered list, which GX checks."""
    frame = check(BATCH, ALL).model_input()
    suite = to_suite(ALL, Policy(column_order="forbid"), columns=ALL_BUT_EXTRA)

    assert failed(validate(frame, suite)) == []
    assert failed(validate(frame.iloc[:, ::-1], suite)) == [
        "expect_table_columns_to_match_ordered_list"
    ]


def test_nested_types_are_expected_to_exist_and_told_in_the_meta(validate: Validate) -> None:
    """No stock expectation states a nested type; the suite has it in the meta."""
    judged_by = contract(
        tags={"type": "array", "items": {"type": "string"}},
        at={"type": "object", "properties": {"x": {"type": "long"}}},
    )
    batch = pa.table({"tags": [["p", "q"], []], "at": [{"x": 1}, {"x": 2}]})
    frame = check(batch, judged_by).model_input()
    suite = to_suite(judged_by)

    assert failed(validate(frame, suite)) == []
    told = [one["meta"] for one in suite["expectations"] if one["type"] == "expect_column_to_exist"]
    assert told == [
        {"signature_gate": {"type": "array<string>"}},
        {"signature_gate": {"type": "object<x: long>"}},
    ]


def test_expectations_are_critical_so_that_a_checkpoint_can_tell(validate: Validate) -> None:
    """GX keeps the severity."""
    import great_expectations as gx

    suite = gx.ExpectationSuite(**to_suite(ALL))

    assert {one.severity.value for one in suite.expectations} == {"critical"}
    assert suite.meta["signature_gate"]["fingerprint"] == ALL.fingerprint


# ----- there and back -----

POLICY = split(keep=["id"], rename={"Air Time": "air_time"}, csv={"delimiter": ";"})


def test_a_suite_is_enough_to_judge_by(tmp_path: Path) -> None:
    """Written to a file and read back, it is the contract, the pinned model and the policy."""
    path = tmp_path / "suite.json"
    path.write_text(json.dumps(to_suite(ALL.pinned_to(FLIGHTS), POLICY)))

    again = Contract.load(path)

    assert again.columns == ALL.columns
    assert again.fingerprint == ALL.fingerprint
    assert again.model == FLIGHTS
    assert again.policy == POLICY
    assert check(BATCH, again, Policy()).passed


def test_a_suite_survives_great_expectations(validate: Validate) -> None:
    """Loaded and saved by GX, with the ids that it adds, a suite still gives the same contract."""
    import great_expectations as gx

    saved = gx.ExpectationSuite(**to_suite(ALL, POLICY)).to_json_dict()

    again = from_suite(json.loads(json.dumps(saved)))

    assert (again.columns, again.policy) == (ALL.columns, POLICY)


def test_a_suite_is_named_after_its_model() -> None:
    """The pinned version where there is one, else the signature; and stores can file the name."""
    assert to_suite(ALL.pinned_to(FLIGHTS))["name"] == "flights-3"
    assert to_suite(ALL)["name"] == f"signature-{ALL.fingerprint}"


def _meta(**changes: Any) -> dict[str, Any]:
    suite = to_suite(ALL)
    return suite | {"meta": {"signature_gate": suite["meta"]["signature_gate"] | changes}}


@pytest.mark.parametrize(
    ("suite", "error"),
    [
        ({}, Misuse),
        ({"meta": None}, Misuse),
        ({"meta": {"signature_gate": "yes"}}, Misuse),
        ({"meta": {"signature_gate": {}}}, Misuse),
        (_meta(policy={"nulls": "maybe"}), InvalidPolicy),
        (_meta(signature={"inputs": None}), NoContract),
        (_meta(signature=None), NoContract),
        (_meta(signature={"inputs": "[{"}), NoContract),
    ],
)
def test_a_suite_that_was_not_made_by_the_gate_is_told_as_such(
    suite: dict[str, Any], error: type[Exception]
) -> None:
    """Without signature or with a broken policy, a suite is no contract; the error says why."""
    with pytest.raises(error):
        from_suite(suite, "rules.json")


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '"suite"', "\ufeff{}"])
def test_a_file_that_is_no_suite_is_misuse(tmp_path: Path, text: str) -> None:
    """The error names the file."""
    path = tmp_path / "suite.json"
    path.write_text(text, "utf-8")

    with pytest.raises(Misuse, match=r"suite\.json"):
        Contract.load(path)
