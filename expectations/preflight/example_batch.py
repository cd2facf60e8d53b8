"""The input example that a model was logged with, as a batch that can be judged.

MLflow stores it as JSON, which has neither bytes nor instants: both are text there. Its loader can
cast such text, and everything else too, by the signature: ``1.5`` becomes ``1`` for ``long``. The
example must be judged as it was written, so here only bytes and instants are decoded.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np

from ..contract.types import Array, Map, Object, Scalar

if TYPE_CHECKING:
    import pandas as pd

    from ..contract.contract import Contract
    from ..contract.types import Type


class Example(NamedTuple):
    """The input example of a model.

    Attributes:
        data: A pandas frame, an array, a sparse matrix, or what JSON holds.
        params: Inference parameters; None if there are none.
    """

    data: Any
    params: dict[str, Any] | None = None


def example_batch(example: Example, contract: Contract) -> Any:
    """Convert an example to a pandas frame or ndarrays, as MLflow's enforcement would."""
    import pandas as pd

    data = example.data.toarray() if hasattr(example.data, "toarray") else example.data
    if isinstance(data, np.ndarray) or _is_arrays(data):
        return data
    frame = data if isinstance(data, pd.DataFrame) else pd.DataFrame(_rows(data, contract))
    return _decoded_frame(frame, contract)


def _is_arrays(data: Any) -> bool:
    return isinstance(data, dict) and all(
        isinstance(value, np.ndarray) for value in cast("dict[Any, Any]", data).values()
    )


def _rows(data: Any, contract: Contract) -> Any:
    """Tell records from columns by the rules of ``mlflow.models.utils._enforce_schema``."""
    if isinstance(data, list):
        return cast("list[Any]", data)
    if not isinstance(data, dict):
        return [data]
    by_name = cast("dict[str, Any]", data)
    nested = any(isinstance(column.type, Array | Object) for column in contract.columns)
    one_row = nested or all(_is_cell(value) for value in by_name.values())
    return [by_name] if one_row else by_name


def _is_cell(value: Any) -> bool:
    if isinstance(value, list):
        return all(isinstance(element, str) for element in cast("list[Any]", value))
    return value is None or isinstance(value, str | int | float | bool)


def _decoded_frame(frame: pd.DataFrame, contract: Contract) -> pd.DataFrame:
    import pandas as pd

    kinds = {column.label: column.type for column in contract.columns}
    labels = list(frame.columns) if contract.named else list(range(frame.shape[1]))
    columns = [
        _decoded_column(frame.iloc[:, i], kinds.get(label)) for i, label in enumerate(labels)
    ]
    decoded = pd.concat(columns, axis=1)
    decoded.columns = frame.columns
    return decoded


def _decoded_column(cells: pd.Series, kind: Type | None) -> pd.Series:
    if kind is None or not _is_lacking(kind):
        return cells
    return cells.map(lambda cell: _decoded(cell, kind))


def _is_lacking(kind: Type) -> bool:
    """Tell whether JSON cannot represent some values of a type."""
    match kind:
        case Scalar(name):
            return name in ("binary", "datetime")
        case Array(items):
            return _is_lacking(items)
        case Map(values):
            return _is_lacking(values)
        case Object(properties):
            return any(_is_lacking(prop.type) for prop in properties)
        case _:
            return False


def _decoded(value: Any, kind: Type) -> Any:
    match kind, value:
        case Scalar("binary"), str():
            return _bytes(value)
        case Scalar("datetime"), str():
            return _instant(value)
        case Array(items), list():
            return [_decoded(element, items) for element in cast("list[Any]", value)]
        case Map(values), dict():
            by_key = cast("dict[str, Any]", value)
            return {key: _decoded(inner, values) for key, inner in by_key.items()}
        case Object(properties), dict():
            kinds = {prop.name: prop.type for prop in properties}
            by_key = cast("dict[str, Any]", value)
            return {k: _decoded(v, kinds[k]) if k in kinds else v for k, v in by_key.items()}
        case _:
            return value


def _bytes(text: str) -> Any:
    try:
        # MLflow writes base64 in lines.
        return base64.b64decode("".join(text.split()), validate=True)
    except (ValueError, binascii.Error):
        return text


def _instant(text: str) -> Any:
    import pandas as pd

    try:
        return pd.Timestamp(text)
    except ValueError:
        return text
