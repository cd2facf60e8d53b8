from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

import pytest
from feeds import by_batch, deliver, rows
from killed_process import score_and_die

from signature_gate.tasks.feed.untold import untold
from signature_gate.tasks.scoring.feed_run import score_feed

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed

    MakeFeed = Callable[..., Feed]


@pytest.fixture(scope="module")
def rude(registry: str) -> str:
    """A model that does what the first row's ``n`` says, and predicts from 9 on."""
    import mlflow
    import pandas as pd
    from mlflow.models import infer_signature

    # Within a function it is pickled by value, and loads where the tests are not importable.
    class Rude(mlflow.pyfunc.PythonModel):
        def predict(self, model_input, params=None):  # noqa: ANN001, ANN202, ARG002
            import os
            import sys
            import time

            from polars.exceptions import PanicException

            raised = {1: SystemExit(0), 2: KeyboardInterrupt(), 3: PanicException("x")}
            first = int(model_input["n"].iloc[0])
            if first in raised:
                raise raised[first]
            if first == 4:
                sys.exit("no")
            if first == 5:
                time.sleep(600)
            if first == 6:
                os._exit(0)
            return model_input["a"] * 2

    frame = pd.DataFrame({"a": [0.0, 1.0], "n": [0, 1]})
    mlflow.pyfunc.log_model(
        name="rude",
        python_model=Rude(),
        signature=infer_signature(frame),
        pip_requirements=["mlflow"],
        registered_model_name="rude",
    )
    return "models:/rude/1"


def deliver_all(feed: Feed, *numbers: int) -> None:
    """Put a batch for each number into the inbox."""
    for number in numbers:
        deliver(feed, f"{number}.parquet", rows(1, n=[number]))


def test_whatever_a_model_raises_is_its_batches_error(make_feed: MakeFeed, rude: str) -> None:
    """sys.exit, KeyboardInterrupt or a panic: errored, and the next one passes."""
    feed = make_feed(model=rude)
    deliver_all(feed, 1, 2, 3, 4, 9)

    outcomes = by_batch(score_feed(feed))

    assert outcomes["9.parquet"].disposition == "passed"
    raised = {name: r.reason for name, r in outcomes.items() if r.disposition == "errored"}
    assert raised.keys() == {"1.parquet", "2.parquet", "3.parquet", "4.parquet"}
    words = ("SystemExit", "KeyboardInterrupt", "PanicException", "SystemExit")
    for number, word in enumerate(words, 1):
        assert f" raised {word} while it predicted" in raised[f"{number}.parquet"]


def test_a_real_interrupt_ends_the_run(make_feed: MakeFeed, rude: str) -> None:
    """Ctrl-C while a model predicts is no error of the batch, which stays for the next run."""
    feed = make_feed(model=rude)
    deliver_all(feed, 5)
    # A shell may have started this very process with interrupts ignored.
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(5, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()

    with pytest.raises(KeyboardInterrupt):
        score_feed(feed)
    timer.cancel()
    signal.signal(signal.SIGINT, handler)

    assert list(feed.receipts.glob("*.json")) == []
    assert (feed.inbox / "5.parquet").exists()


def test_a_model_that_hangs_or_dies_is_ended_where_the_feed_says_so(
    make_feed: MakeFeed, rude: str
) -> None:
    """With `predict_timeout` each piece runs in a process that can be ended, and may end itself."""
    feed = make_feed(model=rude, predict_timeout=8)
    deliver_all(feed, 1, 5, 6, 9)

    outcomes = by_batch(score_feed(feed))

    assert {name: r.disposition for name, r in outcomes.items()} == {
        "1.parquet": "errored",
        "5.parquet": "errored",
        "6.parquet": "errored",
        "9.parquet": "passed",
    }
    assert "raised SystemExit" in outcomes["1.parquet"].reason
    assert "did not answer within 8 s" in outcomes["5.parquet"].reason
    assert "ended its process by exit code 0" in outcomes["6.parquet"].reason


def test_a_batch_that_kills_its_workers_is_parked(make_feed: MakeFeed, rude: str) -> None:
    """After `max_attempts` deaths it is errored, told of, and left alone; the others are scored."""
    feed = make_feed(model=rude, max_attempts=2)
    deliver_all(feed, 6)
    codes = [score_and_die(feed, "never") for _ in range(2)]
    deliver_all(feed, 9)

    first = score_feed(feed)
    second = score_feed(feed)

    assert codes == [0, 0]
    outcomes = by_batch(first)
    assert outcomes["6.parquet"].reason.startswith("WorkerDied: 2 workers ended without a word")
    assert outcomes["9.parquet"].disposition == "passed"
    assert [receipt.batch.name for receipt in untold(feed)] == ["6.parquet"]
    assert [(entry.batch, entry.why) for entry in second.left] == [("6.parquet", "parked")]
    assert second.receipts == ()
