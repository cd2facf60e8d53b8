"""Evidently at its defaults on one day in five, for each takes ten seconds."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import evidently
import pandas as pd
from evidently import Report
from evidently.presets import DataDriftPreset


def main(folder: Path, judged: str) -> None:
    """Compare each day with what was learned from, by the preset for drift of data."""
    learned = pd.read_parquet(folder / "learned.parquet")
    days = [day for _, day in pd.read_parquet(folder / judged).groupby("day")][::5]
    # The first metric counts the columns that drifted.
    first = [_metrics(day.drop(columns="day"), learned)[0]["value"] for day in days]
    told = {
        "any column": sum(found["count"] > 0 for found in first),
        "half of the columns": sum(found["share"] >= 0.5 for found in first),
    }
    print(json.dumps({"version": evidently.__version__, "days": len(days), "told": told}))  # noqa: T201


def _metrics(day: pd.DataFrame, learned: pd.DataFrame) -> list[dict[str, dict[str, float]]]:
    return json.loads(Report([DataDriftPreset()]).run(day, learned).json())["metrics"]


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        main(Path(sys.argv[1]), sys.argv[2])
