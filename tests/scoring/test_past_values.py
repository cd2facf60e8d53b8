"""What a feed's past batches had: by that the next one is judged, once it has persisted."""

from __future__ import annotations

import os
from datetime import timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import pytest
import sample_histories
from feeds import deliver, rows
from hypothesis import given
from hypothesis import strategies as st
from learned_feeds import day, score_days, shifts

from signature_gate import Contract, check
from signature_gate.expectations.values.column_values import ColumnValues, Spread
from signature_gate.expectations.values.limits import A_YEAR
from signature_gate.expectations.values.past import Baseline, Judged
from signature_gate.expectations.values.profile import ValueProfile
from signature_gate.tasks.feed import history
from signature_gate.tasks.scoring.dry_run import rehearse
from signature_gate.tasks.scoring.feed_run import current_intent, score_feed
from signature_gate.tasks.scoring.past_values import batches_a_year
from signature_gate.tasks.storage.intent import bind_intent

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

OPEN = {"nulls": "allow"}


def past_nulls(feed: Feed) -> list[float]:
    """List the null shares of ``wind`` with which the next batch of a feed is compared."""
    past = current_intent(feed).past
    assert past is not None
    return [batch["wind"]["null"] for batch in past.so_far().batches if "wind" in batch]


# ----- in a feed -----


def test_a_batch_is_compared_with_those_before_it(make_feed: FeedMaker, weather: str) -> None:
    """What was measured of each, the last one last, stands beside what was learned."""
    feed = make_feed(model=weather, policy=OPEN)
    quiet = score_days(feed, [day(number) for number in range(1, 8)])

    contract = current_intent(feed).contract_now

    assert [shifts(receipt) for receipt in quiet] == [[]] * 7
    assert contract.past is not None
    assert len(contract.past.batches) == 7
    last_five = [receipt.verdict.values["wind"]["null"] for receipt in quiet[2:]]
    assert contract.past.of("wind", "null") == last_five
    assert contract.values == Contract.load(weather).values is not None


def test_an_odd_night_does_not_become_what_is_expected(make_feed: FeedMaker, weather: str) -> None:
    """The column that was told is left out, and the others of the same batch are not."""
    feed = make_feed(model=weather, policy=OPEN)

    told = score_days(feed, [day(1), day(2, nulls=0.3), day(3), day(4), day(5, nulls=0.3)])

    assert [shifts(r) for r in told] == [[], [("wind", "null")], [], [], [("wind", "null")]]
    assert all(share < 0.03 for share in past_nulls(feed))
    assert len(past_nulls(feed)) == 3
    past = current_intent(feed).past
    assert past is not None
    assert len(past.so_far().of("temp", "median")) == 5


def test_a_level_that_persists_is_what_the_next_batch_is_compared_with(
    make_feed: FeedMaker, weather: str
) -> None:
    """Three like nights in succession are one shift; until then none of them counts."""
    feed = make_feed(model=weather, policy=OPEN)

    score_days(feed, [day(n) for n in (1, 2, 3)] + [day(n, nulls=0.3) for n in (4, 5)])
    assert len(past_nulls(feed)) == 3
    score_days(feed, [day(6, nulls=0.3)])

    assert [share > 0.2 for share in past_nulls(feed)] == [False] * 3 + [True] * 3


def test_one_run_judges_as_several_do(make_feed: FeedMaker, weather: str) -> None:
    """The batches of a run are compared with those that the same run accepted before."""
    days = [day(n) for n in range(1, 4)] + [day(n, nulls=0.3, warmer=1.5) for n in range(4, 9)]
    alone, together = (make_feed(name, model=weather, policy=OPEN) for name in ("alone", "all"))

    one_by_one = score_days(alone, days)
    at_once = score_days(together, days, each_alone=False)

    assert [shifts(r) for r in one_by_one] == [shifts(r) for r in at_once]
    told = [[v.expected for v in r.verdict.violations] for r in (*one_by_one, *at_once)]
    assert told[:8] == told[8:]
    assert past_nulls(alone) == past_nulls(together)


def test_another_version_or_profile_has_a_past_of_its_own(
    make_feed: FeedMaker, weather: str, tmp_path: Path
) -> None:
    """What was measured by other quantiles does not compare."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [day(1), day(2)])
    profile = current_intent(feed).values
    assert profile is not None
    profile.model_copy(update={"blocks": 30}).save(tmp_path / "values.json")
    policy = feed.policy.model_copy(update={"values_from": str(tmp_path / "values.json")})
    named = current_intent(feed.model_copy(update={"policy": policy}))

    assert len(past_nulls(feed)) == 2
    assert past_nulls(feed.model_copy(update={"model": "models:/weather/2"})) == []
    assert past_nulls(feed.model_copy(update={"policy": policy})) == []

    # The file is read once for a run, as a file of rules is.
    (tmp_path / "values.json").unlink()
    assert check(day(3), named.contract_now, named.judged_by).verdict.values


def test_at_most_sixty_receipts_are_read(
    make_feed: FeedMaker, weather: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many there are; and none where nothing was learned."""
    feed = make_feed(model=weather, policy=OPEN)
    read: list[Path] = []
    score_days(feed, [day(1)])
    sample_histories.keep_unread(feed, 70)
    reader = history.read_receipt
    monkeypatch.setattr(history, "read_receipt", lambda path: (read.append(path), reader(path))[1])

    assert len(past_nulls(feed)) == 1
    assert len(read) == 60

    ignoring = feed.policy.model_copy(update={"values": "ignore"})
    assert current_intent(feed.model_copy(update={"policy": ignoring})).past is None
    assert len(read) == 60


def test_a_feed_without_learned_values_has_no_past(make_feed: FeedMaker, line: str) -> None:
    """Its receipts name no profile."""
    feed = make_feed()
    deliver(feed, "a.parquet", rows(3))

    (receipt,) = score_feed(feed).receipts

    assert (receipt.profile, current_intent(feed).past) == ("", None)


def test_a_dry_run_compares_with_the_past_too(make_feed: FeedMaker, weather: str) -> None:
    """Under forbid, what the run would quarantine the rehearsal names."""
    forbids = {**OPEN, "values_of": {"wind/null": "forbid"}}
    feed = make_feed(model=weather, policy=forbids)
    deliver(feed, "odd.parquet", day(1, nulls=0.3))

    (would,) = rehearse(feed).taken
    (receipt,) = score_feed(feed).receipts

    assert (would.disposition, receipt.disposition) == ("quarantined", "quarantined")
    assert would.reason == receipt.reason
    assert past_nulls(feed) == []


def test_who_finishes_a_crashed_attempt_judges_by_the_same_profile(
    make_feed: FeedMaker, weather: str, tmp_path: Path
) -> None:
    """What was learned is bound with the version; what the past was is looked up again."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [day(1)])
    begun = current_intent(feed)
    feed.claims.mkdir(exist_ok=True)
    bind_intent(feed, "batch", begun)

    later = bind_intent(feed, "batch", current_intent(feed))
    assert (later.starts, later.values, later.profile) == (2, begun.values, begun.profile)
    assert later.past is not None
    assert len(later.past.so_far().batches) == 1

    other = current_intent(feed.model_copy(update={"model": "models:/weather/2"}))
    bound = bind_intent(feed, "batch", other)
    assert (bound.version, bound.past) == ("1", None)


# ----- the rhythm -----


@pytest.mark.parametrize(
    ("fields", "apart", "a_year"),
    [
        ({"expect_every": "1h"}, 86_400, A_YEAR * 24),
        ({}, 7 * 86_400, A_YEAR / 7),
        ({}, 3_600, A_YEAR * 24),
        ({}, 0.1, A_YEAR),
    ],
    ids=["as the feed says", "weekly", "hourly", "a backlog"],
)
def test_the_feeds_own_rhythm_says_how_many_batches_a_year_has(
    fields: dict[str, Any], apart: float, a_year: float, make_feed: FeedMaker, weather: str
) -> None:
    """By when the batches were written, not by when a backlog of them was judged."""
    feed = make_feed(model=weather, policy=OPEN, **fields)
    for number in range(4):
        path = deliver(feed, f"{number}.parquet", day(number))
        os.utime(path, (1e9 + number * apart,) * 2)
    score_feed(feed)

    past = current_intent(feed).past

    assert past is not None
    assert past.so_far().a_year == pytest.approx(a_year)


def test_two_batches_show_no_rhythm(make_feed: FeedMaker) -> None:
    """Three are the fewest."""
    feed = make_feed()
    receipts = [sample_histories.receipt(number) for number in range(3)]

    assert batches_a_year(feed, receipts[:2]) == A_YEAR
    assert batches_a_year(feed, receipts) == timedelta(days=A_YEAR) / timedelta(minutes=1)


# ----- what counts -----

_SPREADS = {"null": Spread(mean=0.1, between=0.02, low=0.08, high=0.12, step=0.02, leap=0.04)}
_COLUMN = ColumnValues(kind="number", rows=1_000, spreads=_SPREADS)
PROFILE = ValueProfile(rows=1_000, blocks=20, block_rows=50, columns={"a": _COLUMN, "b": _COLUMN})


@st.composite
def nights(draw: st.DrawFn) -> list[Judged]:
    """Batches of two columns; what is told is near 0.5 or anywhere, what is not is near 0.01."""
    judged = list[Judged]()
    for _ in range(draw(st.integers(0, 12))):
        told = draw(st.frozensets(st.sampled_from("ab")))
        odd = st.one_of(st.floats(0.5, 0.503), st.floats(0.1, 0.9))
        values = {c: {"null": draw(odd) if c in told else 0.01} for c in "ab"}
        judged.append(Judged(values, 1_000, told))
    return judged


@given(judged=nights())
def test_only_what_is_quiet_or_has_persisted_counts(judged: list[Judged]) -> None:
    """A quiet column always counts; of a run of told ones none of the first two alone ever does."""
    batches = Baseline(PROFILE, A_YEAR, judged).so_far().batches

    for column in "ab":
        counted = [column in batch for batch in batches]
        pairs = zip([column in night.told for night in judged], counted, strict=True)
        for told, run in groupby(pairs, lambda pair: pair[0]):
            known = [pair[1] for pair in run]
            if not told:
                assert all(known)
            elif len(known) < 3:
                assert not any(known)
            else:
                # Once it has persisted, all that follow in the run count.
                assert known == sorted(known)


@pytest.mark.parametrize(
    ("levels", "kept"),
    [([0.5, 0.501, 0.499], 3), ([0.2, 0.5, 0.8], 0), ([0.9, 0.5, 0.5, 0.5, 0.5], 4), ([0.5], 0)],
    ids=["persists", "goes on moving", "after a leap", "once"],
)
def test_a_level_has_persisted_once_three_are_alike(levels: list[float], kept: int) -> None:
    """Nearer to each other than batches of one level are by chance."""
    judged = [Judged({"a": {"null": level}}, 1_000, frozenset("a")) for level in levels]

    past = Baseline(PROFILE, A_YEAR, judged).so_far()

    assert sum("a" in batch for batch in past.batches) == kept
