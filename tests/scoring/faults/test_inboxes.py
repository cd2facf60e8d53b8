from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from fault_injection import at_point
from feeds import (
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
)

from signature_gate.expectations.errors import InvalidFeed
from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.inbox import look_into
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage import journal as plans
from signature_gate.tasks.storage.atomic import restore

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.receipt import Receipt

    MakeFeed = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}
BAD = rows(2, a=["x", "y"])


def all_receipts(feed: Feed) -> list[Receipt]:
    """Read every receipt of a feed."""
    ledger = ReceiptStore(feed)
    return [receipt for batch in ledger.batches() for receipt in ledger.for_batch(batch)]


def rename_over(feed: Feed, name: str, frame: pl.DataFrame) -> None:
    """Deliver by rename: write elsewhere, then rename over the old file."""
    path = deliver(feed, f"_{name}", frame)
    path.rename(feed.inbox / name)


# ----- links -----


def _link_to_a_file(inbox: Path, outside: Path) -> None:
    (inbox / "link.parquet").symlink_to(outside / "secret.parquet")


def _link_to_a_folder(inbox: Path, outside: Path) -> None:
    (inbox / "link").symlink_to(outside)


def _dangling_link(inbox: Path, outside: Path) -> None:
    (inbox / "link.parquet").symlink_to(outside / "nowhere")


def _loop(inbox: Path, outside: Path) -> None:
    (inbox / "link").symlink_to(inbox)


def _relative_link_upwards(inbox: Path, outside: Path) -> None:
    (inbox / "link.parquet").symlink_to(f"../../{outside.name}/secret.parquet")


def _folder_that_holds_a_link(inbox: Path, outside: Path) -> None:
    (inbox / "link").mkdir()
    rows(3).write_parquet(inbox / "link" / "part-0.parquet")
    (inbox / "link" / "part-1.parquet").symlink_to(outside / "secret.parquet")


def _folder_that_holds_a_linked_folder(inbox: Path, outside: Path) -> None:
    (inbox / "link").mkdir()
    rows(3).write_parquet(inbox / "link" / "part-0.parquet")
    (inbox / "link" / "more").symlink_to(outside)


def _folder_that_loops(inbox: Path, outside: Path) -> None:
    (inbox / "link").mkdir()
    rows(3).write_parquet(inbox / "link" / "part-0.parquet")
    (inbox / "link" / "more").symlink_to(inbox / "link")


@pytest.mark.parametrize(
    "lay",
    [
        _link_to_a_file,
        _link_to_a_folder,
        _dangling_link,
        _loop,
        _relative_link_upwards,
        _folder_that_holds_a_link,
        _folder_that_holds_a_linked_folder,
        _folder_that_loops,
    ],
)
def test_a_link_in_the_inbox_is_neither_followed_nor_moved(
    make_feed: MakeFeed, line: str, tmp_path: Path, lay: Callable[[Path, Path], None]
) -> None:
    """It is skipped with the reason; its target, and all else, is as before."""
    feed = make_feed(archive=True)
    outside = tmp_path / "outside"
    outside.mkdir()
    rows(4).write_parquet(outside / "secret.parquet")
    deliver(feed, "good.parquet", rows(5))
    lay(feed.inbox, outside)
    before = {path for path in feed.inbox.rglob("*") if path.name != "good.parquet"}

    summary = score_feed(feed)

    assert {name: r.disposition for name, r in by_batch(summary).items()} == {
        "good.parquet": "passed"
    }
    (left,) = summary.left
    assert left.why == "skipped"
    assert "symbolic link" in left.detail
    assert "deliver the file" in left.detail
    assert set(feed.inbox.rglob("*")) == before
    assert everything_below(outside) == {"secret.parquet"}


def test_a_file_that_becomes_a_link_while_it_is_judged_is_not_moved(
    make_feed: MakeFeed, line: str, tmp_path: Path
) -> None:
    """A link is not moved, even if it points to the content that was judged."""
    feed = make_feed(archive=True)
    path = deliver(feed, "a.parquet", rows(3))

    def swap() -> None:
        path.rename(tmp_path / "elsewhere.parquet")
        path.symlink_to(tmp_path / "elsewhere.parquet")

    with at_point("staged", swap):
        (receipt,) = score_feed(feed).receipts

    assert receipt.disposition == "errored"
    assert "was altered while it was judged" in receipt.reason
    assert path.is_symlink()
    assert (tmp_path / "elsewhere.parquet").exists()
    assert not (Path(feed.root) / "scored").exists()


# ----- names -----


@pytest.mark.parametrize(
    "inbox", ["in box", "Ünï⚡", "in\nbox", "-rf", "x/../inbox", "%2e%2e", "'$(x)"]
)
def test_a_feed_may_lie_on_any_path(
    line: str, make_feed: MakeFeed, tmp_path: Path, inbox: str
) -> None:
    """Spaces, unicode, line breaks and dots in a path change nothing, and nothing leaves it."""
    root = tmp_path / "a b\n..c" / "x"
    (root / inbox).mkdir(parents=True) if ".." not in inbox else (root / "inbox").mkdir(
        parents=True
    )
    (root / "x").mkdir(exist_ok=True)
    folders = {"inbox": str(root / inbox)}
    feed = make_feed(root=str(root), folders=folders, archive=True, policy=SPLIT)
    for name in ("..a.csv", "a..b.parquet", "a\n.parquet", "Ünï⚡.parquet", "a\\..\\..parquet"):
        deliver(feed, name, rows(3))
    deliver(feed, "gaps ;rm.parquet", gaps(10, 3))
    deliver(feed, "bad\t.parquet", BAD)
    around = everything_below(tmp_path) - {
        path for path in everything_below(tmp_path) if path.startswith("a b\n..c/")
    }

    summary = score_feed(feed)

    fared = [receipt.disposition for receipt in summary.receipts]
    # A name that begins with a dot is hidden, and no batch.
    assert sorted(fared) == ["passed"] * 4 + ["quarantined", "split"]
    assert everything_below(feed.inbox) == {"..a.csv"}
    assert all(feed.resolve(r.outputs.batch or "").is_file() for r in summary.receipts)
    assert {p for p in everything_below(tmp_path) if not p.startswith("a b\n..c/")} == around
    assert score_feed(feed).receipts == ()


def test_one_folder_under_two_names_is_refused(tmp_path: Path) -> None:
    """Predictions cannot be published into the inbox, even by a path with dots or links."""
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    fields: dict[str, Any] = {"name": "x", "model": "m", "root": str(tmp_path)}

    for same in ("link", "x/../inbox", "./inbox"):
        with pytest.raises(InvalidFeed, match="inbox and scored are the same folder"):
            Feed.parse({**fields, "folders": {"scored": f"{tmp_path}/{same}"}})


def test_the_feeds_own_folders_are_no_batches_however_they_are_spelt(tmp_path: Path) -> None:
    """Receipts within the inbox, configured by an indirect path, are not read as batches."""
    (tmp_path / "receipts").mkdir()
    (tmp_path / "receipts" / "x@1.1.json").write_text("{}")
    (tmp_path / "x").mkdir()
    folders = {"inbox": str(tmp_path), "receipts": f"{tmp_path}/x/../receipts"}
    feed = Feed.parse(
        {"name": "x", "model": "m", "root": f"{tmp_path}/x/..", "folders": folders}
    ).model_copy(update={"settle_seconds": 0.0})

    found = look_into(feed)

    assert (found.ready, [left.batch for left in found.left]) == ([], ["x"])


# ----- producers that act during a run -----


@pytest.mark.parametrize("archive", [False, True])
@pytest.mark.parametrize("point", ["bound", "staged", "planned", "moved"])
@pytest.mark.parametrize("first", ["good", "gaps", "bad"])
def test_a_batch_that_is_renamed_over_at_any_moment_is_scored_too(
    make_feed: MakeFeed, line: str, archive: bool, point: str, first: str
) -> None:
    """The later delivery is never moved under the earlier one's name: the next run scores it."""
    feed = make_feed(archive=archive, policy=SPLIT)
    deliver(feed, "a.parquet", {"good": rows(5), "gaps": gaps(10, 3), "bad": BAD}[first])
    later = rows(7).with_columns(key=pl.lit("later"))

    with at_point(point, lambda: rename_over(feed, "a.parquet", later)):
        score_feed(feed)
    score_feed(feed)

    receipts = all_receipts(feed)
    (settled,) = [r for r in receipts if r.final and r.rows_in == 7]
    assert settled.disposition == "passed"
    scored = pl.read_parquet(
        feed.resolve(settled.outputs.predictions or ""), hive_partitioning=False
    )
    assert scored["key"].to_list() == ["later"] * 7
    ids = [receipt.batch.id for receipt in receipts if receipt.final]
    assert len(ids) == len(set(ids))
    for receipt in receipts:
        place = receipt.outputs.batch if receipt.final else None
        assert place is None or feed.resolve(place).exists()
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []


@pytest.mark.parametrize("kind", ["file", "folder"])
@pytest.mark.parametrize("first", [rows(5), BAD], ids=["archived", "quarantined"])
def test_a_batch_that_is_replaced_within_the_move_is_given_back(
    make_feed: MakeFeed,
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    first: pl.DataFrame,
    kind: str,
) -> None:
    """A file that was moved by mistake returns to the inbox; the receipt records what is gone."""
    feed = make_feed(archive=True)
    name = "a.parquet" if kind == "file" else "a"

    def put(frame: pl.DataFrame) -> None:
        inside = feed.inbox / (name if kind == "file" else "a/part.parquet")
        inside.parent.mkdir(exist_ok=True)
        inside.unlink(missing_ok=True)
        frame.write_parquet(inside)

    put(first)
    really_move = plans.move

    def moved_too_late(source: Path, destination: Path, **options: bool) -> None:
        if source == feed.inbox / name and source.exists():
            monkeypatch.setattr(plans, "move", really_move)
            put(rows(7))
        really_move(source, destination, **options)

    monkeypatch.setattr(plans, "move", moved_too_late)
    (earlier,) = score_feed(feed).receipts
    back = everything_below(feed.inbox)
    (later,) = score_feed(feed).receipts

    assert earlier.final
    assert earlier.outputs.batch is None
    assert back == {name if kind == "file" else "a/part.parquet"}
    assert (later.disposition, later.rows_in) == ("passed", 7)
    assert feed.resolve(later.outputs.batch or "").exists()


def test_what_is_given_back_never_overwrites_a_still_later_delivery(tmp_path: Path) -> None:
    """A newer file keeps its name; an interrupted move can be repeated."""
    source, place = tmp_path / "source", tmp_path / "place"
    source.write_text("earlier")
    place.write_text("later")

    with pytest.raises(FileExistsError):
        restore(source, place)
    half_done = tmp_path / "half done"
    os.link(source, half_done)
    restore(source, half_done)

    assert (place.read_text(), half_done.read_text()) == ("later", "earlier")
    assert not source.exists()


@pytest.mark.parametrize("point", ["bound", "staged", "planned"])
def test_a_batch_that_its_producer_takes_back_leaves_nothing_half_done(
    make_feed: MakeFeed, line: str, point: str
) -> None:
    """Before the plan nothing is published; after it all is, and the receipt records the loss."""
    feed = make_feed(archive=True)
    path = deliver(feed, "a.parquet", rows(5))

    with at_point(point, path.unlink):
        score_feed(feed)
    score_feed(feed)

    published = everything_below(Path(feed.root) / "scored")
    finals = [receipt for receipt in all_receipts(feed) if receipt.final]
    assert len(published) == len(finals) == (point == "planned")
    assert [receipt.outputs.batch for receipt in finals] == [None] * len(finals)
    assert list(feed.staging.iterdir()) == list(feed.claims.iterdir()) == []


def test_a_file_that_grows_while_it_is_judged_is_judged_anew(
    make_feed: MakeFeed, line: str
) -> None:
    """An incomplete file is never published: the attempt is errored, then all of it is scored."""
    feed = make_feed(archive=True)
    path = deliver(feed, "a.csv", rows(3))

    def grow() -> None:
        with path.open("a") as file:
            file.write(rows(5).tail(2).write_csv(include_header=False))

    with at_point("staged", grow):
        (first,) = score_feed(feed).receipts
    (second,) = score_feed(feed).receipts

    assert (first.disposition, first.final) == ("errored", False)
    assert first.reason == (
        "BatchChanged: a.csv was altered while it was judged. The next run takes it as a new batch."
    )
    assert (second.disposition, second.outputs.scored) == ("passed", 5)
