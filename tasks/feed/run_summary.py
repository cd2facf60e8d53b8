"""What a run did for a feed, batch by batch and in total."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime

from pydantic import BaseModel, ConfigDict, computed_field

from ...expectations.contract.model_version import ModelVersion
from ...expectations.escaping import visible
from ...expectations.wording import counted, listed
from .inbox import SkippedBatch
from .receipt import Outcome, Receipt


class RunSummary(BaseModel):
    """What one run did for a feed.

    Attributes:
        feed: The feed's name.
        model: The version that was current at its start; None if none was needed.
        receipts: One for each batch that was attempted, in their order.
        left: What was left alone, with the reason.
        done: How many batches of the inbox had been settled before.
        no_contract: Why the model cannot judge at all, so that every batch stayed where it was.
        silent_since: Since when no new batch has arrived, if that is longer than ``expect_every``.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    model: ModelVersion | None = None
    receipts: tuple[Receipt, ...] = ()
    left: tuple[SkippedBatch, ...] = ()
    done: int = 0
    no_contract: str | None = None
    silent_since: datetime | None = None

    def of(self, *dispositions: Outcome) -> tuple[Receipt, ...]:
        """The receipts with one of these dispositions."""
        return tuple(r for r in self.receipts if r.disposition in dispositions)

    @computed_field
    @property
    def rows_in(self) -> int:
        """Rows of all batches that are done now and could be read."""
        return sum(r.rows_in or 0 for r in self.receipts if r.final)

    @computed_field
    @property
    def rows_scored(self) -> int:
        """Rows with a prediction."""
        return sum(r.outputs.scored for r in self.receipts if r.final)

    @computed_field
    @property
    def rows_rejected(self) -> int:
        """Rows that were kept from the model."""
        return sum(r.outputs.rejected or 0 for r in self.receipts if r.final)

    @property
    def unreadable(self) -> tuple[Receipt, ...]:
        """Batches that are done and whose rows nobody could count."""
        return tuple(r for r in self.receipts if r.final and r.rows_in is None)

    @property
    def unfinished(self) -> tuple[SkippedBatch, ...]:
        """Batches that could not be completed after a crash, or not be read from the disk."""
        return tuple(entry for entry in self.left if entry.why in ("unfinished", "inaccessible"))

    def message(self) -> str:
        """Say in one line how the batches fared, the worst first, each kind with an example."""
        total = len(self.receipts)
        if self.no_contract:
            return f"nothing is scored: {self.no_contract}"
        if not total:
            return f"no batch to score{self._silence()}{self._left_over()}"
        parts = [self._fared(outcome, total) for outcome in _WORST_FIRST if self.of(outcome)]
        return "; ".join(parts) + self._silence() + self._left_over()

    def notes(self) -> list[tuple[str, str]]:
        """Say in words and sentences what was left alone, and what batches repeat or supersede."""
        notes = list[tuple[str, str]]()
        if growing := [entry for entry in self.left if entry.ready_in is not None]:
            notes.append(("unsettled", _settling(growing)))
        if ignored := [entry for entry in self.left if entry.why == "ignored"]:
            notes.append(("ignored", _some([entry.batch for entry in ignored])))
        notes += [
            (entry.why, f"{visible(entry.batch)} {entry.detail}")
            for entry in self.left
            if entry.why != "ignored" and entry.ready_in is None
        ]
        for receipt in self.receipts:
            name = visible(receipt.batch.name)
            if ignored := list(receipt.batch.ignored):
                notes.append(("ignored", _some(ignored, f" in {name}")))
            notes += [(word, f"{name} {text}") for word, text in receipt.earlier.items()]
        return notes

    def _fared(self, outcome: Outcome, total: int) -> str:
        receipts = self.of(outcome)
        example = receipts[0].reason
        text = f"{len(receipts)} of {total} batch{'' if total == 1 else 'es'} {outcome}"
        if not example:
            return text
        return f"{text}: {visible(receipts[0].batch.name)}: {visible(example, limit=300)}"

    def _silence(self) -> str:
        if self.silent_since is None:
            return ""
        return f"; no new one has arrived since {self.silent_since:%Y-%m-%d %H:%M} UTC"

    def _left_over(self) -> str:
        counts: dict[str, int] = defaultdict(int)
        for entry in self.left:
            counts[entry.why] += 1
        words = ", ".join(f"{count} {why}" for why, count in sorted(counts.items()))
        return f" ({words})" if words else ""


def _settling(growing: list[SkippedBatch]) -> str:
    count = counted(len(growing), "batch", "batches")
    newest = min(entry.age or 0 for entry in growing)
    wait = max(entry.ready_in or 0 for entry in growing)
    return (
        f"{count} changed {newest:.0f} s ago, ready in {wait:.0f} s, "
        f"or create {visible(growing[0].batch)}.ready"
    )


def _some(names: list[str], where: str = "") -> str:
    return f"{len(names)}{where} ({listed(map(visible, names), _NAMED)})"


_NAMED = 6
_WORST_FIRST: tuple[Outcome, ...] = (
    "errored",
    "failed",
    "quarantined",
    "discarded",
    "split",
    "passed",
)
