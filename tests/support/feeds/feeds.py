"""Feeds on disk, batches for them, and the registered models that score them.

- ``line``: a linear regression whose output schema names one column, ``outcome``; two versions that
  predict differently, the first one the ``champion``.
- ``unsigned``: a model without signature.
- ``moody``: a Python model without output schema, whose output depends on its param ``mood``.
"""

from __future__ import annotations

import gzip
import logging
import os
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import yaml

from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from signature_gate.tasks.feed.receipt import Receipt
    from signature_gate.tasks.feed.run_summary import RunSummary

PLANTED = "xyzzy-planted-value"


def rows(count: int, **columns: Any) -> pl.DataFrame:
    """Make rows that fit the model ``line``, with a key; keywords replace columns."""
    frame = pl.DataFrame(
        {
            "a": [float(i) for i in range(count)],
            "n": list(range(count)),
            "key": [f"k{i}" for i in range(count)],
        }
    )
    return frame.with_columns(**{name: pl.Series(values) for name, values in columns.items()})


def gaps(count: int, nulls: int) -> pl.DataFrame:
    """Make rows; the first few have null in a required column."""
    return rows(count, a=[None] * nulls + [float(i) for i in range(count - nulls)])


def deliver(feed: Feed, name: str, batch: pl.DataFrame | bytes) -> Path:
    """Write a batch into a feed's inbox, in the format of its name's ending."""
    path = feed.inbox / name
    if isinstance(batch, bytes):
        path.write_bytes(batch)
    elif name.endswith(".csv.gz"):
        path.write_bytes(gzip.compress(batch.write_csv().encode()))
    elif name.endswith(".csv"):
        batch.write_csv(path)
    else:
        batch.write_parquet(path)
    return path


def age(feed: Feed, days: float) -> None:
    """Let all that lies beside a feed's receipts, and they, be written so many days earlier."""
    for path in feed.receipts.iterdir():
        stamp = path.stat().st_mtime - days * 86_400
        os.utime(path, (stamp, stamp))


def truncated(batch: pl.DataFrame, folder: Path) -> bytes:
    """Return the first half of a Parquet file."""
    path = folder / "whole.parquet"
    batch.write_parquet(path)
    content = path.read_bytes()
    return content[: len(content) // 2]


def by_batch(summary: RunSummary) -> dict[str, Receipt]:
    """Look up a run's receipts by the batch's file name."""
    return {receipt.batch.name: receipt for receipt in summary.receipts}


def everything_below(folder: Path) -> set[str]:
    """List all files below a folder, but for the marks of receipts that nobody was told of."""
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(path) for path in files if ".untold" not in path.parts}


@pytest.fixture(name="written")
def feed_writer(tmp_path: Path) -> Callable[[Feed], str]:
    """Write a feed as YAML, for the command line."""

    def write(feed: Feed) -> str:
        path = tmp_path / f"{feed.name}.yaml"
        path.write_text(yaml.safe_dump(feed.model_dump(mode="json")))
        return str(path)

    return write


@pytest.fixture(name="make_feed")
def feed_maker(tmp_path: Path) -> Callable[..., Feed]:
    """Make a feed with an empty inbox, whose batches are ready at once."""

    def make(name: str = "line", **fields: Any) -> Feed:
        root = tmp_path / name
        (root / "inbox").mkdir(parents=True)
        defaults = {"model": "models:/line@champion", "settle_seconds": 0, "backoff_seconds": 0}
        policy = {"keep": ["key"], **fields.pop("policy", {})}
        return Feed.parse({"name": name, "root": str(root), "policy": policy, **defaults, **fields})

    return make


@pytest.fixture(name="line", scope="session")
def line_model(registry: str) -> str:
    """Register two versions of a linear regression; the first is the champion."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "n": [0, 1, 3]})
    with _quietly():
        for slope in (1.0, 10.0):
            model = LinearRegression().fit(frame, slope * (frame["a"] + frame["n"]))
            outcome = pd.DataFrame({"outcome": model.predict(frame)})
            mlflow.sklearn.log_model(
                model,
                name="line",
                signature=infer_signature(frame, outcome),
                serialization_format="cloudpickle",
                pip_requirements=["scikit-learn"],
                registered_model_name="line",
            )
    mlflow.MlflowClient().set_registered_model_alias("line", "champion", "1")
    return "models:/line@champion"


@pytest.fixture(name="moody", scope="session")
def moody_model(registry: str) -> str:
    """Register a model whose param chooses what it returns or raises."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    # A class of a function is pickled by value: it loads where the tests cannot be imported.
    class Moody(mlflow.pyfunc.PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202
            total = model_input["a"] + model_input["n"]
            mood = (params or {}).get("mood")
            if mood == "raise":
                message = f"cannot digest {model_input.to_dict()}"
                raise ValueError(message)
            if mood == "widen":
                return total.to_numpy() + 0.5 if total.min() > 0 else total.astype("int64")
            returns = {
                "short": total.to_numpy()[:-1],
                "text": "yes",
                "mixed": [1, "one", *total[2:]],
                "two": total.to_numpy().reshape(-1, 1).repeat(2, axis=1),
                "clash": pd.DataFrame({"key": total, "_row": total, "prediction_key": total}),
            }
            return returns.get(mood, total)

    frame = pd.DataFrame({"a": [0.0, 1.0], "n": [0, 1]})
    with _quietly():
        mlflow.pyfunc.log_model(
            name="moody",
            python_model=Moody(),
            signature=infer_signature(frame, params={"mood": "good"}),
            pip_requirements=["mlflow"],
            registered_model_name="moody",
        )
    return "models:/moody/1"


@pytest.fixture(name="unsigned", scope="session")
def unsigned_model(registry: str) -> str:
    """Register a model without a signature."""
    import mlflow
    from sklearn.linear_model import LinearRegression

    with _quietly():
        mlflow.sklearn.log_model(
            LinearRegression(),
            name="unsigned",
            serialization_format="cloudpickle",
            pip_requirements=["scikit-learn"],
            registered_model_name="unsigned",
        )
    return "models:/unsigned/1"


@contextmanager
def _quietly() -> Iterator[None]:
    logger = logging.getLogger("mlflow")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(action="ignore"):
            yield
    finally:
        logger.setLevel(level)
