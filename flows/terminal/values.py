"""A profile of learned values at the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...expectations.escaping import for_terminal
from ...expectations.values.expectations import bounds
from ...expectations.verdict.explain import percent
from ...expectations.wording import counted, listed
from . import console as terminal

if TYPE_CHECKING:
    from ...expectations.values.column_values import ColumnValues
    from ...expectations.values.profile import ValueProfile

_CODES = 4


def show_profile(profile: ValueProfile) -> None:
    """Print a line for each column: what it holds, and how much is missing."""
    blocks = counted(profile.blocks, "block")
    terminal.print_line(
        f"learned from {profile.rows:,} rows, in {blocks} of {profile.block_rows:,}"
    )
    terminal.print_blank()
    for name, column in profile.columns.items():
        missing = percent(column.nulls / column.rows) if column.rows else "0%"
        terminal.print_line(f"{for_terminal(name):<24} {_holds(column):<52} {missing} null")
    terminal.print_blank()


def _holds(column: ColumnValues) -> str:
    if column.codes:
        codes = listed(map(repr, column.codes), _CODES)
        return for_terminal(f"{'one of' if column.closed else 'such as'} {codes}")
    if column.pattern:
        return for_terminal(f"text like {column.pattern}")
    if (limits := bounds(column)) and column.kind == "number":
        return (
            f"{column.low:,g} to {column.high:,g}, likely within {limits[0]:,g} to {limits[1]:,g}"
        )
    return {"time": "points in time", "truth": "true or false"}.get(column.kind, column.kind)
