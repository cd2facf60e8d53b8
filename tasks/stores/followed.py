"""A feed that follows a table: what each version of it added becomes a batch of the inbox.

The rows are written as one Parquet file, ``<table>-v<version>.parquet``, or of an Iceberg table
``<table>-s<sequence>-<snapshot>.parquet``, whose bytes depend on them and on Polars' version: one
that is written twice after a crash is the same batch. Files that were only put together are passed
over. A version that deleted or rewrote rows is told and not delivered: which of its rows are new
nobody can say, and what was scored of the others stays.
"""

from __future__ import annotations

import json
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote

from pydantic import BaseModel, ConfigDict

from ...expectations.batch.batch import UnreadableError
from ...expectations.credentials import mask_uri
from ...expectations.errors import GateError, Misuse, needs_extra
from ...expectations.escaping import slug, visible
from ...expectations.stores.objects import ObjectStore
from ...expectations.stores.scored_table import parse_table
from ..feed.inbox import SkippedBatch
from ..storage.atomic import make_folder
from .delivery import publish_rows
from .documents import written_alone
from .receipts import open_mirror

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...expectations.batch.batch import OpenedBatch
    from ..feed.feed import Feed

_STATE = ".followed.json"
_ANEW = (
    f"Begin anew with another folder, or remove {_STATE}: it lies beside the feed's receipts, of a "
    "feed in a store in state/."
)
_EXPIRED = "its log has expired: what it added is not known"
_EXPIRED_BEFORE = "snapshots before it may have expired: what they added is not known"


class _Followed(BaseModel):
    """How far a table was followed; the version of an Iceberg table is the id of a snapshot."""

    model_config = ConfigDict(frozen=True)

    table: str
    version: int
    uuid: str = ""
    order: tuple[int, int] | None = None


class _Step(NamedTuple):
    """A version that was not followed yet: what is told of it, and its batch, if it has rows."""

    note: _Followed
    batch: str
    told: list[str]
    opened: Callable[[], OpenedBatch] | None
    only: set[str] | None = None


def deliver_versions(feed: Feed) -> list[SkippedBatch]:
    """Write the rows that each new version of the followed table added into the inbox.

    Returns:
        The versions that are not delivered, each with the reason.

    Raises:
        Misuse: ``follow`` names no table that can be followed, or its client is not installed.
        GateError: The table cannot be read.
        OSError: The feed's folders cannot be written.
    """
    if feed.follow is None:
        return []
    if feed.url:
        open_mirror(feed, ObjectStore(feed.root))
    make_folder(feed.receipts)
    try:
        return _deliver_new(feed, feed.follow)
    except UnreadableError as error:
        said = error.describe(redact=feed.policy.redact)
        failed = GateError(f"{feed.follow} cannot be read: {said}. {error.remedy}")
    raise failed  # without its cause, which quotes values


def _deliver_new(feed: Feed, follow: str) -> list[SkippedBatch]:
    from .watermark import deliver_rows, frame_of

    rows = None
    with suppress(ValueError):
        rows = parse_table(follow)
    if rows and rows.by:
        return deliver_rows(feed, rows)
    scheme, place, start = _place(follow)
    steps_after = _snapshots_after if scheme == "iceberg" else _versions_after
    left = list[SkippedBatch]()
    with written_alone(feed, _STATE) as note:
        known = note.record(_Followed, "note of a followed table")
        for step in steps_after(place, known, start):
            left += [_left(step.batch, what, scheme) for what in step.told]
            if step.opened:
                publish_rows(feed, step.batch, frame_of(step.opened(), step.only))
            note.write(step.note.model_dump_json())
    return left


def _place(follow: str) -> tuple[str, str, int | None]:
    scheme, _, place = follow.partition("://")
    table, _, version = place.rpartition("@")
    if not {"delta": place, "iceberg": "." in place.partition("/")[2]}.get(scheme):
        msg = (
            f"follow: {mask_uri(follow)} is no delta://PATH or iceberg://CATALOG/NAMESPACE.TABLE;"
            " @VERSION or @SNAPSHOT begins after one. The rows of a database are followed by a"
            " column, as in &by=COLUMN."
        )
        raise Misuse(msg)
    pinned = table and version.isdecimal()
    return scheme, table if pinned else place, int(version) if pinned else None


def _left(batch: str, what: str, scheme: str) -> SkippedBatch:
    place = "iceberg://…@SNAPSHOT" if scheme == "iceberg" else "delta://…@VERSION"
    return SkippedBatch(batch=batch, why="skipped", detail=f"{what}; check {place} by hand")


def _removed(files: int) -> list[str]:
    return [f"deleted or rewrote rows of {files} files; what was scored stays"] if files else []


# ----- Delta -----


def _versions_after(place: str, known: _Followed | None, start: int | None) -> Iterator[_Step]:
    with needs_extra("delta"):
        from ...expectations.readers.tables.delta import load_delta, open_delta
        from ...expectations.readers.tables.delta_folder import DeltaFolder
    folder = DeltaFolder(place)
    last = known.version if known and known.table == folder.place else start
    newest, last = load_delta(folder).version(), -1 if last is None else last
    if newest < last:
        msg = (
            f"{folder.place} is at version {newest}, and was followed to {last}: it is another "
            f"table. {_ANEW}"
        )
        raise Misuse(msg)
    for version in range(last + 1, newest + 1):
        change = _change(folder.log(version))
        added, told = (change[0], _removed(change[1])) if change else (set[str](), [_EXPIRED])
        opened = partial(open_delta, folder, version) if added and not told else None
        note = _Followed(table=folder.place, version=version)
        yield _Step(note, f"{Path(folder.place).name}-v{version:08d}.parquet", told, opened, added)


def _change(log: str | None) -> tuple[set[str], int] | None:
    """List the files that a version added, and count those that it took away."""
    if log is None:
        return None
    actions = [json.loads(line) for line in log.splitlines() if line.strip()]
    changed = [
        {kind: fields for kind, fields in action.items() if kind in ("add", "remove")}
        for action in actions
    ]
    real = [c for c in changed if any(f.get("dataChange", True) for f in c.values())]
    added = {visible(unquote(c["add"]["path"])) for c in real if "add" in c}
    return added, sum("remove" in c for c in real)


# ----- Iceberg -----


def _snapshots_after(place: str, known: _Followed | None, start: int | None) -> Iterator[_Step]:
    with needs_extra("iceberg"):
        from ...expectations.readers.tables import iceberg
    catalog, _, name = place.partition("/")
    table, url = iceberg.load_iceberg(catalog, name), f"iceberg://{place}"
    uuid, known = str(table.metadata.table_uuid), known if known and known.table == url else None
    last, order = (known.version, known.order) if known else (start, None)
    snapshots = iceberg.snapshots_after(table, last, order)
    if snapshots is None or (known and known.uuid != uuid):
        msg = (
            f"{url} has no snapshot {last} among those that led to its current one: it was rolled "
            f"back, or is another table. {_ANEW}"
        )
        raise Misuse(msg)
    for snapshot in snapshots:
        opened, removed = iceberg.added_by(table, snapshot)
        told = [] if iceberg.is_next(snapshot, last, order) else [_EXPIRED_BEFORE]
        last, order = snapshot.snapshot_id, iceberg.order_of(snapshot)
        note = _Followed(table=url, version=last, uuid=uuid, order=order)
        number = f"{order[0]:08d}" if order[0] else f"{0:08d}-{order[1]}"
        batch = f"{slug(name.rpartition('.')[2])}-s{number}-{last}.parquet"
        yield _Step(note, batch, told + _removed(removed), None if removed else opened)
