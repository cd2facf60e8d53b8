"""The stages of statistics and of the scan, file by file: what is proven is not read."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.batch import UnreadableError
from ..batch.columns import ROW, exact_col, unused_prefix
from ..batch.query import collect, count_rows, pieces_of
from ..batch.reading import Reading, tell
from ..conform.objects.kinds import code_of
from ..conform.row_check import never_ruled_out
from ..errors import BatchUnavailable
from ..verdict.verdict import Violation
from ..wording import cut
from .batch_result import furthest
from .file_result import FileResult, RuleCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..batch.statistics import ColumnStatistics
    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy
    from ..verdict.verdict import Evidence
    from .batch_result import BatchResult

# Failing rows in which equal values are counted: more would be a second pass over the data.
_SAMPLED_ROWS = 100
# Where thousands of columns fail, the samples of the first must do.
_MOST_SAMPLES = 200
# Days around 1970 for which Python has dates, whatever the zone.
_CALENDAR = (-719_161, 2_932_895)
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}
_LONGEST_SAMPLE = 80
_KEY, _PATH = "\x1fkey ", "\x1fpath"
# Bytes of small files that are read at once: more would keep whoever watches waiting.
_AT_ONCE = 64 << 20
_UNKNOWN: tuple[Evidence, ColumnStatistics | None] = ("scan", None)


def scan_files(result: BatchResult, policy: Policy) -> BatchResult:
    """Scan one file after the other, or only count where not all rows can be judged.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    alone = len(result.files) + len(result.unopened) == 1
    files, first_row = list[FileResult](), 0
    files_now = result.files
    asked = [_by_statistics(f, policy) for f in files_now] if result.planned else files_now
    counted = dict(_count_together(asked, policy) if result.planned and not alone else ())
    for file in asked:
        placed = replace(file, first_row=first_row)
        row = counted.get(file.batch.info.uri)
        try:
            scanned = _scan_file(placed, policy, row) if result.planned else _count_file(placed)
        except UnreadableError as error:
            if alone:
                raise
            scanned = replace(placed, unreadable=error)
        files.append(scanned)
        first_row += scanned.row_count or 0
    return replace(result, files=tuple(files))


def _count_file(file: FileResult) -> FileResult:
    is_lazy = file.batch.rows is None and file.batch.info.uri is None  # it is not read for that
    return replace(file, row_count=None if is_lazy else count_rows(file.batch))


def _count_together(
    files: Sequence[FileResult], policy: Policy
) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Count in small files together what the scan of each, the oracle, would; by their paths."""
    from ..readers.folder import scan_together

    alike, size = dict[Any, list[FileResult]](), 0
    for file in files:
        size += file.batch.info.bytes or 0
        checks = map(id, file.undecided)
        alike.setdefault((size // _AT_ONCE, id(file.plan), *checks), []).append(file)
    for first, *others in alike.values():
        path, rows = unused_prefix(first.batch.sources, _PATH), None
        if others and _needs_scan(first, policy):
            rows = scan_together([file.batch.scan for file in (first, *others)], path)
        with suppress(UnreadableError, BatchUnavailable):
            for row in () if rows is None else _totals(first, rows, policy, path):
                tell(Reading(Path(row[path]), row["rows"], row["rows"]))
                yield row[path], row


def _scan_file(file: FileResult, policy: Policy, counted: dict[str, Any] | None) -> FileResult:
    """Decide by one scan what statistics do not.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    is_scanned = _needs_scan(file, policy)
    if file.sampler and file.plan and not (is_scanned and file.sampler.takes(file.batch)):
        file.sampler.from_places(file.batch, file.plan)
    if not is_scanned:
        return replace(file, row_count=file.batch.rows)
    row = counted or _totals(file, file.batch.scan(), policy)[0]
    fails = [(check, int(row[f"fails {i}"])) for i, check in enumerate(file.undecided)]
    failing = [(check, count) for check, count in fails if count]
    if file.rule_counts and any(check.blocks and check.rule is None for check, _ in failing):
        again = _by_statistics(file, policy, rules=False)
        return _scan_file(replace(again, sampler=None), policy, None)
    samples = _samples(file, failing, policy, row["first"])
    counts = {
        check.rule: RuleCounts(int(row[f"applies {i}"]), count)
        for i, (check, count) in enumerate(fails)
        if check.rule is not None and check.applies is not None
    }
    return replace(
        file,
        row_count=int(row["rows"]),
        rejected=int(row["rejected"]),
        run=(row["low"], row["high"]) if row["rejected"] else None,
        scanned={column.name: column.read(row) for column in file.parsed_columns()},
        row_violations=tuple(
            _violation(*pair, sample, policy) for pair, sample in zip(failing, samples, strict=True)
        ),
        rule_counts={**file.rule_counts, **counts},
    )


def _by_statistics(file: FileResult, policy: Policy, *, rules: bool = True) -> FileResult:
    """Find the checks of which neither a table's log nor a footer proves that no row fails.

    A rule is about good rows: what its proof counts holds where all rows are.
    """
    assert file.plan is not None  # noqa: S101 - only batches with plans are scanned
    rules &= not policy.null_values  # such values are in no statistics
    sources = {column.column.name: column.source_name for column in file.plan.columns}
    stages: dict[str, Evidence] = {column.column.name: "schema" for column in file.plan.columns}
    undecided, counts = list["RowCheck"](), dict[int, RuleCounts]()
    for check in file.plan.row_checks:
        source = sources.get(check.column or "")
        is_settled = check.ruled_out_by is not never_ruled_out and (rules or check.rule is None)
        is_settled &= policy.trust_statistics
        found = file.batch.known(source) if source and is_settled else ()
        stage, known = next((each for each in found if check.ruled_out_by(each[1])), _UNKNOWN)
        if known is None:
            undecided.append(check)
        elif check.rule is not None:
            counts[check.rule] = RuleCounts((file.batch.rows or 0) - (known.nulls or 0), 0)
        if check.column in stages:
            stages[check.column] = furthest((stages[check.column], stage))
    return replace(file, undecided=tuple(undecided), evidence=stages, rule_counts=counts)


def _unproven(file: FileResult, policy: Policy) -> list[str]:
    """Name the columns of a file that have to be decoded, whether or not a rule looks at them."""
    if policy.trust_statistics or file.batch.info.uri is None or file.plan is None:
        return []
    sources = set(file.batch.sources)
    return [column.source_name for column in file.plan.columns if column.source_name in sources]


def _needs_scan(file: FileResult, policy: Policy) -> bool:
    return bool(file.undecided or _unproven(file, policy) or file.batch.rows is None)


def _totals(file: FileResult, rows: pl.LazyFrame, policy: Policy, *by: str) -> list[dict[str, Any]]:
    undecided, columns = file.undecided, file.parsed_columns()
    failing = [f"fails {i}" for i in range(len(undecided))]
    blocking = [name for name, check in zip(failing, undecided, strict=True) if check.blocks]
    bad = pl.when(pl.any_horizontal(pl.lit(value=False), *blocking)).then(ROW)
    start = pl.col(ROW).min() if by else 0  # files that are read together are numbered together
    fails = pl.any_horizontal(pl.lit(value=False), *failing)
    # Only a reader of text can leave out what lies before.
    first = pl.when(fails).then(ROW).min() if file.batch.is_parsed else pl.lit(0)
    nulls = [pl.lit(value=False), *(exact_col(n).is_null() for n in _unproven(file, policy))]
    applies = {
        f"applies {i}": check.applies
        for i, check in enumerate(undecided)
        if check.applies is not None
    }
    marked = rows.select(
        pl.col(ROW, *by),
        *(check.mask.alias(name) for name, check in zip(failing, undecided, strict=True)),
        *(expr.alias(name) for name, expr in applies.items()),
        *(expr for column in columns for expr in column.columns()),
        *(file.sampler.values(file.batch, file.plan) if file.sampler else ()),
        pl.any_horizontal(nulls).alias("decoded"),
    )
    marked = file.sampler.on_the_way(marked, blocking) if file.sampler else marked
    totals = (
        pl.len().alias("rows"),
        bad.count().alias("rejected"),
        (bad.min() - start).alias("low"),
        (bad.max() - start).alias("high"),
        first.alias("first"),
        pl.col(*failing, *applies, "decoded").sum(),
        *(expr for column in columns for expr in column.aggregates()),
    )
    counted = marked.group_by(by).agg(totals) if by else marked.select(totals)
    return collect(counted).to_dicts()


def _samples(
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


def _violation(check: RowCheck, count: int, sample: pl.DataFrame, policy: Policy) -> Violation:
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
