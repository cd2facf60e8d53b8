"""How cells are cast to a type of the contract, or why they never can be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import polars as pl

    from .row_check import RowCheck
    from .source import SourceColumn


class CastPlan(NamedTuple):
    """How cells are cast to a type.

    Attributes:
        value: The value in that type; undefined where a check fails.
        dtype: The value's Polars type.
        checks: The checks that cells can fail; none if every value of their type conforms.
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


def within_part(reason: Incompatible, place: str, part: SourceColumn) -> Incompatible:
    """Say of a nested type that a part of it is incompatible."""
    return Incompatible(
        f"in {place} {reason.where}" if reason.where else f"{place} is {part.arrow}"
    )
