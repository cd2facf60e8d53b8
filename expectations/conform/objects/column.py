"""Columns of Python objects within a batch: how they are carried, judged and handed over.

Such a column stands in the scan three times: in the form that conformed cells take, as bits that
say what is wrong with the cells that have no such form, and as the objects themselves, from which
samples, rejected rows and what the model receives are made.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import polars as pl
import pyarrow as pa

from ...batch.arrow_compat import is_readable
from ...batch.arrow_types import type_name
from ...batch.batch import ObjectCells
from ...contract.types import Anything
from .groups import to_typed
from .kinds import is_missing, kind_of, kinds_of, text_of, words_for
from .nested import dtype_of, judge_objects
from .scalars import STRUCTURAL, ConvertedSeries, ParseOptions, bit_of

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from ...contract.contract import Column, Contract
    from ...contract.policy import Policy
    from ...contract.types import Type

_FIRST_LOOK = 256
# Half a surrogate pair: no encoding has it, and pandas makes no column of it.
_NO_TEXT = bit_of("not_representable")
# As producers of Arrow name them; Polars always writes the large forms.
_NARROW: dict[pl.DataType, pa.DataType] = {pl.String(): pa.string(), pl.Binary(): pa.binary()}


def target_columns(names: Sequence[str], contract: Contract, policy: Policy) -> list[Column | None]:
    """Find the column of the contract that each arriving column serves."""
    if not contract.named:
        spare = [None] * max(0, len(names) - len(contract.columns))
        return [*contract.columns[: len(names)], *spare]
    wanted: dict[str, Column] = {column.name: column for column in contract.columns}
    return [wanted.pop(policy.rename.get(name, name), None) for name in names]


@dataclass(frozen=True)
class ObjectColumn:
    """One arriving column of objects.

    Attributes:
        source: Its name in the scan.
        target: The type that it is to take; None if it serves no column of the contract.
        reading: How its objects are to be understood.
    """

    source: str
    target: Type | None
    reading: ParseOptions

    @property
    def cells(self) -> ObjectCells:
        """Where the scan has its objects and their faults."""
        faults = None if self.target is None else f"{self.source}\x1ffaults"
        return ObjectCells(f"{self.source}\x1fobjects", faults, self.words())

    @property
    def dtypes(self) -> dict[str, pl.DataType]:
        """The scan's columns for it, with their types."""
        dtype = pl.String() if self.target is None else dtype_of(self.target)
        dtypes: dict[str, pl.DataType] = {self.source: dtype, self.cells.objects: pl.Object()}
        return dtypes | ({self.cells.faults: pl.UInt32()} if self.cells.faults else {})

    def series(self, values: Sequence[Any], wanted: Container[str]) -> list[pl.Series]:
        """Make the scan's columns for some rows."""
        made = dict[str, pl.Series]()
        if self.source in wanted or (self.cells.faults or "") in wanted:
            judged = self.judge(values)
            made[self.source] = judged.cells
            if self.cells.faults:
                made[self.cells.faults] = pl.Series(judged.faults)
        if self.cells.objects in wanted:
            made[self.cells.objects] = pl.Series(values, dtype=pl.Object)
        return [cells.alias(name) for name, cells in made.items() if name in wanted]

    def judge(self, values: Sequence[Any]) -> ConvertedSeries:
        """Bring objects into the form of the target; into words, where there is none."""
        policy = self.reading.policy
        if self.target is None or isinstance(self.target, Anything):
            missing = is_missing if policy.nan == "null" else _is_null
            texts = [None if missing(value) else self.text(value) for value in values]
            pairs = zip(values, texts, strict=True)
            faults = [_NO_TEXT if isinstance(v, str) and v != text else 0 for v, text in pairs]
            return ConvertedSeries(pl.Series(texts, dtype=pl.String), np.array(faults, np.uint32))
        if policy.null_values:
            nulls = set(policy.null_values)
            values = [None if _stands_for_null(value, nulls) else value for value in values]
        return judge_objects(values, self.target, self.reading)

    def text(self, value: Any) -> str | None:
        """Put one object into words; what came from JSON into JSON, but for text itself."""
        if self.reading.json and isinstance(value, bool | dict | list):
            return json.dumps(value, ensure_ascii=False, default=str)
        return text_of(value)

    def words(self) -> pl.Expr:
        """Select the objects in words, under the column's own name."""

        def in_words(objects: pl.Series) -> pl.Series:
            return pl.Series(map(self.text, objects.to_list()), dtype=pl.String)

        objects = pl.col(f"{self.source}\x1fobjects")
        words = objects.map_batches(in_words, return_dtype=pl.String, is_elementwise=True)
        return words.alias(self.source)


def _stands_for_null(value: Any, nulls: set[str]) -> bool:
    if isinstance(value, dt.date):
        return bool({value.isoformat(), str(value), str(value).removesuffix(" 00:00:00")} & nulls)
    return isinstance(value, str | int | float) and str(value) in nulls


def _is_null(value: Any) -> bool:
    return kind_of(value) == "null"


@dataclass
class ColumnProbe:
    """Whether any cell of a column conforms, found out piece by piece.

    Attributes:
        column: The column.
        kinds: What its cells are, as far as they were seen.
        any_convertible: Whether a cell was seen that can take the target's form.
    """

    column: ObjectColumn
    kinds: set[str] = field(default_factory=set)
    any_convertible: bool = False

    def look(self, values: Sequence[Any]) -> None:
        """Look at some more cells; at no more of them than needed."""
        self.kinds |= kinds_of(values)
        for part in (values[:_FIRST_LOOK], values[_FIRST_LOOK:]):
            if not self.any_convertible and len(part):
                judged = self.column.judge(part)
                good = (judged.faults & STRUCTURAL) == 0
                self.any_convertible = bool(
                    np.any(good & [not is_missing(value) for value in part])
                )

    @property
    def cells(self) -> ObjectCells:
        """Its place in the scan; unconvertible if it has cells and none conforms by type."""
        cells, target = self.column.cells, self.column.target
        never = isinstance(target, Anything) or not self.kinds - {"null"}
        return replace(cells, unconvertible=not never and not self.any_convertible)


class ScanColumns(NamedTuple):
    """A column of objects that lie in memory.

    Attributes:
        arrow: Arrow type of the cells that stand under its name.
        said: What it arrived as, for a reader of a report.
        cells: Its columns in the scan.
        words: Those that are made only where they are asked for.
        objects: Where they are; None for a column that lost nothing by being typed.
    """

    arrow: pa.DataType
    said: str
    cells: tuple[pl.Series, ...]
    words: tuple[pl.Expr, ...] = ()
    objects: ObjectCells | None = None


def scan_columns(column: ObjectColumn, values: Sequence[Any], said: str | None) -> ScanColumns:
    """Carry objects that lie in memory: typed if they are of one kind, else cell by cell."""
    twin = to_typed(values)
    if twin is None and column.target is None:
        twin = _typed_lists(values)
    if twin is None:
        return _carry_mixed(column, values, said)
    arrow = _NARROW.get(twin.dtype) or arrow_type(twin.dtype)
    cells, objects = [twin.alias(column.source)], replace(column.cells, faults=None)
    if not isinstance(column.target, Anything):
        return ScanColumns(arrow, said or type_name(arrow), tuple(cells))
    cells.append(pl.Series(objects.objects, values, dtype=pl.Object))
    return ScanColumns(arrow, said or type_name(arrow), tuple(cells), (), objects)


def _carry_mixed(column: ObjectColumn, values: Sequence[Any], said: str | None) -> ScanColumns:
    kinds = words_for(kinds_of(values) - {"null"})
    said = said or f"mixed Python objects ({kinds})"
    if column.target is None:
        objects = pl.Series(column.cells.objects, values, dtype=pl.Object)
        return ScanColumns(pa.string(), said, (objects,), (column.cells.words,))
    outlook = ColumnProbe(column)
    outlook.look(values)
    made = column.series(values, column.dtypes)
    return ScanColumns(
        arrow_type(column.dtypes[column.source]), said, tuple(made), (), outlook.cells
    )


def _typed_lists(values: Sequence[Any]) -> pl.Series | None:
    """Type a column of lists that serves nobody: carried along, it should stay one of lists."""
    if not kinds_of(values) <= {"list", "ndarray", "null"}:
        return None
    try:
        made = pa.array(values, from_pandas=True)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return None
    return cast("pl.Series", pl.from_arrow(made)) if is_readable(made.type) else None


def arrow_type(dtype: pl.DataType) -> pa.DataType:
    """Name a Polars type in Arrow's words."""
    return pl.Series([], dtype=dtype).to_arrow().type
