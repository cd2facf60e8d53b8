"""A whole batch is released: by a kinder policy, another version, once."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pytest
from feeds import (
    PLANTED,
    by_batch,
    everything_below,
    gaps,
    rows,
)
from killed_process import start_command
from quarantined_feeds import (
    FORGIVING,
    SPLIT,
    apart,
    balanced,
    contents,
    low,
    past,
    predictions,
    scored,
)

from signature_gate.expectations.contract.policy import Policy
from signature_gate.expectations.errors import GateError
from signature_gate.tasks.quarantine.entries import entry_names
from signature_gate.tasks.quarantine.release import ReleaseOptions, release_batch
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.claims import claimed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]


def test_a_whole_batch_is_released_under_a_policy_that_accepts_it(strict: Feed) -> None:
    """It is scored under its own name; batch, verdict and report are archived; all rows count."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    original = (strict.resolve(first.outputs.batch or "")).read_bytes()

    receipt = release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))

    assert (receipt.disposition, receipt.final, receipt.previous) == ("passed", True, first.file)
    assert receipt.release
    assert (receipt.release.holds, receipt.release.receipt) == ("batch", first.file)
    assert predictions(strict, receipt)["_row"].to_list() == list(range(10))
    assert receipt.outputs.predictions == f"scored/model=line/version=1/{first.batch.id}.parquet"
    archive = strict.resolve(receipt.release.archive or "")
    assert everything_below(archive) == {
        f"{first.batch.id}.parquet",
        "verdict.json",
        "report.html",
    }
    assert strict.resolve(receipt.outputs.batch or "").read_bytes() == original
    assert balanced(strict, receipt) == (10, 10, 0)
    assert entry_names(strict) == []
    assert everything_below(strict.claims) == set()
    assert list(strict.staging.iterdir()) == []


def test_a_batch_is_released_under_a_named_version(strict: Feed) -> None:
    """The version that is named judges and scores, whatever the feed's alias means."""
    first = scored(strict, "gaps.parquet", low(4, 1))

    receipt = release_batch(
        strict, "gaps.parquet", ReleaseOptions(model="models:/line/2", policy=FORGIVING)
    )

    assert (receipt.version, receipt.disposition) == ("2", "passed")
    assert "version=2" in (receipt.outputs.predictions or "")
    assert receipt.file == f"{first.batch.id}@2.1.json"


def test_a_whole_batch_may_split_on_release(strict: Feed, rules: str) -> None:
    """What fits is scored; the rest stays in quarantine, and the original goes to the archive."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    policy = Policy(keep=("key",), on_mismatch="split", max_rejected=0.5, rules=rules)

    receipt = release_batch(strict, first.batch.id, ReleaseOptions(policy=policy))

    entry = apart(strict)
    assert receipt.disposition == "split"
    assert (entry.name, entry.holds) == (f"{first.batch.id}.release-1", "rows")
    assert receipt.outputs.quarantine == f"quarantine/{entry.name}"
    assert pl.read_parquet(entry.content or "")["_row"].to_list() == [0, 1, 2]
    assert predictions(strict, receipt)["_row"].to_list() == list(range(3, 10))
    assert strict.resolve(receipt.outputs.batch or "").is_file()
    assert balanced(strict, receipt) == (10, 7, 3)


def test_a_batch_that_still_does_not_pass_stays_with_all_its_reports(strict: Feed) -> None:
    """Nothing moves and nothing is overwritten: new reports are beside the old ones."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    before = contents(strict)

    second = release_batch(strict, first.batch.id)
    third = release_batch(strict, first.batch.id)

    after = contents(strict)
    assert before.items() <= after.items()
    folder = f"quarantine/{first.batch.id}"
    assert after.keys() - before.keys() == {
        f"{folder}/{paper}.release-{number}.{ending}"
        for paper, ending in (("verdict", "json"), ("report", "html"))
        for number in (1, 2)
    }
    assert [r.disposition for r in past(strict, first)] == ["quarantined"] * 3
    assert (second.previous, third.previous) == (first.file, second.file)
    assert balanced(strict, third) == (10, 0, 10)
    assert apart(strict).report.name == "report.release-2.html"


def test_a_split_without_a_good_row_is_a_quarantine(feed: Feed) -> None:
    """No empty predictions are published, and nothing moves, whatever share a policy allows."""
    first = scored(feed, "gaps.parquet", gaps(10, 3))
    before = contents(feed)
    policy = Policy(keep=("key",), on_mismatch="split", max_rejected=1)

    receipt = release_batch(feed, first.batch.id, ReleaseOptions(policy=policy))

    assert (receipt.disposition, receipt.outputs.predictions) == ("quarantined", None)
    assert before.items() <= contents(feed).items()
    assert balanced(feed, receipt) == (10, 7, 3)


def test_a_folder_is_released_as_it_arrived(strict: Feed) -> None:
    """A batch of several files is one batch in quarantine too."""
    folder = strict.inbox / "july"
    folder.mkdir()
    low(3, 1).write_parquet(folder / "a.parquet")
    rows(2).write_parquet(folder / "b.parquet")
    first = by_batch(score_feed(strict))["july"]

    receipt = release_batch(strict, "july", ReleaseOptions(policy=FORGIVING))

    assert (first.disposition, receipt.disposition) == ("quarantined", "passed")
    assert predictions(strict, receipt)["_row"].to_list() == list(range(5))
    assert strict.resolve(receipt.outputs.batch or "").is_dir()


def test_scoring_leaves_alone_what_was_released(feed: Feed) -> None:
    """A released batch stays done, whether it was released whole or in part."""
    scored(feed, "gaps.parquet", low(10, 3))
    scored(feed, "more gaps.parquet", low(10, 6))
    for name in ("gaps.parquet", "more gaps.parquet"):
        release_batch(feed, name, ReleaseOptions(policy=FORGIVING))
    before = contents(feed)

    assert score_feed(feed).receipts == ()
    assert score_feed(feed, again=True).receipts == ()
    assert contents(feed) == before


def test_again_scores_the_whole_batch_after_some_rows_were_released_under_that_version(
    feed: Feed,
) -> None:
    """Released rows that a newer version has scored do not count for the whole batch."""
    first = scored(feed, "gaps.parquet", low(10, 3))
    release_batch(feed, first.batch.id, ReleaseOptions(model="models:/line/2", policy=FORGIVING))
    newer = feed.model_copy(update={"model": "models:/line/2"})

    (receipt,) = score_feed(newer, again=True).receipts

    assert (receipt.version, receipt.attempt, receipt.outputs.scored) == ("2", 2, 7)
    assert receipt.outputs.predictions == f"scored/model=line/version=2/{first.batch.id}.parquet"
    assert score_feed(newer, again=True).receipts == ()


def test_a_released_batch_can_be_scored_again(strict: Feed) -> None:
    """It is found in the archive, and scored by the newer version under a policy that takes it."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))
    newer = strict.model_copy(update={"model": "models:/line/2", "policy": FORGIVING})

    (receipt,) = score_feed(newer, again=True).receipts

    assert (receipt.version, receipt.disposition) == ("2", "passed")
    assert receipt.batch.id == first.batch.id


def test_of_two_releases_at_once_one_wins(strict: Feed) -> None:
    """While a worker has the batch, another gets an error, and changes nothing."""
    first = scored(strict, "gaps.parquet", low(10, 3))
    refused: list[str] = []

    def meanwhile(*_: int) -> None:
        with pytest.raises(GateError, match="another worker works") as e:
            release_batch(strict, first.batch.id, ReleaseOptions(policy=FORGIVING))
        refused.append(str(e.value))

    receipt = release_batch(
        strict, first.batch.id, ReleaseOptions(policy=FORGIVING), watch=meanwhile
    )

    assert receipt.disposition == "passed"
    assert len(refused) == 1
    assert len(past(strict, first)) == 2
    with claimed(strict, first.batch.id) as free:
        assert free


def test_two_processes_release_one_batch_once(
    strict: Feed, written: Callable[[Feed], str], tmp_path: Path
) -> None:
    """The second process finds it claimed or gone; there is one release."""
    policy = tmp_path / "policy.yaml"
    policy.write_text("keep: [key]\n")
    first = scored(strict, "gaps.parquet", low(10, 3))
    command = ["quarantine", "release", written(strict), first.batch.id, "--policy", str(policy)]
    workers = [start_command(command, tmp_path / f"log-{n}") for n in range(2)]
    for worker in workers:
        worker.join(120)

    assert sorted(worker.exitcode for worker in workers) in ([0, 2], [0, 3])
    assert [r.disposition for r in past(strict, first)] == ["quarantined", "passed"]
    assert balanced(strict, first) == (10, 10, 0)


def test_redact_keeps_values_out_of_releases(
    make_feed: FeedMaker, moody: str, caplog: pytest.LogCaptureFixture
) -> None:
    """No receipt, report, message or log line has a value; only data files have."""
    policy = {"redact": True, **SPLIT}
    feed = make_feed(model=moody, policy=policy)
    scored(feed, "some junk.csv", rows(9, a=[PLANTED, *"12345678"]))
    scored(feed, "odd.parquet", rows(3, a=[None, 98765.5, 1.0]))
    caplog.set_level("DEBUG")

    told = release_batch(feed, "some junk.csv").model_dump_json()
    raising = feed.model_copy(update={"params": {"mood": "raise"}})
    with pytest.raises(GateError) as caught:
        release_batch(
            raising, "odd.parquet", ReleaseOptions(policy=Policy(redact=True, nulls="allow"))
        )

    records = [p for p in Path(feed.root).rglob("*") if p.suffix in (".json", ".html")]
    told += "".join(p.read_text() for p in records) + caplog.text + str(caught.value)
    assert "withheld by policy redact" in str(caught.value)
    assert caught.value.__cause__ is None
    assert PLANTED not in told
    assert "98765" not in told


def test_a_model_that_raises_leaves_everything_where_it_is(
    make_feed: FeedMaker, moody: str
) -> None:
    """No receipt and no other file is left: the release can be repeated."""
    feed = make_feed(model=moody)
    scored(feed, "gaps.parquet", gaps(4, 1))
    before = contents(feed)
    raising = feed.model_copy(update={"params": {"mood": "raise"}})

    with pytest.raises(GateError, match="raised ValueError"):
        release_batch(raising, "gaps.parquet", ReleaseOptions(policy=Policy(nulls="allow")))

    assert contents(feed) == before
    assert everything_below(feed.claims) == set()
    assert (
        release_batch(
            feed, "gaps.parquet", ReleaseOptions(policy=Policy(nulls="allow"))
        ).disposition
        == "passed"
    )


@pytest.mark.usefixtures("prefect_server")
def test_a_release_is_a_flow(make_feed: FeedMaker, line: str, rules: str) -> None:
    """Not passed again: Quarantined; passed: Completed; the result is the run's summary."""
    from signature_gate.flows.releasing import release_quarantined

    feed = make_feed("released", policy={"rules": rules})
    first = scored(feed, "gaps.parquet", low(10, 3))

    still = release_quarantined(feed, first.batch.id, return_state=True)
    done = release_quarantined(feed, first.batch.id, policy=FORGIVING, return_state=True)

    assert (still.name, still.type.value) == ("Quarantined", "COMPLETED")
    assert still.message.startswith("1 of 1 batch quarantined: gaps.parquet: rule")
    assert (done.name, done.message) == ("Completed", "1 of 1 batch passed")
    assert done.result().rows_scored == 10
