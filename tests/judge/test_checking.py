"""What ``check`` makes of a batch: nulls, policies, rows on either side, and what it says."""

from __future__ import annotations

import datetime as dt
import json
import re
import uuid
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from small_checks import (
    SPLIT,
    check_column,
    contract,
    kinds,
    mlflow_accepts,
    rows_of,
    split,
    violations_in,
)

from signature_gate import BatchRejected, Contract, Policy, check
from signature_gate.expectations.errors import NoContract
from signature_gate.expectations.judge.checking import refuse

if TYPE_CHECKING:
    from pathlib import Path

NAN, INF = float("nan"), float("inf")
NEVER_NULL = ("boolean", "integer", "long")
VALUES: dict[str, Any] = {
    "boolean": pa.array([True, None]),
    "integer": pa.array([1, None], pa.int32()),
    "long": pa.array([1, None]),
    "float": pa.array([1, None], pa.float32()),
    "double": pa.array([1.5, None]),
    "string": pa.array(["x", None]),
    "binary": pa.array([b"x", None]),
    "datetime": pa.array([dt.datetime(2013, 7, 1), None]),
}


def numbered(*types: str) -> Contract:
    """Make a contract whose names are 0, 1, 2 …, as infer_signature writes for bare frames."""
    specs = [{"type": kind, "name": i, "required": True} for i, kind in enumerate(types)]
    return Contract.from_signature({"inputs": json.dumps(specs)})


# ----- null -----

NULL_CHOICES: dict[str, tuple[dict[str, Any], bool, bool]] = {
    # policy, whether the column is required, whether null may stand where the type can carry it
    "required": ({}, True, False),
    "optional": ({}, False, True),
    "allowed": ({"nulls": "allow"}, True, True),
    "listed": ({"nullable": ["a"]}, True, True),
    "another listed": ({"nullable": ["b"]}, True, False),
    "optional and allowed": ({"nulls": "allow"}, False, True),
}


@pytest.mark.parametrize("target", VALUES)
@pytest.mark.parametrize(
    ("fields", "required", "may_stand"), NULL_CHOICES.values(), ids=NULL_CHOICES
)
def test_null_stands_where_type_and_policy_let_it(
    target: str, fields: dict[str, Any], *, required: bool, may_stand: bool
) -> None:
    """Integers and booleans never carry null; other types as signature and policy say."""
    judged_by = contract(() if required else ("a",), a=target, b="long")

    result = check(pa.table({"a": VALUES[target], "b": [1, 2]}), judged_by, split(**fields))

    if may_stand and target not in NEVER_NULL:
        assert result.passed
        assert result.model_input()["a"].isna().tolist() == [False, True]
    else:
        assert (violations_in(result), rows_of(result, "null")) == ([("null", "a", 1)], [1])
        assert len(result.model_input()) == 1
    mlflow_accepts(result.model_input(), judged_by)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()])
@pytest.mark.parametrize(
    ("fields", "fate"),
    [
        ({}, ["null", "null"]),
        ({"nan": "value"}, ["ok", "null"]),
        ({"nulls": "allow"}, ["ok", "ok"]),
        ({"nan": "value", "nulls": "allow"}, ["ok", "ok"]),
        ({"nan": "value", "non_finite": "forbid"}, ["non_finite", "null"]),
        ({"nulls": "allow", "non_finite": "forbid"}, ["ok", "ok"]),
        ({"nulls": "allow", "nan": "value", "non_finite": "forbid"}, ["non_finite", "ok"]),
    ],
)
def test_nan_is_what_the_policy_says(kind: pa.DataType, fields: Any, fate: list[str]) -> None:
    """NaN is null or a value, and a value may be forbidden for not being finite."""
    batch = pa.table({"a": pa.array([NAN, None], kind, from_pandas=False)})

    result = check_column(batch, "double", split(**fields))

    seen = {row: violation.kind for violation in result.violations for row in violation.rows}
    assert [seen.get(row, "ok") for row in (0, 1)] == fate


@pytest.mark.parametrize("target", ["integer", "long"])
@pytest.mark.parametrize("nan", ["null", "value"])
def test_nan_is_never_an_integer(target: str, nan: Any) -> None:
    """NaN in a column of whole floats is a gap, whatever counts as null elsewhere."""
    batch = pa.table({"a": pa.array([1.0, NAN], from_pandas=False)})

    assert violations_in(check_column(batch, target, split(nan=nan, nulls="allow"))) == [
        ("null", "a", 1)
    ]


# ----- not finite -----


@pytest.mark.parametrize(
    ("non_finite", "severity", "passed"),
    [("allow", None, True), ("warn", "warning", True), ("forbid", "critical", False)],
)
@pytest.mark.parametrize("target", ["float", "double"])
def test_infinity_is_what_the_policy_says(
    target: str, non_finite: Any, severity: str | None, *, passed: bool
) -> None:
    """Infinity is let through, reported or refused, in typed columns and in text."""
    for cells in ([1.0, INF, -INF], ["1", "inf", "-inf"]):
        result = check_column(
            pa.table({"a": cells}), target, split(non_finite=non_finite, parse_text="allow")
        )

        assert result.passed is passed
        assert [(v.kind, v.severity, v.count) for v in result.violations] == (
            [("non_finite", severity, 2)] if severity else []
        )


# ----- rows -----


@pytest.mark.parametrize(
    ("rows", "fewest", "fits"), [(0, 1, False), (0, 0, True), (2, 3, False), (3, 3, True)]
)
def test_a_batch_has_as_many_rows_as_the_policy_asks_for(
    rows: int, fewest: int, *, fits: bool
) -> None:
    """A feed that ran dry is found, unless empty batches are in order."""
    batch = pa.table({"a": pa.array(range(rows), pa.int64())})

    result = check(batch, contract(a="long"), Policy(min_rows=fewest))

    assert violations_in(result) == ([] if fits else [("row_count", None, None)])
    if fits:
        assert len(result.model_input()) == rows
        mlflow_accepts(result.model_input(), contract(a="long"))


@pytest.mark.parametrize(
    ("bad", "share", "disposition"),
    [
        (1, 0.1, "split"),
        (2, 0.1, "quarantined"),
        (2, 0.2, "split"),
        (10, 1.0, "split"),
        (1, 0, "quarantined"),
    ],
)
def test_a_split_drops_no_more_than_its_share(bad: int, share: float, disposition: str) -> None:
    """At max_rejected a batch is still split, beyond it is quarantined whole."""
    batch = pa.table({"a": [None] * bad + list(range(10 - bad))})

    result = check(
        batch.cast(pa.schema([("a", pa.int64())])),
        contract(a="long"),
        Policy(on_mismatch="split", max_rejected=share),
    )

    assert result.disposition == disposition
    assert (result.accepted is None) is (disposition == "quarantined")
    assert result.verdict.rejected == bad
    assert result.rejected is not None
    assert result.rejected.collect().height == bad


def test_a_row_with_many_faults_is_rejected_once_with_every_reason() -> None:
    """Rejected rows are counted as rows, and each says all that is wrong with it."""
    batch = pa.table({"a": [1, None, 3], "b": pa.array([None, None, "x"], pa.string())})

    result = check(batch, contract(a="long", b="string"), SPLIT)

    assert violations_in(result) == [("null", "a", 1), ("null", "b", 2)]
    assert result.verdict.rejected == 2
    assert result.rejected is not None
    rejected = result.rejected.collect()
    assert rejected["_violations"].to_list() == [
        ["null in 'b': null"],
        ["null in 'a': null", "null in 'b': null"],
    ]
    assert rejected.select("_row", "a", "b").rows() == [(0, 1, None), (1, None, None)]


def test_what_a_type_cannot_hold_is_never_dropped() -> None:
    """Leaving out the large numbers would bias the scores: such a batch is not split."""
    batch = pa.table({"a": [1] * 99 + [2**53 + 1]})

    result = check_column(batch, "double")

    assert (kinds(result), result.disposition) == (["not_representable"], "quarantined")
    assert result.accepted is None
    assert "lossy_floats: allow" in result.violations[0].remedy


def test_warnings_never_block() -> None:
    """What is only reported keeps no row from the model."""
    batch = pa.table({"z": [1, 2], "b": [INF, 1.0], "a": [1, 2]})
    policy = Policy(non_finite="warn", column_order="warn", extra_columns="warn")

    result = check(batch, contract(a="long", b="double"), policy)

    assert {v.severity for v in result.violations} == {"warning"}
    assert kinds(result) == ["extra_column", "column_order", "non_finite"]
    assert (result.passed, result.disposition, result.verdict.rejected) == (True, "passed", 0)
    assert len(result.model_input()) == 2
    assert result.rejected is not None
    assert result.rejected.collect().height == 0


# ----- handing over -----


@pytest.mark.parametrize("rows", [1, 2, 3, 100])
def test_chunks_are_the_model_input_in_pieces(rows: int) -> None:
    """Together, and in order, the pieces are the whole; none is longer than asked for."""
    batch = pa.table({"a": [None if i % 5 == 0 else i for i in range(50)], "b": [0.5] * 50})
    result = check(batch, contract(a="double", b="double"), SPLIT)

    pieces = [piece.model_input for piece in result.chunks(rows)]

    pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), result.model_input())
    assert max(map(len, pieces)) <= rows
    assert [row for piece in result.chunks(rows) for row in piece.rows["_row"]] == [
        i for i in range(50) if i % 5
    ]


@pytest.mark.parametrize("on_mismatch", ["quarantine", "fail"])
def test_a_rejected_batch_is_not_handed_over(on_mismatch: Any) -> None:
    """Who asks for the rows of a rejected batch gets the verdict as an error."""
    result = check_column(pa.table({"a": [1, None]}), "long", Policy(on_mismatch=on_mismatch))

    for ask in (result.model_input, result.raise_if_rejected, lambda: next(result.chunks(1))):
        with pytest.raises(BatchRejected, match="null in column 'a'") as caught:
            ask()
        assert caught.value.verdict == result.verdict


def test_a_batch_that_may_be_scored_raises_nothing() -> None:
    """A passed and a split batch go on."""
    check_column(pa.table({"a": [1]}), "long").raise_if_rejected()
    check_column(pa.table({"a": [1, None]}), "long").raise_if_rejected()


def test_a_batch_whose_every_row_fails_hands_over_none() -> None:
    """A split may leave nothing; the model's input then has its columns and no row."""
    result = check_column(pa.table({"a": pa.nulls(3, pa.int64())}), "long")

    assert result.disposition == "split"
    assert result.model_input().dtypes.astype(str).to_dict() == {"a": "int64"}
    assert len(result.model_input()) == 0


def test_a_contracts_own_policy_is_in_force_unless_another_is_given() -> None:
    """A suite carries its policy; an explicit one wins."""
    judged_by = contract(a="long").under(SPLIT)
    batch = pa.table({"a": [1, None]})

    assert check(batch, judged_by).disposition == "split"
    assert check(batch, judged_by, Policy()).disposition == "quarantined"


def test_a_model_without_contract_is_refused_with_its_reason() -> None:
    """No signature, no score: the verdict says why and how to log a better one."""
    result = refuse("inbox/day.csv", NoContract("it was logged without a signature", "Log it."))

    assert (kinds(result), result.disposition) == (["no_contract"], "quarantined")
    assert result.verdict.batch.name == "day.csv"
    assert (result.accepted, result.rejected) == (None, None)


# ----- what is said -----

SAMPLES = split(sample_rows=2)
# Every kind that a flat batch can have: a batch that has it, and what the remedy says.
SAID: dict[str, tuple[Any, Contract, Policy, str]] = {
    "missing_column": (pa.table({"b": [1]}), contract(a="long"), SAMPLES, "Deliver 'a'"),
    "extra_column": (pa.table({"a": [1], "b": [1]}), contract(a="long"), SAMPLES, "policy keep"),
    "duplicate_column": (
        pa.Table.from_arrays([pa.array([1]), pa.array([1])], ["a", "a"]),
        contract(a="long"),
        SAMPLES,
        "Deliver 'a' once",
    ),
    "column_order": (
        pa.table({"b": [1], "a": [1]}),
        contract(a="long", b="long"),
        split(column_order="forbid"),
        "column_order: ignore",
    ),
    "type_mismatch": (pa.table({"a": [True]}), contract(a="long"), SAMPLES, "Deliver 'a' as long"),
    "null": (pa.table({"a": [1, None, None, None]}), contract(a="long"), SAMPLES, "Fill 'a'"),
    "out_of_range": (
        pa.table({"a": [2**31, 2**31]}),
        contract(a="integer"),
        SAMPLES,
        "again with 'a' as long",
    ),
    "not_representable": (pa.table({"a": [0.5]}), contract(a="long"), SAMPLES, "as double"),
    "unparseable": (
        pa.table({"a": ["x", "1"]}),
        contract(a="long"),
        split(parse_text="allow"),
        "Deliver integers in 'a'",
    ),
    "non_finite": (
        pa.table({"a": [INF]}),
        contract(a="double"),
        split(non_finite="forbid"),
        "non_finite: allow",
    ),
    "nested_mismatch": (
        pa.table({"a": [[1], [2, None], []]}),
        contract(a={"type": "array", "items": {"type": "long"}}),
        SAMPLES,
        "such parts of 'a'",
    ),
    "row_count": (pa.table({"a": [1]}), contract(a="long"), split(min_rows=2), "min_rows"),
}


def test_a_verdict_grows_with_the_columns_and_not_with_their_square() -> None:
    """Each missing column costs a kilobyte, however many are missing beside it."""
    sizes = [
        len(check(pa.table({"z": [1]}), contract(**names), Policy()).verdict.to_json())
        for names in ({f"c{i}": "long" for i in range(n)} for n in (500, 1000))
    ]

    assert sizes[1] - sizes[0] < 500 * 1_200


def test_a_sample_counts_distinct_values(tmp_path: Path) -> None:
    """Equal values are shown once, with how many of the first hundred such rows have them."""
    folder = tmp_path / "days"
    folder.mkdir()
    (folder / "1.csv").write_text("a\n" + "x\n" * 3 + "7\ny\nx\n")
    (folder / "2.csv").write_text("a\n" + "y\n" * 2000)

    (violation,) = check(folder, contract(a="long"), Policy(sample_rows=3)).violations

    assert (violation.count, violation.rows) == (2005, (0, 1, 2))
    assert (violation.sample, violation.sample_counts) == (("'x'", "'y'"), (4, 101))
    assert "('x' \N{MULTIPLICATION SIGN}4, 'y' \N{MULTIPLICATION SIGN}101)" in violation.message


@pytest.mark.parametrize("redact", [False, True])
def test_a_violation_names_the_keys_of_its_first_rows(redact: bool, tmp_path: Path) -> None:
    """The kept columns beside each row that is named, over all files; redacted, nothing of them."""
    for part, keys in enumerate(("k1\nx,k2\ny,k3", "k4\nz,")):
        (tmp_path / f"{part}.csv").write_text(f"a,key\n1,{keys}\n")
    policy = Policy(sample_rows=3, keep=("key",), redact=redact)

    (violation,) = check(tmp_path, contract(a="long"), policy).violations

    assert violation.rows == (1, 2, 4)
    assert violation.kept == ({} if redact else {"key": ("'k2'", "'k3'", "null")})


@pytest.mark.parametrize(("batch", "judged_by", "policy", "remedy"), SAID.values(), ids=SAID)
def test_every_violation_says_where_what_and_what_to_do(
    request: pytest.FixtureRequest, batch: Any, judged_by: Contract, policy: Policy, remedy: str
) -> None:
    """The message has column, expected, observed, count, first rows and remedy."""
    result = check(batch, judged_by, policy)

    kind = request.node.callspec.id
    violation = next(v for v in result.violations if v.kind == kind)
    assert remedy in violation.remedy
    for part in (kind, violation.expected, violation.observed, violation.remedy):
        assert part in violation.message
    if violation.column:
        assert f"in column {violation.column!r}" in violation.message
    if violation.level == "row":
        counted = f"in {violation.count:,} row"
        first = ", ".join(map(str, violation.rows))
        assert (
            f"{counted}{'' if violation.count == 1 else 's'} (first: {first})" in violation.message
        )
        assert len(violation.rows) == min(violation.count or 0, policy.sample_rows)
        assert len(set(violation.sample)) == len(violation.sample) == len(violation.sample_counts)
        assert sum(violation.sample_counts) == violation.count
    assert violation.because
    assert re.match(r"[A-Z].*\.$", violation.remedy)


@pytest.mark.parametrize(("batch", "judged_by", "policy", "remedy"), SAID.values(), ids=SAID)
def test_what_the_suite_can_state_is_named_as_its_expectation(
    batch: Any, judged_by: Contract, policy: Policy, remedy: str
) -> None:
    """Violations name the GX expectation that failed, if one states the rule."""
    for violation in check(batch, judged_by, policy).violations:
        if violation.kind not in ("extra_column", "non_finite", "nested_mismatch"):
            assert violation.expectation is not None
            assert violation.expectation["type"].startswith("expect_")
            assert violation.expectation["kwargs"]


def test_a_remedy_for_zones_names_the_policy() -> None:
    """A timestamp with a zone is refused by default, and the message says what would take it."""
    batch = pa.table({"a": pa.array([1], pa.timestamp("us", "UTC"))})

    assert "timezone: utc" in check_column(batch, "datetime").violations[0].remedy


@pytest.mark.parametrize("sample_rows", [0, 1, 5])
def test_as_many_failing_rows_are_shown_as_the_policy_asks_for(sample_rows: int) -> None:
    """Rows and values of the first failing rows, and no more of them."""
    batch = pa.table({"a": [2**31 + i for i in range(3)]})

    (violation,) = check_column(batch, "integer", split(sample_rows=sample_rows)).violations

    shown = min(sample_rows, 3)
    assert violation.rows == tuple(range(shown))
    assert violation.sample == tuple(str(2**31 + i) for i in range(shown))
    assert violation.count == 3


def test_long_values_are_shown_in_part() -> None:
    """A megabyte in a cell does not become a megabyte in the verdict."""
    batch = pa.table({"a": ["x" * 1_000_000]})

    result = check_column(batch, "long", split(parse_text="allow"))

    assert len(result.verdict.to_json()) < 10_000


SECRET = "s3cr3t"  # noqa: S105 - told to nobody, but no password
SECRETS: dict[str, tuple[Any, str]] = {
    "unparseable": (pa.array([SECRET]), "long"),
    "beyond": (pa.array([int("73577357" * 2)]), "integer"),
    "lossy": (pa.array([0.73577357]), "long"),
    "decimal": (pa.array([Decimal("0.73577357")]), "integer"),
    "instant": (pa.array([dt.datetime(7357, 7, 3)]), "datetime"),
    "null beside": (pa.array([SECRET, None]), "string"),
}


@pytest.mark.parametrize(("cells", "target"), SECRETS.values(), ids=SECRETS)
def test_under_redact_no_value_is_told(cells: Any, target: str) -> None:
    """Under redact no sample is in the verdict, its JSON, its messages or its errors."""
    policy = Policy(redact=True, parse_text="allow")

    result = check_column(pa.table({"a": cells}), target, policy)

    with pytest.raises(BatchRejected) as caught:
        result.raise_if_rejected()
    told = result.verdict.to_json() + str(caught.value) + repr(result.violations)
    assert not any(secret in told for secret in (SECRET, "73577357", "7357"))
    assert result.violations[0].rows != ()


def test_under_redact_no_record_of_a_csv_is_told(tmp_path: Path) -> None:
    """Malformed records are counted and numbered under redact, and not quoted."""
    path = tmp_path / "batch.csv"
    path.write_text(f"a,b\n1,x\n{SECRET}\n2,{SECRET}\n")

    result = check(path, contract(a="long", b="long"), Policy(redact=True))

    assert kinds(result) == ["malformed_row", "unparseable"]
    assert SECRET not in result.verdict.to_json()


def test_a_kept_uuid_is_its_text(tmp_path: Path) -> None:
    """Polars reads UUIDs as bytes, which no join would find."""
    keys = [uuid.UUID(int=2**127 + 7), None]
    cells = pa.array([key and key.bytes for key in keys], pa.binary(16))
    batch = pa.table({"a": [1, 2], "key": pa.ExtensionArray.from_storage(pa.uuid(), cells)})
    pq.write_table(batch, tmp_path / "a.parquet")

    for arrived in (batch, tmp_path / "a.parquet"):
        result = check(arrived, contract(a="long"), Policy(keep=("key",)))
        assert result.accepted is not None
        assert result.accepted.collect()["key"].to_list() == [str(keys[0]), None]


FAR_AWAY = {"s": 10**13, "ms": 10**16, "us": 2**62}


@pytest.mark.parametrize("unit", FAR_AWAY)
@pytest.mark.parametrize("level", ["array", "object", "map"])
def test_instants_beyond_the_calendar_within_nested_values_are_out_of_range(
    unit: str, level: str
) -> None:
    """Python has no such dates to show as samples; numbers stand for them."""
    instant, kind = FAR_AWAY[unit], pa.timestamp(unit)
    stamp = {"type": "datetime"}
    cells, target = {
        "array": (pa.array([[instant]], pa.list_(kind)), {"items": stamp}),
        "object": (
            pa.array([{"t": instant}], pa.struct([("t", kind)])),
            {"properties": {"t": {**stamp, "required": True}}},
        ),
        "map": (pa.array([[("t", instant)]], pa.map_(pa.string(), kind)), {"values": stamp}),
    }[level]

    result = check(pa.table({"a": cells}), contract(a={"type": level, **target}), SPLIT)

    assert violations_in(result) == [("out_of_range", "a", 1)]
    assert "1678 to 2261" in result.violations[0].remedy
