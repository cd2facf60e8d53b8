"""NannyML's univariate drift at its defaults, a chunk a day."""

from __future__ import annotations

import json
import sys
import warnings
from pathlib import Path

import nannyml
import numpy as np
import pandas as pd

_TIME = "when"


def main(folder: Path, judged: str) -> None:
    """Fit what was learned from, in as many chunks as it had days, and look at each day."""
    learned = pd.read_parquet(folder / "learned.parquet")
    days = pd.read_parquet(folder / judged)
    columns = list(learned.columns)
    length = len(days) // days["day"].nunique()
    learned[_TIME] = _dates(np.arange(len(learned)) // length, "2012-01-01")
    days[_TIME] = _dates(days["day"], "2013-01-01")
    drift = nannyml.UnivariateDriftCalculator(
        column_names=columns, timestamp_column_name=_TIME, chunk_period="D"
    )
    found = drift.fit(learned).calculate(days).filter(period="analysis").to_df()
    alerts = found.loc[:, found.columns.get_level_values(-1) == "alert"]
    told = {"any column": int(alerts.any(axis=1).sum())}
    print(json.dumps({"version": nannyml.__version__, "days": len(alerts), "told": told}))  # noqa: T201


def _dates(numbers: object, first: str) -> pd.Series:
    return pd.Timestamp(first) + pd.to_timedelta(numbers, unit="D")


if __name__ == "__main__":
    with warnings.catch_warnings(action="ignore"):
        main(Path(sys.argv[1]), sys.argv[2])
