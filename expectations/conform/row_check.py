"""A rule that single rows can break: which rows break it, and what to say about them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import polars as pl

from .conversions import PANDAS_DTYPES
from .remedies import null_remedy, value_remedy

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..batch.statistics import ColumnStatistics
    from ..contract.types import ScalarName, Type
    from ..verdict.rule_result import Engine
    from ..verdict.verdict import Kind, Severity
    from .source import SourceColumn

_FALSE = pl.lit(value=False)


def never_ruled_out(_: ColumnStatistics) -> bool:
    """Statistics say nothing about this check."""
    return False


@dataclass(frozen=True)
class RowCheck:
    """One rule that single rows can break.

    Attributes:
        kind: The kind of violation that a failing row has.
        fails: Boolean expression over the arriving columns, true where a row breaks the rule.
        expected: What the rule asks for.
        observed: What a failing cell is, as a noun in the singular or plural.
        remedy: What to do about it.
        because: The policy field or conversion rule behind it.
        severity: Whether a failing row is kept from the model.
        ruled_out_by: Whether statistics of the column prove that no row fails.
        expectation: The GX expectation that states the rule, if one does.
        applies: True in the rows that a user's rule looks at; None for the contract's own rules.
        engine: What found the failing rows.
        column: The contract's name of the checked column; None for whole records.
        sample: Expression of the cell to show as a sample; None for nothing.
        rule: Number of the user's rule that it is; None for the contract's own.
        statistic: What was learned of the column, for rules made from that.
    """

    kind: Kind
    fails: pl.Expr = field(compare=False)
    expected: str
    observed: str
    remedy: str
    because: str
    severity: Severity = "critical"
    ruled_out_by: Callable[[ColumnStatistics], bool] = never_ruled_out
    expectation: dict[str, Any] | None = None
    applies: pl.Expr | None = field(default=None, compare=False)
    engine: Engine = "polars"
    column: str | None = None
    sample: pl.Expr | None = field(default=None, compare=False)
    rule: int | None = None
    statistic: str = ""

    @cached_property
    def mask(self) -> pl.Expr:
        """The failing rows, with no third truth value: what cannot be compared does not fail."""
        return self.fails.fill_null(_FALSE)

    @property
    def blocks(self) -> bool:
        """Whether a failing row is kept from the model."""
        return self.severity == "critical"


# ----- the checks of the conversion table -----


def value_check(
    source: SourceColumn,
    target: ScalarName,
    kind: Kind,
    fails: pl.Expr,
    words: tuple[str, str],
) -> RowCheck:
    """Check values that a scalar type may not hold; ``words`` are expected and observed."""
    expected, observed = words
    arrived = "text" if source.kind == "string" else source.kind
    return RowCheck(
        kind=kind,
        fails=fails,
        expected=expected,
        observed=observed,
        remedy=value_remedy(source.name, source.kind, target, kind),
        because=f"{arrived} is converted to {target} cell by cell",
        expectation={
            "type": "expect_column_type_to_be",
            "kwargs": {"column": source.name, "type_": PANDAS_DTYPES[target]},
        },
    )


def null_check(
    name: str,
    target: Type,
    fails: pl.Expr,
    because: str,
    ruled_out_by: Callable[[ColumnStatistics], bool] = never_ruled_out,
) -> RowCheck:
    """Check for null in a column that may not have it."""
    return RowCheck(
        kind="null",
        fails=fails,
        expected=f"{target} in every row",
        observed="null",
        remedy=null_remedy(name, target, because),
        because=because,
        ruled_out_by=ruled_out_by,
        expectation=not_null(name),
    )


def not_null(name: str) -> dict[str, Any]:
    """Write the expectation of GX that a column has no null."""
    return {"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}}


def nested_check(source: SourceColumn, fails: pl.Expr, expected: str, observed: str) -> RowCheck:
    """Check for a part of a nested value that its type does not allow."""
    return RowCheck(
        kind="nested_mismatch",
        fails=fails,
        expected=expected,
        observed=observed,
        remedy=f"Fill or leave out such parts of {source.name!r} before delivery.",
        because="MLflow takes no such part within a nested value",
    )


def within(check: RowCheck, fails: pl.Expr, place: str) -> RowCheck:
    """Say of a nested value what a check says of a part of it."""
    observed = f"{check.observed} in {place}"
    return replace(check, fails=fails, observed=observed, ruled_out_by=never_ruled_out)
