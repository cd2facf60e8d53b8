"""Compact old receipts: each month's go into one ledger, and their files are removed.

The ledger grows under a hidden name, is flushed and read back, and takes its public name at once.
Only then the files go whose bytes it holds. Whatever dies in between, a receipt is in its file or
in a ledger, or in both, which every reader takes for one.
"""

from __future__ import annotations

from collections import defaultdict
from itertools import chain, islice
from typing import TYPE_CHECKING, Any, NamedTuple

from ...expectations.errors import GateError
from ..feed.ledger import ROWS_IN_GROUP, ReceiptFacts, ledger_path, ledger_schema
from ..feed.receipt_files import own_files, read_receipt
from ..feed.receipt_store import ReceiptStore
from .atomic import flush, locked, make_folder, partial_of
from .journal import log_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from datetime import datetime
    from pathlib import Path

    import pyarrow as pa

    from ..feed.feed import Feed

# Point reached -> why it is safe to die right after it.
LEDGER_CHECKPOINTS: dict[str, str] = {
    "ledger written": "nobody reads the hidden file; the next compaction writes it anew",
    "ledger published": "every receipt is in its file too; the next compaction removes that",
    "receipt removed": "the ledger has it; the next compaction removes the other files",
}


class Compaction(NamedTuple):
    """What a compaction did, or would do.

    Attributes:
        receipts: How many receipts are in ledgers now that were files of their own.
        bytes: The size of these files.
        ledgers: The ledgers that hold them.
        kept: Names of files that stay: no receipts, or with other bytes than in the ledger.
    """

    receipts: int
    bytes: int
    ledgers: tuple[Path, ...]
    kept: tuple[str, ...]


def compact(
    feed: Feed,
    before: datetime,
    *,
    dry_run: bool = False,
    watch: Callable[[int, int], None] | None = None,
) -> Compaction:
    """Compact the receipts of a feed that were finished before an instant.

    Other workers may score meanwhile. TimeoutError: another compaction is at work.

    Args:
        feed: The feed.
        before: The instant.
        dry_run: Whether to change nothing, and say what would be done.
        watch: Called with the number of files that were looked at, and of all.
    """
    if not feed.receipts.is_dir():
        return Compaction(0, 0, (), ())
    if dry_run:
        return _planned(feed, *_old_by_month(feed, before, watch))
    with locked(feed.receipts / ".compaction"):
        months, kept = _old_by_month(feed, before, watch)
        planned = _planned(feed, months, kept)
        for ledger, names in zip(planned.ledgers, months.values(), strict=True):
            kept += _compact_month(feed, ledger, names)
        return planned._replace(kept=tuple(sorted(kept)))


def _planned(feed: Feed, months: dict[str, list[str]], kept: list[str]) -> Compaction:
    names = [name for of_month in months.values() for name in of_month]
    size = sum((feed.receipts / name).stat().st_size for name in names)
    ledgers = tuple(ledger_path(feed.receipts, month) for month in months)
    return Compaction(len(names), size, ledgers, tuple(sorted(kept)))


def _old_by_month(
    feed: Feed, before: datetime, watch: Callable[[int, int], None] | None
) -> tuple[dict[str, list[str]], list[str]]:
    """Sort the files of old receipts by month; list those that are no receipts."""
    months, unreadable = defaultdict[str, list[str]](list), list[str]()
    folder = feed.receipts
    names = sorted(own_files(folder))
    for number, name in enumerate(names, 1):
        try:
            # What was written since is not opened: it was finished since.
            old = (folder / name).stat().st_mtime < before.timestamp()
            receipt = read_receipt(folder / name) if old else None
            if receipt and receipt.file != name:
                unreadable.append(name)
            elif receipt and receipt.finished < before:
                months[f"{receipt.finished:%Y-%m}"].append(name)
        except (GateError, OSError):
            unreadable.append(name)
        if watch:
            watch(number, len(names))
    return dict(sorted(months.items())), unreadable


def _compact_month(feed: Feed, ledger: Path, names: Sequence[str]) -> list[str]:
    """Move receipts into the ledger of their month; return the names of those that differ there."""
    make_folder(ledger.parent)
    known = _names_in(ledger)
    if new := [name for name in names if name not in known]:
        partial = partial_of(ledger)
        _write(partial, chain(_rows_of(ledger), _new_rows(feed, new)))
        flush(partial)
        held = _held(feed, partial, names)
        if known | set(new) != _names_in(partial) or not held.keys() >= set(new):
            msg = f"{partial} does not hold what was written into it. Look after the disk."
            raise GateError(msg)
        log_checkpoint(ledger.name, "ledger written")
        partial.replace(ledger)
        flush(ledger.parent)
        log_checkpoint(ledger.name, "ledger published")
    else:
        held = _held(feed, ledger, names)
    store, folder = ReceiptStore(feed), feed.receipts
    for name, facts in held.items():
        if facts.final:
            store.drop_content(facts)
        (folder / name).unlink()
        log_checkpoint(ledger.name, "receipt removed")
    flush(folder)
    return [name for name in names if name not in held]


def _new_rows(feed: Feed, names: Iterable[str]) -> Iterator[dict[str, Any]]:
    folder = feed.receipts
    for name in names:
        path = folder / name
        text = path.read_text("utf-8")
        facts = ReceiptFacts.model_validate_json(text).model_dump()
        yield {"file": name, "written": path.stat().st_mtime_ns, **facts, "text": text}


def _rows_of(ledger: Path) -> Iterator[dict[str, Any]]:
    return (row for piece in _pieces_of(ledger) for row in piece.to_pylist())


def _names_in(ledger: Path) -> set[str]:
    return {row["file"] for piece in _pieces_of(ledger, ["file"]) for row in piece.to_pylist()}


def _held(feed: Feed, ledger: Path, names: Iterable[str]) -> dict[str, ReceiptFacts]:
    """Find those of these receipts whose bytes a ledger holds exactly."""
    asked, held, folder = set(names), dict[str, ReceiptFacts](), feed.receipts
    for row in _rows_of(ledger):
        name = row["file"]
        if name in asked and (folder / name).read_bytes() == row["text"].encode():
            held[name] = ReceiptFacts.model_validate(row)
    return held


def _pieces_of(ledger: Path, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq

    if ledger.exists():
        with pq.ParquetFile(ledger) as file:
            yield from file.iter_batches(ROWS_IN_GROUP, columns=columns)


def _write(path: Path, rows: Iterator[dict[str, Any]]) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = ledger_schema()
    with pq.ParquetWriter(path, schema, compression="zstd") as file:
        while piece := list(islice(rows, ROWS_IN_GROUP)):
            file.write_table(pa.Table.from_pylist(piece, schema))
