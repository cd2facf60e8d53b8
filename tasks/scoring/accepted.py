"""Levels of values that people accepted for a feed, each in a document that is never changed."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from ..feed.records import read_record
from ..storage.atomic import atomic_write, locked
from ..stores.receipts import create_accepted

if TYPE_CHECKING:
    from pathlib import Path

    from ..feed.feed import Feed

_FOLDER = ".accepted"  # beside the receipts


class Accepted(BaseModel):
    """What somebody took for right in place of what was learned.

    Attributes:
        form: Version of this document.
        model: The version of the model whose feed it is.
        profile: Fingerprint of the learned values that it stands in for.
        levels: The accepted statistics, by column and name.
        batches: Ids of the batches that had them, by accepted column.
        who: The user of the operating system who accepted it.
        why: In that user's words.
        when: In UTC.
    """

    model_config = ConfigDict(frozen=True)

    form: Literal[1] = 1
    model: str
    profile: str
    levels: dict[str, dict[str, float]]
    batches: dict[str, tuple[str, ...]]
    who: str
    why: str
    when: datetime


def accepted_in(feed: Feed, model: str, profile: str) -> list[Accepted]:
    """Read what is accepted under a version and profile, the newest last; GateError if damaged."""
    read = (read_record(path, Accepted, "accepted level") for path in _documents(feed))
    return [one for one in read if one and (one.model, one.profile) == (model, profile)]


def accepted_levels(accepted: list[Accepted]) -> dict[str, dict[str, float]]:
    """Join what is accepted, by column and statistic; the newest counts."""
    levels: dict[str, dict[str, float]] = {}
    for one in accepted:
        for column, statistics in one.levels.items():
            levels[column] = {**levels.get(column, {}), **statistics}
    return levels


def keep_accepted(feed: Feed, accepted: Accepted) -> Path | str:
    """Write one more document beside the others; return its path, or its URL in a store."""
    text = accepted.model_dump_json(indent=2)
    if feed.url:
        return create_accepted(feed, text)
    folder = feed.receipts / _FOLDER
    with locked(folder / "next"):
        path = folder / f"{len(_documents(feed)) + 1:04}.json"
        atomic_write(path, text)
    return path


def _documents(feed: Feed) -> list[Path]:
    return sorted((feed.receipts / _FOLDER).glob("[0-9]*.json"))
