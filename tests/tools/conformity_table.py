"""Make docs/conformity.md: every kind of input against every type, judged by the gate and MLflow.

``make table`` runs it; the tables are made from a run.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from importlib.metadata import version
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import arriving_type_cases
import pandas as pd
import pandas_column_cases

from signature_gate import Contract, check
from signature_gate.expectations.contract.types import SCALARS, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LONG = {"type": "long"}
_TYPES: list[dict[str, Any]] = [
    *({"type": name} for name in SCALARS),
    {"type": "array", "items": _LONG},
    {"type": "array", "items": {"type": "string"}},
    {"type": "array", "items": {"type": "array", "items": _LONG}},
    {"type": "object", "properties": {"a": {**_LONG, "required": True}}},
    {"type": "map", "values": _LONG},
    {"type": "any"},
    {"type": "sparkml_vector"},
]
_COLUMN_TENSORS: list[dict[str, Any]] = [
    {"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}},
    {"type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 2]}},
]
_TENSORS: list[dict[str, Any]] = [
    {"type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}
    for dtype in ("bool", "uint8", "int32", "int64", "float32", "float64", "str")
    for shape in ([-1, 2], [-1, -1])
]
_PASSED, _PER_ROW, _REFUSED = "✓", "◐", "✗"
_HEAD = """# What conforms to what

Made by `make table` from a run with MLflow {mlflow}, pandas {pandas} and Polars {polars}.
Rows are what arrives in one column; columns are the MLflow types of that column, required, under
the default policy. In each cell the gate's verdict stands before MLflow's:
✓ accepted, ◐ some rows are at fault and can be told apart, ✗ refused.
MLflow judges what pandas makes of the same batch.
"""


def table(*, by_turns: bool = False) -> str:
    """Judge every arrival and return the page.

    Args:
        by_turns: Whether each cell judges one of the kinds of batches in which the same arrives,
            the next cell the next kind; else each judges all of them.
    """
    versions = {name: version(name) for name in ("mlflow", "pandas", "polars")}
    chosen = _one_after_the_other() if by_turns else list
    return _HEAD.format(**versions) + "".join(_sections(chosen))


def _one_after_the_other() -> Callable[[list[Any]], list[Any]]:
    turn = count()
    return lambda batches: [batches[next(turn) % len(batches)]]


def _sections(chosen: Callable[[list[Any]], list[Any]]) -> Iterator[str]:
    yield _headed("pandas columns", _TYPES + _COLUMN_TENSORS)
    for name, column in pandas_column_cases.columns().items():
        frame = pd.DataFrame({"c": column})
        yield _row(name, [_alike([frame], frame, s) for s in _TYPES + _COLUMN_TENSORS])
    yield from _files(
        "Arrow types: Parquet files, Arrow files, Arrow tables and Polars frames",
        arriving_type_cases.arrow_types(),
        _TYPES + _COLUMN_TENSORS,
        chosen,
    )
    yield from _files(
        "Types of databases, as the rows of a query have them",
        arriving_type_cases.database_types(),
        _TYPES,
        chosen,
    )
    yield from _files("Cells of CSV files", arriving_type_cases.csv_cells(), _TYPES, chosen)
    yield from _files("Values of JSON lines", arriving_type_cases.json_values(), _TYPES, chosen)
    yield _headed("Arrays: `.npy`, `.npz`, ndarray and dict of ndarrays", _TENSORS)
    for name, array in arriving_type_cases.arrays().items():
        yield _row(name, [_arrays_alike(array, spec, chosen) for spec in _TENSORS])


def _headed(title: str, specs: list[dict[str, Any]]) -> str:
    types = " | ".join(str(parse_type(spec)) for spec in specs)
    return f"\n## {title}\n\n| arrives as | {types} |\n|---|{'---|' * len(specs)}\n"


def _row(name: str, cells: list[str]) -> str:
    return f"| {name.replace('|', '/')} | {' | '.join(cells)} |\n"


def _files(
    title: str,
    arrivals: dict[str, arriving_type_cases.Arrival],
    specs: list[dict[str, Any]],
    chosen: Callable[[list[Any]], list[Any]],
) -> Iterator[str]:
    yield _headed(title, specs)
    with TemporaryDirectory() as folder:
        for name, arrival in arrivals.items():
            batches = arrival.batches(Path(folder))
            cells = [_alike(chosen(batches), arrival.in_pandas, spec) for spec in specs]
            yield _row(name, cells)


def _alike(batches: list[Any], in_pandas: Any, spec: dict[str, Any]) -> str:
    inputs = _inputs(spec)
    mlflow = _PASSED if _accepted_by_mlflow(in_pandas, inputs) else _REFUSED
    return " or ".join(sorted({f"{_by_gate(batch, inputs)} {mlflow}" for batch in batches}))


def _arrays_alike(
    array: Any, spec: dict[str, Any], chosen: Callable[[list[Any]], list[Any]]
) -> str:
    with TemporaryDirectory() as folder:
        batches = arriving_type_cases.as_arrays(array, Path(folder))
        return _alike(chosen(batches), {"c": array}, spec)


def _inputs(spec: dict[str, Any]) -> str:
    stated = spec if spec["type"] == "tensor" else {**spec, "required": True}
    return json.dumps([{**stated, "name": "c"}])


def _by_gate(batch: Any, inputs: str) -> str:
    verdict = check(batch, Contract.from_signature({"inputs": inputs})).verdict
    return _PASSED if verdict.passed else _REFUSED if verdict.whole else _PER_ROW


def _accepted_by_mlflow(batch: Any, inputs: str) -> bool:
    from mlflow.models import validate_schema
    from mlflow.types import Schema

    copied = batch.copy(deep=True) if isinstance(batch, pd.DataFrame) else batch
    try:
        validate_schema(copied, Schema.from_json(inputs))
    except Exception:  # noqa: BLE001 - MLflow lets errors of every kind through
        return False
    return True


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    with warnings.catch_warnings(action="ignore"):
        sys.stdout.write(table())
