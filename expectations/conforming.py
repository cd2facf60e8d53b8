"""A column in exactly the contract's type, and the rules that its rows can break."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import polars as pl

from .casting import FLOATING, POLARS_DTYPES, Cells, Way, cast_cells, value_fault
from .faults import Fault
from .parsing import parse
from .types import NEVER_NULL, Scalar

if TYPE_CHECKING:
    from .contract import Column
    from .policy import Policy
    from .types import ScalarName
    from .verdict import Kind

_WITH_NAN: tuple[ScalarName, ...] = ("float", "double")


@dataclass(frozen=True)
class Conformed:
    """How one arriving column becomes what the model takes.

    Attributes:
        column: The contract's column.
        source: The arriving column's name in the batch's lazy frame.
        cells: The arriving cells.
        value: Expression of the model's type, named as the contract names it.
        faults: The rules that rows can break; none if every row conforms by type.
    """

    column: Column
    source: str
    cells: Cells
    value: pl.Expr
    faults: tuple[Fault, ...]

    @property
    def target(self) -> ScalarName:
        """The scalar type in which the model receives it."""
        return cast("Scalar", self.column.type).name


def conform(column: Column, source: str, cells: Cells, policy: Policy) -> Conformed | None:
    """Plan the way of a column into the contract's type.

    Args:
        column: What the contract asks for; of a scalar type.
        source: The arriving column's name in the batch's lazy frame.
        cells: What arrives.
        policy: Decides about nulls, text, zones and rounding.

    Returns:
        The plan; None if the arriving type never conforms.
    """
    target = cast("Scalar", column.type).name
    known = _without_null_values(cells, policy)
    way = _way(known, target, policy)
    if way is None:
        return None
    value = way.value.cast(POLARS_DTYPES[target], strict=False)
    faults = (
        *_null_faults(column, known, value, policy),
        *way.faults,
        *_non_finite_faults(known, target, value, policy),
    )
    return Conformed(column, source, cells, value.alias(column.name), faults)


def _way(cells: Cells, target: ScalarName, policy: Policy) -> Way | None:
    if cells.text and target not in ("string", "binary"):
        return _parse_cells(cells, target, policy)
    if cells.kind == "null":
        return Way(cells.expr)
    return cast_cells(cells, target, policy)


def _without_null_values(cells: Cells, policy: Policy) -> Cells:
    if cells.kind != "string":
        return cells
    text = cells.expr.cast(pl.String)
    if policy.null_values:
        text = pl.when(~text.is_in(list(policy.null_values))).then(text)
    return replace(cells, expr=text)


def _parse_cells(cells: Cells, target: ScalarName, policy: Policy) -> Way:
    parsed = parse(cells.expr, target, policy)
    masks: tuple[tuple[Kind, pl.Expr, tuple[str, str]], ...] = (
        ("unparseable", parsed.unparseable, (parsed.example, "text that is none")),
        ("out_of_range", parsed.out_of_range, (f"magnitudes that {target} has", "one beyond them")),
        (
            "not_representable",
            parsed.not_representable,
            (f"integers that {target} represents exactly", "one that it can only round"),
        ),
    )
    faults = (
        value_fault(cells, target, kind, mask & cells.present, words) for kind, mask, words in masks
    )
    return Way(parsed.value, tuple(faults))


def _null_faults(column: Column, cells: Cells, value: pl.Expr, policy: Policy) -> tuple[Fault, ...]:
    target = cast("Scalar", column.type).name
    never = target in NEVER_NULL
    allowed = policy.nulls == "allow" or not column.required or column.name in policy.nullable
    if allowed and not never:
        return ()
    missing, provable = cells.expr.is_null(), not policy.null_values
    if policy.nan == "null" or never:
        if cells.kind in FLOATING:
            # Parquet's null count does not see NaN.
            missing, provable = missing | cells.expr.is_nan(), False
        elif cells.text and target in _WITH_NAN:
            missing |= value.is_nan().fill_null(value=False)
    fault = _null_fault(column.name, target, missing, never=never)
    return (replace(fault, absent=lambda known: provable and known.nulls == 0),)


def _null_fault(name: str, target: ScalarName, missing: pl.Expr, *, never: bool) -> Fault:
    remedies = {
        True: "or log the model again with it as double, which can carry null",
        False: f"or accept null by policy nullable: [{name}]",
    }
    return Fault(
        kind="null",
        failing=missing,
        expected=f"a {target} in every row",
        observed="null",
        remedy=f"Fill {name!r} before delivery, {remedies[never]}.",
        because=f"{target} cannot carry null to the model" if never else "policy nulls: forbid",
        expectation={"type": "expect_column_values_to_not_be_null", "kwargs": {"column": name}},
    )


def _non_finite_faults(
    cells: Cells, target: ScalarName, value: pl.Expr, policy: Policy
) -> tuple[Fault, ...]:
    can_be = cells.text or cells.kind in FLOATING
    if policy.non_finite == "allow" or target not in _WITH_NAN or not can_be:
        return ()
    nan_counts = policy.nan == "value"
    fault = Fault(
        kind="non_finite",
        failing=value.is_infinite() | value.is_nan() if nan_counts else value.is_infinite(),
        expected="finite numbers",
        observed="infinity or NaN" if nan_counts else "infinity",
        remedy=f"Clip or fill {cells.name!r} before delivery, or set policy non_finite: allow.",
        because=f"policy non_finite: {policy.non_finite}",
        severity="critical" if policy.non_finite == "forbid" else "warning",
    )
    return (fault,)
