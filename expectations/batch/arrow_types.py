"""What arrives, in the words of the conversion table."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.types as is_

_BY_PREDICATE = (
    (is_.is_decimal, "decimal"),
    (is_.is_date, "date"),
    (is_.is_time, "time"),
    (is_.is_duration, "duration"),
    (is_.is_null, "null"),
    (is_.is_string, "string"),
    (is_.is_large_string, "string"),
    (is_.is_string_view, "string"),
    (is_.is_binary, "binary"),
    (is_.is_large_binary, "binary"),
    (is_.is_binary_view, "binary"),
    (is_.is_fixed_size_binary, "binary"),
)
_BY_NAME = {
    "bool": "bool",
    **{f"{sign}int{bits}": f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "halffloat": "float16",
    "float": "float32",
    "double": "float64",
}
_OF_DATABASES = re.compile(r"extension<arrow\.(?:opaque\[.*?type_name=([^,\]]*).*?\]|(\w+))>")
WIDEST_DECIMAL = 38
# Levels of nesting in a schema: without a bound libraries, and Python, overflow their stack.
DEEPEST = 100


@lru_cache(maxsize=1_024)
def source_kind(kind: pa.DataType) -> str:
    """Name an Arrow type as the conversion table does; else by a word, such as ``time``."""
    if is_.is_dictionary(kind) or is_.is_run_end_encoded(kind):
        return source_kind(kind.value_type)
    if is_.is_timestamp(kind):
        return "timestamp_tz" if kind.tz else "timestamp"
    if is_.is_decimal(kind) and digits_of(kind) > WIDEST_DECIMAL:
        return "wide decimal"
    by_predicate = (word for holds, word in _BY_PREDICATE if holds(kind))
    return _BY_NAME.get(str(kind)) or next(by_predicate, "other")


def is_list(kind: pa.DataType) -> bool:
    """Tell whether an Arrow type is a list of any width, or of a fixed size."""
    return any(test(kind) for test in _LISTS)


def element_type(kind: Any) -> pa.DataType:
    """Name the type of a list's elements."""
    return kind.value_type


_LISTS = (
    is_.is_list,
    is_.is_large_list,
    is_.is_fixed_size_list,
    is_.is_list_view,
    is_.is_large_list_view,
)


def digits_of(decimal: Any) -> int:
    """Count the digits that a decimal type holds, zeros before the point included."""
    return decimal.precision - min(decimal.scale, 0)


def type_name(kind: pa.DataType) -> str:
    """Name an Arrow type for a reader of a report; one of a database as the database does."""
    text = str(kind)
    return _OF_DATABASES.sub(lambda found: found[1] or found[2], text) if "<arrow" in text else text


def count_leaves(kind: pa.DataType) -> int:
    """Count the columns that Parquet stores for a type."""
    if isinstance(kind, pa.ExtensionType):
        return count_leaves(kind.storage_type)
    return sum(count_leaves(kind.field(i).type) for i in range(kind.num_fields)) or 1


def has_fixed_lists(kind: pa.DataType) -> bool:
    """Tell whether lists of one fixed length are in a type, at any depth."""
    children = (kind.field(i).type for i in range(kind.num_fields))
    return pa.types.is_fixed_size_list(kind) or any(map(has_fixed_lists, children))
