"""Columns that a library cannot hold: they spare the others, and where they are used it is said."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow import ipc
from pyarrow.cffi import ffi
from small_checks import accepted, contract, kinds, split

from signature_gate import Policy, check
from signature_gate.expectations.errors import BatchChanged, GateError

if TYPE_CHECKING:
    from pathlib import Path

A = contract(a="long")
IGNORING = Policy(extra_columns="ignore")


def retyped(kind: Any, word: bytes) -> Any:
    """Make a record batch with a column of a type that PyArrow offers no way to make."""
    cells = pa.record_batch({"a": [1, 2], "u": pa.array([1, 2], kind)})
    schema: Any = ffi.new("struct ArrowSchema*")
    array = ffi.new("struct ArrowArray*")
    places: list[Any] = [int(ffi.cast("uintptr_t", part)) for part in (array, schema)]
    cells._export_to_c(*places)  # noqa: SLF001
    format_string = ffi.new("char[]", word)
    schema.children[1].format = format_string
    return pa.RecordBatch._import_from_c(*places)  # noqa: SLF001


def with_usual(column: Any) -> Any:
    """Put a column beside a usual one."""
    return pa.record_batch({"a": [1, 2], "u": column})


TWICE = pa.StructArray.from_arrays([pa.array([1, 2]), pa.array([3, 4])], names=["x", "x"])
UNUSUAL = {
    "months": lambda: retyped(pa.int32(), b"tiM"),
    "days": lambda: retyped(pa.int64(), b"tiD"),
    "all three": lambda: with_usual(pa.array([pd.DateOffset(months=1, days=2), None])),
    "a struct that repeats a field": lambda: with_usual(TWICE),
    "lists of such structs": lambda: with_usual(pa.ListArray.from_arrays([0, 1, 2], TWICE)),
}
of_every_kind = pytest.mark.parametrize("kind", UNUSUAL)


def written(path: Path, kind: str) -> Path:
    """Write an Arrow file with a usual column and an unusual one."""
    cells = UNUSUAL[kind]()
    with ipc.new_file(str(path), cells.schema) as file:
        file.write_batch(cells)
    return path


@of_every_kind
def test_a_column_that_nobody_uses_spares_the_others(tmp_path: Path, kind: str) -> None:
    """Polars would panic; the batch passes, and is handed over in every form."""
    result = check(written(tmp_path / "b.arrow", kind), A, IGNORING)

    assert result.passed
    assert [row["a"] for row in accepted(result)] == [1, 2]
    assert result.model_input()["a"].tolist() == [1, 2]  # type: ignore[index]
    assert result.rejected is not None
    assert result.rejected.collect().height == 0


@of_every_kind
@pytest.mark.parametrize("target", ["long", "string", "double", "any"])
def test_a_column_that_is_used_comes_to_a_verdict(tmp_path: Path, kind: str, target: str) -> None:
    """Whatever the model takes it for: a verdict, and nothing but errors of the gate's own."""
    path = written(tmp_path / "b.arrow", kind)

    result = check(path, contract(a="long", u=target), split())

    if target != "any":
        assert kinds(result) == ["type_mismatch"]
        assert "interval" in result.violations[0].observed or "x" in result.violations[0].observed
        assert result.rejected is None or result.rejected.collect().height == 2


# ----- Parquet -----


def test_without_trust_in_statistics_every_used_column_is_decoded(tmp_path: Path) -> None:
    """A page that is spoilt is found though no rule asks for its values."""
    path = tmp_path / "b.parquet"
    pq.write_table(pa.table({"s": [f"text {i}" for i in range(5_000)]}), path, compression="zstd")
    data = bytearray(path.read_bytes())
    data[200:1_000] = os.urandom(800)
    path.write_bytes(data)
    judged_by = contract(s="string")

    assert kinds(check(path, judged_by, Policy(trust_statistics=False, nulls="allow"))) == [
        "unreadable"
    ]
    trusting = check(path, judged_by, Policy(nulls="allow"))
    assert trusting.passed
    assert trusting.accepted is not None
    for read in (trusting.accepted.collect, trusting.model_input):
        with pytest.raises(BatchChanged):
            read()


@pytest.mark.parametrize("ending", ["parquet", "csv", "jsonl", "arrow"])
def test_rows_that_went_away_are_an_error_of_the_gates_own(tmp_path: Path, ending: str) -> None:
    """In every form in which they are handed over."""
    path, frame = tmp_path / f"b.{ending}", pl.DataFrame({"a": [1, 2], "b": ["x", None]})
    writers = {"parquet": frame.write_parquet, "csv": frame.write_csv, "arrow": frame.write_ipc}
    writers.get(ending, frame.write_ndjson)(path)
    result = check(path, contract(a="long", b="string"), split())
    path.write_bytes(b"nothing\nof\nthat\nkind\n")

    assert result.accepted is not None
    assert result.rejected is not None
    for read in (result.accepted.collect, result.rejected.collect, result.model_input):
        with pytest.raises(GateError):
            read()


def test_a_page_that_unpacks_into_gibibytes_is_not_unpacked(tmp_path: Path) -> None:
    """A few bytes that stand for one long text are refused where the column is read."""
    path = tmp_path / "b.parquet"
    table = pa.table({"a": [1], "s": ["x" * (300 << 20)]})
    pq.write_table(table, path, compression="zstd", use_dictionary=False, write_statistics=False)

    used = check(path, contract(a="long", s="string"), Policy(trust_statistics=False))
    unused = check(path, A, IGNORING)

    assert kinds(used) == ["unreadable"]
    assert "unpacks into 300 MiB" in used.violations[0].observed
    assert unused.passed


# ----- files that are shortened -----


@pytest.mark.parametrize("ending", ["arrow", "npy"])
def test_a_file_that_is_shortened_is_no_end_of_the_process(tmp_path: Path, ending: str) -> None:
    """Nothing is mapped into memory, where a missing page would kill the process by SIGBUS."""
    path, numbers = tmp_path / f"b.{ending}", np.arange(1_000_000)
    if ending == "npy":
        np.save(path, numbers)
    else:
        pl.DataFrame({"0": numbers}).write_ipc(path)
    result = check(path, contract(**{"0": "long"}))
    os.truncate(path, path.stat().st_size // 2)

    with pytest.raises(BatchChanged):
        result.model_input()


# ----- names -----


def test_a_named_index_counts_where_it_is_asked_for() -> None:
    """A level is a column of the contract's or of keep; MLflow drops the others."""
    frame = pd.DataFrame({"a": [1, 2]}, index=pd.Index(["x", "y"], name="key"))

    kept = check(frame, A, Policy(keep=("key",)))
    ignored = check(frame, A, Policy(extra_columns="forbid"))

    assert [row["key"] for row in accepted(kept)] == ["x", "y"]
    assert ignored.passed


@pytest.mark.parametrize("form", ["pandas", "jsonl", "parquet", "csv"])
def test_an_empty_name_is_a_name(tmp_path: Path, form: str) -> None:
    """A column without a name is an extra column, and the others are handed over."""
    frame = pl.DataFrame({"a": [1, 2], "": [3, 4]})
    batch: Any = tmp_path / f"b.{form}"
    writers = {"jsonl": frame.write_ndjson, "parquet": frame.write_parquet, "csv": frame.write_csv}
    if form == "pandas":
        batch = pd.DataFrame({"a": [1, 2], "": [3, 4]})
    else:
        writers[form](batch)

    result = check(batch, A, split(keep=[""]))

    kept = [(row["a"], str(row[""])) for row in accepted(result)]
    assert kept == [(1, "3"), (2, "4")]
    assert result.model_input()["a"].tolist() == [1, 2]  # type: ignore[index]
