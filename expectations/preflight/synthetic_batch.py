"""Generate batches from a contract, to try a model before there is data.

- *Ordinary* rows hold small, different values; a working model predicts on them.
- Rows of *edges* hold the bounds of each type, empty and foreign text, empty lists and maps, and
  null wherever it may stand; the gate must accept them, while a model may refuse them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..conform.nulls import why_null_is_forbidden
from ..contract.types import (
    Anything,
    Array,
    Map,
    Object,
    Property,
    Scalar,
    Tensor,
    Vector,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.contract import Contract
    from ..contract.policy import Policy
    from ..contract.signature import Column
    from ..contract.types import ScalarName, Type

    Arrays = np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]

ROWS = 3
# For a dimension that the signature leaves open.
_OPEN = 4

_ARROW: dict[ScalarName, pa.DataType] = {
    "boolean": pa.bool_(),
    "integer": pa.int32(),
    "long": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "datetime": pa.timestamp("ns"),
}
_ORDINARY: dict[ScalarName, list[Any]] = {
    "boolean": [True, False, True],
    "integer": [1, 2, 3],
    "long": [1, 2, 3],
    "float": [0.5, 1.5, 2.5],
    "double": [0.5, 1.5, 2.5],
    "string": ["a", "b", "c"],
    "binary": [b"a", b"b", b"c"],
    "datetime": [1_704_067_200 * 10**9, 1_704_153_600 * 10**9, 1_704_240_000 * 10**9],
}
_FLOATS, _DOUBLES = np.finfo(np.float32), np.finfo(np.float64)
_EDGES: dict[ScalarName, list[Any]] = {
    "boolean": [False, True, False],
    "integer": [-(2**31), 0, 2**31 - 1],
    "long": [-(2**63), 0, 2**63 - 1],
    "float": [float(_FLOATS.min), float(_FLOATS.smallest_subnormal), float(_FLOATS.max)],
    "double": [float(_DOUBLES.min), float(_DOUBLES.smallest_subnormal), float(_DOUBLES.max)],
    "string": ["", "naïve 🜁\n'\"", "0"],
    "binary": [b"", b"\x00\xff", b"0"],
    # pandas keeps the smallest of the 64-bit integers for NaT.
    "datetime": [-(2**63) + 1, 0, 2**63 - 1],
}


@dataclass(frozen=True)
class GeneratorOptions:
    """The contents of a synthetic batch.

    Attributes:
        edges: Bounds and unusual values instead of ordinary ones.
        optional: Whether optional columns and fields are present.
        policy: Decides where null is allowed.
    """

    edges: bool
    optional: bool
    policy: Policy


def synthetic_batch(contract: Contract, recipe: GeneratorOptions) -> pa.Table | Arrays:
    """Make a batch in exactly a contract's types: a table, or for tensors one ndarray or more.

    It has as many rows as the tensors' shapes fix, else ``ROWS``.
    """
    if contract.tensors:
        made = {c.name: _tensor(c.type, recipe) for c in contract.columns}
        return made if contract.named else made[contract.columns[0].name]
    columns = present(contract) if not recipe.optional else contract.columns
    return pa.table({column.name: _column(column, recipe) for column in columns})


def present(contract: Contract) -> Sequence[Column]:
    """List the columns that must be there; the first one where none must, for one always has to."""
    return [c for c in contract.columns if c.required] or contract.columns[:1]


def _column(column: Column, recipe: GeneratorOptions) -> pa.Array[Any]:
    cells = _cells(column.type, recipe)
    if recipe.edges and why_null_is_forbidden(column, recipe.policy) is None:
        cells = [*cells[:-1], None]
    return pa.array(cells, _arrow_type(column.type, recipe))


def _arrow_type(kind: Type, recipe: GeneratorOptions) -> pa.DataType:
    match kind:
        case Scalar(name):
            return _ARROW[name]
        case Array(items):
            return pa.list_(_arrow_type(items, recipe))
        case Vector():
            return pa.list_(pa.float64())
        case Map(values):
            return pa.map_(pa.string(), _arrow_type(values, recipe))
        case Object():
            return pa.struct(
                [pa.field(p.name, _arrow_type(p.type, recipe)) for p in _fields(kind, recipe)]
            )
        case Anything() | Tensor():
            return pa.string()


def _cells(kind: Type, recipe: GeneratorOptions) -> list[Any]:
    match kind:
        case Scalar(name):
            return (_EDGES if recipe.edges else _ORDINARY)[name]
        case Array(items):
            return _lists(_cells(items, recipe), recipe)
        case Vector():
            return _lists(_cells(Scalar("double"), recipe), recipe)
        case Map(values):
            keyed = list(zip(("k", "l", "m"), _cells(values, recipe), strict=True))
            return _lists(keyed, recipe)
        case Object():
            made = {p.name: _field(p, recipe) for p in _fields(kind, recipe)}
            return [dict(zip(made, row, strict=True)) for row in zip(*made.values(), strict=True)]
        case Anything() | Tensor():
            return _cells(Scalar("string"), recipe)


def _lists(elements: list[Any], recipe: GeneratorOptions) -> list[Any]:
    """Lists of different lengths; with edges also an empty one."""
    lengths = (0, 1, 3) if recipe.edges else (1, 2, 3)
    return [elements[:length] for length in lengths]


def _fields(kind: Object, recipe: GeneratorOptions) -> Sequence[Property]:
    needed = [p for p in kind.properties if p.required]
    return kind.properties if recipe.optional else needed or kind.properties[:1]


def _field(prop: Property, recipe: GeneratorOptions) -> list[Any]:
    cells = _cells(prop.type, recipe)
    return [*cells[:-1], None] if recipe.edges and not prop.required else cells


# ----- tensors -----


def _tensor(kind: Type, recipe: GeneratorOptions) -> np.ndarray[Any, Any]:
    assert isinstance(kind, Tensor)  # noqa: S101 - tensors and columns never mix
    rows = kind.shape[0] if kind.shape and kind.shape[0] != -1 else ROWS
    shape = (rows, *(_OPEN if size == -1 else size for size in kind.shape[1:]))
    dtype = np.dtype(kind.dtype)
    values = _edges_of(dtype) if recipe.edges else _ordinary_of(dtype)
    return np.resize(values, shape)


def _ordinary_of(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    values = {"b": [True, False], "f": [0.5, 1.5, 2.5], "U": ["a", "b", "c"]}
    return np.array(values.get(dtype.kind, [1, 2, 3]), dtype)


def _edges_of(dtype: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if dtype.kind in "bU":
        return np.array([False, True] if dtype.kind == "b" else ["", "naïve 🜁"], dtype)
    limits: Any = np.finfo(dtype) if dtype.kind == "f" else np.iinfo(dtype)
    return np.array([limits.min, 0, limits.max], dtype)
