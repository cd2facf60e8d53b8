"""What is measured of a column in a batch or block: shares of its rows, and where its middle is."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from .column_values import ColumnValues, Kind

    _Statistics = dict[str, "Measured"]
    _Cells = np.ndarray[Any, np.dtype[Any]]

_A_DAY = 86_400
_NARROWEST = 1e-3
# Of fewer values there is no middle half.
_FEWEST = 20
_FEWEST_PAIRS, _NO_NORM = 10, 1e-9


class Measured(NamedTuple):
    """A statistic, and of how many rows."""

    value: float
    rows: int


def kind_of(dtype: pl.DataType) -> Kind:
    """Tell how values of a type are looked at."""
    if dtype.is_numeric():
        return "number"
    if dtype == pl.Boolean:
        return "truth"
    if isinstance(dtype, pl.Datetime | pl.Date):
        return "time"
    is_text = isinstance(dtype, pl.String | pl.Categorical | pl.Enum)
    return "text" if is_text else "other"


def as_cells(cells: pl.Series, kind: Kind) -> pl.Series:
    """Put cells in the one type in which their kind is measured; null where one is missing."""
    cells = cells.alias("")  # what looks like a pattern names other columns
    if kind == "number":
        numbers = cells.cast(pl.Float64)
        if math.isfinite(numbers.sum()):
            return numbers
        # Infinity is missing too: it has no place on a scale, nor in JSON.
        return numbers.set(~numbers.is_finite(), None)
    if kind == "time" and not cells.dtype.is_float():
        return cells.cast(pl.Datetime("us")).to_physical().cast(pl.Float64) / 1e6
    if kind == "other":
        return cells.is_null().replace(True, None)
    return cells.cast(pl.String) if kind == "text" else cells


def measure(frame: pl.DataFrame, columns: Mapping[str, ColumnValues]) -> dict[str, _Statistics]:
    """Measure the statistics of each column of a frame that a profile knows.

    Args:
        frame: Rows in the model's types.
        columns: What was learned of them.

    Returns:
        For each column, its statistics by their names.
    """
    cells = {
        name: as_cells(frame.to_series(place), columns[name].kind)
        for place, name in enumerate(frame.columns)
        if name in columns
    }
    return {name: _measured(name, cells, columns) for name in cells}


def _measured(
    name: str, cells: Mapping[str, pl.Series], columns: Mapping[str, ColumnValues]
) -> _Statistics:
    column, all_cells = columns[name], cells[name]
    null = Measured(all_cells.null_count() / max(all_cells.len(), 1), all_cells.len())
    there = all_cells.drop_nulls() if null.value else all_cells
    if not there.len():
        return {"null": null}
    found = {"null": null, **_MEASURES[column.kind](there, column)}
    if column.link and column.link.partner in cells:
        other = columns[column.link.partner]
        found |= _goes_with(all_cells, column, cells[column.link.partner], other)
    return found


def _numbers(there: pl.Series, column: ColumnValues) -> _Statistics:
    values, count = there.to_numpy(), there.len()
    found = {
        "whole": Measured(float(np.mean(values == np.floor(values))), count),
        "zero": Measured(float(np.mean(values == 0)), count),
    }
    if column.sentinel is not None:
        stands_for = values == column.sentinel
        found["sentinel"] = Measured(float(stands_for.mean()), count)
        values = values[~stands_for]
    return {**found, **_up_to(values, column, "")}


def _up_to(values: _Cells, column: ColumnValues, prefix: str) -> _Statistics:
    count = len(values)
    if not count:
        return {}
    ordered, cuts = np.sort(values), column.cuts
    up_to = np.searchsorted(ordered, list(cuts.values()), "right") / count
    found = {
        f"{prefix}{name}": Measured(share, count)
        for name, share in zip(cuts, up_to.tolist(), strict=True)
    }
    if prefix:
        return found
    found |= _repetition(runs(ordered), count)
    if column.width and count >= _FEWEST:
        quarter, middle, three = (float(ordered[int(q * (count - 1))]) for q in (0.25, 0.5, 0.75))
        found["median"] = Measured((middle - column.quantile(0.5)) / column.width, count)
        width = max((three - quarter) / column.width, _NARROWEST)
        found["width"] = Measured(math.log(width), count)
    return found


def runs(ordered: _Cells) -> _Cells:
    """Count how often each value occurs."""
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    return np.diff(starts, append=len(ordered))


def _repetition(times: _Cells, count: int) -> _Statistics:
    """Find the share of the most frequent value, and of the values that were there before."""
    return {
        "spike": Measured(float(times.max()) / count, count),
        "repeated": Measured(1 - len(times) / count, count),
    }


def _truths(there: pl.Series, _: ColumnValues) -> _Statistics:
    return {"true": Measured(float(there.sum() / there.len()), there.len())}


def _times(there: pl.Series, _: ColumnValues) -> _Statistics:
    values, count = there.to_numpy(), there.len()
    at_midnight = float(np.mean(values % _A_DAY == 0))
    return {
        "midnight": Measured(at_midnight, count),
        **_repetition(runs(np.sort(values)), count),
    }


def _texts(there: pl.Series, column: ColumnValues) -> _Statistics:
    count = there.len()
    counts = there.value_counts(name="#")
    times = dict(zip(counts.to_series(0), counts.to_series(1), strict=True))
    found = _repetition(counts.to_series(1).to_numpy(), count)
    if column.codes:
        known = {f"code {code}": times.get(code, 0) for code in column.codes}
        judged = column.spreads or known  # all of them while it is learned
        found |= {name: Measured(n / count, count) for name, n in known.items() if name in judged}
        if not column.closed:
            found["unseen"] = Measured(1 - sum(known.values()) / count, count)
    else:
        found |= _up_to(there.str.len_chars().to_numpy(), column, "length_")
    return found


def _goes_with(
    cells: pl.Series, column: ColumnValues, others: pl.Series, other: ColumnValues
) -> _Statistics:
    """Find how far both columns go together: the correlation of where their values stand."""
    pair = np.column_stack([scores(cells, column), scores(others, other)])
    pair = pair[~np.isnan(pair).any(axis=1)]
    if len(pair) < _FEWEST_PAIRS:
        return {}
    return {"goes_with": Measured(float(correlations(pair)[0, 1]), len(pair))}


def scores(cells: pl.Series, column: ColumnValues) -> _Cells:
    """Tell where cells stand among those learned, from 0 to 1; NaN where one is missing."""
    cells = cells.alias("")  # what looks like a pattern names other columns
    if column.kind == "text":
        cells = cells.is_in(list(column.link.codes if column.link else ()))
    values = cells.cast(pl.Float64).to_numpy()
    return column.shares_up_to(values) if column.kind == "number" else values


def correlations(values: _Cells) -> _Cells:
    """Correlate columns with each other; 0 with itself, and where one has the same value always."""
    apart = centred(values)
    norms = np.sqrt((apart**2).sum(axis=0))
    scaled = np.divide(apart, norms, out=np.zeros_like(apart), where=norms > _NO_NORM)
    found = scaled.T @ scaled
    np.fill_diagonal(found, 0.0)
    return found


def centred(values: _Cells) -> _Cells:
    """Take from each column its mean; 0 where a value is missing."""
    there = ~np.isnan(values)
    means = np.where(there, values, 0.0).sum(axis=0) / np.maximum(there.sum(axis=0), 1)
    return np.where(there, values - means, 0.0)


_MEASURES: dict[Kind, Callable[[pl.Series, ColumnValues], _Statistics]] = {
    "number": _numbers,
    "truth": _truths,
    "time": _times,
    "text": _texts,
    "other": lambda *_: {},
}
