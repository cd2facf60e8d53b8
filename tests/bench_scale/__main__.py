"""``make bench-scale``: measure what the pages on scaling and on Spark say, write their tables."""

from __future__ import annotations

import os
import re
import sys
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import httpx
import measured
import on_spark
import pandas as pd
from live_object_store import credentials, s3_server

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DOCS = Path(__file__).parents[2] / "docs"


def main() -> None:
    """Measure in a registry of its own, and write the page."""
    machine = measured.machine()
    with TemporaryDirectory() as home:
        _register(Path(home))
        tables = {
            "folders": _table(("format", "rows a file", "one process", *_ENGINES), _folders()),
            "feeds": _table(("batches", "one process", "2 processes"), measured.feeds()),
            "units": _table(("unit", "count"), _units(home)),
            "receipts": _table(_OF_RECEIPTS, _receipts(home)),
        }
    when = f"Measured {datetime.now(UTC):%Y-%m-%d} by `make bench-scale`: {machine}."
    write(_DOCS / "scaling.md", {**tables, "machine": when})
    spark = _table(("who counts", "seconds"), on_spark.lines())
    write(_DOCS / "how-to" / "spark.md", {"seconds": spark, "machine": when})


def write(page: Path, tables: dict[str, str]) -> None:
    """Write the tables of a page, each between its marks."""
    text = page.read_text("utf-8")
    for name, table in tables.items():
        marked = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        text = marked.sub(lambda found, t=table: f"{found[1]}{t}\n{found[2]}", text)
    page.write_text(text, "utf-8")


_ENGINES = ("2 processes", "Dask", "Ray")
_OF_RECEIPTS = (
    "other batches",
    "find a batch's receipts, ms",
    "commit one, ms",
    "read all on a new machine, s",
)


def _folders() -> Iterable[list[str]]:
    import ray
    from distributed import Client, LocalCluster

    ray.init(num_cpus=2, include_dashboard=False, object_store_memory=1 << 28, log_to_driver=False)
    cluster = LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None)
    engines: dict[str, Any] = {}
    with cluster, Client(cluster) as client:
        engines = dict(zip(_ENGINES, (2, client, "ray"), strict=True))
        starts = [measured.started(workers) for workers in engines.values()]
        yield ["the first check", "1", "0", *(f"{each:.2f}" for each in starts)]
        yield from measured.folders(engines)
    ray.shutdown()


def _units(home: str) -> Iterable[list[str]]:
    os.environ["PREFECT_HOME"] = f"{home}/prefect"
    from prefect.testing.utilities import prefect_test_harness

    with prefect_test_harness(server_startup_timeout=120):
        for workers, what in ((None, "a task for each batch"), (2, "`workers`")):
            run, batch = measured.of_prefect(workers)
            yield [f"requests and events to Prefect of a run, {what}", f"{run:.0f}"]
            yield [f"the same of each batch in it, {what}", f"{batch:.1f}"]
    yield ["questions to the registry of a run", f"{measured.of_registry()}"]
    with _bucket(home) as url:
        run, batch = measured.of_store(url)
    yield ["requests to the store of a run", f"{run:.0f}"]
    yield ["the same of each batch in it", f"{batch:.1f}"]
    yield ["bytes of a receipt", f"{measured.of_receipt():,}"]


def _receipts(home: str) -> Iterable[list[str]]:
    with _bucket(home) as url:
        yield from measured.of_receipts(url)


@contextmanager
def _bucket(home: str) -> Iterator[str]:
    with s3_server() as address, ExitStack() as undo:
        undo.callback(os.environ.update, dict(os.environ))
        os.environ.update(credentials(address), XDG_CACHE_HOME=f"{home}/cache")
        httpx.put(f"{address}/scale").raise_for_status()
        yield "s3://scale"


def _table(head: Iterable[str], lines: Iterable[list[str]]) -> str:
    rows = [list(head), ["---"] * len(list(head)), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _register(home: Path) -> None:
    import mlflow
    from mlflow.models import infer_signature
    from sklearn.linear_model import LinearRegression

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home}/mlflow.db"
    mlflow.create_experiment("scale", artifact_location=str(home / "artifacts"))
    mlflow.set_experiment("scale")
    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "n": [0, 1, 3]})
    mlflow.sklearn.log_model(
        LinearRegression().fit(frame, frame["a"]),
        name="scale",
        signature=infer_signature(frame),
        serialization_format="cloudpickle",
        pip_requirements=["scikit-learn"],
        registered_model_name="scale",
    )


if __name__ == "__main__":
    sys.exit(main())
