"""The demo, run as a user runs it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import polars as pl
import pytest

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("demo")


@pytest.fixture(scope="module")
def transcript(folder: Path) -> str:
    ran = subprocess.run(
        [sys.executable, "-m", "signature_gate.flows.cli.main", "demo", "--folder", str(folder)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "200"},
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_every_row_is_accounted_for(transcript: str) -> None:
    """Rows in = rows scored + rows rejected over all receipts; unreadable batches stand apart."""
    sums = re.search(r"([\d,]+) rows in = ([\d,]+) scored \+ ([\d,]+) rejected", transcript)

    assert sums is not None
    arrived, scored, rejected = (int(n.replace(",", "")) for n in sums.groups())
    assert arrived == scored + rejected
    assert scored > 20_000
    assert "unreadable: 2013-07-19.parquet" in transcript
    assert "second run: 0 batches to score" in transcript


@pytest.mark.parametrize(
    ("batch", "disposition", "reason"),
    [
        ("2013-07-04.parquet", "quarantined", "missing_column in dep_delay"),
        ("2013-07-09.parquet", "quarantined", "type_mismatch in distance"),
        ("2013-07-12.csv", "split", "unparseable in sched_dep_time"),
        ("2013-07-16.parquet", "split", "null in dep_time"),
        ("2013-07-19.parquet", "quarantined", "unreadable"),
        ("2013-07-25.parquet", "quarantined", "row_count"),
    ],
)
def test_each_mishap_is_found(transcript: str, batch: str, disposition: str, reason: str) -> None:
    """Each day's fault has the right disposition, with its reason in the table."""
    line = next(line for line in transcript.splitlines() if line.startswith(batch))

    assert disposition in line
    assert reason in line


@pytest.mark.parametrize(
    ("batch", "told"),
    [
        ("2013-07-16.parquet", "temp: expected a share of whole numbers from 0% to"),
        ("2013-07-17.parquet", "temp: expected a median from"),
        ("2013-07-24.parquet", "carrier: expected a share of values other than the 16 that were"),
        ("2013-07-30.parquet", "wind_speed: expected a share of null or NaN from 0% to"),
        ("2013-07-23.parquet", "nothing"),
    ],
)
def test_values_unlike_the_learned_ones_are_told(transcript: str, batch: str, told: str) -> None:
    """Degrees without decimals, in Celsius, a new carrier, gaps in the wind; not a stormy day."""
    _, _, said = transcript.partition("values unlike those learned from January to June")
    lines = [line.strip() for line in said.partition("\n\n")[0].splitlines()[1:]]

    assert [line for line in lines if line.startswith(f"{batch}  {told}")]
    assert len(lines) == 5


def test_predictions_join_back_to_the_flights(transcript: str, folder: Path) -> None:
    """Predictions carry the row's position and the flight's keys."""
    first = next((folder / "run-1" / "scored").rglob("2013-07-01-*.parquet"))
    predictions = pl.read_parquet(first)
    arrived = pl.read_parquet(folder / "run-1" / "inbox" / "2013-07-01.parquet")

    keys = ["carrier", "flight", "tailnum", "origin", "time_hour"]
    joined = predictions.join(
        arrived.with_row_index("_row").cast({"_row": pl.Int64}),
        on=["_row", *keys],
        nulls_equal=True,
    )

    assert predictions.height == joined.height
    assert "prediction" in predictions.columns


def test_drift_is_told_before_it_hurts(transcript: str, folder: Path) -> None:
    """The next version's column is breaking, batches without it are named; each is told once."""
    assert "breaking  column 'humid' added (double)" in transcript
    assert "were models:/flights/2 promoted tonight" in transcript
    assert "2013-07-01.parquet  split, would be quarantined: missing_column in column 'humid'" in (
        transcript
    )
    assert "column 'dep_delay' renamed to 'departure_delay'" in transcript
    assert "drift compared twice, alerts that a webhook on loopback received: 2" in transcript
    assert (folder / "run-1" / "pages" / "index.html").is_file()
