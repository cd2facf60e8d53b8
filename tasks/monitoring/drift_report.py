"""What has changed around a feed: plain data that an alert, a page and a flow can carry."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, computed_field

from ...expectations.contract.model_version import ModelVersion
from ...expectations.drift.change import Change, fingerprint_of
from ...expectations.escaping import visible
from ...expectations.verdict.verdict import Disposition, Evidence
from ...expectations.wording import counted
from ..feed.receipt import Outcome

NoteKind = Literal["null_share", "range", "format", "version", "unknown"]

_BEST_FIRST = ("passed", "split", "quarantined", "failed")
_TOLD = 5  # changes in a message
_LONGEST = 300


class Forecast(BaseModel):
    """How one of the last batches would have fared under another version.

    Attributes:
        batch: The batch's id.
        name: Its path from the inbox.
        was: What became of it.
        would_be: What the feed's policy would make of it; None if nobody can tell. On the evidence
            of ``schema`` alone, ``passed`` means that nothing speaks against it.
        evidence: How far was looked: ``schema`` where names and types decide, or nothing else is
            left; ``footer`` and ``scan`` into the batch itself; None if not even a schema is known.
        gone: Whether the batch is gone, so that what its receipt records had to do.
        reason: The first violation that blocks it, and how many more there are; empty if none.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    name: str
    was: Outcome
    would_be: Disposition | None
    evidence: Evidence | None = None
    gone: bool = False
    reason: str = ""

    @computed_field
    @property
    def rejects(self) -> bool:
        """Whether the batch, or rows of it, would be kept from the model."""
        return self.would_be not in (None, "passed")

    @computed_field
    @property
    def worse(self) -> bool:
        """Whether the batch would fare worse than it did."""
        known = self.would_be in _BEST_FIRST and self.was in _BEST_FIRST
        return known and _BEST_FIRST.index(self.would_be) > _BEST_FIRST.index(self.was)


class SchemaChange(BaseModel):
    """One batch whose schema was not that of the batch before.

    Attributes:
        batch: The batch's id.
        name: Its path from the inbox.
        finished: When it was judged, in UTC.
        changes: What was different, from the batch before of the same format.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    name: str
    finished: datetime
    changes: tuple[Change, ...]


class Observation(BaseModel):
    """Something worth a look that is no change of schema.

    Attributes:
        kind: ``null_share`` or ``range``: a column's cells moved; ``format``: batches arrive in
            another; ``version``: the model's version is another, its contract the same;
            ``unknown``: something could not be found out.
        column: The column, if it is about one.
        message: One sentence, in which names from data are mere text.
    """

    model_config = ConfigDict(frozen=True)

    kind: NoteKind
    column: str | None = None
    message: str


class DriftReport(BaseModel):
    """What has changed around a feed.

    Attributes:
        feed: The feed's name.
        model: The version that the feed's model URI means now, or the one that was named.
        version: What tells the model's versions apart.
        contract: Fingerprint of that version's contract.
        named: Whether the version was named by the caller: then this is a rehearsal.
        previous: The version that judged the newest batch; None if there is no batch.
        previous_contract: Fingerprint of its contract, likewise.
        batches: How many of the last batches were looked at.
        newest: Name of the newest of them whose schema is known.
        since: Name of the batch with which the newest schema began, if that is not the usual one.
        changes: From the usual schema to the newest batch's, from the contract to the newest
            batch's schema (breaking ones only), and from the previous contract to this one; the
            worst first. Each says what it stands ``between``.
        shifts: Where among the last batches the schema changed, the oldest first.
        forecast: How each of the last batches that another contract judged would have fared under
            this one, the oldest first.
        notes: What else is worth a look.
        report: Where the report on the newest batch lies, if it was kept from the model.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    model: ModelVersion | None
    version: str
    contract: str
    named: bool = False
    previous: ModelVersion | None = None
    previous_contract: str | None = None
    batches: int = 0
    newest: str | None = None
    since: str | None = None
    changes: tuple[Change, ...] = ()
    shifts: tuple[SchemaChange, ...] = ()
    forecast: tuple[Forecast, ...] = ()
    notes: tuple[Observation, ...] = ()
    report: str | None = None

    @computed_field
    @property
    def fingerprint(self) -> str:
        """Sixteen digits that are equal for equal changes, whichever batches have them."""
        return fingerprint_of(self.changes)

    @computed_field
    @property
    def breaking(self) -> bool:
        """Whether a change is breaking."""
        return any(change.effect == "breaking" for change in self.changes)

    @computed_field
    @property
    def drifted(self) -> bool:
        """Whether there is a change that somebody could notice, or a batch that would not pass."""
        return bool(self.noticeable or self.rejecting)

    @property
    def noticeable(self) -> tuple[Change, ...]:
        """The changes but the cosmetic ones."""
        return tuple(change for change in self.changes if change.effect != "cosmetic")

    @property
    def of_schema(self) -> tuple[Change, ...]:
        """The noticeable changes of what arrives."""
        return tuple(change for change in self.noticeable if change.between != "contracts")

    @property
    def of_contract(self) -> tuple[Change, ...]:
        """All changes of what the model expects."""
        return tuple(change for change in self.changes if change.between == "contracts")

    @property
    def rejecting(self) -> tuple[Forecast, ...]:
        """The batches that would not pass."""
        return tuple(entry for entry in self.forecast if entry.rejects)

    @property
    def found(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.drifted or self.notes)

    @property
    def forecast_in_words(self) -> str:
        """The forecast as one clause; empty if there is none."""
        if not self.forecast:
            return ""
        of = f"{len(self.rejecting)} of {counted(len(self.forecast), 'batch', 'batches')}"
        gone = sum(entry.gone for entry in self.forecast)
        worse = sum(entry.worse for entry in self.forecast)
        by_comparison = f", {worse} faring worse than before" if worse else ""
        by_schema = f", {gone} of them gone and judged by their schema" if gone else ""
        unknown = sum(entry.would_be is None for entry in self.forecast)
        open_ = f", {unknown} unknown" if unknown else ""
        model = visible(self.model or self.version)
        return f"{of} would not pass {model}{by_comparison}{by_schema}{open_}"

    def message(self) -> str:
        """Tell it in a few lines that an alert can carry; names from data are mere text."""
        told = [change.message for change in self.noticeable[:_TOLD]]
        more = len(self.noticeable) - _TOLD
        rest = [f"and {more} more"] if more > 0 else []
        return "\n".join([self._headline, *(f" - {line}" for line in (*told, *rest)), *self._facts])

    @property
    def _headline(self) -> str:
        broken = sum(change.effect == "breaking" for change in self.changes)
        others = len(self.noticeable) - broken
        parts = [
            counted(broken, "breaking change") if broken else "",
            counted(others, "compatible change") if others else "",
            self.forecast_in_words if self.rejecting else "",
            counted(len(self.notes), "note") if self.notes else "",
        ]
        looked = counted(self.batches, "batch", "batches")
        said = "; ".join(part for part in parts if part)
        return f"{self.feed}: {said or f'no drift in the last {looked}'}"

    @property
    def _facts(self) -> list[str]:
        moved = self.previous and self.model and self.previous.pinned != self.model.pinned
        was = f" (the newest batch was judged by {visible(self.previous)})" if moved else ""
        notes = [f"note: {note.message}" for note in self.notes[:_TOLD]]
        since = [f"since batch: {visible(self.since, limit=_LONGEST)}"] if self.since else []
        report = [f"report: {self.report}"] if self.report else []
        return [f"model: {visible(self.model or self.version)}{was}", *since, *notes, *report]
