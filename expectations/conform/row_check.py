"""A rule that single rows can break: which rows break it, and what to say about them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

    from ..batch.statistics import ColumnStatistics
    from ..verdict.verdict import Engine, Kind, Severity


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

    @property
    def mask(self) -> pl.Expr:
        """The failing rows, with no third truth value: what cannot be compared does not fail."""
        return self.fails.fill_null(value=False)

    @property
    def blocks(self) -> bool:
        """Whether a failing row is kept from the model."""
        return self.severity == "critical"
