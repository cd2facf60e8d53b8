"""What rejected rows have in common: a value, a range, a run of rows, a file.

Some rejected rows suggest conditions, and one more pass counts these over all rows. What the
violations themselves are about is no cause, nor is what chance explains.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import combinations, groupby
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.cell_conditions import Condition, is_beyond_chance, suggested
from ..batch.columns import ROW, unused_prefix
from ..batch.query import READ_ERRORS, collect
from ..batch.streaming import ReadAtPlaces
from ..errors import BatchUnavailable
from ..verdict.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .batch_result import BatchResult
    from .file_result import FileResult

    # Rows that meet some of the conditions, by their positions, and the rejected ones among them.
    _Counts = dict[tuple[int, ...], tuple[int, int]]

# Of fewer rejected rows nothing is said.
_FEWEST = 5
_NEARLY_ALL, _FEW = 0.95, 0.1
_SAMPLED, _MOST_ROWS, _MOST_COLUMNS = 200, 5_000, 200
# Rows that are read around the first rejected one at least; one part of so many if need be.
_AROUND, _PARTS = 25_000, 8
_MOST_CONDITIONS, _MOST_CAUSES = 4, 3
# How likely random rejections may have any cause at all.
_CHANCE = 1e-3
_BAD, _IN_FILE, _PATH = "bad", "in file", "\x1fpath"


def find_causes(result: BatchResult, *, redact: bool) -> tuple[Cause, ...]:
    """Find what nearly all rejected rows and few accepted ones have in common, the best first."""
    rows = result.row_count
    if not (result.planned and rows and _FEWEST <= result.rejected < rows):
        return ()
    # The verdict stands, even if the batch went away meanwhile.
    with suppress(*READ_ERRORS, BatchUnavailable):
        return tuple(_Search(result, rows).causes(redact=redact))
    return ()


class _Search:
    """The search for what the rejected rows of a batch have in common."""

    def __init__(self, result: BatchResult, rows: int) -> None:
        self.files, self.rows, self.rejected = result.files, rows, result.rejected
        self.accepted = rows - self.rejected
        self.needed = self.rejected - int(self.rejected * (1 - _NEARLY_ALL))
        self.with_bad = [file for file in self.files if file.rejected]
        most = max(self.with_bad, key=lambda file: file.rejected)
        self.culprit = most if len(self.files) > 1 and most.rejected >= self.needed else None
        found = {(v.kind, v.column) for file in self.files for v in file.row_violations}
        plans = {id(file.plan): file.plan for file in self.files if file.plan}
        self.ends = dict[int, tuple[int, int]]()
        self.failing = {
            key: [c for c in plan.row_checks if c.blocks and (c.kind, c.column) in found]
            for key, plan in plans.items()
        }
        checks = [check for checks in self.failing.values() for check in checks]
        rules = [result.rules[check.rule][0] for check in checks if check.rule is not None]
        own = {check.column for check in checks} | {n for rule in rules for n in rule.columns}
        # A record that is malformed has no cells at all.
        has_cells = all(check.kind != "malformed_row" for check in checks)
        self.cells = {id(f.plan): _cells(f) if has_cells else {} for f in reversed(self.files)}
        names = dict.fromkeys(name for cells in self.cells.values() for name in cells)
        self.names = [name for name in names if name not in own][:_MOST_COLUMNS]

    def causes(self, *, redact: bool) -> Iterator[Cause]:
        """Suggest conditions, count them, and state the best."""
        conditions = self._suggested(self._sample())
        counts = self._counted(conditions) if conditions else {}
        for each in self._best(counts):
            chosen, (rows, rejected) = [conditions[i] for i in each], counts[each]
            yield Cause(
                conditions=tuple(c.words(redact=redact) for c in chosen if not c.place),
                places=tuple(c.place for c in chosen if c.place),
                columns=tuple(c.column for c in chosen if not c.place),
                rejected=rejected,
                of=self.rejected,
                rows=rows,
            )

    # ----- passes over the batch -----

    def _exprs(self, file: FileResult) -> list[pl.Expr]:
        masks = [check.mask for check in self.failing[id(file.plan)]]
        cells = self.cells[id(file.plan)]
        return [
            pl.col(ROW),
            pl.any_horizontal(pl.lit(value=False), *masks).alias(_BAD),
            pl.lit(file is self.culprit).alias(_IN_FILE),
            *(cells.get(n, pl.lit(None)).alias(f"cell {i}") for i, n in enumerate(self.names)),
        ]

    def _sample(self) -> pl.DataFrame:
        """Take rejected rows, from the first on, and some accepted ones around them."""
        found = list[pl.DataFrame]()
        for file in sorted(self.with_bad, key=lambda file: file is not self.culprit):
            found.append(self._sample_of(file))
            if sum(int(rows[_BAD].sum()) for rows in found) >= _SAMPLED:
                break
        return pl.concat(found, how="vertical_relaxed")

    def _sample_of(self, file: FileResult) -> pl.DataFrame:
        low, high = self._ends(file)
        needed = 2 * _SAMPLED * (high - low) // file.rejected
        few = max(_AROUND, min(needed, self.rows // _PARTS))
        rows = self._some(file, *self._around(file, max(0, low - _AROUND), low + few))
        if rows[_BAD].sum() >= min(2 * _FEWEST, file.rejected):
            return rows
        # Most lie far behind the first, or rows have other numbers than their positions.
        return self._some(file, file.batch.scan(), file.row_count or 1)

    def _ends(self, file: FileResult) -> tuple[int, int]:
        """Find the first rejected row and the last, by the columns that were at fault alone."""
        if id(file) not in self.ends:
            self.ends[id(file)] = file.run or self._read_ends(file)
        return self.ends[id(file)]

    def _read_ends(self, file: FileResult) -> tuple[int, int]:
        masks = [check.mask for check in self.failing[id(file.plan)]]
        numbers = pl.when(pl.any_horizontal(pl.lit(value=False), *masks)).then(ROW)
        rows = file.batch.scan().select(numbers.min().alias("low"), numbers.max().alias("high"))
        low, high = collect(rows).row(0)
        return low or 0, high or 0  # what changed meanwhile may have none

    def _around(self, file: FileResult, first: int, last: int) -> tuple[pl.LazyFrame, int]:
        """Scan some rows by their positions, and say how many there are."""
        scan, height = file.batch.scan, last + 1 - first
        places = scan.places([(first, height)]) if isinstance(scan, ReadAtPlaces) else None
        (rows,) = places or [file.batch.scan().head(last + 1).filter(pl.col(ROW) >= first)]
        return rows, height

    def _some(self, file: FileResult, rows: pl.LazyFrame, height: int) -> pl.DataFrame:
        number = pl.col(ROW).hash()
        is_chosen = (
            pl.when(_BAD)
            .then(number % max(1, file.rejected // _MOST_ROWS) == 0)
            .otherwise(number % max(1, height // _MOST_ROWS) == 0)
        )
        return collect(file.numbered(rows).select(self._exprs(file)).filter(is_chosen))

    def _parts(self) -> Iterator[pl.LazyFrame]:
        """Lay out all rows, those of files with one plan together."""
        from ..readers.folder import scan_together

        for _, group in groupby(self.files, lambda f: (id(f.plan), f is self.culprit)):
            first, *others = group
            path = unused_prefix(first.batch.sources, _PATH)
            scans = [file.batch.scan for file in (first, *others)]
            together = scan_together(scans, path) if others else None
            if together is not None:
                yield first.numbered(together).select(self._exprs(first))
            else:
                yield from (file.rows().select(self._exprs(file)) for file in (first, *others))

    def _count(self, conditions: Sequence[Condition]) -> tuple[_Counts, dict[int, tuple[Any, Any]]]:
        """Count the rows that meet one condition or two; find the ends of each range."""
        numbers = range(len(conditions))
        chosen = [*((i,) for i in numbers), *combinations(numbers, 2)]
        met = {each: pl.all_horizontal(f"{i}" for i in each) for each in chosen}
        counts = [expr.sum().alias(f"{each}") for each, expr in met.items()]
        counts += [(expr & pl.col(_BAD)).sum().alias(f"{each} bad") for each, expr in met.items()]
        ranges = {i: conditions[i].cells for i in numbers if conditions[i].is_range}
        ends = [cells.filter(_BAD).min().alias(f"low {i}") for i, cells in ranges.items()]
        ends += [cells.filter(_BAD).max().alias(f"high {i}") for i, cells in ranges.items()]
        holds = [condition.holds().alias(f"{i}") for i, condition in enumerate(conditions)]
        parts = [collect(rows.with_columns(holds).select(*counts, *ends)) for rows in self._parts()]
        whole = pl.concat(parts, how="vertical_relaxed")
        sums = {e: (int(whole[f"{e}"].sum()), int(whole[f"{e} bad"].sum())) for e in chosen}
        return sums, {i: (whole[f"low {i}"].min(), whole[f"high {i}"].max()) for i in ranges}

    # ----- conditions -----

    def _suggested(self, sample: pl.DataFrame) -> list[Condition]:
        bad, good = sample.filter(_BAD), sample.filter(~pl.col(_BAD))
        pairs = [
            suggested(name, bad[cells], good[cells])
            for cells, name in zip(sample.columns[3:], self.names, strict=True)
        ]
        found = [c for _, c in sorted(filter(None, pairs), key=lambda pair: pair[0])]
        found = [*self._run(), *found][:_MOST_CONDITIONS]
        if self.culprit:
            name = self.culprit.name
            found.append(Condition(_IN_FILE, pl.Boolean(), low=True, high=True, place=name))
        return found

    def _run(self) -> Iterator[Condition]:
        """Name the rows from the first rejected one to the last, if few others are among them."""
        first, last = self.with_bad[0], self.with_bad[-1]
        low = first.first_row + self._ends(first)[0]
        high = last.first_row + self._ends(last)[1]
        length = high + 1 - low
        # A run of most of a file's rows says no more than the file's name.
        most = (self.culprit.row_count or 0) / 2 if self.culprit else self.rows
        if length - self.rejected <= _FEW * self.accepted and length <= most:
            yield Condition(ROW, pl.Int64(), low, high, place=f"rows {low:,} to {high:,}")

    def _counted(self, conditions: list[Condition]) -> _Counts:
        """Count what meets the conditions; at most two passes over all rows."""
        counts, ends = self._count(conditions)
        short = [i for i in ends if counts[i,][1] < self.needed]
        # Where rows are sorted, the first rejected ones do not show how far a range goes.
        for i in short:
            conditions[i] = replace(conditions[i], low=ends[i][0], high=ends[i][1])
        return self._count(conditions)[0] if short else counts

    def _best(self, counts: _Counts) -> list[tuple[int, ...]]:
        """Choose the conditions that nearly all rejected rows and the fewest accepted ones meet.

        A second condition has to halve the accepted rows at least.
        """
        fit = {each: rows - bad for each, (rows, bad) in counts.items() if self._fits(each, counts)}
        order = sorted(fit, key=lambda each: (fit[each] * len(each), len(each)))
        best = list[tuple[int, ...]]()
        for each in order:
            is_near = not best or fit[each] <= 2 * fit[best[0]] + self.rejected * _FEW
            if is_near and not any(set(each) & set(other) for other in best):
                best.append(each)
        return best[:_MOST_CAUSES]

    def _fits(self, each: tuple[int, ...], counts: _Counts) -> bool:
        rows, bad = counts[each]
        wholes = [counts[i,][0] for i in each] if len(each) > 1 else [self.rows]
        tests = len(self.names) + len(self.files)
        return (
            bad >= self.needed
            and rows - bad <= _FEW * self.accepted
            and all(
                is_beyond_chance(bad, self.rejected, rows / whole, tests, _CHANCE)
                for whole in wholes
            )
        )


def _cells(file: FileResult) -> dict[str, pl.Expr]:
    """Select what the cells of kept columns and of the contract's hold, by name."""
    if file.plan is None:
        return {}
    cells = dict(file.plan.kept)
    for column in file.plan.columns:
        source = column.source
        if column.source_name not in file.batch.objects and not column.dtype.is_nested():
            cells[column.column.name] = source.parsed.value if source.parsed else source.expr
    return cells
