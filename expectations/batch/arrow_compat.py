"""Arrow columns in types that Polars holds: it refuses some, and misreads one."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.types as is_

from .arrow_types import WIDEST_DECIMAL, digits_of
from .columns import exact_col

if TYPE_CHECKING:
    from collections.abc import Callable

# Polars holds seconds as milliseconds, and lets those that do not fit wrap around.
_LAST_SECOND = (2**63 - 1) // 1000
_FULL, _NO_INSTANT = 2**63 - 1, -(2**63)


def functions() -> Any:
    """Import PyArrow's functions, which takes time; its stubs do not know all of them."""
    import pyarrow.compute

    return pyarrow.compute


@lru_cache(maxsize=1_024)
def is_readable(kind: pa.DataType) -> bool:
    """Tell whether Polars reads a type as it is."""
    if isinstance(kind, pa.ExtensionType):
        return is_readable(kind.storage_type)
    if is_.is_dictionary(kind):
        return is_readable(kind.value_type)
    if is_.is_timestamp(kind) and kind.tz:
        return _knows_zone(kind.tz)
    children = (kind.field(i).type for i in range(kind.num_fields))
    return not any(refused(kind) for refused in _REFUSED) and all(map(is_readable, children))


def is_wrapped(kind: pa.DataType) -> bool:
    """Tell whether PyArrow has a class for arrays of a type, as it has for all but two."""
    children = (kind.field(i).type for i in range(kind.num_fields))
    return str(kind) not in _WITHOUT_CLASS and all(map(is_wrapped, children))


def python_values(column: Any) -> list[Any]:
    """Take an Arrow column apart; cells that Python cannot hold become words."""
    try:
        return column.to_pylist()
    except (ValueError, NotImplementedError, KeyError, pa.ArrowException):
        words = f"a cell of type {column.type}"
        return [words if valid else None for valid in column.is_valid().to_pylist()]


def readable(table: pa.Table) -> pa.Table:
    """Change the columns that Polars refuses into ones that mean the same.

    What has no counterpart in Polars becomes text, and what has none in PyArrow null; the schema
    keeps its type. Instants in
    seconds that milliseconds cannot hold become the last ones that they can: no datetime column
    holds either.
    """
    columns = [
        _column(table.column(i)) if is_wrapped(kind) else pa.nulls(table.num_rows, pa.string())
        for i, kind in enumerate(table.schema.types)
    ]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _column(column: pa.ChunkedArray[Any]) -> pa.ChunkedArray[Any]:
    kind = column.type
    if is_.is_timestamp(kind) and kind.unit == "s":
        pc, whole = functions(), column.cast(pa.int64())
        later = pc.max_element_wise(whole, -_LAST_SECOND, skip_nulls=False)
        column = pc.min_element_wise(later, _LAST_SECOND, skip_nulls=False).cast(kind)
    if is_readable(kind):
        # Polars stumbles over a dictionary without entries beneath a null.
        decoded = _decoded(kind) if is_.is_nested(kind) else kind
        return column if decoded == kind else _without_dictionaries(column, decoded)
    if is_.is_run_end_encoded(kind):
        plain = [functions().run_end_decode(chunk) for chunk in column.chunks]
        return _column(pa.chunked_array(plain, kind.value_type))
    if is_.is_timestamp(kind):
        return column.cast(pa.timestamp(kind.unit, "UTC"))
    if is_.is_decimal(kind) and (digits := digits_of(kind)) <= WIDEST_DECIMAL:
        return column.cast(pa.decimal128(digits, max(kind.scale, 0)))
    texts = [None if value is None else str(value) for value in python_values(column)]
    return pa.chunked_array([pa.array(texts, pa.string())])


def _without_dictionaries(
    column: pa.ChunkedArray[Any], decoded: pa.DataType
) -> pa.ChunkedArray[Any]:
    try:
        return column.cast(decoded)
    except pa.ArrowIndexError:  # Arrow stumbles over the same
        return pa.chunked_array([pa.array(column.to_pylist(), decoded)])


def _decoded(kind: Any) -> pa.DataType:
    """Name the type with its dictionaries, at any depth, replaced by what they encode."""
    if is_.is_dictionary(kind):
        return kind.value_type
    return _with_fields(kind, lambda field: field.with_type(_decoded(field.type)))


def without_metadata(kind: pa.DataType) -> pa.DataType:
    """Remove what producers noted in the fields of a type; null where that is not possible."""
    fields = [kind.field(i) for i in range(kind.num_fields)]
    if not any(field.metadata or field.type.num_fields for field in fields):
        return kind
    bare = _with_fields(kind, _bare)
    return pa.null() if bare is kind else bare


def _bare(field: pa.Field[Any]) -> pa.Field[Any]:
    return field.with_type(without_metadata(field.type)).remove_metadata()


def _with_fields(kind: Any, change: Callable[[pa.Field[Any]], pa.Field[Any]]) -> pa.DataType:
    """Make a nested type of changed fields; unions and the like stay the same object."""
    if is_.is_struct(kind):
        return pa.struct([change(field) for field in kind])
    if is_.is_map(kind):
        make_map: Any = pa.map_
        return make_map(change(kind.key_field), change(kind.item_field), kind.keys_sorted)
    if is_.is_fixed_size_list(kind):
        return pa.list_(change(kind.value_field), kind.list_size)
    make = next((make for test, make in _LISTS if test(kind)), None)
    return make(change(kind.value_field)) if make else kind


_LISTS: tuple[tuple[Any, Any], ...] = (
    (is_.is_list, pa.list_),
    (is_.is_large_list, pa.large_list),
    (is_.is_list_view, pa.list_view),
    (is_.is_large_list_view, pa.large_list_view),
)


def _is_foreign_decimal(kind: pa.DataType) -> bool:
    return is_.is_decimal256(kind) or (is_.is_decimal(kind) and kind.scale < 0)


_WITHOUT_CLASS = ("month_interval", "day_time_interval")


def _is_interval(kind: pa.DataType) -> bool:
    # Of the three kinds PyArrow has a predicate for one.
    return str(kind).endswith("_interval")


def _repeats_a_field(kind: pa.DataType) -> bool:
    names = [kind.field(i).name for i in range(kind.num_fields)]
    return is_.is_struct(kind) and len(set(names)) < len(names)


_REFUSED = (
    _is_foreign_decimal,
    _is_interval,
    _repeats_a_field,
    is_.is_run_end_encoded,
    is_.is_union,
    is_.is_list_view,
    is_.is_large_list_view,
)


def _knows_zone(zone: str) -> bool:
    try:
        pl.Series([], dtype=pl.Datetime("us", zone))
    except pl.exceptions.ComputeError:
        return False
    return True


def out_of_range_if_full(name: str) -> pl.Expr:
    """Mark the instants that Polars could not decode: it gives them the last nanosecond there is.

    Writers of 96-bit timestamps have a wider range than 64 bits of nanoseconds. The smallest
    number stands for no instant, so judging finds it out of range.
    """
    nanoseconds = exact_col(name).to_physical()
    marked = pl.when(nanoseconds == _FULL).then(_NO_INSTANT).otherwise(nanoseconds)
    return marked.cast(pl.Datetime("ns")).alias(name)
