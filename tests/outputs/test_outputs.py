"""What a model returns is judged by its output schema, which MLflow stores and never checks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from feeds import PLANTED, deliver, everything_below, rows
from hypothesis import given
from scipy import sparse
from strategies import contracts
from unusual_models import register

from signature_gate import Contract, Policy, check
from signature_gate.expectations.outputs.check import judge_output
from signature_gate.expectations.preflight.synthetic_batch import GeneratorOptions, synthetic_batch
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

Y = {"type": "long", "name": "y", "required": True}
INPUTS = json.dumps([{"type": "double", "name": "a", "required": True}])


def column(kind: str, name: str | int | None = None, **more: Any) -> dict[str, Any]:
    named = {} if name is None else {"name": name}
    return {"type": kind, "required": True, **named, **more}


def tensor(dtype: str, *shape: int, name: str | None = None) -> dict[str, Any]:
    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
    return {**spec, "name": name} if name else spec


def contract(*outputs: dict[str, Any]) -> Contract:
    stated = json.dumps(outputs) if outputs else None
    return Contract.from_signature({"inputs": INPUTS, "outputs": stated})


DOUBLES = column("array", items={"type": "double"})
PAIRS = np.array([[0.5, 1.0], [1.5, 2.0], [2.5, 3.0]])
FRAME = pd.DataFrame({"p": [0.5, 1.5, 2.5], "q": [1.0, 2.0, 3.0]})
HALVES, WHOLES, WORDS = [0.5, 1.5, 2.5], [1, 2, 3], ["a", "b", "c"]


@pytest.mark.parametrize(
    ("outputs", "returned", "published"),
    [
        ([], np.array(WHOLES), {"prediction": WHOLES}),
        ([], FRAME, {"p": HALVES, "q": [1.0, 2.0, 3.0]}),
        ([], PAIRS, {"prediction_0": HALVES, "prediction_1": [1.0, 2.0, 3.0]}),
        ([], sparse.csr_matrix(PAIRS[:, :1]), {"prediction": HALVES}),
        ([], pl.DataFrame({"p": WHOLES}), {"p": WHOLES}),
        ([], pa.table({"p": WHOLES}), {"p": WHOLES}),
        ([], [{"p": 1}, {"p": 2}, {"p": 3}], {"p": WHOLES}),
        ([], np.zeros((3, 1, 2)), {"prediction": [[[0.0, 0.0]]] * 3}),
        ([column("any")], WORDS, {"prediction": WORDS}),
        ([Y], np.array(WHOLES, "int8"), {"y": WHOLES}),
        ([Y], [1.0, 2.0, 3.0], {"y": WHOLES}),
        ([Y], pd.DataFrame({"y": WHOLES}, index=[7, 7, 7]), {"y": WHOLES}),
        ([Y], pd.Series(WHOLES, name="other"), {"y": WHOLES}),
        ([column("long")], pd.DataFrame({"own": WHOLES}), {"own": WHOLES}),
        ([column("double", 0), column("double", 1)], pd.DataFrame(PAIRS), {
            "prediction_0": HALVES,
            "prediction_1": [1.0, 2.0, 3.0],
        }),
        ([column("double", "p"), column("double", "q")], FRAME[["q", "p"]], {
            "p": HALVES,
            "q": [1.0, 2.0, 3.0],
        }),
        ([Y, column("double", "z", required=False)], pd.DataFrame({"y": WHOLES}), {"y": WHOLES}),
        ([column("string", "w")], pd.Series(WORDS, dtype="category"), {"w": WORDS}),
        ([column("binary", "w")], [b"a", b"b", b"c\0"], {"w": [b"a", b"b", b"c\0"]}),
        ([DOUBLES], [[0.5], [], [1.5, 2.5]], {"prediction": [[0.5], [], [1.5, 2.5]]}),
        ([DOUBLES], PAIRS, {"prediction": PAIRS.tolist()}),
        ([tensor("int64", -1)], np.array(WHOLES), {"prediction": WHOLES}),
        ([tensor("object", -1)], np.array(WORDS, object), {"prediction": WORDS}),
        ([tensor("str", -1)], np.array(WORDS), {"prediction": WORDS}),
        ([tensor("float64", -1, 2)], PAIRS, {
            "prediction_0": HALVES,
            "prediction_1": [1.0, 2.0, 3.0],
        }),
        ([tensor("float64", -1, -1)], FRAME, {"p": HALVES, "q": [1.0, 2.0, 3.0]}),
        ([tensor("float64", -1, 2, name="t")], PAIRS, {"t": PAIRS.tolist()}),
        ([tensor("float64", -1, 2, name="t")], {"t": PAIRS}, {"t": PAIRS.tolist()}),
        ([tensor("float64", -1, 2, name="t")], FRAME, {"t": PAIRS.tolist()}),
        ([tensor("bool", -1, name="s"), tensor("int8", -1, name="t")], {
            "t": np.array(WHOLES, "int8"),
            "s": np.array([True, False, True]),
        }, {"s": [True, False, True], "t": WHOLES}),
    ],
)  # fmt: skip
def test_what_agrees_is_published_under_the_schema_s_names(
    outputs: list[dict[str, Any]], returned: Any, published: dict[str, list[Any]]
) -> None:
    """Names of the output schema, else the model's own, else numbered ones; values as returned."""
    output = judge_output(returned, contract(*outputs), 3)

    assert output.violations == ()
    assert {n: values.to_pylist() for n, values in output.columns.items()} == published
    assert list(output.columns) == list(published)


@pytest.mark.parametrize(
    ("kind", "returned", "published"),
    [
        ("long", np.array(WHOLES, "int16"), pa.int64()),
        ("integer", np.array(WHOLES), pa.int32()),
        ("double", np.array(WHOLES, "float32"), pa.float64()),
        ("float", [0.5, 1.5, 2.5], pa.float32()),
        ("datetime", pd.to_datetime(["2024-01-01"] * 3), pa.timestamp("ns")),
    ],
)
def test_predictions_are_published_in_the_schema_s_types(
    kind: str, returned: Any, published: pa.DataType
) -> None:
    """Whatever the model returns for one piece and the next, the file has one type."""
    output = judge_output(returned, contract(column(kind, "y")), 3)

    assert output.columns["y"].type == published


@pytest.mark.parametrize(
    ("outputs", "returned", "said"),
    [
        ([], [1, 2], ["expected 3 predictions", "2: a list of 2"]),
        ([], "yes", ["an object of type str"]),
        ([], np.float64(3), ["a single value"]),
        ([], {"a": 1}, ["an array for each name"]),
        ([], pd.DataFrame(index=range(3)), ["at least one column"]),
        ([], [1, "one", 3], ["values in 'prediction' that no column can hold"]),
        ([], pd.concat([FRAME, FRAME], axis=1), ["p, q more than once"]),
        ([Y], pd.DataFrame({"z": WHOLES}), ["no such column", "'z'", "shape (3, 1), with z"]),
        ([Y], pd.DataFrame({"y": WHOLES, "z": WHOLES}), ["columns that the output schema has"]),
        ([Y], PAIRS, ["1 column", "2: an ndarray of float64, shape (3, 2)"]),
        ([Y], np.array(HALVES), ["in column 'y'", "a fraction in 3 of 3 predictions"]),
        ([Y], np.array(WORDS), ["in column 'y': expected long"]),
        ([Y], np.array([1, 2, 2**63], "uint64"), ["uint64 beyond it in 1 of 3 predictions"]),
        ([Y], [1, None, 3], ["long in every row", "null in 1 of 3 predictions"]),
        ([Y], [1, "one", 3], ["in column 'y'"]),
        ([column("boolean", "b")], [1, 0, 1], ["expected boolean, observed int64"]),
        ([column("double", "d")], [1.0, None, 3.0], ["accept null by policy nullable: [d]"]),
        ([column("float", "f")], [0.1, 0.2, 0.3], ["policy lossy_floats: allow"]),
        (
            [column("datetime", "t")],
            pd.to_datetime(["2024-01-01"] * 3, utc=True),
            ["set policy timezone: utc"],
        ),
        ([DOUBLES], [[0.5], ["a"], []], ["in column 'prediction'"]),
        ([tensor("int64", -1)], np.array(HALVES), ["int64 represents exactly"]),
        ([tensor("float64", -1, 3)], PAIRS, ["expected 3 columns", "observed 2"]),
        ([tensor("float64", -1, 3, name="t")], PAIRS, ["3 elements along dimension 1"]),
        ([tensor("float64", 5)], np.array(HALVES), ["exactly 5"]),
        (
            [tensor("float64", -1, name="s"), tensor("float64", -1, name="t")],
            {"s": np.array(HALVES)},
            ["in column 't'", "a dict of s"],
        ),
        ([Y, Y], FRAME, ["an output schema that decides", "repeats 'y'"]),
    ],
)
def test_what_contradicts_the_schema_is_a_mismatch(
    outputs: list[dict[str, Any]], returned: Any, said: list[str]
) -> None:
    """Rows, names, types, shapes, null: each violation has what the model returned."""
    output = judge_output(returned, contract(*outputs), 3)

    told = "\n".join(violation.message for violation in output.violations)
    assert output.columns == {}
    assert {(v.kind, v.level) for v in output.violations} == {("output_mismatch", "batch")}
    assert [words for words in said if words not in told] == []


@pytest.mark.parametrize(
    ("kind", "policy", "accepted"),
    [
        ("double", {}, False),
        ("double", {"nulls": "allow"}, True),
        ("double", {"nullable": ["y"]}, True),
        ("double", {"nullable": ["other"]}, False),
        ("string", {"nulls": "allow"}, True),
        ("long", {"nulls": "allow", "nullable": ["y"]}, False),
        ("integer", {"nulls": "allow"}, False),
        ("boolean", {"nulls": "allow"}, False),
    ],
)
def test_null_is_a_matter_of_policy_where_the_type_can_carry_it(
    kind: str, policy: dict[str, Any], accepted: bool
) -> None:
    """Long, integer and boolean never; others as for inputs."""
    missing = pa.table({"y": pa.nulls(3, pa.string() if kind == "string" else pa.float64())})

    output = judge_output(missing, contract(column(kind, "y")), 3, Policy.parse(policy))

    assert accepted == (output.violations == ())


def test_nan_is_null_or_a_value_as_the_policy_says() -> None:
    """A NaN among doubles counts as null by default; under nan: value it is published as NaN."""
    found = contract(column("double", "y"))
    returned = pd.DataFrame({"y": [1.0, np.nan]})

    assert judge_output(returned, found, 2).violations
    published = judge_output(returned, found, 2, Policy(nan="value")).columns["y"]
    assert published.null_count == 0
    assert np.isnan(published[1].as_py())


def test_an_optional_output_may_be_null_or_absent() -> None:
    """What the schema does not require, a model need not return."""
    found = contract(Y, column("double", "z", required=False))

    gaps = judge_output(pd.DataFrame({"y": [1, 2], "z": [0.5, None]}), found, 2)
    absent = judge_output(pd.DataFrame({"y": [1, 2]}), found, 2)

    assert gaps.violations == absent.violations == ()
    assert list(absent.columns) == ["y"]


def test_what_the_policy_says_of_arriving_batches_does_not_bind_the_model() -> None:
    """rename, keep, min_rows, extra_columns and parse_text are about arriving batches only."""
    policy = Policy(
        rename={"y": "x"}, keep=("key",), min_rows=9, extra_columns="ignore", parse_text="allow"
    )

    assert judge_output(pd.DataFrame({"y": [1]}), contract(Y), 1, policy).violations == ()
    assert judge_output(pd.DataFrame({"y": [1], "z": [1]}), contract(Y), 1, policy).violations
    assert judge_output(pd.DataFrame({"y": ["1"]}), contract(Y), 1, policy).violations


@given(described=contracts())
def test_what_fits_as_input_fits_as_output(described: Contract) -> None:
    """One table for both: a model may return any model input under the same schema."""
    batch = synthetic_batch(described, GeneratorOptions(edges=True, optional=True, policy=Policy()))
    handed = check(batch, described).model_input()
    echo = replace(described, signature={"outputs": described.signature["inputs"]})

    output = judge_output(handed, echo, len(handed))

    assert [violation.message for violation in output.violations] == []
    assert list(output.columns) == [c.name for c in described.columns]


# ----- on the way to being published -----


@pytest.fixture(scope="module")
def liar(registry: str) -> str:
    """A model that declares ``long y``; its param chooses what it returns."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, ParamSchema, ParamSpec, Schema

    def predict(frame: pd.DataFrame, params: dict[str, Any]) -> Any:
        whole = frame["n"]
        answers = {
            "as declared": whole.to_frame("y"),
            "narrow": whole.to_numpy().astype("int8"),
            "name": whole.to_frame("z"),
            "type": (whole + 0.5).to_frame("y"),
            "text": [*whole[:-1], PLANTED],
            "rows": whole.to_numpy()[:-1],
            "null": whole.astype("float64").where(whole > 0).to_frame("y"),
        }
        return answers[params["answer"]]

    signature = ModelSignature(
        inputs=Schema([ColSpec("double", "a"), ColSpec("long", "n")]),
        outputs=Schema([ColSpec("long", "y")]),
        params=ParamSchema([ParamSpec("answer", "string", "as declared")]),
    )
    return register("liar", predict, signature)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("name", "no such column; it returned a DataFrame, shape (3, 1), with z"),
        ("type", "a fraction in 3 of 3 predictions"),
        ("text", PLANTED),
        ("rows", "expected 3 predictions, observed 2"),
        ("null", "null in 1 of 3 predictions"),
    ],
)
def test_a_mismatch_is_not_published(
    make_feed: Callable[..., Feed], liar: str, answer: str, said: str
) -> None:
    """The batch is set apart whole, under a split policy too, and nothing is left half done."""
    policy = {"on_mismatch": "split", "max_rejected": 1.0}
    feed = make_feed(model=liar, params={"answer": answer}, policy=policy)
    deliver(feed, "good.parquet", rows(3))

    (receipt,) = score_feed(feed).receipts

    assert (receipt.disposition, receipt.final) == ("quarantined", True)
    assert receipt.reason.startswith("output_mismatch")
    assert said in receipt.reason
    assert (receipt.outputs.scored, receipt.outputs.rejected) == (0, 3)
    assert everything_below(Path(feed.root) / "scored") == set()
    assert list(feed.staging.iterdir()) == []


def test_every_fault_of_the_output_is_on_record(make_feed: Callable[..., Feed], liar: str) -> None:
    """A wrong name is two faults: one column is missing, another is not declared."""
    feed = make_feed(model=liar, params={"answer": "name"})
    deliver(feed, "good.parquet", rows(3))

    (receipt,) = score_feed(feed).receipts

    assert receipt.verdict
    assert [v.kind for v in receipt.verdict.blocking] == ["output_mismatch"] * 2


def test_redact_withholds_what_the_model_returned(
    make_feed: Callable[..., Feed], liar: str
) -> None:
    """The report has counts and no values."""
    feed = make_feed(model=liar, params={"answer": "text"}, policy={"redact": True})
    deliver(feed, "good.parquet", rows(3))

    (receipt,) = score_feed(feed).receipts

    assert "in 1 of 3 predictions" in receipt.reason
    assert PLANTED not in receipt.model_dump_json()


def test_what_is_published_has_the_schema_s_type(make_feed: Callable[..., Feed], liar: str) -> None:
    """int8 for a declared long is long in the file."""
    feed = make_feed(model=liar, params={"answer": "narrow"}, chunk_rows=2)
    deliver(feed, "good.parquet", rows(5))

    (receipt,) = score_feed(feed).receipts

    frame = pl.read_parquet(feed.resolve(receipt.outputs.predictions or ""))
    assert frame.schema["y"] == pl.Int64
    assert frame["y"].to_list() == [0, 1, 2, 3, 4]
