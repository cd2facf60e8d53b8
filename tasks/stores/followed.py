"""A feed that follows a table: what each version of it added becomes a batch of the inbox.

The rows are written as one Parquet file, ``<table>-v<version>.parquet``, whose bytes depend on them
and on Polars' version: one that is written twice after a crash is the same batch. Files that were
only put together are passed over. A version that deleted or rewrote rows is told and not delivered:
which of its rows are new nobody can say, and what was scored of the others stays.
"""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict

from ...expectations.batch.batch import UnreadableError
from ...expectations.credentials import mask_uri
from ...expectations.errors import GateError, Misuse, needs_extra
from ...expectations.escaping import visible
from ...expectations.stores.scored_table import parse_table
from ..feed.inbox import SkippedBatch
from ..feed.records import read_record
from ..storage.atomic import atomic_write, locked, make_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..feed.feed import Feed

_STATE = ".followed.json"


class _Followed(BaseModel):
    """How far a table was followed."""

    model_config = ConfigDict(frozen=True)

    table: str
    version: int


class _Change(NamedTuple):
    """What a version did: paths of files whose rows it added, and how many it took away."""

    added: set[str]
    removed: int


def deliver_versions(feed: Feed) -> list[SkippedBatch]:
    """Write the rows that each new version of the followed table added into the inbox.

    Returns:
        The versions that are not delivered, each with the reason.

    Raises:
        Misuse: ``follow`` names no Delta table of this machine, or its client is not installed.
        GateError: The table cannot be read.
        OSError: The feed's folders cannot be written.
    """
    if feed.follow is None:
        return []
    make_folder(feed.receipts)
    try:
        return _deliver_new(feed, feed.follow)
    except UnreadableError as error:
        said = error.describe(redact=feed.policy.redact)
        failed = GateError(f"{feed.follow} cannot be read: {said}. {error.remedy}")
    raise failed  # without its cause, which quotes values


def _deliver_new(feed: Feed, follow: str) -> list[SkippedBatch]:
    rows = None
    with suppress(ValueError):
        rows = parse_table(follow)
    if rows and rows.by:
        from .watermark import deliver_rows

        return deliver_rows(feed, rows)
    table, start = _place(follow)
    state = feed.receipts / _STATE
    left = list[SkippedBatch]()
    with locked(state):
        known = read_record(state, _Followed, "note of a followed table")
        last = known.version if known and known.table == str(table) else start
        for version in _versions_after(table, last):
            left += _deliver(feed, table, version)
            atomic_write(state, _Followed(table=str(table), version=version).model_dump_json())
    return left


def _place(follow: str) -> tuple[Path, int]:
    scheme, _, place = follow.partition("://")
    table, _, version = place.rpartition("@")
    if scheme != "delta" or not place:
        msg = (
            f"follow: {mask_uri(follow)} is no delta://PATH, or delta://PATH@VERSION to begin after"
            " one; the rows of a database are followed by a column, as in &by=COLUMN."
        )
        raise Misuse(msg)
    pinned = table and version.isdecimal()
    return Path(table if pinned else place).absolute(), int(version) if pinned else -1


def _versions_after(table: Path, last: int) -> list[int]:
    with needs_extra("delta"):
        from deltalake import DeltaTable
    if not (table / "_delta_log").is_dir():
        msg = f"no Delta table at {table}: it has no _delta_log. Mend `follow` in the feed's file."
        raise Misuse(msg)
    newest = DeltaTable(str(table)).version()
    if newest < last:
        msg = (
            f"{table} is at version {newest}, and was followed to {last}: it is another table. "
            f"Begin anew with another folder, or remove {_STATE} beside the feed's receipts."
        )
        raise Misuse(msg)
    return list(range(last + 1, newest + 1))


def _deliver(feed: Feed, table: Path, version: int) -> Iterator[SkippedBatch]:
    name = f"{table.name}-v{version:08d}.parquet"
    change = _change(table, version)
    if change is None:
        yield _told(name, "its log has expired: what it added is not known")
    elif change.removed:
        yield _told(
            name, f"deleted or rewrote rows of {change.removed} files; what was scored stays"
        )
    elif change.added:
        _write(feed.inbox / name, table, version, change.added)


def _told(name: str, what: str) -> SkippedBatch:
    return SkippedBatch(
        batch=name, why="skipped", detail=f"{what}; check delta://…@VERSION by hand"
    )


def _change(table: Path, version: int) -> _Change | None:
    log = table / "_delta_log" / f"{version:020d}.json"
    if not log.exists():
        return None
    actions = [json.loads(line) for line in log.read_text("utf-8").splitlines() if line.strip()]
    changed = [
        {kind: fields for kind, fields in action.items() if kind in ("add", "remove")}
        for action in actions
    ]
    real = [c for c in changed if any(f.get("dataChange", True) for f in c.values())]
    added = {visible(unquote(c["add"]["path"])) for c in real if "add" in c}
    return _Change(added, sum("remove" in c for c in real))


def _write(path: Path, table: Path, version: int, added: set[str]) -> None:
    from ...expectations.readers.tables.location import open_delta_folder
    from .watermark import frame_of, publish_rows

    publish_rows(path, frame_of(open_delta_folder(table, version), added))
