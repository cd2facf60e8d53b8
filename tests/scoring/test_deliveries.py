from __future__ import annotations

import os
import shutil
import time
from base64 import b64decode
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feeds import by_batch, deliver, rows

from signature_gate import Contract, Policy
from signature_gate.expectations.drift.recorded_schema import recorded_types
from signature_gate.expectations.errors import InvalidFeed
from signature_gate.expectations.readers.open import open_batch
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.identity import identify, is_same
from signature_gate.tasks.feed.inbox import look_into
from signature_gate.tasks.feed.receipt_files import read_receipt
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.feed.safe_folders import refuse_shared_folders
from signature_gate.tasks.monitoring.pages import write_overview
from signature_gate.tasks.scoring.dry_run import rehearse
from signature_gate.tasks.scoring.feed_run import current_intent, score_feed
from signature_gate.tasks.storage.intent import bind_intent

if TYPE_CHECKING:
    from collections.abc import Callable

    MakeFeed = Callable[..., Feed]

KEPT = Path(__file__).parents[1] / "support" / "feeds" / "receipts_0_1"
STAMP = 1_750_000_000_000_000_000
# What the kept receipts are of; each was written at STAMP.
DELIVERED = {
    "passed.csv": b"a,n,key\n1.5,1,x\n2.5,2,y\n",
    "split.csv": b"a,n,key\n,1,x\n2.5,2,y\n3.5,3,z\n",
    "large.csv": b"a,n,key\n" + b"".join(b"%d.5,%d,k%d\n" % (i, i, i) for i in range(20_000)),
    "folder/part-0.csv": b"a,n,key\n1.5,1,x\n",
    "folder/part-1.csv": b"a,n,key\n2.5,2,y\n",
}


def outcomes(feed: Feed) -> dict[str, str]:
    """Score a feed, and tell what became of each batch that was attempted."""
    return {name: r.disposition for name, r in by_batch(score_feed(feed)).items()}


def left(feed: Feed) -> dict[str, str]:
    """Tell why each path of the inbox is left alone."""
    return {entry.batch: entry.why for entry in look_into(feed).left}


# ----- receipts of before -----


@pytest.mark.parametrize("file", sorted(KEPT.iterdir()), ids=lambda path: path.name)
def test_a_receipt_of_before_is_read_as_it_was_written(file: Path) -> None:
    """Each kept receipt keeps its name, its batch's id and its meaning."""
    receipt = read_receipt(file)

    assert receipt.file == file.name
    assert receipt.batch.id == receipt.batch.identity.id == file.name.partition("@")[0]
    assert receipt.is_final_for_batch is receipt.final
    assert (receipt.supersedes, receipt.same_as) == (None, None)


def test_a_receipt_keeps_the_schema_that_its_verdict_only_prints(
    make_feed: MakeFeed, line: str
) -> None:
    """Nested types of a batch that is gone are known as Arrow had them; verdicts do not grow."""
    feed = make_feed()
    nested = pa.list_(pa.struct([pa.field("w", pa.float32(), nullable=False)]))
    batch = rows(2).to_arrow().append_column("more", pa.array([[], None], nested))
    pq.write_table(batch, feed.inbox / "day.parquet")
    (receipt,) = score_feed(feed).receipts

    assert receipt.verdict is not None
    assert recorded_types(receipt.batch) == batch.schema.types
    assert "arrow_schema" not in receipt.verdict.model_dump_json()
    assert read_receipt(feed.receipts / receipt.file).batch == receipt.batch


def test_the_schema_in_a_receipt_has_types_alone(make_feed: MakeFeed, line: str) -> None:
    """Names that redact withholds, and metadata at any depth, do not reach it in base64 either."""
    feed = make_feed(policy={"redact": True, "extra_columns": "ignore"})
    noted: Any = pa.field("w", pa.int64(), metadata={"note": "PLANTED-1"})
    kinds = [
        pa.list_(noted),
        pa.map_(pa.string(), noted),
        pa.list_(noted, 2),
        pa.large_list(pa.field("item", pa.struct([noted]))),
        pa.dictionary(pa.int8(), pa.string()),
    ]
    fields = [pa.field("a", pa.float64()), pa.field("n", pa.int64())]
    fields += [pa.field(f"PLANTED-{i}", kind) for i, kind in enumerate(kinds)]
    schema = pa.schema([*fields, pa.field("key", pa.string(), metadata={"x": "PLANTED"})])
    table = schema.with_metadata({"pandas": "PLANTED"}).empty_table()
    with pa.ipc.new_file(str(feed.inbox / "day.arrow"), table.schema) as file:
        file.write_table(table)
    arrived = pa.ipc.open_file(str(feed.inbox / "day.arrow")).schema
    (receipt,) = score_feed(feed).receipts

    kept = b64decode(receipt.batch.arrow_schema)
    assert recorded_types(receipt.batch) == arrived.types
    assert b"PLANTED" not in kept
    assert b"PLANTED" not in (feed.receipts / receipt.file).read_bytes()


def test_the_schema_of_a_wide_batch_stays_small() -> None:
    """A column costs a receipt fewer than a hundred bytes more, however long its name is."""
    wide = pa.schema([(f"{i}" * 200, pa.float64()) for i in range(2_000)]).empty_table()
    contract = Contract.from_signature({"inputs": '[{"name": "a", "type": "long"}]'})
    opened = open_batch(wide, contract, Policy())

    assert len(opened.info.arrow_schema) < 100 * 2_000


def test_an_intent_of_before_is_completed_under_its_own_policy(
    make_feed: MakeFeed, line: str
) -> None:
    """Version 0.1 wrote down the comma that stands for a CSV file by default now."""
    feed = make_feed(policy={"parse_text": "allow"})
    deliver(feed, "passed.csv", DELIVERED["passed.csv"])
    (batch,) = look_into(feed).ready
    comma = feed.policy.csv.model_copy(update={"delimiter": ","})
    policy = feed.policy.model_copy(update={"csv": comma})
    feed.intent(batch.id).parent.mkdir()
    bind_intent(feed, batch.id, current_intent(feed).model_copy(update={"policy": policy}))

    (receipt,) = score_feed(feed).receipts

    assert receipt.verdict is not None
    assert (receipt.disposition, receipt.verdict.policy) == ("passed", policy)


def test_no_batch_that_was_done_before_the_upgrade_is_scored_again(make_feed: MakeFeed) -> None:
    """Batches with receipts of the old identity are done; only one that changed is not."""
    feed = make_feed()
    shutil.copytree(KEPT, feed.receipts)
    for name, content in DELIVERED.items():
        path = feed.inbox / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        os.utime(path, ns=(STAMP, STAMP))

    store = ReceiptStore(feed).indexed()
    settled = {b.path: store.is_settled(b.id) for b in look_into(feed).ready}
    (feed.inbox / "passed.csv").write_bytes(b"a,n,key\n9.5,1,x\n2.5,2,y\n")
    (changed,) = [b for b in look_into(feed).ready if b.path == "passed.csv"]

    assert settled == dict.fromkeys(("folder", "large.csv", "passed.csv", "split.csv"), True)
    assert not store.is_settled(changed.id)


# ----- the same content -----


def test_the_same_content_delivered_again_is_done(make_feed: MakeFeed, line: str) -> None:
    """A retry, a touch, a restored backup: another stamp, another inode, no second scoring."""
    feed = make_feed()
    path = deliver(feed, "day.parquet", rows(3))
    first = outcomes(feed)

    os.utime(path)
    touched = score_feed(feed)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    uploaded = score_feed(feed)

    assert first == {"day.parquet": "passed"}
    assert (touched.receipts, touched.done) == (uploaded.receipts, uploaded.done) == ((), 1)


def test_the_same_content_under_another_name_is_named_or_skipped(
    make_feed: MakeFeed, line: str
) -> None:
    """It is a new batch that says whose content it has; `on_duplicate: skip` leaves it alone."""
    feed = make_feed()
    deliver(feed, "day.parquet", rows(3))
    (first,) = score_feed(feed).receipts
    shutil.copy(feed.inbox / "day.parquet", feed.inbox / "copy.parquet")
    skipped = score_feed(feed.model_copy(update={"on_duplicate": "skip"}))

    scored = score_feed(feed)

    assert [(entry.batch, entry.why) for entry in skipped.left] == [("copy.parquet", "duplicate")]
    assert skipped.receipts == ()
    (second,) = scored.receipts
    assert second.same_as == first.batch.id
    assert ("duplicate", f"copy.parquet has the same content as {first.batch.id}") in scored.notes()


def test_a_run_names_what_it_ignores_beside_batches_and_in_them(
    make_feed: MakeFeed, line: str
) -> None:
    """Files that no format claims are counted, wherever they lie."""
    feed = make_feed()
    (feed.inbox / "day").mkdir()
    rows(1).write_parquet(feed.inbox / "day" / "1.parquet")
    for name in ("day/1.md5", "day/2.md5", "all.ctl"):
        (feed.inbox / name).touch()

    notes = score_feed(feed).notes()

    assert ("ignored", "1 (all.ctl)") in notes
    assert ("ignored", "2 in day (1.md5, 2.md5)") in notes


def test_what_changes_under_one_name_says_what_it_supersedes(
    make_feed: MakeFeed, line: str, tmp_path: Path
) -> None:
    """A folder that grew after it was scored names the batch it was: receipt, output and page."""
    feed = make_feed()
    (feed.inbox / "day").mkdir()
    rows(1).write_parquet(feed.inbox / "day" / "1.parquet")
    (first,) = score_feed(feed).receipts
    rows(2).write_parquet(feed.inbox / "day" / "2.parquet")

    run = score_feed(feed)
    (second,) = run.receipts

    assert first.supersedes is None
    assert second.supersedes == first.batch.id
    assert ("supersedes", f"day replaces what was {first.batch.id}") in run.notes()
    metadata = pl.read_parquet_metadata(feed.resolve(second.outputs.predictions or ""))
    assert metadata["signature_gate.supersedes"] == first.batch.id
    page = write_overview([feed], tmp_path / "pages").parent / "feed-line" / "index.html"
    assert f"replaces what was {first.batch.id}" in page.read_text("utf-8")


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_edit_in_the_middle_is_seen_with_size_and_stamp_kept(tmp_path: Path, kind: str) -> None:
    """The whole content counts, and a system's note of a change is not overlooked."""
    batch = tmp_path / "day"
    file = batch if kind == "file" else batch / "part.csv"
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"1" * 400_000)
    os.utime(file, ns=(STAMP, STAMP))
    time.sleep(0.2)
    known = identify(batch, "day")
    untouched = is_same(batch, known)

    with file.open("r+b") as content:
        content.seek(200_000)
        content.write(b"2")
    os.utime(file, ns=(STAMP, STAMP))

    assert known.changed
    assert untouched
    assert not is_same(batch, known)
    assert identify(batch, "day", [known]).id != known.id


def test_an_untouched_batch_is_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Size, stamps and inode of a receipt spare the second look at the content."""
    file = tmp_path / "a.csv"
    file.write_bytes(b"1" * 1000)
    time.sleep(0.2)
    known = identify(file, "a.csv")

    def forbidden(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(Path, "open", forbidden)
    again = identify(file, "a.csv", [known])

    assert again == known
    assert is_same(file, known)


# ----- what is no batch, or not yet -----


def test_files_that_no_format_claims_are_left_alone(make_feed: MakeFeed) -> None:
    """Checksums, manifests and the like are counted as ignored; unread data formats are not."""
    feed = make_feed()
    for name in (
        "day.csv.md5",
        "day.csv.done",
        "day.ctl",
        "manifest.json",
        "README.txt",
        "Thumbs.db",
    ):
        deliver(feed, name, b"x")
    deliver(feed, "day.csv", rows(1))
    deliver(feed, "day.xlsx", b"x")

    found = look_into(feed)

    assert [batch.path for batch in found.ready] == ["day.csv", "day.xlsx"]
    assert {entry.why for entry in found.left} == {"ignored"}
    assert len(found.left) == 6


def test_patterns_say_which_names_are_batches(make_feed: MakeFeed) -> None:
    """`include` takes what it names, whatever the ending; `exclude` leaves out of that."""
    feed = make_feed(include=["*.dat", "*.csv"], exclude=["*_summary.csv"])
    for name in ("a.csv", "a_summary.csv", "b.parquet", "c.dat"):
        deliver(feed, name, b"a\n1\n")

    assert [batch.path for batch in look_into(feed).ready] == ["a.csv", "c.dat"]
    assert left(feed) == {"a_summary.csv": "ignored", "b.parquet": "ignored"}


@pytest.mark.parametrize(
    "inside",
    [
        "_temporary/0/part-1.parquet",
        "part-1.parquet.filepart",
        "part-1.parquet.crdownload",
        ".part-1.parquet.tmp",
        "deep/part-1.parquet~",
        "_spark_metadata/.0.tmp",
    ],
)
def test_a_folder_that_is_still_written_is_not_ready(make_feed: MakeFeed, inside: str) -> None:
    """However old its files are, and even with a marker: somebody is at work in it."""
    feed = make_feed()
    unfinished = feed.inbox / "day" / inside
    unfinished.parent.mkdir(parents=True)
    unfinished.write_bytes(b"x")
    rows(1).write_parquet(feed.inbox / "day" / "part-0.parquet")
    (feed.inbox / "day" / "_SUCCESS").touch()
    before = left(feed)
    shutil.rmtree(feed.inbox / "day" / "_temporary", ignore_errors=True)
    unfinished.unlink(missing_ok=True)

    assert before == {"day": "unsettled"}
    assert [batch.path for batch in look_into(feed).ready] == ["day"]


def test_a_marker_can_be_required(make_feed: MakeFeed) -> None:
    """With `require_marker` no age makes a batch ready."""
    feed = make_feed(require_marker=True)
    deliver(feed, "day.csv", b"a\n1\n")
    before = look_into(feed).left[0].detail
    (feed.inbox / "day.csv.ready").touch()

    assert "create day.csv.ready" in before
    assert [batch.path for batch in look_into(feed).ready] == ["day.csv"]


def test_a_run_says_when_growing_batches_are_ready(make_feed: MakeFeed) -> None:
    """How many changed, how long ago, when they are taken, and how to have them taken at once."""
    feed = make_feed(settle_seconds=3600)
    deliver(feed, "a.csv", b"a\n1\n")
    deliver(feed, "b.csv", b"a\n1\n")

    ((word, note),) = score_feed(feed).notes()

    assert word == "unsettled"
    assert note.startswith("2 batches changed ")
    assert note.endswith("or create a.csv.ready")


# ----- folders that are not the feed's -----


def test_a_feed_refuses_folders_that_are_not_its_own(tmp_path: Path) -> None:
    """The root, a home, a working tree, and folders within each other are refused by name."""
    (tmp_path / "tree" / ".git").mkdir(parents=True)
    (tmp_path / "data").mkdir()
    unsafe = [
        {"inbox": "/"},
        {"scored": str(Path.home())},
        {"archive": str(tmp_path / "tree")},
        {"quarantine": str(tmp_path / "data" / "inbox" / "bad")},
        {"inbox": str(tmp_path / "data")},
    ]
    file = tmp_path / "data" / "feed.yaml"

    for folders in unsafe:
        listed = "".join(f"  {name}: {path}\n" for name, path in folders.items())
        file.write_text(f"name: f\nmodel: models:/m/1\nfolders:\n{listed}")
        with pytest.raises(InvalidFeed, match=next(iter(folders))):
            Feed.load(file)
    for folders in unsafe:
        feed = Feed.parse(
            {"name": "f", "model": "m", "root": str(tmp_path / "data"), "folders": folders}
        )
        with pytest.raises(InvalidFeed, match=next(iter(folders))):
            score_feed(feed)


def test_two_feeds_must_not_share_folders(make_feed: MakeFeed) -> None:
    """The archive of one feed as the inbox of another would be scored round and round."""
    one, two = make_feed("one"), make_feed("two")
    inbox = str(one.folder_paths()["archive"])
    shared = make_feed("three", folders={"inbox": inbox})

    refuse_shared_folders({"one": one.folder_paths(), "two": two.folder_paths()})
    with pytest.raises(InvalidFeed, match="archive of feed one and inbox of feed two"):
        refuse_shared_folders({"one": one.folder_paths(), "two": shared.folder_paths()})


def test_a_dry_run_tells_what_would_happen_and_does_nothing(make_feed: MakeFeed, line: str) -> None:
    """Each batch with its disposition and its place; no file is made, moved or changed."""
    feed = make_feed(archive=True)
    deliver(feed, "good.parquet", rows(2))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    deliver(feed, "notes.txt.md5", b"x")
    before = sorted(Path(feed.root).rglob("*"))

    dry = rehearse(feed)

    told = {entry.batch: (entry.disposition, Path(entry.place).parent) for entry in dry.taken}
    after = sorted(Path(feed.root).rglob("*"))
    real = by_batch(score_feed(feed))
    assert before == after
    assert told["good.parquet"] == ("passed", feed.folder_paths()["archive"])
    assert told["bad.parquet"][0] == "quarantined"
    for entry in dry.taken:
        receipt = real[entry.batch]
        assert entry.disposition == receipt.disposition
        assert Path(entry.place) == feed.resolve(receipt.outputs.batch or "")
    assert [entry.why for entry in dry.left] == ["ignored"]
