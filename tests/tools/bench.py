"""Time and peak memory of check() on 10,000,000 rows by 20 columns; ``make bench`` prints them.

Each case runs in its own process, so that the memory is that of one judgement. Imports and the
contract are not timed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

_ROWS, _GROUP, _PAIRS = 10_000_000, 500_000, 10
_CASES = {
    "footer alone (nan: value)": ("statistics.parquet", "value"),
    "float columns read (default)": ("statistics.parquet", "null"),
    "no statistics, all columns read": ("bare.parquet", "null"),
    "the same, a tenth of the rows": ("small.parquet", "null"),
}


def main() -> None:
    """Write the files, judge each case in its own process, and print a table."""
    with tempfile.TemporaryDirectory() as folder:
        _write(Path(folder) / "statistics.parquet", _ROWS, statistics=True)
        _write(Path(folder) / "bare.parquet", _ROWS, statistics=False)
        _write(Path(folder) / "small.parquet", _ROWS // 10, statistics=False)
        print(f"{'case':34} {'seconds':>8} {'peak MiB':>9}  evidence")  # noqa: T201 - its purpose
        for case, (file, nan) in _CASES.items():
            arguments = [sys.executable, __file__, str(Path(folder) / file), nan]
            out = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout
            seconds, peak, evidence = json.loads(out)
            print(f"{case:34} {seconds:8.3f} {peak:9.0f}  {evidence}")  # noqa: T201 - its purpose


def _write(path: Path, rows: int, *, statistics: bool) -> None:
    rng = np.random.default_rng(0)
    names = [f"{kind}{i}" for kind in "if" for i in range(_PAIRS)]
    types = [pa.int64()] * _PAIRS + [pa.float64()] * _PAIRS
    schema = pa.schema(list(zip(names, types, strict=True)))
    with pq.ParquetWriter(path, schema, compression="zstd", write_statistics=statistics) as writer:
        for _ in range(rows // _GROUP):
            whole = [rng.integers(0, 1000, _GROUP) for _ in range(_PAIRS)]
            writer.write_table(pa.table([*whole, *rng.random((_PAIRS, _GROUP))], schema=schema))


def judge(path: str, nan: str) -> None:
    """Judge one file and print seconds, peak MiB and the stages that decided, as JSON."""
    from signature_gate import Contract, Policy, check

    names = [
        (f"{kind}{i}", mlflow)
        for kind, mlflow in (("i", "long"), ("f", "double"))
        for i in range(_PAIRS)
    ]
    inputs = [{"type": kind, "name": name, "required": True} for name, kind in names]
    contract = Contract.from_signature({"inputs": json.dumps(inputs)})
    policy = Policy.parse({"nan": nan})
    began = time.perf_counter()
    result = check(path, contract, policy)
    seconds = time.perf_counter() - began
    if not result.passed:
        raise SystemExit(result.verdict.summary())
    # Not ru_maxrss, which a process inherits from its parent.
    status = Path("/proc/self/status").read_text("ascii")
    peak = int(status.split("VmHWM:")[1].split()[0]) / 1024
    stages = sorted(set(result.verdict.evidence.values()))
    print(json.dumps([seconds, peak, ", ".join(stages)]))  # noqa: T201 - read by main


if __name__ == "__main__":
    judge(*sys.argv[1:]) if len(sys.argv) > 1 else main()
