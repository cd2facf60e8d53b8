"""The table of what conforms to what."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..contract.types import ScalarName

_SMALL_INTS = ("int8", "int16", "uint8", "uint16")

_FLOATS = ("float16", "float32", "float64")


class How(Enum):
    """How an arriving type becomes the model's, and what is verified on the way."""

    AS_IS = "every value keeps its meaning"
    IN_RANGE = "values within the target's range"
    WHOLE = "whole values within the target's range"
    EXACT = "values that the target represents exactly"
    IN_NANOSECONDS = "instants between 1677-09-21T00:12:43.145225 and 2262-04-11T23:47:16.854775"
    IN_UTC = "instants with a zone, under policy timezone: utc"


# What conforms to what: MLflow type -> arriving type -> how. What is not listed never conforms.
# A column of Arrow's null type conforms to everything: it holds nothing but nulls, which the
# rules for null judge. Text that stands for values is a matter of policy, not of this table.
CONFORMS: dict[ScalarName, dict[str, How]] = {
    "boolean": {"bool": How.AS_IS},
    "integer": {
        **dict.fromkeys((*_SMALL_INTS, "int32"), How.AS_IS),
        **dict.fromkeys(("int64", "uint32", "uint64"), How.IN_RANGE),
        **dict.fromkeys((*_FLOATS, "decimal"), How.WHOLE),
    },
    "long": {
        **dict.fromkeys((*_SMALL_INTS, "int32", "int64", "uint32"), How.AS_IS),
        "uint64": How.IN_RANGE,
        **dict.fromkeys((*_FLOATS, "decimal"), How.WHOLE),
    },
    "float": {
        **dict.fromkeys(("float16", "float32"), How.AS_IS),
        **dict.fromkeys(
            (*_SMALL_INTS, "int32", "int64", "uint32", "uint64", "float64", "decimal"), How.EXACT
        ),
    },
    "double": {
        **dict.fromkeys((*_FLOATS, *_SMALL_INTS, "int32", "uint32"), How.AS_IS),
        **dict.fromkeys(("int64", "uint64", "decimal"), How.EXACT),
    },
    "string": {"string": How.AS_IS},
    "binary": {"binary": How.AS_IS},
    "datetime": {
        **dict.fromkeys(("date", "timestamp"), How.IN_NANOSECONDS),
        "timestamp_tz": How.IN_UTC,
    },
}


# What the model receives, as pandas names it; the suite's ``expect_column_type_to_be`` says so.
PANDAS_DTYPES: dict[ScalarName, str] = {
    "boolean": "bool",
    "integer": "int32",
    "long": "int64",
    "float": "float32",
    "double": "float64",
    "string": "str",
    "binary": "object",
    "datetime": "datetime64[ns]",
}


# Types whose pandas form has no place for null: int and bool columns with gaps become floats or
# objects, which MLflow's enforcement rejects (mlflow/mlflow#25593).
NEVER_NULL: frozenset[ScalarName] = frozenset({"boolean", "integer", "long"})
