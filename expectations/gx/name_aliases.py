"""Other names for columns that GX would confuse, while it judges.

GX looks names up without regard to case and quotes, and takes the first that fits. It answers all
quantile expectations on a column with the quantiles of the first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .results import Expectation

_NAMING = ("column", "column_A", "column_B", "column_list", "column_set", "name")
_QUANTILES = "expect_column_quantile_values_to_be_between"
_QUOTES = "\"`[]'"


def alias_names(names: Sequence[str]) -> dict[str, str]:
    """Map each name to the one to judge it under; empty if GX confuses none."""
    as_gx_sees = {name.strip(_QUOTES).casefold() for name in names}
    quoted = any(name != name.strip(_QUOTES) for name in names)
    if len(as_gx_sees) == len(names) and not quoted:
        return {}
    return {name: f"column {number}" for number, name in enumerate(names)}


def renamed(expectation: Expectation, names: dict[str, str]) -> Expectation:
    """Put other names into an expectation.

    Returns:
        The same expectation of the renamed columns. Queries in pandas' own language stay as they
        are: GX does not judge them then.
    """
    kwargs = cast("dict[str, Any]", expectation["kwargs"])
    return {**expectation, "kwargs": _renamed(kwargs, names)} if names else expectation


def _renamed(value: Any, names: dict[str, str], *, naming: bool = False) -> Any:
    if isinstance(value, dict):
        given = cast("dict[str, Any]", value)
        return {k: _renamed(inner, names, naming=k in _NAMING) for k, inner in given.items()}
    if isinstance(value, list):
        return [_renamed(inner, names, naming=naming) for inner in cast("list[Any]", value)]
    return names.get(value, value) if naming and isinstance(value, str) else value


def restore_names(observed: Any, names: dict[str, str]) -> Any:
    """Put the frame's own names into what GX observed."""
    own = {other: name for name, other in names.items()}
    return _renamed(observed, own, naming=True) if names else observed


def compatible_groups(expectations: list[Expectation]) -> list[list[Expectation]]:
    """Part expectations so that GX confuses none with another."""
    apart = [[e] for e in expectations if e["type"] == _QUANTILES]
    together = [e for e in expectations if e["type"] != _QUANTILES]
    return [part for part in (together, *apart) if part]
