"""Stores that answer late, wrongly or not at all: each row is scored once all the same."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING

import polars as pl
import pytest
from faulty_proxy import faulty
from feeds import gaps
from kept_feeds import keys_of_rows, unnamed
from live_object_store import put

from signature_gate.expectations.errors import GateError
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

_SPLIT = {"on_mismatch": "split", "max_rejected": 0.5, "keep": ["key"]}
_REQUESTS = 56  # of the run below, at most


@pytest.mark.parametrize("kind", ["lost", "refused", "slow", "reset"])
@pytest.mark.parametrize("first", range(1, _REQUESTS, 14))
def test_one_spoilt_answer_loses_and_doubles_nothing(
    store_feed: Callable[..., Feed],
    s3: str,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    first: int,
) -> None:
    """Whichever request it is: the client repeats it, or the next run does."""
    feed = store_feed(policy=_SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    put(feed, "some.parquet", gaps(6, nulls=2))

    with monkeypatch.context() as patch, faulty(s3, kind, first, first) as (address, faults):
        patch.setenv("AWS_ENDPOINT_URL", address)
        with suppress(GateError):
            score_feed(feed)
    score_feed(feed)

    assert faults.seen < _REQUESTS
    scored, held = keys_of_rows(feed)
    assert scored == Counter(["k2", "k3", "k4", "k5"])
    assert held == Counter(["k0", "k1", "z"])
    assert unnamed(feed) == set()


@pytest.mark.parametrize("first", range(2, _REQUESTS, 18))
def test_credentials_that_expire_within_a_run_lose_nothing(
    store_feed: Callable[..., Feed], s3: str, monkeypatch: pytest.MonkeyPatch, first: int
) -> None:
    """From one request on all are denied; with fresh ones the next run goes on."""
    monkeypatch.setenv("SIGNATURE_GATE_LEASE", "0")
    feed = store_feed(policy=_SPLIT)
    put(feed, "bad.parquet", pl.DataFrame({"key": ["z"], "other": [1]}))
    put(feed, "some.parquet", gaps(6, nulls=2))

    with monkeypatch.context() as patch, faulty(s3, "denied", first, 10**6) as (address, _):
        patch.setenv("AWS_ENDPOINT_URL", address)
        with suppress(GateError):
            score_feed(feed)
    score_feed(feed)
    score_feed(feed)

    scored, held = keys_of_rows(feed)
    assert scored == Counter(["k2", "k3", "k4", "k5"])
    assert held == Counter(["k0", "k1", "z"])
