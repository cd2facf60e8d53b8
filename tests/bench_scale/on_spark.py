"""How long Spark, the gate on Spark and Polars take for the same counts of the same file."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from measured import seconds
from pyspark.sql import functions as sf
from rule_cases import rule, under
from small_checks import contract, split
from spark_session import start

from signature_gate import check
from signature_gate.spark import check as check_on_spark

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from pyspark.sql import SparkSession

_ROWS, _BAD, _ROUNDS = 5_000_000, 5, 5
_BY = under(
    contract(a="double", b="long", c="double", e="long"),
    rule("column_values_to_be_between", column="a", min_value=-9, max_value=9),
    rule("column_values_to_be_between", column="e", min_value=0, max_value=99),
)


def lines() -> Iterator[list[str]]:
    """Count by each in turn; a line for each, with the median of some calls after a first."""
    with TemporaryDirectory() as folder:
        file = Path(folder, "x.parquet")
        _frame().write_parquet(file, row_group_size=500_000)
        session = start("local[2]", {"spark.driver.memory": "2g", "spark.local.dir": folder})
        for who, count in _counting(session, file).items():
            assert count() == _BAD
            yield [who, f"{seconds(count, _ROUNDS):.2f}"]
        session.stop()


def _frame() -> pl.DataFrame:
    random = np.random.default_rng(0)
    b = pl.Series("b", random.integers(0, 2**40, _ROWS))
    return pl.DataFrame(
        {
            "a": random.normal(size=_ROWS),
            "b": b.set(pl.int_range(_ROWS, eager=True) < _BAD, None),
            "c": random.normal(size=_ROWS),
            "e": random.integers(0, 100, _ROWS),
        }
    )


def _counting(session: SparkSession, file: Path) -> dict[str, Callable[[], int]]:
    frame = session.read.parquet(str(file))

    def by_spark(**fields: Any) -> int:
        return check_on_spark(frame, _BY, split(**fields)).verdict.rejected

    return {
        "`signature_gate.check`, Polars": lambda: check(file, _BY, split()).verdict.rejected,
        "an aggregate of the same counts, written by hand for Spark": lambda: _by_hand(frame),
        "`signature_gate.spark.check`, counted by Spark": lambda: by_spark(sample_rows=0),
        "the same, with examples": by_spark,
        "the same, in Python workers (`null_values`)": lambda: by_spark(null_values=["-"]),
    }


def _by_hand(frame: Any) -> int:
    nulls = [sf.count_if(sf.col(name).isNull()) for name in "abce"]
    nans = [sf.count_if(sf.isnan(name)) for name in "ac"]
    limits = [
        sf.count_if(~sf.col(n).between(low, high)) for n, low, high in (("a", -9, 9), ("e", 0, 99))
    ]
    return sum(frame.select(*nulls, *nans, *limits).collect()[0])
