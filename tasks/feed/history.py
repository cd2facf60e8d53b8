"""The feed's past: the newest receipts, found by their names and stamps, read only when needed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from ...expectations.errors import GateError
from .receipt import Receipt
from .receipt_files import Filed, filed_receipts, read_receipt

if TYPE_CHECKING:
    from pathlib import Path

    from .feed import Feed

LAST = 60  # batches that a picture shows


class Trace(NamedTuple):
    """What a batch's newest receipt says of it without being read.

    Attributes:
        batch: The batch's id.
        file: The receipt's file name.
        written: When the receipt was written, in nanoseconds since 1970.
        attempt: Number of the attempt that it is about.
        ledger: The ledger that holds it; None if it is a file of its own.
    """

    batch: str
    file: str
    written: int
    attempt: int
    ledger: Path | None

    @property
    def version(self) -> str:
        """The model's version, as paths have it."""
        return self.file.partition("@")[2].removesuffix(f".{self.attempt}.json")

    @property
    def when(self) -> datetime:
        """When the receipt was written, in UTC."""
        return datetime.fromtimestamp(self.written / 1e9, UTC)


class History(NamedTuple):
    """The newest receipt of each of a feed's last batches.

    Attributes:
        receipts: The oldest first.
        traces: All batches that have a receipt, the oldest first; no file was opened for them.
        unreadable: Names of the receipt files among the last that cannot be read, and are left out.
    """

    receipts: tuple[Receipt, ...]
    traces: tuple[Trace, ...]
    unreadable: tuple[str, ...]


def recent_receipts(feed: Feed, last: int = LAST) -> tuple[Receipt, ...]:
    """Read the newest receipt of each of a feed's last batches, the oldest first.

    Those that cannot be read are left out: ``look_back`` names them, and raises what this raises.
    """
    return look_back(feed, last).receipts


def look_back(feed: Feed, last: int = LAST) -> History:
    """Read the newest receipt of each of a feed's last batches, and list all the others.

    Which batches are the last is told by the stamps of the receipts' files, so that no more than
    ``last`` of them are opened however many there are. OSError: the folder cannot be listed.
    """
    traces = tuple(sorted(_newest(feed.receipts), key=lambda t: (t.written, t.batch)))
    receipts, unreadable = list[Receipt](), list[str]()
    for trace in traces[-last:] if last > 0 else ():
        try:
            receipts.append(read_receipt(feed.receipts / trace.file))
        except (GateError, OSError):
            unreadable.append(trace.file)
    receipts.sort(key=lambda receipt: receipt.finished)
    return History(tuple(receipts), traces, tuple(unreadable))


def _newest(folder: Path) -> list[Trace]:
    newest: dict[str, Trace] = {}
    for filed in filed_receipts(folder):
        trace = _trace(filed)
        known = newest.get(trace.batch) if trace else None
        if trace and (known is None or _age(known) < _age(trace)):
            newest[trace.batch] = trace
    return list(newest.values())


def _trace(filed: Filed) -> Trace | None:
    batch, _, rest = filed.name.removesuffix(".json").partition("@")
    number = rest.rpartition(".")[2]
    if not number.isdecimal():
        return None
    return Trace(batch, filed.name, filed.written, int(number), filed.ledger)


def _age(trace: Trace) -> tuple[int, int, str]:
    # Some disks keep stamps to the second only; then the later attempt is the newer one.
    return trace.written, trace.attempt, trace.file
