"""Inference parameters against the params schema of a signature, before anything is loaded.

MLflow looks at them as late as in ``predict``: a wrong type raises there, for every batch anew, and
an unknown name is dropped with a line in the log. Here both are faults. The rules for values are
those of ``mlflow.types.ParamSpec.validate_param_spec``, which ``_enforce_params_schema`` applies to
each param; they were tried on MLflow 3.17.2, and tests hold them to it. A param that is left out
takes its default, so none is ever missing.
"""

from __future__ import annotations

import math
import warnings
from datetime import date
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from ..errors import NoContract
from ..similarity import closest
from .types import Anything, Array, Map, Object, Scalar, parse_type

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .contract import Contract
    from .types import ScalarName, Type

_LONGEST_VALUE = 60
_LONG = range(-(2**63), 2**63)

# MLflow compares `type(value)` itself, so that true is no integer; integers are not bounded
# (`_enforce_param_datatype`, `DataType.check_type`, `_ALLOWED_CONVERSIONS_FOR_PARAMS`).
_EXACTLY: dict[ScalarName, tuple[type, ...]] = {
    "boolean": (bool, np.bool_),
    "integer": (int, np.int32),
    "long": (int, np.int32, np.int64),
    "float": (int, np.int32, np.int64, float, np.float32),
    "double": (int, np.int32, np.int64, float, np.float32, np.float64),
    "string": (str, np.str_),
}

# Within an object MLflow takes a value for a column of one row (`_enforce_object`,
# `_enforce_datatype`): a Python integer is int64 there, which is no int32 and, but for 0 and 1, no
# double.
_WITHIN: dict[ScalarName, Callable[[Any], bool]] = {
    "boolean": lambda value: type(value) in (bool, np.bool_),
    "integer": lambda value: type(value) is np.int32,
    "long": lambda value: _is_int(value) or type(value) in (np.int32, np.int64),
    "float": lambda value: type(value) is np.float32 or _is_bit(value),
    "double": lambda value: isinstance(value, float) or type(value) is np.float32 or _is_bit(value),
    "string": lambda value: type(value) in (str, np.str_),
    "binary": lambda value: type(value) is bytes,
    "datetime": lambda value: type(value) is np.datetime64,
}


def param_faults(given: Mapping[str, Any], contract: Contract) -> tuple[str, ...]:
    """Return one clause for each param that the model does not know or whose type is another.

    A params schema that cannot be read raises NoContract.
    """
    schema = {str(param["name"]): param for param in contract.params}
    unknown = [_unknown(name, list(schema)) for name in given if name not in schema]
    wrong = [
        _wrong(name, schema[name], value)
        for name, value in given.items()
        if name in schema and not _fits(value, schema[name], contract)
    ]
    return (*unknown, *wrong)


def _unknown(name: str, known: list[str]) -> str:
    meant = closest(name, known)
    hint = f" (did you mean {meant}?)" if meant else ""
    return f"knows no param {name}; it has {', '.join(known) or 'none'}{hint}"


def _wrong(name: str, param: Mapping[str, Any], value: Any) -> str:
    listed = "a list of " if param.get("shape") else ""
    wanted = listed + str(parse_type(dict(param)))
    shown = repr(value)
    cut = shown if len(shown) <= _LONGEST_VALUE else f"{shown[:_LONGEST_VALUE]}…"
    default = f"leave it out for its default, {param.get('default')!r}"
    return f"takes {wanted} as param {name}, not {cut} ({type(value).__name__}); {default}"


def _fits(value: Any, param: Mapping[str, Any], contract: Contract) -> bool:
    try:
        kind = parse_type(dict(param))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"its param {param['name']!r} cannot be read: {error}"
        remedy = "Log the model again with `signature=infer_signature(…, params=…)`."
        raise NoContract(reason, remedy, str(contract.model or "the signature")) from error
    if not param.get("shape"):
        return _is(value, kind)
    # The only shape there is, (-1,), takes lists and one-dimensional arrays, and no tuple.
    is_flat = isinstance(value, list) or (isinstance(value, np.ndarray) and value.ndim == 1)
    return is_flat and all(_is(element, kind) for element in cast("list[Any]", value))


def _is(value: Any, kind: Type) -> bool:
    if not isinstance(kind, Scalar):
        return _conforms(value, kind)
    # None stands for itself in every type: `_enforce_param_datatype` returns at once.
    if value is None:
        return True
    return _is_instant(value) if kind.name == "datetime" else type(value) in _EXACTLY[kind.name]


def _is_instant(value: Any) -> bool:
    """Whatever numpy takes for a date or a time, down to microseconds."""
    try:
        # numpy warns of offsets, which it converts to UTC.
        with warnings.catch_warnings(action="ignore"):
            instant = np.datetime64(value).item()
    except (ValueError, TypeError, OverflowError):
        return False
    return instant is None or isinstance(instant, date)


# ----- within objects -----


def _conforms(value: Any, kind: Type, *, required: bool = True) -> bool:
    if not required and _stands_for_nothing(value, kind):
        return True
    match kind:
        case Scalar(name):
            return _WITHIN[name](value)
        case Array(items):
            return isinstance(value, list | np.ndarray) and _all_conform(value, items)
        case Map(values):
            return isinstance(value, dict) and all(
                isinstance(key, str) and _conforms(inner, values)
                for key, inner in cast("dict[Any, Any]", value).items()
            )
        case Object():
            return isinstance(value, dict) and _has_the_fields(cast("dict[Any, Any]", value), kind)
        case _:
            return isinstance(kind, Anything)


def _stands_for_nothing(value: Any, kind: Type) -> bool:
    if isinstance(kind, Scalar):
        return value is None or (isinstance(value, float) and math.isnan(value))
    return value is None or (isinstance(kind, Object) and isinstance(value, dict) and not value)


def _all_conform(values: Any, items: Type) -> bool:
    elements = list(values)
    kinds = {type(element) for element in elements}
    # MLflow looks at a list as one column: a float makes floats of the integers beside it.
    if items == Scalar("double") and kinds == {int, float}:
        return all(element in _LONG for element in elements if type(element) is int)
    is_one_column = isinstance(items, Scalar) and len(kinds) > 1
    return not is_one_column and all(_conforms(element, items) for element in elements)


def _has_the_fields(record: dict[Any, Any], kind: Object) -> bool:
    properties = {prop.name: prop for prop in kind.properties}
    needed = {name for name, prop in properties.items() if prop.required}
    if not needed <= set(record) <= set(properties):
        return False
    return all(
        _conforms(value, properties[name].type, required=properties[name].required)
        for name, value in record.items()
    )


def _is_int(value: Any) -> bool:
    return type(value) is int and value in _LONG


def _is_bit(value: Any) -> bool:
    return type(value) is int and value in (0, 1)
