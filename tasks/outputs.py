"""What a model returned, as named columns; or why it cannot be taken for predictions.

MLflow never looks at what a model returns, whatever its signature says about outputs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..expectations.verdict import Violation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..expectations.contract import Contract

_RESERVED = ("_row", "_violations")
_PREFIX = "prediction_"
_LONGEST_ERROR = 200


class OutputMismatch(Exception):
    """The model returned something else than predictions for the rows it was given.

    Whoever keeps the verdict catches it: it is a finding, not an error.

    Attributes:
        violation: The same as a part of a verdict.
    """

    def __init__(self, violation: Violation) -> None:
        """Keep the finding."""
        super().__init__(violation.message)
        self.violation = violation


def mismatch(expected: str, observed: str) -> Violation:
    """Make the finding out of what was expected and what the model returned."""
    return Violation(
        kind="output_mismatch",
        expected=expected,
        observed=observed,
        remedy="Mend the model, or log it again with the output that it really returns.",
        because="predictions that cannot be told apart or joined back are not published",
    )


class _Returned(NamedTuple):
    """What a model returned: one entry per column, and the names it gave them, if any."""

    columns: list[Any]
    names: list[str] | None


def named_columns(
    returned: Any, contract: Contract, *, rows: int, taken: Sequence[str], redact: bool = False
) -> dict[str, pa.Array[Any]]:
    """Turn what ``predict`` returned into named Arrow columns.

    Names are those of the output schema; else the returned frame's own; else ``prediction``, or
    ``prediction_0``, ``prediction_1`` … A name that is taken gets the prefix ``prediction_``.

    Args:
        returned: A pandas frame or series, an array, a list, or a dict of arrays.
        contract: Its output schema says how many columns there are and what they are called.
        rows: How many rows the model was given.
        taken: Names that stand beside the predictions.
        redact: Whether the text of an error may show values.

    Returns:
        Columns of ``rows`` values each, in the output schema's order.

    Raises:
        OutputMismatch: Other rows, other columns, or values that no column can hold.
    """
    found = _columns(returned, rows)
    for values in found.columns:
        if len(values) != rows:
            raise OutputMismatch(mismatch(f"{rows:,} predictions", f"{len(values):,}"))
    by_name = _by_name(found, contract)
    free: dict[str, pa.Array[Any]] = {}
    for name, values in by_name.items():
        free[_free_name(name, {*taken, *_RESERVED, *free})] = _array(name, values, redact)
    return free


def _columns(returned: Any, rows: int) -> _Returned:
    import numpy as np
    import pandas as pd

    match _densified(returned):
        case pd.DataFrame():
            return _of_frame(returned)
        case dict():
            return _Returned([_sized(v) for v in returned.values()], [str(n) for n in returned])
        case np.ndarray() if returned.ndim == 2 and len(returned) == rows:  # noqa: PLR2004
            return _Returned(list(returned.T), None)
        case np.ndarray() if returned.ndim == 0:
            raise OutputMismatch(mismatch(f"{rows:,} predictions", "a single value"))
        case pd.Series() | np.ndarray() | list() | tuple():
            return _Returned([returned], None)
        case _:
            raise OutputMismatch(
                mismatch(f"{rows:,} predictions", f"an object of type {_type(returned)}")
            )


def _densified(returned: Any) -> Any:
    if hasattr(returned, "toarray"):
        return returned.toarray()
    if isinstance(returned, list) and returned and all(isinstance(r, dict) for r in returned):
        import pandas as pd

        return pd.DataFrame(returned)
    return returned


def _of_frame(frame: Any) -> _Returned:
    columns = [frame.iloc[:, position] for position in range(frame.shape[1])]
    is_named = all(isinstance(name, str) for name in frame.columns)
    names = [str(name) for name in frame.columns] if is_named else None
    if names and len(set(names)) < len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise OutputMismatch(
            mismatch("columns that differ in name", f"{', '.join(twice)} more than once")
        )
    return _Returned(columns, names)


def _sized(values: Any) -> Any:
    if hasattr(values, "__len__") and not isinstance(values, str | bytes):
        return values
    raise OutputMismatch(mismatch("an array for each name", f"an object of type {_type(values)}"))


def _by_name(found: _Returned, contract: Contract) -> dict[str, Any]:
    specs = contract.outputs
    wanted = [str(spec["name"]) for spec in specs if spec.get("name")]
    count = len(found.columns)
    if wanted and len(wanted) == len(specs):
        if found.names is None:
            return dict(zip(_counted(wanted, count), found.columns, strict=True))
        return _as_the_schema_says(found.names, found.columns, contract)
    if specs and specs[0].get("type") != "tensor" and len(specs) != count:
        raise OutputMismatch(
            mismatch(f"{len(specs)} columns, as the output schema says", f"{count}")
        )
    names = found.names or [f"{_PREFIX}{position}" for position in range(count)]
    if not found.names and count == 1:
        names = [_PREFIX.rstrip("_")]
    return dict(zip(names, found.columns, strict=True))


def _counted(wanted: list[str], count: int) -> list[str]:
    if len(wanted) != count:
        expected = f"the columns {', '.join(wanted)} of the output schema"
        raise OutputMismatch(mismatch(expected, f"{count} without names"))
    return wanted


def _as_the_schema_says(names: list[str], columns: list[Any], contract: Contract) -> dict[str, Any]:
    wanted = [str(spec["name"]) for spec in contract.outputs]
    optional = {str(s["name"]) for s in contract.outputs if s.get("required") is False}
    if set(names) - set(wanted) or set(wanted) - set(names) - optional:
        expected = f"the columns {', '.join(wanted)} of the output schema"
        raise OutputMismatch(mismatch(expected, ", ".join(names) or "none"))
    values = dict(zip(names, columns, strict=True))
    return {name: values[name] for name in wanted if name in values}


def _free_name(name: str, taken: set[str]) -> str:
    while name in taken:
        name = f"{_PREFIX}{name}"
    return name


def _array(name: str, values: Any, redact: bool) -> pa.Array[Any]:
    try:
        array = _to_arrow(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        why = "" if redact else f" ({error})"[:_LONGEST_ERROR]
        observed = f"values in {name!r} that no column can hold{why}"
        raise OutputMismatch(mismatch("values of one type in each column", observed)) from None
    return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array


def _to_arrow(values: Any) -> pa.Array[Any]:
    import numpy as np
    import pandas as pd

    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype):
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.ndim > 1:
        values = values.tolist()
    # NaN is a prediction like any other; only in a column of objects does it stand for nothing.
    of_objects = isinstance(values, np.ndarray) and values.dtype == object
    array = pa.array(values, from_pandas=of_objects or isinstance(values, pd.Series))
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _type(value: Any) -> str:
    return type(value).__name__
