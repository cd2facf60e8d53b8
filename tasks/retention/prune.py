"""Free a feed of what is old: by name, under the batch's claim, and never of a receipt."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import polars as pl
from pydantic import BaseModel, ConfigDict

from ...expectations.errors import GateError, Misuse
from ..feed.receipt_files import receipt_table
from ..feed.safe_folders import refuse_unsafe_folders
from ..quarantine.entries import entries
from ..storage.atomic import flush, lexists, move, remove
from ..storage.claims import claimed
from ..storage.compaction import Compaction, compact
from ..storage.journal import is_planned, log_checkpoint
from ..storage.transaction import prepare
from .in_store import AT_WORK, StoredFeed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from ...expectations.stores.objects import Found
    from ..feed.feed import Feed

# ``quarantine``: entries that were released or discarded; ``undecided``: those that were not.
Kind = Literal["predictions", "quarantine", "undecided", "staging"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PUT_ASIDE = "put aside"  # a folder that is to be removed lies in staging, which runs clear
# What moves if nothing is named, because it can be moved back.
MOVED_BY_DEFAULT: tuple[Kind, ...] = ("predictions", "quarantine", "staging")
# In a store, where workers leave no staging: the folder, and the columns that name places in it.
_STORED: dict[Kind, tuple[str, tuple[str, ...]]] = {
    "predictions": ("scored", ("predictions",)),
    "quarantine": ("archive", ("released_to", "discarded_to")),
    "undecided": ("quarantine", ("quarantine",)),
}


class PrunePolicy(NamedTuple):
    """What of a feed is freed.

    Attributes:
        older_than: The age from which something is old.
        kinds: What to free; nothing by default, or ``MOVED_BY_DEFAULT`` if there is a folder.
        to: Folder to move it to, instead of removing it.
    """

    older_than: timedelta
    kinds: Collection[Kind] = ()
    to: Path | None = None

    @property
    def named(self) -> set[Kind]:
        """What is freed, defaults included."""
        return set(self.kinds or (MOVED_BY_DEFAULT if self.to else ()))


class Leftover(NamedTuple):
    """A file or folder that may be freed.

    Attributes:
        kind: What it is.
        batch: Id of its batch, whose claim protects it.
        path: Where it lies, in a store below the feed's address.
        bytes: Its size.
        objects: What it is made of there.
    """

    kind: Kind
    batch: str
    path: Path
    bytes: int
    objects: tuple[Found, ...] = ()


class Amount(BaseModel):
    """How much there is of something.

    Attributes:
        count: Files, or folders of a batch each.
        bytes: Their size.
    """

    model_config = ConfigDict(frozen=True)

    count: int = 0
    bytes: int = 0


class PruneSummary(BaseModel):
    """What was freed, or would be.

    Attributes:
        feed: The feed's name.
        before: Everything in it was finished before, in UTC.
        to: The folder that it was moved to; None if it was removed.
        receipts: Receipts that are in ledgers now instead of files.
        ledgers: These ledgers.
        freed: What was removed or moved, by kind.
        kept: What is as old and was not named, by kind.
        left: What stayed although it was named, and receipts that cannot be compacted; with why.
        dry_run: Whether nothing was done.
    """

    model_config = ConfigDict(frozen=True)

    feed: str
    before: datetime
    to: str | None = None
    receipts: Amount
    ledgers: tuple[str, ...] = ()
    freed: dict[str, Amount]
    kept: dict[str, Amount]
    left: tuple[str, ...] = ()
    dry_run: bool = False


def prune_feed(
    feed: Feed,
    policy: PrunePolicy,
    *,
    dry_run: bool = False,
    watch: Callable[[str, int, int], None] | None = None,
) -> PruneSummary:
    """Compact old receipts, and remove what is old of the kinds that are named.

    Receipts of a feed in a store are not compacted.

    Args:
        feed: The feed.
        policy: What to free; Misuse if its folder lies in the feed.
        dry_run: Whether to change nothing, and say what would be freed.
        watch: Called with an activity, and how much of it is done of how much.
    """
    refuse_unsafe_folders(feed.name, feed.folder_paths())
    _refuse_own_folder(feed, policy.to)
    before, told = datetime.now(UTC) - policy.older_than, watch or _unwatched
    stored, done = StoredFeed(feed) if feed.url else None, Compaction(0, 0, (), ())
    if not stored:
        watched = partial(told, "compacting receipts")
        done = compact(feed, before, dry_run=dry_run, watch=watched)
    found = list(_leftovers(feed, stored, before))
    chosen = [leftover for leftover in found if leftover.kind in policy.named]
    free = partial(_free_stored, stored) if stored else partial(_free_on_disk, feed)
    freed, left = (chosen, []) if dry_run else _free_all(free, chosen, policy.to, told)
    left += [f"{feed.receipts / name}: is no receipt, or not its ledger's" for name in done.kept]
    return PruneSummary(
        feed=feed.name,
        before=before,
        to=str(policy.to.absolute()) if policy.to else None,
        receipts=Amount(count=done.receipts, bytes=done.bytes),
        ledgers=tuple(map(str, done.ledgers)),
        freed=_amounts(freed),
        kept=_amounts([leftover for leftover in found if leftover.kind not in policy.named]),
        left=tuple(left),
        dry_run=dry_run,
    )


def _refuse_own_folder(feed: Feed, to: Path | None) -> None:
    for name, folder in feed.folder_paths().items() if to else ():
        if Path(to or "").resolve().is_relative_to(folder.resolve()):
            msg = f"{to} lies in {name} of feed {feed.name}. Name a folder that is not the feed's."
            raise Misuse(msg)


def _amounts(leftovers: list[Leftover]) -> dict[str, Amount]:
    sizes = {kind: [one.bytes for one in leftovers if one.kind == kind] for kind in KINDS}
    return {kind: Amount(count=len(of), bytes=sum(of)) for kind, of in sizes.items() if of}


# ----- what is old -----


def _leftovers(feed: Feed, stored: StoredFeed | None, before: datetime) -> Iterator[Leftover]:
    receipts = receipt_table(feed.receipts)
    if stored:
        yield from _stored_leftovers(stored, receipts, before)
        return
    for kind in ("predictions", "quarantine"):
        for found, batch in _old_places(receipts, before, _STORED[kind][1]).items():
            path = Path(os.path.normpath(feed.resolve(found)))
            if lexists(path) and _place(feed, path):
                yield _leftover(kind, batch, path)
    # What no receipt knows is not the feed's own.
    known = set(receipts["quarantine"].drop_nulls())
    for entry in entries(feed):
        if entry.since < before and feed.relative(entry.path) in known:
            yield _leftover("undecided", entry.batch, entry.path)
    for path in sorted(feed.staging.iterdir()) if feed.staging.is_dir() else ():
        if not is_planned(feed, path.name) and _newest(path) < before.timestamp():
            yield _leftover("staging", path.name, path)


def _stored_leftovers(
    stored: StoredFeed, receipts: pl.DataFrame, before: datetime
) -> Iterator[Leftover]:
    for kind, (home, columns) in _STORED.items():
        old = _old_places(receipts, before, columns)
        for place, found in sorted(stored.objects(home, old).items()):
            size = sum(one.size for one in found)
            yield Leftover(kind, old[place], Path(place), size, tuple(found))


def _old_places(
    receipts: pl.DataFrame, before: datetime, columns: tuple[str, ...]
) -> dict[str, str]:
    """Find the batch of each place that no young receipt names."""
    place = pl.coalesce(columns)
    by_place = receipts.select("batch", "finished", place=place).drop_nulls().group_by("place")
    newest = by_place.agg(pl.col("batch").first(), pl.col("finished").max())
    old = newest.filter(pl.col("finished") < before).sort("place")
    return dict(old.select("place", "batch").rows())


def _leftover(kind: Kind, batch: str, path: Path) -> Leftover:
    return Leftover(kind, batch, path, sum(file.lstat().st_size for file in _files_in(path)))


def _newest(path: Path) -> float:
    return max(file.lstat().st_mtime for file in (path, *_files_in(path)))


def _files_in(path: Path) -> Iterator[Path]:
    if path.is_symlink() or not path.is_dir():
        yield path
    else:
        yield from (Path(root) / name for root, _, names in os.walk(path) for name in names)


# ----- freeing -----


def _free_all(
    free: Callable[[Leftover, Path | None], bool],
    chosen: list[Leftover],
    to: Path | None,
    told: Callable[[str, int, int], None],
) -> tuple[list[Leftover], list[str]]:
    freed, left = list[Leftover](), list[str]()
    for number, leftover in enumerate(chosen, 1):
        try:
            if free(leftover, to):
                freed.append(leftover)
        except (OSError, GateError) as error:
            left.append(f"{leftover.path}: {error}")
        told("moving" if to else "removing", number, len(chosen))
    return freed, left


def _free_stored(stored: StoredFeed, leftover: Leftover, to: Path | None) -> bool:
    return stored.free(leftover.batch, leftover.objects, to and to.absolute())


def _free_on_disk(feed: Feed, leftover: Leftover, to: Path | None) -> bool:
    prepare(feed)
    with claimed(feed, leftover.batch) as won:
        if not won or is_planned(feed, leftover.batch):
            raise GateError(AT_WORK)
        if is_there := lexists(leftover.path):
            _free(feed, leftover, to)
    return is_there


def _free(feed: Feed, leftover: Leftover, to: Path | None) -> None:
    path, staged = leftover.path, feed.staged(leftover.batch)
    place = _place(feed, path)
    if to and place:
        move(path, to.absolute() / place)
    elif path.is_dir() and path != staged:
        # At once, and where the next run clears what a crash leaves of it.
        remove(staged)
        move(path, staged)
        log_checkpoint(leftover.batch, PUT_ASIDE)
        remove(staged)
    else:
        remove(path)
        flush(path.parent)


def _place(feed: Feed, path: Path) -> Path | None:
    """Name the place of a file of the feed's own below any folder; None for any other file."""
    for name, folder in feed.folder_paths().items():
        if path.is_relative_to(folder):
            return Path(name) / path.relative_to(folder)
    return None


def _unwatched(*_: object) -> None: ...
