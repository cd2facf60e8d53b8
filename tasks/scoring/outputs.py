"""Predictions as they are published; or why what a model returned cannot be taken for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...expectations.outputs.check import judge_output

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from ...expectations.contract.contract import Contract
    from ...expectations.contract.policy import Policy
    from ...expectations.verdict.verdict import Violation

_RESERVED = ("_row", "_violations")
_PREFIX = "prediction_"


class OutputMismatch(Exception):
    """The model returned something else than predictions for the rows it was given.

    Whoever keeps the verdict catches it: it is a finding, not an error.

    Attributes:
        violations: The same as a part of a verdict.
    """

    def __init__(self, *violations: Violation) -> None:
        """Keep the findings."""
        super().__init__("\n".join(violation.message for violation in violations))
        self.violations = violations


def named_columns(
    returned: Any, contract: Contract, *, rows: int, taken: Sequence[str], policy: Policy
) -> dict[str, pa.Array[Any]]:
    """Turn what ``predict`` returned into the columns to publish.

    Names are those of the output schema; else the returned frame's own; else ``prediction``, or
    ``prediction_0``, ``prediction_1`` … A name that is taken gets the prefix ``prediction_``.

    Args:
        returned: A frame or series, an array, a list, or a dict of arrays.
        contract: Its output schema says which columns there are, and of which types.
        rows: How many rows the model was given.
        taken: Names that stand beside the predictions.
        policy: What the output schema leaves open; it also says whether values may be shown.

    Returns:
        Columns of ``rows`` values each, in the output schema's order and types.

    Raises:
        OutputMismatch: Other rows, other columns, other types, or null where none may be.
    """
    output = judge_output(returned, contract, rows, policy)
    blocking = [v for v in output.violations if v.severity == "critical"]
    if blocking:
        raise OutputMismatch(*blocking)
    free: dict[str, pa.Array[Any]] = {}
    for name, values in output.columns.items():
        free[_free_name(name, {*taken, *_RESERVED, *free})] = values
    return free


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{_PREFIX}{name}"
    return name
