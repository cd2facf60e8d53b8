"""Contracts from signatures: what is read, what is refused and why, and their fingerprints."""

from __future__ import annotations

import json
import pickle
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from signature_gate.expectations.contract.contract import Column, Contract
from signature_gate.expectations.contract.model_version import ModelVersion
from signature_gate.expectations.contract.types import SCALARS, Scalar
from signature_gate.expectations.errors import NoContract

if TYPE_CHECKING:
    from pathlib import Path

    from tutorial_models import Tutorial

RELOG = "Log the model again with `signature=infer_signature(frame, predictions)`"
LONG = {"type": "long", "name": "n", "required": True}


def _contract(*inputs: Any, **parts: Any) -> Contract:
    return Contract.from_signature({"inputs": json.dumps(inputs), **parts})


# --- what is read ---------------------------------------------------------------------------------


@pytest.mark.parametrize("scalar", SCALARS)
@pytest.mark.parametrize(
    ("stated", "required"),
    [({}, True), ({"required": True}, True), ({"required": False}, False), ({"required": None}, 1)],
)
def test_a_column_keeps_its_name_its_type_and_whether_it_may_be_absent(
    scalar: Any, stated: dict[str, Any], required: bool
) -> None:
    """Each of the eight scalars; a scalar is required unless the signature says otherwise."""
    contract = _contract({"type": scalar, "name": "c d", **stated})

    assert contract.columns == (Column("c d", "c d", Scalar(scalar), bool(required)),)
    assert contract.named


@pytest.mark.parametrize(
    ("spec", "kind"),
    [
        ({"type": "array", "items": {"type": "string"}}, "array<string>"),
        (
            {"type": "array", "items": {"type": "array", "items": {"type": "long"}}},
            "array<array<long>>",
        ),
        (
            {
                "type": "object",
                "properties": {
                    "y": {"type": "string", "required": False},
                    "x": {"type": "long"},
                },
            },
            "object<x: long, y?: string>",
        ),
        ({"type": "map", "values": {"type": "double"}}, "map<double>"),
        ({"type": "any"}, "any"),
        ({"type": "sparkml_vector"}, "sparkml_vector"),
    ],
)
def test_a_nested_column_is_optional_unless_it_says_otherwise(
    spec: dict[str, Any], kind: str
) -> None:
    """MLflow leaves out ``required`` where it is false for all types but scalars."""
    left_out, stated = _contract(
        {"name": "a", **spec}, {"name": "b", "required": True, **spec}
    ).columns

    assert (str(left_out.type), left_out.required) == (kind, False)
    assert (str(stated.type), stated.required) == (kind, True)


def test_columns_numbered_by_position_are_delivered_as_text_and_labelled_by_number() -> None:
    """A headerless frame is logged with the names 0, 1, …; files have them as text."""
    contract = _contract({"type": "long", "name": 0}, {"type": "string", "name": 1})

    assert [(c.name, c.label) for c in contract.columns] == [("0", 0), ("1", 1)]
    assert contract.named


@pytest.mark.parametrize("unnamed", [{}, {"name": None}])
def test_unnamed_columns_go_by_position(unnamed: dict[str, Any]) -> None:
    """Their position is their name."""
    contract = _contract({"type": "long", **unnamed}, {"type": "double", **unnamed})

    assert [(c.name, c.label) for c in contract.columns] == [("0", 0), ("1", 1)]
    assert not contract.named


def test_order_outputs_and_params_are_kept() -> None:
    """The model receives its columns in the signature's order."""
    outputs = [{"type": "double", "name": "delay"}]
    params = [{"name": "horizon", "type": "long", "default": 3, "shape": None}]
    contract = _contract(
        {"type": "long", "name": "z"},
        {"type": "long", "name": "a"},
        outputs=json.dumps(outputs),
        params=json.dumps(params),
    )

    assert [c.name for c in contract.columns] == ["z", "a"]
    assert contract.outputs == tuple(outputs)
    assert contract.params == tuple(params)


def test_a_signature_of_mlflow_s_own_is_read_like_its_json() -> None:
    """``from_signature`` takes a ``ModelSignature`` as well as its dictionary."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = [ColSpec(scalar, scalar, required=scalar != "long") for scalar in SCALARS]
    signature = ModelSignature(inputs=Schema(columns), outputs=Schema([ColSpec("long", "y")]))

    contract = Contract.from_signature(signature)

    assert [(c.name, str(c.type), c.required) for c in contract.columns] == [
        (scalar, scalar, scalar != "long") for scalar in SCALARS
    ]
    assert contract == Contract.from_signature(signature.to_dict())


# --- what is refused ------------------------------------------------------------------------------

NO_CONTRACT: dict[str, tuple[Any, str]] = {
    "none": (None, f"it was logged without a signature. {RELOG}."),
    "no inputs": (
        {"inputs": None, "outputs": '[{"type": "long"}]'},
        f"its signature has no inputs. {RELOG}, so that the inputs are stated too.",
    ),
    "empty inputs": (
        {"inputs": "[]"},
        f"its signature has no inputs. {RELOG}, so that the inputs are stated too.",
    ),
    "type hint": (
        {"inputs": json.dumps([LONG]), "is_signature_from_type_hint": True},
        (
            "its signature comes from a type hint, which MLflow does not enforce. "
            f"{RELOG} instead of a type hint."
        ),
    ),
    "one unnamed any": (
        {"inputs": '[{"type": "any"}]'},
        (
            "its signature is a single unnamed `any`, into which infer_signature collapses a frame "
            "with one column that it cannot type. Convert unsigned 64-bit, Decimal, timedelta and "
            "mixed columns, then log the model again."
        ),
    ),
    "duplicate names": (
        {"inputs": json.dumps([LONG, LONG])},
        "its signature repeats 'n'. Give each column its own name, then log the model again.",
    ),
    "a number and its text": (
        {"inputs": '[{"type": "long", "name": 0}, {"type": "long", "name": "0"}]'},
        "its signature repeats '0'. Give each column its own name, then log the model again.",
    ),
    "empty name": (
        {"inputs": '[{"type": "long", "name": ""}]'},
        "its signature has a column without a name. Name every column, then log the model again.",
    ),
    "numbers off position": (
        {"inputs": '[{"type": "long", "name": 1}, {"type": "long", "name": 0}]'},
        (
            "its signature numbers columns off their position (1, 0). Name the columns with text, "
            "or number them 0, 1, 2 …, then log the model again."
        ),
    ),
    "some named": (
        {"inputs": '[{"type": "long", "name": "n"}, {"type": "long"}]'},
        (
            "its signature names some columns and not others, or by neither text nor number. "
            f"{RELOG}."
        ),
    ),
    "a list for a name": (
        {"inputs": '[{"type": "long", "name": ["a", "b"]}]'},
        (
            "its signature names some columns and not others, or by neither text nor number. "
            f"{RELOG}."
        ),
    ),
    "broken JSON": (
        {"inputs": '[{"type": '},
        f"its signature is not JSON (Expecting value: line 1 column 11 (char 10)). {RELOG}.",
    ),
    "broken JSON of the outputs": (
        {"inputs": json.dumps([LONG]), "outputs": "]"},
        f"its signature is not JSON (Expecting value: line 1 column 1 (char 0)). {RELOG}.",
    ),
    "no JSON text": (
        {"inputs": [LONG]},
        (
            "its signature is not JSON (the JSON object must be str, bytes or bytearray, not "
            f"list). {RELOG}."
        ),
    ),
    "no list": ({"inputs": json.dumps(LONG)}, f"its signature is no list of columns. {RELOG}."),
    "unknown type": (
        {"inputs": '[{"type": "complex", "name": "n"}]'},
        f"column 0 of its signature cannot be read: MLflow knows no type 'complex'. {RELOG}.",
    ),
    "outputs that are no list": (
        {"inputs": json.dumps([LONG]), "outputs": "5"},
        f"its signature is no list of columns. {RELOG}.",
    ),
    "array of nothing": (
        {"inputs": '[{"type": "array", "name": "v"}]'},
        f"column 0 of its signature cannot be read: 'items'. {RELOG}.",
    ),
}


@pytest.mark.parametrize("case", NO_CONTRACT)
def test_a_signature_that_decides_nothing_is_no_contract(case: str) -> None:
    """The text names the model, the reason and how to log a usable signature."""
    signature, text = NO_CONTRACT[case]
    model = ModelVersion(uri="models:/m@champion", pinned="models:/m/3")
    with pytest.raises(NoContract) as raised:
        Contract.from_signature(signature, model)

    assert str(raised.value) == f"models:/m/3 has no usable contract: {text}"
    assert str(pickle.loads(pickle.dumps(raised.value))) == str(raised.value)  # noqa: S301


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.sampled_from(["", "n", "long", "array"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["type", "name", "required", "items", "properties", "values"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(inputs=_JSON | st.lists(_JSON, max_size=3), outputs=_JSON)
def test_whatever_json_a_signature_holds_it_is_a_contract_or_none(
    inputs: Any, outputs: Any
) -> None:
    """Any signature gives a contract or NoContract, never another error."""
    signature = {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs)}
    try:
        contract = Contract.from_signature(signature)
    except NoContract:
        return
    assert contract.columns
    assert len(contract.fingerprint) == 16


# --- the fingerprint ------------------------------------------------------------------------------

_SPECS = st.lists(
    st.fixed_dictionaries(
        {
            "name": st.text(min_size=1, max_size=3),
            "type": st.sampled_from(SCALARS),
            "required": st.booleans(),
        }
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda spec: spec["name"],
)
_OUTPUTS = st.none() | st.lists(st.fixed_dictionaries({"type": st.sampled_from(SCALARS)}))


@given(specs=_SPECS, outputs=_OUTPUTS, indent=st.none() | st.integers(0, 3), ascii_=st.booleans())
def test_the_fingerprint_does_not_see_how_the_json_is_written(
    specs: list[dict[str, Any]], outputs: Any, indent: int | None, ascii_: bool
) -> None:
    """Key order, whitespace and escapes do not change it."""

    def written(value: Any, **style: Any) -> str | None:
        return None if value is None else json.dumps(value, **style)

    plain = {"inputs": written(specs), "outputs": written(outputs)}
    turned = [dict(reversed(spec.items())) for spec in specs]
    style = {"indent": indent, "ensure_ascii": ascii_}
    other = {
        "params": None,
        "outputs": written(outputs, **style),
        "inputs": written(turned, **style),
    }

    assert Contract.from_signature(plain).fingerprint == Contract.from_signature(other).fingerprint


@given(one=st.tuples(_SPECS, _OUTPUTS), other=st.tuples(_SPECS, _OUTPUTS))
def test_signatures_that_differ_have_fingerprints_that_differ(one: Any, other: Any) -> None:
    """Any change of columns, order, types, requirement or outputs changes it."""
    assume(one != other)
    fingerprints = {_contract(*i, outputs=json.dumps(o)).fingerprint for i, o in (one, other)}

    assert len(fingerprints) == 2


@pytest.mark.parametrize(
    "changed",
    [
        {"inputs": '[{"type": "integer", "name": "n", "required": true}]'},
        {"inputs": '[{"type": "long", "name": "N", "required": true}]'},
        {"inputs": '[{"type": "long", "name": "n", "required": false}]'},
        {"inputs": '[{"type": "long", "required": true}]'},
        {"outputs": '[{"type": "long"}]'},
        {"params": '[{"name": "k", "type": "long", "default": 1, "shape": null}]'},
    ],
    ids=["type", "name", "required", "unnamed", "outputs", "params"],
)
def test_the_smallest_change_of_meaning_changes_the_fingerprint(changed: dict[str, str]) -> None:
    """Params and outputs count too: predictions are checked against them."""
    plain = {"inputs": json.dumps([LONG])}

    assert (
        Contract.from_signature({**plain, **changed}).fingerprint
        != Contract.from_signature(plain).fingerprint
    )


# --- what is never done ---------------------------------------------------------------------------


def test_a_folder_is_read_without_mlflow(house_price: Tutorial) -> None:
    """MLflow's import takes seconds, and a folder needs nothing of it."""
    script = f"""
import sys
from signature_gate.expectations.contract.contract import Contract

assert Contract.load({str(house_price.folder)!r}).columns[0].name == "sqft"
heavy = {{"mlflow", "pandas", "great_expectations", "prefect", "sklearn"}} & set(sys.modules)
assert not heavy, heavy
"""
    subprocess.run([sys.executable, "-c", script], check=True)


class _Trap:
    """An object that runs code when it is unpickled."""

    def __init__(self, sprung: Path) -> None:
        self.sprung = sprung

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self.sprung).touch, (self.sprung,)


@pytest.fixture
def trapped(house_price: Tutorial, tmp_path: Path) -> tuple[Path, Path]:
    """A model whose pickle creates a file when it is unpickled, and that file."""
    folder, sprung = tmp_path / "model", tmp_path / "sprung"
    shutil.copytree(house_price.folder, folder)
    (folder / "python_model.pkl").write_bytes(pickle.dumps(_Trap(sprung)))
    return folder, sprung


def test_a_contract_is_read_without_unpickling(
    trapped: tuple[Path, Path], house_price: Tutorial
) -> None:
    """The model's pickle is not loaded, whichever URI names the model."""
    import mlflow

    folder, sprung = trapped
    client = mlflow.MlflowClient()
    client.create_registered_model("trapped")
    client.create_model_version("trapped", str(folder))
    expected = Contract.load(house_price.folder).fingerprint

    for uri in (str(folder), folder.as_uri(), "models:/trapped/1", "models:/trapped/latest"):
        assert Contract.load(uri).fingerprint == expected
    assert not sprung.exists()

    pickle.loads((folder / "python_model.pkl").read_bytes())  # noqa: S301 - the trap does work
    assert sprung.exists()


def test_a_contract_outlives_its_model_s_files(trapped: tuple[Path, Path]) -> None:
    """Only the MLmodel file is needed."""
    folder, _ = trapped
    for file in folder.iterdir():
        if file.name != "MLmodel":
            file.unlink()

    assert Contract.load(folder).columns[0].name == "sqft"
