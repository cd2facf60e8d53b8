"""What has been told of a feed's drift, so that the same is told once.

It stands in a small file beside the receipts, which one watcher at a time holds. News is told first
and noted after: whoever dies in between tells it twice, never not at all.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from ...expectations.drift.change import fingerprint_of
from ..storage.atomic import atomic_write, locked

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from ..feed.feed import Feed
    from .drift_report import DriftReport

News = Literal["schema.drifted", "schema.recovered", "contract.changed"]

_FILE = ".drift.json"


class AnnouncedState(BaseModel):
    """What was told last.

    Attributes:
        schema_drift: Fingerprint of the noticeable changes of what arrives; empty for none.
        contract: Fingerprint of the contract of the version that the feed's model URI meant.
    """

    model_config = ConfigDict(frozen=True)

    schema_drift: str = ""
    contract: str | None = None


def told_of(feed: Feed) -> AnnouncedState:
    """Read what was told last; nothing, if the file is not there or not whole.

    Raises:
        OSError: It is there and cannot be read.
    """
    try:
        return AnnouncedState.model_validate_json(_place(feed).read_bytes())
    except (FileNotFoundError, ValidationError):
        return AnnouncedState()


def new_events(drift: DriftReport, told: AnnouncedState) -> tuple[tuple[News, ...], AnnouncedState]:
    """Tell what is new about a drift.

    A version that has judged no batch yet says nothing of what arrives: until it has, its departure
    from the batches is news of the contract alone.

    Args:
        drift: What has changed.
        told: What was told last.

    Returns:
        The news, each a change of state; and what is told once they are.
    """
    schema = told.schema_drift
    if drift.previous_contract == drift.contract:
        schema = fingerprint_of(drift.of_schema) if drift.of_schema else ""
    news = list[News]()
    if schema != told.schema_drift:
        news.append("schema.drifted" if schema else "schema.recovered")
    if (told.contract or drift.previous_contract or drift.contract) != drift.contract:
        news.append("contract.changed")
    return tuple(news), AnnouncedState(schema_drift=schema, contract=drift.contract)


def announce_once(
    feed: Feed, drift: DriftReport, announce: Callable[[DriftReport, News, str], None]
) -> tuple[News, ...]:
    """Announce what is new about a drift, and note it; of two watchers at once, one does.

    Args:
        feed: The feed.
        drift: What has changed.
        announce: Is given the drift, the news, and the fingerprint of the drift that was told last.

    Returns:
        What was told.

    Raises:
        OSError: What is told cannot be noted, or another watcher has been telling for two minutes.
    """
    told = told_of(feed)
    if new_events(drift, told)[1] == told:
        return ()
    with locked(_place(feed)):
        told = told_of(feed)
        news, now = new_events(drift, told)
        for event in news:
            announce(drift, event, told.schema_drift)
        if now != told:
            atomic_write(_place(feed), now.model_dump_json(indent=2))
    return news


def _place(feed: Feed) -> Path:
    return feed.receipts / _FILE
