"""preflight reports faults of a version before it is promoted."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
import sys
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from strategies import POLICIES, contracts
from tutorial_models import house_frame, iris_frame
from unusual_models import quietly, register

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import (
    BatchNotFound,
    Misuse,
    ModelNotFound,
    RegistryUnavailable,
)
from signature_gate.expectations.preflight.example_batch import Example, example_batch
from signature_gate.expectations.preflight.report import STEPS, Preflight, Step
from signature_gate.expectations.preflight.synthetic_batch import GeneratorOptions, synthetic_batch
from signature_gate.expectations.registry.client import load_example, resolve
from signature_gate.expectations.suite import to_suite
from signature_gate.tasks.preflight.preflight import preflight

if TYPE_CHECKING:
    from pathlib import Path

    from mlflow.models import ModelSignature
    from tutorial_models import Tutorial


def step(found: Preflight, name: str) -> Step:
    return next(step for step in found.steps if step.name == name)


def states(found: Preflight) -> list[str]:
    return [step.state for step in found.steps]


# ----- synthetic batches -----


@given(
    contract=contracts(),
    policy=POLICIES,
    edges=st.booleans(),
    optional=st.booleans(),
)
def test_a_synthetic_batch_passes_the_gate_and_mlflow(
    contract: Contract, policy: Policy, edges: bool, optional: bool
) -> None:
    """Whatever the signature and the policy, made-up rows fit; MLflow's enforcement agrees.

    That optional columns are left out on purpose is a warning at most.
    """
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    batch: Any = synthetic_batch(contract, GeneratorOptions(edges, optional, policy))
    result = check(batch, contract, policy)

    critical = [v.message for v in result.violations if v.severity == "critical"]
    assert critical == []
    assert result.verdict.conversions == () or policy.parse_text == "allow"
    validate_schema(result.model_input(), Schema.from_json(contract.signature["inputs"]))
    required = [column.name for column in contract.columns if column.required]
    absent_ones_are_absent = set(batch.column_names) == set(required or batch.column_names[:1])
    assert len(batch.column_names) == len(contract.columns) if optional else absent_ones_are_absent


DTYPES = ["bool", "str", "int8", "uint8", "int64", "uint64", "float16", "float32", "float64"]
SHAPES = [(-1,), (-1, 3), (-1, -1), (2, 3), (-1, 2, -1)]


@pytest.mark.parametrize("edges", [False, True], ids=["ordinary", "edges"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", DTYPES)
def test_synthetic_tensors_too(dtype: str, shape: tuple[int, ...], edges: bool) -> None:
    """For every dtype and shape, one unnamed tensor and two named ones."""
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    spec = {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": list(shape)}}
    for specs in ([spec], [{**spec, "name": "a"}, {**spec, "name": "b"}]):
        inputs = json.dumps(specs)
        contract = Contract.from_signature({"inputs": inputs})
        batch = synthetic_batch(contract, GeneratorOptions(edges, optional=True, policy=Policy()))
        result = check(batch, contract)

        assert result.passed, result.verdict.summary()
        validate_schema(result.model_input(), Schema.from_json(inputs))


# ----- examples -----


def signature_of(*columns: dict[str, Any]) -> Contract:
    return Contract.from_signature({"inputs": json.dumps(columns)})


INSTANT = dt.datetime(2020, 2, 3, 4, 5, 6, 789)
COLUMNS = [
    {"type": "binary", "name": "b"},
    {"type": "datetime", "name": "t"},
    {"type": "array", "items": {"type": "datetime"}, "name": "l", "required": True},
    {
        "type": "object",
        "properties": {"b": {"type": "binary"}, "t": {"type": "datetime", "required": False}},
        "name": "o",
        "required": True,
    },
    {"type": "map", "values": {"type": "binary"}, "name": "m", "required": True},
]


def test_what_json_lacks_is_decoded() -> None:
    """Bytes and instants are decoded at any depth; other text stays text."""
    written = pd.DataFrame(
        {
            "b": ["YQ==\n", "not base64!"],
            "t": [INSTANT.isoformat(), "no date"],
            "l": [[INSTANT.isoformat()], []],
            "o": [{"b": "YQ==", "t": None}, {"b": "YQ==", "t": INSTANT.isoformat()}],
            "m": [{"k": "YQ=="}, {}],
        }
    )

    frame = example_batch(Example(written), signature_of(*COLUMNS))

    assert frame["b"].tolist() == [b"a", "not base64!"]
    assert frame["t"].tolist() == [pd.Timestamp(INSTANT), "no date"]
    assert frame["l"].tolist() == [[pd.Timestamp(INSTANT)], []]
    assert frame["o"].tolist() == [
        {"b": b"a", "t": None},
        {"b": b"a", "t": pd.Timestamp(INSTANT)},
    ]
    assert frame["m"].tolist() == [{"k": b"a"}, {}]


LONG, TEXTS = {"type": "long", "name": "a"}, {"type": "array", "items": {"type": "string"}}


@pytest.mark.parametrize(
    ("written", "columns", "rows"),
    [
        ({"a": 1}, [LONG], [[1]]),
        ({"a": [1, 2]}, [LONG], [[1], [2]]),
        ({"a": ["x", "y"]}, [{**TEXTS, "name": "a"}], [[["x", "y"]]]),
        ([{"a": 1}, {"a": 2}], [LONG], [[1], [2]]),
        ([1, 2], [{"type": "long"}], [[1], [2]]),
        ("x", [{"type": "string"}], [["x"]]),
    ],
)
def test_records_and_columns_are_told_apart_as_mlflow_does(
    written: Any, columns: list[dict[str, Any]], rows: list[list[Any]]
) -> None:
    """A dictionary of scalars is one row; one of lists is columns, unless the cells are lists."""
    frame = example_batch(Example(written), signature_of(*columns))

    assert frame.to_numpy().tolist() == rows


def test_arrays_stay_arrays() -> None:
    """Dense ones as they are, sparse ones spread out."""
    contract = signature_of(
        {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}
    )
    dense = np.eye(2)

    assert example_batch(Example(dense), contract) is dense
    assert (example_batch(Example(sparse.csr_matrix(dense)), contract) == dense).all()
    assert example_batch(Example({"a": dense}), contract) == {"a": dense}


@pytest.fixture(scope="module")
def with_example(registry: str) -> str:
    """A model with an example of every scalar type, and a param."""
    from mlflow.models import infer_signature

    frame = pd.DataFrame(
        {
            "whole": np.array([1, 2], "int32"),
            "text": ["a", None],
            "bytes": [b"a", b"\xff"],
            "instant": [INSTANT, INSTANT.replace(microsecond=0)],
            "list": [[0.5], []],
        }
    )
    signature = infer_signature(frame, np.array([1, 2]), {"k": 1.5})
    example = (frame, {"k": 2.5})
    return register("with_example", lambda frame, _: np.arange(len(frame)), signature, example)


def test_an_example_is_read_as_it_was_written(with_example: str) -> None:
    """By any URI; MLflow's own loader fails on instants of different precision."""
    import mlflow

    version = resolve(with_example)
    location = mlflow.MlflowClient().get_logged_model(str(version.model_id)).artifact_location
    for uri in (with_example, f"models:/{version.model_id}", location.removeprefix("file://")):
        example = load_example(resolve(uri))

        assert example
        assert example.params == {"k": 2.5}
        assert example.data["whole"].tolist() == [1, 2]
        result = check(example_batch(example, Contract.load(uri)), Contract.load(uri))
        assert result.passed, result.verdict.summary()


# ----- sound models -----


def test_sound_models_pass(
    iris_inferred: Tutorial, iris_columns: Tutorial, iris_tensor: Tutorial
) -> None:
    """Without an example made-up rows are tried: all of them, and one alone."""
    for model in (iris_inferred, iris_columns, iris_tensor):
        found = preflight(model.uri)

        assert found.passed
        assert states(found) == ["ok", "skipped", "ok", "ok", "ok", "skipped"]
        assert [step.name for step in found.steps] == list(STEPS)
        assert step(found, "predict").observed == (
            "it predicted on a synthetic batch, the first row of a synthetic batch"
        )
        assert found.model
        assert found.model.pinned == model.pinned
        assert Preflight.model_validate_json(found.model_dump_json()) == found


def test_an_example_is_tried_first(house_price: Tutorial, with_example: str) -> None:
    """Its rows are judged, and the model predicts on them and on made-up ones."""
    for uri in (house_price.uri, with_example):
        found = preflight(uri)

        assert states(found) == ["ok"] * 5 + ["skipped"]
        assert step(found, "input example").observed.startswith("2 rows fit")
        assert step(found, "predict").observed.startswith(
            "it predicted on its input example, the first row of its input example"
        )
        assert step(found, "predict").observed.endswith("a synthetic batch")


def test_a_folder_is_tried_like_the_registry(iris_columns: Tutorial) -> None:
    """An MLmodel folder needs no registry."""
    found = preflight(str(iris_columns.folder))

    assert found.passed


# ----- faults -----


@pytest.fixture(scope="module")
def iris_tensor_bare(registry: str) -> Tutorial:
    """A bare forest with one named tensor."""
    import tutorial_models

    return tutorial_models.iris_tensor_bare()


def test_a_forest_that_gets_a_dict_is_caught(iris_tensor_bare: Tutorial) -> None:
    """Its contract is valid, but scikit-learn raises: reported here with a remedy."""
    assert check(iris_frame(), Contract.load(iris_tensor_bare.uri)).passed

    found = preflight(iris_tensor_bare.uri)

    assert states(found) == ["ok", "skipped", "ok", "failed", "skipped", "skipped"]
    predict = step(found, "predict")
    assert "float() argument must be a string or a real number, not 'dict'" in predict.observed
    assert "an unnamed tensor or with columns, or wrap it" in predict.remedy


def test_without_a_contract_there_is_nothing_to_try(unsigned: str) -> None:
    """The first step has the reason and how to log one; the others are skipped."""
    found = preflight(unsigned)

    assert not found.passed
    assert states(found) == ["failed", *["skipped"] * 5]
    assert found.steps[0].observed == "it was logged without a signature"
    assert "infer_signature" in found.steps[0].remedy


def frame_signature(outputs: Any = None, **optional: bool) -> ModelSignature:
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = [ColSpec("double", "a"), ColSpec("string", "s", required=not optional.get("s"))]
    return ModelSignature(inputs=Schema(columns), outputs=outputs)


def output_signature() -> ModelSignature:
    from mlflow.types import ColSpec, Schema

    return frame_signature(Schema([ColSpec("long", "y")]))


ROWS = pd.DataFrame({"a": [0.5, 1.5], "s": ["x", "y"]})


@pytest.mark.parametrize(
    ("returns", "said"),
    [
        (lambda frame, _: pd.DataFrame({"z": range(len(frame))}), "with z"),
        (lambda frame, _: frame["a"] + 0.25, "a fraction in 2 of 2 predictions"),
        (lambda frame, _: list(range(len(frame) - 1)), "expected 2 predictions, observed 1"),
        (lambda frame, _: [None, *range(len(frame) - 1)], "null in 1 of 2 predictions"),
    ],
    ids=["name", "type", "rows", "null"],
)
def test_an_output_that_contradicts_its_schema_is_caught(
    registry: str, returns: Any, said: str
) -> None:
    """Name, type, number of rows, null: the report has what the model returned."""
    uri = register("contrary", returns, output_signature(), ROWS)

    found = preflight(uri)

    assert states(found) == ["ok", "ok", "ok", "ok", "failed", "skipped"]
    output = step(found, "output")
    assert said in output.observed
    assert output.remedy.startswith("Repair the model, or log it again")
    assert {violation.kind for violation in output.violations} == {"output_mismatch"}


def test_an_example_that_does_not_fit_is_caught(registry: str) -> None:
    """MLflow lets a signature be set anew; the example is judged as written, not as cast."""
    from mlflow.models import ModelSignature, set_signature
    from mlflow.types import ColSpec, Schema

    example = pd.DataFrame({"a": [1.5, 2.0]})
    uri = register("misfit", lambda frame, _: frame["a"], None, example)
    with quietly():
        set_signature(
            f"models:/{resolve(uri).model_id}",
            ModelSignature(inputs=Schema([ColSpec("long", "a")])),
        )

    found = preflight(uri)

    assert states(found) == ["ok", "failed", "ok", "ok", "ok", "skipped"]
    assert "a fraction" in step(found, "input example").observed
    assert step(found, "input example").remedy == (
        "Log the model again with an example and a signature that agree."
    )
    assert [v.rows for v in step(found, "input example").violations] == [(0,)]


def test_an_example_that_is_gone_is_told(iris_columns: Tutorial, tmp_path: Path) -> None:
    """The MLmodel file names an example that the folder lacks."""
    folder = shutil.copytree(iris_columns.folder, tmp_path / "model")
    mlmodel = folder / "MLmodel"
    info = "saved_input_example_info: {artifact_path: input_example.json, type: dataframe}\n"
    mlmodel.write_text(mlmodel.read_text() + info)

    found = preflight(str(folder))

    assert states(found) == ["ok", "failed", "ok", "ok", "ok", "skipped"]
    assert "lacks the input example" in step(found, "input example").observed


def test_a_model_that_cannot_be_loaded_is_told(iris_columns: Tutorial, tmp_path: Path) -> None:
    """A damaged file fails the step that reads it."""
    folder = shutil.copytree(iris_columns.folder, tmp_path / "model")
    (folder / "model.pkl").write_bytes(b"no pickle")

    found = preflight(str(folder))

    assert states(found) == ["ok", "skipped", "ok", "failed", "skipped", "skipped"]
    assert "cannot be loaded" in step(found, "predict").observed


def test_a_model_that_needs_an_optional_column_is_caught(registry: str) -> None:
    """The model must predict without the columns that are optional in its signature."""
    uri = register("needy", lambda frame, _: frame["s"].str.len(), frame_signature(s=True))

    predict = step(preflight(uri), "predict")

    assert predict.state == "failed"
    assert "KeyError on a synthetic batch without 's': 's'" in predict.observed
    assert predict.remedy.startswith("Change the model to do without 's'")


def test_a_model_that_exits_is_caught(registry: str) -> None:
    """sys.exit in predict fails the step; preflight goes on and does not exit with 0."""
    uri = register("quitting", lambda _, __: sys.exit(0), frame_signature())

    found = preflight(uri)

    assert step(found, "predict").state == "failed"
    assert "SystemExit on a synthetic batch: 0" in step(found, "predict").observed


def test_a_model_that_needs_many_rows_is_caught(registry: str) -> None:
    """The last piece of a batch may hold a single row."""
    uri = register("squeezing", lambda frame, _: np.squeeze(frame[["a"]]), frame_signature())

    found = preflight(uri)

    assert step(found, "output").state == "failed"
    assert "expected 1 prediction, observed" in step(found, "output").observed


def test_made_up_values_do_not_condemn_a_model_with_an_example(registry: str) -> None:
    """A category that the model does not know is a warning only."""

    def predict(frame: pd.DataFrame, _: Any) -> Any:
        return frame["s"].map({"x": 1, "y": 2}.__getitem__)

    with_rows = preflight(register("picky", predict, frame_signature(), ROWS))
    without = preflight(register("picky", predict, frame_signature()))

    assert with_rows.passed
    assert "it raised KeyError on a synthetic batch: 'a'" in step(with_rows, "predict").observed
    assert not without.passed
    assert "input_example" in step(without, "predict").remedy


def test_redact_withholds_the_model_s_words(registry: str) -> None:
    """A model's error may quote the rows."""

    def predict(frame: pd.DataFrame, _: Any) -> Any:
        raise ValueError(frame.to_csv())

    uri = register("talkative", predict, frame_signature(), ROWS)

    told = preflight(uri, policy=Policy(redact=True)).model_dump_json()

    assert "ValueError on its input example: its text is withheld" in told
    assert "0.5,x" not in told


@pytest.mark.parametrize(
    "fields",
    [
        {"min_rows": 1000, "rename": {"x": "sqft"}, "keep": ["key"]},
        {"extra_columns": "forbid", "column_order": "forbid", "non_finite": "forbid"},
        {"nulls": "allow", "nan": "value", "on_mismatch": "fail"},
    ],
)
def test_the_policy_of_a_feed_does_not_stand_in_the_way(
    house_price: Tutorial, fields: dict[str, Any]
) -> None:
    """Its fields about arriving names and row counts do not apply to the trial."""
    assert preflight(house_price.uri, policy=Policy.parse(fields)).passed


def test_users_own_rules_do_not_stand_in_the_way(house_price: Tutorial, tmp_path: Path) -> None:
    """A suite's rules are for batches, not for examples and made-up rows."""
    suite = to_suite(Contract.load(house_price.uri), Policy())
    suite["expectations"].append(
        {
            "type": "expect_column_values_to_be_between",
            "kwargs": {"column": "bedrooms", "min_value": 100},
        }
    )
    file = tmp_path / "suite.json"
    file.write_text(json.dumps(suite))
    batches = tmp_path / "batches"
    batches.mkdir()
    house_frame().to_parquet(batches / "small.parquet")

    found = preflight(str(file), batches)

    assert states(found) == ["ok"] * 5 + ["failed"]
    assert {batch.file: batch.reason and batch.reason.kind for batch in found.batches} == {
        "small.parquet": "rule",
    }


# ----- recent batches -----


@pytest.fixture
def batches(tmp_path: Path) -> Path:
    """Five batches, the oldest first, and a marker file."""
    folder = tmp_path / "batches"
    folder.mkdir()
    house_frame().to_parquet(folder / "good.parquet", index=False)
    house_frame().assign(bedrooms=[2, None, 4]).to_csv(folder / "gaps.csv", index=False)
    house_frame().drop(columns="sqft").to_csv(folder / "less.csv", index=False)
    (folder / "cut.parquet").write_bytes(b"PAR1")
    (folder / "notes.xlsx").write_text("hello")
    for age, name in enumerate(["notes.xlsx", "cut.parquet", "less.csv", "gaps.csv"]):
        os.utime(folder / name, (1e9 - age, 1e9 - age))
    (folder / "_SUCCESS").touch()
    return folder


def test_recent_batches_are_judged_and_left_where_they_are(
    house_price: Tutorial, batches: Path
) -> None:
    """For each: the disposition under this version and policy, rejected rows, first reason."""
    before = {path: path.stat().st_mtime_ns for path in batches.iterdir()}

    found = preflight(house_price.uri, batches, Policy(on_mismatch="split", max_rejected=0.5))

    met = [(b.file, b.disposition, b.rejected, b.reason and b.reason.kind) for b in found.batches]
    assert met == [
        ("good.parquet", "passed", 0, None),
        ("notes.xlsx", "quarantined", 0, "unreadable"),
        ("cut.parquet", "quarantined", 0, "unreadable"),
        ("less.csv", "quarantined", 0, "missing_column"),
        ("gaps.csv", "split", 1, "null"),
    ]
    assert states(found) == ["ok"] * 5 + ["failed"]
    assert step(found, "recent batches").observed == "4 of 5 would not pass"
    assert {path: path.stat().st_mtime_ns for path in batches.iterdir()} == before


def test_only_the_newest_batches_are_judged(house_price: Tutorial, tmp_path: Path) -> None:
    """A folder of many years costs no more than one of weeks, and the step reports the limit."""
    house_frame().to_csv(tmp_path / "0.csv", index=False)
    for number in range(1, 60):
        shutil.copy2(tmp_path / "0.csv", tmp_path / f"{number}.csv")

    found = preflight(house_price.uri, tmp_path)

    assert len(found.batches) == 50
    assert step(found, "recent batches").observed == "the newest 50 of 60 would pass"


def test_a_folder_without_batches_is_no_failure(house_price: Tutorial, tmp_path: Path) -> None:
    """The step reports that there is nothing to judge."""
    found = preflight(house_price.uri, tmp_path)

    assert found.passed
    assert step(found, "recent batches").observed == "the folder holds none"


# ----- misuse and machinery -----


def test_what_cannot_be_tried_is_an_error(
    iris_columns: Tutorial, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No such model, no such folder, a contract without a model, no registry."""
    bare = tmp_path / "suite.json"
    columns = json.dumps([{"type": "long", "name": "a"}])
    bare.write_text(json.dumps(to_suite(Contract.from_signature({"inputs": columns}), Policy())))

    with pytest.raises(ModelNotFound, match="no_such"):
        preflight("models:/no_such/1")
    with pytest.raises(BatchNotFound, match="no folder"):
        preflight(iris_columns.uri, tmp_path / "nowhere")
    with pytest.raises(Misuse, match="a contract without a model"):
        preflight(str(bare))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    with pytest.raises(RegistryUnavailable):
        preflight(iris_columns.uri, timeout=0.5)


# ----- the command -----


def test_the_command_says_that_it_runs_the_model(iris_columns: Tutorial, capsys: Any) -> None:
    """On stderr and in the help; stdout holds the steps, and all is well at exit 0."""
    code, out, err = run(capsys, "preflight", iris_columns.uri)
    _, helped, _ = run(capsys, "preflight", "--help")

    assert code == 0
    assert err == f"preflight loads {iris_columns.uri} and runs its code\n"
    marks = [line.split()[0] for line in out.splitlines() if line.startswith(("ok", "skipped"))]
    assert marks == ["ok", "skipped", "ok", "ok", "ok", "skipped"]
    assert "RUNS ITS CODE" in " ".join(helped.split())


def test_the_command_prints_remedies_and_batches(
    iris_tensor_bare: Tutorial, house_price: Tutorial, batches: Path, capsys: Any
) -> None:
    """Exit 1 where a step failed; the table has the disposition of each batch."""
    code, out, _ = run(capsys, "preflight", iris_tensor_bare.uri)
    assert code == 1
    assert "remedy   MLflow hands named tensors over as a dict" in out

    code, out, _ = run(capsys, "preflight", house_price.uri, "--batches", str(batches))
    told = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert code == 1
    assert told["gaps.csv"] == ["3", "quarantined", "1", "null", "in", "bedrooms"]
    assert told["good.parquet"] == ["3", "passed"]


def test_json_is_one_document_whatever_the_model_prints(registry: str, capsys: Any) -> None:
    """What the model prints goes to stderr."""

    def predict(frame: pd.DataFrame, _: Any) -> Any:
        print("1/1 ==== 0s")  # noqa: T201 - as Keras does
        return frame["a"]

    uri = register("chatty", predict, frame_signature(), ROWS)

    code, out, err = run(capsys, "preflight", uri, "--json")

    assert code == 0
    assert Preflight.model_validate_json(out).passed
    assert json.loads(out)["passed"]
    assert "1/1 ====" in err


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["models:/no_such_model/1"], 2, "no_such_model"),
        (["{model}", "--batches", "{folder}/nowhere"], 2, "nowhere"),
        (["{model}", "--policy", "{folder}/nowhere.yaml"], 2, "nowhere.yaml"),
        ([], 2, "Missing argument"),
    ],
)
def test_wrong_usage_exits_2(
    arguments: list[str], code: int, said: str, iris_columns: Tutorial, tmp_path: Path, capsys: Any
) -> None:
    """A line on stderr, never a traceback."""
    known = {"model": iris_columns.uri, "folder": str(tmp_path)}

    ended, out, err = run(capsys, "preflight", *(a.format(**known) for a in arguments))

    assert ended == code
    assert said in err
    assert "Traceback" not in out + err


def test_an_unreachable_registry_exits_3(
    registry: str, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is an error of the machinery, not a failed step."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    code, _, err = run(capsys, "preflight", "models:/any/1", "--registry-timeout", "0.5")

    assert code == 3
    assert "http://127.0.0.1:9" in err
