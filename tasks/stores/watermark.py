"""A feed that follows a table by a column that grows: the rows above the last mark are a batch.

How far a batch goes is read once, and written down before it is made: whoever repeats it after a
crash takes the same range. Rows that come later with a value below the mark are in no batch: they
are counted and told, as are those without a value.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
from pydantic import BaseModel, ConfigDict

from ...expectations.batch.batch import OpenedBatch
from ...expectations.batch.columns import exact_col
from ...expectations.errors import Misuse
from ...expectations.escaping import slug, visible
from ...expectations.readers.sql.query import Query
from ...expectations.readers.sql.spool import open_query
from ...expectations.readers.tables.location import open_delta_folder, open_table
from ...expectations.stores.scored_table import quoted
from ..feed.inbox import SkippedBatch
from .delivery import is_delivered, publish_rows
from .documents import written_alone

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from ...expectations.contract.policy import Policy
    from ...expectations.stores.scored_table import ScoredTable
    from ..feed.feed import Feed

_STATE = ".watermark.json"
_SHOWN = 40
_LAST = ("nan", "inf", "infinity", "9.0e+999")  # the last one is SQLite's
_Mark = int | float | str | None


class _Marked(BaseModel):
    """How far a table was followed, and the batch that goes so far."""

    model_config = ConfigDict(frozen=True)

    table: str
    number: int = -1
    batch: str = ""
    low: _Mark = None
    high: _Mark = None  # its rows are above the one, up to the other
    words: str = ""
    seen: int = 0  # when the mark was read
    late: int = 0
    nulls: int = 0
    made: bool = True


class _Look(NamedTuple):
    """What one look at a table found: its highest mark, in words too, and how many rows."""

    high: _Mark
    words: str
    seen: int
    below: int
    nulls: int


def deliver_rows(feed: Feed, table: ScoredTable) -> list[SkippedBatch]:
    """Write the rows above the last mark of a table into the inbox, as one batch; tell others."""
    kind = _Lake if table.scheme in ("delta", "iceberg") else _Database
    source = kind(table, feed.policy)
    with written_alone(feed, _STATE) as note:
        last = note.record(_Marked, "note of a followed table")
        if last is None or last.table != table.url:
            last = _Marked(table=table.url)
        marked = _next(source, table, last, redact=feed.policy.redact) if last.made else last
        if marked is None:
            return []
        note.write(marked.model_dump_json())
        if last.made or not is_delivered(feed, marked.batch):
            publish_rows(feed, marked.batch, source.rows(marked.low, marked.high))
        note.write(marked.model_copy(update={"made": True}).model_dump_json())
    return list(_told(marked, table.by))


def _next(
    source: _Database | _Lake, table: ScoredTable, last: _Marked, *, redact: bool
) -> _Marked | None:
    look = source.look(last.high)
    if look is None:
        return None
    if look.words.lower() in _LAST:
        msg = (
            f"{table.url}: no row comes after {look.words} in {visible(table.by)}. Mend those rows."
        )
        raise Misuse(msg)
    number = last.number + 1
    ends = (slug(words)[:_SHOWN] for words in (last.words or "start", look.words))
    name = [slug(table.name or Path(table.place).name), f"{number:08d}"]
    name += [] if redact else ["_to_".join(ends)]
    return _Marked(
        table=last.table,
        number=number,
        batch=f"{'-'.join(name)}.parquet",
        low=last.high,
        high=look.high,
        words="" if redact else look.words,
        seen=look.seen,
        late=max(look.below - last.seen, 0),
        nulls=look.nulls,
        made=False,
    )


def _told(marked: _Marked, by: str) -> Iterator[SkippedBatch]:
    came = f"came late: the batch before goes above their values of {visible(by)}"
    found = {came: marked.late, f"have no value in {visible(by)}": marked.nulls}
    for what, rows in found.items():
        if rows:
            detail = f"{rows:,} rows of the table {what}; they are in no batch"
            yield SkippedBatch(batch=marked.batch, why="skipped", detail=detail)


class _Database:
    """A table or view of a database, whose marks are literals of its SQL."""

    def __init__(self, table: ScoredTable, policy: Policy) -> None:
        self._from, self._url, self._policy = f"from {table.quoted} as t", table.database, policy
        # The prefix keeps SQLite from taking a name that is not there for text.
        self._by = f"t.{quoted(table.by)}"
        text = f"replace(cast(max({self._by}) as text), '''', '''''')"
        is_sqlite = table.scheme == "sqlite"
        self._high = f"quote(max({self._by}))" if is_sqlite else f"'''' || {text} || ''''"

    def look(self, low: _Mark) -> _Look | None:
        by = self._by
        above = f"{by} is not null" if low is None else f"{by} > {low}"
        if not self._run(f"select 1 as one {self._from} where {above} limit 1").collect().height:
            return None
        below = "0" if low is None else f"count(case when {by} <= {low} then 1 end)"
        counts = f"count({by}) as seen, {below} as below, count(*) - count({by}) as nulls"
        found = self._run(f"select {self._high} as high, {counts} {self._from}").collect()
        high, seen, below, nulls = found.row(0)
        return _Look(high, str(high).strip("'"), seen, below, nulls)

    def rows(self, low: _Mark, high: _Mark) -> pl.LazyFrame:
        above = "" if low is None else f"{self._by} > {low} and "
        sql = f"select * {self._from} where {above}{self._by} <= {high}"
        return self._run(sql)

    def _run(self, sql: str) -> pl.LazyFrame:
        # The file of its rows lasts as long as the batch.
        self._batch = open_query(Query(self._url, sql), self._policy)
        return frame_of(OpenedBatch(self._batch.info, (self._batch,)))


class _Lake:
    """The newest version of a lake's table, whose marks are numbers or text, as they are stored."""

    def __init__(self, table: ScoredTable, _: Policy) -> None:
        is_delta, by = table.scheme == "delta", table.by
        opened = open_delta_folder(table.place) if is_delta else open_table(table.database)
        self._frame = frame_of(opened)
        if by not in self._frame.collect_schema().names():
            msg = f"{table.database} has no column {visible(by)}. Mend `follow`."
            raise Misuse(msg)
        self._by = exact_col(by)

    def look(self, low: _Mark) -> _Look | None:
        cells = self._by.to_physical()
        words = self._by.nan_max().cast(pl.String)
        below = pl.lit(0) if low is None else (cells <= low).sum()
        counts = [self._by.count(), below, self._by.null_count()]
        wanted = dict(zip(_Look._fields, [cells.max(), words, *counts], strict=True))
        found = _Look(*self._frame.select(**wanted).collect(engine="streaming").row(0))
        return found if found.seen > found.below else None

    def rows(self, low: _Mark, high: _Mark) -> pl.LazyFrame:
        cells = self._by.to_physical()
        taken = cells <= high if low is None else (cells > low) & (cells <= high)
        return self._frame.filter(taken)


def frame_of(table: OpenedBatch, only: Container[str] | None = None) -> pl.LazyFrame:
    """Select the rows of a table, or of some files of it; UnreadableError if one is gone."""
    for name, error in table.unreadable:
        if only is None or name in only:
            raise error
    files = (file for file in table.files if only is None or file.info.name in only)
    return pl.concat(file.scan().select(map(exact_col, file.sources)) for file in files)
