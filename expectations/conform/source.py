"""What arrives in a column, or in a part of a nested one."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import polars as pl

from ..batch.arrow_types import source_kind
from ..contract.types import Scalar
from .conversions import NEVER_NULL

if TYPE_CHECKING:
    import pyarrow as pa

    from ..batch.batch import ParsedText
    from ..contract.types import ScalarName, Type

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
    """A column as it arrives, or a part of a nested one: cells of one type.

    Attributes:
        name: The contract's name of the column.
        expr: The cells: a column, or an element or field of one.
        arrow: Their type as it arrived.
        dtype: Their Polars type.
        text: Whether text among them stands for values.
        base64: Whether text among them stands for bytes.
        nullable: Whether they can hold null at all; numpy arrays cannot.
        parsed: The values that their text stands for, if the scan has parsed it.
    """

    name: str
    expr: pl.Expr
    arrow: pa.DataType
    dtype: pl.DataType
    text: bool = False
    base64: bool = False
    nullable: bool = True
    parsed: ParsedText | None = None

    @cached_property
    def kind(self) -> str:
        """Their type, as the conversion table names it."""
        return source_kind(self.arrow)

    @property
    def present(self) -> pl.Expr:
        """True where there is a value: neither null nor NaN."""
        present = self.expr.is_not_null()
        return present & ~self.expr.is_nan() if self.kind in FLOATING else present

    def part(self, expr: pl.Expr, arrow: pa.DataType, dtype: object) -> SourceColumn:
        """Describe an element or a field of these cells, read by the same options."""
        return SourceColumn(self.name, expr, arrow, instance(dtype), self.text)


def is_missing(source: SourceColumn, target: Type) -> pl.Expr:
    """True where a cell has no value for a type; for integers and booleans NaN is none either."""
    null = source.expr.is_null()
    never = isinstance(target, Scalar) and target.name in NEVER_NULL
    return null | source.expr.is_nan() if never and source.kind in FLOATING else null


def instance(dtype: object) -> pl.DataType:
    """A Polars type as an instance, where it may be a class."""
    return dtype() if isinstance(dtype, type) else dtype  # pyright: ignore[reportReturnType]
