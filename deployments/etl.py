"""An ETL flow with the gate in it: extract, gate, score, load. A pattern to copy.

Rows arrive in the table ``arrivals`` of a SQLite file. Those that the model takes get a row in
``scores``, the others one in ``rejected`` with the reasons. What stands in either is not taken
again, so a second run, or one after a crash, does only what is left::

    python deployments/etl.py flights.db models:/flights@champion
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.states import Completed

from signature_gate import Policy
from signature_gate.tasks import check_rows, fetch_contract, publish_verdict

if TYPE_CHECKING:
    import pandas as pd

    from signature_gate import CheckResult

POLICY = Policy(on_mismatch="split", extra_columns="ignore", keep=("id",))
_TABLES = """
    CREATE TABLE IF NOT EXISTS scores (id INTEGER PRIMARY KEY, prediction REAL, model TEXT);
    CREATE TABLE IF NOT EXISTS rejected (id INTEGER PRIMARY KEY, reasons TEXT, model TEXT);
"""
_NEW = """
    SELECT * FROM arrivals
    WHERE id NOT IN (SELECT id FROM scores) AND id NOT IN (SELECT id FROM rejected)
"""
_CHUNK_ROWS = 100_000


@flow
def load_scores(database: Path, model: str, policy: Policy = POLICY) -> Any:
    """Score the rows that have arrived since the last run.

    Args:
        database: The SQLite file with the table ``arrivals``, whose key is ``id``.
        model: MLflow URI of the model; an alias is resolved once, and that version scores.
        policy: What the model's signature leaves open; it keeps ``id``.

    Returns:
        The verdict. The run is ``Quarantined`` if no row could be scored.

    Raises:
        BatchRejected: The policy is ``on_mismatch: fail`` and a row does not fit; nothing is
            loaded, so the next run finds the same rows.
    """
    contract = fetch_contract(model)
    arrived = extract(database)
    if arrived.empty:
        return Completed(message="nothing has arrived")
    gated = check_rows(arrived, contract, policy)
    publish_verdict(gated.verdict, model)
    if gated.disposition == "failed":
        gated.raise_if_rejected()
    scored = gated.disposition in ("passed", "split")
    load(database, score(gated) if scored else None, set_aside(gated, arrived))
    name = "Completed" if scored else "Quarantined"
    return Completed(name=name, message=gated.verdict.summary(), data=gated.verdict)


# Frames stay within this process, so none of these tasks caches or stores what it is given.


@task(cache_policy=NO_CACHE, persist_result=False)
def extract(database: Path) -> pd.DataFrame:
    """Read the rows that stand neither among the scores nor among the rejected ones."""
    import pandas as pd

    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(_TABLES)
        return pd.read_sql_query(_NEW, connection)


@task(cache_policy=NO_CACHE, persist_result=False)
def score(gated: CheckResult) -> pl.DataFrame:
    """Predict with the very version whose signature has judged the rows."""
    import mlflow

    pinned = gated.contract.model.pinned
    model = mlflow.pyfunc.load_model(pinned)
    return pl.concat(
        chunk.rows.select(
            "id",
            pl.Series("prediction", np.ravel(model.predict(chunk.model_input))),
            pl.lit(pinned).alias("model"),
        )
        for chunk in gated.chunks(_CHUNK_ROWS)
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def set_aside(gated: CheckResult, arrived: pd.DataFrame) -> pl.DataFrame:
    """List the rows that are kept from the model: the bad ones, or all of a quarantined batch."""
    bad = gated.rejected.select("id", pl.col("_violations").list.join("\n")).collect()
    if gated.disposition == "quarantined":
        everything = pl.DataFrame({"id": arrived["id"].to_numpy()})
        bad = everything.join(bad, on="id", how="left")
    return bad.with_columns(
        pl.col("_violations").fill_null("The row is sound; its batch is quarantined."),
        pl.lit(gated.contract.model.pinned).alias("model"),
    )


@task(cache_policy=NO_CACHE, persist_result=False)
def load(database: Path, scores: pl.DataFrame | None, rejected: pl.DataFrame) -> None:
    """Write both tables in one transaction: a row ends in one of them, or comes again."""
    with closing(sqlite3.connect(database)) as connection, connection:
        if scores is not None:
            connection.executemany("INSERT INTO scores VALUES (?, ?, ?)", scores.iter_rows())
        connection.executemany("INSERT INTO rejected VALUES (?, ?, ?)", rejected.iter_rows())


if __name__ == "__main__":
    load_scores(Path(sys.argv[1]), sys.argv[2])
