"""Conformed rows as ``predict`` receives them: in the contract's order, labels and types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from ..batch.columns import exact_col
from ..contract.types import Anything, Array, Map, Object, Scalar, Tensor, Vector
from ..errors import BatchChanged
from .source import POLARS_DTYPES

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..contract.contract import Column
    from ..contract.types import ScalarName, Type

    ModelInput = pd.DataFrame | np.ndarray[Any, Any] | dict[str, np.ndarray[Any, Any]]

# What MLflow accepts inside lists and dictionaries is narrower than in a column: numpy scalars.
_NUMPY_DTYPES: dict[ScalarName, str] = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "object",
    "binary": "object",
    "datetime": "datetime64[ns]",
}


def to_model_input(rows: pl.DataFrame, columns: Sequence[Column], *, named: bool) -> ModelInput:
    """Turn conformed rows into what the model receives."""
    if not any(isinstance(column.type, Tensor) for column in columns):
        return to_pandas(rows, columns)
    made = {column.name: _tensor(rows[column.name], column.type) for column in columns}
    return made if named else made[columns[0].name]


def concat_model_input(pieces: Sequence[ModelInput]) -> ModelInput:
    """Join pieces of model input, in order."""
    first: Any = pieces[0]
    if isinstance(first, dict):
        parts: Any = pieces
        return {name: np.concatenate([part[name] for part in parts]) for name in first}
    if isinstance(first, np.ndarray):
        return np.concatenate(cast("Any", pieces))
    import pandas as pd

    return pd.concat(cast("Any", pieces), ignore_index=True)


def _tensor(cells: pl.Series, kind: Type) -> np.ndarray[Any, Any]:
    tensor = cast("Tensor", kind)
    stored = cells.ext.storage() if isinstance(cells.dtype, pl.BaseExtension) else cells
    shape, flat = [len(stored)], stored
    while isinstance(flat.dtype, pl.List | pl.Array):
        if isinstance(flat.dtype, pl.Array):
            shape.append(flat.dtype.size)
            flat = flat.explode() if flat.dtype.size else flat.arr.to_list().list.explode().head(0)
            continue
        lengths = flat.list.len()
        if lengths.n_unique() > 1:
            raise _ragged(cells.name, lengths)
        shape.append(int(lengths[0]) if len(lengths) else max(tensor.shape[len(shape)], 0))
        flat = flat.filter(lengths > 0).explode()
    if -1 not in tensor.shape[1:]:
        shape = [len(stored), *tensor.shape[1:]]
    dtype = np.dtype(str) if tensor.dtype == "str" else np.dtype(tensor.dtype)
    return flat.to_numpy().astype(dtype, copy=False).reshape(shape)


def _ragged(name: str, lengths: pl.Series) -> BatchChanged:
    found = ", ".join(map(str, sorted(lengths.unique().to_list())[:5]))
    msg = (
        f"rows of {name!r} have different lengths ({found}), and no array can hold them. Deliver "
        "rows of one length, or pad them."
    )
    return BatchChanged(msg)


def to_pandas(rows: pl.DataFrame, columns: Sequence[Column]) -> pd.DataFrame:
    """Turn conformed rows into the frame that the model receives."""
    frame = rows.select(exact_col(column.name) for column in columns).to_pandas()
    for column in columns:
        if not isinstance(column.type, Scalar | Anything):
            made = to_python(rows[column.name], column.type)
            frame[column.name] = _series(made, frame)
    frame.columns = [column.label for column in columns]
    return frame


def to_python(cells: pl.Series, target: Type) -> list[Any]:
    """Make the Python objects that MLflow accepts for nested values."""
    match target:
        case Scalar(name):
            return _scalars(cells, name)
        case Anything() | Tensor():
            return cells.to_list()
        case Vector():
            return _arrays(cells, Scalar("double"))
        case Array(items):
            return _arrays(cells, items)
        case Map(values):
            return _maps(cells, values)
        case Object(properties) if not isinstance(cells.dtype, pl.Struct):
            return cells.to_list()
        case Object(properties):
            present = [p for p in properties if _has_field(cells, p.name)]
            parts = [to_python(cells.struct.field(p.name), p.type) for p in present]
            names = [p.name for p in present]
            made = [dict(zip(names, row, strict=True)) for row in zip(*parts, strict=True)]
            return _where_present(cells, made or [{} for _ in range(len(cells))])


def _scalars(cells: pl.Series, name: ScalarName) -> list[Any]:
    if name in ("string", "binary"):
        return cells.to_list()
    values = _ndarray(cells, name)
    return _where_present(cells, list(values))


def _ndarray(cells: pl.Series, name: ScalarName) -> np.ndarray[Any, Any]:
    typed = cells.cast(POLARS_DTYPES[name])
    filled = typed if name in ("double", "datetime", "string", "binary") else _filled(typed)
    return filled.to_numpy().astype(_NUMPY_DTYPES[name], copy=False)


def _filled(cells: pl.Series) -> pl.Series:
    # Nulls are put back as None, or their row is not handed over: any value will do meanwhile.
    zero = False if cells.dtype == pl.Boolean else 0
    return cells.fill_null(pl.lit(zero).cast(cells.dtype)) if cells.null_count() else cells


def _arrays(cells: pl.Series, items: Type) -> list[Any]:
    if not isinstance(cells.dtype, pl.List):
        return cells.to_list()
    lengths = cells.list.len().fill_null(0).to_numpy()
    ends = np.cumsum(lengths)
    elements = cells.filter(cells.list.len() > 0).explode()
    if isinstance(items, Scalar):
        flat: Any = _ndarray(elements, items.name)
    else:
        flat = to_python(elements, items)
    starts = ends - lengths
    pairs = zip(starts.tolist(), ends.tolist(), strict=True)
    return _where_present(cells, [flat[start:end] for start, end in pairs])


def _maps(cells: pl.Series, values: Type) -> list[Any]:
    if not isinstance(cells.dtype, pl.Map):
        return cells.to_list()
    entry = pl.Struct({"key": cells.dtype.key, "value": cells.dtype.value})
    listed = cells.cast(pl.List(entry))
    lengths = listed.list.len().fill_null(0).to_numpy()
    ends = np.cumsum(lengths)
    entries = listed.filter(listed.list.len() > 0).explode()
    keys = entries.struct.field("key").to_list() if len(entries) else []
    made = to_python(entries.struct.field("value"), values) if len(entries) else []
    pairs = zip((ends - lengths).tolist(), ends.tolist(), strict=True)
    maps = [dict(zip(keys[s:e], made[s:e], strict=True)) for s, e in pairs]
    return _where_present(cells, maps)


def _where_present(cells: pl.Series, made: list[Any]) -> list[Any]:
    if not cells.null_count():
        return made
    present = cells.is_not_null().to_list()
    return [value if there else None for value, there in zip(made, present, strict=True)]


def _has_field(cells: pl.Series, name: str) -> bool:
    return isinstance(cells.dtype, pl.Struct) and name in {f.name for f in cells.dtype.fields}


def _series(made: list[Any], frame: pd.DataFrame) -> pd.Series:
    import pandas as pd

    # Through an empty object array: pandas would otherwise spread equally long arrays out.
    cells = np.empty(len(made), dtype=object)
    for position, value in enumerate(made):
        cells[position] = value
    return pd.Series(cells, index=frame.index, dtype=object)
