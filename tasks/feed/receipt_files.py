"""The one place where receipts are read from: files of their own, and ledgers of past months.

A receipt that is compacted is in its ledger before its file goes, so whoever looks for files first
misses none; for a while both may be there.
"""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from ...expectations.errors import GateError
from .identity import lexists
from .ledger import Ledger, ReceiptFacts, ledger_schema, ledger_with, ledgers_in, receipt_text
from .receipt import Receipt
from .records import read_record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import polars as pl


class Filed(NamedTuple):
    """Where a receipt lies.

    Attributes:
        name: Its file name.
        written: When it was written, in nanoseconds since 1970.
        ledger: The ledger that holds it; None if it is a file of its own.
    """

    name: str
    written: int
    ledger: Path | None = None


def filed_receipts(folder: Path) -> Iterator[Filed]:
    """List all receipts with their stamps, twice if in both places; none is opened."""
    for name in own_files(folder):
        # Receipts stay, yet a folder that people tidy may lose one between listing and look.
        with suppress(FileNotFoundError):
            yield Filed(name, os.stat(f"{folder}/{name}").st_mtime_ns)  # noqa: PTH116 - of tens of thousands
    for ledger in ledgers_in(folder):
        for name, written in zip(ledger.positions, ledger.written, strict=True):
            yield Filed(name, written, ledger.path)


def read_receipt(path: Path) -> Receipt:
    """Read one receipt by the path that it had when it was written; GateError if it is none."""
    receipt = read_record(path, Receipt, "receipt")
    if receipt is not None:
        return receipt
    ledger = _holding(path)
    try:
        return Receipt.model_validate_json(receipt_text(ledger.path, path.name))
    except ValidationError as error:
        msg = f"{path.name} in {ledger.path} is no receipt that this version can read: {error}"
        raise GateError(msg) from error


def read_facts(path: Path) -> ReceiptFacts:
    """Read what lookups need of a receipt, likewise."""
    facts = read_record(path, ReceiptFacts, "receipt")
    return _holding(path).facts_of(path.name) if facts is None else facts


def receipt_table(folder: Path) -> pl.DataFrame:
    """Return the facts of all receipts that can be read, a row each, with the file names."""
    import polars as pl
    import pyarrow as pa

    names, rows = own_files(folder), list[dict[str, Any]]()
    for name in names:
        with suppress(GateError, OSError):
            rows.append({"file": name, **read_facts(folder / name).model_dump()})
    schema = ledger_schema()
    own = pl.DataFrame(pa.Table.from_pylist(rows, schema)).drop("text")
    ledgers = [ledger.facts.filter(~pl.col("file").is_in(names)) for ledger in ledgers_in(folder)]
    return pl.concat([own, *ledgers], how="diagonal")


def receipt_place(path: Path) -> Path:
    """Say where a receipt lies: its own file, or the ledger that holds it."""
    return path if lexists(path) else _holding(path).path


def is_filed(path: Path) -> bool:
    """Whether there is a receipt, in a file of its own or in a ledger."""
    return lexists(path) or ledger_with(path.parent, path.name) is not None


def own_files(folder: Path, start: str = "") -> list[str]:
    """List the names of the receipts that are files of their own, and begin so."""
    # A feed gathers tens of thousands of receipts: bare names cost next to nothing.
    names = os.listdir(folder) if folder.is_dir() else ()  # noqa: PTH208
    return [n for n in names if n.startswith(start) and n.endswith(".json") and n[0] != "."]


def _holding(path: Path) -> Ledger:
    ledger = ledger_with(path.parent, path.name)
    if ledger is None:
        raise FileNotFoundError(path)
    return ledger
