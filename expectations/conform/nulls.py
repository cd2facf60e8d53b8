"""Where null may stand, and where it is a fault."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from ..contract.types import Anything, Scalar, Tensor
from .conversions import NEVER_NULL
from .row_check import RowCheck
from .source import FLOATING

if TYPE_CHECKING:
    import polars as pl

    from ..contract.contract import Column
    from ..contract.policy import Policy
    from ..contract.types import ScalarName, Type
    from .source import SourceColumn

WITH_NAN: tuple[ScalarName, ...] = ("float", "double")


def null_faults(
    column: Column, source: SourceColumn, value: pl.Expr, policy: Policy
) -> tuple[RowCheck, ...]:
    """State the rule about null for a column."""
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
    check = _fault(column.name, target, missing, why, never=never)
    return (replace(check, ruled_out_by=lambda known: provable and known.nulls == 0),)


def why_null_is_forbidden(column: Column, policy: Policy) -> str | None:
    """Name the type's nature or the policy that forbids null; None where it may stand."""
    target = column.type
    if isinstance(target, Tensor):
        return None  # its own way minds null in every place of it
    if isinstance(target, Scalar) and target.name in NEVER_NULL:
        return f"{target} cannot carry null to the model"
    if not column.required:
        return None
    # MLflow refuses a null cell in a required column of these types, whatever the policy.
    if not isinstance(target, Scalar | Anything):
        return f"a required {target} cannot be null"
    allowed = policy.nulls == "allow" or column.name in policy.nullable
    return None if allowed else "policy nulls: forbid"


def _fault(name: str, target: Type, missing: pl.Expr, why: str, *, never: bool) -> RowCheck:
    if never:
        otherwise = "or log the model again with it as double, which can carry null"
    elif why.startswith("policy"):
        otherwise = f"or accept null by policy nullable: [{name}]"
    else:
        otherwise = "or log the model again with it optional"
    return RowCheck(
        kind="null",
        fails=missing,
        expected=f"{target} in every row",
        observed="null",
        remedy=f"Fill {name!r} before delivery, {otherwise}.",
        because=why,
        expectation={"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}},
    )
