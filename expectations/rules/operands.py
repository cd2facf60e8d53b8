"""What a rule speaks about: conformed columns, and the limits and sets that it compares them with.

pandas is what GX judges, so its notions hold here too: NaN is missing like null, and what cannot be
compared in pandas is not compared here either, but left to GX.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Self, cast

import polars as pl

from ..conform.conversions import NEVER_NULL
from ..contract.types import SCALARS, Scalar

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..contract.signature import Column
    from ..contract.types import ScalarName

INTEGERS = ("integer", "long")
NUMBERS = (*INTEGERS, "float", "double")
# Types whose values pandas sorts out by hash and compares as Polars does.
COMPARABLE = tuple(name for name in SCALARS if name != "binary")
LIMITS = frozenset({"min_value", "max_value", "strict_min", "strict_max"})
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?)?")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INT64 = range(-(2**63), 2**63)
_LONGEST = 60
# A rule's limits are asked for when it is read, tried and judged.
_literal = lru_cache(maxsize=1_024, typed=True)(pl.lit)


@dataclass(frozen=True)
class Operand:
    """A conformed column, as rules see it.

    Attributes:
        name: The contract's name.
        kind: Its scalar type; empty text for nested types and tensors.
        value: The conformed value, null where pandas finds it missing.
    """

    name: str
    kind: ScalarName | str
    value: pl.Expr = field(compare=False)

    @classmethod
    def of(cls, column: Column, source: str) -> Self:
        """Speak of a column of the contract, whose conformed values lie under some name."""
        kind = column.type.name if isinstance(column.type, Scalar) else ""
        return cls(column.name, kind, pl.col(source))


@dataclass(frozen=True)
class RuleOperands:
    """What one rule speaks about.

    Attributes:
        columns: The columns that it is about.
        kwargs: The expectation's own arguments.
        rows: True in the rows that it is about.
    """

    columns: tuple[Operand, ...]
    kwargs: dict[str, Any]
    rows: pl.Expr = field(compare=False)

    @property
    def value(self) -> pl.Expr:
        """The value of the only column."""
        return self.columns[0].value

    @property
    def kind(self) -> str:
        """The type of the only column."""
        return self.columns[0].kind

    @property
    def kinds(self) -> set[str]:
        """The types of all columns."""
        return {column.kind for column in self.columns}

    def cast_to_common(self) -> list[pl.Expr]:
        """Bring the columns to one type, as pandas does where it compares them."""
        if self.kinds <= set(INTEGERS):
            return [column.value.cast(pl.Int64) for column in self.columns]
        if self.kinds <= set(NUMBERS):
            return [column.value.cast(pl.Float64) for column in self.columns]
        return [column.value for column in self.columns]


def is_number(value: object) -> bool:
    """Tell whether a rule's argument is a number: true and NaN are none."""
    return isinstance(value, int | float) and not (isinstance(value, bool) or math.isnan(value))


def is_whole(value: object) -> bool:
    """Tell whether a rule's argument is a whole number."""
    return is_number(value) and float(cast("float", value)).is_integer()


def instant(value: object) -> int | None:
    """Read a point in time as nanoseconds since 1970; None if it is something else."""
    value = value.isoformat() if isinstance(value, date) else value
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return None
    try:
        moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
    except ValueError:
        return None
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def in_order(column: Operand, limit: object) -> tuple[pl.Expr, pl.Expr] | None:
    """Put a column and a limit in types in which pandas would order them.

    Returns:
        Both sides of a comparison; None if pandas has no such order.
    """
    if column.kind in NUMBERS and is_number(limit):
        value = column.value if column.kind == "double" else column.value.cast(pl.Float64)
        return value, _literal(float(cast("float", limit)))
    moment = instant(limit)
    if column.kind == "datetime" and moment is not None:
        return column.value.to_physical(), _literal(moment)
    return None


def members(values: object, kind: str) -> pl.Series | None:
    """Put a rule's set of values in the type in which pandas would look a column up in it.

    Returns:
        Distinct values, to be looked up with ``within``; None where pandas may see it otherwise.
    """
    if not isinstance(values, list):
        return None
    listed = cast("list[Any]", values)
    if kind not in NEVER_NULL:
        listed = [value for value in listed if value is not None]
    if kind in INTEGERS and all(type(v) is int and v in _INT64 for v in listed):
        return pl.Series(listed, dtype=pl.Int64).unique()
    if kind in ("float", "double") and all(is_number(v) for v in listed):
        return pl.Series([float(v) for v in listed], dtype=pl.Float64).unique()
    if kind == "string" and all(isinstance(v, str) for v in listed):
        return pl.Series(listed, dtype=pl.String).unique()
    if kind == "boolean" and all(isinstance(v, bool) for v in listed):
        return pl.Series(listed, dtype=pl.Boolean).unique()
    return None


def within(column: Operand, values: pl.Series) -> pl.Expr:
    """Tell in which rows a column's value is among some: null where it is missing."""
    return column.value.cast(values.dtype).is_in(values.implode())


# ----- in words -----


def limits_in_words(kwargs: dict[str, Any]) -> str:
    """Say limits: ``from 0 to 10``, ``above 0``, ``below 10``."""
    low, high = kwargs.get("min_value"), kwargs.get("max_value")
    above = "above" if kwargs.get("strict_min") else "from"
    below = "below" if kwargs.get("strict_max") else "to"
    if low is not None and high is not None:
        strict = kwargs.get("strict_min") or kwargs.get("strict_max")
        return f"{above} {low} {'and ' if strict else ''}{below} {high}"
    if low is not None:
        return f"above {low}" if kwargs.get("strict_min") else f"of at least {low}"
    if high is not None:
        return f"below {high}" if kwargs.get("strict_max") else f"of at most {high}"
    return "of any size"


def limits_of(kwargs: dict[str, Any]) -> list[Any]:
    """List the limits that are set."""
    return [kwargs[key] for key in ("min_value", "max_value") if kwargs.get(key) is not None]


def values_in_words(values: list[Any]) -> str:
    """List values, cut short where there are many."""
    text = ", ".join(map(repr, values))
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(values):,} values)"


def listed(names: Sequence[str]) -> str:
    """Name columns: ``'a', 'b' and 'c'``."""
    quoted = [repr(name) for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
