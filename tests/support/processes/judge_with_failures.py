"""Judge a file of each format while one call on it after the other fails; say how each ended."""

from __future__ import annotations

import ctypes
import errno
import gzip
import json
import os
import sys
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa

from signature_gate import Contract, Policy, check
from signature_gate.expectations.errors import GateError

ROWS = 3_000
SEEN = ctypes.c_int.in_dll(ctypes.CDLL(None), "failing_calls_seen")
ERRORS = (errno.EIO, errno.EACCES, errno.ESTALE)
COLUMNS = [{"type": "long", "name": "a"}, {"type": "string", "name": "b"}]
ARRAY = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]


def write_batches(folder: Path) -> dict[Path, Any]:
    """Write a batch in each format; give the inputs by which each passes."""
    frame = pl.DataFrame({"a": range(ROWS), "b": [f"t{i}" for i in range(ROWS)]})
    frame.write_parquet(folder / "b.parquet", row_group_size=1_000)
    frame.write_csv(folder / "b.csv")
    frame.write_ndjson(folder / "b.jsonl")
    frame.write_ipc(folder / "b.arrow")
    text = (folder / "b.csv").read_bytes()
    (folder / "b.csv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(folder / "b.csv.zip", "w") as archive:
        archive.writestr("b.csv", text)
    with pa.CompressedOutputStream(pa.OSFile(str(folder / "b.csv.zst"), "wb"), "zstd") as packed:
        packed.write(text)
    with pa.ipc.new_stream(str(folder / "stream.arrow"), frame.to_arrow().schema) as stream:
        stream.write_table(frame.to_arrow())
    np.savez(folder / "b.npz", a=np.arange(ROWS))
    (folder / "folder").mkdir()
    frame.head(5).write_parquet(folder / "folder" / "1.parquet")
    frame.head(5).write_csv(folder / "folder" / "2.csv")
    inputs: dict[Path, Any] = dict.fromkeys(sorted(folder.iterdir()), COLUMNS)
    np.save(folder / "b.npy", np.arange(2.0 * ROWS).reshape(-1, 2))
    return inputs | {folder / "b.npz": COLUMNS[:1], folder / "b.npy": ARRAY}


def end_of(path: Path, contract: Contract) -> str:
    """Judge a batch and read it in every form; say how that ends."""
    try:
        result = check(path, contract, Policy(trust_statistics=False))
        if result.passed:
            result.model_input()
            assert result.accepted is not None
            result.accepted.collect()
    except GateError as error:
        return type(error).__name__
    return result.disposition


def ends_of(path: Path, contract: Contract) -> Counter[str]:
    """Have one call after the other fail, until there is no further one."""
    ends, call, reached = Counter[str](), 0, True
    while reached:
        call += 1
        os.environ["FAILING_ERRNO"] = str(ERRORS[call % len(ERRORS)])
        SEEN.value, os.environ["FAILING_CALL"] = 0, str(call)
        ends[end_of(path, contract)] += 1
        reached, os.environ["FAILING_CALL"] = SEEN.value >= call, "0"
    return ends


def main() -> None:
    """Write one line of JSON for each format."""
    for path, inputs in write_batches(Path(sys.argv[1])).items():
        contract = Contract.from_signature({"inputs": json.dumps(inputs)})
        sys.stdout.write(json.dumps((path.name, ends_of(path, contract))) + "\n")


if __name__ == "__main__":
    main()
