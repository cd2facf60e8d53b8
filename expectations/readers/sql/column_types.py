"""Types of databases as a Parquet file can hold them, each under its own name.

What is no number, text or instant to Arrow, or not the one that it seems, is *opaque*: it keeps the
name that its database has for it, and conforms to no type of a model until the query casts it.
"""

from __future__ import annotations

from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from ...batch.arrow_compat import readable
from ...batch.arrow_types import WIDEST_DECIMAL
from ...batch.batch import UnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Drivers give cents for money, signed 32 bits for oid and signed 128 bits for uhugeint, and the
# inside of others: all of them would pass for numbers or bytes that nobody has stored.
_SEEMING = {"money", "oid", "xid", "cid", "record", "uhugeint", "bit"}
_TYPMOD = 4  # what PostgreSQL adds to the digits of a numeric


def stored_types(schema: pa.Schema, names: Iterable[str], vendor: str) -> list[pa.DataType]:
    """Choose the type in which each column is kept; ``names`` are those of the database."""
    return [_stored(field, name.lower(), vendor) for field, name in zip(schema, names, strict=True)]


def _stored(field: pa.Field[Any], name: str, vendor: str) -> pa.DataType:
    decimal = _decimal_of(int((field.metadata or {}).get(b"POSTGRESQL:typmod", -1)))
    if name == "numeric" and decimal:
        return decimal
    if name in _SEEMING:
        return pa.opaque(field.type, name, vendor)
    return field.type if _is_storable(field.type) else pa.opaque(pa.string(), name, vendor)


def _decimal_of(typmod: int) -> pa.DataType | None:
    """Take the digits of ``numeric(15, 2)`` apart; None for a numeric without any."""
    digits, scale = divmod(typmod - _TYPMOD, 1 << 16)
    is_known = typmod >= _TYPMOD and digits <= WIDEST_DECIMAL and scale <= digits
    return pa.decimal128(digits, scale) if is_known else None


def _is_storable(kind: pa.DataType) -> bool:
    try:
        pq.ParquetWriter(BytesIO(), pa.schema([pa.field("", kind)])).close()
    except pa.ArrowNotImplementedError:
        return False
    return True


def as_stored(table: pa.Table, types: Sequence[pa.DataType]) -> pa.Table:
    """Bring a piece of a query's rows into the types in which they are kept."""
    pairs = zip(table.column_names, table.columns, types, strict=True)
    columns = [_column(name, column, kind) for name, column, kind in pairs]
    return pa.Table.from_arrays(columns, names=table.column_names)


def _column(name: str, column: pa.ChunkedArray[Any], kind: Any) -> pa.ChunkedArray[Any]:
    if column.type == kind:
        return column
    if isinstance(kind, pa.OpaqueType):
        if kind.storage_type != column.type:
            column = readable(pa.table([column], names=[""])).column(0)
        wrapped: Any = [pa.ExtensionArray.from_storage(kind, chunk) for chunk in column.chunks]
        return pa.chunked_array(wrapped, cast("Any", kind))
    try:
        return column.cast(pa.string()).cast(kind)
    except pa.ArrowInvalid as error:  # NaN and infinity, which PostgreSQL knows and decimals do not
        remedy = "Cast it in the query, as in column::float8."
        quoted = f"{name!r}: {error}"
        observed = f"a numeric that no {kind} holds"
        raise UnreadableError(observed, remedy, quoted=quoted) from error
