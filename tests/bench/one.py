"""Run one contender once, in this process, and print its figures as JSON.

Wall time and CPU time (of this process and of what it starts) of the first call, the best of a few
more, the peak of memory, the bytes that were read by calls (not those of mapped files), and what
the call said.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from batches import Batch

if TYPE_CHECKING:
    from collections.abc import Callable

_REPEATS = 3
_LONG = 1.0  # seconds after which a call is not repeated


def main(order: dict[str, Any]) -> None:
    """Prepare a contender, call it, and print."""
    module, _, name = order["contender"].partition(".")
    batch = Batch(**order["batch"])
    prepare = getattr(importlib.import_module(module), name)
    call = prepare(Path(order["path"]), batch.schema(), **order["arguments"])
    read = _bytes_read()
    wall, cpu, said = _timed(call)
    read = _bytes_read() - read
    warm = [wall]
    if order["warm"] and wall < _LONG:
        warm = [_timed(call)[0] for _ in range(_REPEATS)]
    told = {"wall": wall, "cpu": cpu, "warm": min(warm), "read": read / 1e6, "passed": bool(said)}
    print("\n" + json.dumps(told | {"peak": getattr(call, "peak", None) or _peak()}))  # noqa: T201


def _timed(call: Callable[[], object]) -> tuple[float, float, object]:
    wall, cpu = time.perf_counter(), _cpu()
    said = call()
    return time.perf_counter() - wall, _cpu() - cpu, said


def _cpu() -> float:
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + ended.ru_utime + ended.ru_stime


def _bytes_read() -> int:
    return int(Path("/proc/self/io").read_text("ascii").split("rchar:")[1].split()[0])


def _peak() -> float:
    # Not ru_maxrss, which a process inherits from its parent.
    return int(Path("/proc/self/status").read_text("ascii").split("VmHWM:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
