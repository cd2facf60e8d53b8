"""Receipts that somebody is to be told of, until that is done: they outlive the worker.

A mark is written before the receipt of each batch that did not pass, and removed by whoever has
told of it. A worker that dies in between leaves the mark to the next run.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from ...expectations.errors import GateError
from .receipt import Receipt
from .receipt_files import read_receipt

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from .feed import Feed


def mark_untold(feed: Feed, receipt: Receipt) -> None:
    """Note that somebody is to be told of a receipt, before it is published."""
    if receipt.disposition != "passed":
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
    for mark in _marks(feed).iterdir() if _marks(feed).is_dir() else ():
        # The receipt of an attempt that died before its commit is not there yet.
        with suppress(GateError, OSError):
            found.append(read_receipt(feed.receipts / f"{mark.name}.json"))
    return sorted(found, key=lambda receipt: (receipt.finished, receipt.file))


def mark_told(feed: Feed, receipts: Iterable[Receipt]) -> None:
    """Note that whoever is to know of these receipts has been told."""
    for receipt in receipts:
        _mark(feed, receipt).unlink(missing_ok=True)


def _mark(feed: Feed, receipt: Receipt) -> Path:
    return _marks(feed) / receipt.file.removesuffix(".json")


def _marks(feed: Feed) -> Path:
    return feed.receipts / ".untold"
