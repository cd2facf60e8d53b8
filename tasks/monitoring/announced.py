"""Which drift and which silence of a feed were announced, so that each is announced once.

The state is a small file beside the receipts, which one process at a time locks. It is written
after the announcement: a process that dies in between announces twice, never not at all.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ...expectations.drift.change import fingerprint_of
from ..stores.documents import current, written_alone

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..feed.feed import Feed
    from .drift_report import DriftReport

News = Literal[
    "schema.drifted", "schema.recovered", "values.shifted", "values.recovered", "contract.changed"
]

_FILE = ".drift.json"


class AnnouncedState(BaseModel):
    """What was announced last.

    Attributes:
        schema_drift: Fingerprint of the noticeable changes of the arriving schema; empty for none.
        schema_changes: The fingerprint of each of them.
        values: The columns whose values shifted, and the statistic by which they were told.
        contract: Fingerprint of the contract of the version that the feed's model URI meant.
        silent_since: Since when the feed was silent; None if it was not.
    """

    model_config = ConfigDict(frozen=True)

    schema_drift: str = ""
    schema_changes: frozenset[str] = frozenset()
    values: dict[str, str] = Field(default_factory=dict)
    contract: str | None = None
    silent_since: datetime | None = None


def new_events(
    drift: DriftReport, announced: AnnouncedState
) -> tuple[tuple[News, ...], AnnouncedState]:
    """List the changes of state since the last announcement, and the state once they are announced.

    Until a new version has judged a batch, what distinguishes its contract from the batches is a
    change of the contract, not of the arriving schema.
    """
    schema, changes = announced.schema_drift, announced.schema_changes
    if drift.previous_contract == drift.contract:
        schema = fingerprint_of(drift.of_schema) if drift.of_schema else ""
        changes = frozenset(fingerprint_of((change,)) for change in drift.of_schema)
    news = list[News]()
    # What lasts becomes usual: fewer changes than were announced are the same drift.
    is_known = schema and changes <= announced.schema_changes
    if schema != announced.schema_drift and not is_known:
        news.append("schema.drifted" if schema else "schema.recovered")
    # By which statistic a shift was told first is what it is known by until it is over.
    values = {s.column: announced.values.get(s.column, s.statistic) for s in drift.values}
    if values.keys() - announced.values.keys():
        news.append("values.shifted")
    if announced.values.keys() - values.keys():
        news.append("values.recovered")
    if (announced.contract or drift.previous_contract or drift.contract) != drift.contract:
        news.append("contract.changed")
    schemas = {"schema_drift": schema, "schema_changes": changes}
    update = {**schemas, "values": values, "contract": drift.contract}
    return tuple(news), announced.model_copy(update=update)


def announce_once(
    feed: Feed, drift: DriftReport, announce: Callable[[DriftReport, News, AnnouncedState], None]
) -> tuple[News, ...]:
    """Announce what is new about a drift and record it; of two processes at once, one does.

    ``announce`` receives the drift, the event, and what was announced before.
    A state that another process has locked for two minutes raises OSError.
    """
    return record_once(
        feed,
        lambda before: new_events(drift, before),
        lambda event, before: announce(drift, event, before),
    )


def record_once(
    feed: Feed,
    news_of: Callable[[AnnouncedState], tuple[tuple[Any, ...], AnnouncedState]],
    announce: Callable[[Any, AnnouncedState], None],
) -> tuple[Any, ...]:
    """Announce what is new since the last state, and record the state after it, likewise."""
    announced = _announced(current(feed, _FILE))
    if news_of(announced)[1] == announced:
        return ()
    with written_alone(feed, _FILE) as document:
        announced = _announced(document.read())
        news, after = news_of(announced)
        for event in news:
            announce(event, announced)
        if after != announced:
            document.write(after.model_dump_json(indent=2))
    return news


def _announced(document: bytes) -> AnnouncedState:
    try:
        return AnnouncedState.model_validate_json(document)
    except ValidationError:
        return AnnouncedState()
