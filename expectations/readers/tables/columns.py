"""The columns of a table, and how one of its files has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

from ...batch.arrow_compat import readable
from ...batch.arrow_types import source_kind
from ...batch.batch import Batch, UnreadableError, columns_of
from ...batch.columns import RESERVED, ROW, exact_col, scan_names

if TYPE_CHECKING:
    from collections.abc import Mapping

    # Each column of the table: under which name the file has it, else its value in all rows.
    Made = tuple[tuple[str, str | None, Any], ...]

FIELD_ID = b"PARQUET:field_id"
_NUMBERS, _INSTANTS = ("int", "uint", "float", "decimal"), ("date", "timestamp")
_REWRITE = "Have the file written again in the types of the table."


@dataclass(frozen=True, eq=False)
class TableColumns:
    """The columns of a table.

    Attributes:
        fields: As the table has them.
        stored: As files have them, each by its name there or by its field id.
        by_id: Whether files have them by their field ids.
        filled: Those that are not null in a file without them: only the client knows their values.
    """

    fields: pa.Schema
    stored: tuple[pa.Field[Any], ...]
    by_id: bool = False
    filled: frozenset[str] = frozenset()
    _stages: dict[Made, tuple[list[pl.Expr], ...]] = field(default_factory=dict[Any, Any])

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types, without those of an earlier split."""
        kept = [f for f in self.fields if f.name not in RESERVED]
        return pa.schema([pa.field(f.name, f.type) for f in kept])

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The name by which a scan knows each."""
        return scan_names(self.schema)

    @cached_property
    def described(self) -> tuple[tuple[str, str], ...]:
        """Names and types in words."""
        return columns_of(self.schema)

    @cached_property
    def dtypes(self) -> pl.Schema:
        """What a scan gives."""
        empty = readable(self.schema.empty_table().rename_columns(list(self.sources)))
        frame = cast("pl.DataFrame", pl.from_arrow(empty))
        return pl.Schema({ROW: pl.Int64(), **frame.schema})

    @cached_property
    def wanted(self) -> list[tuple[str, pa.Field[Any]]]:
        """Each column as files have it, by the name by which a scan knows it."""
        pairs = zip(self.fields, self.stored, strict=True)
        kept = [stored for field, stored in pairs if field.name not in RESERVED]
        return list(zip(self.sources, kept, strict=True))

    def made_of(self, batch: Batch, constants: Mapping[str, Any]) -> Made | None:
        """Find each column in a file; None if one has to be cast, or only the client knows it."""
        made, places = list[tuple[str, str | None, Any]](), self.places_in(batch.schema)
        for (source, stored), place in zip(self.wanted, places, strict=True):
            if source in constants or place is None:
                if source not in constants and (source in self.filled or self._lacks_ids(batch)):
                    return None
                made.append((source, None, constants.get(source)))
                continue
            found = batch.sources[place]
            if batch.dtypes[found] != self.dtypes[source]:
                return None
            if self.by_id and _ids(batch.schema.field(place)) != _ids(stored):
                return None
            made.append((source, found, None))
        return tuple(made)

    def _lacks_ids(self, batch: Batch) -> bool:
        return self.by_id and any(_key(field) is None for field in batch.schema)

    def places_in(self, schema: pa.Schema) -> list[int | None]:
        """Find where each column stands in the schema of a file."""
        key = _key if self.by_id else _name
        places = {key(stored): place for place, stored in enumerate(schema)}
        return [places.get(key(stored)) for _, stored in self.wanted]

    def stage(self, made: Made) -> tuple[list[pl.Expr], ...]:
        """Make the columns of those of a file; files of the same columns share the stage."""
        if made not in self._stages:
            dtypes = self.dtypes
            exprs = [
                (pl.lit(cell, dtypes[name]) if source is None else exact_col(source)).alias(name)
                for name, source, cell in made
                if name != source
            ]
            self._stages[made] = (exprs,) if exprs else ()
        return self._stages[made]

    def picked(
        self, rows: pa.RecordBatch, places: list[int | None], constants: Mapping[str, Any]
    ) -> pa.RecordBatch:
        """Take the columns out of rows of a file, in their own types."""
        arrays = [
            pa.repeat(pa.scalar(constants.get(source), field.type), rows.num_rows)
            if source in constants or place is None
            else rows.column(place)
            for source, field, place in zip(self.sources, self.schema, places, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=list(self.sources))

    def cast(self, rows: pa.RecordBatch) -> pa.RecordBatch:
        """Cast rows to the types of the table; what would change values is refused.

        Raises:
            UnreadableError: A column is of a type that the table's cannot stand for.
            pa.ArrowException: A value is beyond the table's type.
        """
        arrays = list[Any]()
        for column, wanted in zip(rows.columns, self.schema, strict=True):
            if _family(column.type) != _family(wanted.type):
                stands = f"{column.type} where the table has {wanted.type}"
                observed = f"a column {wanted.name!r} of type {stands}"
                raise UnreadableError(observed, _REWRITE)
            arrays.append(column.cast(wanted.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def _name(column: pa.Field[Any]) -> str:
    return column.name


def _key(column: pa.Field[Any]) -> bytes | None:
    return (column.metadata or {}).get(FIELD_ID)


def _ids(column: pa.Field[Any]) -> tuple[Any, ...]:
    """List the ids of a column and of its parts: a part that was renamed or made anew differs."""
    kind: Any = column.type
    return _key(column), *(_ids(kind.field(i)) for i in range(kind.num_fields))


def _family(kind: pa.DataType) -> str:
    word = source_kind(kind)
    if word.startswith(_NUMBERS):
        return "number"
    return "instant" if word.startswith(_INSTANTS) else word
