"""A feed that follows a table by a column that grows: the rows above the last mark are a batch.

How far a batch goes is read once, and written down before it is made: whoever repeats it after a
crash takes the same range. Rows that come later with a value below the mark are in no batch: they
are counted and told, as are those without a value.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, Protocol

import polars as pl
from pydantic import BaseModel, ConfigDict

from ...expectations.batch.columns import exact_col
from ...expectations.errors import Misuse
from ...expectations.escaping import slug, visible
from ...expectations.readers.sql.query import Query, is_database
from ...expectations.readers.sql.spool import open_query
from ...expectations.readers.tables.location import open_delta_folder
from ...expectations.stores.scored_table import parse_table, quoted
from ..feed.inbox import SkippedBatch
from ..feed.receipt_store import ReceiptStore
from ..feed.records import read_record
from ..storage.atomic import atomic_write, lexists, locked
from .deliveries import frame_of, publish_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ...expectations.contract.policy import Policy
    from ...expectations.stores.scored_table import ScoredTable
    from ..feed.feed import Feed

_STATE = ".watermark.json"
_SHOWN = 40
_Mark = int | float | str | None


class _Marked(BaseModel):
    """How far a table was followed, and the batch that goes so far.

    Attributes:
        table: As the feed names it.
        number: Of the batch.
        batch: Its name.
        low: The mark above which its rows are; None for the first batch.
        high: The mark up to which they are.
        words: The same in words.
        seen: Rows up to there when the mark was read.
        late: Rows that were up to ``low``, and were not when that mark was read.
        nulls: Rows without a value.
        made: Whether the batch was delivered.
    """

    model_config = ConfigDict(frozen=True)

    table: str
    number: int = -1
    batch: str = ""
    low: _Mark = None
    high: _Mark = None
    words: str = ""
    seen: int = 0
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


class _Source(Protocol):
    def look(self, low: _Mark) -> _Look | None:
        """Look how far a table goes; None if no row is above a mark."""
        ...

    def rows(self, low: _Mark, high: _Mark) -> pl.LazyFrame:
        """Select the rows above a mark, up to another."""
        ...


def deliver_rows(feed: Feed, follow: str, by: str) -> list[SkippedBatch]:
    """Write the rows above the last mark of a table into the inbox, as one batch; tell others."""
    table = _table(follow)
    opened = _Database if is_database(follow) else _Delta
    source, state = opened(table, by, feed.policy), feed.receipts / _STATE
    with locked(state):
        last = read_record(state, _Marked, "note of a followed table")
        if last is None or last.table != f"{follow} by {by}":
            last = _Marked(table=f"{follow} by {by}")
        marked = _next(source, table, last, redact=feed.policy.redact) if last.made else last
        if marked is None:
            return []
        atomic_write(state, marked.model_dump_json())
        path = feed.inbox / marked.batch
        if last.made or not (lexists(path) or _is_known(feed, marked.batch)):
            publish_rows(path, source.rows(marked.low, marked.high))
        atomic_write(state, marked.model_copy(update={"made": True}).model_dump_json())
    return list(_told(marked, by))


def _table(follow: str) -> ScoredTable:
    with suppress(ValueError):
        table = parse_table(follow)
        if table.scheme != "iceberg":
            return table
    msg = (
        "follow: by a column the gate follows delta://PATH?by=COLUMN, duckdb:///FILE?table=NAME&by"
        "=COLUMN, sqlite and postgresql://HOST/DATABASE likewise; leave a password to PGPASSWORD."
    )
    raise Misuse(msg)


def _is_known(feed: Feed, name: str) -> bool:
    return bool(ReceiptStore(feed).indexed().deliveries(name).heads)


def _next(source: _Source, table: ScoredTable, last: _Marked, *, redact: bool) -> _Marked | None:
    look = source.look(last.high)
    if look is None:
        return None
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

    def __init__(self, table: ScoredTable, by: str, policy: Policy) -> None:
        url = table.place if table.scheme == "postgresql" else f"{table.scheme}:///{table.place}"
        self._from, self._query = f"from {table.quoted} as t", partial(Query, url)
        self._policy = policy
        # The prefix keeps SQLite from taking a name that is not there for text.
        self._by = f"t.{quoted(by)}"
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
        self._batch = open_query(self._query(sql), self._policy)
        return frame_of([self._batch])


class _Delta:
    """The newest version of a Delta table, whose marks are numbers or text, as they are stored."""

    def __init__(self, table: ScoredTable, by: str, _: Policy) -> None:
        files = open_delta_folder(table.place).files
        self._frame = frame_of(files) if files else pl.LazyFrame(schema={by: pl.Null})
        if by not in self._frame.collect_schema().names():
            msg = f"delta://{table.place} has no column {visible(by)}. Mend `follow`."
            raise Misuse(msg)
        self._by = exact_col(by)

    def look(self, low: _Mark) -> _Look | None:
        cells = self._by.to_physical()
        words = self._by.max().cast(pl.String)
        below = pl.lit(0) if low is None else (cells <= low).sum()
        counts = [self._by.count(), below, self._by.null_count()]
        wanted = dict(zip(_Look._fields, [cells.max(), words, *counts], strict=True))
        found = _Look(*self._frame.select(**wanted).collect(engine="streaming").row(0))
        return found if found.seen > found.below else None

    def rows(self, low: _Mark, high: _Mark) -> pl.LazyFrame:
        cells = self._by.to_physical()
        taken = cells <= high if low is None else (cells > low) & (cells <= high)
        return self._frame.filter(taken)
