"""pandas, Polars and Arrow frames as batches."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import polars as pl
import pyarrow as pa

from .arrivals import MIXED
from .batch import Batch, columns_of, numbered, sources_of, without_reserved
from .errors import UnsupportedBatch
from .verdict import BatchFacts

if TYPE_CHECKING:
    import pandas as pd


def open_frame(frame: Any) -> Batch:
    """Open a frame that lies in memory.

    Args:
        frame: A ``pandas.DataFrame``, ``polars.DataFrame`` or ``LazyFrame``, ``pyarrow.Table`` or
            ``RecordBatch``.

    Returns:
        The batch; the frame itself is not copied where its memory can be shared.

    Raises:
        UnsupportedBatch: Another kind of object.
    """
    if isinstance(frame, pl.DataFrame | pl.LazyFrame):
        return _from_polars(frame)
    if isinstance(frame, pa.RecordBatch):
        return _from_arrow(pa.Table.from_batches([frame]), "arrow")
    if isinstance(frame, pa.Table):
        return _from_arrow(frame, "arrow")
    # Nobody holds a pandas frame without having imported pandas: judging others need not pay.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(frame, pandas.DataFrame):
        return _from_arrow(_pandas_to_arrow(frame), "pandas")
    msg = (
        f"cannot read a {type(frame).__module__}.{type(frame).__qualname__} as a batch. "
        "Hand over a path, or a pandas, Polars or Arrow frame."
    )
    raise UnsupportedBatch(msg)


def _from_polars(frame: pl.DataFrame | pl.LazyFrame) -> Batch:
    schema = frame.collect_schema()
    arrow = pa.schema([pa.field(name, _arrow_type(dtype)) for name, dtype in schema.items()])
    arrived = without_reserved(arrow)
    return Batch(
        facts=BatchFacts(name="polars frame", format="polars", columns=columns_of(arrived)),
        schema=arrived,
        sources=sources_of(arrived),
        scan=partial(numbered, frame.lazy(), schema.names()),
        rows=frame.height if isinstance(frame, pl.DataFrame) else None,
    )


def _arrow_type(dtype: pl.DataType) -> pa.DataType:
    try:
        return pl.Series([], dtype=dtype).to_arrow().type
    except (pl.exceptions.PolarsError, pa.ArrowException, TypeError, ValueError):
        return MIXED


def _from_arrow(table: pa.Table, kind: str) -> Batch:
    arrived = without_reserved(table.schema)
    kept = [i for i, name in enumerate(table.column_names) if name in arrived.names]
    sources = sources_of(arrived)
    readable = table.select(kept).rename_columns(list(sources))
    return Batch(
        facts=BatchFacts(name=f"{kind} frame", format=kind, columns=columns_of(arrived)),
        schema=arrived,
        sources=sources,
        scan=partial(_scan_table, readable),
        rows=table.num_rows,
    )


def _scan_table(table: pa.Table) -> pl.LazyFrame:
    return numbered(cast("pl.DataFrame", pl.from_arrow(table)).lazy(), [])


def _pandas_to_arrow(frame: pd.DataFrame) -> pa.Table:
    columns = [_column_to_arrow(frame.iloc[:, i]) for i in range(frame.shape[1])]
    names = [str(label) for label in frame.columns]
    fields = [pa.field(name, column.type) for name, column in zip(names, columns, strict=True)]
    table = pa.Table.from_arrays(columns, schema=pa.schema(fields))
    # A frame without columns still has rows, which Arrow would forget.
    return table if columns else pa.table({"_row": pa.nulls(len(frame))})


def _column_to_arrow(series: pd.Series) -> pa.Array[Any] | pa.ChunkedArray[Any]:
    # Only objects hold NaN in place of None; in a float column NaN is a value of its own.
    missing_are_null = series.dtype == object
    try:
        return pa.array(series, from_pandas=missing_are_null)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.nulls(len(series), MIXED)
