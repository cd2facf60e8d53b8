"""Learning a profile from rows that come in pieces, in one pass and bounded memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from .blocks import Blocks
from .column_values import LEVELS, MOST_CODES, ColumnValues, Spread
from .limits import RECENT
from .links import linked
from .measures import Measured, as_cells, kind_of, measure, runs
from .profile import ValueProfile
from .scales import scale_of
from .text_pattern import common_pattern

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .column_values import Kind

_FEWEST_ROWS = 20
# Blocks of which the others tell what one of them would have of codes that were never seen.
_FEWEST_ELSEWHERE = 4
BLOCK_ROWS = 1_000
# A value that stands apart from all others by so many times their range, and is not rare.
_APART = 3
_NOT_RARE = 0.001
_CODES_SHOWN = 20
# Radians between the smallest and the largest share of a block: a quarter circle is all there is.
_SATURATED = 0.8
_MANY = 0.1
# A key has no more nulls.
_HARDLY = 0.1
# Distinct numbers, each of which is larger than those before, and what is judged of such a column.
_FEWEST_STEPS = 3
_KEPT = {"null", "whole", "sentinel", "repeated"}


class Learner:
    """What is known of the rows so far: counts of all of them, and whole blocks of them."""

    def __init__(
        self,
        schema: Mapping[str, pl.DataType],
        block_rows: int = BLOCK_ROWS,
        *,
        by_batch: bool = False,
    ) -> None:
        """Take rows with these columns, in the model's types.

        They arrive so many at a time, or each batch is a block, ended by ``end_batch``.
        """
        self._kinds: dict[str, Kind] = {name: kind_of(dtype) for name, dtype in schema.items()}
        self._whole = {name for name, dtype in schema.items() if dtype.is_integer()}
        self._schema, self._rows = dict(schema), 0
        self._blocks = Blocks(len(schema), block_rows, by_batch=by_batch)
        self._nulls = dict.fromkeys(schema, 0)
        self._bounds = dict[str, tuple[float, float]]()
        self._codes: dict[str, dict[str, int]] = {
            name: {} for name, kind in self._kinds.items() if kind == "text"
        }

    @property
    def rows(self) -> int:
        """Rows so far."""
        return self._rows

    def add(self, frame: pl.DataFrame) -> None:
        """Learn from the next rows."""
        cells = {name: as_cells(self._of(frame, name), kind) for name, kind in self._kinds.items()}
        for name, column in cells.items():
            self._count(name, column)
        self._blocks.add(pl.DataFrame(cells))
        self._rows += frame.height

    def _of(self, frame: pl.DataFrame, name: str) -> pl.Series:
        """Take a column, which a batch may lack."""
        if name in frame.columns:
            return frame[name]
        return pl.repeat(None, frame.height, dtype=self._schema[name], eager=True)

    def end_batch(self) -> None:
        """End the block where each batch is one."""
        self._blocks.end_batch()

    def _count(self, name: str, cells: pl.Series) -> None:
        self._nulls[name] += cells.null_count()
        if self._kinds[name] in ("number", "time") and (low := cells.min()) is not None:
            low, high = float(low), float(cells.max())  # type: ignore[arg-type]
            before = self._bounds.get(name, (low, high))
            self._bounds[name] = min(before[0], low), max(before[1], high)
        elif name in self._codes:
            self._count_codes(name, cells.drop_nulls())

    def _count_codes(self, name: str, cells: pl.Series) -> None:
        counts = cells.value_counts(name="#")
        known = self._codes[name]
        for code, count in zip(counts.to_series(0), counts.to_series(1), strict=True):
            known[code] = known.get(code, 0) + count
        if len(known) > MOST_CODES:
            del self._codes[name]

    def profile(self, gate_version: str = "") -> ValueProfile:
        """Conclude from the rows so far."""
        sample = self._blocks.sample()
        columns = {name: self._column(name, sample) for name in sample.columns}
        blocks = self._blocks.cut(sample)
        columns = linked(blocks, columns)
        measured = [measure(block, columns) for block in blocks]
        for name, counts in self._codes.items():
            codes = _counted(sample[name]) if self._blocks.thinned else counts
            for block, found in zip(blocks, measured, strict=True):
                seen = found.get(name, {})
                if seen.pop("unseen", None) and len(blocks) >= _FEWEST_ELSEWHERE:
                    seen["unseen"] = _seen_nowhere_else(block[name], codes)
        spreads = _spreads(measured)
        for name, found in spreads.items():
            if not self._is_key(columns[name], sample[name], found):
                found.pop("repeated", None)
        return ValueProfile(
            rows=self._rows,
            blocks=len(blocks),
            block_rows=int(np.median([block.height for block in blocks])),
            columns={
                name: column.model_copy(
                    update={"spreads": _judged(spreads.get(name, {}), column, sample[name])}
                )
                for name, column in columns.items()
            },
            gate_version=gate_version,
        )

    def _is_key(
        self, column: ColumnValues, cells: pl.Series, spreads: Mapping[str, Spread]
    ) -> bool:
        """Tell whether a column is hardly ever null, and no value is twice in a batch, or at all.

        Of thinned blocks that is not known.
        """
        repeated = spreads.get("repeated")
        if not repeated or repeated.high or self._blocks.thinned:
            return False
        hardly_null = column.nulls <= _HARDLY * column.rows
        return hardly_null and (
            self._blocks.by_batch or bool(cells.alias("").drop_nulls().is_unique().all())
        )

    def _column(self, name: str, sample: pl.DataFrame) -> ColumnValues:
        kind, cells = self._kinds[name], sample[name].alias("").drop_nulls()
        found: dict[str, Any] = {"kind": kind, "rows": self._rows, "nulls": self._nulls[name]}
        if kind == "number" and cells.len():
            found |= _of_numbers(cells.to_numpy(), *self._bounds[name])
            found["whole"] = name in self._whole or found["whole"]
            found["grows"] = cells.is_sorted() and cells.n_unique() >= _FEWEST_STEPS
        elif kind == "time" and cells.len():
            found |= dict(zip(("low", "high"), self._bounds[name], strict=True))
            found["quantiles"] = _quantiles(cells.to_numpy())
        elif kind == "text" and cells.len():
            found["codes"] = dict(sorted(self._codes.get(name, {}).items(), key=lambda c: -c[1]))
            if not found["codes"]:
                found["quantiles"] = _quantiles(cells.str.len_chars().to_numpy())
                found["pattern"] = common_pattern(cells)
        return ColumnValues(**found)


def _of_numbers(values: np.ndarray[Any, Any], low: float, high: float) -> dict[str, Any]:
    sentinel = _sentinel(values)
    rest = values if sentinel is None else values[values != sentinel]
    if sentinel is not None:
        low, high = float(rest.min()), float(rest.max())
    return {
        "low": low,
        "high": high,
        "whole": bool(np.all(rest == np.floor(rest))),
        "quantiles": _quantiles(rest),
        "sentinel": sentinel,
    }


def _sentinel(values: np.ndarray[Any, Any]) -> float | None:
    """Find the smallest or largest value, if it is frequent and far from all others."""
    distinct, counts = np.unique(values, return_counts=True)
    if len(distinct) <= _FEWEST_ROWS:
        return None
    for place, near, far in ((0, 1, -1), (-1, -2, 0)):
        gap, span = abs(distinct[place] - distinct[near]), abs(distinct[near] - distinct[far])
        if gap > _APART * span and counts[place] >= max(3, _NOT_RARE * len(values)):
            return float(distinct[place])
    return None


def _quantiles(values: np.ndarray[Any, Any]) -> tuple[float, ...]:
    return tuple(float(value) for value in np.quantile(values, LEVELS, method="inverted_cdf"))


def _seen_nowhere_else(cells: pl.Series, codes: Mapping[str, int]) -> Measured:
    """Find the share of cells that would be unseen if their block had not been learned from."""
    here = cells.alias("").drop_nulls()
    alone = sum(n for code, n in _counted(here).items() if codes[code] == n)
    return Measured(alone / here.len(), here.len())


def _counted(cells: pl.Series) -> dict[str, int]:
    return dict(cells.alias("").drop_nulls().value_counts(name="#").iter_rows())


def _spreads(blocks: list[dict[str, Any]]) -> dict[str, dict[str, Spread]]:
    collected = dict[str, dict[str, list[Any]]]()
    for block in blocks:
        for column, statistics in block.items():
            for name, measured in statistics.items():
                collected.setdefault(column, {}).setdefault(name, []).append(measured)
    return {
        column: {name: _spread(name, found) for name, found in named.items()}
        for column, named in collected.items()
    }


def _judged(
    spreads: Mapping[str, Spread], column: ColumnValues, cells: pl.Series
) -> dict[str, Spread]:
    """Leave out rare codes, after which the domain looks, and shares that take nearly any value.

    A quantile jumps where many rows have one value: shares are looked at there.
    """
    left_out = {"median", "width"} if "median" in spreads and _jumps(cells) else set[str]()
    if column.grows:
        left_out = spreads.keys() - _KEPT
    return {
        name: spread
        for name, spread in spreads.items()
        if name not in left_out and _is_judged(name, spread)
    }


def _jumps(cells: pl.Series) -> bool:
    ordered = np.sort(cells.alias("").drop_nulls().to_numpy())
    return bool(runs(ordered).max() > _MANY * len(ordered))


def _is_judged(name: str, spread: Spread) -> bool:
    if name.startswith("code "):
        return spread.high >= scale_of(name).to(1 / _CODES_SHOWN)
    return not name.startswith("below_") or spread.high - spread.low <= _SATURATED


def _spread(name: str, found: list[Any]) -> Spread:
    """Take from the variance between blocks what sampling gives."""
    scale = scale_of(name)
    values = np.array([scale.to(measured.value) for measured in found])
    sampling = float(np.mean([scale.sampling / measured.rows for measured in found]))
    between, low, high = _beyond_sampling(values - values.mean(), sampling)
    step, down, up = _beyond_sampling(values[1:] - _middles_before(values), sampling)
    # Turned shares of few rows are not centred: that of all rows is.
    rows = [measured.rows for measured in found]
    mean = scale.to(float(np.average([measured.value for measured in found], weights=rows)))
    leap = max(-down, up)
    numbers = (mean, between, mean + low, mean + high, step, leap)
    return Spread(*(round(value, 4) for value in numbers))


def _middles_before(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Find the middle of the last few values before each but the first."""
    few = [np.median(values[:end]) for end in range(1, min(RECENT, len(values)))]
    if len(values) <= RECENT:
        return np.array(few)
    windows = np.lib.stride_tricks.sliding_window_view(values[:-1], RECENT)
    return np.concatenate([few, np.median(windows, axis=1)])


def _beyond_sampling(apart: Any, sampling: float) -> tuple[float, float, float]:
    """Return standard deviation, smallest and largest, shrunk to what sampling does not explain."""
    total = float(np.mean(apart**2)) if len(apart) else 0.0
    rest = math.sqrt(max(total - sampling, 0.0))
    shrunk = rest / math.sqrt(total) if total else 0.0
    ends = (float(apart.min()), float(apart.max())) if len(apart) else (0.0, 0.0)
    return rest, min(ends[0], 0.0) * shrunk, max(ends[1], 0.0) * shrunk
