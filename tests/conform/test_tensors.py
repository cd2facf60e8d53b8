"""Tensors: arrays, dictionaries, files, list columns and numeric frames, judged row by row."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import NoContract

if TYPE_CHECKING:
    from pathlib import Path

SPLIT = Policy(on_mismatch="split", max_rejected=1, min_rows=0)
Spec = tuple[str | None, str, list[int]]
FOUR: Spec = ("x", "float64", [-1, 4])
IMAGE: Spec = (None, "uint8", [-1, 2, 3])


def contract(*specs: Spec) -> Contract:
    stated = [
        {"type": "tensor", "tensor-spec": {"dtype": d, "shape": s}} | ({"name": n} if n else {})
        for n, d, s in specs
    ]
    return Contract.from_signature({"inputs": json.dumps(stated)})


def kinds(result: Any) -> list[str]:
    return [violation.kind for violation in result.violations]


@pytest.fixture(scope="session")
def oracle() -> Any:
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    return lambda data, contract: validate_schema(
        data, Schema.from_json(contract.signature["inputs"])
    )


_ROWS = np.arange(20.0).reshape(5, 4)


@pytest.mark.parametrize(
    "batch",
    [
        _ROWS,
        {"x": _ROWS},
        _ROWS.astype(np.float32),
        np.asfortranarray(_ROWS),
        _ROWS.astype(">f8"),
        _ROWS.astype(np.int64),
        pl.DataFrame({"x": _ROWS.tolist()}),
        pl.DataFrame({"x": _ROWS}),
        pa.table({"x": pa.FixedShapeTensorArray.from_numpy_ndarray(_ROWS)}),
        pd.DataFrame(_ROWS, columns=list("abcd")),
        pd.DataFrame(_ROWS.astype(np.int32), columns=list("abcd")),
    ],
    ids=lambda batch: type(batch).__name__,
)
@pytest.mark.parametrize("name", ["x", None])
def test_every_arrival_becomes_the_same_array(name: str | None, batch: Any, oracle: Any) -> None:
    """Arrays, dictionaries, list columns and numeric frames fit one tensor, named or not."""
    if name is None and isinstance(batch, dict):
        batch = batch["x"]
    of_four = contract((name, *FOUR[1:]))

    result = check(batch, of_four)

    assert result.passed, result.verdict.summary()
    handed = result.model_input()
    oracle(handed, of_four)
    np.testing.assert_array_equal(_ROWS, handed["x"] if name else handed)


def test_what_numpy_would_wrap_is_a_violation() -> None:
    """MLflow's own cast turns 300 into 44 and 1.7 into 1; here such rows are set apart."""
    values = np.array([[1, 2, 3], [4, 5, 300]]).reshape(2, 1, 3).repeat(2, axis=1)

    result = check(values, contract(IMAGE), SPLIT)

    assert kinds(result) == ["not_representable"]
    assert result.violations[0].rows == (1,)
    assert result.disposition == "quarantined"


def test_rows_of_another_length_are_set_apart() -> None:
    """A list column with a short row: that row is rejected, the rest is handed over."""
    frame = pl.DataFrame({"x": [[1.0, 2.0, 3.0, 4.0], [1.0, 2.0], [5.0, 6.0, 7.0, 8.0]]})

    result = check(frame, contract(FOUR), SPLIT)

    assert kinds(result) == ["shape_mismatch"]
    assert result.disposition == "split"
    assert result.model_input()["x"].shape == (2, 4)


@pytest.mark.parametrize(
    ("batch", "spec", "kind"),
    [
        (_ROWS[:, :3], FOUR, "nested_mismatch"),
        (pd.DataFrame(_ROWS[:, :3]), FOUR, "shape_mismatch"),
        (np.array([1 + 2j]), (None, "float64", [-1]), "nested_mismatch"),
        (np.array([["a"]]), (None, "float64", [-1, 1]), "nested_mismatch"),
        ({"y": _ROWS}, FOUR, "missing_column"),
        (_ROWS, (None, "float64", [2, 4]), "shape_mismatch"),
        (pl.DataFrame({"x": [[1.0], [1.0, 2.0]]}), ("x", "float64", [-1, -1]), "shape_mismatch"),
        (np.array(1.0), (None, "float64", [-1]), "shape_mismatch"),
        (np.ones(3), (None, "float64", [-1, -1]), "nested_mismatch"),
        ({"x": np.ones(3)}, ("x", "float64", [-1, 1]), "nested_mismatch"),
        (pl.DataFrame({"x": [[1.0, None, 1.0, 1.0]]}), FOUR, "null"),
        (np.array(["a\0b", "c"]).astype(object), (None, "float64", [-1]), "nested_mismatch"),
    ],
)
def test_what_has_no_place_in_the_tensor_is_named(batch: Any, spec: Spec, kind: str) -> None:
    """Wrong shapes, dtypes, names and null are verdicts with a remedy, never errors."""
    result = check(batch, contract(spec))

    assert not result.passed
    assert kind in kinds(result)
    assert all(violation.remedy for violation in result.violations)


def test_arrays_of_different_length_are_no_batch() -> None:
    """Inputs with different row counts, which MLflow lets through, are one violation."""
    two = contract(("x", "float64", [-1]), ("y", "float64", [-1]))

    result = check({"x": np.zeros(3), "y": np.zeros(2)}, two)

    assert kinds(result) == ["shape_mismatch"]
    assert "(3,)" in result.violations[0].observed


def test_files_are_judged_by_their_headers(tmp_path: Path) -> None:
    """.npy and .npz of the right dtype and shape are proven without reading a row."""
    np.save(tmp_path / "a.npy", np.zeros((3, 2, 3), np.uint8))
    np.savez(tmp_path / "b.npz", x=_ROWS)

    for file, spec in (("a.npy", IMAGE), ("b.npz", FOUR)):
        result = check(tmp_path / file, contract(spec))
        assert result.passed
        assert set(result.verdict.evidence.values()) == {"schema"}
        assert result.model_input() is not None


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("order", ["C", "F"])
def test_archives_are_read_back_whole(tmp_path: Path, order: Any, compressed: bool) -> None:
    """.npz in either order, compressed or not, gives the arrays that were saved."""
    save = np.savez_compressed if compressed else np.savez
    x, y = np.random.default_rng(0).random((100, 4)), np.arange(100)
    save(tmp_path / "b.npz", x=np.asarray(x, order=order), y=y)

    result = check(tmp_path / "b.npz", contract(FOUR, ("y", "int32", [-1])))

    handed = result.model_input()
    np.testing.assert_array_equal(x, handed["x"])
    np.testing.assert_array_equal(y.astype(np.int32), handed["y"])


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"PK\x03\x04 no more"])
def test_broken_files_are_unreadable(tmp_path: Path, content: bytes) -> None:
    """Truncated and foreign files are a verdict."""
    (tmp_path / "a.npy").write_bytes(content)

    assert kinds(check(tmp_path / "a.npy", contract(IMAGE))) == ["unreadable"]


def test_pickled_arrays_are_never_loaded(tmp_path: Path) -> None:
    """An array of Python objects is unreadable: judging never unpickles."""
    np.save(tmp_path / "a.npy", np.array([{}], dtype=object))

    result = check(tmp_path / "a.npy", contract(IMAGE))

    assert kinds(result) == ["unreadable"]
    assert "allow_pickle=False" in result.violations[0].remedy


@pytest.mark.parametrize("dtype", ["object", "complex128", "datetime64[ns]", "bytes"])
def test_a_tensor_that_could_hold_anything_is_no_contract(dtype: str) -> None:
    """MLflow accepts any array for an object tensor, so such a signature decides nothing."""
    with pytest.raises(NoContract, match="tensors of"):
        contract((None, dtype, [-1]))


_DTYPES = ["bool", "int8", "int32", "int64", "uint8", "uint64", "float16", "float32", "float64"]


@st.composite
def cases(draw: st.DrawFn) -> tuple[Any, Contract]:
    """A tensor contract, and arrays that fit it or nearly do."""
    named = draw(st.booleans())
    rows = draw(st.integers(0, 4))
    specs, batch = list[Spec](), {}
    for name in draw(st.lists(st.sampled_from("xy"), min_size=1, max_size=2, unique=True)):
        inner = draw(st.lists(st.integers(1, 3), max_size=2))
        shape = [-1, *(draw(st.sampled_from([-1, n])) for n in inner)]
        specs.append((name if named else None, draw(st.sampled_from(_DTYPES)), shape))
        arriving = np.dtype(draw(st.sampled_from([specs[-1][1], *_DTYPES])))
        batch[name] = draw(arrays.arrays(arriving, (rows, *inner)))
        if not named:
            break
    return (batch if named else next(iter(batch.values()))), contract(*specs)


@given(case=cases())
def test_what_is_handed_over_mlflow_accepts_and_nothing_is_changed(case: Any, oracle: Any) -> None:
    """Sound and lossless, for arrays of every dtype against tensors of every dtype."""
    batch, stated = case
    result = check(batch, stated, SPLIT)
    if result.disposition not in ("passed", "split"):
        assert result.disposition == "quarantined"
        return

    handed = result.model_input()

    oracle(handed, stated)
    rows = result.accepted.collect()["_row"].to_list()  # type: ignore[union-attr]
    arrived = batch if isinstance(batch, dict) else {"": batch}
    for name, array in (handed if isinstance(handed, dict) else {"": handed}).items():
        np.testing.assert_array_equal(arrived[name][rows], array)


@given(case=cases(), data=st.data())
def test_lists_are_judged_like_the_array_they_spell(case: Any, data: Any) -> None:
    """A list column that Polars makes of an array gets the array's verdict."""
    batch, stated = case
    arrived = batch if isinstance(batch, dict) else {"x": batch}
    frame = pl.DataFrame({name: pl.Series(name, array) for name, array in arrived.items()})
    as_lists = frame.with_columns(
        pl.col(name).arr.to_list() for name, dtype in frame.schema.items() if dtype == pl.Array
    )
    if len(arrived) == 1 and all(array.ndim == 1 for array in arrived.values()):
        return  # a frame of one number column may be meant as a row of it

    assert kinds(check(frame, stated, SPLIT)) == kinds(check(as_lists, stated, SPLIT))


@pytest.mark.parametrize("name", ["x", None])
@pytest.mark.parametrize("fixed", [True, False])
def test_flat_lists_take_the_shape_of_the_tensor_as_in_mlflow(
    name: str | None, fixed: bool, oracle: Any
) -> None:
    """Row by row, in C order; a row of another length is set apart."""
    from mlflow.models.utils import _enforce_tensor_schema
    from mlflow.types import Schema

    cubes = np.arange(24.0).reshape(2, 3, 4)
    judged_by = contract((name, "float64", [-1, 3, 4]))
    flat = cubes.reshape(2, 12).tolist()
    kind = pl.Array(pl.Float64, 12) if fixed else pl.List(pl.Float64)
    frame = pl.DataFrame({"x": flat}, schema={"x": kind})

    handed = check(frame, judged_by).model_input()

    oracle(handed, judged_by)
    np.testing.assert_array_equal(cubes, handed["x"] if name else handed)
    if name:
        schema = Schema.from_json(judged_by.signature["inputs"] or "")
        by_mlflow = _enforce_tensor_schema(pd.DataFrame({"x": flat}), schema)
        np.testing.assert_array_equal(by_mlflow["x"], handed["x"])


def test_flat_lists_of_another_length_are_set_apart() -> None:
    """Rows of null and of too many elements are named, and the others keep their place."""
    judged_by = contract(("x", "float64", [-1, 2, 2]))
    frame = pl.DataFrame({"x": [[1.0, 2, 3, 4], [1.0] * 8, None, [5.0, 6, 7, 8]]})

    result = check(frame, judged_by, SPLIT)

    assert sorted(kinds(result)) == ["null", "shape_mismatch"]
    assert result.model_input()["x"].tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
