"""The columns of a text file as values: parsed by stages, each for all of them at once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import reduce
from itertools import zip_longest
from typing import TYPE_CHECKING

import polars as pl

from .arrivals import arrival, mark_beside
from .batch import exactly
from .conforming import null_where_stated
from .parsing import PARSERS, Parsed, Stage, parse_column
from .types import Scalar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .batch import Batch
    from .contract import Column
    from .policy import Policy

_PARSED = "\x1fparsed"


def with_values(batch: Batch, pairs: Iterable[tuple[Column, int]], policy: Policy) -> Batch:
    """Have a file of text scanned with what its cells stand for.

    Args:
        batch: The opened file, whose text stands for values.
        pairs: Columns of the contract, with the position of the arriving column that serves each.
        policy: Says which texts are null, and decides about zones and decimals.

    Returns:
        The batch, whose scan has further columns, and which says where the values of a source are.
    """
    mark = mark_beside(batch.sources, _PARSED)
    staged, parsed = list[list[Stage]](), dict[str, Parsed]()
    for column, position in pairs:
        # Numbers of JSON are numbers, though its datetimes are text.
        is_text = arrival(batch.schema.field(position).type) == "string"
        if is_text and isinstance(column.type, Scalar) and column.type.name in PARSERS:
            source, prefix = batch.sources[position], f"{mark} {position} "
            cell = null_where_stated(exactly(source), policy)
            stages, values = parse_column(cell, column.type.name, policy, prefix)
            staged.append(stages)
            parsed[source] = values
    stages = tuple(
        [made.alias(name) for stage in together for name, made in stage.items()]
        for together in zip_longest(*staged, fillvalue={})
    )
    return replace(batch, scan=_Staged(batch.scan, stages), parsed=parsed)


@dataclass(frozen=True)
class _Staged:
    scan: Callable[[], pl.LazyFrame]
    stages: tuple[list[pl.Expr], ...]

    def __call__(self) -> pl.LazyFrame:
        return reduce(pl.LazyFrame.with_columns, self.stages, self.scan())
