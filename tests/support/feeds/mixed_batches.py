"""Batches of all kinds for a feed, and a model that raises at one value."""

from __future__ import annotations

import os
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
from feeds import rows
from row_accounting import Delivery, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

MODEL = "fussy"
RAISES = 666.0  # the value at which the model raises


def register_fussy(name: str = MODEL) -> None:
    """Register two versions of a model that predict differently, and raise at one value.

    Args:
        name: The model's name. If the environment has ``FUSSY_CALLS``, the model appends the first
            value of each batch that it scores to that file.
    """
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    class Fussy(mlflow.pyfunc.PythonModel):
        def __init__(self, slope: float, raises: float) -> None:
            self.slope = slope
            self.raises = raises

        def predict(self, model_input):  # noqa: ANN001, ANN202
            if "FUSSY_CALLS" in os.environ:
                with Path(os.environ["FUSSY_CALLS"]).open("a") as calls:
                    calls.write(f"{model_input['a'].iloc[0]}\n")
            if (model_input["a"] == self.raises).any():
                message = "the number of the beast"
                raise ValueError(message)
            outcome = self.slope * (model_input["a"] + model_input["n"])
            return outcome.to_frame("outcome")

    frame = pd.DataFrame({"a": [0.0, 1.0], "n": [0, 1]})
    for slope in (1.0, 2.0):
        mlflow.pyfunc.log_model(
            name=name,
            python_model=Fussy(slope, RAISES),
            signature=infer_signature(frame, pd.DataFrame({"outcome": [0.0, 2.0]})),
            pip_requirements=["mlflow"],
            registered_model_name=name,
        )
    move_alias("1", name)


def move_alias(version: str, name: str = MODEL) -> None:
    """Move the alias champion to another version."""
    import mlflow

    mlflow.MlflowClient().set_registered_model_alias(name, "champion", version)


def _rows(number: int, count: int, nulls: int = 0, last: float | None = None) -> pl.DataFrame:
    """Make rows: both features are the row's number, and the key ends in it."""
    values = [None if row < nulls else float(row) for row in range(count)]
    frame = rows(count, a=values if last is None else [*values[:-1], last])
    return frame.with_columns(key=pl.format("{}-{}", pl.lit(number), pl.col("key")))


def _passing(number: int) -> pl.DataFrame:
    return _rows(number, number % 7 + 1)


def _splitting(number: int) -> pl.DataFrame:
    return _rows(number, 10, nulls=number % 4 + 1)


def _hopeless(number: int) -> pl.DataFrame:
    return _rows(number, 6, nulls=5)


def _raising(number: int) -> pl.DataFrame:
    return _rows(number, 2, last=RAISES)


def _write_folder(frame: pl.DataFrame, path: Path) -> None:
    path.mkdir()
    frame.head(1).write_parquet(path / "part-0.parquet")
    frame.tail(-1).write_parquet(path / "part-1.parquet")
    (path / "_SUCCESS").touch()


def _write_half(frame: pl.DataFrame, path: Path) -> None:
    frame.write_parquet(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


# Kinds of batches, in the order of delivery: name, rows, how they are written, the expected
# disposition, and whether the rows can be counted.
_KINDS: tuple[tuple[str, Callable[[int], pl.DataFrame], Any, str, bool], ...] = (
    ("good.parquet", _passing, pl.DataFrame.write_parquet, "passed", True),
    ("gaps.parquet", _splitting, pl.DataFrame.write_parquet, "split", True),
    ("good.csv", _passing, pl.DataFrame.write_csv, "passed", True),
    ("mostly gaps.parquet", _hopeless, pl.DataFrame.write_parquet, "quarantined", True),
    ("good.jsonl", _passing, pl.DataFrame.write_ndjson, "passed", True),
    ("cut.parquet", _passing, _write_half, "quarantined", False),
    ("folder", _passing, _write_folder, "passed", True),
    ("gäps\n..csv", _splitting, pl.DataFrame.write_csv, "split", True),
    ("good.arrow", _passing, pl.DataFrame.write_ipc, "passed", True),
    ("notes.xlsx", _passing, pl.DataFrame.write_csv, "quarantined", False),
)
_RAISING = ("raises.parquet", _raising, pl.DataFrame.write_parquet, "errored", True)


def deliver_all(feed: Feed, count: int) -> list[Delivery]:
    """Fill an inbox with batches of all kinds; the model raises on one of them.

    Args:
        feed: The feed.
        count: How many batches.

    Returns:
        What was delivered.
    """
    kinds = [*(kind for kind, _ in zip(cycle(_KINDS), range(count - 1), strict=False)), _RAISING]
    return [_deliver(feed, number, *kind) for number, kind in enumerate(kinds)]


def _deliver(
    feed: Feed, number: int, name: str, make: Any, write: Any, fate: str, counted: bool
) -> Delivery:
    path = feed.inbox / f"{number:02} {name}"
    frame: pl.DataFrame = make(number)
    write(frame, path)
    keys = frozenset(frame["key"])
    return Delivery(path.name, keys if counted else None, digest_of(path), fate)
