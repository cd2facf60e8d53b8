"""Feeds whose batches break a rule: one that splits them, one that quarantines them whole."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from quarantined_feeds import (
    SPLIT,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


@pytest.fixture
def rules(tmp_path: Path) -> str:
    """Write a user's rule: no value of ``a`` is negative."""
    path = tmp_path / "rules.json"
    rule = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "a", "min_value": 0},
    }
    path.write_text(json.dumps({"name": "own", "expectations": [rule], "meta": {}}))
    return str(path)


@pytest.fixture
def feed(make_feed: FeedMaker, line: str, rules: str) -> Feed:
    """A feed of the model ``line`` that splits batches."""
    return make_feed(policy={**SPLIT, "rules": rules})


@pytest.fixture
def strict(make_feed: FeedMaker, line: str, rules: str) -> Feed:
    """A feed of the model ``line`` that quarantines batches whole."""
    return make_feed(policy={"rules": rules})
