"""The stages of statistics and of the scan, file by file: what is proven is not read."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from ..batch.batch import UnreadableError
from ..batch.columns import ROW, exact_col, unused_prefix
from ..batch.query import collect, count_rows
from ..batch.reading import Reading, tell
from ..conform.row_check import never_ruled_out
from ..errors import BatchUnavailable
from .batch_result import furthest
from .file_result import FileResult, RuleCounts
from .scan.samples import first_failing, violation_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from ..batch.statistics import ColumnStatistics
    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy
    from ..verdict.verdict import Evidence
    from .batch_result import BatchResult

    _Scan = Callable[[Sequence[FileResult], Policy], Iterator[FileResult]]

_PATH = "\x1fpath"
# Bytes of small files that are read at once: more would keep whoever watches waiting.
_AT_ONCE = 64 << 20
_UNKNOWN: tuple[Evidence, ColumnStatistics | None] = ("scan", None)


def scan_files(result: BatchResult, policy: Policy, divided: _Scan | None = None) -> BatchResult:
    """Scan one file after the other, or only count where not all rows can be judged.

    Args:
        result: The files, planned.
        policy: What the contract leaves open.
        divided: Has several files scanned elsewhere, if that is wanted.

    Raises:
        UnreadableError: The content of a single file broke off or contradicts its own format.
    """
    alone = len(result.files) + len(result.unopened) == 1
    if not result.planned:
        found = (_read(_count_file, file, alone=alone) for file in result.files)
        return _placed(result, found)
    asked = [_by_statistics(file, policy) for file in result.files]
    if divided and len(asked) > 1:
        return _placed(result, divided(asked, policy))
    return _placed(result, scan_in_turn(asked, policy, alone=alone))


def scan_in_turn(
    asked: Sequence[FileResult], policy: Policy, *, alone: bool = False
) -> Iterator[FileResult]:
    """Decide file by file what statistics do not; UnreadableError only if there is one alone."""
    counted = {} if alone else dict(_count_together(asked, policy))

    def scan(file: FileResult) -> FileResult:
        return _scan_file(file, policy, counted.get(file.batch.info.uri))

    return (_read(scan, file, alone=alone) for file in asked)


def _read(read: Callable[[FileResult], FileResult], file: FileResult, *, alone: bool) -> FileResult:
    try:
        return read(file)
    except UnreadableError as error:
        if alone:
            raise
        return replace(file, unreadable=error)


def _placed(result: BatchResult, found: Iterable[FileResult]) -> BatchResult:
    files, first_row = list[FileResult](), 0
    for file in found:
        files.append(replace(file, first_row=first_row))
        first_row += file.row_count or 0
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
        if others and needs_scan(first, policy):
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
    is_scanned = needs_scan(file, policy)
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
    samples = first_failing(file, failing, policy, row.get("first") or 0)
    counts = {
        check.rule: RuleCounts(int(row[f"applies {i}"]), count)
        for i, (check, count) in enumerate(fails)
        if check.rule is not None and check.applies is not None
    }
    return replace(
        file,
        row_count=int(row["rows"]),
        rejected=int(row["rejected"]),
        run=(row["low"], row["high"]) if row.get("low") is not None else None,
        scanned={column.name: column.read(row) for column in file.parsed_columns()},
        row_violations=tuple(
            violation_of(*pair, sample, policy)
            for pair, sample in zip(failing, samples, strict=True)
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


def needs_scan(file: FileResult, policy: Policy) -> bool:
    """Whether its rows must be read."""
    return bool(file.undecided or _unproven(file, policy) or file.batch.rows is None)


def _totals(file: FileResult, rows: pl.LazyFrame, policy: Policy, *by: str) -> list[dict[str, Any]]:
    undecided, columns = file.undecided, file.parsed_columns()
    failing = [f"fails {i}" for i in range(len(undecided))]
    blocking = [name for name, check in zip(failing, undecided, strict=True) if check.blocks]
    bad = pl.any_horizontal(pl.lit(value=False), *blocking)
    numbers: tuple[pl.Expr, ...] = ()
    if file.batch.is_parsed:
        # Of other formats a second pass is cheap, and to number rows doubles the memory of a scan.
        fails = pl.when(pl.any_horizontal(pl.lit(value=False), *failing)).then(ROW)
        run = pl.when(bad).then(ROW)
        numbers = (fails.min().alias("first"), run.min().alias("low"), run.max().alias("high"))
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
        bad.sum().alias("rejected"),
        *numbers,
        pl.col(*failing, *applies, "decoded").sum(),
        *(expr for column in columns for expr in column.aggregates()),
    )
    counted = marked.group_by(by).agg(totals) if by else marked.select(totals)
    return collect(counted).to_dicts()
