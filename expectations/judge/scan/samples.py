"""Of each check the first rows that fail it, and the violation that shows them."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import polars as pl

from ...batch.columns import ROW, exact_col, unused_prefix
from ...batch.query import pieces_of
from ...conform.objects.kinds import code_of
from ...verdict.verdict import Violation
from ...wording import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...conform.row_check import RowCheck
    from ...contract.policy import Policy
    from ..file_result import FileResult

# Failing rows in which equal values are counted: more would be a second pass over the data.
_SAMPLED_ROWS = 100
# Where thousands of columns fail, the samples of the first must do.
_MOST_SAMPLES = 200
# Days around 1970 for which Python has dates, whatever the zone.
_CALENDAR = (-719_161, 2_932_895)
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_LONGEST_SAMPLE = 80
_KEY = "\x1fkey "


def first_failing(
    file: FileResult, failing: Sequence[tuple[RowCheck, int]], policy: Policy, first: int
) -> list[pl.DataFrame]:
    """Collect the first failing rows of each check, in one pass from the first to the last."""
    mark = unused_prefix((*file.batch.sources, ROW), "fails")
    found = [
        _Sample(f"{mark}{i}", check, count, policy) for i, (check, count) in enumerate(failing)
    ]
    wanted = [sample for sample in found[:_MOST_SAMPLES] if sample.missing]
    if wanted:
        fails = [sample.fails for sample in wanted]
        scanned = file.batch.scan().filter(pl.col(ROW) >= first) if first else file.batch.scan()
        marked = scanned.with_columns(sample.mask for sample in wanted)
        values = [value for sample in wanted for value in sample.values]
        kept = file.plan.kept if file.plan and not policy.redact else ()
        values += [cells.alias(f"{_KEY}{name}") for name, cells in kept]
        rows = marked.filter(pl.any_horizontal(fails)).select(pl.col(ROW), *fails, *values)
        for piece in pieces_of(rows):
            wanted = [sample for sample in wanted if sample.take(piece)]
            if not wanted:
                break
    return [sample.rows for sample in found]


class _Sample:
    """The first rows that fail a check, as far as they are found."""

    def __init__(self, name: str, check: RowCheck, count: int, policy: Policy) -> None:
        value = None if policy.redact else check.sample
        self.name = f"value of {name}"
        self.fails = exact_col(name)
        self.mask = check.mask.alias(name)
        self.values = [] if value is None else [value.alias(self.name)]
        self.missing = min(count, policy.sample_rows if value is None else _SAMPLED_ROWS)
        self.rows = pl.DataFrame(schema={ROW: pl.Int64})

    def take(self, piece: pl.DataFrame) -> int:
        """Take what is missing from the next rows that fail any check; give what is missing yet."""
        values = [pl.col(self.name).alias("value") for _ in self.values]
        keys = [exact_col(name) for name in piece.columns if name.startswith(_KEY)]
        failing = piece.filter(self.fails).select(pl.col(ROW), *values, *keys).head(self.missing)
        if failing.height:
            self.rows = pl.concat([self.rows, failing]) if self.rows.height else failing
            self.missing -= failing.height
        return self.missing


def violation_of(check: RowCheck, count: int, sample: pl.DataFrame, policy: Policy) -> Violation:
    """State what a check found, with some of the rows that fail it."""
    most = policy.sample_rows
    distinct = Counter(_shown(sample["value"]) if "value" in sample.columns else ())
    return Violation(
        kind=check.kind,
        column=check.column,
        expected=check.expected,
        observed=check.observed,
        remedy=check.remedy,
        because=check.because,
        count=count,
        rows=tuple(sample[ROW][:most].to_list()),
        sample=tuple(distinct)[:most],
        sample_counts=tuple(distinct.values())[:most],
        kept={
            column.name.removeprefix(_KEY): tuple(_shown(column.head(most)))
            for column in sample
            if column.name.startswith(_KEY)
        },
        severity=check.severity,
        expectation=check.expectation,
        engine=check.engine,
        statistic=check.statistic,
    )


def _shown(cells: pl.Series) -> Iterator[str]:
    for value in _listed(cells):
        yield cut("null" if value is None else code_of(value), _LONGEST_SAMPLE)


def _listed(values: pl.Series) -> list[object]:
    """List values as Python has them; instants beyond its calendar as the numbers they are."""
    if values.dtype.is_nested():
        try:
            values.to_arrow().to_pylist()
        except (ValueError, OverflowError):
            # Polars panics, or raises, over such an instant within a nested value.
            return values.to_physical().to_list()
    if not isinstance(values.dtype, pl.Date | pl.Datetime):
        return values.to_list()
    numbers = values.to_physical()
    day = _A_DAY[values.dtype.time_unit] if isinstance(values.dtype, pl.Datetime) else 1
    known = (numbers // day).is_between(*_CALENDAR)
    return [values[i] if known[i] else numbers[i] for i in range(len(values))]
