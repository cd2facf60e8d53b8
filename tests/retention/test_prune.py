"""``prune`` frees what its owner names, and never a receipt."""

from __future__ import annotations

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from feeds import everything_below
from killed_process import hold_claim, start_command

from signature_gate.expectations.errors import Misuse
from signature_gate.tasks.feed.duration import parse_duration
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.quarantine.entries import entry_names, find_entry
from signature_gate.tasks.quarantine.release import release_batch
from signature_gate.tasks.retention.prune import (
    KINDS,
    PUT_ASIDE,
    Kind,
    PrunePolicy,
    PruneSummary,
    prune_feed,
)
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

NOW = timedelta()


def pruned(feed: Feed, *kinds: Kind, **options: Any) -> PruneSummary:
    """Prune a feed of all that is older than this instant."""
    return prune_feed(feed, PrunePolicy(NOW, kinds, options.pop("to", None)), **options)


def receipts(feed: Feed) -> dict[str, Any]:
    """Read all receipts by batch."""
    store = ReceiptStore(feed)
    return {batch: store.for_batch(batch) for batch in store.batches()}


def contents(feed: Feed) -> set[str]:
    """List what lies in the feed's folders apart from receipts and claims."""
    found = everything_below(Path(feed.root))
    return {name for name in found if not name.startswith(("receipts/", "claims/"))}


def test_without_names_only_receipts_are_compacted(old_feed: Feed) -> None:
    """What could be freed is counted by kind, and stays."""
    before, known = contents(old_feed), receipts(old_feed)

    done = pruned(old_feed)

    assert (done.freed, done.left) == ({}, ())
    assert {kind: amount.count for kind, amount in done.kept.items()} == {
        "predictions": 2,
        "quarantine": 1,
        "undecided": 2,
        "staging": 1,
    }
    assert all(amount.bytes for amount in done.kept.values())
    assert done.receipts.count == 5
    assert contents(old_feed) == before
    assert receipts(old_feed) == known


@pytest.mark.parametrize(
    ("kind", "gone"),
    [
        ("predictions", {"scored"}),
        ("quarantine", {"archive/_discarded"}),
        ("undecided", {"quarantine"}),
        ("staging", {".staging"}),
    ],
)
def test_only_what_is_named_is_removed(old_feed: Feed, kind: Kind, gone: set[str]) -> None:
    """Everything else, receipts and scored batches in the archive included, stays as it was."""
    before, known = contents(old_feed), receipts(old_feed)

    done = pruned(old_feed, kind)

    assert list(done.freed) == [kind]
    lost = before - contents(old_feed)
    assert lost
    assert all(name.startswith(tuple(gone)) for name in lost)
    assert receipts(old_feed) == known
    assert score_feed(old_feed).receipts == ()


def test_moving_needs_no_names_and_spares_the_undecided(old_feed: Feed, tmp_path: Path) -> None:
    """With a folder each file keeps its bytes and place below it; what waits for somebody stays."""
    home = tmp_path / "cold"
    before = {name: (Path(old_feed.root) / name).read_bytes() for name in contents(old_feed)}
    waiting = entry_names(old_feed)

    done = pruned(old_feed, to=home)

    moved = {str(p.relative_to(home)): p.read_bytes() for p in home.rglob("*") if p.is_file()}
    stayed = {name: (Path(old_feed.root) / name).read_bytes() for name in contents(old_feed)}
    assert {name.removeprefix("."): text for name, text in before.items()} == moved | stayed
    assert sum(amount.count for amount in done.freed.values()) == 4
    assert entry_names(old_feed) == waiting


def test_what_is_young_stays(old_feed: Feed) -> None:
    """Age is counted from when a batch was finished."""
    done = prune_feed(old_feed, PrunePolicy(timedelta(days=90), KINDS))

    assert (done.receipts.count, done.freed, done.kept) == (0, {}, {})


def test_a_rehearsal_changes_nothing(
    old_feed: Feed, written: Callable[[Feed], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """--dry-run prints what would be done, as a table and as JSON."""
    file, before = written(old_feed), everything_below(Path(old_feed.root))
    command = ["prune", file, "--older-than", "0m", "--predictions", "--dry-run"]

    code, out, err = run(capsys, *command)
    document = json.loads(run(capsys, *command, "--json")[1])

    assert (code, err) == (0, "")
    assert "would be removed" in out
    assert "kept, for want of --undecided" in out
    assert (document["freed"]["predictions"]["count"], document["dry_run"]) == (2, True)
    assert everything_below(Path(old_feed.root)) == before


def test_what_somebody_works_on_stays(old_feed: Feed, tmp_path: Path) -> None:
    """A batch that a worker has claimed is left, and named; the others are freed."""
    entry = find_entry(old_feed, "most.parquet")
    holding = tmp_path / "holding"
    worker = hold_claim(old_feed, entry, holding)
    while not holding.exists():
        worker.join(0.01)

    done = pruned(old_feed, "undecided")
    worker.kill()
    worker.join()

    assert done.freed["undecided"].count == 1
    assert entry_names(old_feed) == [entry]
    assert "a worker is at work on its batch" in "".join(done.left)
    assert pruned(old_feed, "undecided").left == ()


def test_nothing_outside_the_feed_is_touched(old_feed: Feed, tmp_path: Path) -> None:
    """Neither strangers in its folders, nor what a receipt names elsewhere."""
    stranger = old_feed.quarantined("stranger-000000000000")
    stranger.mkdir()
    foreign = tmp_path / "foreign.parquet"
    foreign.write_text("mine")
    receipt = next(old_feed.receipts.glob("good-*.json"))
    forged = json.loads(receipt.read_text())
    forged["outputs"]["predictions"] = "scored/../../foreign.parquet"
    receipt.write_text(json.dumps(forged))

    done = pruned(old_feed, *KINDS)

    assert done.freed["predictions"].count == 1
    assert (stranger.is_dir(), foreign.read_text()) == (True, "mine")


def test_a_folder_of_the_feed_takes_nothing(old_feed: Feed) -> None:
    """Predictions moved into the archive would be taken for batches."""
    with pytest.raises(Misuse, match="lies in archive"):
        pruned(old_feed, to=old_feed.archived("cold"))


def test_a_name_that_is_taken_is_not_overwritten(old_feed: Feed, tmp_path: Path) -> None:
    """The file stays where it is, the summary says why, and the command exits 3."""
    home = tmp_path / "cold"
    pruned(old_feed, "predictions", to=home)
    taken = next((home / "scored").rglob("good-*.parquet"))
    back = Path(old_feed.root) / taken.relative_to(home)
    shutil.copy(taken, back)
    taken.write_text("mine")

    done = pruned(old_feed, "predictions", to=home)

    assert "nothing is overwritten" in "".join(done.left)
    assert (back.is_file(), taken.read_text()) == (True, "mine")


def test_what_was_pruned_can_still_be_released(old_feed: Feed) -> None:
    """Receipts in a ledger, and predictions that are gone, leave quarantine as it was."""
    pruned(old_feed, "predictions", "quarantine", "staging")

    released = release_batch(old_feed, "split.parquet")

    assert released.release
    assert released.previous is not None
    assert [r.attempt for r in receipts(old_feed)[released.batch.id]] == [1, 2]


@pytest.mark.parametrize(
    ("text", "hours"), [("30m", 0.5), ("12h", 12), ("90d", 2160), (" 4 w ", 672)]
)
def test_durations_have_a_unit(text: str, hours: float) -> None:
    """Minutes, hours, days and weeks; all else is refused with an example."""
    assert parse_duration(text) == timedelta(hours=hours)
    for wrong in ("90", "d", "-1d", "1y", "1e3d", ""):
        with pytest.raises(ValueError, match="90d"):
            parse_duration(wrong)


@pytest.mark.parametrize("times", [1, 3])
def test_a_killed_prune_leaves_no_half_folder(
    old_feed: Feed, written: Callable[[Feed], str], tmp_path: Path, times: int
) -> None:
    """A folder goes at once; what a kill leaves of it in staging the next run clears."""
    file, flags = written(old_feed), [f"--{kind}" for kind in KINDS]
    whole = {
        name: set(everything_below(old_feed.quarantined(name))) for name in entry_names(old_feed)
    }
    known = receipts(old_feed)

    worker = start_command(
        ["prune", file, "--older-than", "0m", *flags], tmp_path / "log", PUT_ASIDE, times
    )
    worker.join(60)

    assert worker.exitcode == -9
    left = entry_names(old_feed)
    assert all(everything_below(old_feed.quarantined(name)) == whole[name] for name in left)
    assert score_feed(old_feed).receipts == ()
    assert everything_below(old_feed.staging) <= {"dead-000000000000/predictions.parquet"}
    assert pruned(old_feed, *KINDS).left == ()
    assert entry_names(old_feed) == []
    assert receipts(old_feed) == known
