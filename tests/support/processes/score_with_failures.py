"""Score a batch of each format while one call on the feed's files after the other fails.

After each failure another run meets a sound disk. What the feed holds then is compared with what
was delivered. Writes one line of JSON for each format: its name, how the runs with a failure ended,
and what is missing, doubled or left over.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import gzip
import json
import logging
import os
import sys
import warnings
from collections import Counter
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import polars as pl
from mixed_batches import MODEL, move_alias, register_fussy
from row_accounting import Delivery, digest_of, faults_of

from signature_gate.expectations.errors import GateError
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SEEN = ctypes.c_int.in_dll(ctypes.CDLL(None), "failing_calls_seen")
ERRORS = (errno.EIO, errno.EACCES, errno.ENOSPC, errno.ESTALE)
KEYS = frozenset(f"k{i}" for i in range(20))
# One row has no value for a required column: it is rejected, and the others are scored.
ROWS = pl.DataFrame(
    {
        "a": [None, *map(float, range(1, len(KEYS)))],
        "n": range(len(KEYS)),
        "key": [f"k{i}" for i in range(len(KEYS))],
    }
)


def _folder(path: Path) -> None:
    path.mkdir()
    ROWS.head(9).write_parquet(path / "1.parquet")
    ROWS.tail(-9).write_csv(path / "2.csv")


WRITERS: dict[str, Callable[[Path], object]] = {
    "b.parquet": ROWS.write_parquet,
    "b.csv": ROWS.write_csv,
    "b.csv.gz": lambda path: path.write_bytes(gzip.compress(ROWS.write_csv().encode())),
    "b.jsonl": ROWS.write_ndjson,
    "b.arrow": ROWS.write_ipc,
    "folder": _folder,
}


def main() -> None:
    """Read the arguments, register the model, and go through the formats."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("feeds", type=Path, help="an empty folder")
    arguments.add_argument("registry", help="URI of an MLflow registry for the model")
    arguments.add_argument("--step", type=int, default=1, help="1: each call, 2: every second")
    chosen = arguments.parse_args()
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    mlflow.set_tracking_uri(chosen.registry)
    register_fussy()
    move_alias("1")
    for number, (name, write) in enumerate(WRITERS.items()):
        ends, faults = Counter[str](), list[str]()
        # Each format begins at another call, so that together they try more of them.
        for call in count(1 + number * chosen.step // len(WRITERS), chosen.step):
            feed, delivery = _deliver(chosen.feeds / f"{name}-{call}", name, write)
            end, reached = _run(feed, call)
            if not reached:
                break
            ends[end] += 1
            _run(feed, 0)
            faults += [f"call {call} ({end}): {fault}" for fault in _faults(feed, delivery)]
        sys.stdout.write(json.dumps((name, ends, faults)) + "\n")
        sys.stdout.flush()


def _deliver(root: Path, name: str, write: Callable[[Path], object]) -> tuple[Feed, Delivery]:
    (root / "inbox").mkdir(parents=True)
    write(root / "inbox" / name)
    fields = {
        "name": "disk",
        "root": str(root),
        "model": f"models:/{MODEL}@champion",
        "settle_seconds": 0,
        "backoff_seconds": 0,
        "policy": {"on_mismatch": "split", "keep": ["key"]},
    }
    return Feed.parse(fields), Delivery(name, KEYS, digest_of(root / "inbox" / name), "split")


def _run(feed: Feed, call: int) -> tuple[str, bool]:
    """Score; say how it ended, and whether there was such a call."""
    os.environ["FAILING_ERRNO"] = str(ERRORS[call % len(ERRORS)])
    SEEN.value, os.environ["FAILING_CALL"] = 0, str(call)
    try:
        summary = score_feed(feed)
        ends = [receipt.disposition for receipt in summary.receipts] or ["left"]
    except (GateError, OSError) as error:
        ends = [type(error).__name__]
    finally:
        os.environ["FAILING_CALL"] = "0"
    return ends[0], SEEN.value >= call


def _faults(feed: Feed, delivery: Delivery) -> Iterator[str]:
    try:
        yield from faults_of(feed, [delivery], attempts=1)
    except (GateError, OSError) as error:
        yield f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    main()
