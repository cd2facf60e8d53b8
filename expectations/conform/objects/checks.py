"""The checks of columns of objects, and the objects as model input."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import polars as pl

from ...contract.types import Anything, Array, Map, Object
from ..column import expectation_of_type
from ..remedies import object_remedy
from ..row_check import RowCheck
from .scalars import bit_of

if TYPE_CHECKING:
    import pandas as pd

    from ...batch.batch import ObjectCells
    from ...contract.contract import Column
    from ...contract.policy import Policy
    from ...contract.types import Type
    from ...verdict.verdict import Kind
    from ..column import ColumnPlan
    from ..model_input import ModelInput
    from ..plan import BatchPlan

# What each kind of check expects of an object, and what it observed.
_WORDS: dict[Kind, tuple[str, str]] = {
    "type_mismatch": ("{} in every cell", "other types"),
    "unparseable": ("text that stands for {}", "text that does not"),
    "out_of_range": ("values within the range of {}", "values beyond it"),
    "not_representable": ("values that {} represents exactly", "values that it has to round"),
    "nested_mismatch": ("{} in every cell", "a part that does not fit"),
}


def judged_by_cell(plan: ColumnPlan, cells: ObjectCells | None, policy: Policy) -> ColumnPlan:
    """Add the checks that found each object of a column in or out of its typed form."""
    if cells is None or cells.faults is None:
        return plan
    bits = pl.col(cells.faults)
    formed = tuple(replace(check, fails=check.fails & (bits == 0)) for check in plan.checks)
    of_objects = (_check(kind, plan.column, bits, policy) for kind in _WORDS)
    return replace(plan, checks=(*formed, *of_objects))


def _check(kind: Kind, column: Column, bits: pl.Expr, policy: Policy) -> RowCheck:
    expected, observed = _WORDS[kind]
    return RowCheck(
        kind=kind,
        fails=(bits & bit_of(kind)) != 0,
        expected=expected.format(column.type),
        observed=observed,
        remedy=object_remedy(column, kind, parsed=policy.parse_text == "allow"),
        because=f"each object is converted to {column.type} by its own type and value",
        expectation=expectation_of_type(column),
    )


# ----- objects as model input -----


def objects_to_hand_over(plan: BatchPlan) -> list[pl.Expr]:
    """Select the objects that reach the model as they are, or with their own keys."""
    return [
        pl.col(cells.objects)
        for column_plan in plan.columns
        if (cells := plan.objects.get(column_plan.source_name))
        and _has_own_shape(column_plan.column.type)
    ]


def with_objects(made: ModelInput, rows: pl.DataFrame, plan: BatchPlan) -> ModelInput:
    """Put objects as they arrived in the place of what their form tells less of.

    The form knows no keys that are absent, and ``any`` has none but text.
    """
    import pandas as pd

    for column_plan in plan.columns:
        cells = plan.objects.get(column_plan.source_name)
        if cells and cells.objects in rows.columns:
            frame = cast("pd.DataFrame", made)
            pairs = zip(rows[cells.objects].to_list(), frame[column_plan.column.label], strict=True)
            own = np.empty(len(frame), dtype=object)
            for i, (arrived, formed) in enumerate(pairs):
                own[i] = _as_arrived(arrived, formed, column_plan.column.type)
            frame[column_plan.column.label] = pd.Series(own, index=frame.index, dtype=object)
    return made


def _has_own_shape(target: Type) -> bool:
    match target:
        case Anything():
            return True
        case Array(inner) | Map(inner):
            return _has_own_shape(inner)
        case Object(properties):
            return any(not p.required or _has_own_shape(p.type) for p in properties)
        case _:
            return False


def _as_arrived(arrived: Any, formed: Any, target: Type) -> Any:
    if isinstance(target, Anything):
        return arrived
    if formed is None or not _has_own_shape(target):
        return formed
    match target:
        case Array(items):
            pairs = zip(list(arrived), formed, strict=True)
            return [_as_arrived(one, other, items) for one, other in pairs]
        case Map(values):
            return {k: _as_arrived(arrived[k], formed[k], values) for k in arrived}
        case _:
            there = [p for p in cast("Object", target).properties if p.name in arrived]
            return {p.name: _as_arrived(arrived[p.name], formed[p.name], p.type) for p in there}
