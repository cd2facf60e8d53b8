"""The commands of docs/restore.md and docs/years.md do what these pages say."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING

import pytest
import yaml
from feeds import deliver, gaps, rows
from killed_process import score_and_die
from page_commands import DOCS, commands_in

from signature_gate.tasks.feed.feed import Feed
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytest_plugins = ["page_commands"]


@pytest.fixture
def feed(tmp_path: Path, line: str, monkeypatch: pytest.MonkeyPatch) -> Feed:
    """The feed of the pages, in feeds/ below the current folder."""
    fields = {"name": "flights", "model": line, "root": "flights", "settle_seconds": 0}
    (tmp_path / "feeds" / "flights" / "inbox").mkdir(parents=True)
    file = tmp_path / "feeds" / "flights.yaml"
    file.write_text(yaml.safe_dump({**fields, "archive": True}))
    monkeypatch.chdir(tmp_path)
    return Feed.load(file)


def receipts(feed: Feed) -> dict[str, list[str]]:
    """List by batch the files of all receipts."""
    store = ReceiptStore(feed)
    return {batch: [r.file for r in store.for_batch(batch)] for batch in store.batches()}


def test_a_feed_is_restored_from_its_folder(feed: Feed, execute: Callable[[str], str]) -> None:
    """Done stays done, by a ledger too; what was half done is ended; what came since is scored."""
    deliver(feed, "monday.parquet", rows(4))
    deliver(feed, "gaps.parquet", gaps(10, 2))
    score_feed(feed)
    execute("signature-gate prune feeds/flights.yaml --older-than 0m")
    stays = deliver(feed, "stays.parquet", rows(2))
    score_feed(feed.model_copy(update={"archive": False}))
    deliver(feed, "tuesday.parquet", rows(5))
    assert score_and_die(feed, "moved") == -9
    known, waiting = receipts(feed), entry_names(feed)

    for command in commands_in("restore.md", "Back up"):
        execute(command)
    deliver(feed, "wednesday.parquet", rows(6))
    shutil.rmtree(feed.receipts)
    shutil.rmtree(feed.quarantined(""))
    printed = [execute(command) for command in commands_in("restore.md", "Restore")]

    after = receipts(feed)
    assert known.items() <= after.items()
    assert {batch.partition("-")[0] for batch in after.keys() - known.keys()} == {
        "tuesday",
        "wednesday",
    }
    assert all(len(files) == 1 for files in after.values())
    assert entry_names(feed) == waiting
    assert stays.exists()
    assert any("1 done before" in text for text in printed)
    assert any("wednesday.parquet" in text for text in printed)
    assert score_feed(feed).receipts == ()
    (text,) = commands_in("restore.md", "When only a part is lost")
    assert '"name": "monday.parquet"' in execute(text)


def test_a_feed_can_be_restored_elsewhere(
    feed: Feed, execute: Callable[[str], str], tmp_path: Path
) -> None:
    """Paths in receipts count from the feed's folder."""
    deliver(feed, "monday.parquet", rows(4))
    score_feed(feed)
    (tmp_path / "feeds").rename(tmp_path / "elsewhere")

    moved = Feed.load(tmp_path / "elsewhere" / "flights.yaml")

    (receipt,) = ReceiptStore(moved).for_batch(ReceiptStore(moved).batches()[0])
    assert moved.resolve(receipt.outputs.predictions or "").is_file()
    assert score_feed(moved, again=True).receipts == ()


@pytest.mark.parametrize("heading", ["Prune", "Metrics"])
def test_the_commands_for_years_run(
    feed: Feed, execute: Callable[[str], str], heading: str, tmp_path: Path
) -> None:
    """Each command of the page is one that the program has."""
    deliver(feed, "monday.parquet", rows(4))
    score_feed(feed)

    commands = commands_in("years.md", heading)

    assert commands
    for command in commands:
        execute(command)


def test_the_page_lists_every_metric(feed: Feed, execute: Callable[[str], str]) -> None:
    """The table of the page has the metrics that the command prints, and no others."""
    deliver(feed, "monday.parquet", rows(4))
    score_feed(feed)

    text = execute("signature-gate metrics feeds/flights.yaml")
    printed = set(re.findall(r"^(signature_gate_\w+)\{", text, re.MULTILINE))

    page = (DOCS / "years.md").read_text("utf-8")
    assert set(re.findall(r"^\| `(signature_gate_\w+)`", page, re.MULTILINE)) == printed
