"""Concatenate the rows of several files whose columns differ."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import exact_col
from ..conform.objects.kinds import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence


def concat_rows(frames: Sequence[pl.LazyFrame]) -> pl.LazyFrame:
    """Concatenate frames; columns that no common type holds unchanged become text."""
    if len(frames) == 1:
        return frames[0]
    schemas = [frame.collect_schema() for frame in frames]
    dtypes = dict[str, dict[pl.DataType, None]]()
    for schema in schemas:
        for name, dtype in schema.items():
            dtypes.setdefault(name, {})[dtype] = None
    incompatible = {name for name, kinds in dtypes.items() if not _have_common_type(list(kinds))}
    compatible = (
        frame.with_columns(_as_text(name) for name in schema.names() if name in incompatible)
        for frame, schema in zip(frames, schemas, strict=True)
    )
    return pl.concat(compatible, how="diagonal_relaxed")


def in_columns(frame: pl.DataFrame, schema: pl.Schema) -> pl.DataFrame:
    """Give rows of one file the columns and types that those of all files have."""
    own = frame.select(exact_col(name) for name in schema if name in frame.columns)
    if own.schema == schema:
        return own
    return concat_rows([pl.LazyFrame(schema=schema), own.lazy()]).collect()


def _have_common_type(dtypes: Sequence[pl.DataType]) -> bool:
    if len(dtypes) == 1:
        return True
    try:
        empty = [pl.DataFrame(schema={"cell": dtype}) for dtype in dtypes]
        common = pl.concat(empty, how="vertical_relaxed").schema["cell"]
    except pl.exceptions.PolarsError:
        return False
    texts = (pl.String, pl.Categorical, pl.Enum, pl.Null)
    if common == pl.String:
        return all(isinstance(dtype, texts) for dtype in dtypes)
    return not (common.is_float() and any(dtype.is_integer() for dtype in dtypes))


def _as_text(name: str) -> pl.Expr:
    def texts(cells: pl.Series) -> pl.Series:
        return pl.Series(map(text_of, cells.to_list()), dtype=pl.String)

    return exact_col(name).map_batches(texts, return_dtype=pl.String, is_elementwise=True)
