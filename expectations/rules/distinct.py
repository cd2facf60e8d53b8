"""Rules about the distinct values of a column: how many there are, and which."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl

from ..wording import listed
from .metrics import Measured
from .operands import members, within
from .rule_words import values_in_words

if TYPE_CHECKING:
    from collections.abc import Callable

    from .operands import RuleOperands

_SHOWN = 5


def has_values(terms: RuleOperands) -> bool:
    """Tell whether pandas would look the column's values up in the set as Polars does."""
    given = members(terms.kwargs.get("value_set"), terms.kind)
    return given is not None and len(given) > 0


def distinct(terms: RuleOperands) -> pl.Expr:
    """Count the values, each once."""
    return terms.value.drop_nulls().n_unique()


def outside(terms: RuleOperands) -> list[pl.Expr]:
    """Count the values that are not in the set, and show some of them."""
    others = terms.value.filter(~within(terms.columns[0], _set(terms))).unique()
    return [others.len(), others.sort().head(_SHOWN).implode()]


def inside(terms: RuleOperands) -> list[pl.Expr]:
    """Count the values of the set that are there."""
    return [terms.value.filter(within(terms.columns[0], _set(terms))).n_unique()]


def no_others(_: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the values that are not in the set."""
    number, shown = values
    if not number:
        return Measured(success=True, observed="no others")
    others = listed(map(repr, shown), total=number)
    return Measured(success=False, observed=f"also {others}", reveals=True)


def all_there(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from the number of values of the set that are there."""
    absent = len(_set(terms)) - values[0]
    return Measured(not absent, f"{absent:,} of them absent" if absent else "all of them")


def just_these(terms: RuleOperands, values: list[Any]) -> Measured:
    """Conclude from both."""
    others, absent = no_others(terms, values[:2]), all_there(terms, values[2:])
    faults = [str(found.observed) for found in (others, absent) if not found.success]
    return Measured(not faults, " and ".join(faults) or "all of them", others.reveals)


def valued(said: str) -> Callable[[RuleOperands], str]:
    """Say what is asked for, with the set."""
    return lambda terms: f"{said} {values_in_words(terms.kwargs['value_set'])}"


def _set(terms: RuleOperands) -> pl.Series:
    values = members(terms.kwargs["value_set"], terms.kind)
    return pl.Series([]) if values is None else values
