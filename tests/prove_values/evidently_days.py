"""Evidently at its defaults on days of flights: run with the bench environment, prints JSON."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd


def main(folder: Path) -> None:
    """Compare each day with what was learned from, by the preset for drift of data."""
    from evidently import Report
    from evidently.presets import DataDriftPreset

    learned = pd.read_parquet(folder / "learned.parquet")
    days = pd.read_parquet(folder / "days.parquet")
    any_column = whole = 0
    numbers = sorted(days["day"].unique())
    for number in numbers:
        current = days[days["day"] == number].drop(columns="day")
        found = json.loads(Report([DataDriftPreset()]).run(current, learned).json())
        # The first metric counts columns that drifted; half of them are drift of the data set.
        first = found["metrics"][0]["value"]
        any_column += first["count"] > 0
        whole += first["share"] >= 0.5
    print(json.dumps({"days": len(numbers), "any": any_column, "whole": whole}))  # noqa: T201


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        main(Path(sys.argv[1]))
