from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import pyarrow.parquet as pq
import pytest
from feeds import (
    PLANTED,
    by_batch,
    deliver,
    everything_below,
    gaps,
    rows,
    truncated,
)

from signature_gate.expectations.errors import Misuse, NoContract, RegistryUnavailable
from signature_gate.tasks.feed.identity import identify
from signature_gate.tasks.feed.receipt import Receipt
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import Progress, score_feed
from signature_gate.tasks.storage.claims import claimed
from signature_gate.tasks.storage.transaction import prepare

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from signature_gate.tasks.feed.feed import Feed

    FeedMaker = Callable[..., Feed]

SPLIT = {"on_mismatch": "split", "max_rejected": 0.5}


@pytest.fixture
def feed(make_feed: FeedMaker, line: str) -> Feed:
    """A feed for the line, which sets bad rows apart."""
    return make_feed(policy=SPLIT)


@pytest.fixture
def promote(line: str) -> Iterator[Callable[[str], None]]:
    """Move the champion alias, and move it back in the end."""
    import mlflow

    def move(version: str) -> None:
        mlflow.MlflowClient().set_registered_model_alias("line", "champion", version)

    yield move
    move("1")


def only(feed: Feed, **options: bool) -> Receipt:
    """Run a feed that has one batch to attempt."""
    (receipt,) = score_feed(feed, **options).receipts
    return receipt


def predictions(feed: Feed, receipt: Receipt) -> pl.DataFrame:
    """Read what was published for a batch."""
    return pl.read_parquet(feed.resolve(receipt.outputs.predictions or ""), hive_partitioning=False)


# ----- how batches fare -----


def test_every_batch_ends_where_its_verdict_sends_it(feed: Feed, tmp_path: Path) -> None:
    """Passed, split, quarantined, unreadable: rows in are rows scored and rows rejected."""
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "good.csv.gz", rows(4))
    deliver(feed, "gaps.parquet", gaps(10, 3))
    deliver(feed, "mostly gaps.parquet", gaps(10, 6))
    deliver(feed, "renamed.parquet", rows(3).rename({"a": "b"}))
    deliver(feed, "cut.parquet", truncated(rows(9), tmp_path))
    deliver(feed, "empty.parquet", b"")
    deliver(feed, "notes.xlsx", b"hello")

    summary = score_feed(feed)

    assert {name: r.disposition for name, r in by_batch(summary).items()} == {
        "good.parquet": "passed",
        "good.csv.gz": "passed",
        "gaps.parquet": "split",
        "mostly gaps.parquet": "quarantined",
        "renamed.parquet": "quarantined",
        "cut.parquet": "quarantined",
        "empty.parquet": "quarantined",
        "notes.xlsx": "quarantined",
    }
    assert (summary.rows_in, summary.rows_scored, summary.rows_rejected) == (32, 16, 16)
    assert {r.batch.name for r in summary.unreadable} == {
        "cut.parquet",
        "empty.parquet",
        "notes.xlsx",
    }
    assert summary.message().startswith("5 of 8 batches quarantined: cut.parquet: unreadable")
    assert everything_below(feed.inbox) == {"good.parquet", "good.csv.gz", "gaps.parquet"}
    assert list(feed.staging.iterdir()) == []
    assert everything_below(feed.claims) == set()


def test_predictions_join_back_to_the_batch(feed: Feed) -> None:
    """Row positions and keys stand beside predictions named as the output schema names them."""
    deliver(feed, "gaps.parquet", gaps(10, 3))

    receipt = only(feed)

    frame = predictions(feed, receipt)
    assert frame.columns == ["_row", "key", "outcome"]
    assert frame["_row"].to_list() == list(range(3, 10))
    assert frame["key"].to_list() == [f"k{i}" for i in range(3, 10)]
    assert frame["outcome"].to_list() == pytest.approx([2 * i - 3 for i in range(3, 10)])
    file = feed.resolve(receipt.outputs.predictions or "")
    assert file == feed.predictions(receipt.batch.id, "line", "1")
    assert pq.read_schema(file).metadata == {
        b"signature_gate.batch": receipt.batch.id.encode(),
        b"signature_gate.model": b"models:/line/1",
        b"signature_gate.version": b"1",
        b"signature_gate.fingerprint": receipt.contract.encode(),
    }


def test_what_is_set_apart_explains_itself(feed: Feed) -> None:
    """Rejected rows lie with their reasons, a whole batch with its name's ending, each reported."""
    deliver(feed, "gaps.parquet", gaps(10, 3))
    deliver(feed, "text.csv.gz", rows(3, a=["x", "y", "z"]))

    summary = score_feed(feed)

    split, whole = by_batch(summary)["gaps.parquet"], by_batch(summary)["text.csv.gz"]
    apart = feed.resolve(split.outputs.quarantine or "")
    assert everything_below(apart) == {"rejected.parquet", "verdict.json", "report.html"}
    rejected = pl.read_parquet(apart / "rejected.parquet")
    assert rejected["_row"].to_list() == [0, 1, 2]
    assert rejected["_violations"].list.len().to_list() == [1, 1, 1]
    kept = feed.resolve(whole.outputs.quarantine or "")
    assert everything_below(kept) == {f"{whole.batch.id}.csv.gz", "verdict.json", "report.html"}
    assert feed.resolve(whole.outputs.batch or "") == kept / f"{whole.batch.id}.csv.gz"


def test_a_receipt_tells_of_the_values_of_a_csv_file(make_feed: FeedMaker, line: str) -> None:
    """What the scan saw is kept: nulls, ranges, NaN and infinity."""
    feed = make_feed(policy={"non_finite": "forbid"})
    deliver(feed, "gaps.csv", rows(4, a=[1.0, float("nan"), float("inf"), -3.0]))

    batch = only(feed).batch

    assert batch.null_counts == {"a": 0, "n": 0}
    assert batch.ranges == {"a": (-3.0, 1.0), "n": (0, 3)}
    assert (batch.nan_counts, batch.infinity_counts) == ({"a": 1}, {"a": 1})


def test_a_receipt_tells_what_arrived(feed: Feed) -> None:
    """Arriving schema, null counts and ranges are kept: drift is read from receipts alone."""
    deliver(feed, "gaps.parquet", gaps(10, 3))

    only(feed)

    (batch,) = ReceiptStore(feed).batches()
    (receipt,) = ReceiptStore(feed).for_batch(batch)
    assert dict(receipt.batch.columns)["n"] == "int64"
    assert receipt.batch.null_counts == {"a": 3, "n": 0, "key": 0}
    assert receipt.batch.ranges["n"] == (0, 9)
    assert receipt.final
    assert receipt.verdict
    assert receipt.verdict.rejected == 3
    assert receipt.model.pinned == "models:/line/1"


def test_scored_batches_leave_for_the_archive_if_the_feed_says_so(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """The inbox empties; an empty marker goes with its batch."""
    feed = make_feed(archive=True)
    deliver(feed, "good.parquet", rows(3))
    deliver(feed, "good.parquet.ready", b"")

    receipt = only(feed)

    assert receipt.outputs.batch == f"archive/{receipt.batch.id}.parquet"
    assert feed.resolve(receipt.outputs.batch).is_file()
    assert everything_below(feed.inbox) == set()


@pytest.mark.parametrize(
    "name", [" .. .parquet", "a\nb.parquet", "Ünï <b>.parquet", "-rf *.parquet"]
)
def test_no_name_leads_out_of_the_feed(feed: Feed, name: str) -> None:
    """Whatever a batch is called, it is scored or quarantined under a plain name."""
    deliver(feed, name, rows(2))
    before = everything_below(Path(feed.root).parent)
    deliver(feed, f"bad {name}", rows(2, a=["x", "y"]))

    fared = {name: r.disposition for name, r in by_batch(score_feed(feed)).items()}

    assert fared == {name: "passed", f"bad {name}": "quarantined"}
    inbox = {path for path in before if path.startswith("line/inbox/")}
    outside = everything_below(Path(feed.root).parent) - inbox
    assert all(path.isascii() and path.isprintable() and " " not in path for path in outside)


def test_no_rows_are_scored_where_the_policy_lets_none_arrive(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """An empty batch under min_rows: 0 ends in an empty file; the model is not asked."""
    feed = make_feed(policy={"min_rows": 0})
    deliver(feed, "none.parquet", rows(2).clear())

    receipt = only(feed)

    assert receipt.disposition == "passed"
    assert predictions(feed, receipt).height == 0


def test_content_that_contradicts_its_footer_is_unreadable(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """A page that is damaged behind a sound footer is found before predict, and quarantined."""
    feed = make_feed(policy={"nan": "value", **SPLIT})
    path = deliver(feed, "page.parquet", rows(1000))
    start = pq.read_metadata(path).row_group(0).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[start : start + 64] = b"\xff" * 64
    path.write_bytes(content)

    receipt = only(feed)

    assert receipt.disposition == "quarantined"
    assert receipt.verdict
    assert [v.kind for v in receipt.verdict.blocking] == ["unreadable"]
    assert receipt.outputs.predictions is None
    assert everything_below(Path(feed.root) / "scored") == set()


# ----- once -----


def test_a_second_run_does_nothing_twice(feed: Feed) -> None:
    """No file is written, moved or touched when there is nothing new."""
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "gaps.parquet", gaps(10, 3))
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))
    score_feed(feed)
    stamps = {p: p.stat().st_mtime_ns for p in Path(feed.root).rglob("*") if p.is_file()}

    summary = score_feed(feed)

    assert summary.receipts == ()
    assert summary.done == 2
    assert {p: p.stat().st_mtime_ns for p in Path(feed.root).rglob("*") if p.is_file()} == stamps


def test_a_changed_file_under_the_same_name_is_a_new_batch(feed: Feed) -> None:
    """Both deliveries are scored, side by side."""
    deliver(feed, "day.parquet", rows(5))
    first = only(feed)
    deliver(feed, "day.parquet", rows(6))
    second = only(feed)

    assert first.batch.id != second.batch.id
    assert len(everything_below(Path(feed.root) / "scored")) == 2


def test_a_moved_alias_scores_nothing_anew(feed: Feed, promote: Callable[[str], None]) -> None:
    """What is done stays done; `again` scores it under the new version, beside the old output."""
    deliver(feed, "good.parquet", rows(5))
    deliver(feed, "gaps.parquet", gaps(10, 3))
    first = by_batch(score_feed(feed))
    old = predictions(feed, first["good.parquet"])
    promote("2")

    quiet = score_feed(feed)
    anew = by_batch(score_feed(feed, again=True))
    twice = score_feed(feed, again=True)

    assert quiet.receipts == twice.receipts == ()
    assert {r.version for r in anew.values()} == {"2"}
    assert anew["good.parquet"].previous == first["good.parquet"].file
    assert predictions(feed, first["good.parquet"]).equals(old)
    assert predictions(feed, anew["good.parquet"])["outcome"].to_list() == pytest.approx(
        [20.0 * i for i in range(5)]
    )
    apart = {r["gaps.parquet"].outputs.quarantine for r in (first, anew)}
    assert all((feed.resolve(place or "") / "rejected.parquet").is_file() for place in apart)
    assert len(apart) == 2


def test_an_archived_batch_can_be_scored_again(
    make_feed: FeedMaker,
    promote: Callable[[str], None],
) -> None:
    """Batches that left the inbox are found by their receipts, and stay in the archive."""
    feed = make_feed(archive=True)
    deliver(feed, "good.parquet", rows(5))
    first = only(feed)
    promote("2")

    second = only(feed, again=True)

    assert second.outputs.batch == first.outputs.batch
    assert second.batch.id == first.batch.id
    assert predictions(feed, second).height == 5


def test_a_batch_that_another_worker_has_is_left_to_it(feed: Feed) -> None:
    """A claimed batch is neither judged nor waited for."""
    path = deliver(feed, "good.parquet", rows(5))
    prepare(feed)

    with claimed(feed, identify(path, path.name).id):
        summary = score_feed(feed)

    assert summary.receipts == ()
    assert [entry.why for entry in summary.left] == ["claimed"]


def test_a_failed_batch_alerts_once(make_feed: FeedMaker, line: str) -> None:
    """Under on_mismatch: fail a batch is done too: it is quarantined and not judged again."""
    feed = make_feed(policy={"on_mismatch": "fail"})
    deliver(feed, "bad.parquet", rows(2, a=["x", "y"]))

    receipt = only(feed)

    assert (receipt.disposition, receipt.final) == ("failed", True)
    assert score_feed(feed).receipts == ()


# ----- what the model does -----


def test_a_model_that_raises_quarantines_nothing(
    make_feed: FeedMaker,
    moody: str,
) -> None:
    """The batch stays in the inbox with the error and the version on record, and is tried again."""
    feed = make_feed(model=moody, params={"mood": "raise"}, max_attempts=2)
    path = deliver(feed, "good.parquet", rows(3))

    first, second = only(feed), only(feed)
    parked = score_feed(feed)
    third = only(feed, again=True)

    for receipt in (first, second, third):
        assert (receipt.disposition, receipt.final) == ("errored", False)
        assert "models:/moody/1 raised ValueError while it predicted rows 0 to 2" in receipt.reason
    assert [r.attempt for r in (first, second, third)] == [1, 2, 3]
    assert parked.receipts == ()
    assert [entry.why for entry in parked.left] == ["parked"]
    assert "ModelFailed" in parked.left[0].detail
    assert path.exists()
    assert not (Path(feed.root) / "quarantine").exists()
    assert list(feed.staging.iterdir()) == []


def test_a_mended_feed_takes_up_what_failed(make_feed: FeedMaker, moody: str) -> None:
    """After an errored attempt the batch is scored like any other, and then done."""
    feed = make_feed(model=moody, params={"mood": "raise"})
    deliver(feed, "good.parquet", rows(3))
    only(feed)

    receipt = only(feed.model_copy(update={"params": {}}))

    assert (receipt.disposition, receipt.attempt) == ("passed", 2)


def test_a_failed_attempt_is_followed_by_a_pause(make_feed: FeedMaker, moody: str) -> None:
    """A run that comes too early leaves the batch alone and says until when."""
    feed = make_feed(model=moody, params={"mood": "raise"}, backoff_seconds=3600)
    deliver(feed, "good.parquet", rows(3))
    only(feed)

    (entry,) = score_feed(feed).left

    assert entry.why == "waiting"
    assert "is tried again after" in entry.detail


@pytest.mark.parametrize(
    ("mood", "observed"),
    [
        ("short", "observed 2"),
        ("text", "an object of type str"),
        ("mixed", "no column can hold"),
    ],
)
def test_what_is_no_prediction_is_not_published(
    make_feed: FeedMaker,
    moody: str,
    mood: str,
    observed: str,
) -> None:
    """Too few values, a bare word, values of several types: the batch is set apart whole."""
    feed = make_feed(model=moody, params={"mood": mood}, policy=SPLIT)
    deliver(feed, "good.parquet", rows(3))

    receipt = only(feed)

    assert receipt.disposition == "quarantined"
    assert receipt.reason.startswith("output_mismatch")
    assert observed in receipt.reason
    assert (receipt.rows_in, receipt.outputs.scored, receipt.outputs.rejected) == (3, 0, 3)
    assert everything_below(Path(feed.root) / "scored") == set()


@pytest.mark.parametrize(
    ("mood", "names"),
    [
        ("good", ["prediction"]),
        ("two", ["prediction_0", "prediction_1"]),
        ("clash", ["prediction_key", "prediction__row", "prediction_prediction_key"]),
    ],
)
def test_predictions_without_an_output_schema_are_named_apart(
    make_feed: FeedMaker,
    moody: str,
    mood: str,
    names: list[str],
) -> None:
    """The frame's own names, or numbered ones; none ever replaces a key."""
    feed = make_feed(model=moody, params={"mood": mood})
    deliver(feed, "good.parquet", rows(3))

    receipt = only(feed)

    assert predictions(feed, receipt).columns == ["_row", "key", *names]
    assert list(receipt.outputs.columns) == names


def test_pieces_of_different_types_make_one_column(
    make_feed: FeedMaker,
    moody: str,
) -> None:
    """Whole numbers for one piece and fractions for the next: the file holds both, exactly."""
    feed = make_feed(model=moody, params={"mood": "widen"}, chunk_rows=2)
    deliver(feed, "good.parquet", rows(7))

    receipt = only(feed)

    assert predictions(feed, receipt)["prediction"].to_list() == [0, 2, 4.5, 6.5, 8.5, 10.5, 12.5]


# ----- machinery -----


def test_a_registry_that_is_down_touches_no_batch(
    feed: Feed, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is recorded against a batch for what is not its fault."""
    path = deliver(feed, "good.parquet", rows(3))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")

    with pytest.raises(RegistryUnavailable):
        score_feed(feed, timeout=0.5)

    assert path.exists()
    assert everything_below(Path(feed.root)) == {"inbox/good.parquet"}


def test_a_model_without_contract_touches_no_batch(
    make_feed: FeedMaker,
    unsigned: str,
) -> None:
    """The model's fault is not the batches': all of them stay where they are."""
    feed = make_feed(model=unsigned)
    deliver(feed, "good.parquet", rows(3))

    with pytest.raises(NoContract):
        score_feed(feed)

    assert everything_below(Path(feed.root)) == {"inbox/good.parquet"}


def test_params_that_the_model_does_not_know_are_refused(
    make_feed: FeedMaker,
    moody: str,
) -> None:
    """MLflow would drop them in silence."""
    feed = make_feed(model=moody, params={"modo": "good"})
    deliver(feed, "good.parquet", rows(3))

    with pytest.raises(Misuse, match="knows no param modo; it has mood"):
        score_feed(feed)


def test_the_error_of_one_batch_stops_no_other(feed: Feed) -> None:
    """Where predictions cannot be published, what is quarantined still is."""
    (Path(feed.root) / "scored").write_text("in the way")
    deliver(feed, "1-good.parquet", rows(3))
    deliver(feed, "2-bad.parquet", rows(2, a=["x", "y"]))

    fared = by_batch(score_feed(feed))

    assert fared["1-good.parquet"].disposition == "errored"
    assert fared["1-good.parquet"].error
    assert not fared["1-good.parquet"].error.counts
    assert fared["2-bad.parquet"].disposition == "quarantined"
    assert (feed.inbox / "1-good.parquet").exists()
    assert list(feed.staging.iterdir()) == []


def test_progress_is_told_piece_by_piece(
    make_feed: FeedMaker,
    line: str,
) -> None:
    """A listener hears each batch begin, each piece scored, and the end."""
    feed = make_feed(chunk_rows=2)
    deliver(feed, "good.parquet", rows(5))
    told: list[Progress] = []

    score_feed(feed, on_progress=told.append)

    assert told[0].scored == 0
    assert [p.scored for p in told] == sorted(p.scored for p in told)
    assert isinstance(told[-1].outcome, Receipt)
    assert {(p.batch, p.position, p.batches) for p in told} == {("good.parquet", 1, 1)}


def test_redact_keeps_values_out_of_every_record(
    make_feed: FeedMaker,
    moody: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Verdicts, reports, receipts, errors, log lines name no value; only data files hold them."""
    policy = {"redact": True, **SPLIT}
    feed = make_feed(model=moody, params={"mood": "raise"}, policy=policy)
    deliver(feed, "junk.csv", rows(3, a=[PLANTED] * 3))
    deliver(feed, "some junk.csv", rows(9, a=[PLANTED, *"12345678"]))
    deliver(feed, "raises.parquet", rows(3, a=[98765.5, 1.0, 2.0]))
    caplog.set_level("DEBUG")

    summary = score_feed(feed)

    assert {r.disposition for r in summary.receipts} == {"quarantined", "errored"}
    records = [p for p in Path(feed.root).rglob("*") if p.suffix in (".json", ".html")]
    assert len(records) == 5
    told = "".join(p.read_text() for p in records) + summary.model_dump_json() + caplog.text
    assert PLANTED not in told
    assert "98765" not in told
    assert os.environ["MLFLOW_DISABLE_SCHEMA_DETAILS"] == "true"
