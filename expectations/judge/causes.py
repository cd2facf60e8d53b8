"""What rejected rows have in common: a value, a range, a run of rows, a file.

The first rejected rows suggest conditions, and one more pass counts these over all rows. What the
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
from ..errors import BatchUnavailable
from ..verdict.cause import Cause

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..contract.policy import Policy
    from .batch_result import BatchResult
    from .file_result import FileResult

    # Rows that meet some of the conditions, by their positions, and the rejected ones among them.
    _Counts = dict[tuple[int, ...], tuple[int, int]]
    _Cells = dict[str, tuple[pl.Expr, pl.Expr, pl.DataType | None]]

# Of fewer rejected rows nothing is said.
_FEWEST = 5
_NEARLY_ALL, _FEW, _DENSE = 0.95, 0.1, 0.3
_SAMPLED, _MOST_ACCEPTED, _MOST_COLUMNS = 200, 4_000, 200
_AT_ONCE, _ENOUGH_READ = 50_000, 1 / 8
_MOST_CONDITIONS, _MOST_CAUSES = 4, 3
# How likely random rejections may have any cause at all.
_CHANCE = 1e-3
_BAD, _PATH = "bad", "\x1fpath"


def find_causes(result: BatchResult, policy: Policy) -> tuple[Cause, ...]:
    """Find what nearly all rejected rows and few accepted ones have in common, the best first."""
    rows = result.row_count
    if not (result.planned and rows and _FEWEST <= result.rejected < rows):
        return ()
    # The verdict stands, even if the batch went away meanwhile.
    with suppress(*READ_ERRORS, BatchUnavailable):
        search = _Search(result, rows)
        conditions, counts = search.counted()
        best = search.best(counts)
        return tuple(search.cause([conditions[i] for i in e], *counts[e], policy) for e in best)
    return ()


class _Search:
    """The search for what the rejected rows of a batch have in common."""

    def __init__(self, result: BatchResult, rows: int) -> None:
        self.files, self.rows, self.rejected = result.files, rows, result.rejected
        self.accepted = rows - self.rejected
        self.needed = self.rejected - int(self.rejected * (1 - _NEARLY_ALL))
        found = {(v.kind, v.column) for file in self.files for v in file.row_violations}
        plans = {id(file.plan): file.plan for file in self.files if file.plan}
        self.failing = {
            key: [c for c in plan.row_checks if c.blocks and (c.kind, c.column) in found]
            for key, plan in plans.items()
        }
        checks = [check for checks in self.failing.values() for check in checks]
        rules = [result.rules[check.rule][0] for check in checks if check.rule is not None]
        self.own = {check.column for check in checks} | {n for rule in rules for n in rule.columns}
        # A record that is malformed has no cells at all.
        self.has_cells = all(check.kind != "malformed_row" for check in checks)
        self.layouts = {key: self._cells(file) for key, file in self._first_files().items()}
        names = dict.fromkeys(name for cells in self.layouts.values() for name in cells)
        self.names = tuple(names)[:_MOST_COLUMNS] if self.has_cells else ()
        many = [file for file in self.files if len(self.files) > 1]
        self.culprit = next((file for file in many if file.rejected >= self.needed), None)
        self.parts = sorted(self._parts(), key=lambda part: not part[1])

    def _first_files(self) -> dict[int, FileResult]:
        return {id(file.plan): file for file in reversed(self.files)}

    def _cells(self, file: FileResult) -> _Cells:
        """Give the cells of each column, what they stand for, and the type of what was parsed."""
        if file.plan is None:
            return {}
        cells: _Cells = {name: (cells, cells, None) for name, cells in file.plan.kept}
        for column in file.plan.columns:
            source, parsed = column.source, column.source.parsed
            if column.source_name not in file.batch.objects and not column.dtype.is_nested():
                value, dtype = (parsed.value, column.dtype) if parsed else (source.expr, None)
                cells[column.column.name] = (source.expr, value, dtype)
        return {name: cell for name, cell in cells.items() if name not in self.own}

    # ----- passes over the batch -----

    def _parts(self) -> Iterator[tuple[pl.LazyFrame, bool]]:
        """Lay out the files, those of one plan together; say which one has the rejected rows."""
        from ..readers.folder import scan_together

        for (_, alone), group in groupby(self.files, lambda f: (id(f.plan), f is self.culprit)):
            first, *others = group
            path = unused_prefix(first.batch.sources, _PATH)
            scans = [file.batch.scan for file in (first, *others)]
            together = scan_together(scans, path) if others else None
            if together is None:
                yield from ((self._laid_out(f, f.rows()), alone) for f in (first, *others))
            else:
                yield self._laid_out(first, first.numbered(together)), alone

    def _laid_out(self, file: FileResult, rows: pl.LazyFrame) -> pl.LazyFrame:
        return rows.select(self._exprs(file))

    def _exprs(self, file: FileResult, *, values: bool = True) -> list[pl.Expr]:
        masks = [check.mask for check in self.failing[id(file.plan)]]
        bad = pl.any_horizontal(pl.lit(value=False), *masks).alias(_BAD)
        none = (pl.lit(None), pl.lit(None), None)
        cells = [self.layouts[id(file.plan)].get(name, none) for name in self.names]
        exprs = [
            pl.col(ROW),
            bad,
            *(cell.alias(f"cell {i}") for i, (cell, _, _) in enumerate(cells)),
        ]
        meant = [value.alias(f"value {i}") for i, (_, value, _) in enumerate(cells)]
        return exprs + meant if values else exprs

    def _sample(self) -> pl.DataFrame:
        """Take the first rejected rows, and a spread of the accepted ones around them.

        Some of them do, once an eighth of the batch is read.
        """
        step = max(1, self.rows // max(_MOST_ACCEPTED // 2, _FEWEST * self.rejected))
        spread = pl.col(ROW).hash() % step == 0
        found, read, bad, good = list[pl.DataFrame](), 0, 0, 0
        with_bad = [file for file in self.files if file.rejected]
        for file in sorted(with_bad, key=lambda file: file is not self.culprit):
            for piece in file.in_pieces(self._exprs(file, values=False), _AT_ONCE):
                found.append(piece.filter(_BAD).head(_SAMPLED - bad))
                found.append(piece.filter(~pl.col(_BAD) & spread).head(_MOST_ACCEPTED - good))
                read += piece.height
                bad, good = bad + found[-2].height, good + found[-1].height
                enough = _SAMPLED if read < self.rows * _ENOUGH_READ else 2 * _FEWEST
                if bad >= enough and good >= enough:
                    return pl.concat(found, how="vertical_relaxed")
        return pl.concat(found, how="vertical_relaxed")

    def _count(self, conditions: Sequence[Condition]) -> tuple[_Counts, dict[int, tuple[Any, Any]]]:
        """Count the rows that meet one condition or two; find the ends of each range."""
        numbers = range(len(conditions))
        chosen = [*((i,) for i in numbers), *combinations(numbers, 2)]
        ranges = [i for i in numbers if conditions[i].is_range]
        cells = [conditions[i].cells.alias(f"of {i}") for i in ranges]
        met = {each: pl.all_horizontal(*(f"{i}" for i in each)) for each in chosen}
        counts = [expr.sum().alias(f"{each}") for each, expr in met.items()]
        counts += [(expr & pl.col(_BAD)).sum().alias(f"{each} bad") for each, expr in met.items()]
        bad = {i: pl.when(_BAD).then(f"of {i}") for i in ranges}
        ends = [cells.min().alias(f"low {i}") for i, cells in bad.items()]
        ends += [cells.max().alias(f"high {i}") for i, cells in bad.items()]
        found = list[pl.DataFrame]()
        for rows, is_culprit in self.parts:
            holds = (c.holds(in_file=is_culprit).alias(f"{i}") for i, c in enumerate(conditions))
            found.append(collect(rows.select(_BAD, *holds, *cells).select(*counts, *ends)))
        whole = pl.concat(found, how="vertical_relaxed")
        sums = {e: (int(whole[f"{e}"].sum()), int(whole[f"{e} bad"].sum())) for e in chosen}
        return sums, {i: (whole[f"low {i}"].min(), whole[f"high {i}"].max()) for i in ranges}

    # ----- conditions -----

    def counted(self) -> tuple[list[Condition], _Counts]:
        """Suggest conditions and count them; at most two passes over all rows."""
        sample = self._sample()
        bad, good = sample.filter(_BAD), sample.filter(~pl.col(_BAD))
        found = sorted(self._suggested(bad, good), key=lambda pair: pair[0])[:_MOST_CONDITIONS]
        if not found and self.culprit:
            counts = (self.culprit.row_count or 0, self.culprit.rejected)
            return [Condition(file=self.culprit.name)], {(0,): counts}
        if not found:
            return [], {}
        conditions = [condition for _, condition in found]
        conditions += [Condition(file=self.culprit.name)] if self.culprit else []
        counts, ends = self._count(conditions)
        short = [i for i in ends if counts[i,][1] < self.needed]
        if short:
            # Where rows are sorted, the first rejected ones do not show how far a range goes.
            for i in short:
                conditions[i] = replace(conditions[i], low=ends[i][0], high=ends[i][1])
            counts, _ = self._count(conditions)
        # A run of most of a file's rows says no more than the file's name.
        most = (self.culprit.row_count or 0) / 2 if self.culprit else self.rows
        spare = {i for i, c in enumerate(conditions) if c.is_run and c.high - c.low > most}
        return conditions, {each: n for each, n in counts.items() if not spare & {*each}}

    def _suggested(
        self, bad: pl.DataFrame, good: pl.DataFrame
    ) -> Iterator[tuple[float, Condition]]:
        positions = bad[ROW].sort()
        low, high = positions[0], positions[-1]
        strangers = high - low + 1 - bad.height
        most = _FEW * self.accepted if bad.height == self.rejected else bad.height / _DENSE
        if strangers <= most:
            yield strangers / self.accepted, Condition(None, ROW, pl.Int64(), low, high)
        layout = self.layouts[id(self.files[0].plan)]
        for i, name in enumerate(self.names):
            cells = bad[f"cell {i}"], good[f"cell {i}"]
            parsed = layout[name][2] if name in layout else None
            if pair := suggested(name, i, cells, parsed):
                yield pair

    def best(self, counts: _Counts) -> list[tuple[int, ...]]:
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

    def cause(
        self, conditions: Sequence[Condition], rows: int, rejected: int, policy: Policy
    ) -> Cause:
        """State conditions as a cause."""
        words = [(c.column, c.words(redact=policy.redact)) for c in conditions]
        return Cause(
            conditions=tuple(said for column, said in words if column is not None),
            places=tuple(said for column, said in words if column is None),
            columns=tuple(column for column, _ in words if column is not None),
            rejected=rejected,
            of=self.rejected,
            rows=rows,
        )
