"""What ``predict`` returned, whatever kind of object it is, as columns of values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa

from ..escaping import visible
from ..wording import counted, listed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

_LONGEST_ERROR = 200
_TWO_DIMENSIONS = 2


class NotPredictionsError(Exception):
    """What the model returned is no set of columns; judging it turns this into a violation."""

    def __init__(self, expected: str, observed: str, nameless: str | None = None) -> None:
        """Keep the parts from which the violation is made.

        Args:
            expected: What should have been returned.
            observed: What was.
            nameless: The same without the names that the model gave, where ``observed`` has some:
                it may have made them of values.
        """
        super().__init__(observed)
        self.expected = expected
        self._observed = observed
        self._nameless = observed if nameless is None else nameless

    @classmethod
    def on(cls, expected: str, returned: Any, counted: str = "") -> NotPredictionsError:
        """Describe what was returned instead."""
        nameless = described(returned, names=False)
        return cls(expected, f"{counted}{described(returned)}", f"{counted}{nameless}")

    def describe(self, *, redact: bool) -> str:
        """Say what was returned; under redact without its names."""
        return self._nameless if redact else self._observed


class PredictionColumns(NamedTuple):
    """What a model returned, taken apart.

    Attributes:
        columns: One sequence of values for each column.
        names: What the model calls them; None if it does not.
    """

    columns: list[Any]
    names: list[str] | None


def split_columns(returned: Any, rows: int, *, matrix: bool = False) -> PredictionColumns:
    """Tell the columns of what a model returned, each as long as there were rows.

    Under ``matrix`` a two-dimensional array stays one column, whose cells are its rows.
    NotPredictionsError: another kind of object, or another number of values.
    """
    found = _columns(_familiar(returned), rows, matrix=matrix)
    if any(len(values) != rows for values in found.columns):
        lengths = sorted({len(values) for values in found.columns})
        counted = " or ".join(f"{length:,}" for length in lengths)
        raise NotPredictionsError.on(_predictions(rows), returned, f"{counted}: ")
    return found


def to_arrow(name: str, values: Any, *, redact: bool = False) -> pa.Array[Any]:
    """Make an Arrow array of a column's values; nothing is rounded, and NaN stays NaN.

    Cells of more dimensions become nested lists. NotPredictionsError, under ``redact`` without a
    value: they are of several types, or of one that Arrow does not know.
    """
    try:
        array = _array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        said = f"values in {name!r} that no column can hold"
        why = f"{said} ({visible(error, limit=_LONGEST_ERROR)})"
        observed = "values that no column can hold" if redact else why
        raise NotPredictionsError(
            expected="values of one type in each column", observed=observed
        ) from None
    return array.dictionary_decode() if isinstance(array, pa.DictionaryArray) else array


def to_pandas(columns: Mapping[str, Any], *, redact: bool = False) -> pd.DataFrame:
    """Make a frame of columns that can be judged like any other; raises what ``to_arrow`` does."""
    import pandas as pd

    return pd.DataFrame({name: _series(name, v, redact) for name, v in columns.items()})


def described(returned: Any, *, names: bool = True) -> str:
    """Say what kind of object a model returned: type, shape and names, and none of its values."""
    kind, shape = type(returned).__name__, getattr(returned, "shape", None)
    said = f"{'an' if kind.startswith('nd') else 'a'} {kind}"
    if isinstance(returned, dict):
        by_name = cast("dict[Any, Any]", returned)
        return f"{said} of {_names(by_name) if names else f'{len(by_name):,}'}"
    if isinstance(returned, list | tuple):
        return f"{said} of {len(cast('list[Any]', returned)):,}"
    if shape is None:
        return f"an object of type {kind}"
    of = getattr(returned, "dtype", None)
    columns = getattr(returned, "columns", getattr(returned, "column_names", None))
    named = f", with {_names(columns)}" if names and columns is not None else ""
    return f"{said}{f' of {of}' if of is not None else ''}, shape {tuple(shape)}{named}"


def _names(names: Any) -> str:
    return listed(map(visible, names)) or "nothing"


def _predictions(rows: int) -> str:
    return counted(rows, "prediction")


# ----- kinds of objects -----


def _familiar(returned: Any) -> Any:
    """Turn sparse matrices, records, tensors and Polars frames into what ``_columns`` knows."""
    import pandas as pd

    if hasattr(returned, "toarray"):
        return returned.toarray()
    if hasattr(returned, "to_arrow"):
        return returned.to_arrow()
    if isinstance(returned, list) and returned and all(isinstance(r, dict) for r in returned):
        return pd.DataFrame(returned)
    known = (pd.DataFrame, pd.Series, pa.Table, pa.Array, pa.ChunkedArray, np.ndarray)
    if hasattr(returned, "__array__") and not isinstance(returned, known):
        return np.asarray(returned)
    return returned


def _columns(returned: Any, rows: int, *, matrix: bool) -> PredictionColumns:
    import pandas as pd

    match returned:
        case pd.DataFrame():
            columns = [returned.iloc[:, position] for position in range(returned.shape[1])]
            return _named(columns, list(returned.columns))
        case pa.Table():
            return _named(returned.columns, returned.column_names)
        case dict():
            by_name = cast("dict[Any, Any]", returned)
            return _named([_sized(v) for v in by_name.values()], [str(n) for n in by_name])
        case np.ndarray() if returned.ndim == _TWO_DIMENSIONS and len(returned) == rows:
            return PredictionColumns([returned] if matrix else list(returned.T), None)
        case np.ndarray() if returned.ndim == 0:
            raise NotPredictionsError(_predictions(rows), "a single value")
        case pd.Series() | np.ndarray() | list() | tuple() | pa.Array() | pa.ChunkedArray():
            return PredictionColumns([returned], None)
        case _:
            raise NotPredictionsError.on(_predictions(rows), returned)


def _named(columns: Sequence[Any], names: list[Any]) -> PredictionColumns:
    if not columns:
        raise NotPredictionsError(expected="at least one column of predictions", observed="none")
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise NotPredictionsError(
            expected="columns that differ in name",
            observed=f"{_names(twice)} more than once",
            nameless=f"{len(twice):,} of the names more than once",
        )
    # Numbers are positions, not names.
    is_named = all(isinstance(name, str) for name in names)
    return PredictionColumns(list(columns), names if is_named else None)


def _sized(values: Any) -> Any:
    if hasattr(values, "__len__") and not isinstance(values, str | bytes):
        return _familiar(values)
    raise NotPredictionsError.on(expected="an array for each name", returned=values)


# ----- values -----


def _series(name: str, values: Any, redact: bool) -> pd.Series:
    import pandas as pd

    is_numpy = isinstance(getattr(values, "dtype", None), np.dtype) and values.dtype != object
    if isinstance(values, pd.Series) and not is_numpy:
        return values.reset_index(drop=True)
    if not is_numpy and not isinstance(values, pa.Array | pa.ChunkedArray):
        return pd.Series(values)
    # Through Arrow, which tells NaN from null and holds arrays of arrays.
    return pd.Series(pd.arrays.ArrowExtensionArray(to_arrow(name, values, redact=redact)))


def _array(values: Any) -> pa.Array[Any]:
    import pandas as pd

    if isinstance(values, pd.Series) and isinstance(values.dtype, np.dtype):
        values = values.to_numpy()
    if isinstance(values, np.ndarray) and values.ndim > 1:
        return _nested(values)
    if isinstance(values, pa.Array):
        return values
    if isinstance(values, pa.ChunkedArray):
        return cast("pa.Array[Any]", values.combine_chunks())
    # NaN is a prediction like any other; only in a column of objects does it stand for nothing.
    of_objects = isinstance(values, np.ndarray) and values.dtype == object
    array = pa.array(values, from_pandas=of_objects or isinstance(values, pd.Series))
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _nested(values: np.ndarray[Any, Any]) -> pa.Array[Any]:
    nested = _array(values.reshape(-1))
    for position in range(values.ndim - 1, 0, -1):
        count = int(np.prod(values.shape[:position]))
        offsets = pa.array(np.arange(count + 1) * values.shape[position], pa.int32())
        nested = pa.ListArray.from_arrays(offsets, nested)
    return nested
