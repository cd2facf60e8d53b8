"""The columns of a table, and how one of its files has them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

from ...batch.arrow_compat import readable
from ...batch.arrow_types import source_kind
from ...batch.batch import Batch, UnreadableError
from ...batch.columns import RESERVED, ROW, exact_col, scan_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    # Each column of the table: under which name the file has it, else its value in all rows.
    Made = tuple[tuple[str, str | None, Any], ...]

_NUMBERS, _INSTANTS = ("int", "uint", "float", "decimal"), ("date", "timestamp")
_REWRITE = "Have the file written again in the types of the table."


@dataclass(frozen=True, eq=False)
class TableColumns:
    """The columns of a table.

    Attributes:
        schema: Names and types, without those of an earlier split.
        stored: Each as files have it: by its name there or by its field id.
        by_id: Whether it is by field ids.
        filled: Those that are not null in a file without them: only the client knows their values.
    """

    schema: pa.Schema
    stored: tuple[pa.Field[Any], ...]
    by_id: bool = False
    filled: frozenset[str] = frozenset()
    _stages: dict[Made, tuple[list[pl.Expr], ...]] = field(default_factory=dict[Any, Any])

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The name by which a scan knows each."""
        return scan_names(self.schema)

    @cached_property
    def dtypes(self) -> pl.Schema:
        """What a scan gives."""
        empty = readable(self.schema.empty_table().rename_columns(list(self.sources)))
        return pl.Schema({ROW: pl.Int64(), **cast("pl.DataFrame", pl.from_arrow(empty)).schema})

    def made_of(self, batch: Batch, constants: Mapping[str, Any]) -> Made | None:
        """Find each column in a file; None if one has to be cast, or only the client knows it."""
        made, places = list[tuple[str, str | None, Any]](), self.places_in(batch.schema)
        if self.by_id and None in map(_field_id, batch.schema):
            return None
        for name, stored, place in zip(self.sources, self.stored, places, strict=True):
            if name in constants or place is None:
                if name not in constants and name in self.filled:
                    return None
                made.append((name, None, constants.get(name)))
                continue
            if batch.dtypes[batch.sources[place]] != self.dtypes[name]:
                return None
            if self.by_id and _ids(batch.schema.field(place)) != _ids(stored):
                return None
            made.append((name, batch.sources[place], None))
        return tuple(made)

    def places_in(self, schema: pa.Schema) -> list[int | None]:
        """Find where each column stands in the schema of a file."""
        key = _field_id if self.by_id else _name
        places = {key(stored): place for place, stored in enumerate(schema)}
        return [places.get(key(stored)) for stored in self.stored]

    def stages(self, made: Made) -> tuple[list[pl.Expr], ...]:
        """Make the columns of those of a file; files of the same columns share the stages."""
        if made not in self._stages:
            exprs = [
                (pl.lit(cell, self.dtypes[name]) if found is None else exact_col(found)).alias(name)
                for name, found, cell in made
                if name != found
            ]
            self._stages[made] = (exprs,) if exprs else ()
        return self._stages[made]

    def rows_of(
        self, rows: pa.RecordBatch, places: Sequence[int | None], constants: Mapping[str, Any]
    ) -> pa.RecordBatch:
        """Bring rows of a file into the types of the table; what would change values is refused."""
        arrays = list[Any]()
        for name, wanted, place in zip(self.sources, self.schema, places, strict=True):
            if name in constants or place is None:
                constant = pa.scalar(constants.get(name), wanted.type)
                arrays.append(pa.repeat(constant, rows.num_rows))
                continue
            column = rows.column(place)
            if _family(column.type) != _family(wanted.type):
                stands = f"{column.type} where the table has {wanted.type}"
                observed = f"a column {wanted.name!r} of type {stands}"
                raise UnreadableError(observed, _REWRITE)
            arrays.append(column.cast(wanted.type))
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema)


def table_columns(
    fields: Iterable[pa.Field[Any]],
    stored: Iterable[pa.Field[Any]],
    *,
    by_id: bool = False,
    filled: frozenset[str] = frozenset(),
) -> TableColumns:
    """List the columns of a table, but for those that an earlier split added."""
    kept = [(f, s) for f, s in zip(fields, stored, strict=True) if f.name not in RESERVED]
    schema = pa.schema([pa.field(f.name, f.type) for f, _ in kept])
    return TableColumns(schema, tuple(s for _, s in kept), by_id, filled)


def _name(column: pa.Field[Any]) -> str:
    return column.name


def _field_id(column: pa.Field[Any]) -> bytes | None:
    return (column.metadata or {}).get(b"PARQUET:field_id")


def _ids(column: pa.Field[Any]) -> tuple[Any, ...]:
    """List the ids of a column and of its parts: a part that was renamed or made anew differs."""
    kind: Any = column.type
    return _field_id(column), *(_ids(kind.field(i)) for i in range(kind.num_fields))


def _family(kind: pa.DataType) -> str:
    word = source_kind(kind)
    if word.startswith(_NUMBERS):
        return "number"
    return "instant" if word.startswith(_INSTANTS) else word
