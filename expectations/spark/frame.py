"""A Spark DataFrame as the gate sees it: in Arrow's types, its columns by their positions."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from ..batch.batch import OpenedBatch
from ..batch.columns import RESERVED
from ..errors import UnsupportedBatch, needs_extra, require
from ..readers.open import open_batch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from pyspark.sql import DataFrame

    from ..judge.request import CheckRequest

    Stage = Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]


class SparkFrame(NamedTuple):
    """A Spark DataFrame, whatever its columns are called.

    Attributes:
        numbered: The same rows; each column is named by its position.
        names: The names as they arrived, but for the gate's own.
        schema: Their types under these names, as Spark writes them in Arrow.
    """

    numbered: DataFrame
    names: tuple[str, ...]
    schema: pa.Schema

    def open(self, request: CheckRequest) -> OpenedBatch:
        """Open it as a batch without rows: names and types are all that is known here."""
        opened = open_arrow(self.schema.empty_table(), request)
        info = opened.info.model_copy(update={"name": "spark frame", "format": "spark"})
        return OpenedBatch(info, tuple(replace(file, info=info) for file in opened.files))

    def through(self, stage: Stage, columns: Sequence[int], schema: Any) -> DataFrame:
        """Send columns through Python workers, an iterator of Arrow batches for each partition."""
        chosen = self.numbered.select(*(self.numbered.columns[i] for i in columns))
        return chosen.mapInArrow(stage, schema)  # pyright: ignore[reportArgumentType]


def spark_frame(given: Any) -> SparkFrame:
    """Look at the schema of what should be a Spark DataFrame; no job is run.

    Raises:
        Misuse: It is something else, or Spark is not installed.
        UnsupportedBatch: Spark writes one of its types in no form that other programs read.
    """
    with needs_extra("spark"):
        from pyspark.errors import PySparkException
        from pyspark.sql import DataFrame
    require(given, DataFrame, "signature_gate.spark.check takes a Spark DataFrame")
    names = list[str](given.columns)
    numbered = given.toDF(*(f"c{i}" for i in range(len(names))))
    kept = [i for i, name in enumerate(names) if name not in RESERVED]
    numbered = numbered.select(*(f"c{i}" for i in kept))
    try:
        schema = numbered.limit(0).toArrow().schema
    except PySparkException as error:
        msg = f"Spark cannot hand over a column of this frame: {error}. Drop it, or cast it before."
        raise UnsupportedBatch(msg) from error
    arrived = [names[i] for i in kept]
    fields = [field.with_name(name) for name, field in zip(arrived, schema, strict=True)]
    return SparkFrame(numbered, tuple(arrived), pa.schema(fields))


def open_arrow(table: pa.Table, request: CheckRequest) -> OpenedBatch:
    """Open rows that Spark wrote in Arrow."""
    return open_batch(table, request.contract, request.policy)
