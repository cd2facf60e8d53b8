"""What must hold for every signature, policy and batch; MLflow's own enforcement is the oracle."""

from __future__ import annotations

import datetime as dt
import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import POLICIES, contracts, tables

from signature_gate import Contract, Policy, check
from signature_gate.expectations.conform.conversions import CONFORMS, PANDAS_DTYPES
from signature_gate.expectations.contract.types import Anything, Scalar
from signature_gate.expectations.suite import from_suite, to_suite

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


@st.composite
def cases(draw: st.DrawFn) -> tuple[pa.Table, Contract, Policy]:
    contract = draw(contracts())
    return draw(tables(contract)), contract, draw(POLICIES)


@pytest.fixture(scope="session")
def oracle() -> Any:
    """MLflow's validate_schema, fed with a contract."""
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    return lambda frame, contract: validate_schema(
        frame, Schema.from_json(contract.signature["inputs"])
    )


@given(case=cases())
def test_what_is_handed_over_is_what_mlflow_enforces(case: Any, oracle: Any) -> None:
    """Sound: MLflow accepts every model input, and it has the dtypes that MLflow would cast to."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.disposition not in ("passed", "split"):
        return

    frame = result.model_input()

    oracle(frame.copy(), contract)
    present = [c for c in contract.columns if c.name in table.column_names]
    scalars = [c for c in present if isinstance(c.type, Scalar)]
    assert [PANDAS_DTYPES[c.type.name] for c in scalars] == [
        str(frame[c.label].dtype) for c in scalars
    ]


@given(case=cases())
def test_the_model_receives_what_was_handed_over(case: Any) -> None:
    """Sound: MLflow's enforcement changes nothing on the way into a model that echoes its input."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.disposition not in ("passed", "split"):
        return
    frame = result.model_input()

    received = _echo(contract).predict(frame.copy())

    assert list(received.columns) == list(frame.columns)
    # A column of any type MLflow may make one of objects.
    typed = [c.label for c in contract.columns if c.type != Anything() and c.label in frame]
    assert list(received[typed].dtypes) == list(frame[typed].dtypes)
    for name in frame.columns:
        for handed, got in zip(frame[name].tolist(), received[name].tolist(), strict=True):
            assert _same(handed, got, lossy=False), (handed, got)


def _echo(contract: Contract) -> Any:
    from mlflow.models import Model, ModelSignature
    from mlflow.pyfunc import PyFuncModel

    class Echo:
        def predict(self, data: Any) -> Any:
            return data

    loader = {"python_function": {"loader_module": "none"}}
    signature = ModelSignature.from_dict(contract.signature)
    return PyFuncModel(Model(signature=signature, flavors=loader), Echo())


def _same(arrived: Any, handed: Any, *, lossy: bool) -> bool:
    if isinstance(handed, dict):
        pairs = arrived.items() if isinstance(arrived, dict) else arrived
        assert {key for key, _ in pairs} == set(handed)
        return all(_same(value, handed[key], lossy=lossy) for key, value in pairs)
    if isinstance(handed, list | np.ndarray):
        assert len(arrived) == len(handed)
        return all(_same(a, h, lossy=lossy) for a, h in zip(arrived, handed, strict=True))
    if _is_missing(arrived):
        return _is_missing(handed)
    if isinstance(arrived, str) and not isinstance(handed, str):
        return True  # text that was parsed has its own tests
    if isinstance(arrived, dt.datetime):
        naive = arrived.astimezone(dt.UTC).replace(tzinfo=None) if arrived.tzinfo else arrived
        return bool(arrived == handed or pd.Timestamp(naive) == handed)
    if isinstance(arrived, dt.date):
        return bool(arrived == handed or pd.Timestamp(arrived) == handed)
    if isinstance(arrived, Decimal):
        return handed in (float(arrived), np.float32(str(arrived)), arrived) or lossy
    return bool(arrived == handed) or (lossy and isinstance(handed, float | np.floating))


def _is_missing(value: Any) -> bool:
    return value is None or bool(value != value)  # noqa: PLR0124 - NaN and NaT


@given(case=cases())
def test_every_value_handed_over_equals_the_one_that_arrived(case: Any) -> None:
    """Lossless: no value changes on its way, unless the policy accepts rounding."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.disposition not in ("passed", "split"):
        return

    accepted = result.accepted.collect()  # type: ignore[union-attr]
    frame = result.model_input()

    arrived = {name: table[name].to_pylist() for name in table.column_names}
    rows = accepted["_row"].to_list()
    for name in frame.columns:
        for row, became in zip(rows, frame[name].tolist(), strict=True):
            was = arrived[name][row]
            assert _same(was, became, lossy=policy.lossy_floats == "allow"), (was, became)


@given(case=cases())
def test_a_split_loses_nothing_and_keeps_the_order(case: Any) -> None:
    """Split: accepted and rejected rows are disjoint, in order, and together all that arrived."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.accepted is None:
        return

    accepted, rejected = result.accepted.collect(), result.rejected.collect()  # type: ignore[union-attr]

    good, bad = accepted["_row"].to_list(), rejected["_row"].to_list()
    assert sorted(good) == good
    assert sorted(bad) == bad
    assert sorted(good + bad) == list(range(table.num_rows))
    assert (result.verdict.accepted, result.verdict.rejected) == (len(good), len(bad))
    assert all(rejected["_violations"].list.len() > 0)


@given(case=cases())
def test_the_accepted_rows_alone_pass(case: Any) -> None:
    """Split: judged again as they are handed over, the accepted rows have nothing against them."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.disposition != "split" or result.verdict.accepted == 0:
        return

    accepted = result.accepted.collect().drop("_row")  # type: ignore[union-attr]

    assert check(accepted, contract, policy).passed


@given(case=cases())
def test_every_refusal_says_what_and_what_to_do(case: Any) -> None:
    """Explained: each violation names expected, observed, its reason and a remedy."""
    table, contract, policy = case

    for violation in check(table, contract, policy).violations:
        assert violation.expected
        assert violation.observed
        assert violation.because
        assert violation.remedy.endswith(".")


# Why the gate may refuse what MLflow takes: pattern of the reason -> whether it holds of the case.
# Policies must be in force, rows of the table must say so; the other reasons are the design's own.
_REASONS: dict[str, Callable[[re.Match[str], pa.Table, Contract, Policy], bool]] = {
    r"policy (\w+): (.+)": lambda m, _t, _c, policy: str(getattr(policy, m[1])) == m[2],
    r"(.+) never conforms to (.+)": lambda m, t, c, _: _meet(m, t, c) and not _by_table(m, c),
    r"(.+) is converted to (.+) cell by cell": lambda m, _t, contract, _: _mentions(contract, m[2]),
    r"(boolean|integer|long) cannot carry null to the model": lambda m, _t, contract, _: _mentions(
        contract, m[1]
    ),
    r"a required (.+) cannot be null": lambda m, _t, contract, _: _mentions(contract, m[1]),
    r"all columns are optional and none arrived": lambda _m, table, contract, _: (
        not {c.name for c in contract.columns} & set(table.column_names)
    ),
    # MLflow strips NUL from the end of text and bytes in lists.
    r"MLflow takes no such part within a nested value": lambda *_: True,
}


def _meet(match: re.Match[str], table: pa.Table, contract: Contract) -> bool:
    arrived = {
        str(table.schema.field(c.name).type)
        for c in contract.columns
        if c.name in table.column_names
    }
    return match[1] in arrived and any(str(c.type) == match[2] for c in contract.columns)


def _by_table(match: re.Match[str], contract: Contract) -> bool:
    scalars = {str(c.type) for c in contract.columns if isinstance(c.type, Scalar)}
    return match[2] in scalars and match[1] in CONFORMS[match[2]]  # type: ignore[index]


def _mentions(contract: Contract, kind: str) -> bool:
    return any(kind in str(column.type) for column in contract.columns)


@given(case=cases())
def test_what_only_the_gate_refuses_has_a_policy_or_a_row_of_the_table_behind_it(
    case: Any, oracle: Any
) -> None:
    """Explained: where MLflow accepts and the gate does not, the reason named is one that holds."""
    table, contract, policy = case
    result = check(table, contract, policy)
    if result.passed or not _accepts(oracle, table, contract):
        return

    for violation in result.verdict.blocking:
        matches = [(re.fullmatch(p, violation.because), holds) for p, holds in _REASONS.items()]
        first = next(((m, holds) for m, holds in matches if m), None)
        assert first, violation
        assert first[1](first[0], table, contract, policy), violation


def _accepts(oracle: Any, table: pa.Table, contract: Contract) -> bool:
    try:
        oracle(table.to_pandas(), contract)
    except Exception:  # noqa: BLE001 - MLflow lets errors of every kind through
        return False
    return True


@given(contract=contracts(), policy=POLICIES)
def test_contract_and_policy_survive_the_suite(contract: Contract, policy: Policy) -> None:
    """Round trip: contract to suite JSON to contract, with the policy."""
    again = from_suite(json.loads(json.dumps(to_suite(contract, policy))))

    assert contract.columns == again.columns
    assert contract.fingerprint == again.fingerprint
    assert policy == again.policy


@given(case=cases())
def test_one_verdict_whatever_the_frame_library(case: Any) -> None:
    """A batch is judged alike as an Arrow table and as a Polars frame."""
    table, contract, policy = case

    try:
        frame = pl.DataFrame(table)
    except pl.exceptions.PanicException:
        return  # Polars cannot hold an empty dictionary within a null struct

    in_arrow = check(table, contract, policy)
    in_polars = check(frame, contract, policy)

    assert [(v.kind, v.column, v.count) for v in in_arrow.violations] == [
        (v.kind, v.column, v.count) for v in in_polars.violations
    ]
