"""A feed in a bucket, from Delta tables to Delta tables there, on real servers, by schedule."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import httpx
import polars as pl
import pytest
import yaml
from deltalake import DeltaTable, write_deltalake
from feeds import rows
from kept_feeds import receipts_of
from live_object_store import keys, put
from live_platform import Platform, wait_for
from platform_commands import MLFLOW_SERVER, POOL, WORKER

from signature_gate.tasks.feed.feed import Feed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_REGISTER = """
import mlflow, pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LinearRegression
frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "n": [0, 1, 3]})
model = LinearRegression().fit(frame, frame["a"] + frame["n"])
outcome = pd.DataFrame({"outcome": model.predict(frame)})
mlflow.sklearn.log_model(model, name="line", signature=infer_signature(frame, outcome),
    serialization_format="cloudpickle", pip_requirements=["scikit-learn"],
    registered_model_name="line")
mlflow.MlflowClient().set_registered_model_alias("line", "champion", "1")
"""


@pytest.fixture
def platform(bucket: str, tmp_path: Path) -> Iterator[Platform]:
    """Start a Prefect server, an MLflow server, and a worker, which know the store."""
    folder = tmp_path / "platform"
    folder.mkdir()
    (folder / "register.py").write_text(_REGISTER)
    platform = Platform(folder)
    platform.environment |= {k: v for k, v in os.environ.items() if k.startswith(("AWS_", "XDG_"))}
    try:
        platform.start(MLFLOW_SERVER)
        platform.start_prefect()
        platform.run(POOL)
        platform.start(WORKER)
        wait_for(lambda: httpx.get(f"{platform.mlflow}/health").is_success, "the MLflow server")
        platform.run("python register.py")
        yield platform
    finally:
        platform.stop()
        print(platform.logs())  # noqa: T201 - pytest shows it if the test failed
        assert platform.alive() == []


def test_a_scheduled_run_scores_from_a_bucket_into_a_table(platform: Platform, bucket: str) -> None:
    """A version of a table is scored into another, by its statistics; a bad batch is released.

    The bad one was quarantined, and is repaired by hand.
    """
    source, table = f"{bucket}/lake/source", f"{bucket}/lake/scored"
    write_deltalake(source, rows(3))
    fields = {
        "name": "line",
        "model": "models:/line@champion",
        "root": f"{bucket}/feeds/line",
        "schedule": "* * * * *",
        "follow": f"delta://{source}",
        "scored_table": f"delta://{table}",
        "archive": True,
        "policy": {"keep": ["key"]},
    }
    (platform.folder / "line.yaml").write_text(yaml.safe_dump(fields))
    feed = Feed.parse(fields)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))

    platform.run("signature-gate deploy line.yaml")
    wait_for(lambda: len(receipts_of(feed)) == 2, "a scheduled run", 240)
    rows(1, key=["z"]).write_parquet(platform.folder / "repaired.parquet")
    platform.run("signature-gate quarantine release line.yaml bad.parquet --file repaired.parquet")

    scored = pl.DataFrame(DeltaTable(table).to_pyarrow_table())
    assert sorted(scored["key"].to_list()) == ["k0", "k1", "k2", "z"]
    passed = [receipt for receipt in receipts_of(feed) if receipt.disposition == "passed"]
    assert len(passed) == 2
    folders = {key.partition("/")[0] for key in keys(feed)}
    assert folders == {"archive", "receipts", "scored", "state"}
