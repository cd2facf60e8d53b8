"""Receipts that somebody is to be told of, until that is done: they outlive the worker.

A mark is written before the receipt of each batch that did not pass, and removed by whoever has
told of it. A worker that dies in between leaves the mark to the next run. Of a feed in a store it
is an object too, for that run may be another machine's.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ...expectations.errors import GateError
from ...expectations.stores.objects import ObjectStore
from .receipt import Receipt
from .receipt_files import read_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .feed import Feed

_HOME = "untold"


def mark_untold(feed: Feed, receipt: Receipt) -> None:
    """Note that somebody is to be told of a receipt, before it is published."""
    if receipt.disposition != "passed":
        if feed.workspace:
            ObjectStore(feed.workspace.url).write(_key(receipt), b"")
        _marks(feed).mkdir(exist_ok=True)
        _mark(feed, receipt).touch()
        folder = os.open(_marks(feed), os.O_RDONLY)
        with suppress(OSError):  # some mounted disks know no flushing of folders
            os.fsync(folder)
        os.close(folder)


def untold(feed: Feed) -> list[Receipt]:
    """Read the receipts that nobody was told of so far, the oldest first.

    Those that cannot be read are left out, and keep their mark.
    """
    found = list[Receipt]()
    for name in marked(feed):
        # The receipt of an attempt that died before its commit is not there yet.
        with suppress(GateError, OSError):
            found.append(read_receipt(feed.receipts / f"{name}.json"))
    return sorted(found, key=lambda receipt: (receipt.finished, receipt.file))


def marked(feed: Feed) -> list[str]:
    """List the names of the receipts that have a mark."""
    if feed.url:
        return [one.key.rpartition("/")[2] for one in ObjectStore(feed.url).list(_HOME)]
    return [mark.name for mark in _marks(feed).iterdir()] if _marks(feed).is_dir() else []


def mark_told(feed: Feed, receipts: Iterable[Receipt]) -> None:
    """Note that whoever is to know of these receipts has been told."""
    for receipt in receipts:
        if feed.url:
            ObjectStore(feed.url).delete(_key(receipt))
        _mark(feed, receipt).unlink(missing_ok=True)


def _mark(feed: Feed, receipt: Receipt) -> Path:
    return _marks(feed) / receipt.file.removesuffix(".json")


def _key(receipt: Receipt) -> str:
    return f"{_HOME}/{receipt.file.removesuffix('.json')}"


def _marks(feed: Feed) -> Path:
    return feed.receipts / ".untold"
