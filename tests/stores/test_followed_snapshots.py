"""A feed that follows an Iceberg table: branches, rollbacks, expiry, and columns that change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import polars as pl
import pytest
from feeds import rows
from growing_tables import IcebergFlights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lake_tables import commit_file, delete_rows
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.types import IntegerType

from signature_gate.expectations.errors import Misuse
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.stores.followed import deliver_versions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog.sql import SqlCatalog
    from pyiceberg.table.snapshots import Snapshot

    MakeFeed = Callable[..., Feed]


@pytest.fixture(name="flights")
def iceberg_flights(lake: SqlCatalog, tmp_path: Path) -> IcebergFlights:
    """A table to which rows are appended."""
    return IcebergFlights(lake, tmp_path)


def delivered(feed: Feed) -> list[str]:
    """List the keys of each batch in the inbox, batch by batch."""
    files = sorted(feed.inbox.glob("*.parquet"))
    return ["".join(pl.read_parquet(file)["key"]) for file in files]


def told(feed: Feed) -> list[tuple[str, str]]:
    """Follow; list what was told, by the number of the batch and its first words."""
    return [
        (left.batch.split("-")[1], left.detail.split(":")[0]) for left in deliver_versions(feed)
    ]


def expire(flights: IcebergFlights, *snapshots: int, keep_parents: bool = False) -> None:
    """Expire snapshots, by their place among those that the table knows.

    Pyiceberg takes their numbers away from their children; other clients keep them there.
    """
    parents = {s.snapshot_id: s.parent_snapshot_id for s in flights.table.snapshots()}
    flights.table.maintenance.expire_snapshots().by_ids([[*parents][n] for n in snapshots]).commit()
    if keep_parents:
        place = Path(flights.table.metadata_location.removeprefix("file://"))
        metadata = json.loads(place.read_text())
        for snapshot in metadata["snapshots"]:
            snapshot["parent-snapshot-id"] = parents[snapshot["snapshot-id"]]
        place.write_text(json.dumps(metadata))


def roll_back(flights: IcebergFlights) -> None:
    """Make the parent of the current snapshot the current one."""
    parent = _current(flights).parent_snapshot_id
    assert parent is not None
    flights.table.manage_snapshots().rollback_to_snapshot(parent).commit()


# ----- branches -----


def test_what_is_on_another_branch_comes_when_main_has_it(
    make_feed: MakeFeed, flights: IcebergFlights
) -> None:
    """Rows that are audited first: no run takes them before, and then each comes once."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    first = flights.version()
    flights.table.manage_snapshots().create_branch(first, "audit").commit()
    flights.table.append(rows(1, key=["b"]).to_arrow(), branch="audit")
    flights.table.append(rows(1, key=["c"]).to_arrow(), branch="audit")

    deliver_versions(feed)
    assert delivered(feed) == ["a"]
    flights.table.manage_snapshots().set_current_snapshot(ref_name="audit").commit()
    assert deliver_versions(feed) == []

    assert delivered(feed) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "then", ["nothing", "append", "append, expire 0", "append, expire 1", "remove"]
)
def test_a_table_that_was_rolled_back_is_refused(
    make_feed: MakeFeed, flights: IcebergFlights, then: str
) -> None:
    """Rows that were scored are no more in it: somebody decides; nothing is delivered meanwhile."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    flights.append("b")
    deliver_versions(feed)
    roll_back(flights)
    if "append" in then:
        flights.append("c")
    if "expire" in then:
        expire(flights, int(then[-1]))
    if then == "remove":
        flights.make_anew()
        flights.append("c")
        flights.append("d")

    with pytest.raises(Misuse, match=r"rolled back, or is another table\. Begin anew") as error:
        deliver_versions(feed)

    assert ".followed.json" in str(error.value)
    assert delivered(feed) == ["a", "b"]


def test_the_remedy_after_a_rollback_delivers_what_is_new(
    make_feed: MakeFeed, flights: IcebergFlights
) -> None:
    """Without the note it is followed from the start, and what lies in the inbox is the same."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    flights.append("b")
    deliver_versions(feed)
    roll_back(flights)
    flights.append("c")

    (feed.receipts / ".followed.json").unlink()
    deliver_versions(feed)

    assert delivered(feed) == ["a", "b", "c"]


def test_a_table_of_the_same_snapshots_is_another_one(
    make_feed: MakeFeed, flights: IcebergFlights, lake: SqlCatalog
) -> None:
    """By its uuid: a copy of a table goes its own way."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    deliver_versions(feed)
    place = flights.table.metadata_location
    text = lake.load_table("sales.flights").io.new_input(place).open().read().decode()
    copied = place.replace("00001", "00002")
    other = text.replace(str(flights.table.metadata.table_uuid), str(uuid4()))
    with lake.load_table("sales.flights").io.new_output(copied).create() as file:
        file.write(other.encode())
    lake.drop_table("sales.flights")
    lake.register_table("sales.flights", copied)
    flights.append("b")

    with pytest.raises(Misuse, match="is another table"):
        deliver_versions(feed)


def test_a_start_that_is_no_snapshot_of_the_table_is_refused(
    make_feed: MakeFeed, flights: IcebergFlights
) -> None:
    """A slip of the pen does not deliver the whole table."""
    feed = make_feed(follow=f"{flights.follow}@5")
    flights.append("a")

    with pytest.raises(Misuse, match="has no snapshot 5 among those that led to its current one"):
        deliver_versions(feed)

    assert delivered(feed) == []


# ----- what has expired -----


@pytest.mark.parametrize("keep_parents", [False, True])
def test_snapshots_that_expired_unseen_are_told_once(
    make_feed: MakeFeed, flights: IcebergFlights, keep_parents: bool
) -> None:
    """What they added nobody can say; what came after is delivered."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    deliver_versions(feed)
    for key in "bcd":
        flights.append(key)
    expire(flights, 0, 1, 2, keep_parents=keep_parents)

    before = told(feed)
    flights.append("e")
    after = told(feed)

    assert before == [("s00000004", "snapshots before it may have expired")]
    assert after == []
    assert delivered(feed) == ["a", "d", "e"]


@pytest.mark.parametrize("keep_parents", [False, True])
def test_snapshots_that_expired_once_seen_are_no_matter(
    make_feed: MakeFeed, flights: IcebergFlights, keep_parents: bool
) -> None:
    """The last one that was followed too: its child names it, or has the next number."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    flights.append("b")
    deliver_versions(feed)
    flights.append("c")
    expire(flights, 0, 1, keep_parents=keep_parents)

    assert told(feed) == []
    assert delivered(feed) == ["a", "b", "c"]


@pytest.mark.parametrize("keep_parents", [False, True])
def test_a_table_whose_past_had_expired_says_so(
    make_feed: MakeFeed, flights: IcebergFlights, keep_parents: bool
) -> None:
    """A feed that begins with the whole table has less than that."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    flights.append("b")
    expire(flights, 0, keep_parents=keep_parents)

    assert told(feed) == [("s00000002", "snapshots before it may have expired")]
    assert delivered(feed) == ["b"]


def test_tables_without_sequence_numbers_are_followed_in_order(
    make_feed: MakeFeed, lake: SqlCatalog, tmp_path: Path
) -> None:
    """Those of format version 1: by their time, also over what has expired."""
    flights = IcebergFlights(lake, tmp_path, **{"format-version": "1"})
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    flights.append("b")
    assert deliver_versions(feed) == []
    flights.append("c")
    flights.append("d")
    expire(flights, 0, 1, 2)
    assert told(feed) == [("s00000000", "snapshots before it may have expired")]
    with flights.table.transaction() as transaction:
        transaction.upgrade_table_version(2)
    flights.append("e")
    assert told(feed) == []

    assert delivered(feed) == ["a", "b", "d", "e"]


# ----- which rows are new -----


def test_a_batch_has_the_columns_of_its_snapshot(
    make_feed: MakeFeed, flights: IcebergFlights
) -> None:
    """Though all are delivered later, when the table has others."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    with flights.table.update_schema() as update:
        update.add_column("gate", IntegerType())
        update.rename_column("n", "number")
    flights.table.append(rows(1, key=["b"]).rename({"n": "number"}).to_arrow())
    with flights.table.update_schema() as update:
        update.delete_column("a")

    deliver_versions(feed)

    files = sorted(feed.inbox.glob("*.parquet"))
    assert [pl.read_parquet_schema(file).names() for file in files] == [
        ["a", "n", "key"],
        ["a", "number", "key", "gate"],
    ]
    assert delivered(feed) == ["a", "b"]


def test_rows_deleted_by_position_are_told(
    make_feed: MakeFeed, flights: IcebergFlights, tmp_path: Path
) -> None:
    """No data file was taken away, and rows were: as other engines delete."""
    feed = make_feed(follow=flights.follow)
    flights.append("a", "b")
    deliver_versions(feed)
    [task] = flights.table.scan().plan_files()
    delete_rows(flights.table, tmp_path, {task.file.file_path: [0]})
    flights.append("c")

    [(batch, what)] = told(feed)

    assert (batch, what[:34]) == ("s00000002", "deleted or rewrote rows of 1 files")
    assert delivered(feed) == ["ab", "c"]


def test_an_overwrite_that_takes_nothing_away_is_delivered(
    make_feed: MakeFeed, flights: IcebergFlights, tmp_path: Path
) -> None:
    """As when Spark overwrites a partition that is new: all its rows are."""
    feed = make_feed(follow=flights.follow)
    flights.append("a")
    schema = schema_to_pyarrow(flights.table.schema())
    new = rows(1, key=["b"]).to_arrow().cast(schema)
    commit_file(flights.table, tmp_path / "b.parquet", new, instead_of=[])

    summary = _current(flights).summary
    assert summary is not None
    assert summary.operation.value == "overwrite"
    assert told(feed) == []
    assert delivered(feed) == ["a", "b"]


@pytest.mark.parametrize("how", ["overwrite", "upsert"])
def test_what_pyiceberg_overwrites_is_told_and_comes_again(
    make_feed: MakeFeed, flights: IcebergFlights, how: str
) -> None:
    """It deletes in one snapshot and appends in another, as if the rows were new."""
    feed = make_feed(follow=flights.follow)
    flights.append("a", "b")
    deliver_versions(feed)
    new = rows(1, key=["b"], n=[7]).to_arrow()
    if how == "overwrite":
        flights.table.overwrite(new, "key == 'b'")
    else:
        flights.table.upsert(new, ["key"])

    assert [words[:23] for _, words in told(feed)] == ["deleted or rewrote rows"]
    assert delivered(feed) == ["ab", "b"]


def test_manifests_that_were_put_together_add_no_rows(
    make_feed: MakeFeed, lake: SqlCatalog, tmp_path: Path
) -> None:
    """An append may write the files of older ones into its own manifest."""
    merging = {"commit.manifest-merge.enabled": "true", "commit.manifest.min-count-to-merge": "2"}
    flights = IcebergFlights(lake, tmp_path, **merging)
    for key in "abc":
        flights.append(key)
    assert len(flights.table.inspect.manifests()) == 1

    deliver_versions(feed := make_feed(follow=flights.follow))

    assert delivered(feed) == ["a", "b", "c"]


STEPS = ["append", "append", "append", "compact", "delete", "branch", "expire", "run", "run"]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.sampled_from(STEPS), max_size=8))
def test_each_appended_row_comes_once_or_is_told(
    lake: SqlCatalog, tmp_path_factory: pytest.TempPathFactory, steps: list[str]
) -> None:
    """Whatever else is done to the table between two runs, and whenever these are."""
    folder = tmp_path_factory.mktemp("flights")
    (folder / "inbox").mkdir()
    if lake.table_exists("sales.flights"):
        lake.drop_table("sales.flights")
    flights = IcebergFlights(lake, folder)
    fields = {"name": "f", "model": "m", "root": str(folder), "follow": flights.follow}
    feed, expected, what_is_told = Feed.parse(fields), list[str](), list[str]()
    # What each snapshot adds that no run has seen: keys, none by a compaction, None if it deletes.
    unseen: list[str | None] = ["a"]
    flights.append("a")
    for key, step in zip("bcdefghij", [*steps, "run"], strict=False):
        if step == "run":
            what_is_told += ["deleted or rewrote rows"] * unseen.count(None)
            expected += [keys for keys in unseen if keys]
            assert [left.detail[:23] for left in deliver_versions(feed)] == what_is_told
            unseen, what_is_told = [], []
        elif step == "expire":
            [_, *past] = ancestors_of(_current(flights), flights.table.metadata)
            expire(flights, *map(flights.table.snapshots().index, past), keep_parents=True)
            what_is_told += ["snapshots before it may"] if len(unseen) > 1 else []
            unseen, what_is_told = unseen[-1:], what_is_told[:1]
        elif step == "branch":
            if "audit" not in flights.table.refs():
                flights.table.manage_snapshots().create_branch(flights.version(), "audit").commit()
            flights.table.append(rows(1, key=[key]).to_arrow(), branch="audit")
        else:
            unseen += _write(flights, step, key)

    assert delivered(feed) == expected


def _write(flights: IcebergFlights, step: str, key: str) -> list[str | None]:
    if step == "compact":
        flights.compact()
        return [""]
    flights.append(key, "-")
    if step == "append":
        return [f"{key}-"]
    flights.delete("-")
    return [f"{key}-", None]


def _current(flights: IcebergFlights) -> Snapshot:
    current = flights.table.current_snapshot()
    assert current is not None
    return current
