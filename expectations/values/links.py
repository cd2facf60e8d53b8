"""Which columns go together, and how closely they do in a batch."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from .column_values import ColumnValues, Link
from .measures import lower_half

# Columns that agree, or disagree, in so large a share of rows go together.
_TOGETHER = 0.3
_FEWEST_LINKED = 100


def linked(sample: pl.DataFrame, columns: dict[str, ColumnValues]) -> dict[str, ColumnValues]:
    """Find for each column the one with which it goes most, in either direction."""
    halves = dict[str, pl.Series]()
    for name, column in columns.items():
        if column.kind in ("number", "truth") and column.nulls < column.rows and not column.grows:
            halves[name] = lower_half(sample[name].alias(""), column)
    if not halves or sample.height < _FEWEST_LINKED:
        return columns
    signs = np.column_stack([_signs(half) for half in halves.values()])
    agreement = np.abs(_correlations(signs))
    found, names = dict(columns), list(halves)
    for place, name in enumerate(names):
        best = int(agreement[place].argmax())
        if agreement[place, best] >= _TOGETHER:
            found[name] = columns[name].model_copy(update={"link": Link(names[best])})
    for name, column in columns.items():
        if column.kind == "text" and len(column.codes) > 1:
            found[name] = _text_link(name, sample[name], columns, halves)
    return found


def _signs(half: pl.Series) -> np.ndarray[Any, Any]:
    return half.cast(pl.Float64).fill_null(half.mean() or 0.0).to_numpy()  # pyright: ignore[reportArgumentType]


def _correlations(signs: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    centred = signs - signs.mean(axis=0)
    norms = np.sqrt((centred**2).sum(axis=0))
    scaled = np.divide(centred, norms, out=np.zeros_like(centred), where=norms > 0)
    found = scaled.T @ scaled
    np.fill_diagonal(found, 0.0)
    return found


def _text_link(
    name: str, cells: pl.Series, columns: dict[str, ColumnValues], halves: dict[str, pl.Series]
) -> ColumnValues:
    """Find the column whose halves the values of a column of text tell apart best."""
    best, strength = None, _TOGETHER
    for partner, half in halves.items():
        pairs = pl.DataFrame({"code": cells, "half": half}).drop_nulls()
        by_code = pairs.group_by("code").agg(pl.col("half").mean(), pl.len())
        middle = pairs["half"].mean() or 0.0
        codes = by_code.filter(pl.col("half") > middle)["code"]
        is_low = pairs["code"].is_in(codes.implode())
        agreement = abs(
            _correlations(np.column_stack([_signs(is_low), _signs(pairs["half"])]))[0, 1]
        )
        if agreement > strength:
            best, strength = Link(partner, tuple(sorted(codes))), agreement
    return columns[name].model_copy(update={"link": best})
