"""One Spark session on loopback for a module of tests, with two cores and four tries of a task."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from pyspark.sql import SparkSession

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """Start Spark in this process, and stop it."""
    # Scoring under redact has set it for the process; workers' errors are to have MLflow's words.
    os.environ.pop("MLFLOW_DISABLE_SCHEMA_DETAILS", None)
    folder = tmp_path_factory.mktemp("spark")
    settings = {
        "spark.driver.memory": "1g",
        # A session this short ends before Java's second compiler has paid.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.timestampType": "TIMESTAMP_NTZ",
        "spark.sql.warehouse.dir": str(folder / "warehouse"),
        "spark.local.dir": str(folder / "local"),
    }
    session = start("local[2,4]", settings)
    yield session
    session.stop()


def start(master: str, settings: dict[str, str]) -> SparkSession:
    """Start Spark on loopback, with Python workers of this interpreter."""
    os.environ["PYSPARK_PYTHON"] = sys.executable
    loopback = dict.fromkeys(("spark.driver.host", "spark.driver.bindAddress"), "127.0.0.1")
    builder = SparkSession.builder.master(master)
    for name, value in {**loopback, "spark.ui.enabled": "false", **settings}.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return session
