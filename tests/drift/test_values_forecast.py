"""What a version with other learned values would tell of the batches that came before it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from learned_feeds import day, register_learned, score_days

from signature_gate import Policy
from signature_gate.expectations.verdict.explain import told_in_words
from signature_gate.tasks.monitoring.watch import watch_feed
from signature_gate.tasks.preflight.preflight import preflight

if TYPE_CHECKING:
    from pathlib import Path

    from feeds import FeedMaker


@pytest.fixture(scope="module")
def climates(registry: str) -> str:
    """Register three versions with one signature: of temperate days, again, and of hot ones."""
    for version, warmer in enumerate((0, 0, 30), 1):
        trained = [day(n, warmer=warmer).drop("key") for n in range(1_000, 1_030)]
        register_learned("climates", version, trained)
    return "models:/climates"


def test_a_version_that_learned_otherwise_is_forecast(
    make_feed: FeedMaker, climates: str, capsys: Any
) -> None:
    """One signature, other values: each batch is judged anew; nothing is where all is equal."""
    feed = make_feed(model=f"{climates}/1", policy={"nulls": "allow", "keep": ["key"]})
    score_days(feed, [day(1), day(2), day(3, warmer=30)])

    found = watch_feed(feed, model=f"{climates}/3")

    told = {entry.name: bool(entry.told) for entry in found.forecast}
    assert told == {"day-01.parquet": True, "day-02.parquet": True, "day-03.parquet": False}
    assert found.rejecting == ()
    assert "2 with values unlike those learned: temp (" in found.forecast_in_words
    assert watch_feed(feed, model=f"{climates}/2").forecast == ()
    assert watch_feed(feed).forecast == ()


def test_preflight_counts_what_a_version_would_tell(
    climates: str, tmp_path: Path, capsys: Any
) -> None:
    """Batches that pass and are told are named with the column and statistic, and counted."""
    for number, warmer in enumerate((0, 0, 30), 1):
        day(number, warmer=warmer).drop("key").write_parquet(tmp_path / f"day-{number}.parquet")
    (tmp_path / "policy.yaml").write_text("nulls: allow\n", "utf-8")

    found = preflight(f"{climates}/3", tmp_path, Policy(nulls="allow"))

    recent = found.steps[-1]
    told = {batch.file: batch.told for batch in found.batches}
    assert recent.state == "ok"
    assert recent.observed.startswith("3 would pass; 2 with values unlike those learned: temp (")
    assert told["day-3.parquet"] == ()
    assert told["day-1.parquet"][0].startswith("temp (")
    uri, policy = f"{climates}/3", str(tmp_path / "policy.yaml")
    out = run(capsys, "preflight", uri, "--batches", str(tmp_path), "--policy", policy)[1]
    assert "unlike what was learned" in out


def test_batches_are_counted_by_what_was_told_of_them() -> None:
    """The most frequent first, five at most; a name shows its control characters."""
    told = [("a (null)",), ("b (median)", "a (null)"), (), *([f"{n}\x1b (null)"] for n in range(5))]

    words = told_in_words(told)

    assert words.startswith("7 with values unlike those learned: a (null) 2, b (median) 1, 0")
    assert words.endswith("and 2 more")
    assert "\x1b" not in words
    assert told_in_words([(), ()]) == ""
