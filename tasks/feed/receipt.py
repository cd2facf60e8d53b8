"""The durable record of what became of a batch, and of all of a run's batches together."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from ...expectations.contract.model_version import ModelVersion
from ...expectations.errors import GateError
from ...expectations.escaping import slug
from ...expectations.verdict.verdict import BatchInfo, Disposition, Verdict
from .handled import Discard, Release
from .inbox import Identity  # noqa: TC001 - pydantic resolves it when the class is made

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from .feed import Feed

Form = TypeVar("Form", bound=BaseModel)

Outcome = Disposition | Literal["errored", "discarded"]
Cell = str | int | float | bool | None


class ScoredBatch(BatchInfo):
    """The batch that a receipt is about.

    Attributes:
        id: Its name everywhere below the feed's folders.
        identity: What makes it this batch and no other.
        rows: Rows that arrived; None if it could not be read.
        null_counts: Null cells by arriving column, as far as they are known without reading.
        ranges: Smallest and largest value by arriving column, likewise; empty under ``redact``.
    """

    id: str
    identity: Identity
    rows: int | None = None
    null_counts: dict[str, int] = Field(default_factory=dict)
    ranges: dict[str, tuple[Cell, Cell]] = Field(default_factory=dict)


class Outputs(BaseModel):
    """What an attempt left behind; paths count from the feed's ``root`` unless absolute.

    Attributes:
        batch: Where the batch lies now; None if its producer took or replaced it meanwhile.
        predictions: The published predictions.
        columns: Names of the prediction columns.
        quarantine: The folder with the report, and with the batch or its rejected rows.
        scored: Rows that were scored.
        rejected: Rows that were kept from the model; None if nobody could count them.
    """

    model_config = ConfigDict(frozen=True)

    batch: str | None = None
    predictions: str | None = None
    columns: tuple[str, ...] = ()
    quarantine: str | None = None
    scored: int = 0
    rejected: int | None = 0


class Failure(BaseModel):
    """Why an attempt came to nothing.

    Attributes:
        kind: Name of the error's class.
        message: Its text; without values of the batch under ``redact``.
        counts: Whether it counts towards ``max_attempts``. A registry or a disk that is away is
            no fault of the batch, which is tried again however long that lasts.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    message: str
    counts: bool = True


class Receipt(BaseModel):
    """What became of a batch in one attempt; the final one is the commit.

    Attributes:
        feed: The feed's name.
        batch: The batch, its identity and arriving schema.
        model: The pinned version that judged and scored.
        contract: Fingerprint of its contract.
        policy: Fingerprint of the policy.
        verdict: What was found; None if the attempt ended before.
        disposition: What the policy made of the verdict; or ``errored``, or ``discarded``.
        final: Whether the batch is done.
        attempt: The how manieth attempt it was, under this version.
        previous: File name of the receipt that this one follows up.
        outputs: What it left behind.
        error: Why it came to nothing; None unless ``errored``.
        release: What of the quarantine was judged again; None if the batch came from elsewhere.
        discard: What of the quarantine was given up; None unless ``discarded``.
        started: When the attempt began, in UTC.
        finished: When it ended, in UTC.
        try_again: Before when the batch is left alone, in UTC; None if it is done.
        gate_version: The version of signature-gate.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    batch: ScoredBatch
    model: ModelVersion
    contract: str
    policy: str
    verdict: Verdict | None = None
    disposition: Outcome
    final: bool
    attempt: int
    previous: str | None = None
    outputs: Outputs = Field(default_factory=Outputs)
    error: Failure | None = None
    release: Release | None = None
    discard: Discard | None = None
    started: datetime
    finished: datetime
    try_again: datetime | None = None
    gate_version: str

    @property
    def version(self) -> str:
        """What tells the model's versions apart in paths."""
        return version_label(self.model, self.contract)

    @property
    def file(self) -> str:
        """The receipt's own file name."""
        return f"{_prefix(self.batch.id, self.version)}{self.attempt}.json"

    @property
    def rows_in(self) -> int | None:
        """Rows that arrived; None if the batch could not be read."""
        return self.batch.rows

    @property
    def handled(self) -> Release | Discard | None:
        """What was done at the quarantine desk, if the receipt is of there."""
        return self.release or self.discard

    @property
    def settles(self) -> bool:
        """Whether the batch as a whole is done by it, and not some of its rows only."""
        return self.final and (self.handled is None or self.handled.success == "batch")

    @property
    def reason(self) -> str:
        """Why the batch did not simply pass, in one sentence; empty if it did."""
        if self.discard:
            return self.discard.reason
        if self.error:
            return f"{self.error.kind}: {self.error.message}"
        blocking = self.verdict.blocking if self.verdict else ()
        return blocking[0].message if blocking else ""

    @computed_field
    @property
    def fingerprint(self) -> str:
        """Sixteen digits that are equal for equal faults, whichever rows have them."""
        blocking = self.verdict.blocking if self.verdict else ()
        faults = sorted(
            f"{v.kind} {v.column} {v.observed if v.kind == 'type_mismatch' else ''}"
            for v in blocking
        )
        error = [self.error.kind] if self.error else []
        return hashlib.sha256("\n".join([*error, *faults]).encode()).hexdigest()[:16]


class ReceiptStore:
    """The receipts of a feed, looked up by batch; each file is read when somebody asks for it."""

    def __init__(self, feed: Feed) -> None:
        """List the file names as they are now."""
        self._folder = feed.receipts
        self._files: dict[str, list[str]] = defaultdict(list)
        # A feed gathers tens of thousands of them: listed as bare names they cost next to nothing.
        for entry in os.scandir(self._folder) if self._folder.is_dir() else ():
            if entry.name.endswith(".json") and not entry.name.startswith("."):
                self._files[entry.name.partition("@")[0]].append(entry.name)

    def batches(self) -> list[str]:
        """The ids of all batches that have a receipt."""
        return sorted(self._files)

    def of(self, batch: str) -> list[Receipt]:
        """Read a batch's receipts, the oldest first.

        Raises:
            GateError: One of them cannot be read.
        """
        names = self._files.get(batch, ())
        return _in_order({name: read_receipt(self._folder / name) for name in names})

    def is_settled(self, batch: str) -> bool:
        """Whether a batch has a final receipt; of each file no more is understood than that.

        Raises:
            GateError: One of those that were looked at cannot be read.
        """
        return any(_is_final(self._folder / name) for name in self._files.get(batch, ()))

    def next_attempt(self, batch: str, version: str) -> int:
        """Number the next attempt on a batch under a version, from 1."""
        start = _prefix(batch, version)
        numbers = [
            name.removeprefix(start).removesuffix(".json")
            for name in self._files.get(batch, ())
            if name.startswith(start)
        ]
        return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


class _Finality(BaseModel):
    final: bool


def read_receipt(path: Path) -> Receipt:
    """Read one receipt.

    Raises:
        GateError: The file is no receipt; the text names it.
        OSError: It cannot be read.
    """
    return _understood(path, Receipt)


def _is_final(path: Path) -> bool:
    return _understood(path, _Finality).final


def _understood(path: Path, form: type[Form]) -> Form:
    try:
        return form.model_validate_json(path.read_bytes())
    except (ValidationError, UnicodeDecodeError) as error:
        msg = f"{path} is no receipt that this version of signature-gate can read: {error}"
        raise GateError(msg) from error


def _in_order(by_file: Mapping[str, Receipt]) -> list[Receipt]:
    """Sort by what follows up what: clocks are set back, and differ from worker to worker."""
    places = _places(by_file)
    files = sorted(by_file, key=lambda f: (places[f], by_file[f].finished, by_file[f].attempt))
    return [by_file[file] for file in files]


def _places(by_file: Mapping[str, Receipt]) -> dict[str, int]:
    """Tell how many receipts each one follows up, one after the other."""
    places: dict[str, int] = {}
    for file in by_file:
        chain, link = dict[str, None](), file
        while link in by_file and link not in places and link not in chain:
            chain[link] = None
            link = by_file[link].previous or ""
        before = places.get(link, -1)
        places |= {link: before + n for n, link in enumerate(reversed(chain), 1)}
    return places


def version_label(model: ModelVersion, contract: str) -> str:
    """Tell a model's versions apart: registered version, else model id, else fingerprint."""
    return model.version or model.model_id or contract


def _prefix(batch: str, version: str) -> str:
    return f"{batch}@{slug(version)}."


def last_final(receipts: list[Receipt]) -> Receipt | None:
    """The newest final receipt of a batch as a whole, if it is done."""
    return next((r for r in reversed(receipts) if r.settles), None)
