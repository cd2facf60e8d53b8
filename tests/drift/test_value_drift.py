"""A shift of values: told once, with its band; over once it is; or accepted, with who and why."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from commands import run
from hypothesis import given
from hypothesis import strategies as st
from learned_feeds import day, score_days, shifts
from prefect_records import artifact, events
from webhook import receiver  # noqa: F401 - a fixture

from signature_gate import Contract
from signature_gate.expectations.errors import Misuse
from signature_gate.expectations.report.value_shifts import QUIET, Level, ValueShift
from signature_gate.tasks.alerts.alert import alert_of_drift
from signature_gate.tasks.monitoring.announced import AnnouncedState, new_events
from signature_gate.tasks.monitoring.pages import write_overview
from signature_gate.tasks.monitoring.value_drift import accept_drift
from signature_gate.tasks.monitoring.watch import watch_feed
from signature_gate.tasks.scoring.feed_run import current_intent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from webhook import Webhook

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

OPEN = {"nulls": "allow"}


def quiet(*numbers: int) -> list[Any]:
    """Make days like those that were learned."""
    return [day(number) for number in numbers]


def gusty(*numbers: int, **more: Any) -> list[Any]:
    """Make days in which 31 % of ``wind`` is null, in place of 1 %."""
    return [day(number, nulls=0.31, **more) for number in numbers]


def seen(feed: Feed) -> list[tuple[str, str, str, int]]:
    """List which columns shifted, by what, since when, and in how many batches."""
    return [(s.column, s.statistic, s.since, s.told) for s in watch_feed(feed).values]


def told_by(feed: Feed, state: AnnouncedState, days: Iterable[Any]) -> tuple[list[Any], Any]:
    """Score a day and watch, again and again: what was news each time, and the state after all."""
    news = list[Any]()
    for rows in days:
        score_days(feed, [rows])
        fresh, state = new_events(watch_feed(feed), state)
        news.append(fresh)
    return news, state


# ----- what shifted -----


def test_drift_tells_of_nulls_that_rose(
    make_feed: FeedMaker, weather: str, written: Callable[[Feed], str], capsys: Any
) -> None:
    """From 1 % to 31 %, in a feed whose schema stayed: the column, since when, and what it was."""
    feed = make_feed("nulls", model=weather, policy=OPEN)
    score_days(feed, [*quiet(1, 2), *gusty(3, 4)])

    code, out, _ = run(capsys, "drift", written(feed))
    printed = json.loads(run(capsys, "drift", written(feed), "--json")[1])

    assert code == 0
    assert "no drift" not in out
    said = " ".join(out.split())
    assert "nulls: the values of 1 column shifted" in said
    assert "'wind' shifted with day-03.parquet; 2 batches so far: expected a share of null" in said
    assert re.search(r"null +▁▁[▆▇█]{2}", out)
    (shift,) = printed["values"]
    assert printed["drifted"]
    assert (shift["column"], shift["statistic"], shift["since"]) == (
        "wind",
        "null",
        "day-03.parquet",
    )
    shares = [level["value"] for level in shift["levels"]]
    assert [level["told"] for level in shift["levels"]] == [False, False, True, True]
    for share, level in zip(shares, shift["levels"], strict=True):
        low, high = level["limits"]
        assert (low <= share <= high) is not level["told"]


def test_what_changed_first_and_what_together(make_feed: FeedMaker, weather: str) -> None:
    """Columns that shifted with one batch name each other; the first to shift is told first."""
    feed = make_feed(model=weather, policy=OPEN)
    both = [day(n, nulls=0.3, warmer=30) for n in (5, 6)]
    score_days(feed, [*quiet(1, 2, 3, 4), *both])
    together = watch_feed(feed).values
    assert {s.column: s.together for s in together} == {"wind": ("temp",), "temp": ("wind",)}
    assert ", together with 'temp'; 2 batches so far" in watch_feed(feed).message()

    other = make_feed("other", model=weather, policy=OPEN)
    score_days(other, [*quiet(1), day(2, warmer=30), day(3, nulls=0.3, warmer=30)])
    assert [(s.column, s.start, s.together) for s in watch_feed(other).values] == [
        ("temp", 1, ()),
        ("wind", 2, ()),
    ]


def test_one_shift_lasts_until_three_batches_are_as_expected(
    make_feed: FeedMaker, weather: str
) -> None:
    """A shift that is told every other night is one shift, and its end is told once it is sure."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *gusty(2), *quiet(3), *gusty(4), *quiet(5, 6)])
    assert seen(feed) == [("wind", "null", "day-02.parquet", 2)]

    score_days(feed, quiet(7))
    assert seen(feed) == []
    score_days(feed, gusty(8))
    assert seen(feed) == [("wind", "null", "day-08.parquet", 1)]


def test_a_feed_says_that_it_is_still_learning(
    make_feed: FeedMaker, weather: str, line: str, tmp_path: Path
) -> None:
    """Until three batches are known, in words and on the page; where nothing was learned, never."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, quiet(1, 2))
    found = watch_feed(feed)
    page = write_overview([feed], tmp_path).parent / "feed-line" / "index.html"

    assert (found.learning, found.drifted, found.notes) == (2, False, ())
    assert "still learning from 2 batches; 3 are needed" in found.message()
    assert "still learning from 2 batches" in page.read_text()

    score_days(feed, quiet(3))
    write_overview([feed], tmp_path)
    assert watch_feed(feed).learning is None
    assert "still learning" not in page.read_text()
    assert watch_feed(make_feed("plain")).learning is None


def test_what_another_version_judged_is_no_drift(make_feed: FeedMaker, weather: str) -> None:
    """Under a new version, what was told under the old one is over; it has learned for itself."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *gusty(2)])
    later = feed.model_copy(update={"model": "models:/weather/2"})
    score_days(later, quiet(3))

    assert seen(later) == []
    score_days(later, gusty(4))
    assert seen(later) == [("wind", "null", "day-04.parquet", 1)]


def test_redacted_a_shift_tells_no_value(make_feed: FeedMaker, weather: str) -> None:
    """The column and the statistic are told; neither limits nor levels."""
    feed = make_feed(model=weather, policy={**OPEN, "redact": True})
    score_days(feed, [*quiet(1), day(2, scale=123_456)])

    (shift,) = watch_feed(feed).values

    assert shift.column == "temp"
    assert {(level.value, level.limits) for level in shift.levels} == {(None, None)}
    assert not re.search(r"\d\.\d|%", shift.message.replace("day-02.parquet", ""))


# ----- told once -----


def test_a_shift_is_announced_once_and_once_when_it_is_over(
    make_feed: FeedMaker, weather: str
) -> None:
    """Not each night; another column that follows is news of its own."""
    feed = make_feed(model=weather, policy=OPEN)
    days = [*quiet(1), *gusty(2, 3, 4), *gusty(5, 6, warmer=30), *quiet(7, 8, 9, 10)]

    news, state = told_by(feed, AnnouncedState(), days)

    assert news == [
        (),
        ("values.shifted",),
        (),
        (),
        ("values.shifted",),
        *((), (), ()),
        ("values.recovered",),
        (),
    ]
    assert state.values == {}


def test_an_alert_names_what_is_new_and_its_end_carries_its_fingerprint(
    make_feed: FeedMaker, weather: str
) -> None:
    """A warning names the new column only; info ends it, alike however much else goes on."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *gusty(2)])
    before = AnnouncedState()
    begun = alert_of_drift(watch_feed(feed), "values.shifted", before)
    _, state = new_events(watch_feed(feed), before)
    score_days(feed, [day(n, nulls=0.31, warmer=30) for n in (3, 4)])
    second = alert_of_drift(watch_feed(feed), "values.shifted", state)
    score_days(feed, [day(n, warmer=30) for n in (5, 6, 7)])
    end = alert_of_drift(watch_feed(feed), "values.recovered", state)

    assert [alert.severity for alert in (begun, second, end)] == ["warning", "warning", "info"]
    assert begun.title == f"[warning] {feed.name}: values have shifted"
    assert begun.payload["values"] == [{"column": "wind", "statistic": "null"}]
    assert "'wind' shifted with day-02.parquet" in begun.body
    assert begun.fingerprint == end.fingerprint != second.fingerprint
    assert "over: 'wind': as expected again" in end.body


def test_a_recipient_hears_of_a_shift_once(
    make_feed: FeedMaker,
    weather: str,
    written: Callable[[Feed], str],
    capsys: Any,
    webhook: Webhook,
) -> None:
    """``drift --notify`` each night: one message, and one at the end."""
    feed = make_feed("nightly", model=weather, policy=OPEN)
    to = ("--notify", f"json://{webhook.host}/nightly")
    for rows in [*quiet(1), *gusty(2, 3, 4), *quiet(5, 6, 7, 8)]:
        score_days(feed, [rows])
        run(capsys, "drift", written(feed), *to)

    assert [message["title"] for message in webhook.got("/nightly")] == [
        "[warning] nightly: values have shifted",
        "[info] nightly: values are as expected again",
    ]


def test_a_shift_that_stops_batches_is_critical(
    make_feed: FeedMaker, weather: str, written: Callable[[Feed], str], capsys: Any
) -> None:
    """Under forbid the alert says so, and drift exits with 1."""
    feed = make_feed(model=weather, policy={**OPEN, "values_of": {"wind": "forbid"}})
    score_days(feed, [*quiet(1), *gusty(2)])

    alert = alert_of_drift(watch_feed(feed), "values.shifted", AnnouncedState())

    assert alert.severity == "critical"
    assert run(capsys, "drift", written(feed))[0] == 1


@pytest.mark.usefixtures("prefect_server")
def test_a_watch_tells_of_values_in_prefect(make_feed: FeedMaker, weather: str) -> None:
    """State, artifact and one event, all from a real server."""
    from signature_gate.flows.watching import watch_schema

    feed = make_feed("valued", model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *gusty(2)])

    assert [watch_schema(feed, return_state=True).name for _ in range(2)] == ["Drifted"] * 2
    assert "## Columns whose values shifted" in artifact("signature-gate-valued-drift")
    (event,) = [e for e in events("signature-gate.feed.valued", 1) if ".batch." not in e["event"]]
    assert event["event"] == "signature-gate.values.shifted"


# ----- accepted -----


def test_an_accepted_level_is_what_batches_are_compared_with(
    make_feed: FeedMaker, weather: str, written: Callable[[Feed], str], capsys: Any
) -> None:
    """The next night is not told; a return to the old level is, and so is all the rest."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1, 2), *gusty(3, 4)])
    learned = Contract.load(weather).values

    code, out, _ = run(capsys, "drift", "accept", written(feed), "wind", "--why", "new sensor")

    assert (code, "wind: as in the last 2 batches" in out) == (0, True)
    assert seen(feed) == []
    past = current_intent(feed).contract_now.past
    assert past is not None
    assert ["wind" in batch for batch in past.batches] == [False, False, True, True]
    assert len(past.of("temp", "median")) == 4
    after = score_days(feed, [*gusty(5), *quiet(6), *gusty(7, warmer=30)])
    assert [dict(shifts(receipt)).keys() for receipt in after] == [set(), {"wind"}, {"temp"}]
    (told,) = [v for v in after[1].verdict.violations if v.kind == "shift"]
    assert "where the new level was accepted" in told.expected
    assert Contract.load(weather).values == learned
    assert current_intent(feed).values == learned


def test_who_accepted_what_and_why_is_kept_for_ever(make_feed: FeedMaker, weather: str) -> None:
    """A document for each acceptance beside the receipts, none of which is ever changed."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *gusty(2, 3)])
    first, place = accept_drift(feed, why="new sensor")
    kept = place.read_bytes()
    score_days(feed, quiet(4, 5))
    second, other = accept_drift(feed, "wind", why="the old one is back")

    assert place.parent == other.parent == feed.receipts / ".accepted"
    assert (place.name, other.name) == ("0001.json", "0002.json")
    assert place.read_bytes() == kept
    assert json.loads(kept)["why"] == "new sensor"
    assert first.who == second.who != ""
    assert first.levels["wind"]["null"] == pytest.approx(0.31, abs=0.04)
    assert second.levels["wind"]["null"] == pytest.approx(0.01, abs=0.01)
    assert shifts(score_days(feed, quiet(6))[0]) == []
    assert "accepted: 'wind' by" in watch_feed(feed).message()


def test_the_end_of_a_shift_that_was_accepted_says_so(make_feed: FeedMaker, weather: str) -> None:
    """Whoever was alerted hears who took it for right, and why."""
    feed = make_feed(model=weather, policy=OPEN)
    news, state = told_by(feed, AnnouncedState(), [*quiet(1), *gusty(2)])
    accept_drift(feed, why="new sensor")
    (ended,), _ = new_events(watch_feed(feed), state)

    assert news == [(), ("values.shifted",)]
    assert ended == "values.recovered"
    body = alert_of_drift(watch_feed(feed), ended, state).body
    assert re.search(r"over: 'wind': accepted by \S+ on [\d-]+: new sensor", body)


def test_how_a_column_goes_with_an_accepted_one_is_accepted_too(
    make_feed: FeedMaker, weather: str
) -> None:
    """Otherwise its neighbour would be told next, of which nobody could know why."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, [*quiet(1), *[day(n, warmer=30) for n in (2, 3)]])
    profile = current_intent(feed).values
    assert profile is not None

    accepted, _ = accept_drift(feed, "temp", why="summer")

    linked = {name for name, column in profile.columns.items() if column.link}
    assert accepted.levels.keys() == {"temp"} | linked
    assert all(accepted.levels[name].keys() == {"goes_with"} for name in linked - {"temp"})
    assert accepted.batches.keys() == {"temp"}
    assert [shifts(r) for r in score_days(feed, [day(n, warmer=30) for n in (4, 5)])] == [[], []]


def test_only_what_shifted_can_be_accepted(
    make_feed: FeedMaker, weather: str, written: Callable[[Feed], str], capsys: Any
) -> None:
    """The error names what did; a column that nobody told of stays as it was learned."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, quiet(1))
    with pytest.raises(Misuse, match="no values shifted"):
        accept_drift(feed, why="x")
    score_days(feed, gusty(2))

    code, _, err = run(capsys, "drift", "accept", written(feed), "temp", "--why", "x")

    assert (code, "those that shifted are 'wind'" in err) == (2, True)
    assert run(capsys, "drift", "accept", written(feed))[0] == 2
    assert not (feed.receipts / ".accepted").exists()


def test_drift_takes_its_feed_after_options_too(
    make_feed: FeedMaker, weather: str, written: Callable[[Feed], str], capsys: Any
) -> None:
    """``drift FEED`` is ``drift show FEED``, however it is written."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, quiet(1))
    file = written(feed)

    answers = [
        run(capsys, "drift", *words)
        for words in ([file], ["show", file], ["--last", "5", file], [file, "--last", "5"])
    ]

    assert answers == [answers[0]] * 4
    assert answers[0][0] == 0


# ----- pictures -----


def test_a_page_draws_what_shifted_and_nothing_else(
    make_feed: FeedMaker, weather: str, tmp_path: Path
) -> None:
    """A lane for each column that did, with a point for each batch; no figure where none did."""
    feed = make_feed(model=weather, policy=OPEN)
    score_days(feed, quiet(1, 2, 3))
    page = write_overview([feed], tmp_path).parent / "feed-line" / "index.html"
    assert "Values that shifted" not in page.read_text()

    score_days(feed, gusty(4, 5))
    write_overview([feed], tmp_path)
    text = page.read_text()

    assert text.count('class="lane level-lane"') == 1
    assert text.count('<i class="level"') == 3
    assert text.count('<i class="level told"') == 2
    assert "shifted with day-04.parquet; 2 batches so far" in text


numbers = st.floats(-1e6, 1e6)


@given(
    levels=st.lists(
        st.builds(
            Level,
            st.just("batch"),
            st.none() | numbers,
            st.none() | st.tuples(numbers, numbers).map(sorted).map(tuple),
            st.booleans(),
        ),
        min_size=1,
    )
)
def test_a_picture_holds_its_values_and_limits(levels: list[Level]) -> None:
    """Whatever they are, all lie within it, and as they lie to each other."""
    shift = ValueShift("a", "median", "b", 0, 1, 0, "warning", "x", "y", tuple(levels))

    assert len(shift.spark) == len(levels)
    assert shift.lasts is (shift.quiet < QUIET)
    for level, (at, low, high, told) in zip(levels, shift.heights, strict=True):
        assert 0 <= low <= high <= 1
        assert told is level.told
        assert (at is None) is (level.value is None)
        if at is not None and level.value is not None and level.limits:
            assert 0 <= at <= 1
            assert (at < low) <= (level.value < level.limits[0])
            assert (at > high) <= (level.value > level.limits[1])
