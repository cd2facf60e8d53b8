"""What has changed around a feed, as plain data for alerts, pages and flows."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, computed_field

from ...expectations.contract.model_version import ModelVersion
from ...expectations.drift.change import Change, fingerprint_of
from ...expectations.escaping import visible
from ...expectations.report.value_shifts import ValueShift
from ...expectations.values.limits import FEWEST
from ...expectations.verdict.explain import told_in_words
from ...expectations.verdict.verdict import Disposition, Evidence
from ...expectations.wording import counted
from ..feed.receipt import Outcome

NoteKind = Literal["null_share", "range", "format", "version", "unknown"]

_BEST_FIRST = ("passed", "split", "quarantined", "failed")
_LISTED = 5  # changes in a message
_LONGEST = 300


class Forecast(BaseModel):
    """The verdict that another version would have given on one of the last batches.

    Attributes:
        batch: The batch's id.
        name: Its path from the inbox.
        was: Its disposition.
        would_be: What the disposition would be; None if that is unknown. With the evidence
            ``schema``, ``passed`` means that names and types conform; rows were not checked.
        evidence: What was checked: ``schema``: names and types; ``table``, ``footer`` and ``scan``:
            the batch itself; None if not even its schema is known.
        gone: Whether the batch no longer exists, so that its receipt was judged in its place.
        reason: The first blocking violation, and how many more there are; empty if none.
        told: Columns whose values are unlike those learned, each with the statistic.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    name: str
    was: Outcome
    would_be: Disposition | None
    evidence: Evidence | None = None
    gone: bool = False
    reason: str = ""
    told: tuple[str, ...] = ()

    @computed_field
    @property
    def rejects(self) -> bool:
        """Whether the model would not receive the batch, or rows of it."""
        return self.would_be not in (None, "passed")

    @computed_field
    @property
    def worse(self) -> bool:
        """Whether that would be a worse disposition than the batch had."""
        comparable = self.would_be in _BEST_FIRST and self.was in _BEST_FIRST
        return comparable and _BEST_FIRST.index(self.would_be) > _BEST_FIRST.index(self.was)


class SchemaChange(BaseModel):
    """A batch whose schema differs from that of the batch before.

    Attributes:
        batch: The batch's id.
        name: Its path from the inbox.
        finished: When it was judged, in UTC.
        changes: Compared with the batch before of the same format.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    name: str
    finished: datetime
    changes: tuple[Change, ...]


class Observation(BaseModel):
    """Something to look at that is no change of a schema.

    Attributes:
        kind: ``null_share`` or ``range``: a column's values changed; ``format``: the format of the
            batches changed; ``version``: the model's version changed, its contract did not;
            ``unknown``: what changed is unknown.
        column: The column, if it is about one.
        message: One sentence; control characters in names are escaped.
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
        named: Whether the caller named the version; such a report is not announced.
        previous: The version that judged the newest batch; None if there is no batch.
        previous_contract: Fingerprint of its contract, likewise.
        batches: How many of the last batches were compared.
        newest: Name of the newest of them whose schema is known.
        since: Name of the first batch with the newest schema, if that is not the usual schema.
        changes: From the usual schema to the newest batch's, from the contract to the newest
            batch's schema (breaking ones and missing columns), and from the previous contract to
            this one; the worst first.
        shifts: The batches at which the schema changed, the oldest first.
        forecast: The verdict of this contract on each of the last batches that another contract
            judged, the oldest first.
        values: The columns whose values shifted and did not come back, the first one first.
        accepted: What was accepted instead of what was learned: by whom and why, by column.
        learning: How many batches are known, while they are too few to compare with.
        notes: What else to look at.
        report: Path of the report on the newest batch, if it was quarantined.
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
    values: tuple[ValueShift, ...] = ()
    accepted: dict[str, str] = Field(default_factory=dict)
    learning: int | None = None
    notes: tuple[Observation, ...] = ()
    report: str | None = None

    @computed_field
    @property
    def fingerprint(self) -> str:
        """Sixteen hexadecimal digits that are equal for equal changes, whatever the batches."""
        return fingerprint_of(self.changes)

    @computed_field
    @property
    def breaking(self) -> bool:
        """Whether a change is breaking."""
        return any(change.effect == "breaking" for change in self.changes)

    @computed_field
    @property
    def drifted(self) -> bool:
        """Whether a change is not cosmetic, values shifted, or a batch would not pass."""
        return bool(self.noticeable or self.values or self.rejecting)

    @property
    def blocks(self) -> bool:
        """Whether something keeps batches from the model, or would."""
        shifts = any(shift.severity == "critical" for shift in self.values)
        return bool(self.breaking or self.rejecting or shifts)

    @property
    def noticeable(self) -> tuple[Change, ...]:
        """The changes without the cosmetic ones."""
        return tuple(change for change in self.changes if change.effect != "cosmetic")

    @property
    def of_schema(self) -> tuple[Change, ...]:
        """The noticeable changes of the arriving schema."""
        return tuple(change for change in self.noticeable if change.between != "contracts")

    @property
    def of_contract(self) -> tuple[Change, ...]:
        """All changes of the contract."""
        return tuple(change for change in self.changes if change.between == "contracts")

    @property
    def rejecting(self) -> tuple[Forecast, ...]:
        """The batches that would not pass."""
        return tuple(entry for entry in self.forecast if entry.rejects)

    @property
    def found(self) -> bool:
        """Whether there is anything to report."""
        return bool(self.drifted or self.notes)

    @property
    def forecast_in_words(self) -> str:
        """The forecast as one clause; empty if there is none."""
        if not self.forecast:
            return ""
        batches = f"{len(self.rejecting)} of {counted(len(self.forecast), 'batch', 'batches')}"
        details = {
            "worse than before": sum(entry.worse for entry in self.forecast),
            "judged by the recorded schema only": sum(entry.gone for entry in self.forecast),
            "unknown": sum(entry.would_be is None for entry in self.forecast),
        }
        told = told_in_words(entry.told for entry in self.forecast)
        counts = [f"{number:,} {detail}" for detail, number in details.items() if number]
        shown = "; ".join([*counts, *([told] if told else [])])
        model = visible(self.model or self.version)
        return f"{batches} would not pass {model}{f' ({shown})' if shown else ''}"

    def message(self) -> str:
        """Describe the drift in a few lines; control characters in names are escaped."""
        messages = [item.message for item in (*self.noticeable, *self.values)]
        lines, more = messages[:_LISTED], len(messages) - _LISTED
        rest = [f"and {more} more"] if more > 0 else []
        return "\n".join(
            [self._headline, *(f" - {line}" for line in (*lines, *rest)), *self._facts]
        )

    @property
    def _headline(self) -> str:
        breaking = sum(change.effect == "breaking" for change in self.changes)
        others = len(self.noticeable) - breaking
        parts = [
            counted(breaking, "breaking change") if breaking else "",
            counted(others, "compatible change") if others else "",
            f"the values of {counted(len(self.values), 'column')} shifted" if self.values else "",
            self.forecast_in_words if self.rejecting else "",
            counted(len(self.notes), "note") if self.notes else "",
        ]
        summary = "; ".join(part for part in parts if part)
        batches = counted(self.batches, "batch", "batches")
        return f"{self.feed}: {summary or f'no drift in the last {batches}'}"

    @property
    def books(self) -> tuple[str, ...]:
        """What was accepted, and whether there is too little to compare with."""
        accepted = [f"accepted: {visible(f'{c!r} {by}')}" for c, by in self.accepted.items()]
        if self.learning is None:
            return tuple(accepted)
        known = counted(self.learning, "batch", "batches")
        learning = f"values: still learning from {known}; {FEWEST} are needed to compare with"
        return (*accepted, learning)

    @property
    def _facts(self) -> list[str]:
        moved = self.previous and self.model and self.previous.pinned != self.model.pinned
        was = f" (the newest batch was judged by {visible(self.previous)})" if moved else ""
        notes = [f"note: {note.message}" for note in self.notes[:_LISTED]]
        since = [f"since batch: {visible(self.since, limit=_LONGEST)}"] if self.since else []
        report = [f"report: {self.report}"] if self.report else []
        return [
            f"model: {visible(self.model or self.version)}{was}",
            *since,
            *self.books,
            *notes,
            *report,
        ]
