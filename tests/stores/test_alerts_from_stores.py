"""Alerts about a feed in a store: what one machine has told no other tells again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from commands import run
from feeds import gaps, rows
from live_object_store import keys, put

from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from webhook import Webhook

    from signature_gate.tasks.feed.feed import Feed

    MakeFeed = Callable[..., Feed]

pytest_plugins = ["webhook"]
DRIFTED = pl.DataFrame({"key": ["z"], "other": [1.0]})


@pytest.fixture
def told(
    written: Callable[[Feed], str], webhook: Webhook, capsys: Any
) -> Callable[[str, Feed], list[str]]:
    """Run a command on a feed, with alerts; list the titles of those that came of it."""

    def by(command: str, feed: Feed) -> list[str]:
        before = len(webhook.got("/all"))
        notify = f"json://{webhook.host}/all"
        code, _, err = run(capsys, command, written(feed), "--notify", notify)
        assert code in (0, 1), err
        return [alert["title"] for alert in webhook.got("/all")[before:]]

    return by


def test_a_fault_and_a_drift_are_told_once_whichever_machine_looks(
    store_feed: MakeFeed, told: Callable[[str, Feed], list[str]], move: Callable[[], None]
) -> None:
    """And so is the end of the drift."""
    feed = store_feed(archive=True)
    put(feed, "1.parquet", rows(3))
    assert told("score", feed) == []
    put(feed, "2.parquet", DRIFTED)
    here = [told("score", feed), told("drift", feed)]
    put(feed, "3.parquet", DRIFTED.vstack(DRIFTED))
    move()
    there = [told("score", feed), told("drift", feed)]
    put(feed, "4.parquet", rows(4))
    over = [told("score", feed), told("drift", feed)]

    assert [len(titles) for titles in here] == [1, 1]
    assert here[0] == ["[critical] line: batch quarantined: 2.parquet"]
    assert there == [[], []]
    assert [len(titles) for titles in over] == [0, 1]


def test_a_batch_that_nobody_was_told_of_is_told_by_another_machine(
    store_feed: MakeFeed, told: Callable[[str, Feed], list[str]], move: Callable[[], None]
) -> None:
    """Its worker was gone before the end of its run; once told, its mark is removed."""
    feed = store_feed()
    put(feed, "1.parquet", gaps(10, 9))
    score_feed(feed)
    move()

    assert told("score", feed) == ["[critical] line: batch quarantined: 1.parquet"]
    assert told("score", feed) == []
    assert keys(feed, "untold") == set()
