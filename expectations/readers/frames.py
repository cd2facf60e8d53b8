"""pandas, Polars and Arrow frames as batches.

A column of Python objects becomes the typed column that says the same, if all its cells are of one
kind. If they are not, or if they are dictionaries and lists for a nested type, it is judged cell by
cell. Columns of types that only pandas or only Polars knows count as objects too.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

from ..batch.arrow_compat import is_readable, python_values, readable
from ..batch.arrow_types import type_name
from ..batch.batch import Batch
from ..batch.columns import RESERVED, scan_names, with_row_number
from ..conform.objects.column import (
    ObjectColumn,
    ScanColumns,
    arrow_type,
    scan_columns,
    target_columns,
)
from ..conform.objects.kinds import text_of
from ..conform.objects.scalars import ParseOptions
from ..contract.types import Anything
from ..errors import UnsupportedBatch
from ..verdict.verdict import BatchInfo

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from ..contract.contract import Contract
    from ..contract.policy import Policy

    _ArrowColumn = pa.Array[Any] | pa.ChunkedArray[Any]

# What neither Arrow nor a Parquet file can hold.
_ONLY_IN_POLARS = (pl.Object, pl.Int128, pl.UInt128)


@dataclass(frozen=True)
class _ArrivingColumn:
    """One column of a frame.

    Attributes:
        name: Its name.
        type_name: Its type in the frame's own words; None where these say only "objects".
        cells: Typed cells, a Polars type where the frame holds them itself, or Python objects.
    """

    name: str
    type_name: str | None
    cells: _ArrowColumn | pl.DataType | Sequence[Any]


def open_frame(frame: Any, contract: Contract, policy: Policy) -> Batch:
    """Open a frame that lies in memory, which is not copied where its memory can be shared."""
    if isinstance(frame, pa.RecordBatch):
        frame = pa.Table.from_batches([frame])
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        columns, typed = _of_polars(frame)
        return _batch("polars", columns, typed, contract, policy)
    if isinstance(frame, pa.Table):
        table = zip(frame.column_names, frame.columns, strict=True)
        columns = [_ArrivingColumn(name, str(column.type), column) for name, column in table]
        return _batch("arrow", columns, pl.DataFrame(height=frame.num_rows), contract, policy)
    # Nobody holds a pandas frame without having imported pandas: judging others need not pay.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        columns = _of_pandas(frame, contract, policy)
        return _batch("pandas", columns, pl.DataFrame(height=len(frame)), contract, policy)
    msg = (
        f"cannot read a {type(frame).__module__}.{type(frame).__qualname__} as a batch. Hand over "
        "a path, a pandas, Polars or Arrow frame, an ndarray, or a dictionary of ndarrays."
    )
    raise UnsupportedBatch(msg)


def _batch(
    kind: str,
    columns: Sequence[_ArrivingColumn],
    base: pl.DataFrame | pl.LazyFrame,
    contract: Contract,
    policy: Policy,
) -> Batch:
    columns = [column for column in columns if column.name not in RESERVED]
    names = [column.name for column in columns]
    sources = scan_names(pa.schema([pa.field(name, pa.null()) for name in names]))
    targets = target_columns(names, contract, policy)
    scanned = [
        _scan_columns(column, ObjectColumn(source, target and target.type, ParseOptions(policy)))
        for column, source, target in zip(columns, sources, targets, strict=True)
    ]
    frame = base.with_columns(cells for one in scanned for cells in one.cells)
    fields = [pa.field(name, one.arrow) for name, one in zip(names, scanned, strict=True)]
    types = tuple((name, one.said) for name, one in zip(names, scanned, strict=True))
    return Batch(
        info=BatchInfo(name=f"{kind} frame", format=kind, columns=types),
        schema=pa.schema(fields),
        sources=sources,
        scan=partial(_scan, frame.lazy(), [words for one in scanned for words in one.words]),
        rows=base.height if isinstance(base, pl.DataFrame) else None,
        objects={s: one.objects for s, one in zip(sources, scanned, strict=True) if one.objects},
    )


def _scan(frame: pl.LazyFrame, words: list[pl.Expr]) -> pl.LazyFrame:
    return with_row_number(frame, frame.collect_schema().names()).with_columns(words)


def _scan_columns(column: _ArrivingColumn, place: ObjectColumn) -> ScanColumns:
    cells = column.cells
    if isinstance(cells, pl.DataType):
        arrow = arrow_type(cells)
        return ScanColumns(arrow, type_name(arrow), ())
    if not isinstance(cells, pa.Array | pa.ChunkedArray):
        return scan_columns(place, cells, column.type_name)
    if isinstance(place.target, Anything) and not is_readable(cells.type):
        return scan_columns(place, python_values(cells), column.type_name)
    arrived: Any = {place.source: cells}
    table = readable(pa.table(arrived))
    series = cast("pl.DataFrame", pl.from_arrow(table)).to_series()
    return ScanColumns(cells.type, type_name(cells.type), (series,))


# ----- Polars -----


def _of_polars(
    frame: pl.DataFrame | pl.LazyFrame,
) -> tuple[list[_ArrivingColumn], pl.DataFrame | pl.LazyFrame]:
    schema = frame.collect_schema()
    foreign = [name for name, dtype in schema.items() if _only_in_polars(dtype)]
    # Objects are looked at now, and a lazy frame might give them in another order next time.
    whole = frame.collect() if foreign and isinstance(frame, pl.LazyFrame) else frame
    columns = [
        _ArrivingColumn(name, str(dtype), whole[name].to_list())
        if isinstance(whole, pl.DataFrame) and name in foreign
        else _ArrivingColumn(name, None, dtype)
        for name, dtype in schema.items()
    ]
    return columns, whole.drop(foreign)


def _only_in_polars(dtype: Any) -> bool:
    inner = [getattr(dtype, part) for part in ("inner", "key", "value") if hasattr(dtype, part)]
    inner += [field.dtype for field in getattr(dtype, "fields", ())]
    return dtype in _ONLY_IN_POLARS or any(map(_only_in_polars, inner))


# ----- pandas -----


def _of_pandas(frame: pd.DataFrame, contract: Contract, policy: Policy) -> list[_ArrivingColumn]:
    series = [frame.iloc[:, i] for i in range(frame.shape[1])]
    names = [text_of(label) or str(label) for label in frame.columns]
    # MLflow drops the index; a level of it counts where somebody asks for it by name.
    wanted = {*(column.name for column in contract.columns), *policy.keep, *policy.rename} - {
        *names
    }
    for number, label in enumerate(frame.index.names):
        if label is not None and str(label) in wanted:
            names.append(str(label))
            series.append(frame.index.get_level_values(number).to_series())
    return [_pandas_column(name, column) for name, column in zip(names, series, strict=True)]


def _pandas_column(name: str, column: pd.Series) -> _ArrivingColumn:
    type_name = None if column.dtype == object else str(column.dtype)
    return _ArrivingColumn(name, type_name, _pandas_cells(column))


def _pandas_cells(series: pd.Series) -> _ArrowColumn | list[Any]:
    kind = str(series.dtype)
    if kind.startswith("Sparse"):
        series = series.sparse.to_dense()
    byteorder = getattr(series.dtype, "byteorder", "=")
    if byteorder in "<>":
        native = cast("Any", series.dtype).newbyteorder("=")
        series = series.astype(native)
    if series.dtype == object:
        return series.tolist()
    try:
        return pa.array(series)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        # What Arrow has no type for: complex numbers, categories of several types …
        return series.astype(object).tolist()
