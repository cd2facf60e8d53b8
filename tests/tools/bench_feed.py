"""Time and peak memory of a feed that judges, splits and scores one batch larger than memory.

``make bench`` runs it with 30,000,000 rows by 20 columns; its argument is another number of rows.
One row in a thousand has a null. The model adds two columns: nearly all of the time is the gate's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_GROUP, _PAIRS = 500_000, 10
_NAMES = [f"{kind}{i}" for kind in "if" for i in range(_PAIRS)]


def main(rows: int) -> None:
    """Register the model, deliver the batch, score it in its own process, and print."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{root}/mlflow.db"
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        model = _register(root)
        (root / "inbox").mkdir()
        _write(root / "inbox" / "b.parquet", rows)
        arguments = [sys.executable, __file__, "score", str(root), model]
        out = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
        told = json.loads(out.splitlines()[-1])
        print(  # noqa: T201 - its purpose
            f"{rows:,} rows x 20: {told['scored']:,} scored + {told['rejected']:,} rejected, "
            f"{told['seconds']:.0f} s, peak {told['peak']:.0f} MiB"
        )


def _register(root: Path) -> str:
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    class Sum(mlflow.pyfunc.PythonModel):
        def predict(self, context, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            return model_input["i0"] + model_input["f0"]

    frame = pd.DataFrame({name: [1 if name[0] == "i" else 1.0] for name in _NAMES})
    mlflow.create_experiment("bench", artifact_location=str(root / "artifacts"))
    mlflow.set_experiment("bench")
    mlflow.pyfunc.log_model(
        name="sum",
        python_model=Sum(),
        signature=infer_signature(frame),
        pip_requirements=["mlflow"],
        registered_model_name="sum",
    )
    return "models:/sum/1"


def _write(path: Path, rows: int) -> None:
    rng = np.random.default_rng(0)
    types = [pa.int64()] * _PAIRS + [pa.float64()] * _PAIRS
    schema = pa.schema(list(zip(_NAMES, types, strict=True)))
    gaps = np.arange(_GROUP) % 1000 == 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _ in range(rows // _GROUP):
            whole = [rng.integers(0, 1000, _GROUP) for _ in range(_PAIRS)]
            first, *others = rng.random((_PAIRS, _GROUP))
            writer.write_table(pa.table([*whole, pa.array(first, mask=gaps), *others], schema))


def score(root: str, model: str) -> None:
    """Score the feed and print counts of rows, seconds and peak MiB, as JSON."""
    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.scoring.feed_run import score_feed

    feed = Feed.parse(
        {
            "name": "bench",
            "model": model,
            "root": root,
            "settle_seconds": 0,
            "policy": {"on_mismatch": "split"},
        }
    )
    began = time.perf_counter()
    summary = score_feed(feed)
    seconds = time.perf_counter() - began
    # Not ru_maxrss, which a process inherits from its parent.
    status = Path("/proc/self/status").read_text("ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    told = {"scored": summary.rows_scored, "rejected": summary.rows_rejected}
    print(json.dumps({**told, "seconds": seconds, "peak": peak}))  # noqa: T201 - read by main


if __name__ == "__main__":
    if sys.argv[1:2] == ["score"]:
        score(*sys.argv[2:])
    else:
        main(int(sys.argv[1]) if sys.argv[1:] else 30_000_000)
