"""The durable record of what became of a batch in one attempt."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from ...expectations.contract.model_version import ModelVersion
from ...expectations.escaping import slug
from ...expectations.verdict.verdict import BatchInfo, Disposition, Verdict
from .identity import Identity  # noqa: TC001 - pydantic resolves it when the class is made

Outcome = Disposition | Literal["errored", "discarded"]
Cell = str | int | float | bool | None
REJECTED = "rejected.parquet"  # rows of a batch that was split, in its folder of the quarantine


class ScoredBatch(BatchInfo):
    """The batch that a receipt is about.

    Attributes:
        id: Its name everywhere below the feed's folders.
        identity: What makes it this batch and no other.
        arrow_schema: The arriving Arrow schema, serialized, in base64; receipts of version 0.1 have
            the printed types alone.
        rows: Rows that arrived; None if it could not be read.
        null_counts: Null cells by arriving column, as far as judging the batch told.
        ranges: Smallest and largest value by arriving column, likewise; empty under ``redact``.
        nan_counts: Cells that are NaN, likewise.
        infinity_counts: Infinite cells, likewise.
    """

    id: str
    identity: Identity
    arrow_schema: str = Field(default="", repr=False)
    rows: int | None = None
    null_counts: dict[str, int] = Field(default_factory=dict)
    ranges: dict[str, tuple[Cell, Cell]] = Field(default_factory=dict)
    nan_counts: dict[str, int] = Field(default_factory=dict)
    infinity_counts: dict[str, int] = Field(default_factory=dict)


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

    @property
    def rejected_rows(self) -> str | None:
        """The file of rejected rows; None if the batch was not split."""
        return f"{self.quarantine}/{REJECTED}" if self.predictions and self.quarantine else None


class Failure(BaseModel):
    """Why an attempt failed.

    Attributes:
        kind: Name of the error's class.
        message: Its text; without values of the batch under ``redact``.
        counts: Whether it counts towards ``max_attempts``: broken disks and registries do not.
        times: How often it happened: workers that die leave one receipt for all of them.
    """

    model_config = ConfigDict(frozen=True)

    kind: str
    message: str
    counts: bool = True
    times: int = 1


# ``batch``: the whole batch lay there; ``rows``: the rows that a split had rejected.
EntryContent = Literal["batch", "rows"]


class _Review(BaseModel):
    """What somebody did with an entry of the quarantine.

    Attributes:
        entry: Name of the folder in the quarantine.
        holds: What lay there.
        number: Which review of the batch it was, from 1.
        receipt: File name of the receipt that says why it lay there.
        archive: Where it lies now, reports and all; None if it stayed.
    """

    model_config = ConfigDict(frozen=True)

    entry: str
    holds: EntryContent
    number: int
    receipt: str
    archive: str | None = None


class Release(_Review):
    """A second judgement, whose counts are of these rows alone; ``row_counts`` adds them up.

    Attributes:
        file: Name of the repaired file that was judged instead, if there was one.
    """

    file: str | None = None


class Discard(_Review):
    """A batch, or rows, moved to the archive unscored.

    Attributes:
        reason: Why, in the words of whoever did it.
    """

    reason: str = ""


class Receipt(BaseModel):
    """What became of a batch in one attempt; the final one is the commit.

    Attributes:
        feed: The feed's name.
        batch: The batch, its identity and arriving schema.
        model: The pinned version that judged and scored.
        contract: Fingerprint of its contract.
        policy: Fingerprint of the policy.
        profile: Fingerprint of the learned values by which it was judged; empty for none.
        verdict: The judgement; None if the attempt ended before.
        disposition: What the policy made of the verdict; or ``errored``, or ``discarded``.
        final: Whether the batch is done.
        attempt: Number of the attempt under this version, from 1.
        previous: File name of the receipt before this one.
        supersedes: Id of the batch that arrived under the same path before, with other content.
        same_as: Id of an earlier batch of another path with the same content.
        outputs: What it left behind.
        error: Why it failed; None unless ``errored``.
        release: The entry of the quarantine that was judged again, if it is about one.
        discard: The entry of the quarantine that was discarded; None unless ``discarded``.
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
    profile: str = ""
    verdict: Verdict | None = None
    disposition: Outcome
    final: bool
    attempt: int
    previous: str | None = None
    supersedes: str | None = None
    same_as: str | None = None
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
        return f"{receipt_prefix(self.batch.id, self.version)}{self.attempt}.json"

    @property
    def rows_in(self) -> int | None:
        """Rows that arrived; None if the batch could not be read."""
        return self.batch.rows

    @property
    def earlier(self) -> dict[str, str]:
        """What it says of batches before it, by what it is to them."""
        said = {
            "duplicate": self.same_as and f"has the same content as {self.same_as}",
            "supersedes": self.supersedes and f"replaces what was {self.supersedes}",
        }
        return {word: text for word, text in said.items() if text}

    @property
    def review(self) -> Release | Discard | None:
        """The review of an entry of the quarantine, if the receipt is about one."""
        return self.release or self.discard

    @property
    def is_final_for_batch(self) -> bool:
        """Whether the whole batch is done with it, and not only some of its rows."""
        return self.final and (self.review is None or self.review.holds == "batch")

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
        """Sixteen digits that are equal for equal violations, whichever rows have them."""
        blocking = self.verdict.blocking if self.verdict else ()
        lines = sorted(
            f"{v.kind} {v.column} {v.observed if v.kind == 'type_mismatch' else ''}"
            for v in blocking
        )
        error = [self.error.kind] if self.error else []
        return hashlib.sha256("\n".join([*error, *lines]).encode()).hexdigest()[:16]


def version_label(model: ModelVersion, contract: str) -> str:
    """Tell a model's versions apart: registered version, else model id, else fingerprint."""
    return model.version or model.model_id or contract


def receipt_prefix(batch: str, version: str) -> str:
    """Return what the names of all receipts of a batch under a version begin with."""
    return f"{batch}@{slug(version)}."
