"""What to do about values and columns that cannot be converted, in one table for each cause.

A remedy names a policy or a type only where following it lets such a batch pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..batch.arrow_types import type_name
from ..contract.types import Scalar

if TYPE_CHECKING:
    from ..contract.signature import Column
    from ..contract.types import ScalarName, Type
    from ..verdict.verdict import Kind
    from .source import SourceColumn

_NULL_TEXT = (
    "; if it has text for null, list that text in policy null_values, and {name!r} in policy "
    "nullable"
)
# Text that is not of a type's grammar; {name} is the column, {target} the type.
_TEXT: dict[ScalarName, str] = {
    "boolean": "Deliver true or false in {name!r}. If other words stand for them, list these in "
    "policy csv.true_values and csv.false_values",
    **dict.fromkeys(
        ("integer", "long"),
        "Deliver integers in {name!r}. If their digits are grouped, set policy csv.thousands; if "
        "it has fractions or text for null, log the model again with it as an optional double and "
        "list that text in policy null_values",
    ),
    **dict.fromkeys(
        ("float", "double"),
        "Deliver numbers in {name!r}. If their digits are grouped, set policy csv.thousands; if "
        "they have a decimal comma, set policy csv.decimal" + _NULL_TEXT,
    ),
    "datetime": "Deliver ISO 8601 in {name!r}. If it has offsets, set policy timezone: utc; if it "
    "is another notation, set policy csv.datetime_format" + _NULL_TEXT,
    "binary": "Deliver {name!r} in base64, as JSON has no bytes",
    "string": "Deliver {name!r} in UTF-8",
}
_FAR = (
    "Deliver {name!r} within the years 1678 to 2261, and check its unit. If such instants stand "
    "for null, list them in policy null_values, and {name!r} in policy nullable"
)
_NUL = "Strip NUL from the end of {name!r} before delivery"
_ROUND = "accept rounding by policy lossy_floats: allow"
_INSIDE_LONG = ("int64", "uint32")
# Arriving types with values that a double may have to round.
_INEXACT = ("uint64", "decimal", "string", "object")
# The MLflow type that a column is logged as.
_LOGGED_AS: dict[str, ScalarName] = {
    "bool": "boolean",
    **dict.fromkeys(("int8", "int16", "uint8", "uint16", "int32"), "integer"),
    **dict.fromkeys(("int64", "uint32"), "long"),
    **dict.fromkeys(("float16", "float32"), "float"),
    "float64": "double",
    "string": "string",
    "binary": "binary",
    **dict.fromkeys(("date", "timestamp"), "datetime"),
}


def value_remedy(name: str, arrived: str, target: ScalarName, kind: Kind) -> str:
    """Say what to do about single values of an arriving type that a scalar type does not hold."""
    if kind == "unparseable":
        words = _TEXT[target]
    elif target == "datetime":
        words = _FAR
    elif target in ("string", "binary"):
        words = _NUL
    else:
        words = _number_remedy(arrived, target, kind)
    return f"{words.format(name=name)}."


def _number_remedy(arrived: str, target: ScalarName, kind: Kind) -> str:
    if target == "double":
        rounded = f"Deliver values in {{name!r}} that double holds exactly, or {_ROUND}"
        return rounded if kind == "not_representable" else "Clip {name!r} before delivery"
    wider = "long" if target == "integer" and arrived in _INSIDE_LONG else "double"
    relog = f"Log the model again with {{name!r}} as {wider}"
    if target == "float" and kind == "not_representable":
        return f"{relog}, or {_ROUND}"
    return f"{relog}, under policy lossy_floats: allow" if arrived in _INEXACT else relog


def object_remedy(column: Column, kind: Kind, *, parsed: bool) -> str:
    """Say what to do about Python objects that do not fit a column."""
    if kind in ("type_mismatch", "nested_mismatch"):
        deliver = f"Deliver {column.name!r} as {column.type} throughout"
        is_text = parsed or column.type in (Scalar("string"), Scalar("binary"))
        more = "" if is_text else ", or, if it is text for that, set policy parse_text: allow"
        return f"{deliver}{more}."
    if isinstance(column.type, Scalar):
        return value_remedy(column.name, "object", column.type.name, kind)
    return f"Correct such parts of {column.name!r} before delivery."


def null_remedy(name: str, target: Type, because: str) -> str:
    """Say what to do about null in a column that may not have it."""
    if target == Scalar("boolean"):
        instead = (
            "or deliver it as 0.0, 1.0 and null and log the model again with it as an optional "
            "double, which can hold null"
        )
    elif because.startswith("policy"):
        instead = f"or accept null by policy nullable: [{name}]"
    elif isinstance(target, Scalar):
        instead = "or log the model again with it as an optional double, which can hold null"
    else:
        instead = "or log the model again with it optional"
    return f"Fill {name!r} before delivery, {instead}."


def type_remedy(source: SourceColumn, target: Type, *, csv: bool) -> str:
    """Say what to do about a column whose type is never converted to the contract's."""
    if csv:
        return f"Deliver the batch as Parquet or JSON lines: CSV cannot hold {target}."
    deliver = f"Deliver {source.name!r} as {target}"
    match source.kind, target:
        case "timestamp_tz", Scalar("datetime"):
            return f"Deliver {source.name!r} without a zone, or set policy timezone: utc."
        case "string", Scalar(scalar) if scalar != "binary":
            return f"{deliver}, or, if its text stands for {target}, set policy parse_text: allow."
        case "binary", Scalar("string"):
            return f"{deliver}, or, if its bytes are UTF-8, set policy binary_as_text: allow."
        case arrived, Scalar() if arrived in _LOGGED_AS:
            return f"{deliver}, or log the model again with it as {_LOGGED_AS[arrived]}."
        case _:
            cast = _cast_in_query(type_name(source.arrow), str(target))
            return f"{deliver}, in a query as {source.name}::{cast}." if cast else f"{deliver}."


# Types of databases that stand for numbers, and what a query casts them to for a type of a model.
_NUMBERS = {"numeric": "", "uhugeint": "", "oid": "int8::", "money": "numeric::"}
_CASTS = {"double": "float8", "float": "float4", "long": "int8", "integer": "int4"}
_WORDS = ("uuid", "json", "interval", "numeric", "inet", "money")


def _cast_in_query(arrived: str, target: str) -> str:
    if target == "string":
        return "text" if arrived in _WORDS else ""
    return _NUMBERS[arrived] + _CASTS[target] if arrived in _NUMBERS and target in _CASTS else ""
