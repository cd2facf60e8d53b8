"""docs/how-to/spark.md: its snippets run, and a stream hands each micro-batch on once."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from page_commands import blocks_in
from pyspark.errors import PySparkException

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

PAGE = "how-to/spark.md"
pytest_plugins = ["spark_session"]


def written(snippet: int) -> dict[str, Any]:
    """Run a snippet of the page, and return its names."""
    names: dict[str, Any] = {"__name__": "page"}
    block = [block for block in blocks_in(PAGE) if block.language == "python"][snippet]
    # Java resolves the place of a checkpoint by the folder in which it was started.
    text = block.text.replace('"checkpoint"', repr(str(Path("checkpoint").resolve())))
    exec(compile(text, PAGE, "exec"), names)  # noqa: S102 - our own page
    return names


@pytest.fixture
def place(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str
) -> Iterator[Path]:
    """Stand in an empty folder, with Spark too, where the page's model is registered."""
    java: Any = spark.sparkContext._jvm  # noqa: SLF001 - Java stays where it was started
    hadoop = java.org.apache.hadoop.fs
    disk = hadoop.FileSystem.get(spark.sparkContext._jsc.hadoopConfiguration())  # noqa: SLF001
    before = disk.getWorkingDirectory()
    disk.setWorkingDirectory(hadoop.Path(str(tmp_path)))
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    disk.setWorkingDirectory(before)


def deliver(spark: SparkSession, folder: str, *rows: tuple[Any, ...]) -> None:
    """Write rows as one file of a folder."""
    frame = spark.createDataFrame(rows, "a double, n long, id string").coalesce(1)
    frame.write.mode("append").parquet(folder)


def test_the_page_scores_what_is_accepted(spark: SparkSession, place: Path) -> None:
    """The good rows are scored with their key; without the gate one null ends the job."""
    deliver(spark, "arrived.parquet", (1.5, 2, "k"), (2.0, None, "l"), (0.5, 4, "m"))

    names = written(0)

    scored = spark.read.parquet("scored.parquet").collect()
    assert {row["id"]: row["outcome"] for row in scored} == pytest.approx({"k": 3.5, "m": 4.5})
    (bad,) = spark.read.parquet("rejected.parquet").collect()
    assert (bad["id"], bad["_violations"]) == ("l", ["null in 'n': null"])
    arrived = spark.read.parquet("arrived.parquet").coalesce(1)
    with pytest.raises(PySparkException, match="Can not safely convert float64 to int64"):
        arrived.select(names["predict"]("a", "n")).collect()


def test_the_page_writes_a_suite(place: Path) -> None:
    """The suite names Spark's types beside those of pandas."""
    lists = [e["kwargs"].get("type_list") for e in written(2)["suite"]["expectations"]]

    assert [names for names in lists if names] == [
        ["float64", "DoubleType"],
        ["int64", "LongType"],
    ]


def test_a_stream_hands_each_micro_batch_on_once(spark: SparkSession, place: Path) -> None:
    """A batch that failed half-way is judged anew; one that has a receipt is not handed on."""
    deliver(spark, "arriving", (1.0, 1, "k"), (2.0, None, "l"))
    Path("rejected").write_text("in the way")
    with pytest.raises(PySparkException):
        written(1)
    assert not list(Path("receipts").iterdir())

    Path("rejected").unlink()
    written(1)
    deliver(spark, "arriving", (3.0, 3, "m"))
    written(1)

    assert [row["n"] for row in spark.read.parquet("accepted").sort("n").collect()] == [1, 3]
    assert spark.read.parquet("rejected").count() == 1
    assert sorted(path.name for path in Path("receipts").iterdir()) == ["0.json", "1.json"]

    # Spark died after the receipt of a batch, and before it wrote down that the batch is done.
    Path("checkpoint", "commits", "1").unlink()
    Path("checkpoint", "commits", ".1.crc").unlink()
    shutil.rmtree("accepted/batch=1")
    written(1)

    assert not Path("accepted/batch=1").exists()
