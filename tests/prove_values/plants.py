"""The faults that are planted, one at a time, and the columns that each fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from polars import selectors as cs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A text column of codes has at most so many, each in at least so many rows on average.
_CODES, _ROWS_EACH = 100, 5
_FREQUENT, _TOGETHER, _APART, _MIXED = 0.05, 0.5, 0.1, 0.1


class Column(NamedTuple):
    """One column of a batch, and what is known of it.

    Attributes:
        name: Of the column.
        batch: The clean batch.
        learned: The rows that were learned from.
        rng: Chance, the same in every run.
    """

    name: str
    batch: pl.DataFrame
    learned: pl.DataFrame
    rng: np.random.Generator

    @property
    def cells(self) -> pl.Series:
        """The clean cells."""
        return self.batch[self.name]

    @property
    def known(self) -> pl.Series:
        """The cells that were learned, without gaps."""
        return self.learned[self.name].drop_nulls()

    def some(self, share: float) -> pl.Series:
        """Choose such a share of the rows."""
        return pl.Series(self.rng.permutation(self.batch.height) < share * self.batch.height)


class Plant(NamedTuple):
    """A fault.

    Attributes:
        name: What the table calls it.
        does: What it does to the cells, in words.
        fits: Which columns it fits, in words.
        fitting: Whether it fits one.
        plant: Gives the batch with the fault in a column.
    """

    name: str
    does: str
    fits: str
    fitting: Callable[[Column], bool]
    plant: Callable[[Column], pl.DataFrame]


def _is_number(column: Column) -> bool:
    return column.cells.dtype.is_numeric()


def _has_numbers(column: Column) -> bool:
    return _is_number(column) and bool((column.known != 0).any())


def _has_codes(column: Column) -> bool:
    known = column.known
    return (
        known.dtype == pl.String
        and 1 < known.n_unique() <= _CODES
        and known.len() / known.n_unique() >= _ROWS_EACH
    )


def _with(column: Column, cells: pl.Series) -> pl.DataFrame:
    """Put other cells in a batch, whole numbers where they were whole."""
    if column.cells.dtype.is_integer() and cells.dtype.is_float():
        cells = cells.round().cast(pl.Int64)
    return column.batch.with_columns(cells.alias(column.name))


def _changed(change: Callable[[pl.Series], pl.Series]) -> Callable[[Column], pl.DataFrame]:
    return lambda column: _with(column, change(column.cells))


def _in_rows(column: Column, share: float, value: object) -> pl.DataFrame:
    cells, dtype = column.cells, column.cells.dtype
    other = pl.Series([value], dtype=dtype)
    return _with(column, other.new_from_index(0, len(cells)).zip_with(column.some(share), cells))


# ----- numbers -----


def _signed(column: Column) -> bool:
    """Tell whether the values mirrored at 0 are others."""
    if not _has_numbers(column):
        return False
    return _distance(column.known, -column.known) >= _APART


def _fractional(column: Column) -> bool:
    known = column.known
    return known.dtype.is_float() and bool(((known % 1) != 0).mean() >= _TOGETHER)  # type: ignore[operator]


def _without_point(cells: pl.Series) -> pl.Series:
    return cells.cast(pl.String).str.replace(".", "", literal=True).cast(pl.Float64, strict=False)


# ----- text and time -----


def _merging(column: Column) -> tuple[str, str] | None:
    """Name the most frequent code, and the rarest of those in at least 5 % of the rows."""
    if not _has_codes(column):
        return None
    counts = column.known.value_counts(sort=True, name="#")
    frequent = counts.filter(pl.col("#") >= _FREQUENT * column.known.len())[column.name]
    return (frequent[0], frequent[-1]) if frequent.len() > 1 else None


def _merge(column: Column) -> pl.DataFrame:
    into, rare = _merging(column) or ("", "")
    return _with(column, column.cells.replace(rare, into))


def _cut_text(column: Column) -> pl.DataFrame:
    return _with(column, column.cells.str.slice(0, _half(column)))


def _half(column: Column) -> int:
    return int(column.known.str.len_chars().median() or 0) // 2  # type: ignore[arg-type, operator]


# ----- any column -----


def _varied(column: Column) -> bool:
    top = column.cells.drop_nulls().value_counts(name="#")["#"].max() or 0
    return int(top) < (1 - _MIXED) * column.cells.len()  # type: ignore[call-overload]


def _constant(column: Column) -> pl.DataFrame:
    """Repeat the most usual value: the median of numbers and times, else the most frequent."""
    there = column.cells.drop_nulls()
    is_ordered = there.dtype.is_numeric() or there.dtype == pl.Datetime
    usual = there.sort()[there.len() // 2] if is_ordered else there.mode().sort()[0]
    return _in_rows(column, 1.0, usual)


def _more_nulls(column: Column) -> pl.DataFrame:
    nulls = column.learned[column.name].null_count() / column.learned.height
    missing = min(1.0, 5 * nulls) if nulls >= 0.01 else 0.05
    now = column.cells.null_count() / column.cells.len()
    return _in_rows(column, (missing - now) / (1 - now) if now < 1 else 0.0, None)


# ----- two columns -----


def _neighbour(column: Column) -> str | None:
    """Name the next column of the same type whose values are distributed otherwise."""
    names = [n for n in column.learned.columns if column.learned[n].dtype == column.cells.dtype]
    later = names[names.index(column.name) + 1 :]
    apart = (n for n in later if _distance(column.known, column.learned[n]) >= _APART)
    return next(apart, None)


def _swap(column: Column) -> pl.DataFrame:
    other = _neighbour(column) or column.name
    swapped = {column.name: column.batch[other], other: column.cells}
    return column.batch.with_columns(**swapped)


def partner(column: Column) -> str | None:
    """Name a number column with which a column goes, and still does in the batch."""
    others = column.learned.select(cs.numeric()).columns
    together = (
        name
        for name in others
        if name != column.name
        and min(
            goes_with(frame[column.name], frame[name]) for frame in (column.learned, column.batch)
        )
        >= _TOGETHER
    )
    return next(together, None)


def _shuffle(column: Column) -> pl.DataFrame:
    return _with(column, column.cells[column.rng.permutation(column.cells.len())])


def goes_with(cells: pl.Series, other: pl.Series) -> float:
    """Return the rank correlation of two columns, or the correlation ratio of codes with ranks."""
    pair = pl.DataFrame({"a": cells, "b": other}).drop_nulls()
    if pair.height < 20 or pair["a"].n_unique() < 2 or pair["b"].n_unique() < 2:
        return 0.0
    ranks = pair["b"].rank().to_numpy()
    if cells.dtype == pl.String:
        if pair["a"].n_unique() > _CODES or pair.height / pair["a"].n_unique() < _ROWS_EACH:
            return 0.0
        means = pair.with_columns(b=ranks).select(pl.col("b").mean().over("a"))["b"].to_numpy()
        return float(np.std(means) / np.std(ranks))
    first = pair["a"].rank().to_numpy() if cells.dtype != pl.Boolean else pair["a"].to_numpy()
    return abs(float(np.corrcoef(first, ranks)[0, 1]))


def _distance(one: pl.Series, other: pl.Series) -> float:
    """Return the largest difference of two distributions: A. N. Kolmogorov; of texts, in half."""
    one, other = one.drop_nulls(), other.drop_nulls()
    if not one.len() or not other.len():
        return 0.0
    if one.dtype == pl.String:
        counts = [dict(s.value_counts(normalize=True).iter_rows()) for s in (one, other)]
        return (
            sum(abs(counts[0].get(k, 0) - counts[1].get(k, 0)) for k in {*counts[0], *counts[1]})
            / 2
        )
    first, second = (np.sort(s.cast(pl.Float64).to_numpy()) for s in (one, other))
    at = np.concatenate([first, second])
    shares = [np.searchsorted(s, at, "right") / len(s) for s in (first, second)]
    return float(np.abs(shares[0] - shares[1]).max())


PLANTS = (
    Plant(
        "unit times 1,000",
        "every number times 1,000",
        "number columns that are not all 0",
        _has_numbers,
        _changed(lambda cells: cells * 1_000),
    ),
    Plant(
        "times 1.8 plus 32",
        "every number as if degrees Celsius became Fahrenheit",
        "number columns",
        _is_number,
        _changed(lambda cells: cells * 1.8 + 32),
    ),
    Plant(
        "cents",
        "every number times 100",
        "number columns that are not all 0",
        _has_numbers,
        _changed(lambda cells: cells * 100),
    ),
    Plant(
        "sign",
        "every number negated",
        "number columns, unless the mirrored values have the same distribution (Kolmogorov's "
        "distance under 0.1)",
        _signed,
        _changed(lambda cells: -cells),
    ),
    Plant(
        "decimal lost",
        "every number without its point: 1.23 becomes 123, and 4.0 becomes 40",
        "number columns of which at least half have a fraction",
        _fractional,
        _changed(_without_point),
    ),
    Plant(
        "sentinel",
        "-999 in 5 % of the rows",
        "number columns that do not hold it anyway",
        lambda column: _is_number(column) and not bool((column.known == -999).any()),
        lambda column: _in_rows(column, 0.05, -999),
    ),
    Plant(
        "zeros",
        "0 in 5 % of the rows, as where a gap is filled",
        "number columns with a 0 in less than 1 % of the rows",
        lambda column: _is_number(column) and bool((column.known == 0).mean() < 0.01),
        lambda column: _in_rows(column, 0.05, 0),
    ),
    Plant(
        "new category",
        "a code that was never seen, in 10 % of the rows",
        "text columns of 2 to 100 codes, each in 5 learned rows on average",
        _has_codes,
        lambda column: _in_rows(column, 0.1, "new one"),
    ),
    Plant(
        "merged categories",
        "of the codes in at least 5 % of the rows, the rarest becomes the most frequent",
        "text columns of codes, as before, of which two are so frequent",
        lambda column: _merging(column) is not None,
        _merge,
    ),
    Plant(
        "truncated text",
        "every text cut to half of the usual length",
        "text columns whose usual (median) length is at least 2 characters",
        lambda column: column.cells.dtype == pl.String and _half(column) > 0,
        _cut_text,
    ),
    Plant(
        "century",
        "every date a hundred years earlier",
        "columns of dates or points in time",
        lambda column: column.cells.dtype == pl.Datetime,
        _changed(lambda cells: cells.dt.offset_by("-100y")),
    ),
    Plant(
        "constant",
        "every row has the usual value: the median, or the most frequent text",
        "columns of which no value has 90 % of the batch anyway",
        _varied,
        _constant,
    ),
    Plant(
        "nulls times 5",
        "five times as many nulls, or 5 % where under 1 % was null",
        "every column that is not nearly all null",
        lambda column: column.learned[column.name].null_count() < 0.9 * column.learned.height,
        _more_nulls,
    ),
    Plant(
        "rows twice",
        "the first half of the rows once more, in place of the others",
        "columns in which no value is there twice, neither in what was learned nor in the batch",
        lambda column: all(
            s.is_unique().all() for s in (column.learned[column.name], column.cells)
        ),
        lambda column: pl.concat([column.batch[: column.batch.height // 2]] * 2),
    ),
    Plant(
        "swapped",
        "two columns change their places",
        "a column and the next one of its type that is distributed otherwise (Kolmogorov's "
        "distance at least 0.1)",
        lambda column: _neighbour(column) is not None,
        _swap,
    ),
    Plant(
        "shuffled keys",
        "the column's values go to other rows of the batch",
        "number or code columns whose rank correlation with a number column is at least 0.5, "
        "where it was learned and in the batch",
        lambda column: column.cells.dtype != pl.Datetime and partner(column) is not None,
        _shuffle,
    ),
)


def blamed(plant: Plant, column: Column) -> set[str]:
    """Name the columns of which any may be named: both that were swapped, or that went together."""
    others = {"swapped": _neighbour, "shuffled keys": partner}.get(plant.name)
    other = others(column) if others else None
    return {column.name, other} if other else {column.name}


def planted(column: Column) -> Iterator[tuple[Plant, pl.DataFrame]]:
    """Plant every fault that fits a column, each in the clean batch."""
    for plant in PLANTS:
        if plant.fitting(column):
            yield plant, plant.plant(column)
