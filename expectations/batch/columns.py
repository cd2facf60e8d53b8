"""Names of columns: reserved, unique and exact ones, and row positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    import polars as pl

# Columns of our own output: a batch that was split before carries them, and judging strips them.
RESERVED = ("_row", "_violations")


# Begins the name of the column that says why a record is malformed.
FAULT = "\x1ffault"


def deduplicate(names: list[str]) -> list[str]:
    """Tell apart columns that arrived under one name: the second ``a`` becomes ``a#2``."""
    taken, distinct = set(names), list[str]()
    for position, name in enumerate(names):
        turn = names[:position].count(name) + 1 if len(taken) < len(names) else 1
        candidate = name if turn == 1 else f"{name}#{turn}"
        while turn > 1 and candidate in taken:
            candidate += "#"
        taken.add(candidate)
        distinct.append(candidate)
    return distinct


def unused_prefix(names: Iterable[str], mark: str) -> str:
    """Lengthen a mark until no name begins with it, so that columns of ours can."""
    names = tuple(names)
    while any(name.startswith(mark) for name in names):
        mark += mark[0]
    return mark


ROW = "_row"


def scan_names(schema: pa.Schema) -> tuple[str, ...]:
    """Give each column of a schema a name of its own, and one to that without a name."""
    names = deduplicate(schema.names)
    return tuple(name or unused_prefix(names, "unnamed") for name in names)


def exact_col(name: str) -> pl.Expr:
    """Mean the column of this very name: Polars takes some, such as ``*``, for patterns."""
    import polars as pl

    # Selectors look at every column each time: with hundreds of columns that takes minutes.
    if name != "*" and not (name.startswith("^") and name.endswith("$")):
        return pl.col(name)
    import polars.selectors as cs

    return cs.by_name(name).as_expr()


def without_reserved(schema: pa.Schema) -> pa.Schema:
    """Leave out the columns that an earlier split added."""
    return pa.schema([field for field in schema if field.name not in RESERVED])


def with_row_number(frame: pl.LazyFrame, arrived: list[str]) -> pl.LazyFrame:
    """Put row positions in front, in place of reserved columns from an earlier split."""
    if stale := [name for name in arrived if name in RESERVED]:
        frame = frame.drop(stale)  # even a drop of nothing keeps Polars from skipping rows
    return frame.with_row_index(ROW)
