"""The durable record of what became of a batch, and of all of a run's batches together."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, computed_field

from ..expectations.contract import ModelVersion
from ..expectations.display import slug
from ..expectations.errors import GateError
from ..expectations.verdict import BatchFacts, Disposition, Verdict
from .inbox import Identity  # noqa: TC001 - pydantic resolves it when the class is made

if TYPE_CHECKING:
    from pathlib import Path

    from .feed import Feed

Outcome = Disposition | Literal["errored"]
Cell = str | int | float | bool | None


class ScoredBatch(BatchFacts):
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
        disposition: What the policy made of the verdict, or ``errored``.
        final: Whether the batch is done.
        attempt: The how manieth attempt it was, under this version.
        previous: File name of the receipt that this one follows up.
        outputs: What it left behind.
        error: Why it came to nothing; None unless ``errored``.
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
    def reason(self) -> str:
        """Why the batch did not simply pass, in one sentence; empty if it did."""
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


class Ledger:
    """The receipts of a feed, looked up by batch; each file is read when somebody asks for it."""

    def __init__(self, feed: Feed) -> None:
        """List the file names as they are now."""
        self._files: dict[str, list[Path]] = defaultdict(list)
        if feed.receipts.is_dir():
            for path in feed.receipts.glob("*.json"):
                self._files[path.name.partition("@")[0]].append(path)

    def batches(self) -> list[str]:
        """The ids of all batches that have a receipt."""
        return sorted(self._files)

    def of(self, batch: str) -> list[Receipt]:
        """Read a batch's receipts, the oldest first.

        Raises:
            GateError: One of them cannot be read.
        """
        receipts = [read_receipt(path) for path in self._files.get(batch, ())]
        return sorted(receipts, key=lambda receipt: (receipt.finished, receipt.attempt))

    def next_attempt(self, batch: str, version: str) -> int:
        """Number the next attempt on a batch under a version, from 1."""
        start = _prefix(batch, version)
        names = [path.name for path in self._files.get(batch, ())]
        numbers = [
            n.removeprefix(start).removesuffix(".json") for n in names if n.startswith(start)
        ]
        return 1 + max((int(number) for number in numbers if number.isdecimal()), default=0)


def read_receipt(path: Path) -> Receipt:
    """Read one receipt.

    Raises:
        GateError: The file is no receipt; the text names it.
        OSError: It cannot be read.
    """
    try:
        return Receipt.model_validate_json(path.read_text("utf-8"))
    except (ValidationError, UnicodeDecodeError) as error:
        msg = f"{path} is no receipt that this version of signature-gate can read: {error}"
        raise GateError(msg) from error


def version_label(model: ModelVersion, contract: str) -> str:
    """Tell a model's versions apart: registered version, else model id, else fingerprint."""
    return model.version or model.model_id or contract


def _prefix(batch: str, version: str) -> str:
    return f"{batch}@{slug(version)}."


def last_final(receipts: list[Receipt]) -> Receipt | None:
    """The newest final receipt of a batch, if it is done."""
    return next((r for r in reversed(receipts) if r.final), None)
