"""Kill and stop the workers of a feed in an object store, and report what is lost or doubled.

Two workers at a time score a feed; each is killed by SIGKILL at a random instant, or stopped by
SIGSTOP for longer than its lease lasts and then woken. Afterwards each row that was delivered must
be there once, scored or rejected, and no object that no receipt names. ``make chaos-store`` runs it
against SeaweedFS, or without it against moto.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sys
import tempfile
import time
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from feeds import gaps, rows
from kept_feeds import keys_of_rows, receipts_of, unnamed
from killed_process import start_scoring
from live_object_store import put, s3_server, seaweedfs
from mixed_batches import MODEL, register_fussy
from rich.console import Console

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Iterator

_POLICY = {"on_mismatch": "split", "max_rejected": 0.5, "keep": ["key"]}
_LEASE = 3  # seconds
_AT_ONCE = 2
_BUCKET = "gate"


@contextmanager
def store(program: str | None, folder: Path) -> Iterator[str]:
    """Start a store, and name it in the environment; yield what it is."""
    secret = uuid.uuid4().hex
    os.environ.update(
        AWS_ACCESS_KEY_ID="loopback",
        AWS_SECRET_ACCESS_KEY=secret,
        AWS_REGION="us-east-1",
        AWS_ALLOW_HTTP="true",
        SIGNATURE_GATE_LEASE=str(_LEASE),
        XDG_CACHE_HOME=str(folder / "cache"),
    )
    server = seaweedfs(program, folder, secret) if program else s3_server()
    with server as address:
        os.environ["AWS_ENDPOINT_URL"] = address
        yield "SeaweedFS" if program else "moto"


def filled_feed(batches: int) -> tuple[Feed, Counter[str]]:
    """Make a feed, and deliver batches; return the keys of their rows."""
    keys = Counter[str]()
    plain = {"name": "chaos", "model": f"models:/{MODEL}@champion", "policy": _POLICY}
    more = {"root": f"s3://{_BUCKET}/{uuid.uuid4().hex}", "backoff_seconds": 0, "max_attempts": 50}
    feed = Feed.parse({**plain, **more, "archive": bool(random.getrandbits(1))})
    for n in range(batches):
        named = [f"{n}-{i}" for i in range(8)]
        batch = (gaps(8, nulls=n % 3) if n % 3 else rows(8)).with_columns(key=_series(named))
        put(feed, f"{n}.parquet", batch if n % 4 else batch.rename({"n": "m"}))
        keys.update(named)
    return feed, keys


def _series(values: list[str]) -> Any:
    import polars as pl

    return pl.Series("key", values)


def torment(feed: Feed, luck: random.Random, blows: Counter[str], longest: float) -> None:
    """Start two workers, and kill or stop each at a random instant."""
    workers, stopped = [start_scoring(feed) for _ in range(_AT_ONCE)], list[int]()
    for worker in workers:
        time.sleep(luck.uniform(0, longest))
        pid = worker.pid
        if pid is None or worker.exitcode is not None:
            continue
        if luck.random() < 1 / 4:
            with suppress(ProcessLookupError):  # it has ended this moment
                os.kill(pid, signal.SIGSTOP)
                stopped.append(pid)
                blows["stopped"] += 1
        else:
            worker.kill()
            blows["killed"] += 1
    if stopped:
        time.sleep(_LEASE + 2)
        heir = start_scoring(feed)
        heir.join()
        for pid in stopped:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
    for worker in workers:
        worker.join()


def faults_of(feed: Feed, delivered: Counter[str]) -> list[str]:
    """Compare what was delivered with what receipts name."""
    scored, held = keys_of_rows(feed)
    there = scored + held
    finals = Counter(receipt.batch.id for receipt in receipts_of(feed) if receipt.final)
    return [
        *(f"row {key} is lost" for key in delivered - there),
        *(f"row {key} is there twice" for key in there - delivered),
        *(f"{batch} has {n} final receipts" for batch, n in finals.items() if n > 1),
        *(f"no receipt names {key}" for key in sorted(unnamed(feed))),
    ]


def main() -> int:
    """Torment feeds until there were so many blows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--blows", type=int, default=200)
    parser.add_argument("--batches", type=int, default=8)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--weed", default=None, help="SeaweedFS' program; moto without it")
    asked, console = parser.parse_args(), Console()
    luck = random.Random(asked.seed)  # noqa: S311 - no secret
    blows, faults, feeds, count = Counter[str](), list[str](), 0, 0
    with tempfile.TemporaryDirectory() as home, store(asked.weed, Path(home)) as kind:
        client: Any = boto3.client("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"])
        client.create_bucket(Bucket=_BUCKET)
        os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{home}/mlflow.db"
        register_fussy()
        while blows.total() < asked.blows:
            feed, delivered = filled_feed(asked.batches)
            feeds, count = feeds + 1, count + delivered.total()
            for _ in range(asked.batches // 2):
                torment(feed, luck, blows, longest=2.0)
            time.sleep(_LEASE + 2)
            score_feed(feed)
            score_feed(feed)
            faults += faults_of(feed, delivered)
            console.print(f"{blows.total()} of {asked.blows}: {dict(blows)}, {len(faults)} faults")
    console.print(f"{kind}: {dict(blows)} over {feeds} feeds with {count:,} rows")
    for fault in faults:
        console.print(fault)
    console.print(f"{len(faults)} lost, doubled or left over")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
