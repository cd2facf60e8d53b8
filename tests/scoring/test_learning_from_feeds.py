"""``learn --feed``: what a feed accepted is learned from, wherever it lies by now."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from commands import run
from feeds import deliver
from learned_feeds import day, score_days

from signature_gate import Contract, Misuse, ValueProfile, learn
from signature_gate.tasks.monitoring.accepted_batches import accepted_batches

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from signature_gate.tasks.feed.feed import Feed

MODEL = "models:/weather/1"
PLAIN = {"nulls": "allow", "values": "ignore"}


def found(feed: Feed, last: int = 200) -> tuple[list[str], dict[str, int]]:
    """Name the batches that can be learned from, and count the others."""
    batches = accepted_batches(feed, Contract.load(MODEL), feed.policy, last)
    return [path.name for path in batches.paths], dict(batches.left_out)


@pytest.fixture
def learned(
    written: Callable[..., str], capsys: Any, tmp_path: Path
) -> Callable[[Feed], tuple[int, str, Path]]:
    """Learn from a feed by the command: its exit code, what it prints, and the profile's file."""
    out = tmp_path / "values.json"

    def learn_from(feed: Feed) -> tuple[int, str, Path]:
        code, shown, _ = run(capsys, "learn", "--feed", written(feed), "--out", str(out))
        return code, shown, out

    return learn_from


@pytest.mark.parametrize("archive", [False, True])
def test_accepted_batches_are_found_in_the_inbox_and_in_the_archive(
    archive: bool, make_feed: Callable[..., Feed], weather: str
) -> None:
    """In the order in which they were judged, the last so many; quarantined ones are not."""
    feed = make_feed(model=weather, policy=PLAIN, archive=archive)
    score_days(feed, [day(1), day(2).drop("temp"), day(3), day(4)])

    names, left_out = found(feed)

    assert [name[:6] for name in names] == ["day-01", "day-03", "day-04"]
    assert left_out == {}
    assert [name[:6] for name in found(feed, 2)[0]] == ["day-03", "day-04"]
    home = feed.folder_paths()["archive" if archive else "inbox"]
    assert {
        path.parent for path in accepted_batches(feed, Contract.load(MODEL), feed.policy, 9).paths
    } == {home}


def test_of_a_split_batch_the_rows_that_fit_are_learned(
    make_feed: Callable[..., Feed], weather: str, learned: Callable[[Feed], tuple[int, str, Path]]
) -> None:
    """Rows are judged by the feed's policy again."""
    feed = make_feed(
        model=weather, policy={"values": "ignore", "nulls": "forbid", "on_mismatch": "split"}
    )
    score_days(feed, [day(1, nulls=0.05)])

    code, shown, _ = learned(feed)

    assert (code, "learned from 1,000 rows" in shown) == (0, True)
    assert found(feed)[1] == {}


def test_what_is_gone_changed_told_or_unfit_is_left_out_and_counted(
    make_feed: Callable[..., Feed], weather: str
) -> None:
    """A night of which was told shall not become what is expected."""
    feed = make_feed(model=weather, policy={"nulls": "allow"})
    score_days(feed, [day(1), day(2), day(3), day(4, warmer=40), day(5)])
    (feed.inbox / "day-01.parquet").unlink()
    deliver(feed, "day-02.parquet", day(22))

    names, left_out = found(feed)

    assert names == ["day-03.parquet", "day-05.parquet"]
    assert left_out == {
        "is no longer there, or was changed": 2,
        "was told of for its values": 1,
    }
    narrow = Contract.from_signature(
        {"inputs": '[{"type": "long", "name": "other", "required": true}]'}
    )
    with pytest.raises(Misuse, match=r"2 accepted: does not fit the model.*Score batches first"):
        accepted_batches(feed, narrow, feed.policy, 200)


def test_each_batch_of_a_feed_is_a_block(
    make_feed: Callable[..., Feed], weather: str, learned: Callable[[Feed], tuple[int, str, Path]]
) -> None:
    """The profile is that of the batches given one by one, with the feed's policy and model."""
    days = [day(number) for number in range(16)]
    feed = make_feed(model=weather, policy=PLAIN)
    score_days(feed, days, each_alone=False)

    code, shown, out = learned(feed)

    assert code == 0
    assert "in 16 blocks of 1,000" in shown
    paths = accepted_batches(feed, Contract.load(MODEL), feed.policy, 200).paths
    assert ValueProfile.load(out) == learn(*paths, contract=MODEL, policy=feed.policy)


def test_a_feed_that_accepted_nothing_says_so(
    make_feed: Callable[..., Feed], weather: str, written: Callable[..., str], capsys: Any
) -> None:
    """The remedy is to score first, or to name data."""
    feed = make_feed(model=weather, policy=PLAIN)

    code, _, err = run(capsys, "learn", "--feed", written(feed), "--replace")

    assert code == 2
    assert "none of the last 200 batches of feed line can be learned from." in err
    assert "name the data" in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a MODEL, or a feed by --feed"),
        (["{model}", "{csv}", "--feed", "feed.yaml"], "exclude each other"),
        (["{model}", "{csv}"], "has a profile of values already"),
        (["{model}", "{csv}", "--out", "{csv}"], "exists and is not overwritten"),
        (["{model}", "{misfit}", "--out", "new.json"], "missing_column"),
        (["{model}", "{empty}", "--out", "new.json"], "no rows to learn from"),
        (["{model}", "no-such.csv", "--out", "new.json"], "no such batch"),
    ],
    ids=["nothing", "both", "second", "exists", "misfit", "empty", "absent"],
)
def test_what_cannot_be_learned_is_refused_in_words(
    arguments: list[str], said: str, weather: str, tmp_path: Path, capsys: Any
) -> None:
    """Each error says what is wrong, and nothing is written."""
    files = {name: str(tmp_path / f"{name}.csv") for name in ("csv", "misfit", "empty")}
    day(1).write_csv(files["csv"])
    day(1).drop("temp").write_csv(files["misfit"])
    day(1).head(0).write_csv(files["empty"])
    given = [argument.format(model=weather, **files) for argument in arguments]

    code, out, err = run(capsys, "learn", *given)

    assert (code, out) == (1 if said == "missing_column" else 2, "")
    assert said in err
    assert "Traceback" not in err


def test_text_without_types_asks_for_the_model_in_python(tmp_path: Path) -> None:
    """CSV has no types of its own."""
    pl.DataFrame({"temp": [1.5]}).write_csv(tmp_path / "day.csv")

    with pytest.raises(Misuse, match=r"no types of its own: name the model too, by contract="):
        learn(tmp_path / "day.csv")


def test_json_is_the_profile_and_nothing_else(weather: str, tmp_path: Path, capsys: Any) -> None:
    """stdout has one document, which is what is written; --help shows how it is used."""
    day(1).write_parquet(tmp_path / "day.parquet")
    out = tmp_path / "values.json"
    data = str(tmp_path / "day.parquet")

    code, shown, _ = run(capsys, "learn", weather, data, "--out", str(out), "--json")

    assert code == 0
    assert shown == out.read_text("utf-8")
    assert "learn --feed feeds/flights.yaml" in run(capsys, "learn", "--help")[1]
