"""Where a column may hold null, and where it may not."""

from __future__ import annotations

import datetime as dt
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import polars as pl

from ..contract.types import Anything, Scalar, Tensor
from .conversions import NEVER_NULL
from .row_check import never_ruled_out, null_check
from .source import FLOATING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..batch.statistics import ColumnStatistics
    from ..contract.contract import Column
    from ..contract.policy import Policy
    from ..contract.types import ScalarName
    from .row_check import RowCheck
    from .source import SourceColumn

# Years of which nanoseconds hold every instant.
_FIRST_YEAR, _LAST_YEAR = 1678, 2261
WITH_NAN: tuple[ScalarName, ...] = ("float", "double")


def null_checks(
    column: Column, source: SourceColumn, value: pl.Expr, policy: Policy
) -> tuple[RowCheck, ...]:
    """Check a column for null, where it may not hold it."""
    why = why_null_is_forbidden(column, policy)
    if why is None:
        return ()
    target = column.type
    missing, provable = source.expr.is_null(), not policy.null_values
    never = isinstance(target, Scalar) and target.name in NEVER_NULL
    if policy.nan == "null" or never:
        if source.kind in FLOATING:
            # Parquet's null count does not see NaN.
            missing, provable = missing | source.expr.is_nan(), False
        elif source.text and isinstance(target, Scalar) and target.name in WITH_NAN:
            missing |= value.is_nan().fill_null(value=False)
    proof = _has_no_null if provable else never_ruled_out
    return (null_check(column.name, target, missing, why, proof),)


def _has_no_null(known: ColumnStatistics) -> bool:
    return known.nulls == 0


def why_null_is_forbidden(column: Column, policy: Policy) -> str | None:
    """Name what forbids null, the type or the policy; None where null is accepted."""
    target = column.type
    if isinstance(target, Tensor):
        return None  # its own plan checks for null at every place
    if isinstance(target, Scalar) and target.name in NEVER_NULL:
        return f"{target} cannot carry null to the model"
    if not column.required:
        return None
    # MLflow refuses a null cell in a required column of these types, whatever the policy.
    if not isinstance(target, Scalar | Anything):
        return f"a required {target} cannot be null"
    allowed = policy.nulls == "allow" or column.name in policy.nullable
    return None if allowed else "policy nulls: forbid"


def without_null_values(source: SourceColumn, policy: Policy) -> SourceColumn:
    """Read as null the cells that the policy says stand for it."""
    if source.parsed or not policy.null_values:
        return source
    if source.kind == "string":
        return replace(source, expr=null_where_stated(source.expr, policy.null_values))
    nulls = _typed(policy.null_values, source.dtype)
    if not len(nulls):
        return source
    return replace(source, expr=pl.when(~source.expr.is_in(nulls.implode())).then(source.expr))


def null_where_stated(cell: pl.Expr, nulls: Sequence[str]) -> pl.Expr:
    """Make text of cells, and null of the texts that stand for it."""
    text = cell.cast(pl.String)
    return pl.when(~text.is_in(list(nulls))).then(text) if nulls else text


def _typed(texts: Sequence[str], dtype: pl.DataType) -> pl.Series:
    """Read texts as values of a type; what the type does not hold is left out."""
    if isinstance(dtype, pl.Datetime | pl.Date):
        return _instants(texts, dtype)
    if dtype.is_numeric():
        values = pl.Series(texts, dtype=pl.String).cast(dtype, strict=False).drop_nulls()
        return values.drop_nans() if dtype.is_float() else values
    return pl.Series([], dtype=dtype)


def _instants(texts: Sequence[str], dtype: pl.Datetime | pl.Date) -> pl.Series:
    instants = list[dt.datetime]()
    for text in texts:
        with suppress(ValueError, OverflowError):
            instant = dt.datetime.fromisoformat(text.strip())
            naive = instant.astimezone(dt.UTC) if instant.tzinfo else instant
            instants.append(naive.replace(tzinfo=None))
    if isinstance(dtype, pl.Date):
        days = [instant.date() for instant in instants if instant.time() == dt.time()]
        return pl.Series(days, dtype=pl.Date)
    if dtype.time_unit == "ns":
        instants = [i for i in instants if _FIRST_YEAR <= i.year <= _LAST_YEAR]
    values = pl.Series(instants, dtype=pl.Datetime("us")).cast(pl.Datetime(dtype.time_unit))
    zone = dtype.time_zone
    return values.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else values
