"""The same batch as typed columns and as Python objects, and what both verdicts must share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.types as is_

from signature_gate.expectations.contract.types import Anything, Scalar

if TYPE_CHECKING:
    from signature_gate import Contract
    from signature_gate.expectations.contract.types import Type
    from signature_gate.expectations.judge.result import CheckResult

_STRUCTURAL = ("type_mismatch", "nested_mismatch")
Faults = set[tuple[str, str | None, int | None]]


def as_objects(table: pa.Table) -> pd.DataFrame:
    """Convert a table to a pandas frame of plain Python objects, maps as dictionaries."""
    columns = {
        name: pd.Series(python_cells(table[name]), dtype=object) for name in table.column_names
    }
    return pd.DataFrame(columns, index=range(table.num_rows))


def python_cells(column: Any) -> list[Any]:
    """List a column's cells as Python objects, maps as dictionaries at any depth."""
    return [_plain(cell, column.type) for cell in column.to_pylist()]


def _plain(cell: Any, kind: Any) -> Any:
    if cell is None:
        return None
    if is_.is_map(kind):
        return {key: _plain(value, kind.item_type) for key, value in cell}
    if is_.is_struct(kind):
        return {field.name: _plain(cell[field.name], field.type) for field in kind}
    if is_.is_list(kind) or is_.is_large_list(kind) or is_.is_fixed_size_list(kind):
        return [_plain(element, kind.value_type) for element in cell]
    return cell


_OF_NAMES = ("missing_column", "extra_column", "duplicate_column", "column_order")


def assert_same_verdict(
    typed: CheckResult, untyped: CheckResult, table: pa.Table, contract: Contract
) -> None:
    """Compare the verdict on a typed batch with the verdict on the same batch as objects.

    A typed column is refused as a whole for its type, even without values; objects are refused one
    by one. So where the typed column is refused for its type, the objects must be refused if there
    is a value. Everything else must be equal.
    """
    refused = {v.column for v in typed.violations if v.kind in _STRUCTURAL and v.level == "batch"}
    if not refused:
        scalar = {c.name for c in contract.columns if isinstance(c.type, Scalar | Anything)}
        assert _of(typed, scalar) == _of(untyped, scalar)
        assert typed.verdict.rejected == untyped.verdict.rejected
        assert typed.disposition == untyped.disposition
        return
    if any(v.kind in _OF_NAMES for v in untyped.verdict.blocking):
        return  # a fault of names ends the judgement before any object is read
    types = {column.name: column.type for column in contract.columns}
    there = refused & set(table.column_names)
    found = {name for name in there if _is_refused(untyped, name, types[name])}
    sure = {name for name in there if any(map(_has_value, python_cells(table[name])))}
    # Cells are read only where no other column is refused as a whole.
    assert found if untyped.verdict.whole and sure else sure <= found


def _of(result: CheckResult, columns: set[str]) -> Faults:
    return {
        (v.kind, v.column, v.count)
        for v in result.violations
        if v.column in columns or v.column is None
    }


def _is_refused(result: CheckResult, name: str, target: Type) -> bool:
    kinds = ("type_mismatch",) if isinstance(target, Scalar) else _STRUCTURAL
    return any(v.column == name and v.kind in kinds for v in result.violations)


def _has_value(cell: Any) -> bool:
    """Whether every part of a cell has a value, so that a wrong type must be reported."""
    if isinstance(cell, dict):
        return bool(cell) and all(map(_has_value, cell.values()))
    if isinstance(cell, list):
        return bool(cell) and all(map(_has_value, cell))
    return cell is not None and not (isinstance(cell, float) and math.isnan(cell))
