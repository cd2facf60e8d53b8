"""A registered model whose values were learned, and days of batches for its feed.

``weather``: two numbers, one of them with 1 % null, and a code; learned from sixty days of a
thousand rows, whose temperature varies from day to day.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import pytest
from feeds import deliver

from signature_gate import learn
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt
    from signature_gate.tasks.feed.run_summary import RunSummary

ROWS = 1_000
CARRIERS = ("AA", "B6", "DL", "UA")


def day(
    number: int, *, nulls: float = 0.01, warmer: float = 0.0, scale: float = 1.0
) -> pl.DataFrame:
    """Make the rows of a day: another share of ``wind`` is null, ``temp`` is warmer or scaled."""
    chance = np.random.default_rng(number)
    temp = chance.normal(15 + chance.normal(0, 1) + warmer, 5, ROWS) * scale
    wind = chance.gamma(4, 3, ROWS)
    missing = chance.random(ROWS) < nulls
    return pl.DataFrame(
        {
            "temp": temp,
            "wind": pl.Series([None if gone else w for w, gone in zip(wind, missing, strict=True)]),
            "carrier": chance.choice(CARRIERS, ROWS, p=(0.2, 0.3, 0.3, 0.2)),
            "key": [f"{number}-{row}" for row in range(ROWS)],
        }
    )


@pytest.fixture(name="weather", scope="session")
def weather_model(registry: str) -> str:
    """Register two versions of a model, and store what was learned beside each."""
    trained = [day(number).drop("key") for number in range(1_000, 1_060)]
    for version in (1, 2):
        register_learned("weather", version, trained)
    return "models:/weather/1"


def register_learned(name: str, version: int, trained: Sequence[pl.DataFrame]) -> None:
    """Register the next version of a model, and store beside it what is learned from some days."""
    import mlflow
    from mlflow.models import infer_signature
    from mlflow.pyfunc import PythonModel

    class Warmth(PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            return model_input["temp"]

    mlflow.pyfunc.log_model(
        name=name,
        python_model=Warmth(),
        signature=infer_signature(trained[0].to_pandas()),
        pip_requirements=["mlflow"],
        registered_model_name=name,
    )
    uri = f"models:/{name}/{version}"
    learn(*trained, contract=uri, policy={"nulls": "allow"}).log_to(uri)


def score_days(feed: Feed, days: Iterable[pl.DataFrame], *, each_alone: bool = True) -> list[Any]:
    """Deliver days as ``day-01.parquet`` and so on, and score them in runs of one, or in one."""
    done = len(list(feed.receipts.glob("*.json"))) if feed.receipts.is_dir() else 0
    runs: list[RunSummary] = []
    for number, rows in enumerate(days, done + 1):
        deliver(feed, f"day-{number:02}.parquet", rows)
        runs += [score_feed(feed)] if each_alone else []
    runs += [] if each_alone else [score_feed(feed)]
    return [receipt for run in runs for receipt in run.receipts]


def shifts(receipt: Receipt) -> list[tuple[str | None, str]]:
    """List which statistic of which column was told."""
    found = receipt.verdict.violations if receipt.verdict else ()
    return [(v.column, v.statistic) for v in found if v.kind == "shift"]
