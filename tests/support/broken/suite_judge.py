"""Judge many files one after the other in a process of their own, and report on each."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from forkserver import forked

if TYPE_CHECKING:
    from collections.abc import Sequence

SECONDS = 30
_PRELOADED = [
    "pandas",
    "pyarrow.parquet",
    "signature_gate.expectations.judge.checking",
    "signature_gate.expectations.readers.csv_reader",
    "signature_gate.expectations.readers.json_lines.reader",
    "signature_gate.expectations.readers.parquet",
]
# Arrow types -> what a contract takes them for.
_TYPES = {
    **dict.fromkeys(("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32"), "long"),
    **dict.fromkeys(("float", "double", "halffloat"), "double"),
    "bool": "boolean",
    "string": "string",
    "large_string": "string",
    "binary": "binary",
}


class Fate(NamedTuple):
    """What became of one file.

    Attributes:
        disposition: Of the verdict; or the error's class where there is none.
        said: What the violations observed, and their remedies; or the error's text.
        rows: Rows that arrived; None if that is not known.
        handed: Rows of ``accepted``, ``rejected`` and ``model_input``, where they are handed over.
        arrow_rows: How many rows PyArrow reads; None if it refuses the file.
        mib: Memory that the file took at its peak.
    """

    disposition: str
    said: str
    rows: int | None = None
    handed: tuple[int, int, int] | None = None
    arrow_rows: int | None = None
    mib: int = 0


def judge_files(files: Sequence[Path], folder: Path) -> dict[Path, Fate]:
    """Judge all files; one that ends or hangs the process has that for its fate."""
    fates, left = dict[Path, Fate](), list(files)
    while left:
        log = folder / f"{len(left)}.jsonl"
        log.touch()
        worker = forked(_judge_all, [str(file) for file in left], str(log), preload=_PRELOADED)
        done = _watch(worker, log)
        fates |= dict(zip(left, done, strict=False))
        if len(done) < len(left):
            how = "hung" if worker.is_alive() else f"died with {worker.exitcode}"
            worker.kill()
            fates[left[len(done)]] = Fate(how, "")
        left = left[len(done) + 1 :]
    return fates


def _watch(worker: Any, log: Path) -> list[Fate]:
    seen, since = 0, time.monotonic()
    while worker.is_alive() and time.monotonic() - since < SECONDS:
        worker.join(0.2)
        lines = log.read_bytes().count(b"\n")
        if lines > seen:
            seen, since = lines, time.monotonic()
    return [_fate(json.loads(line)) for line in log.read_text("utf-8").splitlines()]


def _fate(fields: list[Any]) -> Fate:
    fate = Fate(*fields)
    return fate._replace(handed=None if fate.handed is None else tuple(fate.handed))


def _judge_all(files: list[str], log: str) -> None:
    with Path(log).open("a") as lines:
        for file in files:
            Path("/proc/self/clear_refs").write_text("5")
            before = _peak()
            fate = _judge(Path(file))
            print(json.dumps(fate._replace(mib=_peak() - before)), file=lines, flush=True)


def _peak() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) >> 10 for line in lines if line.startswith("VmHWM"))


def _judge(file: Path) -> Fate:
    from signature_gate import Policy, check
    from signature_gate.expectations.errors import GateError

    policy = Policy(nulls="allow", extra_columns="ignore", min_rows=0)
    arrow_rows = _arrow_rows(file) if ".parquet" in file.name else None
    try:
        result = check(file, _contract(file), policy)
        handed = None
        if result.disposition == "passed":
            frames = (result.accepted, result.rejected)
            heights = (frame.collect().height for frame in frames if frame is not None)
            handed = (*heights, len(result.model_input()))
    except GateError as error:
        return Fate(type(error).__name__, str(error), arrow_rows=arrow_rows)
    said = "; ".join(f"{v.kind}: {v.observed}. {v.remedy}" for v in result.violations)
    return Fate(result.disposition, said, result.verdict.rows, handed, arrow_rows)  # type: ignore[arg-type]


def _contract(file: Path) -> Any:
    import pyarrow.parquet as pq

    from signature_gate import Contract

    columns = [("a", "string", False)]
    if file.suffix == ".csv":
        header = file.read_text("utf-8").splitlines()[0]
        columns = [(name.strip('"'), "string", True) for name in header.split(",")]
    elif file.suffix == ".parquet":
        try:
            schema = pq.read_schema(file)
        except (OSError, ValueError):
            schema = []
        used = [(f.name, _TYPES[str(f.type)], True) for f in schema if str(f.type) in _TYPES]
        columns = used or columns
    inputs = [{"name": name, "type": kind, "required": needed} for name, kind, needed in columns]
    return Contract.from_signature({"inputs": json.dumps(inputs)})


def _arrow_rows(file: Path) -> int | None:
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file) as opened:
            groups = map(opened.metadata.row_group, range(opened.num_row_groups))
            if any(group.total_byte_size > _GIB for group in groups):
                return None
            return sum(batch.num_rows for batch in opened.iter_batches())
    except (OSError, ValueError):
        return None


_GIB = 1 << 30
