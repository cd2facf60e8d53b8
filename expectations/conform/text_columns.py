"""Columns of text as values: parsed by stages, each for all of them at once."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest
from typing import TYPE_CHECKING

from ..batch.arrow_types import source_kind
from ..batch.batch import ParsedText
from ..batch.columns import exact_col, unused_prefix
from ..batch.streaming import WithColumns
from ..contract.types import Scalar
from .nulls import null_where_stated
from .text import PARSERS, Stage, parse_column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..batch.batch import Batch
    from ..contract.contract import Column
    from ..contract.policy import Policy

_PARSED = "\x1fparsed"


def with_values(batch: Batch, pairs: Iterable[tuple[Column, int]], policy: Policy) -> Batch:
    """Let the scan of a file parse text into the values of the columns that it stands for."""
    if not (batch.text or batch.texts or policy.parse_text == "allow"):
        return batch
    mark = unused_prefix(batch.sources, _PARSED)
    unquoted = batch.info.format != "csv" or policy.csv.quoted_empty == "value"
    nulls = policy.null_values if unquoted else (*policy.null_values, "")
    staged, parsed = list[list[Stage]](), dict[str, ParsedText]()
    for column, position in pairs:
        source, prefix = batch.sources[position], f"{mark} {position} "
        # Numbers of JSON are numbers, though its datetimes are text; objects are judged by cell.
        is_text = source_kind(batch.schema.field(position).type) == "string"
        is_text &= batch.is_text(source) or policy.parse_text == "allow"
        is_parsed = is_text and source not in batch.objects
        if is_parsed and isinstance(column.type, Scalar) and column.type.name in PARSERS:
            cell = null_where_stated(exact_col(source), nulls)
            stages, values = parse_column(cell, column.type.name, policy, prefix)
            staged.append(stages)
            parsed[source] = values
    stages = tuple(
        [expr.alias(name) for stage in columns for name, expr in stage.items()]
        for columns in zip_longest(*staged, fillvalue={})
    )
    return replace(batch, scan=WithColumns(batch.scan, stages), parsed=parsed) if parsed else batch


def with_values_like(batch: Batch, other: Batch) -> Batch:
    """Let the scan of a file parse text as that of another file of the same columns does."""
    if not other.parsed or not isinstance(other.scan, WithColumns):
        return batch
    return replace(batch, scan=replace(other.scan, scan=batch.scan), parsed=other.parsed)
