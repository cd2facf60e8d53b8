"""Arriving cells, their way into a type, and what is said of those that have none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from ..batch.arrow_types import source_kind
from ..contract.types import Scalar
from .conversions import NEVER_NULL, PANDAS_DTYPES
from .row_check import RowCheck

if TYPE_CHECKING:
    import pyarrow as pa

    from ..batch.batch import ParsedText
    from ..contract.types import ScalarName, Type
    from ..verdict.verdict import Kind

POLARS_DTYPES: dict[ScalarName, pl.DataType] = {
    "boolean": pl.Boolean(),
    "integer": pl.Int32(),
    "long": pl.Int64(),
    "float": pl.Float32(),
    "double": pl.Float64(),
    "string": pl.String(),
    "binary": pl.Binary(),
    "datetime": pl.Datetime("ns"),
}
FLOATING = ("float16", "float32", "float64")


@dataclass(frozen=True)
class SourceColumn:
    """Arriving cells of one type.

    Attributes:
        name: The contract's name of the column they belong to.
        expr: Where they are: a column, or an element of one.
        arrow: Their type as it arrived.
        dtype: Their Polars type.
        text: Whether text among them stands for values.
        nullable: Whether they can hold null at all; numpy arrays cannot.
        parsed: Where the scan has what their text stands for, if it was parsed before.
    """

    name: str
    expr: pl.Expr
    arrow: pa.DataType
    dtype: pl.DataType
    text: bool = False
    nullable: bool = True
    parsed: ParsedText | None = None

    @property
    def kind(self) -> str:
        """Their type, in the words of the conversion table."""
        return source_kind(self.arrow)

    @property
    def present(self) -> pl.Expr:
        """True where there is a value: neither null nor NaN."""
        there = self.expr.is_not_null()
        return there & ~self.expr.is_nan() if self.kind in FLOATING else there


class CastPlan(NamedTuple):
    """The way of cells into a type.

    Attributes:
        value: The value in that type; undefined where a fault is.
        dtype: The value's Polars type.
        faults: The rules that cells can break; none if they conform by their type alone.
    """

    value: pl.Expr
    dtype: pl.DataType
    checks: tuple[RowCheck, ...] = ()


@dataclass(frozen=True)
class Incompatible:
    """Why an arriving type never conforms.

    Attributes:
        where: The place within a nested type, and what is wrong there; empty at the top.
    """

    where: str = ""


def value_fault(
    source: SourceColumn,
    target: ScalarName,
    kind: Kind,
    fails: pl.Expr,
    words: tuple[str, str],
) -> RowCheck:
    """State that single values have no place in a type."""
    expected, observed = words
    came = "text" if source.text else source.kind
    return RowCheck(
        kind=kind,
        fails=fails,
        expected=expected,
        observed=observed,
        remedy=_remedy(source, target),
        because=f"{came} conforms to {target} value by value",
        expectation={
            "type": "expect_column_type_to_be",
            "kwargs": {"column": source.name, "type_": PANDAS_DTYPES[target]},
        },
    )


def _remedy(source: SourceColumn, target: ScalarName) -> str:
    if source.text:
        return (
            f"Have {source.name!r} written as the grammar of {target} has it; texts that stand for "
            "null belong in policy null_values."
        )
    return (
        f"Deliver {source.name!r} as {target}, or log the model again with the type that arrives."
    )


def structural_fault(
    source: SourceColumn, failing: pl.Expr, expected: str, observed: str
) -> RowCheck:
    """State that a part of a nested value has no place there."""
    return RowCheck(
        kind="nested_mismatch",
        fails=failing,
        expected=expected,
        observed=observed,
        remedy=f"Fill or leave out such parts of {source.name!r} before delivery.",
        because="MLflow has no place for it within a nested value",
    )


def is_missing(source: SourceColumn, target: Type) -> pl.Expr:
    """Tell where a cell holds nothing for a type; an integer has no place for NaN either."""
    null = source.expr.is_null()
    never = isinstance(target, Scalar) and target.name in NEVER_NULL
    return null | source.expr.is_nan() if never and source.kind in FLOATING else null


def below(plan: Incompatible, place: str, source: SourceColumn) -> Incompatible:
    """Say the same of the level above: which part of it has no way."""
    return Incompatible(
        f"{place} is {source.arrow}" if not plan.where else f"in {place} {plan.where}"
    )


def instance(dtype: object) -> pl.DataType:
    """Make an instance of a Polars type that is named by its class."""
    return dtype() if isinstance(dtype, type) else dtype  # pyright: ignore[reportReturnType]
