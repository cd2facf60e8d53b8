"""The footer stage and the scan stage of one file: what is proven is not read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from ..batch.columns import ROW
from ..batch.query import collect
from ..conform.objects.kinds import code_of
from ..verdict.verdict import Evidence, Violation
from ..wording import cut

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.batch import Batch
    from ..conform.plan import BatchPlan
    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy


_LONGEST_SAMPLE = 80
# Each sample is a query of its own: where thousands of columns fail, those of the first must do.
_MOST_SAMPLES = 200
# Days around 1970 for which Python has dates, whatever the zone.
_CALENDAR = (-719_161, 2_932_895)
_A_DAY = {"ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


@dataclass(frozen=True)
class Scan:
    """What footer and scan found in one file; ``merging`` puts several together.

    Attributes:
        rows: Rows in the file.
        rejected: Rows that break a blocking rule.
        violations: One for each rule that rows break.
        evidence: For each column, the stage that decided it.
        tallies: Number of a user's rule, the rows that break it, the rows that it looked at.
    """

    rows: int
    rejected: int = 0
    violations: tuple[Violation, ...] = ()
    evidence: tuple[tuple[str, Evidence], ...] = ()
    tallies: tuple[tuple[int, int, int], ...] = ()


def scan_batch(batch: Batch, plan: BatchPlan, policy: Policy) -> Scan:
    """Decide every rule, by the footer where it proves that no row fails, else by one scan.

    Args:
        batch: One opened file or frame.
        plan: The rules.
        policy: Says whether statistics are trusted, and how much of failing rows is shown.

    Returns:
        Counts, first rows and samples of all rules that rows break.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    undecided = _undecided(batch, plan, policy)
    evidence = _evidence(plan, undecided)
    if not undecided and batch.rows is not None:
        return Scan(batch.rows, evidence=evidence)
    rows, rejected, counts, looked_at = _count(batch, undecided)
    failing = [(check, n) for check, n in zip(undecided, counts, strict=True) if n]
    samples = _samples(batch, [check for check, _ in failing], policy)
    found = [_violation(*pair, sample) for pair, sample in zip(failing, samples, strict=True)]
    tallies = [
        (check.rule, count, seen)
        for check, count, seen in zip(undecided, counts, looked_at, strict=True)
        if check.rule is not None and seen is not None
    ]
    return Scan(rows, rejected, tuple(found), evidence, tuple(tallies))


def _undecided(batch: Batch, plan: BatchPlan, policy: Policy) -> list[RowCheck]:
    if batch.footer is None or not policy.trust_statistics:
        return plan.row_checks()
    sources = {column.column.name: column.source_name for column in plan.columns}
    known = {name: batch.footer.statistics(source) for name, source in sources.items()}

    def proven(check: RowCheck) -> bool:
        statistics = known.get(check.column or "")
        return statistics is not None and check.ruled_out_by(statistics)

    return [check for check in plan.row_checks() if not proven(check)]


def _evidence(plan: BatchPlan, undecided: list[RowCheck]) -> tuple[tuple[str, Evidence], ...]:
    scanned = {check.column for check in undecided}
    decided = {
        column.column.name: "footer" if column.checks else "schema" for column in plan.columns
    }
    stages: dict[str, Evidence] = {
        name: "scan" if name in scanned else "footer" if stage == "footer" else "schema"
        for name, stage in decided.items()
    }
    return tuple(stages.items())


def _count(
    batch: Batch, undecided: Sequence[RowCheck]
) -> tuple[int, int, list[int], list[int | None]]:
    masks = [check.mask.alias(f"fault {i}") for i, check in enumerate(undecided)]
    seen = {
        i: check.applies.alias(f"seen {i}")
        for i, check in enumerate(undecided)
        if check.applies is not None
    }
    blocking = [pl.col(f"fault {i}") for i, check in enumerate(undecided) if check.blocks]
    any_bad = pl.any_horizontal(blocking) if blocking else pl.lit(value=False)
    totals = (
        batch.scan()
        .select(pl.col(ROW), *masks, *seen.values())
        .select(
            pl.len().alias("rows"),
            pl.when(any_bad).then(1).otherwise(0).sum().alias("rejected"),
            *(pl.col(f"fault {i}").sum() for i in range(len(masks))),
            *(pl.col(f"seen {i}").sum() for i in seen),
        )
    )
    rows, rejected, *sums = map(int, collect(totals).row(0))
    counts, looked_at = sums[: len(masks)], dict(zip(seen, sums[len(masks) :], strict=True))
    return rows, rejected, counts, [looked_at.get(i) for i in range(len(masks))]


def _samples(batch: Batch, failing: Sequence[RowCheck], policy: Policy) -> list[pl.DataFrame]:
    def first(check: RowCheck) -> pl.LazyFrame:
        shown = [] if policy.redact or check.sample is None else [check.sample.alias("value")]
        rows = batch.scan().filter(check.mask).select(pl.col(ROW), *shown)
        return rows.head(policy.sample_rows)

    none = pl.DataFrame(schema={ROW: pl.Int64})
    rest = [none for _ in failing[_MOST_SAMPLES:]]
    return [*(collect(first(check)) for check in failing[:_MOST_SAMPLES]), *rest]


def _violation(check: RowCheck, count: int, sample: pl.DataFrame) -> Violation:
    values = _listed(sample["value"]) if "value" in sample.columns else []
    return Violation(
        kind=check.kind,
        column=check.column,
        expected=check.expected,
        observed=check.observed,
        remedy=check.remedy,
        because=check.because,
        count=count,
        rows=tuple(sample[ROW].to_list()),
        sample=tuple(map(_shown, values)),
        severity=check.severity,
        expectation=check.expectation,
        engine=check.engine,
    )


def _listed(values: pl.Series) -> list[object]:
    """List values as Python has them; instants beyond its calendar as the numbers they are."""
    if not isinstance(values.dtype, pl.Date | pl.Datetime):
        return values.to_list()
    numbers = values.to_physical()
    day = _A_DAY[values.dtype.time_unit] if isinstance(values.dtype, pl.Datetime) else 1
    known = (numbers // day).is_between(*_CALENDAR)
    return [values[i] if known[i] else numbers[i] for i in range(len(values))]


def _shown(value: object) -> str:
    return cut("null" if value is None else code_of(value), _LONGEST_SAMPLE)
