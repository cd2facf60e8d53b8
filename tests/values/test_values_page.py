"""values.md: what the page says to write and to run works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest
from page_commands import follow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytest_plugins = ["page_commands", "page_workplace"]


@pytest.fixture
def trained(workplace: Path) -> Iterator[Path]:
    """Let the champion be a version whose run logged the file that it was trained on."""
    import mlflow
    import tutorial_models

    client, file = mlflow.MlflowClient(), workplace / "train.parquet"
    train = pl.concat([pl.read_csv(workplace / "2013-07-12.csv")] * 20)
    train.write_parquet(file)
    dataset = mlflow.data.from_pandas(train.to_pandas(), source=str(file))  # pyright: ignore[reportAttributeAccessIssue]
    with mlflow.start_run():
        mlflow.log_input(dataset, context="training")
        model = tutorial_models.house_price()
    version = client.create_model_version("flights", f"models:/{model.model_id}")
    client.set_registered_model_alias("flights", "champion", version.version)
    yield workplace
    client.set_registered_model_alias("flights", "champion", "1")


def test_the_page_learns_and_judges(trained: Path, execute: Callable[..., str]) -> None:
    """values.md: a profile is learned in every way, and the batch is judged by it."""
    execute("signature-gate score feeds/flights.yaml")

    assert "passed  2013-07-12.csv" in follow("values.md", execute)
