from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from chaos import MAX_ATTEMPTS, schedule, unleash
from feeds import deliver, rows
from killed_process import score_side_by_side
from mixed_batches import MODEL, deliver_all, register_fussy
from row_accounting import faults_of
from torn_read_detector import Reader

from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.journal import CHECKPOINTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from row_accounting import Delivery

    from signature_gate.tasks.feed.feed import Feed


@pytest.fixture(scope="session")
def fussy(registry: str) -> str:
    """Two versions of the model that raises at one value."""
    register_fussy()
    return f"models:/{MODEL}@champion"


def test_killed_again_and_again_a_feed_loses_nothing(fussy: str, tmp_path: Path) -> None:
    """Killed at random instants and at each checkpoint: every row comes out once, never in part."""
    kills = schedule(6, (1,), seed=3)

    toll = unleash(tmp_path, kills, batches=11, seed=3, told=lambda _: None)

    assert toll.faults == []
    assert toll.kills == Counter(dict.fromkeys(CHECKPOINTS, 1)) + Counter({"random instant": 6})
    assert toll.files > toll.batches


def test_two_workers_score_each_of_two_hundred_batches_once(
    make_feed: Callable[..., Feed],
    fussy: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The model records its calls: it is called once for each batch, by either worker."""
    feed = make_feed(model=fussy)
    for number in range(200):
        deliver(feed, f"{number}.parquet", rows(2, a=[float(number)] * 2))
    calls = tmp_path / "calls"
    monkeypatch.setenv("FUSSY_CALLS", str(calls))

    assert score_side_by_side(feed, 2) == [0, 0]

    ledger = ReceiptStore(feed)
    receipts = [receipt for batch in ledger.batches() for receipt in ledger.for_batch(batch)]
    assert sorted(map(float, calls.read_text().split())) == [float(n) for n in range(200)]
    assert [(r.final, r.attempt, r.outputs.scored) for r in receipts] == [(True, 1, 2)] * 200
    assert list(feed.claims.iterdir()) == list(feed.staging.iterdir()) == []


# ----- the checks above can fail -----


@pytest.fixture
def settled(make_feed: Callable[..., Feed], fussy: str) -> tuple[Feed, list[Delivery]]:
    """A feed whose batches are all scored or quarantined, and in which nothing is missing."""
    policy = {"on_mismatch": "split", "max_rejected": 0.5}
    feed = make_feed("books", model=fussy, policy=policy, archive=True, max_attempts=1)
    delivered = deliver_all(feed, 11)
    errors = [receipt.reason for receipt in score_feed(feed).of("errored")]
    assert (len(errors), faults_of(feed, delivered, 1)) == (1, []), errors
    return feed, delivered


def _lose_a_batch(feed: Feed) -> None:
    next((Path(feed.root) / "archive").glob("*.csv")).unlink()


def _cut_a_batch(feed: Feed) -> None:
    path = next((Path(feed.root) / "quarantine").glob("*/*.xlsx"))
    path.write_bytes(path.read_bytes()[:-1])


def _lose_a_receipt(feed: Feed) -> None:
    _receipt_of_a_good_batch(feed).unlink()


def _settle_twice(feed: Feed) -> None:
    path = _receipt_of_a_good_batch(feed)
    shutil.copy(path, path.with_name(path.name.replace(".1.json", ".2.json")))


def _receipt_of_a_good_batch(feed: Feed) -> Path:
    receipts = ((path, path.read_text()) for path in feed.receipts.glob("*.1.json"))
    return next(path for path, text in receipts if '"disposition": "passed"' in text)


def _leave_something(feed: Feed) -> None:
    (feed.staging / "left").mkdir()


def _publish_without_a_receipt(feed: Feed) -> None:
    path = next((Path(feed.root) / "scored").rglob("*.parquet"))
    shutil.copy(path, path.with_name("other.parquet"))


def _swap_predictions(feed: Feed) -> None:
    one, other, *_ = (Path(feed.root) / "scored").rglob("*.parquet")
    shutil.copy(one, other)


@pytest.mark.parametrize(
    ("sabotage", "said"),
    [
        (_lose_a_batch, "lies no longer as it was delivered"),
        (_cut_a_batch, "lies no longer as it was delivered"),
        (_lose_a_receipt, "final receipts"),
        (_settle_twice, "has 2 final receipts"),
        (_leave_something, "is left over"),
        (_publish_without_a_receipt, "is in no receipt"),
        (_swap_predictions, "are in the outputs"),
    ],
)
def test_the_books_find_what_is_missing_or_too_much(
    settled: tuple[Feed, list[Delivery]], sabotage: Callable[[Feed], None], said: str
) -> None:
    """Each kind of loss that is planted is reported."""
    feed, delivered = settled

    sabotage(feed)

    assert said in " ".join(faults_of(feed, delivered, MAX_ATTEMPTS))


@pytest.mark.parametrize(
    ("meddle", "said"),
    [
        (lambda path: path.with_name("b.json").write_text('{"a":'), "was seen in part"),
        (lambda path: path.write_text('{"a": 2}'), "was written anew"),
        (lambda path: path.unlink(), "was there and is gone"),
    ],
    ids=["half", "changed", "gone"],
)
def test_the_reader_sees_what_is_not_whole(
    make_feed: Callable[..., Feed], meddle: Callable[[Path], object], said: str
) -> None:
    """Half a file, one that changes and one that disappears are reported."""
    feed = make_feed()
    feed.receipts.mkdir()
    path = feed.receipts / "a.json"
    path.write_text('{"a": 1}')
    reader = Reader(feed)
    reader.start()
    while not reader.files:
        pass

    meddle(path)
    reader.stop()

    assert said in reader.faults[0]
