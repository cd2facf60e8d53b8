from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from fault_injection import ANSWERS, at_point, failing_registry
from feeds import (
    by_batch,
    deliver,
    everything_below,
    rows,
)
from killed_process import score_and_die
from mixed_batches import move_alias, register_fussy

from signature_gate.expectations.errors import ModelNotFound, RegistryUnavailable
from signature_gate.expectations.registry.client import resolve
from signature_gate.tasks.feed.receipt_store import ReceiptStore
from signature_gate.tasks.scoring.feed_run import score_feed
from signature_gate.tasks.storage.intent import read_intent

if TYPE_CHECKING:
    from collections.abc import Callable

    from signature_gate.tasks.feed.feed import Feed
    from signature_gate.tasks.feed.receipt import Receipt

    MakeFeed = Callable[..., Feed]

every_illness = pytest.mark.parametrize("illness", ["down", *ANSWERS])
LIMIT = "SIGNATURE_GATE_REGISTRY_TIMEOUT"


@pytest.fixture
def model(registry: str, request: pytest.FixtureRequest) -> str:
    """Two versions of a model that no other test has loaded."""
    name = f"own-{abs(hash(request.node.nodeid))}"
    register_fussy(name)
    return name


@pytest.fixture
def feed(make_feed: MakeFeed, model: str) -> Feed:
    """A feed of that model's champion, which is its first version."""
    return make_feed(model=f"models:/{model}@champion", archive=True)


def only(feed: Feed) -> Receipt:
    """Run a feed that has one batch to attempt."""
    (receipt,) = score_feed(feed).receipts
    return receipt


def nothing_is_published(feed: Feed) -> bool:
    """Whether nothing is published, and nothing is left half done."""
    public = ("scored", "quarantine", "archive")
    left = [*feed.staging.iterdir(), *feed.claims.iterdir()]
    return not left and not any(everything_below(Path(feed.root) / name) for name in public)


@pytest.fixture(scope="module", name="known")
def known_model(registry: str) -> str:
    """A model that does not change."""
    register_fussy("known")
    return "models:/known@champion"


@every_illness
def test_a_registry_that_is_not_well_touches_no_batch(
    make_feed: MakeFeed, known: str, monkeypatch: pytest.MonkeyPatch, illness: str
) -> None:
    """The run ends in time with the cause; when the registry answers, the batch is scored."""
    feed = make_feed(model=known)
    deliver(feed, "good.parquet", rows(5))
    with monkeypatch.context() as patch, failing_registry(illness) as address:
        patch.setenv("MLFLOW_TRACKING_URI", address)
        with pytest.raises(RegistryUnavailable, match="no usable answer from") as raised:
            score_feed(feed, timeout=1)
        assert address in str(raised.value)

    assert everything_below(Path(feed.root)) == {"inbox/good.parquet"}
    assert only(feed).disposition == "passed"


@every_illness
def test_a_registry_that_falls_ill_before_the_model_is_fetched_loses_no_batch(
    feed: Feed, monkeypatch: pytest.MonkeyPatch, illness: str
) -> None:
    """The attempt is errored, not counted against the batch, and later the batch is scored."""
    monkeypatch.setenv(LIMIT, "1")
    feed = feed.model_copy(update={"max_attempts": 1})
    path = deliver(feed, "good.parquet", rows(5))
    with monkeypatch.context() as patch, failing_registry(illness) as address:
        fall_ill = partial(patch.setenv, "MLFLOW_TRACKING_URI", address)
        with at_point("bound", fall_ill):
            first = only(feed)
    assert first.error
    assert first.error.kind == "RegistryUnavailable"
    assert address in first.reason
    assert not first.error.counts
    assert path.exists()
    assert nothing_is_published(feed)

    second = only(feed)

    assert (second.disposition, second.attempt, second.previous) == ("passed", 2, first.file)


def test_an_alias_that_moves_within_a_run_changes_nothing_in_it(feed: Feed, model: str) -> None:
    """Every batch of the run is judged and scored by the version of the alias at its start."""
    deliver(feed, "1.parquet", rows(3))
    deliver(feed, "2.parquet", rows(3))

    with at_point("bound", lambda: move_alias("2", model)):
        summary = score_feed(feed)
    deliver(feed, "3.parquet", rows(3))

    assert {r.version for r in summary.receipts} == {"1"}
    assert len(summary.receipts) == 2
    assert only(feed).version == "2"


def test_an_alias_that_moves_between_crash_and_restart_does_not_mix_versions(
    feed: Feed, model: str
) -> None:
    """An attempt is finished by the version of its start; later batches get the new version."""
    deliver(feed, "1.parquet", rows(3))
    deliver(feed, "2.parquet", rows(3))
    assert score_and_die(feed, "staged") == -9
    move_alias("2", model)

    summary = score_feed(feed)

    assert {name: r.version for name, r in by_batch(summary).items()} == {
        "1.parquet": "1",
        "2.parquet": "2",
    }
    places = [receipt.outputs.predictions or "" for receipt in summary.receipts]
    assert sorted(Path(place).parent.name for place in places) == ["version=1", "version=2"]


def _alter_signature(name: str) -> None:
    from mlflow.models import ModelSignature, set_signature
    from mlflow.types import ColSpec, Schema

    model_id = resolve(f"models:/{name}/1").model_id
    inputs = Schema([ColSpec("double", "a"), ColSpec("double", "n"), ColSpec("string", "key")])
    set_signature(f"models:/{model_id}", ModelSignature(inputs))


def _delete_version(name: str) -> None:
    import mlflow

    mlflow.MlflowClient().delete_model_version(name, "1")


# What happens to version 1 after it judged; the error's class and message, and the version that
# scores the batch in the end.
_BEFALLEN: Any = pytest.mark.parametrize(
    ("befall", "kind", "said", "in_the_end"),
    [
        (_alter_signature, "ContractChanged", "is no longer the one that judged", "1"),
        (_delete_version, "ModelNotFound", "there is no such version", "2"),
    ],
    ids=["altered", "deleted"],
)


@_BEFALLEN
def test_a_version_that_changes_between_judging_and_scoring_scores_nothing(
    feed: Feed,
    model: str,
    befall: Callable[[str], None],
    kind: str,
    said: str,
    in_the_end: str,
) -> None:
    """The attempt is errored; the next one judges by the model of that time."""
    path = deliver(feed, "good.parquet", rows(5))
    with at_point("bound", lambda: befall(model)):
        first = only(feed)
    if in_the_end == "2":
        with pytest.raises(ModelNotFound):
            score_feed(feed)
    assert first.error
    assert (first.error.kind, first.error.counts) == (kind, False)
    assert said in first.reason
    assert path.exists()
    assert nothing_is_published(feed)

    move_alias(in_the_end, model)
    second = only(feed)

    assert (second.disposition, second.version) == ("passed", in_the_end)
    assert (second.contract != first.contract) == (kind == "ContractChanged")


@_BEFALLEN
def test_a_version_that_changes_between_crash_and_restart_scores_nothing(
    feed: Feed,
    model: str,
    befall: Callable[[str], None],
    kind: str,
    said: str,
    in_the_end: str,
) -> None:
    """A receipt records that the dead worker's attempt is abandoned, and a new attempt starts."""
    deliver(feed, "good.parquet", rows(5))
    assert score_and_die(feed, "staged") == -9
    befall(model)
    move_alias("2", model)

    first = only(feed)
    assert read_intent(feed, first.batch.id) is None
    second = only(feed)

    assert first.error
    assert (first.version, first.error.kind) == ("1", kind)
    assert said in first.reason
    assert (second.disposition, second.version, second.outputs.scored) == ("passed", "2", 5)
    finals = [receipt for receipt in ReceiptStore(feed).for_batch(second.batch.id) if receipt.final]
    assert len(finals) == 1
