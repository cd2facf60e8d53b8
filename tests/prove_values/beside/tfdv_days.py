"""TensorFlow Data Validation at its defaults: the schema that it infers, then each day by it."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import pandas as pd
import tensorflow_data_validation as tfdv


def main(folder: Path, judged: str) -> None:
    """Infer the schema of what was learned from, and validate each day."""
    learned = pd.read_parquet(folder / "learned.parquet")
    schema = tfdv.infer_schema(tfdv.generate_statistics_from_dataframe(learned))
    days = [day for _, day in pd.read_parquet(folder / judged).groupby("day")]
    anomalies = [_anomalies(day.drop(columns="day").reset_index(drop=True), schema) for day in days]
    told = {"any column": sum(map(bool, anomalies))}
    print(json.dumps({"version": tfdv.__version__, "days": len(days), "told": told}))  # noqa: T201


def _anomalies(day: pd.DataFrame, schema: object) -> dict[str, object]:
    statistics = tfdv.generate_statistics_from_dataframe(day)
    return dict(tfdv.validate_statistics(statistics, schema).anomaly_info)


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        main(Path(sys.argv[1]), sys.argv[2])
