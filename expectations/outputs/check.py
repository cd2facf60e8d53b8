"""What a model returned, against the output schema of its signature.

MLflow stores that schema and never looks at it again: a model that declares ``long y`` may return
the word ``yes``. Here the predictions of each piece are a batch like any other, judged by a
contract made from the output schema, with the same table of types. What the rules are:

- As many predictions as rows, whether or not there is an output schema.
- Names as the schema has them, none missing and none more; a column that it calls optional may be
  absent. What comes without names is taken by position, and all of the schema's columns must come.
- Types by the table of what conforms to what; predictions are published in the schema's types.
- Null never in ``boolean``, ``integer`` and ``long``, and in no place of a tensor. In a required
  column of another type the policy's ``nulls``, ``nullable`` and ``nan`` decide, as for inputs.
- ``lossy_floats``, ``timezone`` and ``non_finite`` of the policy hold too. What it says of names,
  text and rows of arriving batches does not.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
import pyarrow as pa

from ..batch.columns import ROW
from ..conform.tensors import TENSOR_DTYPES
from ..contract.contract import Contract
from ..contract.policy import Policy
from ..contract.types import Anything, Scalar, Tensor, parse_type
from ..errors import NoContract
from ..judge.checking import check
from .columns import (
    NotPredictionsError,
    PredictionColumns,
    split_columns,
    to_arrow,
    to_pandas,
)
from .violations import as_mismatch, mismatch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..contract.signature import Column
    from ..contract.types import Type
    from ..verdict.verdict import Violation

_UNNAMED = "prediction"
_MATRIX = 2

# What a policy says of arriving batches, and not of predictions.
_NOT_OF_OUTPUTS: dict[str, Any] = {
    "extra_columns": "forbid",
    "missing_optional": "ignore",
    "column_order": "ignore",
    "parse_text": "forbid",
    "min_rows": 0,
    "null_values": (),
    "rename": {},
    "keep": (),
    "rules": None,
}


@dataclass(frozen=True)
class Output:
    """The predictions for some rows.

    Attributes:
        columns: Name to values, as many as rows, in the output schema's types and order; none if
            a violation is critical.
        violations: Where they depart from the output schema; all are of kind ``output_mismatch``.
    """

    columns: Mapping[str, pa.Array[Any]]
    violations: tuple[Violation, ...] = ()


def judge_output(
    returned: Any, contract: Contract, rows: int, policy: Policy | None = None
) -> Output:
    """Judge what ``predict`` returned for so many rows by the output schema.

    Columns are named as the output schema names them; else as the model does; else ``prediction``,
    or ``prediction_0``, ``prediction_1`` … Without a policy, values may be shown.
    """
    policy = policy or Policy()
    try:
        schema = _output_contract(contract)
        if schema is None:
            found = split_columns(returned, rows)
            return Output(_arrays(_by_own_names(found), policy))
        return _judged(returned, schema, rows, policy)
    except NotPredictionsError as error:
        return Output({}, (mismatch(error.expected, error.describe(redact=policy.redact)),))
    except NoContract as error:
        expected = "an output schema that decides what the model returns"
        return Output({}, (mismatch(expected, error.reason, error.remedy),))


def _output_contract(contract: Contract) -> Contract | None:
    """Read the output schema as if it were that of inputs; None if there is none.

    A single unnamed ``any`` is none either: ``infer_signature`` writes it for frames that it cannot
    type, however many columns they have.
    """
    specs = contract.outputs
    if not specs or (len(specs) == 1 and specs[0]["type"] == "any" and "name" not in specs[0]):
        return None
    stand_ins = [{**spec, "type": "string"} if _is_open(spec) else spec for spec in specs]
    schema = Contract.from_signature({"inputs": json.dumps(stand_ins)}, contract.model)
    pairs = zip(schema.columns, specs, strict=True)
    stated = (replace(column, type=parse_type(spec)) for column, spec in pairs)
    return replace(schema, columns=tuple(stated))


def _is_open(spec: Mapping[str, Any]) -> bool:
    """Tell whether an entry decides nothing of values, which an output schema may."""
    return spec["type"] == "any" or (
        spec["type"] == "tensor" and spec["tensor-spec"]["dtype"] not in TENSOR_DTYPES
    )


# ----- with a schema -----


def _judged(returned: Any, schema: Contract, rows: int, policy: Policy) -> Output:
    schema = _decidable(_unrolled(schema, returned, rows))
    found = split_columns(returned, rows, matrix=_is_one_matrix(schema))
    _refuse_other_count(found, schema, returned)
    named = _named(found, schema)
    stated = replace(schema, named=True, columns=named.columns)
    frame = to_pandas(named.values, redact=policy.redact)
    result = check(frame, stated, _policy_of_outputs(policy, stated))
    violations = tuple(as_mismatch(v, rows, returned, policy) for v in result.violations)
    accepted = result.accepted
    if accepted is None or not result.passed:
        return Output({}, violations)
    open_names = [c.name for c in named.columns if isinstance(c.type, Anything)]
    as_returned = {name: named.values[name] for name in open_names if name in named.values}
    judged = _typed(accepted.collect())
    return Output({**judged, **_arrays(as_returned, policy)}, violations)


def _policy_of_outputs(policy: Policy, schema: Contract) -> Policy:
    names = {column.name for column in schema.columns}
    nullable = tuple(name for name in policy.nullable if name in names)
    return policy.model_copy(update={**_NOT_OF_OUTPUTS, "nullable": nullable})


def _unrolled(schema: Contract, returned: Any, rows: int) -> Contract:
    """Take one unnamed ``(-1, n)`` tensor for n columns, as which its predictions are published."""
    column = schema.columns[0]
    tensor = column.type
    if schema.named or not isinstance(tensor, Tensor) or len(tensor.shape) != _MATRIX:
        return schema
    width = tensor.shape[1]
    if width == -1:
        width = len(split_columns(returned, rows).columns)
    single = Tensor(tensor.dtype, tensor.shape[:1])
    columns = (replace(column, name=str(i), label=i, type=single) for i in range(width))
    return replace(schema, columns=tuple(columns))


def _decidable(schema: Contract) -> Contract:
    """Let every value pass where numpy says no more than ``object``, or what no column holds."""

    def kind_of(column: Column) -> Type:
        kind = column.type
        is_open = isinstance(kind, Tensor) and kind.dtype not in TENSOR_DTYPES
        return Anything() if is_open else kind

    columns = tuple(replace(column, type=kind_of(column)) for column in schema.columns)
    return replace(schema, columns=columns)


def _is_one_matrix(schema: Contract) -> bool:
    """Tell whether the rows of a two-dimensional array are the cells of the only column."""
    kind = schema.columns[0].type
    is_flat = isinstance(kind, Scalar) or (isinstance(kind, Tensor) and len(kind.shape) == 1)
    return len(schema.columns) == 1 and not is_flat


def _refuse_other_count(found: PredictionColumns, schema: Contract, returned: Any) -> None:
    by_name = _is_named(schema) and found.names is not None
    if by_name or len(found.columns) == len(schema.columns):
        return
    names = f" ({', '.join(c.name for c in schema.columns)})" if _is_named(schema) else ""
    expected = f"{len(schema.columns)} columns, as the output schema says{names}"
    raise NotPredictionsError.on(expected, returned, f"{len(found.columns)}: ")


def _is_named(schema: Contract) -> bool:
    return schema.named and all(isinstance(column.label, str) for column in schema.columns)


class _Named(NamedTuple):
    """The output schema's columns and the values that came, under the names to publish."""

    columns: tuple[Column, ...]
    values: dict[str, Any]


def _named(found: PredictionColumns, schema: Contract) -> _Named:
    names = [column.name for column in schema.columns]
    if _is_named(schema):
        return _Named(schema.columns, dict(zip(found.names or names, found.columns, strict=True)))
    pairs = zip(schema.columns, _own_names(found), strict=True)
    columns = tuple(replace(column, name=name, label=name) for column, name in pairs)
    return _Named(columns, _by_own_names(found))


def _typed(conformed: pl.DataFrame) -> dict[str, pa.Array[Any]]:
    made = conformed.drop(ROW).to_arrow(compat_level=pl.CompatLevel.oldest())
    return {name: _of_any_length(made[name].combine_chunks()) for name in made.column_names}


def _of_any_length(cells: Any) -> pa.Array[Any]:
    # Lists of one fixed length would not go into one file with those of the next piece.
    fixed = pa.types.is_fixed_size_list(cells.type)
    return cells.cast(pa.list_(cells.type.value_type)) if fixed else cells


# ----- names and values -----


def _own_names(found: PredictionColumns) -> list[str]:
    count = len(found.columns)
    numbered = [f"{_UNNAMED}_{i}" for i in range(count)] if count > 1 else [_UNNAMED]
    return found.names or numbered


def _by_own_names(found: PredictionColumns) -> dict[str, Any]:
    return dict(zip(_own_names(found), found.columns, strict=True))


def _arrays(columns: Mapping[str, Any], policy: Policy) -> dict[str, pa.Array[Any]]:
    return {name: to_arrow(name, v, redact=policy.redact) for name, v in columns.items()}
