"""The stages of a judgement: names and types, then the footer, then one scan of what is left."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import polars as pl

from .arrivals import arrival, type_name
from .batch import ROW, Batch, UnreadableError
from .casting import POLARS_DTYPES, Cells
from .conforming import Conformed, conform
from .faults import Fault
from .matching import match_columns
from .types import PANDAS_DTYPES
from .verdict import Conversion, Evidence, Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .contract import Column, Contract
    from .footer import Footer
    from .policy import Policy
    from .types import Scalar, ScalarName


@dataclass(frozen=True)
class Plan:
    """What the schema stage makes of a batch: the way of every column into the contract's type.

    Attributes:
        columns: One way for each column of the contract that arrived, in the contract's order.
        kept: Contract-side name and source of each column that is carried through.
        faults: Further row-level rules, of the batch as a whole.
    """

    columns: tuple[Conformed, ...]
    kept: tuple[tuple[str, str], ...]
    faults: tuple[Fault, ...] = ()

    def owned_faults(self) -> list[tuple[Conformed | None, Fault]]:
        """List every rule with the column that it belongs to, if it belongs to one."""
        of_columns = [(column, fault) for column in self.columns for fault in column.faults]
        return [*((None, fault) for fault in self.faults), *of_columns]

    def bad(self) -> pl.Expr:
        """True in rows that break a blocking rule."""
        masks = [f.mask for _, f in self.owned_faults() if f.severity == "critical"]
        return pl.any_horizontal(masks) if masks else pl.lit(value=False)


@dataclass(frozen=True)
class Judgement:
    """What the stages found, before it is dressed as a verdict."""

    plan: Plan | None
    violations: tuple[Violation, ...]
    conversions: tuple[Conversion, ...] = ()
    evidence: tuple[tuple[str, Evidence], ...] = ()
    rows: int | None = None
    rejected: int = 0


def judge(batch: Batch, contract: Contract, policy: Policy) -> Judgement:
    """Judge a batch by its schema, its footer, and one scan of the columns still undecided.

    Args:
        batch: An opened batch.
        contract: The columns that the model takes.
        policy: The choices that the contract leaves open.

    Returns:
        All violations; the plan by which the good rows conform, unless a violation of names or
        types makes rows meaningless.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    plan, violations, conversions = _schema_stage(batch, contract, policy)
    if plan is None:
        return Judgement(None, violations, rows=batch.rows)
    undecided, evidence = _footer_stage(plan, batch.footer, policy)
    return _scan_stage(
        batch, plan, undecided, policy, Judgement(plan, violations, conversions, evidence)
    )


# ----- schema -----


def _schema_stage(
    batch: Batch, contract: Contract, policy: Policy
) -> tuple[Plan | None, tuple[Violation, ...], tuple[Conversion, ...]]:
    matching = match_columns(batch, contract, policy)
    dtypes = batch.scan().collect_schema()
    conformed, violations = list[Conformed](), list(matching.violations)
    for column, position in matching.pairs:
        kind = arrival(batch.schema.field(position).type)
        source = batch.sources[position]
        text = kind == "string" and (batch.text or policy.parse_text == "allow")
        cells = Cells(column.name, pl.col(source), kind, dtypes[source], text=text)
        way = conform(column, source, cells, policy)
        if way is None:
            violations.append(_mismatch(column, cells, batch, position))
        else:
            conformed.append(_on_whole_records(way, batch))
    if any(v.severity == "critical" for v in violations):
        return None, tuple(violations), ()
    kept = tuple((name, batch.sources[position]) for name, position in matching.kept)
    plan = Plan(tuple(conformed), kept, _malformed(batch))
    return plan, tuple(violations), _conversions(conformed, batch)


def _malformed(batch: Batch) -> tuple[Fault, ...]:
    if batch.faults is None:
        return ()
    fault = Fault(
        kind="malformed_row",
        failing=pl.col(batch.faults).is_not_null(),
        expected="records with as many fields as the header",
        observed="records that are not",
        remedy="Correct these records where the file is written; delimiters and line ends inside a "
        "field need quotes around it.",
        because="a record must have one meaning",
    )
    return (fault,)


def _on_whole_records(way: Conformed, batch: Batch) -> Conformed:
    if batch.faults is None:
        return way
    whole = pl.col(batch.faults).is_null()
    faults = tuple(replace(fault, failing=fault.failing & whole) for fault in way.faults)
    return replace(way, faults=faults)


def _mismatch(column: Column, cells: Cells, batch: Batch, position: int) -> Violation:
    target = cast("Scalar", column.type).name
    observed = type_name(batch.schema.field(position).type)
    return Violation(
        kind="type_mismatch",
        column=column.name,
        expected=target,
        observed="text" if batch.text else observed,
        remedy=_remedy_for_type(cells, target),
        because=f"{observed} never conforms to {target}",
        expectation={
            "type": "expect_column_type_to_be",
            "kwargs": {"column": column.name, "type_": PANDAS_DTYPES[target]},
        },
    )


def _remedy_for_type(cells: Cells, target: ScalarName) -> str:
    name = cells.name
    remedies = {
        "timestamp_tz": f"Deliver {name!r} without a zone, or set policy timezone: utc.",
        "string": f"Deliver {name!r} as {target}, or have its text parsed by policy "
        "parse_text: allow.",
    }
    if target not in ("string", "binary") and cells.kind in remedies:
        return remedies[cells.kind]
    return f"Deliver {name!r} as {target}, or log the model again with the type that arrives."


def _conversions(conformed: list[Conformed], batch: Batch) -> tuple[Conversion, ...]:
    types = dict(zip(batch.sources, batch.schema.types, strict=True))
    return tuple(
        Conversion(
            column=way.column.name,
            arrived="text" if way.cells.text else type_name(types[way.source]),
            becomes=way.target,
        )
        for way in conformed
        if way.cells.text or way.cells.dtype != POLARS_DTYPES[way.target]
    )


# ----- footer -----


def _footer_stage(
    plan: Plan, footer: Footer | None, policy: Policy
) -> tuple[list[tuple[Conformed | None, Fault]], tuple[tuple[str, Evidence], ...]]:
    undecided: list[tuple[Conformed | None, Fault]] = [(None, fault) for fault in plan.faults]
    evidence = list[tuple[str, Evidence]]()
    for way in plan.columns:
        known = footer.statistics(way.source) if footer and policy.trust_statistics else None
        left = [f for f in way.faults if known is None or not f.absent(known)]
        undecided += [(way, fault) for fault in left]
        decided: Evidence = "scan" if left else "footer" if way.faults else "schema"
        evidence.append((way.column.name, decided))
    return undecided, tuple(evidence)


# ----- scan -----


def _scan_stage(
    batch: Batch,
    plan: Plan,
    undecided: Sequence[tuple[Conformed | None, Fault]],
    policy: Policy,
    so_far: Judgement,
) -> Judgement:
    counts = [0] * len(undecided)
    rows, rejected = batch.rows, 0
    if undecided or rows is None:
        rows, rejected, counts = _count(batch, undecided)
    failing = [(*owned, n) for owned, n in zip(undecided, counts, strict=True) if n]
    samples = _samples(batch, [(way, fault) for way, fault, _ in failing], policy)
    found = [
        _row_violation(way, fault, count, sample)
        for (way, fault, count), sample in zip(failing, samples, strict=True)
    ]
    violations = (*so_far.violations, *_too_few(rows, policy), *found)
    return replace(so_far, plan=plan, violations=violations, rows=rows, rejected=rejected)


def _count(
    batch: Batch, undecided: Sequence[tuple[Conformed | None, Fault]]
) -> tuple[int, int, list[int]]:
    masks = [fault.mask.alias(f"fault {i}") for i, (_, fault) in enumerate(undecided)]
    blocking = [
        pl.col(f"fault {i}")
        for i, (_, fault) in enumerate(undecided)
        if fault.severity == "critical"
    ]
    any_bad = pl.any_horizontal(blocking) if blocking else pl.lit(value=False)
    totals = (
        batch.scan()
        .select(pl.col(ROW), *masks)
        .select(
            pl.len().alias("rows"),
            pl.when(any_bad).then(1).otherwise(0).sum().alias("rejected"),
            *(pl.col(f"fault {i}").sum() for i in range(len(masks))),
        )
    )
    rows, rejected, *counts = collect(totals).row(0)
    return int(rows), int(rejected), [int(count) for count in counts]


def _samples(
    batch: Batch, failing: Sequence[tuple[Conformed | None, Fault]], policy: Policy
) -> list[pl.DataFrame]:
    sources = [way.source if way else batch.faults for way, _ in failing]
    frames = [
        batch.scan()
        .filter(fault.mask)
        .select(pl.col(ROW), pl.col(source or ROW).alias("value"))
        .head(policy.sample_rows)
        for source, (_, fault) in zip(sources, failing, strict=True)
    ]
    return [_shown(collect(frame), policy) for frame in frames]


def _shown(sample: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    return sample.select(ROW) if policy.redact else sample


def _row_violation(
    way: Conformed | None, fault: Fault, count: int, sample: pl.DataFrame
) -> Violation:
    values = sample["value"].to_list() if "value" in sample.columns else []
    return Violation(
        kind=fault.kind,
        column=way.column.name if way else None,
        expected=fault.expected,
        observed=fault.observed,
        remedy=fault.remedy,
        because=fault.because,
        count=count,
        rows=tuple(sample[ROW].to_list()),
        sample=tuple("null" if value is None else repr(value) for value in values),
        severity=fault.severity,
        expectation=fault.expectation,
    )


def _too_few(rows: int | None, policy: Policy) -> tuple[Violation, ...]:
    if rows is None or rows >= policy.min_rows:
        return ()
    violation = Violation(
        kind="row_count",
        expected=f"at least {policy.min_rows:,} row{'' if policy.min_rows == 1 else 's'}",
        observed=f"{rows:,}",
        remedy="Find out why the feed ran dry, or accept such batches by policy min_rows.",
        because=f"policy min_rows: {policy.min_rows}",
        expectation={
            "type": "expect_table_row_count_to_be_between",
            "kwargs": {"min_value": policy.min_rows},
        },
    )
    return (violation,)


def collect(frame: pl.LazyFrame) -> pl.DataFrame:
    """Run a query in Polars' streaming engine.

    Args:
        frame: A query whose result fits in memory.

    Returns:
        Its result.

    Raises:
        UnreadableError: The content broke off or contradicts its own format.
    """
    try:
        return frame.collect(engine="streaming")
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise unreadable(error) from error


def unreadable(error: BaseException) -> UnreadableError:
    """Say that content turned out not to be what its format promises."""
    if isinstance(error, UnreadableError):
        return error
    first = str(error).splitlines()[0] if str(error) else type(error).__name__
    observed = f"content that cannot be read to its end ({first})"
    return UnreadableError(observed, "Have the producer write it again, and deliver it by rename.")
