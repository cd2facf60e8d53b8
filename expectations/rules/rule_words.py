"""What rules ask for, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMITS = frozenset({"min_value", "max_value", "strict_min", "strict_max"})
_SHOWN = 60


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
    said = ", ".join(map(repr, values))
    return said if len(said) <= _SHOWN else f"{said[:_SHOWN]}… ({len(values):,} values)"


def listed(names: Sequence[str]) -> str:
    """Name columns: ``'a', 'b' and 'c'``."""
    quoted = [repr(name) for name in names]
    return " and ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
