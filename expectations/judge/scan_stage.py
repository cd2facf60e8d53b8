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
    from ..conform.plan import BatchPlan, Owned
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
    failing = [(owned, n) for owned, n in zip(undecided, counts, strict=True) if n]
    samples = _samples(batch, [owned for owned, _ in failing], policy)
    found = [_violation(*pair, sample) for pair, sample in zip(failing, samples, strict=True)]
    tallies = [
        (owned.rule, count, seen)
        for owned, count, seen in zip(undecided, counts, looked_at, strict=True)
        if owned.rule is not None and seen is not None
    ]
    return Scan(rows, rejected, tuple(found), evidence, tuple(tallies))


def _undecided(batch: Batch, plan: BatchPlan, policy: Policy) -> list[Owned]:
    if batch.footer is None or not policy.trust_statistics:
        return plan.row_checks()
    sources = {way.column.name: way.source for way in plan.columns}
    known = {name: batch.footer.statistics(source) for name, source in sources.items()}

    def proven(owned: Owned) -> bool:
        statistics = known.get(owned.column or "")
        return statistics is not None and owned.fault.ruled_out_by(statistics)

    return [owned for owned in plan.row_checks() if not proven(owned)]


def _evidence(plan: BatchPlan, undecided: list[Owned]) -> tuple[tuple[str, Evidence], ...]:
    scanned = {owned.column for owned in undecided}
    decided = {way.column.name: "footer" if way.faults else "schema" for way in plan.columns}
    stages: dict[str, Evidence] = {
        name: "scan" if name in scanned else "footer" if stage == "footer" else "schema"
        for name, stage in decided.items()
    }
    return tuple(stages.items())


def _count(
    batch: Batch, undecided: Sequence[Owned]
) -> tuple[int, int, list[int], list[int | None]]:
    masks = [owned.fault.mask.alias(f"fault {i}") for i, owned in enumerate(undecided)]
    seen = {
        i: owned.fault.applies.alias(f"seen {i}")
        for i, owned in enumerate(undecided)
        if owned.fault.applies is not None
    }
    blocking = [
        pl.col(f"fault {i}") for i, o in enumerate(undecided) if o.fault.severity == "critical"
    ]
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


def _samples(batch: Batch, failing: Sequence[Owned], policy: Policy) -> list[pl.DataFrame]:
    def first(owned: Owned) -> pl.LazyFrame:
        shown = [] if policy.redact or owned.shown is None else [owned.shown.alias("value")]
        rows = batch.scan().filter(owned.fault.mask).select(pl.col(ROW), *shown)
        return rows.head(policy.sample_rows)

    none = pl.DataFrame(schema={ROW: pl.Int64})
    rest = [none for _ in failing[_MOST_SAMPLES:]]
    return [*(collect(first(owned)) for owned in failing[:_MOST_SAMPLES]), *rest]


def _violation(owned: Owned, count: int, sample: pl.DataFrame) -> Violation:
    fault = owned.fault
    values = _listed(sample["value"]) if "value" in sample.columns else []
    return Violation(
        kind=fault.kind,
        column=owned.column,
        expected=fault.expected,
        observed=fault.observed,
        remedy=fault.remedy,
        because=fault.because,
        count=count,
        rows=tuple(sample[ROW].to_list()),
        sample=tuple(map(_shown, values)),
        severity=fault.severity,
        expectation=fault.expectation,
        engine=fault.engine,
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
