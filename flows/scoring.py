"""Score the batches of a feed, each in its own task."""

from __future__ import annotations

import os
from pathlib import Path  # noqa: TC003 - Prefect resolves it when the flow runs
from typing import TYPE_CHECKING, Any

from prefect import flow, get_run_logger, unmapped
from prefect.states import Completed, Failed
from prefect.task_runners import ThreadPoolTaskRunner
from prefect.utilities.annotations import quote

from ..expectations.errors import (
    BatchChanged,
    ContractChanged,
    GateError,
    ModelFailed,
    ModelNotFound,
    NoContract,
    RegistryUnavailable,
)
from ..expectations.fan_out.workers import workers_of
from ..expectations.verdict.verdict import BatchRejected
from ..tasks.feed.feed import Feed
from ..tasks.prefect_tasks.assets import record_asset
from ..tasks.prefect_tasks.events import announce, announce_silence, announcing
from ..tasks.prefect_tasks.run_artifacts import log_in_mlflow, publish_run
from ..tasks.prefect_tasks.run_names import run_name
from ..tasks.prefect_tasks.scoring import fetch_intent, list_batches, score_batch, score_sweep
from ..tasks.scoring.feed_run import Progress, score_feed
from ..tasks.scoring.one_batch import record_failure
from ..tasks.scoring.selection import keep_due

if TYPE_CHECKING:
    from prefect.client.schemas.objects import State
    from prefect.futures import PrefectFuture

    from ..tasks.feed.inbox import SkippedBatch
    from ..tasks.feed.receipt import Receipt
    from ..tasks.feed.run_summary import RunSummary
    from ..tasks.scoring.selection import Candidate
    from ..tasks.storage.intent import Intent

__all__ = ["Progress", "score_batches", "score_feed"]

# Each running batch holds a chunk of rows: memory is bounded by the number of batches at a time.
_AT_A_TIME = min(4, os.cpu_count() or 1)
_in_threads: Any = ThreadPoolTaskRunner(max_workers=_AT_A_TIME)


@flow(name="score-batches", flow_run_name=run_name, task_runner=_in_threads)
def score_batches(feed: Feed | Path, again: bool = False) -> Any:
    """Judge and score every batch of a feed that is ready.

    The model's alias is resolved once; each batch is one mapped task under that pinned version,
    and the error of one never stops the others. A feed with ``workers`` is one task, in which these
    score its batches. Other task runners are the caller's choice:
    ``score_batches.with_options(task_runner=…)``. From a coroutine, ``await
    asyncio.to_thread(score_batches, feed)``: the event loop goes on, and the run belongs to the
    flow that awaits it.

    Args:
        feed: The feed, or the path of its YAML file.
        again: Whether to score, under the current version, batches that are done under another,
            and to try parked and waiting batches now.

    Returns:
        A ``RunSummary``. The run's state is ``Completed``, or ``Quarantined`` if a batch was, which
        is of type completed unless the feed's ``quarantine_state`` is ``failed``; its message
        counts the dispositions.

    Raises:
        BatchRejected: A batch does not fit, and the policy is ``on_mismatch: fail`` or the feed's
            ``quarantine_state`` is ``failed``.
        GateError: Machinery broke for a batch, or for all of them; the others are done.
    """
    feed = feed if isinstance(feed, Feed) else Feed.load(feed)
    with announcing(feed) as announced:
        summary = _run(feed, again)
        announced.extend(summary.receipts)
    announce_silence(feed, summary.silent_since)
    return final_state(summary, feed)


def _run(feed: Feed, again: bool) -> RunSummary:
    found = list_batches(feed, again)
    if not found.candidates:
        return _nothing_new(found.summary(feed))
    try:
        intent = fetch_intent(feed)
    except NoContract as error:
        publish_run(found.summary(feed).model_copy(update={"no_contract": str(error)}))
        raise
    due = keep_due(feed, found, intent.version, again=again)
    outcomes = _score_all(feed, intent, list(due.candidates), again)
    summary = due.summary(feed, intent.model, outcomes)
    publish_run(summary)
    log_in_mlflow(feed, summary)
    record_asset(feed, summary)
    return summary


def _nothing_new(summary: RunSummary) -> RunSummary:
    # A run without news must not push artifacts with news out of sight.
    if summary.receipts or summary.unfinished:
        publish_run(summary)
    return summary


def _score_all(
    feed: Feed, intent: Intent, candidates: list[Candidate], again: bool
) -> list[Receipt | SkippedBatch]:
    if workers := workers_of(feed.workers):
        sweep: Any = score_sweep
        return sweep(*map(quote, (feed, intent, candidates, workers)), again)
    # Quoted, or Prefect would walk through all that they hold, for each batch anew.
    same = (quote(unmapped(feed)), quote(unmapped(intent)))
    futures = score_batch.map(*same, candidates, unmapped(again))
    return [
        _outcome(feed, intent, candidate, future)
        for candidate, future in zip(candidates, futures, strict=True)
    ]


def _outcome(
    feed: Feed, intent: Intent, candidate: Candidate, future: PrefectFuture[Any]
) -> Receipt | SkippedBatch:
    outcome = future.result(raise_on_failure=False)
    if not isinstance(outcome, BaseException):
        return outcome
    receipt = record_failure(feed, intent, candidate, outcome)
    announce(feed, receipt)
    return receipt


def final_state(summary: RunSummary, feed: Feed) -> State[Any]:
    """End in Failed if a batch errored or the policy says so, ``Quarantined`` if a batch was."""
    message = summary.message()
    get_run_logger().info("%s", message)
    if broken := summary.of("errored"):
        return Failed(message=message, data=_error_of(broken[0]))
    if summary.unfinished:
        return Failed(message=message, data=GateError(summary.unfinished[0].detail))
    if failed := [r.verdict for r in summary.of("failed") if r.verdict]:
        return Failed(message=message, data=BatchRejected(failed[0]))
    held = [receipt.verdict for receipt in summary.of("quarantined") if receipt.verdict]
    if held and feed.quarantine_state == "failed":
        return Failed(name="Quarantined", message=message, data=BatchRejected(held[0]))
    name = "Quarantined" if held else "Completed"
    return Completed(name=name, message=message, data=summary)


def _error_of(receipt: Receipt) -> Exception:
    """Rebuild the error that a receipt records."""
    kinds = (ModelFailed, ModelNotFound, RegistryUnavailable, ContractChanged, BatchChanged)
    by_name: dict[str, type[GateError]] = {kind.__name__: kind for kind in kinds}
    kind = by_name.get(receipt.error.kind if receipt.error else "", GateError)
    return kind(f"{receipt.batch.name}: {receipt.reason}")
