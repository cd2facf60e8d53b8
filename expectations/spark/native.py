"""Checks that Spark counts itself: the gate's masks of typed columns as Spark's own expressions.

``_FAILS`` and ``_PASSES`` are the tables; where one lacks a check, the gate judges the batch. In
Spark NaN equals itself and exceeds all numbers, and regular expressions are Java's.
"""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl
from pyspark.sql import functions as sf
from pyspark.sql.types import StringType

from ..batch.columns import ROW
from ..conform.conversions import CONFORMS, NEVER_NULL, How
from ..conform.source import FLOATING
from ..contract.types import Scalar
from ..judge.file_result import RuleCounts
from ..judge.rejected_rows import REASONS, is_reason, reason
from ..judge.scan.samples import violation_of
from ..judge.scan_stage import scan_files
from ..rules.operands import NUMBERS, is_number, members
from ..rules.row_rules import ROW_RULES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pyspark.sql import Column, DataFrame

    from ..conform.column import ColumnPlan
    from ..conform.row_check import RowCheck
    from ..contract.policy import Policy
    from ..judge.batch_result import BatchResult
    from ..judge.file_result import FileResult
    from ..rules.rule import Rule
    from ..verdict.verdict import Verdict, Violation
    from .frame import SparkFrame
    from .workers import Stages

_RANGES = {"integer": (-(2.0**31), 2.0**31 - 1), "long": (-(2.0**53), 2.0**53)}
# The first and the last of each whose nanoseconds an int64 holds.
_INSTANTS = {
    "timestamp": ("1677-09-21 00:12:43.145225", "2262-04-11 23:47:16.854775", "timestamp_ntz"),
    "date": ("1677-09-22", "2262-04-11", "date"),
}
# Failing checks of which rows are shown: each is one more read.
_MOST_SAMPLES = 20
_EMPTY = pl.DataFrame(schema={ROW: pl.Int64})


class _Cell:
    """A column of the frame, and the value of the model's type that it becomes."""

    def __init__(self, plan: ColumnPlan, cell: Column, policy: Policy) -> None:
        target, self.kind = plan.column.type, plan.source.kind
        self.cell, self.number, self.target = cell, cell.cast("double"), str(target)
        self.how = CONFORMS[target.name].get(self.kind) if isinstance(target, Scalar) else None
        self.value = cell.try_cast({"datetime": "timestamp_ntz"}.get(self.target, self.target))
        self.present = cell.isNotNull() & ~_is_nan(cell, self.kind in FLOATING)
        self.compared = sf.when(
            ~_is_nan(self.value, self.target in ("float", "double")), self.value
        )
        self.nan_is_null = policy.nan == "null" or self.target in NEVER_NULL
        self.is_text = plan.source.text and self.kind == "string"


def _is_nan(cell: Column, can_be: bool) -> Column:
    return sf.isnan(cell) if can_be else sf.lit(False)


def _infinite(number: Column) -> Column:
    return sf.abs(number.cast("double")) == float("inf")


def _whole(c: _Cell) -> Column:
    return sf.rint(c.number) == c.number


def _overflow(c: _Cell) -> Column:
    return _infinite(c.value) & ~_infinite(c.number)


def _rounded(c: _Cell) -> Column:
    back = c.value.cast("double")
    if c.kind == "float64":
        return (back != c.cell) & ~_overflow(c)
    # The largest integers become 2**63, which is none; Spark casts it back to one of them.
    return ~_true((back < 2.0**63) & (back.try_cast("bigint") == c.cell))


def _beyond_nanoseconds(c: _Cell) -> Column:
    low, high, kind = _INSTANTS[c.kind]
    return ~c.cell.between(sf.lit(low).cast(kind), sf.lit(high).cast(kind))


# What a check of a column says, and how its cells are cast -> the cells that fail.
_FAILS: dict[tuple[str, How | None], Callable[[_Cell], Column]] = {
    ("out_of_range", How.IN_RANGE): lambda c: ~c.number.between(*_RANGES[c.target]),
    ("not_representable", How.WHOLE): lambda c: ~_whole(c),
    ("out_of_range", How.WHOLE): lambda c: _whole(c) & ~c.number.between(*_RANGES[c.target]),
    ("out_of_range", How.EXACT): _overflow,
    ("not_representable", How.EXACT): _rounded,
    ("out_of_range", How.IN_NANOSECONDS): _beyond_nanoseconds,
}


def _of_contract(check: RowCheck, c: _Cell) -> Column:
    if check.kind == "null":
        return ~c.present if c.nan_is_null else c.cell.isNull()
    if check.kind == "non_finite":
        return _infinite(c.value) | _is_nan(c.value, not c.nan_is_null)
    return _FAILS[check.kind, c.how](c) & c.present


def _between(value: Column, kwargs: dict[str, Any], kind: str) -> Column:
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    if kind not in NUMBERS or not all(each is None or is_number(each) for each in (low, high)):
        raise LookupError
    number, inside = value.cast("double"), sf.lit(True)
    if low is not None:
        inside &= number > float(low) if kwargs.get("strict_min") else number >= float(low)
    if high is not None:
        inside &= number < float(high) if kwargs.get("strict_max") else number <= float(high)
    return inside


def _in_set(value: Column, kwargs: dict[str, Any], kind: str) -> Column:
    known = members(kwargs["value_set"], kind)
    # A long list is looked up by hash, where 0.0 is not -0.0.
    if known is None or known.dtype.is_float():
        raise LookupError
    return value.isin(known.to_list())


# A rule about one column -> the values that keep it; LookupError where only the gate can tell.
_PASSES: dict[str, Callable[[Column, dict[str, Any], str], Column]] = {
    "expect_column_values_to_not_be_null": lambda v, *_: v.isNotNull(),
    "expect_column_values_to_be_null": lambda v, *_: v.isNull(),
    "expect_column_values_to_be_between": _between,
    "expect_column_values_to_be_in_set": _in_set,
    "expect_column_values_to_not_be_in_set": lambda *given: ~_in_set(*given),
    "expect_column_value_lengths_to_be_between": lambda v, kwargs, _: _between(
        sf.char_length(v), kwargs, "long"
    ),
}


def _of_rule(rule: Rule, cells: dict[str, _Cell]) -> tuple[Column, Column]:
    if rule.condition:
        raise LookupError
    c = cells[rule.column or ""]
    applies = sf.lit(True) if ROW_RULES[rule.type].missing else c.compared.isNotNull()
    return applies, ~_true(_PASSES[rule.type](c.compared, rule.kwargs, c.target))


def _true(mask: Column) -> Column:
    return sf.coalesce(mask, sf.lit(False))


class _Mask(NamedTuple):
    check: RowCheck
    fails: Column
    applies: Column


class Natively(NamedTuple):
    """A DataFrame whose rows Spark judges itself: its checks, and what its columns become."""

    frame: SparkFrame
    stages: Stages
    masks: list[_Mask]
    values: list[Column]

    @property
    def _rejected(self) -> Column:
        return reduce(or_, (m.fails for m in self.masks if m.check.blocks), sf.lit(False))

    def counted(self, empty: FileResult) -> FileResult:
        """Count the rows that fail each check, by one aggregate."""
        wanted = [sf.lit(True), self._rejected]
        wanted += [column for mask in self.masks for column in (mask.fails, mask.applies)]
        rows, rejected, *counts = self.frame.numbered.select(*map(sf.count_if, wanted)).collect()[0]
        found = list(zip(self.masks, counts[::2], counts[1::2], strict=True))
        rules = {m.check.rule: RuleCounts(of, n) for m, n, of in found if m.check.rule is not None}
        return replace(
            empty,
            row_count=rows,
            rejected=rejected,
            row_violations=tuple(self._violations([(m, n) for m, n, _ in found if n])),
            rule_counts={**empty.rule_counts, **rules},
        )

    def _violations(self, failing: list[tuple[_Mask, int]]) -> Iterator[Violation]:
        shown = {_key(v): v for v in self._shown([mask for mask, _ in failing[:_MOST_SAMPLES]])}
        for mask, count in failing:
            bare = violation_of(mask.check, count, _EMPTY, self.stages.request.policy)
            found = shown.get(_key(bare), bare)
            fields = {"sample": found.sample, "sample_counts": (1,) * len(found.sample)}
            yield bare.model_copy(update={**fields, "kept": found.kept})

    def _shown(self, failing: list[_Mask]) -> tuple[Violation, ...]:
        """Let the gate judge some rows that fail each check, and say what it sees."""
        policy, frame = self.stages.request.policy, self.frame.numbered
        if policy.redact or not failing or not policy.sample_rows:
            return ()
        used = frame.select(*(frame.columns[i] for i in self.stages.used))
        some = [used.filter(mask.fails).limit(policy.sample_rows) for mask in failing]
        rows = reduce(type(used).unionAll, some).toArrow()
        return scan_files(self.stages.planned(rows), policy).files[0].row_violations

    def marked(self, verdict: Verdict) -> DataFrame:
        """Put the reasons against each row beside it."""
        reasons = [sf.lit(v.message) for v in verdict.blocking if v.level == "batch"]
        reasons += [
            sf.when(mask.fails, sf.lit(reason(mask.check)))
            for mask in self.masks
            if is_reason(mask.check, verdict)
        ]
        listed = sf.array_compact(sf.array(*reasons).cast("array<string>"))
        return self.frame.numbered.withColumn(REASONS, listed)

    def accepted(self) -> DataFrame:
        """Cast the good rows."""
        return self.frame.numbered.filter(~self._rejected).select(*self.values)


def _key(v: Violation) -> tuple[Any, ...]:
    return v.kind, v.column, v.expected, v.observed, str(v.expectation)


def natively(frame: SparkFrame, planned: BatchResult, stages: Stages) -> Natively | None:
    """Express all checks in Spark; None where one of them, or a column, needs the gate."""
    (file,), policy = planned.files, stages.request.policy
    assert file.plan is not None  # noqa: S101 - only rows of such frames are read
    columns = dict(zip(file.batch.sources, frame.numbered.columns, strict=True))
    plans = {plan.column.name: plan for plan in file.plan.columns}
    if policy.null_values or not all(isinstance(p.column.type, Scalar) for p in plans.values()):
        return None
    cells = {n: _Cell(p, sf.col(columns[p.source_name]), policy) for n, p in plans.items()}
    types = {n: frame.numbered.schema[columns[p.source_name]].dataType for n, p in plans.items()}
    if not all(_is_plain(c, types[name]) for name, c in cells.items()):
        return None
    masks, good = list[_Mask](), sf.lit(True)
    try:
        for check in file.plan.row_checks:  # those of rules, which are about good rows, last
            if check.rule is None:
                fails = _true(_of_contract(check, cells[check.column or ""]))
                good = good & ~fails if check.blocks else good
                mask = _Mask(check, fails, sf.lit(False))
            else:
                applies, broken = _of_rule(planned.rules[check.rule][0], cells)
                mask = _Mask(check, good & applies & broken, good & applies)
            masks.append(mask)
    except LookupError:
        return None
    values = [c.value.alias(name) for name, c in cells.items()]
    kept = [frame.numbered[i].alias(name) for name, i in stages.kept if name not in cells]
    return Natively(frame, stages, masks, [*values, *kept])


def _is_plain(c: _Cell, kind: Any) -> bool:
    """Tell whether no cell is read as something else, nor compared by a collation."""
    is_known = c.how not in (None, How.IN_UTC) and c.kind != "decimal" and not c.is_text
    return is_known and (c.kind != "string" or kind == StringType())
