"""Contenders that score: feeds of ours, and the script that a team would write without a gate.

The model adds two columns, so that nearly all of the time is what surrounds it. Each process has a
feed of its own, made before the clock starts.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from batches import first_rows

if TYPE_CHECKING:
    from collections.abc import Callable

    from batches import Column

_CHUNK = 100_000
_MODEL = "models:/bench/1"


def registry(path: Path, columns: list[Column]) -> None:
    """Name the registry beside a batch; a process of its own registers the model there first."""
    home = path.parent / f"registry-{len(columns)}"
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home}/mlflow.db"
    if not home.exists():
        home.mkdir()
        code = "import sys, scoring; scoring.register(*sys.argv[1:])"
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        command = [sys.executable, "-c", code, str(home), str(path)]
        subprocess.run(command, check=True, env=environment, stdout=subprocess.DEVNULL)


def register(home: str, path: str) -> None:
    """Register a model whose signature has the columns of a Parquet file."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    class Sum(mlflow.pyfunc.PythonModel):
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:  # noqa: ARG002
            return model_input["long_0"] + model_input["double_1"]

    mlflow.create_experiment("bench", artifact_location=f"{home}/artifacts")
    mlflow.set_experiment("bench")
    mlflow.pyfunc.log_model(
        name="bench",
        python_model=Sum(),
        signature=infer_signature(pd.DataFrame(first_rows(Path(path), 10)), pd.Series([0.5])),
        pip_requirements=["mlflow"],
        registered_model_name="bench",
    )


def _feed(path: Path, columns: list[Column], copies: int, **policy: Any) -> Any:
    import mlflow  # noqa: F401 - as the script does

    from signature_gate.tasks.feed.feed import Feed

    registry(path, columns)
    root = Path(tempfile.mkdtemp(dir=path.parent))
    (root / "inbox").mkdir()
    _deliver(path, root / "inbox", copies)
    return Feed.parse(
        {
            "name": "bench",
            "model": _MODEL,
            "root": str(root),
            "settle_seconds": 0,
            "policy": {"on_mismatch": "split", "nan": "value", **policy},
        }
    )


def _deliver(path: Path, inbox: Path, copies: int) -> None:
    """Link one batch into an inbox, or write as many of 100 rows, each with other content."""
    if copies == 1:
        (inbox / "batch.parquet").hardlink_to(path)
        return
    rows = pq.ParquetFile(path).read_row_group(0)
    for number in range(copies):
        pq.write_table(rows.slice(number * 100, 100), inbox / f"{number:04}.parquet")


def feed(path: Path, columns: list[Column], batches: int = 1) -> Callable[[], bool]:
    """score_feed(): judged, split, scored, published, with receipts."""
    from signature_gate.tasks.scoring.feed_run import score_feed

    made = _feed(path, columns, batches)

    def score() -> bool:
        summary = score_feed(made)
        return len(summary.receipts) == batches and not summary.rows_rejected

    return score


def feed_flow(path: Path, columns: list[Column], batches: int) -> Callable[[], bool]:
    """score_batches(): the same as a Prefect flow, a mapped task for each batch."""
    _prefect(path)
    from signature_gate.flows.scoring import score_batches

    made = _feed(path, columns, batches)
    return lambda: len(score_batches(made).receipts) == batches


def empty_flow(path: Path, columns: list[Column], batches: int) -> Callable[[], bool]:
    """A Prefect flow with as many mapped tasks that do nothing."""
    _prefect(path)
    from prefect import flow, task

    @task
    def nothing(number: int) -> int:
        return number

    @flow
    def mapped() -> int:
        return len(nothing.map(range(batches)).result())

    return lambda: mapped() == batches


def _prefect(path: Path) -> None:
    home = tempfile.mkdtemp(dir=path.parent)
    os.environ |= {
        "PREFECT_HOME": home,
        "PREFECT_LOGGING_LEVEL": "ERROR",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    }
    from prefect import flow

    @flow
    def warm() -> None:
        """Start the server, which is not what is measured."""

    warm()


def script(path: Path, columns: list[Column], batches: int = 1) -> Callable[[], bool]:
    """Read, predict, write: PyArrow's chunks, pandas, the model, PyArrow's writer."""
    registry(path, columns)
    import mlflow

    root = Path(tempfile.mkdtemp(dir=path.parent))
    (root / "inbox").mkdir()
    (root / "scored").mkdir()
    _deliver(path, root / "inbox", batches)

    def score() -> bool:
        model = mlflow.pyfunc.load_model(_MODEL, suppress_warnings=True)
        for batch in sorted((root / "inbox").iterdir()):
            _score(model, batch, root / "scored" / batch.name)
        return len(list((root / "scored").iterdir())) == batches

    return score


def _score(model: Any, batch: Path, out: Path) -> None:
    import pandas as pd

    with pq.ParquetFile(batch) as source:
        sink: Any = None
        for chunk in source.iter_batches(_CHUNK):
            frame = chunk.to_pandas()
            predicted = pd.DataFrame({"prediction": model.predict(frame)})
            table = pa.Table.from_pandas(predicted, preserve_index=False)
            sink = sink or pq.ParquetWriter(out, table.schema)
            sink.write_table(table)
        sink.close()


def old_receipts(path: Path, columns: list[Column], batches: int, old: int) -> Callable[[], bool]:
    """score_feed() of small batches where others left their receipts."""
    from signature_gate.tasks.scoring.feed_run import score_feed

    made = _feed(path, columns, batches)
    if old:
        made.receipts.mkdir()
        for receipt in _past(path, columns, old).receipts.iterdir():
            if receipt.is_file():
                (made.receipts / receipt.name).hardlink_to(receipt)
    return lambda: len(score_feed(made).receipts) == batches


def overview(path: Path, columns: list[Column], old: int) -> Callable[[], bool]:
    """The pages of a feed with many receipts."""
    from signature_gate.tasks.monitoring.pages import write_overview

    made = _past(path, columns, old)
    pages = tempfile.mkdtemp(dir=path.parent)
    return lambda: write_overview([made], pages).exists()


def survey(path: Path, columns: list[Column], old: int) -> Callable[[], bool]:
    """What is to do in an inbox all of whose files are done: each has its receipt."""
    from signature_gate.tasks.scoring.selection import select_candidates

    made = _past(path, columns, old)
    return lambda: select_candidates(made).done == old + 1


def _past(path: Path, columns: list[Column], old: int) -> Any:
    """Make a feed that scored a batch; its receipt is there again for each of many other files."""
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.identity import identify
    from signature_gate.tasks.feed.receipt_store import ReceiptStore
    from signature_gate.tasks.scoring.feed_run import score_feed

    home = path.parent / f"past-{old}.yaml"
    if home.exists():
        registry(path, columns)
        return Feed.load(home)
    made = _feed(path, columns, 0)
    pq.write_table(
        pq.ParquetFile(path).read_row_group(0).slice(0, 100), made.inbox / "past.parquet"
    )
    score_feed(made)
    store = ReceiptStore(made)
    [batch] = store.batches()
    [receipt] = store.for_batch(batch)
    names = [f"past-{number:06}.parquet" for number in range(old)]
    for name in names:
        (made.inbox / name).write_text(name, "utf-8")
    time.sleep(0.2)  # a change in the same instant would leave an identity without proof
    for name in names:
        identity = identify(made.inbox / name, name)
        known = {"id": identity.id, "identity": identity, "name": name}
        copy = receipt.model_copy(update={"batch": receipt.batch.model_copy(update=known)})
        (made.receipts / copy.file).write_text(copy.model_dump_json(), "utf-8")
    home.write_text(made.model_dump_json(exclude_defaults=True), "utf-8")
    return made
