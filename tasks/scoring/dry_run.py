"""What a run would do with a feed: judge, and tell; nothing is written or moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from ...expectations.errors import GateError
from ...expectations.judge.checking import check
from ..feed.feed import Feed
from ..feed.inbox import SkippedBatch
from .feed_run import current_intent
from .selection import keep_due, preview

if TYPE_CHECKING:
    from pathlib import Path

    from ..storage.intent import Intent
    from .selection import Candidate


class WouldBe(BaseModel):
    """What would become of one batch.

    Attributes:
        batch: Its path from the inbox.
        disposition: What the policy makes of the verdict; ``errored`` if it could not be judged.
        reason: Why it would not pass; empty if it would.
        place: Where the batch would lie afterwards.
    """

    model_config = ConfigDict(frozen=True)

    batch: str
    disposition: str
    reason: str
    place: str


class DryRun(BaseModel):
    """What a run would take and leave, under which model."""

    model_config = ConfigDict(frozen=True)

    feed: str
    model: str | None
    taken: tuple[WouldBe, ...]
    left: tuple[SkippedBatch, ...]
    done: int


def rehearse(
    feed: Feed | str | Path, *, again: bool = False, timeout: float | None = None
) -> DryRun:
    """Judge every batch that a run would take, and tell what would become of it.

    As for ``score_feed``, though the model is neither loaded nor asked.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    found = preview(feed, again=again)
    if not found.candidates:
        return DryRun(feed=feed.name, model=None, taken=(), left=found.left, done=found.done)
    intent = current_intent(feed, timeout)
    due = keep_due(feed, found, intent.version, again=again)
    taken = tuple(_would_be(feed, intent, candidate) for candidate in due.candidates)
    return DryRun(
        feed=feed.name, model=str(intent.model), taken=taken, left=due.left, done=due.done
    )


def _would_be(feed: Feed, intent: Intent, candidate: Candidate) -> WouldBe:
    place, batch = feed.resolve(candidate.place), candidate.batch
    try:
        verdict = check(feed.address(place), intent.contract_now, intent.judged_by).verdict
    except (GateError, OSError) as error:
        return WouldBe(
            batch=batch.path, disposition="errored", reason=str(error), place=feed.address(place)
        )
    if verdict.disposition in ("quarantined", "failed"):
        place = feed.quarantined(batch.id) / batch.file
    elif feed.archive and place.is_relative_to(feed.inbox):
        place = feed.archived(batch.file)
    reason = verdict.blocking[0].message if verdict.blocking else ""
    return WouldBe(
        batch=batch.path, disposition=verdict.disposition, reason=reason, place=feed.address(place)
    )
