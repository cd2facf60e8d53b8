"""Which columns go together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from .column_values import ColumnValues, Link
from .measures import centred, correlations, scores
from .scales import scale_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .column_values import Numbers

# So closely at least, in the median block of many rows: as correlation.
_TOGETHER = 0.3
_FEWEST_ROWS = 50
# Codes that stand in fewer rows on average explain anything.
_ROWS_EACH = 5
# Rows of a usual batch, by which chance moves its correlations.
_BATCH, _NOTHING = 1_000, 1e-9


def linked(
    blocks: Sequence[pl.DataFrame], columns: dict[str, ColumnValues]
) -> dict[str, ColumnValues]:
    """Find for each column the one with which it goes most steadily, in either direction.

    Both have to do so within blocks: a fault is looked for in one batch. What goes up together from
    month to month does not show there that the rows of a batch are mixed up.
    """
    names = [
        name
        for name, column in columns.items()
        if column.kind in ("number", "truth") and column.nulls < column.rows and not column.grows
    ]
    if not names or sum(block.height for block in blocks) < _FEWEST_ROWS:
        return columns
    stand = [np.column_stack([scores(b[n], columns[n]) for n in names]) for b in blocks]
    partners = _partners(stand)
    found = {
        name: columns[name].model_copy(update={"link": Link(names[partners[place]])})
        for place, name in enumerate(names)
        if place in partners
    }
    apart = np.concatenate([centred(s) for s in stand])
    for name, column in columns.items():
        if column.kind == "text" and 1 < len(column.codes) <= len(apart) / _ROWS_EACH:
            cells = pl.concat([block[name] for block in blocks])
            found[name] = column.model_copy(update={"link": _of_text(cells, apart, names)})
    return {**columns, **found}


def _partners(stand: Sequence[Numbers]) -> dict[int, int]:
    scale = scale_of("goes_with")
    turned = np.array([np.arctanh(np.clip(correlations(s), -0.99, 0.99)) for s in stand])
    by_chance = np.mean([scale.sampling / max(len(s), 1) for s in stand])
    mean = np.abs(turned.mean(axis=0))
    between = np.maximum(turned.var(axis=0) - by_chance, 0.0)
    steady = np.where(np.tanh(mean) >= _TOGETHER, mean / np.sqrt(between + 1 / _BATCH), 0.0)
    return {n: int(row.argmax()) for n, row in enumerate(steady) if row.max() > 0}


def _of_text(cells: pl.Series, apart: Numbers, names: Sequence[str]) -> Link | None:
    """Find the column of whose variation within blocks the codes explain most."""
    frame = pl.DataFrame(apart, schema=[f"{n}" for n in range(len(names))])
    by_code = frame.with_columns(cells.alias("code")).drop_nulls("code").group_by("code")
    means = by_code.agg(pl.len().alias("rows"), pl.all().exclude("code").mean()).sort("code")
    here = means.drop("code", "rows").to_numpy()
    share = means["rows"].to_numpy()[:, None] / cells.len()
    all_of_it = np.maximum((apart**2).mean(axis=0), _NOTHING)
    # By chance alone codes explain something, the more of them the more.
    explained = (here**2 * share).sum(axis=0) / all_of_it - means.height / cells.len()
    best = int(explained.argmax())
    codes = means["code"].filter(pl.Series(here[:, best] > 0))
    return Link(names[best], tuple(codes)) if explained[best] >= _TOGETHER**2 else None
