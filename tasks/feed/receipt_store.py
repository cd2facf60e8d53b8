"""Find and read the receipts of a feed."""

from __future__ import annotations

import os
from collections import defaultdict
from typing import TYPE_CHECKING, Self, TypeVar

from pydantic import BaseModel, ValidationError

from ...expectations.errors import GateError
from .receipt import Receipt, receipt_prefix

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .feed import Feed

Form = TypeVar("Form", bound=BaseModel)


class ReceiptStore:
    """The receipts of a feed, looked up by batch; each file is read when somebody asks for it."""

    def __init__(self, feed: Feed) -> None:
        """Look nowhere yet: names are matched when somebody asks for a batch."""
        self._folder = feed.receipts
        self._index: dict[str, list[str]] | None = None

    def indexed(self) -> Self:
        """List all names once, as they are now, for whoever asks about many batches."""
        self._index = defaultdict(list)
        for name in self._names():
            self._index[name.partition("@")[0]].append(name)
        return self

    def batches(self) -> list[str]:
        """List the ids of all batches that have a receipt."""
        return sorted({name.partition("@")[0] for name in self._names()})

    def for_batch(self, batch: str) -> list[Receipt]:
        """Read a batch's receipts, the oldest first; GateError if one of them cannot be read."""
        return _in_order({n: read_receipt(self._folder / n) for n in self._names_of(batch)})

    def is_settled(self, batch: str) -> bool:
        """Whether a batch has a final receipt; of each file no more is understood than that."""
        names = self._names_of(batch)
        return any(_read(self._folder / name, _Finality).final for name in names)

    def next_attempt(self, batch: str, version: str) -> int:
        """Number the next attempt on a batch under a version, from 1."""
        start = receipt_prefix(batch, version)
        numbers = [
            name.removeprefix(start).removesuffix(".json")
            for name in self._names_of(batch)
            if name.startswith(start)
        ]
        return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)

    def _names_of(self, batch: str) -> list[str]:
        if self._index is not None:
            return self._index.get(batch, [])
        return [name for name in self._names() if name.startswith(f"{batch}@")]

    def _names(self) -> list[str]:
        # A feed gathers tens of thousands of receipts: bare names cost next to nothing.
        entries = os.scandir(self._folder) if self._folder.is_dir() else ()
        names = (entry.name for entry in entries)
        return [name for name in names if name.endswith(".json") and not name.startswith(".")]


class _Finality(BaseModel):
    final: bool


def read_receipt(path: Path) -> Receipt:
    """Read one receipt; GateError, which names the file, if it is none."""
    return _read(path, Receipt)


def last_final(receipts: list[Receipt]) -> Receipt | None:
    """Return the newest final receipt of a batch as a whole, if it is done."""
    return next((r for r in reversed(receipts) if r.is_final_for_batch), None)


def _read(path: Path, form: type[Form]) -> Form:
    try:
        return form.model_validate_json(path.read_bytes())
    except ValidationError as error:
        msg = f"{path} is no receipt that this version of signature-gate can read: {error}"
        raise GateError(msg) from error


def _in_order(by_file: Mapping[str, Receipt]) -> list[Receipt]:
    """Sort by what follows up what: clocks are set back, and differ from worker to worker."""
    depths = _depths(by_file)
    files = sorted(by_file, key=lambda f: (depths[f], by_file[f].finished, by_file[f].attempt))
    return [by_file[file] for file in files]


def _depths(by_file: Mapping[str, Receipt]) -> dict[str, int]:
    """Count the receipts that each one follows up, one after the other."""
    depths: dict[str, int] = {}
    for file in by_file:
        chain, link = dict[str, None](), file
        while link in by_file and link not in depths and link not in chain:
            chain[link] = None
            link = by_file[link].previous or ""
        before = depths.get(link, -1)
        depths |= {link: before + n for n, link in enumerate(reversed(chain), 1)}
    return depths
