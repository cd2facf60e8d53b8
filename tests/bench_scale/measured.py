"""What ``make bench-scale`` measures: time with and without workers, and requests by unit."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import polars as pl
from divided_batches import BARE, SPLIT, rows, write
from feeds import deliver
from feeds import rows as line_rows
from live_object_store import put

from signature_gate import check
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILES, ROUNDS = 100, 3
# Rows of one file, by format.
SIZES = {"parquet": (1_000, 100_000), "csv": (1_000, 20_000), "jsonl": (100, 5_000)}
BATCHES = (100, 1_000)
# Of other batches of a feed, beside which one is looked up.
RECEIPTS = (100, 1_000, 10_000)
MODEL = "models:/scale/1"


def seconds(call: Callable[[], object], rounds: int = ROUNDS) -> float:
    """Call something some times; the median of its wall times."""
    taken = list[float]()
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return median(taken)


def folders(engines: dict[str, Any]) -> Iterator[list[str]]:
    """Judge folders of a hundred files: a line for each format and size."""
    for ending, sizes in SIZES.items():
        for size in sizes:
            with TemporaryDirectory() as folder:
                for number in range(FILES):
                    write(rows(size, number), Path(folder, f"{number:03}.{ending}"))
                taken = [
                    seconds(lambda w=workers: check(folder, BARE, SPLIT, workers=w))
                    for workers in (None, *engines.values())
                ]
                yield [ending, f"{size:,}", *(f"{each:.2f}" for each in taken)]


def started(workers: Any) -> float:
    """Judge two rows, workers being started for it: what that start takes."""
    with TemporaryDirectory() as folder:
        for number in range(2):
            write(rows(1, number), Path(folder, f"{number}.csv"))
        return seconds(lambda: check(folder, BARE, SPLIT, workers=workers), 1)


def feeds() -> Iterator[list[str]]:
    """Score many small batches: a line for each number of them."""
    for count in BATCHES:
        yield [f"{count:,}", *(f"{_scored(count, workers):.1f}" for workers in (None, 2))]


def _scored(count: int, workers: int | None, **fields: Any) -> float:
    with TemporaryDirectory() as root:
        feed = feed_in(Path(root), count, **fields)
        return seconds(lambda: score_feed(feed, workers=workers), 1)


def feed_in(root: Path, count: int, **fields: Any) -> Feed:
    """Make a feed with so many batches of a hundred rows, no two of which are equal."""
    (root / "inbox").mkdir()
    stated = {"name": "scale", "model": MODEL, "settle_seconds": 0, **fields}
    feed = Feed.parse({"root": str(root), **stated})
    for number in range(count):
        deliver(feed, f"{number:04}.parquet", line_rows(100).with_columns(n=pl.lit(number)))
    return feed


# ----- requests -----


def of_prefect(workers: int | None) -> tuple[float, float]:
    """Count what a run asks Prefect's server: without batches that is, and for each batch."""
    few, many = (_prefect_requests(count, workers) for count in (2, 12))
    each = (many - few) / 10
    return few - 2 * each, each


def _prefect_requests(count: int, workers: int | None) -> int:
    import httpx
    from prefect.events.worker import EventsWorker

    from signature_gate.flows import score_batches

    asked = list[object]()
    with TemporaryDirectory() as root, ExitStack() as patches:
        feed = feed_in(Path(root), count, workers=workers)
        for kind, name in ((httpx.Client, "send"), (httpx.AsyncClient, "send")):
            patches.enter_context(_counting(kind, name, asked))
        patches.enter_context(_counting(EventsWorker, "send", asked))
        score_batches(feed)
    return len(asked)


def of_registry() -> int:
    """Count the questions to the registry of one run, however many batches it has."""
    from signature_gate.expectations.registry import client, connection

    asked = list[object]()
    with TemporaryDirectory() as root, ExitStack() as patches:
        feed = feed_in(Path(root), 3)
        for module in (client, connection):
            if hasattr(module, "ask_registry"):
                patches.enter_context(_counting(module, "ask_registry", asked))
        score_feed(feed)
    return len(asked)


def of_receipt() -> int:
    """Measure the bytes of the receipt of a batch that passed."""
    with TemporaryDirectory() as root:
        feed = feed_in(Path(root), 1)
        score_feed(feed)
        (receipt,) = feed.receipts.glob("*.json")
        return receipt.stat().st_size


def of_store(url: str) -> tuple[float, float]:
    """Count the requests to a store of objects: of a run, and of each batch in it."""
    few, many = (_store_requests(f"{url}/{count}", count) for count in (2, 12))
    each = (many - few) / 10
    return few - 2 * each, each


def _store_requests(url: str, count: int) -> int:
    from signature_gate.expectations.stores.objects import ObjectStore

    asked = list[object]()
    feed = Feed.parse({"name": "scale", "model": MODEL, "settle_seconds": 0, "root": url})
    for number in range(count):
        put(feed, f"{number:04}.parquet", line_rows(100).with_columns(n=pl.lit(number)))
    with ExitStack() as patches:
        for kind in ("read", "head", "list", "create", "write", "upload", "delete", "download"):
            patches.enter_context(_counting(ObjectStore, kind, asked))
        score_feed(feed)
    return len(asked)


def _counting(kind: Any, name: str, asked: list[object]) -> Any:
    plain = getattr(kind, name)

    def counted(*arguments: Any, **named: Any) -> Any:
        asked.append(name)
        return plain(*arguments, **named)

    return patch.object(kind, name, counted)


def of_receipts(url: str) -> Iterator[list[str]]:
    """Look up and commit receipts beside those of so many other batches of a feed in a store."""
    from signature_gate.expectations.stores.objects import ObjectStore
    from signature_gate.tasks.stores.receipts import fetch_receipts, open_mirror, receipt_key

    feed = Feed.parse({"name": "past", "model": MODEL, "root": f"{url}/past", "settle_seconds": 0})
    put(feed, "first.parquet", line_rows(100))
    [receipt] = score_feed(feed).receipts
    store, held = ObjectStore(feed.root), 1

    def add(stem: str) -> str:
        nonlocal held
        held += 1
        batch = f"{stem}-{held:012x}"
        known = receipt.batch.model_copy(update={"id": batch, "name": f"{batch}.parquet"})
        body = receipt.model_copy(update={"batch": known}).model_dump_json()
        store.create(receipt_key(batch, 1), body.encode())
        return batch

    def anew() -> None:
        with TemporaryDirectory() as cache, patch.dict(os.environ, XDG_CACHE_HOME=cache):
            there = Feed.parse(feed.model_dump(exclude_defaults=True))
            open_mirror(there, store)
            fetch_receipts(there, store)

    for past in RECEIPTS:
        while held < past:
            add(f"day{held % 1_000:03}")
        batch = add("looked-up")
        found = seconds(lambda b=batch: fetch_receipts(feed, store, b), 9)
        made = seconds(lambda: add("new"), 9)
        yield [f"{past:,}", f"{found * 1e3:.0f}", f"{made * 1e3:.0f}", f"{seconds(anew, 1):.1f}"]


def machine() -> str:
    """Say what this was measured on."""
    import platform

    load = os.getloadavg()[0]
    return (
        f"{os.cpu_count()} cores, {platform.machine()}, load {load:.1f} before; Python "
        f"{platform.python_version()}, polars {pl.__version__}"
    )
