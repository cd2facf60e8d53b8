"""Compare what was delivered to a feed with what its folders hold."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl

from signature_gate.tasks.feed.receipt_store import ReceiptStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt


class Delivery(NamedTuple):
    """A batch that was delivered.

    Attributes:
        name: Its name in the inbox.
        keys: The unique keys of its rows; None if they cannot be read.
        digest: Digest of its bytes.
        fate: The expected disposition; ``errored`` if the model raises.
    """

    name: str
    keys: frozenset[str] | None
    digest: str
    fate: str


def digest_of(path: Path) -> str:
    """Return the digest of a file, or of a folder with all its files."""
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    whole = hashlib.sha256()
    for file in files:
        whole.update(str(file.relative_to(path)).encode())
        whole.update(file.read_bytes() if file.is_file() else b"")
    return whole.hexdigest()


def faults_of(feed: Feed, deliveries: list[Delivery], attempts: int) -> list[str]:
    """List what is missing, doubled or left over in a feed whose runs are finished.

    Args:
        feed: The feed.
        deliveries: All that was delivered.
        attempts: Smallest number of attempts on a batch at which the model raises.

    Returns:
        One sentence for each fault.
    """
    ledger = ReceiptStore(feed)
    receipts = [receipt for batch in ledger.batches() for receipt in ledger.for_batch(batch)]
    known = {delivery.name for delivery in deliveries}
    faults = [
        f"{receipt.file} is of a batch that nobody has delivered"
        for receipt in receipts
        if receipt.batch.name not in known
    ]
    for delivery in deliveries:
        own = [receipt for receipt in receipts if receipt.batch.name == delivery.name]
        found = _of_a_refused_one if delivery.fate == "errored" else _of_a_settled_one
        faults += [f"{delivery.name!r}: {fault}" for fault in found(feed, delivery, own, attempts)]
    return [*faults, *_leftovers(feed), *_strangers(feed, receipts)]


def _of_a_refused_one(
    feed: Feed, delivery: Delivery, receipts: list[Receipt], attempts: int
) -> Iterator[str]:
    if any(receipt.final for receipt in receipts):
        yield "is done, though the model refuses it"
    if len(receipts) < attempts:
        yield f"was given up after {len(receipts)} attempts"
    path = feed.inbox / delivery.name
    if not path.exists() or digest_of(path) != delivery.digest:
        yield "lies no longer in the inbox as it was delivered"


def _of_a_settled_one(
    feed: Feed, delivery: Delivery, receipts: list[Receipt], _: int
) -> Iterator[str]:
    finals = [receipt for receipt in receipts if receipt.final]
    if len(finals) != 1:
        yield f"has {len(finals)} final receipts"
        return
    (receipt,) = finals
    if receipt.disposition != delivery.fate:
        yield f"was {receipt.disposition} instead of {delivery.fate}: {receipt.reason}"
    place = feed.resolve(receipt.outputs.batch or "nowhere")
    if not place.exists() or digest_of(place) != delivery.digest:
        yield f"lies no longer as it was delivered: {place}"
    in_inbox = (feed.inbox / delivery.name).exists()
    stays = receipt.disposition in ("passed", "split") and not feed.archive
    if in_inbox != stays:
        yield "lies in the inbox all the same" if in_inbox else "has left the inbox"
    if delivery.keys is not None:
        yield from _faults_of_rows(feed, receipt, delivery.keys)


def _faults_of_rows(feed: Feed, receipt: Receipt, keys: frozenset[str]) -> Iterator[str]:
    outputs = receipt.outputs
    if receipt.rows_in != len(keys) or outputs.scored + (outputs.rejected or 0) != len(keys):
        yield f"{len(keys)} rows in, {outputs.scored} scored, {outputs.rejected} rejected"
    scored = _keys_in(feed, outputs.predictions)
    apart = f"{outputs.quarantine}/rejected.parquet" if receipt.disposition == "split" else None
    found = Counter([*scored, *_keys_in(feed, apart)])
    if receipt.disposition != "quarantined" and found != Counter(keys):
        yield f"of {len(keys)} rows {found.total()} are in the outputs, {len(found)} different ones"
    if outputs.predictions:
        yield from _faults_of_predictions(feed, receipt)


def _faults_of_predictions(feed: Feed, receipt: Receipt) -> Iterator[str]:
    frame = _table(feed, receipt.outputs.predictions or "")
    # A key ends in the row's number, and both features are that number.
    row = pl.col("key").str.extract(r"(\d+)$").cast(pl.Float64)
    expected = frame.select(row * 2 * int(receipt.version)).to_series()
    if frame["outcome"].to_list() != expected.to_list():
        yield f"version {receipt.version} has not made these predictions"


def _keys_in(feed: Feed, place: str | None) -> list[str]:
    return _table(feed, place)["key"].to_list() if place else []


def _table(feed: Feed, place: str) -> pl.DataFrame:
    return pl.read_parquet(feed.resolve(place), hive_partitioning=False)


def _leftovers(feed: Feed) -> list[str]:
    left = [*feed.staging.iterdir(), *feed.claims.iterdir()]
    return [f"{path} is left over" for path in left]


def _strangers(feed: Feed, receipts: list[Receipt]) -> list[str]:
    outputs = [receipt.outputs for receipt in receipts]
    claimed = {
        feed.resolve(place)
        for output in outputs
        for place in (output.batch, output.predictions, output.quarantine)
        if place
    }
    public = [Path(feed.root) / name for name in ("scored", "quarantine", "archive")]
    files = [file for folder in public for file in folder.rglob("*") if file.is_file()]
    return [
        f"{file} is in no receipt" for file in files if claimed.isdisjoint([file, *file.parents])
    ]
