"""A feed whose inbox, outputs and receipts are objects of a bucket."""

from __future__ import annotations

import json
import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from threading import Barrier
from typing import TYPE_CHECKING, Any

import boto3
import polars as pl
import pytest
from feeds import gaps, rows
from kept_feeds import content, deliver_to, keys_of_rows, receipts_of, unnamed
from killed_process import score_and_die, start_command
from live_object_store import SECRET, keys, put

from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import InvalidFeed, StoreUnavailable
from signature_gate.expectations.stores.objects import ObjectStore
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.history import recent_receipts
from signature_gate.tasks.quarantine.discard import discard_batch
from signature_gate.tasks.quarantine.entries import REPORT, VERDICT, entry_names
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.stores.feed_runs import at_hand

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.expectations.stores.objects import Found

    MakeFeed = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5, "keep": ["key"]}
# Name of a batch -> its objects below the inbox.
DELIVERED: dict[str, dict[str, pl.DataFrame | bytes]] = {
    "good.parquet": {"good.parquet": rows(5)},
    "some.parquet": {"some.parquet": gaps(6, nulls=2)},
    "bad.parquet": {"bad.parquet": pl.DataFrame({"key": ["z"], "other": [1]})},
    "text.csv": {"text.csv": rows(4)},
    "ä b+c%20&=#1.parquet": {"ä b+c%20&=#1.parquet": pl.DataFrame({"key": ["y"], "z": [1]})},
    "torn.parquet": {"torn.parquet": b"PAR1 and no more"},
    "day": {"day/1.parquet": rows(2), "day/2.parquet": gaps(4, nulls=1), "day/_SUCCESS": b""},
}


def delivered(feed: Feed) -> Feed:
    """Deliver each kind of batch."""
    for objects in DELIVERED.values():
        for name, body in objects.items():
            if not feed.url:
                (feed.inbox / name).parent.mkdir(exist_ok=True)
            deliver_to(feed, name, body)
    return feed


def test_a_feed_in_a_store_fares_as_one_on_a_disk(
    make_feed: MakeFeed, store_feed: MakeFeed
) -> None:
    """The same batches have the same dispositions, verdicts, predictions and rejected rows."""
    disk, store = delivered(make_feed(policy=SPLIT)), delivered(store_feed(policy=SPLIT))

    here, there = score_feed(disk), score_feed(store)

    assert [r.batch.name for r in there.receipts] == sorted(DELIVERED)
    for one, other in zip(here.receipts, there.receipts, strict=True):
        assert (one.disposition, one.rows_in, one.outputs.scored, one.outputs.rejected) == (
            other.disposition,
            other.rows_in,
            other.outputs.scored,
            other.outputs.rejected,
        )
        assert one.verdict
        assert other.verdict
        assert one.verdict.violations == other.verdict.violations
        assert other.verdict.batch.uri == f"{store.url}/inbox/{one.batch.name}"
    assert keys_of_rows(disk) == keys_of_rows(store)
    assert unnamed(store) == set()
    assert score_feed(store).done == 4  # the others have left the inbox


def test_what_a_run_has_read_is_not_read_again(
    store_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a hundred batches that are done a run lists the inbox, and asks for none of them."""
    feed = store_feed()
    for n in range(3):
        put(feed, f"{n}.parquet", rows(2))
    score_feed(feed)
    asked = list[str]()
    for name in ("read", "head", "list"):
        _counted(monkeypatch, name, asked)

    assert score_feed(feed).done == 3
    assert asked == ["read receipts/.feed", "list inbox", "list untold", "list claims"]


def _counted(monkeypatch: pytest.MonkeyPatch, name: str, asked: list[str]) -> None:
    plain = getattr(ObjectStore, name)

    def counted(store: ObjectStore, key: str = "") -> Any:
        asked.append(f"{name} {key}")
        return plain(store, key)

    monkeypatch.setattr(ObjectStore, name, counted)


def test_a_batch_takes_few_requests(store_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the look into the inbox: two for the lease, one for each thing read or written."""
    feed = store_feed()
    put(feed, "a.parquet", rows(2))
    asked = list[str]()
    for name in ("read", "head", "list", "create", "write", "upload", "delete", "download"):
        _requests(monkeypatch, name, asked)

    score_feed(feed)

    of_batch = asked[asked.index("create claims") :]
    assert len(of_batch) <= 12, of_batch


def _requests(monkeypatch: pytest.MonkeyPatch, name: str, asked: list[str]) -> None:
    plain = getattr(ObjectStore, name)

    def counted(store: ObjectStore, *arguments: Any) -> Any:
        place = next((str(getattr(a, "key", a)) for a in arguments if not isinstance(a, Path)), "")
        asked.append(f"{name} {place.partition('/')[0]}")
        return plain(store, *arguments)

    monkeypatch.setattr(ObjectStore, name, counted)


def test_a_folder_of_objects_waits_for_its_marker(store_feed: MakeFeed) -> None:
    """Objects appear one by one; the batch is whole once its marker says so."""
    feed = store_feed()
    put(feed, "day/1.parquet", rows(2))

    [waiting] = score_feed(feed).left
    put(feed, "day/_SUCCESS", b"")
    [receipt] = score_feed(feed).receipts

    assert (waiting.batch, waiting.why) == ("day", "unsettled")
    assert "create day/_SUCCESS" in waiting.detail
    assert receipt.disposition == "passed"


def test_scored_batches_leave_the_inbox_for_the_archive(store_feed: MakeFeed) -> None:
    """Copied first, and deleted from the inbox once the receipt is there."""
    feed = store_feed(archive=True)
    put(feed, "a.parquet", rows(2))

    [receipt] = score_feed(feed).receipts

    assert keys(feed, "inbox") == set()
    assert receipt.outputs.batch in keys(feed, "archive")


def test_a_later_delivery_under_the_same_name_is_a_batch_of_its_own(store_feed: MakeFeed) -> None:
    """Also when it comes between the commit and the removal of the first one: it stays."""
    feed = store_feed(archive=True)
    put(feed, "a.parquet", rows(2))
    score_feed(feed)
    put(feed, "a.parquet", rows(3, key=["x", "y", "z"]))

    [receipt] = score_feed(feed).receipts

    assert receipt.supersedes
    assert keys_of_rows(feed)[0].total() == 5


def test_another_machine_knows_what_is_done(store_feed: MakeFeed, move: Callable[[], None]) -> None:
    """What one machine keeps of receipts another reads anew; a bucket that was wiped is empty."""
    feed = store_feed()
    put(feed, "a.parquet", rows(2))
    score_feed(feed)
    move()

    assert score_feed(feed).done == 1

    for key in keys(feed) - {"inbox/a.parquet"}:
        ObjectStore(feed.root).delete(key)
    assert len(score_feed(feed).receipts) == 1


def test_many_that_come_to_a_new_machine_at_once_know_what_is_done(store_feed: MakeFeed) -> None:
    """One of them makes the folder in which receipts are kept; none removes what another keeps."""
    feed, together = store_feed(), Barrier(16)
    for name in ("a", "b", "c"):
        put(feed, f"{name}.parquet", rows(2))
    score_feed(feed)

    def look(_: int) -> list[str]:
        together.wait()
        return sorted(receipt.batch.name for receipt in recent_receipts(at_hand(feed)))

    for _ in range(3):
        shutil.rmtree(feed.receipts)
        with ThreadPoolExecutor(16) as pool:
            assert {*map(tuple, pool.map(look, range(16)))} == {
                ("a.parquet", "b.parquet", "c.parquet")
            }


def test_a_report_that_was_fetched_in_part_is_fetched_again(
    store_feed: MakeFeed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the next who looks, after the first one was killed."""
    feed = store_feed()
    put(feed, "bad.parquet", DELIVERED["bad.parquet"]["bad.parquet"])
    score_feed(feed)

    def die(_: ObjectStore, __: Found, path: Path) -> None:
        path.write_text('{"half": ')
        raise SystemExit

    with monkeypatch.context() as killed:
        killed.setattr(ObjectStore, "download", die)
        with pytest.raises(SystemExit):
            at_hand(feed)

    here = at_hand(feed)
    (name,) = entry_names(here)
    reports = [here.quarantined(name) / each for each in (VERDICT, REPORT)]
    assert all(len(report.read_text()) > 100 for report in reports)


def test_a_content_that_is_done_is_skipped_under_another_name(
    store_feed: MakeFeed, move: Callable[[], None]
) -> None:
    """As on a disk: in the same run, in a later one, and where another machine had scored it."""
    feed = store_feed(on_duplicate="skip", archive=True)
    put(feed, "a.parquet", rows(3))
    put(feed, "b.parquet", rows(3))
    first = score_feed(feed)
    move()
    put(feed, "c.parquet", rows(3))

    second = score_feed(feed)

    assert [r.batch.name for r in (*first.receipts, *second.receipts)] == ["a.parquet"]
    assert [(s.batch, s.why) for s in second.left] == [
        ("b.parquet", "duplicate"),
        ("c.parquet", "duplicate"),
    ]


def test_a_model_that_raises_leaves_the_batch_for_another_attempt(
    store_feed: MakeFeed, moody: str
) -> None:
    """The failure is recorded in the store, and counts until the batch is parked."""
    feed = store_feed(model=moody, params={"mood": "raise"}, max_attempts=2)
    put(feed, "a.parquet", rows(2))

    ends = [[r.disposition for r in score_feed(feed).receipts] for _ in range(3)]

    assert ends == [["errored"], ["errored"], []]
    assert [left.why for left in score_feed(feed).left] == ["parked"]
    assert keys(feed, "inbox") == {"inbox/a.parquet"}


def test_an_entry_is_released_by_the_name_of_its_batch(store_feed: MakeFeed) -> None:
    """A repaired file is scored in its place; the entry goes to the archive."""
    feed = store_feed(policy=SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    score_feed(feed)
    repaired = Path(at_hand(feed).root) / "repaired.parquet"
    rows(1).write_parquet(repaired)

    receipt = release_batch(feed, "bad.parquet", ReleaseOptions(file=repaired))

    assert receipt.disposition == "passed"
    assert keys(feed, "quarantine") == set()
    assert receipt.release
    assert receipt.release.archive
    assert any(key.startswith(receipt.release.archive) for key in keys(feed, "archive"))
    assert [r.attempt for r in receipts_of(feed)] == [1, 2]


@pytest.mark.parametrize(("point", "times"), [("uploaded", 1), ("uploaded", 3), ("committed", 1)])
def test_a_release_that_died_leaves_nothing(
    store_feed: MakeFeed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    point: str,
    times: int,
) -> None:
    """It can be released again, which removes what no receipt names; each row is scored once."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "1")
    feed = store_feed(policy=SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    score_feed(feed)
    gaps(6, nulls=2).write_parquet(tmp_path / "repaired.parquet")
    (tmp_path / "feed.yaml").write_text(feed.model_dump_json(exclude_unset=True))
    command = ["quarantine", "release", str(tmp_path / "feed.yaml"), "bad.parquet"]
    command += ["--file", str(tmp_path / "repaired.parquet")]

    for at in (point, "never"):
        start_command(command, tmp_path / "log", at, times).join(120)
        time.sleep(3)  # the clock of the store counts whole seconds
    score_feed(feed)

    places = [r.outputs.predictions for r in receipts_of(feed)]
    scored = [pl.read_parquet(BytesIO(content(feed, place))) for place in places if place]
    assert pl.concat(scored)["key"].to_list() == ["k2", "k3", "k4", "k5"]
    assert unnamed(feed) == set()


def test_a_release_that_slept_through_a_run_is_whole(
    store_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run finds its lease lapsed, and takes nothing of what it may still commit."""
    feed = store_feed(policy=SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    score_feed(feed)
    gaps(6, nulls=2).write_parquet(tmp_path / "repaired.parquet")

    create = ObjectStore.create

    def slept(store: ObjectStore, key: str, body: bytes) -> str | None:
        if key.startswith("receipts/"):
            with monkeypatch.context() as patch:
                patch.setattr(ObjectStore, "create", create)
                patch.setenv("SIGNATURE_GATE_LEASE", "-1")
                score_feed(feed)
        return create(store, key, body)

    monkeypatch.setattr(ObjectStore, "create", slept)
    options = ReleaseOptions(file=tmp_path / "repaired.parquet")
    receipt = release_batch(feed, "bad.parquet", options)

    assert receipt.outputs.predictions
    assert receipt.outputs.quarantine
    scored = pl.read_parquet(BytesIO(content(feed, receipt.outputs.predictions)))
    held = pl.read_parquet(BytesIO(content(feed, f"{receipt.outputs.quarantine}/rejected.parquet")))
    assert scored["key"].to_list() == ["k2", "k3", "k4", "k5"]
    assert held["key"].to_list() == ["k0", "k1"]


def test_an_entry_is_discarded_into_the_archive(store_feed: MakeFeed) -> None:
    """Nothing is deleted: the batch and its reports lie there."""
    feed = store_feed(policy=SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    [first] = score_feed(feed).receipts
    held = {key.rpartition("/")[2] for key in keys(feed, "quarantine")}

    receipt = discard_batch(feed, first.batch.id, "a test")

    assert receipt.disposition == "discarded"
    assert keys(feed, "quarantine") == set()
    assert {key.rpartition("/")[2] for key in keys(feed, "archive")} == held


def test_no_secret_leaves_the_environment(
    store_feed: MakeFeed, caplog: pytest.LogCaptureFixture
) -> None:
    """Neither receipts nor reports, logs or what is kept here hold the key to the store."""
    feed = delivered(store_feed(policy=SPLIT))
    with caplog.at_level("DEBUG"):
        summary = score_feed(feed)

    store = ObjectStore(feed.root)
    texts = [store.read(key)[0].decode("utf-8", "replace") for key in keys(feed)]
    texts += [p.read_text("utf-8", "replace") for p in feed.receipts.rglob("*") if p.is_file()]
    assert SECRET not in "\\n".join([*texts, caplog.text, summary.model_dump_json()])


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"root": "ftp://somewhere/feed"}, "names no store that the gate knows"),
        ({"root": "s3://b/feed", "folders": {"inbox": "here"}}, "inbox cannot be given"),
    ],
)
def test_a_feed_in_no_known_store_is_refused(fields: dict[str, Any], said: str) -> None:
    """The error says which stores there are, and that all of a feed lies in one."""
    with pytest.raises(InvalidFeed, match=said):
        Feed.parse({"name": "line", "model": "models:/line/1", **fields})


def test_a_feed_file_names_the_store(tmp_path: Path) -> None:
    """As a folder, but that it does not count from the file."""
    path = tmp_path / "line.yaml"
    path.write_text(json.dumps({"name": "line", "model": "models:/m/1", "root": "s3://b/feed/"}))

    assert Feed.load(path).url == "s3://b/feed"


def table_rows(table: Path) -> list[str]:
    """Read the keys of a Delta table."""
    return sorted(pl.read_delta(str(table))["key"].to_list())


@pytest.mark.parametrize("point", ["staged", "uploaded", "committed", "rows committed", "appended"])
def test_predictions_are_appended_to_a_table_once(
    store_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Whenever the worker dies: the receipt in the store decides whose rows they are."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "0")
    tables = {f"{what}_table": f"delta://{tmp_path}/{what}" for what in ("scored", "rejected")}
    feed = store_feed(policy=SPLIT, **tables)
    put(feed, "good.parquet", rows(3))
    put(feed, "some.parquet", gaps(6, nulls=2).with_columns(pl.col("key").str.replace("k", "s")))

    assert score_and_die(feed, point) == -9
    time.sleep(2)
    score_feed(feed)
    score_feed(feed)

    assert table_rows(tmp_path / "scored") == ["k0", "k1", "k2", "s2", "s3", "s4", "s5"]
    values = pl.read_delta(str(tmp_path / "rejected"))["_values"]
    assert sorted(json.loads(value)["key"] for value in values) == ["s0", "s1"]
    assert unnamed(feed) == set()


def test_what_a_release_died_before_is_appended_by_the_next_one(
    store_feed: MakeFeed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One dies between its commit and the tables; another takes the rows that it rejected."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "0")
    tables = {f"{what}_table": f"delta://{tmp_path}/{what}" for what in ("scored", "rejected")}
    feed = store_feed(**tables)
    put(feed, "some.parquet", gaps(4, nulls=2))
    score_feed(feed)
    split = feed.model_copy(update={"policy": Policy.model_validate(SPLIT)})
    (tmp_path / "feed.yaml").write_text(split.model_dump_json(exclude_unset=True))
    command = ["quarantine", "release", str(tmp_path / "feed.yaml"), "some.parquet"]
    rows(2).with_columns(_row=pl.Series([0, 1])).write_parquet(tmp_path / "repaired.parquet")

    start_command(command, tmp_path / "log", "committed").join(120)
    time.sleep(2)
    (entry,) = {key.split("/")[1] for key in keys(feed, "quarantine") if ".release-1" in key}
    release_batch(split, entry, ReleaseOptions(file=tmp_path / "repaired.parquet"))

    assert table_rows(tmp_path / "scored") == ["k0", "k1", "k2", "k3"]
    assert pl.read_delta(str(tmp_path / "rejected"))["_row"].sort().to_list() == [0, 1]


def test_a_table_that_takes_no_rows_gets_them_in_the_next_run(
    store_feed: MakeFeed, tmp_path: Path
) -> None:
    """The batch is committed; the run says what is missing, and records no second end of it."""
    place = tmp_path / "scored"
    feed = store_feed(policy=SPLIT, scored_table=f"delta://{place}")
    put(feed, "good.parquet", rows(3))
    place.write_text("in the way")

    [failed] = score_feed(feed).receipts
    still = score_feed(feed)
    place.unlink()
    score_feed(feed)

    assert failed.error
    assert failed.error.kind == "TableUnavailable"
    assert [left.why for left in still.left] == ["unfinished"]
    assert [receipt.disposition for receipt in receipts_of(feed)] == ["passed"]
    assert table_rows(place) == ["k0", "k1", "k2"]


def test_a_name_that_leads_out_of_the_feed_is_refused(store_feed: MakeFeed, s3: str) -> None:
    """No object is written beside the folder of an attempt; the error says what to do with it."""
    feed = store_feed()
    client: Any = boto3.client("s3", endpoint_url=s3)
    bucket, _, place = feed.root.removeprefix("s3://").partition("/")
    client.put_object(Bucket=bucket, Key=f"{place}/inbox/day/../../evil.parquet", Body=b"x")

    with pytest.raises(StoreUnavailable, match=r"evil.parquet.*Rename or delete that object"):
        score_feed(feed)
