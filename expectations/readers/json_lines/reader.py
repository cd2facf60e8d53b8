"""JSON lines: one object in each line, read in pieces, judged by the contract as Python objects.

Numbers are decimal text: a float type rounds them as any reader does, an integer must fit exactly.
JSON has no datetimes, so that text is parsed where the contract asks for one. A key that a line
lacks is null; a column is missing if no line has it. To know that, the whole file is read once
before any row is judged; that reading also counts the lines, and finds the columns whose values are
all of one kind, which are typed from then on. Lines that are like those before are read by Arrow,
others by the slow parser.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain, repeat
from typing import TYPE_CHECKING

import polars as pl
import pyarrow as pa

from ...batch.batch import Batch, UnreadableError, file_facts
from ...batch.columns import FAULT, RESERVED, ROW, exact_col, scan_names, unused_prefix
from ...batch.streaming import lazy_stream
from .columns import floats_of, parts_of, typed_records
from .kept import Kept
from .parser import parsed, portions_in
from .survey import Survey

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator
    from pathlib import Path

    from ...contract.contract import Contract
    from ...contract.policy import Policy
    from .columns import TypedRecords
    from .parser import Records
    from .survey import Field, Plan


def open_json_lines(path: Path, contract: Contract, policy: Policy) -> Batch:
    """Open a file of JSON lines by one reading of it; columns in the order of their first line."""
    survey = Survey(contract, policy, Kept(path))
    for lines in portions_in(path):
        survey.read(lines)
    if survey.rows == survey.malformed:
        # No line could have had a key, so none is missing.
        survey.add([column.name for column in contract.columns])
    keys = [name for name in survey.keys if name not in RESERVED]
    sources = scan_names(pa.schema([(name, pa.null()) for name in keys]))
    fields = [survey.keys[key].field(key, name) for key, name in zip(keys, sources, strict=True)]
    schema = pa.schema([pa.field(field.key, field.arrow) for field in fields])
    types = tuple((field.key, field.type_name) for field in fields)
    fault = unused_prefix(schema.names, FAULT)
    return Batch(
        info=file_facts(path, "json lines", schema).model_copy(update={"columns": types}),
        schema=schema,
        sources=sources,
        scan=_Lines(path, tuple(fields), fault, tuple(survey.plans), survey.kept).scan,
        rows=survey.rows,
        faults=fault,
        objects={f.column.source: f.probe.cells for f in fields if f.dtype is None},
    )


@dataclass(frozen=True)
class _Lines:
    path: Path
    fields: tuple[Field, ...]
    fault: str
    plans: tuple[Plan, ...]
    kept: Kept

    def scan(self) -> pl.LazyFrame:
        dtypes = {name: dtype for field in self.fields for name, dtype in field.dtypes.items()}
        schema = pl.Schema({ROW: pl.Int64(), **dtypes, self.fault: pl.String()})
        return lazy_stream(self._frames, schema, self.path, by_row=True)

    def _frames(self, columns: list[str], chosen: pl.Expr | None = None) -> Iterator[pl.DataFrame]:
        first, wanted = 0, frozenset(columns)
        fields = [field for field in self.fields if field.is_in(wanted)]
        for records in self._records(fields):
            rows = pl.int_range(first, first + len(records), eager=True).alias(ROW)
            first += len(rows)
            if chosen is not None and not rows.to_frame().filter(chosen).height:
                continue
            series = [rows, *_series(fields, records, wanted)]
            series.append(_faults(records).alias(self.fault))
            yield pl.DataFrame(series).select(map(exact_col, columns))

    def _records(self, fields: Iterable[Field]) -> Iterator[Records | TypedRecords]:
        # Judged cell by cell, 1.0 is not what 1 is.
        as_said = {field.key for field in fields if field.dtype is None}
        kept = self.kept.pieces()
        typed = (one.table.schema for one in kept or () if not isinstance(one, bytes))
        if kept is not None and not any(as_said & floats_of(schema) for schema in typed):
            yield from (parsed(one) if isinstance(one, bytes) else one for one in kept)
            return
        # A file that has grown is read on, to be refused by its number of rows.
        plans = chain(self.plans, repeat((None,)))
        for lines, plan in zip(portions_in(self.path), plans, strict=False):
            for part, expected in zip(parts_of(lines, len(plan)), plan, strict=False):
                usable = expected and not as_said & floats_of(expected)
                yield (typed_records(part, expected) if usable else None) or parsed(part)


def _faults(records: Records | TypedRecords) -> pl.Series:
    if not records.faults:
        return pl.repeat(None, len(records), dtype=pl.String, eager=True)
    return pl.Series(map(records.faults.get, range(len(records))), dtype=pl.String)


def _series(
    fields: Iterable[Field], records: Records | TypedRecords, wanted: Container[str]
) -> Iterable[pl.Series]:
    try:
        return [one for field in fields for one in field.series(records, wanted)]
    except (TypeError, OverflowError) as error:
        observed = "values of another kind than when it was opened"
        remedy = "Deliver the file by rename once complete."
        raise UnreadableError(observed, remedy, quoted=str(error)) from error
