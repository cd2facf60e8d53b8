"""The footer stage and the scan stage of one file: what is proven is not read."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.batch import UnreadableError
from ..batch.columns import ROW, exact_col, unused_prefix
from ..batch.query import collect, count_rows, pieces_of
from ..batch.statistics import ScannedColumn
from ..conform.objects.kinds import code_of
from ..conform.row_check import never_ruled_out
from ..verdict.verdict import Evidence, Violation
from ..wording import cut
from .file_result import FileResult, RuleCounts

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy
    from .batch_result import BatchResult

_LONGEST_SAMPLE = 80
# Failing rows in which equal values are counted: more would be a second pass over the data.
_SAMPLED_ROWS = 100
# Where thousands of columns fail, the samples of the first must do.
_MOST_SAMPLES = 200
# Days around 1970 for which Python has dates, whatever the zone.
_CALENDAR = (-719_161, 2_932_895)
_KEY = "\x1fkey "
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def scan_files(result: BatchResult, policy: Policy) -> BatchResult:
    """Scan one file after the other, or only count where not all rows can be judged.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    alone = len(result.files) + len(result.unopened) == 1
    files, first_row = list[FileResult](), 0
    for file in result.files:
        placed = replace(file, first_row=first_row)
        try:
            scanned = _scan_file(placed, policy) if result.planned else _count_file(placed)
        except UnreadableError as error:
            if alone:
                raise
            scanned = replace(placed, unreadable=error)
        files.append(scanned)
        first_row += scanned.row_count or 0
    return replace(result, files=tuple(files))


def _count_file(file: FileResult) -> FileResult:
    # A lazy frame is not read for its count.
    is_lazy = file.batch.rows is None and file.batch.info.uri is None
    return replace(file, row_count=None if is_lazy else count_rows(file.batch))


def _scan_file(file: FileResult, policy: Policy) -> FileResult:
    """Decide every check, by the footer where it proves that no row fails, else by one scan.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    batch, plan = file.batch, file.plan
    assert plan is not None  # noqa: S101 - only batches with plans are scanned
    undecided = _undecided(batch, plan, policy)
    file = replace(file, evidence=_evidence(plan, undecided))
    unproven = _unproven(batch, plan, policy)
    if not undecided and not unproven and batch.rows is not None:
        return replace(file, row_count=batch.rows)
    columns = _parsed_columns(batch, plan)
    row = _totals(batch, undecided, unproven, columns)
    counts = [
        RuleCounts(int(row.get(f"applies {i}", 0)), int(row[f"fails {i}"]))
        for i in range(len(undecided))
    ]
    failing = [
        (check, count.unexpected_count)
        for check, count in zip(undecided, counts, strict=True)
        if count.unexpected_count
    ]
    samples = _samples(batch, plan, failing, policy)
    return replace(
        file,
        row_count=int(row["rows"]),
        rejected=int(row["rejected"]),
        scanned={column.name: column.read(row) for column in columns},
        row_violations=tuple(
            _violation(*pair, sample, policy) for pair, sample in zip(failing, samples, strict=True)
        ),
        rule_counts={
            check.rule: count
            for check, count in zip(undecided, counts, strict=True)
            if check.rule is not None and check.applies is not None
        },
    )


def _undecided(batch: Batch, plan: BatchPlan, policy: Policy) -> list[RowCheck]:
    footer = batch.footer if policy.trust_statistics else None
    if footer is None:
        return [*plan.row_checks]
    sources = {column.column.name: column.source_name for column in plan.columns}

    def proven(check: RowCheck) -> bool:
        if check.ruled_out_by is never_ruled_out or check.column not in sources:
            return False
        statistics = footer.statistics(sources[check.column])
        return statistics is not None and check.ruled_out_by(statistics)

    return [check for check in plan.row_checks if not proven(check)]


def _unproven(batch: Batch, plan: BatchPlan, policy: Policy) -> list[str]:
    """Name the columns of a file that have to be decoded, whether or not a rule looks at them."""
    if policy.trust_statistics or batch.info.uri is None:
        return []
    sources = set(batch.sources)
    return [column.source_name for column in plan.columns if column.source_name in sources]


def _evidence(plan: BatchPlan, undecided: list[RowCheck]) -> dict[str, Evidence]:
    scanned = {check.column for check in undecided}
    return {
        column.column.name: "scan"
        if column.column.name in scanned
        else "footer"
        if column.checks
        else "schema"
        for column in plan.columns
    }


def _parsed_columns(batch: Batch, plan: BatchPlan) -> list[ScannedColumn]:
    """List the columns that a scan parses: in Arrow's own formats a look at values costs more."""
    if not (batch.text or "json" in batch.info.format):
        return []
    # Of names that are repeated, nothing could be told apart.
    once = {name for name, times in Counter(batch.schema.names).items() if times == 1}
    names = {s: n for s, n in zip(batch.sources, batch.schema.names, strict=True) if n in once}
    return [
        ScannedColumn(names[column.source_name], parsed.cell, parsed.value, column.dtype)
        if (parsed := column.source.parsed)
        else ScannedColumn(
            names[column.source_name], column.source.expr, column.source.expr, column.source.dtype
        )
        for column in plan.columns
        if column.source_name in names
    ]


def _totals(
    batch: Batch,
    undecided: Sequence[RowCheck],
    unproven: Sequence[str],
    columns: Sequence[ScannedColumn],
) -> dict[str, Any]:
    blocking = [pl.col(f"fails {i}") for i, check in enumerate(undecided) if check.blocks]
    rejected = pl.any_horizontal(blocking) if blocking else pl.lit(value=False)
    nulls = [exact_col(name).is_null() for name in unproven]
    decoded = pl.any_horizontal(nulls) if nulls else pl.lit(value=False)
    applies = {i: check.applies for i, check in enumerate(undecided) if check.applies is not None}
    totals = (
        batch.scan()
        .select(
            pl.col(ROW),
            *(check.mask.alias(f"fails {i}") for i, check in enumerate(undecided)),
            *(expr.alias(f"applies {i}") for i, expr in applies.items()),
            *(expr for column in columns for expr in column.columns()),
            decoded.alias("decoded"),
        )
        .select(
            pl.len().alias("rows"),
            pl.when(rejected).then(1).otherwise(0).sum().alias("rejected"),
            *(pl.col(f"fails {i}").sum() for i in range(len(undecided))),
            *(pl.col(f"applies {i}").sum() for i in applies),
            *(expr for column in columns for expr in column.aggregates()),
            pl.col("decoded").sum(),
        )
    )
    return collect(totals).row(0, named=True)


def _samples(
    batch: Batch, plan: BatchPlan, failing: Sequence[tuple[RowCheck, int]], policy: Policy
) -> list[pl.DataFrame]:
    """Collect the first failing rows of each check, in one pass that ends with the last of them."""
    mark = unused_prefix((*batch.sources, ROW), "fails")
    found = [
        _Sample(f"{mark}{i}", check, count, policy) for i, (check, count) in enumerate(failing)
    ]
    wanted = [sample for sample in found[:_MOST_SAMPLES] if sample.missing]
    if wanted:
        fails = [sample.fails for sample in wanted]
        marked = batch.scan().with_columns(sample.mask for sample in wanted)
        values = [value for sample in wanted for value in sample.values]
        kept = () if policy.redact else plan.kept
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
        shown = None if policy.redact else check.sample
        self.name = f"value of {name}"
        self.fails = exact_col(name)
        self.mask = check.mask.alias(name)
        self.values = [] if shown is None else [shown.alias(self.name)]
        self.missing = min(count, policy.sample_rows if shown is None else _SAMPLED_ROWS)
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


def _violation(check: RowCheck, count: int, sample: pl.DataFrame, policy: Policy) -> Violation:
    shown = policy.sample_rows
    values = _listed(sample["value"]) if "value" in sample.columns else []
    distinct = Counter(map(_shown, values))
    return Violation(
        kind=check.kind,
        column=check.column,
        expected=check.expected,
        observed=check.observed,
        remedy=check.remedy,
        because=check.because,
        count=count,
        rows=tuple(sample[ROW][:shown].to_list()),
        sample=tuple(distinct)[:shown],
        sample_counts=tuple(distinct.values())[:shown],
        kept={
            column.name.removeprefix(_KEY): tuple(map(_shown, _listed(column.head(shown))))
            for column in sample
            if column.name.startswith(_KEY)
        },
        severity=check.severity,
        expectation=check.expectation,
        engine=check.engine,
    )


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


def _shown(value: object) -> str:
    return cut("null" if value is None else code_of(value), _LONGEST_SAMPLE)
